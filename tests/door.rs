//! The door as a stranger meets it: every refusal by status and word, deadlines, pinning, quarantine.

use crate::scene::*;
use imbot::Bot;
use imbot::testing::Stage;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FORM: &str = "application/x-www-form-urlencoded";

async fn stage() -> Stage {
    Stage::builder().bot(parrot()).start().await
}

/// An HTTP client that reads no proxy settings.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Refused with this status and word, and not stored.
async fn refused(stage: &mut Stage, body: impl Into<Vec<u8>>, status: u16, word: &str) {
    // What came before may still be running, and would move between the queues.
    stage.settle().await;
    let before = stage.totals().await;
    let answered = stage.post_form(body).await;
    assert_eq!(
        (answered.status, answered.body),
        (status, format!("{{\"error\":\"{word}\"}}"))
    );
    assert_eq!(stage.totals().await, before);
}

#[tokio::test]
async fn methods_and_paths() {
    let mut stage = stage().await;
    let (url, http) = (stage.webhook(), client());
    assert_eq!(http.get(&url).send().await.unwrap().status(), 200);
    let head = http.head(&url).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.content_length().unwrap_or(0)), (200, 0));
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "ODD"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let answer = http.request(method.clone(), &url).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.headers()["allow"], "GET, HEAD, POST");
    }
    for path in [
        "",
        "/",
        "/webhook2",
        "/webhook/",
        "/metrics",
        "/healthz",
        "/api/v1/dead-letters",
    ] {
        let other = url.replace("/webhook", path);
        assert_eq!(http.get(&other).send().await.unwrap().status(), 404, "{path}");
        assert_eq!(
            http.post(&other).body("x").send().await.unwrap().status(),
            404,
            "{path}"
        );
    }
    over(stage).await;
}

#[tokio::test]
async fn only_plain_forms_and_json_are_read() {
    let mut stage = stage().await;
    let body = message(stage.portal(), 27, 9001, "hello");
    for kind in [
        "multipart/form-data; boundary=x",
        "text/xml",
        "application/xml",
        "text/plain",
        "application/jsonp",
    ] {
        let answered = stage.post(body.clone(), kind).await;
        assert_eq!(
            (answered.status, answered.body.as_str()),
            (415, "{\"error\":\"unsupported_media\"}"),
            "{kind}"
        );
    }
    let url = stage.webhook();
    let packed = client()
        .post(&url)
        .header("content-type", FORM)
        .header("content-encoding", "gzip");
    assert_eq!(packed.body(body.clone()).send().await.unwrap().status(), 415);
    assert_eq!(stage.totals().await.accepted, 0);
    let answered = stage
        .post(body, "Application/X-WWW-Form-urlencoded ; charset=utf-8")
        .await;
    assert_eq!(answered.outcome, "accepted");
    over(stage).await;
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_read_and_one_byte_more_is_not() {
    let mut stage = stage().await;
    let mut body = message(stage.portal(), 27, 9001, "hello");
    body.extend_from_slice(b"&pad=");
    body.resize(1 << 20, b'x');
    let mut over_long = body.clone();
    over_long.push(b'x');
    refused(&mut stage, over_long.clone(), 413, "too_large").await;
    let answer = chunked(&mut stage, &over_long).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "without a length too: {answer}");
    accepted(&mut stage, body).await;
    refused(&mut stage, "", 400, "empty").await;
    over(stage).await;
}

/// Posts a body in chunks, so that its length is not announced. The answer as it came.
async fn chunked(stage: &mut Stage, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address(stage)).await.unwrap();
    let head =
        format!("POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let send = async {
        // The door may answer and close before it has read all.
        for chunk in body.chunks(60_000) {
            let size = format!("{:x}\r\n", chunk.len());
            let whole = [size.as_bytes(), chunk, b"\r\n"].concat();
            if write.write_all(&whole).await.is_err() {
                return;
            }
        }
        let _ = write.write_all(b"0\r\n\r\n").await;
    };
    let mut answer = vec![0; 1000];
    let (length, ()) = tokio::join!(read.read(&mut answer), send);
    String::from_utf8_lossy(&answer[..length.unwrap_or(0)]).into_owned()
}

