//! Replays against a server on a free port that records what it is sent.

use super::*;
use crate::settings::{Environment, parse};
use crate::types::Timestamp;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::routing::post;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

type Seen = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A door that answers by what the body says.
async fn door(State(seen): State<Seen>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap, &'static str) {
    let content_type = headers["content-type"].to_str().unwrap().to_owned();
    let says = |word: &str| String::from_utf8_lossy(&body).contains(word);
    let mut answer = HeaderMap::new();
    for word in ["accepted", "duplicate", "ignored", "quarantined"] {
        if says(word) && headers.contains_key("x-imbot-ask") {
            answer.insert(HeaderName::from_static("x-imbot-outcome"), word.parse().unwrap());
        }
    }
    seen.lock().unwrap().push((content_type, body.to_vec()));
    match () {
        () if says("forged") => (StatusCode::FORBIDDEN, answer, "{\"error\":\"token\"}"),
        () if says("moved") => (StatusCode::TEMPORARY_REDIRECT, answer, "<html>"),
        () => (StatusCode::OK, answer, "{\"status\":\"ok\"}"),
    }
}

struct Stage {
    folder: TempDir,
    seen: Seen,
    options: ReplayOptions,
}

/// A door, and a replay of `files` to it.
async fn stage(files: &[(&str, &[u8])]) -> Stage {
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/webhook", post(door))
        .with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = tempfile::tempdir().unwrap();
    let write = |(name, body): &(&str, &[u8])| {
        let file = folder.path().join(name);
        std::fs::write(&file, body).unwrap();
        file
    };
    let options = ReplayOptions {
        files: files.iter().map(write).collect(),
        to: Url::parse(&format!("http://{address}/webhook")).unwrap(),
        as_portal: None,
        again: false,
        rate: None,
        send: false,
        clock: Clock::manual(Timestamp(1_700_000_000_123)),
    };
    Stage { folder, seen, options }
}

impl Stage {
    async fn run(self) -> (String, ReplaySummary, Vec<(String, Vec<u8>)>) {
        let mut out = Vec::new();
        let summary = replay(self.options, &mut out).await.unwrap();
        let folder = format!("{}/", self.folder.path().display());
        let seen = self.seen.lock().unwrap().clone();
        (String::from_utf8(out).unwrap().replace(&folder, ""), summary, seen)
    }

    async fn body(self) -> String {
        let (_, _, seen) = self.run().await;
        String::from_utf8(seen[0].1.clone()).unwrap()
    }
}

#[tokio::test]
async fn each_body_is_posted_byte_for_byte_and_its_end_is_told() {
    let files: [(&str, &[u8]); 7] = [
        ("1.form", b"event=accepted\xff%zz\n"),
        ("2.json", b"{\"event\": \"duplicate\"}\r\n"),
        ("3.form", b"ignored"),
        ("4.form", b"quarantined"),
        ("5.form", b"forged"),
        ("6.form", b"moved"),
        ("7.form", b""),
    ];
    let (out, summary, seen) = stage(&files).await.run().await;
    assert_eq!(
        out,
        "1.form  accepted
2.json  duplicate
3.form  ignored
4.form  quarantined
5.form  refused 403 token
6.form  refused 307
7.form  answered 200
1 accepted, 1 duplicate, 1 ignored, 1 quarantined, 1 answered, 2 refused
"
    );
    assert!(!summary.is_clean());
    let sent: Vec<&[u8]> = seen.iter().map(|(_, body)| &body[..]).collect();
    assert_eq!(sent, files.map(|(_, body)| body));
    let form = "application/x-www-form-urlencoded";
    let types: Vec<&str> = seen.iter().map(|(kind, _)| &kind[..]).collect();
    assert_eq!(types, [form, "application/json", form, form, form, form, form]);
}

#[tokio::test]
async fn again_makes_ids_that_differ_from_each_other() {
    let body = b"data[message][id]=1&ts=2&data[command][id]=3";
    let mut stage = stage(&[("1.form", body), ("2.form", body)]).await;
    stage.options.again = true;
    let (_, _, seen) = stage.run().await;
    let sent: Vec<&str> = seen
        .iter()
        .map(|(_, body)| std::str::from_utf8(body).unwrap())
        .collect();
    assert_eq!(
        sent,
        [
            "data[message][id]=1700000000123000000&ts=1700000000&data[command][id]=3",
            "data[message][id]=1700000000123000001&ts=1700000000&data[command][id]=3"
        ]
    );
}

