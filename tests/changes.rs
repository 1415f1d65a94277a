//! A bot's token is changed while the real binary runs, and while it is killed: nothing is refused, the configuration's file
//! is rewritten, and what differs from the configuration is said.

use crate::server::{ECHO, Far, IMBOT, Server, TOKEN, bare};
use imbot::portal::{Action, Rule, Shape};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

const UPDATE: &str = "imbot.v2.Bot.update";
const QUESTION: &str = "imbot.v2.Command.list";

/// A server whose configuration has the bot's token from `source`.
fn beside(far: &Far, source: &str) -> Server {
    let table = crate::support::replaced(
        &far.table(),
        &format!("bot_token = \"{TOKEN}\""),
        &format!("bot_token = {source}"),
    );
    Server::new(&table)
}

fn asked(far: &Far, server: &Server, verb: reqwest::Method, path: &str, body: &Value) -> (u16, Value) {
    let token = fs::read_to_string(server.store().join("admin.token")).unwrap();
    let url = format!("http://{}{path}", server.admin);
    far.wait(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.request(verb, url).bearer_auth(token).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    })
}

fn rotate(far: &Far, server: &Server) -> (u16, Value) {
    let order = json!({ "portal": "demo", "bot": ECHO });
    asked(far, server, reqwest::Method::POST, "/api/v1/rotate-token", &order)
}

/// The change of the bot's token in the status.
fn change(far: &Far, server: &Server) -> Value {
    let (_, status) = asked(far, server, reqwest::Method::GET, "/api/v1/status", &Value::Null);
    status["portals"][0]["bots"][0]["token"].clone()
}

fn check(server: &Server, token: &str) -> String {
    let output = bare(IMBOT)
        .args(["config", "check", "--config"])
        .arg(server.config())
        .env("BOT_TOKEN", token)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// No file below the folder holds this text, but those named.
fn in_no_file(folder: &Path, text: &str, but: &[&str]) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            in_no_file(&path, text, but);
        } else if !but.contains(&name.as_str()) {
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}

#[test]
fn a_token_in_a_file_is_rewritten_under_load_and_no_event_is_refused() {
    let far = Far::start(400);
    let mut server = beside(&far, "{ file = \"token\" }");
    let file = server.folder().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    server.start();
    // As the portal's queue holds them when the token changes.
    let bodies: Vec<Vec<u8>> = (0..100).map(|n| far.body(700 + n, 7000 + n, "hi")).collect();
    for body in &bodies[..50] {
        assert_eq!(server.post(body).outcome(), Some("accepted"));
    }
    let bot = ECHO.to_string();
    let output = server.command(&["register", "--rotate-token", &bot, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let view: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (field, is) in [
        ("state", json!("done")),
        ("rewritten", json!(true)),
        ("agrees", json!(true)),
    ] {
        assert_eq!(view[field], is, "{view}");
    }
    for body in &bodies[50..] {
        assert_eq!(server.post(body).outcome(), Some("accepted"));
    }
    server.settled();
    for user in 700..800 {
        assert_eq!(far.heard(user), ["hi"], "{user}");
    }
    let written = fs::read_to_string(&file).unwrap();
    let new = written.strip_suffix('\n').expect("the line's end is kept");
    assert_eq!(new.len(), 40);
    assert_ne!(new, TOKEN);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!check(&server, "").contains("the stored token"), "they agree");
    server.kill();
    server.start();
    assert_eq!(server.post(&far.body(7, 70, "after")).outcome(), Some("accepted"));
    server.settled();
    assert_eq!(far.heard(7), ["after"]);
    assert!(!server.said().contains(new), "it is never printed");
    in_no_file(server.folder(), new, &["token"]);
}

/// The portal takes a new token without saying so, and answers no question about it.
fn lose_answers(far: &Far) {
    let strike = |method: &str, times, action| {
        far.portal.fault(Rule {
            method: Some(method.to_owned()),
            times,
            until: None,
            action,
        });
    };
    strike(UPDATE, Some(1), Action::ResetAfterExecution);
    strike(
        QUESTION,
        None,
        Action::Answer {
            status: 500,
            code: "INTERNAL_SERVER_ERROR".to_owned(),
            shape: Shape::Json,
        },
    );
}

#[test]
fn a_kill_after_the_portal_took_the_token_and_an_old_value_in_the_environment_lose_nothing() {
    let far = Far::start(400);
    let mut server = beside(&far, "{ env = \"BOT_TOKEN\" }");
    server.set("BOT_TOKEN", TOKEN);
    server.start();
    lose_answers(&far);
    let (status, view) = rotate(&far, &server);
    assert_eq!((status, &view["state"]), (200, &json!("planned")), "{view}");
    let unsettled = "imbot_change_seconds{portal=\"demo\",change=\"rotation\"}";
    assert!(server.metric(unsettled) > 0.0, "an alarm hears of it");
    let text = check(&server, TOKEN);
    assert!(text.contains("the portal has not said yet which one it has"), "{text}");
    assert_eq!(server.post(&far.body(7, 70, "kept")).outcome(), Some("accepted"));
    server.kill();
    far.portal.clear_faults();
    server.start();
    assert_eq!(server.post(&far.body(7, 71, "after")).outcome(), Some("accepted"));
    server.settled();
    assert_eq!(far.heard(7), ["kept", "after"]);
    assert_eq!(change(&far, &server)["state"], "done");
    assert_eq!(server.metric(unsettled), 0.0);
    let doctor = bare(IMBOT)
        .args(["doctor", "--json", "--config"])
        .arg(server.config())
        .env("BOT_TOKEN", TOKEN)
        .output()
        .unwrap();
    let found = String::from_utf8(doctor.stdout).unwrap();
    assert!(found.contains("\"stored_differs\""), "{found}");
    for _ in 0..2 {
        let text = check(&server, TOKEN);
        let place = "it is to be changed in the environment variable BOT_TOKEN";
        assert!(text.contains(place), "{text}");
        assert_eq!(server.terminate().code(), Some(0), "{}", server.said());
        server.start();
        assert_eq!(change(&far, &server)["agrees"], false);
    }
    for _ in 0..1000 {
        if server
            .said()
            .contains("the stored token is used, not the configured one")
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("serve says nothing of the difference:\n{}", server.said());
}