fn address(stage: &mut Stage) -> SocketAddr {
    stage.webhook()["http://".len()..]
        .trim_end_matches("/webhook")
        .parse()
        .unwrap()
}

#[tokio::test]
async fn nobody_without_the_right_token_comes_in_and_none_learns_why() {
    let mut stage = Stage::builder()
        .bot(parrot())
        .bot(Bot::new("second"))
        .portals(2)
        .start()
        .await;
    let good = message(stage.portal(), 27, 9001, "hello");
    let second = stage.portal().message_event(102, 27, 9002, "hello").unwrap();
    let token = |body: &[u8]| {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let (_, value) = text.rsplit_once("application_token%5D=").unwrap();
        value.split('&').next().unwrap().to_owned()
    };
    let (own, others) = (token(&good), token(&second));
    assert_ne!(own, others);
    let key = "auth[application_token]";
    for wrong in [
        "",
        "wrong",
        "custom",
        &own[..own.len() - 1],
        &format!("{own}x"),
        &own.to_uppercase(),
        &others,
    ] {
        refused(&mut stage, with(&good, key, wrong), 403, "forbidden").await;
    }
    refused(&mut stage, without(&good, key), 403, "forbidden").await;
    // Only the token at the top counts, whatever stands deeper.
    let deep = [
        without(&good, key),
        format!("&data[auth][application_token]={own}").into_bytes(),
    ]
    .concat();
    refused(&mut stage, deep, 403, "forbidden").await;
    let list = [
        without(&good, key),
        format!("&auth[application_token][]={own}").into_bytes(),
    ]
    .concat();
    refused(&mut stage, list, 403, "forbidden").await;
    refused(&mut stage, with(&good, "auth[member_id]", "unknown"), 403, "forbidden").await;
    refused(
        &mut stage,
        with(&good, "auth[member_id]", &format!("{:032x}", 1)),
        403,
        "forbidden",
    )
    .await;
    accepted(&mut stage, good).await;
    over(stage).await;
}

#[tokio::test]
async fn an_authentic_event_of_a_bot_we_do_not_know_is_taken_and_not_stored() {
    let mut stage = Stage::builder().bot(parrot()).by_event_token().start().await;
    let body = message(stage.portal(), 27, 9001, "hello");
    let answered = stage.post_form(with(&body, "data[bot][id]", "999")).await;
    assert_eq!((answered.status, answered.outcome.as_str()), (200, "ignored"));
    assert_eq!(over(stage).await.accepted, 0);
}

#[tokio::test]
async fn what_is_authentic_but_unusable_is_kept_for_a_person() {
    let mut stage = stage().await;
    let body = message(stage.portal(), 27, 9001, "find-me");
    let body = without(&body, "data[message][id]");
    let answered = stage.post_form(body.clone()).await;
    assert_eq!((answered.status, answered.outcome.as_str()), (200, "quarantined"));
    assert_eq!(letters(&mut stage).await, [letter("quarantine", "data.message.id", 0)]);
    let listed = api(&mut stage, "/api/v1/dead-letters?queue=quarantine").await;
    assert_eq!(listed["letters"][0]["name"], "ONIMBOTV2MESSAGEADD");
    let shown = api(
        &mut stage,
        &format!("/api/v1/dead-letters/{}", listed["letters"][0]["id"]),
    )
    .await;
    let kept = shown["body"].as_str().unwrap();
    assert!(kept.contains("find-me") && !kept.contains("customstage"), "{kept}");
    // However it lies on disk, each byte that is no credential's comes back.
    let sent = String::from_utf8(body).unwrap();
    assert_eq!(sent.split('&').count(), kept.split('&').count());
    for (sent, kept) in sent.split('&').zip(kept.split('&')) {
        let (key, _) = sent.split_once('=').unwrap();
        let cut = key.contains("_token");
        assert_eq!(kept, if cut { format!("{key}=") } else { sent.to_owned() });
    }
    stage.restart().await;
    assert_eq!(letters(&mut stage).await.len(), 1);
    assert_eq!(over(stage).await.accepted, 0);
}