/// A portal with an application (bot 456) and a webhook bot (461).
fn portal(extra: &str) -> PortalSettings {
    let text = format!(
        "[[portal]]\nname = \"acme\"\ndomain = \"acme.bitrix24.com\"\napplication_token = \"app\"\n{extra}\n\
         incoming_webhook = \"https://acme.bitrix24.com/rest/1/abc/\"\n\
         [[portal.bot]]\nid = 456\nhandler = \"echo\"\n\
         [[portal.bot]]\nid = 461\nhandler = \"echo\"\nbot_token = \"own token\"\n"
    );
    let loaded = parse(&text, Path::new("imbot.toml"), &["echo"], &Environment::default()).unwrap();
    loaded.settings.portals[0].clone()
}

#[tokio::test]
async fn credentials_of_a_portal_replace_those_of_the_capture() {
    let body = "auth[application_token]=&auth[member_id]=old&auth[domain]=old.example&data[bot][id]=456\
                &data[bot][auth][application_token]=old&data[bot][auth][access_token]=kept\n";
    let mut stage = stage(&[("1.form", body.as_bytes())]).await;
    stage.options.as_portal = Some(portal("member_id = \"11aa\""));
    assert_eq!(
        stage.body().await,
        "auth[application_token]=app&auth[member_id]=11aa&auth[domain]=acme.bitrix24.com&data[bot][id]=456\
         &data[bot][auth][application_token]=app&data[bot][auth][access_token]=kept\n"
    );
}