#[tokio::test]
async fn a_dialog_that_is_none_is_kept_out_of_the_queues_and_the_logs() {
    let mut stage = stage().await;
    for (id, dialog) in [(9001, "7".repeat(65)), (9002, "chat7%0Aforged line".to_owned())] {
        let body = message(stage.portal(), 27, id, "hello");
        let answered = stage.post_form(with(&body, "data[chat][dialogId]", &dialog)).await;
        assert_eq!(
            (answered.status, answered.outcome.as_str()),
            (200, "quarantined"),
            "{dialog}"
        );
    }
    let listed = api(&mut stage, "/api/v1/dead-letters?queue=quarantine").await;
    assert_eq!(listed["letters"][0]["dialog"], "");
    assert_eq!(over(stage).await.accepted, 0);
}

async fn api(stage: &mut Stage, path: &str) -> Value {
    let (admin, token) = stage.admin();
    let answer = client()
        .get(format!("{admin}{path}"))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn the_first_member_id_that_proves_itself_is_pinned_for_good() {
    let mut stage = Stage::builder().bot(parrot()).without_member_id().start().await;
    let body = |id| message(stage.portal(), 27, id, "hello");
    let (first, second, third, bare) = (body(9001), body(9002), body(9003), body(9004));
    let key = "auth[member_id]";
    let forged = with(&with(&first, key, "attacker"), "auth[application_token]", "wrong");
    refused(&mut stage, forged, 403, "forbidden").await;
    accepted(&mut stage, first).await;
    refused(&mut stage, with(&second, key, "another"), 403, "forbidden").await;
    stage.restart().await;
    refused(&mut stage, with(&third, key, "another"), 403, "forbidden").await;
    accepted(&mut stage, third).await;
    // Absent, the portal is found by its domain.
    accepted(&mut stage, without(&bare, key)).await;
    over(stage).await;
}

/// Everything that comes before the door closes the connection, and whether it did within the time.
async fn rest(stream: &mut TcpStream, within: Duration) -> (String, bool) {
    let mut said = Vec::new();
    let ended = tokio::time::timeout(within, stream.read_to_end(&mut said)).await;
    (String::from_utf8_lossy(&said).into_owned(), ended.is_ok())
}

#[tokio::test]
async fn a_stalled_header_is_not_waited_for() {
    let mut stage = stage().await;
    let address = address(&mut stage);
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut stalled = TcpStream::connect(address).await.unwrap();
    stalled
        .write_all(b"POST /webhook HTTP/1.1\r\nhost: x\r\nx-slow: ")
        .await
        .unwrap();
    let within = seconds(15);
    let ((_, stalled), (_, silent)) = tokio::join!(rest(&mut stalled, within), rest(&mut silent, within));
    assert!(stalled && silent, "closed: stalled {stalled}, silent {silent}");
    over(stage).await;
}

#[tokio::test]
async fn a_trickled_body_ends_with_408() {
    let mut stage = stage().await;
    let mut stream = TcpStream::connect(address(&mut stage)).await.unwrap();
    let head =
        format!("POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ncontent-length: 1000\r\n\r\nevent=");
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let mut answer = vec![0; 1000];
    let trickle = async {
        loop {
            tokio::time::timeout(Duration::from_millis(500), std::future::pending::<()>())
                .await
                .unwrap_err();
            if write.write_all(b"x").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let length = tokio::select! {
        length = tokio::time::timeout(seconds(25), read.read(&mut answer)) => length.expect("an answer in time").unwrap(),
        () = trickle => unreachable!("it never ends"),
    };
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("body_broken"),
        "{answer}"
    );
    over(stage).await;
}

#[tokio::test]
async fn http_2_is_not_spoken() {
    let mut stage = stage().await;
    let mut stream = TcpStream::connect(address(&mut stage)).await.unwrap();
    // The preface and an empty SETTINGS frame.
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let mut said = Vec::new();
    let ended = tokio::time::timeout(seconds(10), stream.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "the connection is closed");
    assert!(
        said.is_empty() || said.starts_with(b"HTTP/1.1 4") || said.starts_with(b"HTTP/1.1 505"),
        "{said:?}"
    );
    over(stage).await;
}