#[tokio::test]
async fn a_webhook_bot_gets_its_derived_token_and_no_foreign_member() {
    let form = stage(&[("1.form", b"data%5Bbot%5D%5Bid%5D=461&auth%5Bmember_id%5D=old")]).await;
    let json = stage(&[("1.json", br#"{"data":{"bot":{"id":"461"}},"auth":{"member_id":"old"}}"#)]).await;
    for (mut stage, expected) in [
        (
            form,
            "data%5Bbot%5D%5Bid%5D=461&auth%5Bmember_id%5D=\
             &auth%5Bapplication_token%5D=customown+token&auth%5Bdomain%5D=acme.bitrix24.com",
        ),
        (
            json,
            r#"{"data":{"bot":{"id":"461"}},"auth":{"domain":"acme.bitrix24.com","application_token":"customown token","member_id":null}}"#,
        ),
    ] {
        stage.options.as_portal = Some(portal(""));
        assert_eq!(stage.body().await, expected);
    }
}

#[tokio::test]
async fn a_redacted_body_needs_a_portal_that_has_its_token() {
    let form = "data[bot][id]=461&data[bot][auth][application_token]=IMBOT_REDACTED_nested_application_token\
                &data[BOT][5][application_token]=IMBOT_REDACTED_nested_application_token\
                &auth[application_token]=IMBOT_REDACTED_application_token&auth[access_token]=IMBOT_REDACTED_access_token";
    let files: [(&str, &[u8]); 2] = [("1.form", b"event=accepted"), ("2.form", form.as_bytes())];
    let mut without = stage(&files).await;
    let error = replay(without.options, &mut Vec::new()).await.unwrap_err().to_string();
    assert!(
        error.contains("2.form: its credentials were taken out") && error.contains("--as PORTAL"),
        "{error}"
    );
    assert!(
        without.seen.lock().unwrap().is_empty(),
        "all files are looked at before the first is posted"
    );

    without = stage(&files[1..]).await;
    without.options.as_portal = Some(portal(""));
    assert_eq!(
        without.body().await,
        "data[bot][id]=461&data[bot][auth][application_token]=customown+token\
         &data[BOT][5][application_token]=customown+token\
         &auth[application_token]=customown+token&auth[access_token]=IMBOT_REDACTED_access_token&auth%5Bdomain%5D=acme.bitrix24.com"
    );
}

#[tokio::test]
async fn a_folder_is_posted_by_name_and_a_manifest_in_its_order() {
    let name = |number: u8, end: &str| format!("20260226T092640Z-000000{number}-accepted.{end}");
    let (first, second) = (name(1, "form"), name(2, "json"));
    let line = |file: &str, content_type: &str| {
        format!(
            "{{\"file\":\"{file}\",\"received\":\"R\",\"content_type\":\"{content_type}\",\"portal\":null,\"event\":null,\
             \"outcome\":\"accepted\",\"bytes\":1,\"received_ms\":1}}\n"
        )
    };
    let files = [
        (first.as_str(), &b"event=accepted"[..]),
        (second.as_str(), b"{}"),
        ("notes.txt", b""),
    ];
    let mut stage = stage(&files).await;
    stage.options.files = vec![stage.folder.path().to_path_buf()];
    let manifest = stage.folder.path().join("manifest.jsonl");
    let mut out = Vec::new();
    let by_name = std::mem::take(&mut stage.options.files);
    let options = |files: Vec<PathBuf>| ReplayOptions {
        files,
        to: stage.options.to.clone(),
        as_portal: None,
        again: false,
        rate: None,
        send: false,
        clock: stage.options.clock.clone(),
    };
    replay(options(by_name.clone()), &mut out).await.unwrap();
    let text = [
        line(&second, "application/json; charset=utf-8"),
        line(&first, ""),
        line("gone.form", ""),
    ]
    .concat();
    std::fs::write(&manifest, text).unwrap();
    for files in [by_name, vec![manifest]] {
        replay(options(files), &mut out).await.unwrap();
    }
    let seen = stage.seen.lock().unwrap().clone();
    let types: Vec<&str> = seen.iter().map(|(kind, _)| kind.as_str()).collect();
    let (form, json, charset) = (
        "application/x-www-form-urlencoded",
        "application/json",
        "application/json; charset=utf-8",
    );
    assert_eq!(types, [form, json, charset, form, charset, form]);
}

#[tokio::test]
async fn another_machine_gets_nothing_unless_told() {
    let mut stage = stage(&[("1.form", b"event=E"), ("2.json", b"{}")]).await;
    stage.options.to = Url::parse("https://bots.example.com/webhook").unwrap();
    let (out, summary, _) = stage.run().await;
    assert_eq!(
        out,
        "1.form  not sent  7 bytes, application/x-www-form-urlencoded
2.json  not sent  2 bytes, application/json
dry run: bots.example.com is another machine; add --send to post there
"
    );
    assert_eq!((summary.unsent, summary.is_clean()), (2, true));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure_for_each() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut stage = stage(&[("1.form", b"x")]).await;
    stage.options.to = Url::parse(&format!("http://{closed}/webhook")).unwrap();
    let (out, summary, _) = stage.run().await;
    assert_eq!(out, "1.form  failed: nobody listens there\n1 failed\n");
    assert!(!summary.is_clean());
}

#[tokio::test]
async fn nothing_is_posted_if_a_file_is_missing_or_an_option_is_wrong() {
    let mut missing = stage(&[("1.form", b"accepted")]).await;
    missing.options.files.push("nowhere.form".into());
    let mut rate = stage(&[("1.form", b"accepted")]).await;
    rate.options.rate = Some(0.0);
    let mut negative = stage(&[("1.form", b"accepted")]).await;
    negative.options.rate = Some(-1.0);
    let mut target = stage(&[("1.form", b"accepted")]).await;
    target.options.to = Url::parse("http://user:pass@127.0.0.1/").unwrap();
    for (stage, expected) in [
        (missing, "nowhere.form: cannot be read"),
        (rate, "--rate must be"),
        (negative, "--rate must be"),
        (target, "--to must be"),
    ] {
        let error = replay(stage.options, &mut Vec::new()).await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(stage.seen.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_rate_holds_the_next_body_back() {
    let mut stage = stage(&[("1.form", b"accepted"), ("2.form", b"accepted")]).await;
    stage.options.rate = Some(2.0);
    let (clock, seen) = (stage.options.clock.clone(), Arc::clone(&stage.seen));
    let watch = async {
        while seen.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_millis(499));
        // Many more turns than the first body needed from its wake-up to the door.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(seen.lock().unwrap().len(), 1);
        clock.advance(Duration::from_millis(1));
    };
    let ((_, summary, _), ()) = tokio::join!(stage.run(), watch);
    assert_eq!(summary.accepted, 2);
}

#[test]
fn the_default_target_is_where_the_server_listens() {
    let target = |server: &str| {
        let text = format!(
            "[server]\n{server}\n[[portal]]\nname = \"a\"\ndomain = \"a.example\"\napplication_token = \"t\"\n\
             [[portal.bot]]\nid = 1\nhandler = \"echo\"\n"
        );
        let loaded = parse(&text, Path::new("imbot.toml"), &["echo"], &Environment::default()).unwrap();
        default_target(&loaded.settings).unwrap().to_string()
    };
    assert_eq!(target(""), "http://127.0.0.1:8080/webhook");
    assert_eq!(
        target("listen = \"0.0.0.0:80\"\npath = \"/hook\""),
        "http://127.0.0.1/hook"
    );
    assert_eq!(target("listen = \"[::]:81\""), "http://[::1]:81/webhook");
}
