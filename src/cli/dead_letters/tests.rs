//! How letters look, and what a fetch says when it goes wrong.

use super::*;
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::get;
use serde_json::json;

fn letter() -> Value {
    json!({
        "id": 7, "queue": "events", "at": "2026-09-16T08:05:01Z", "portal": "acme", "bot": 456, "dialog": "chat19",
        "name": "ONIMBOTV2MESSAGEADD", "reason": "handler_failed", "detail": "timeout after 30 s", "attempts": 8
    })
}

#[test]
fn a_list_is_one_line_for_each_letter() {
    let mut second = letter();
    second["id"] = json!(12);
    second["queue"] = json!("unknown");
    second["dialog"] = json!("\u{1b}[2J\n");
    second["name"] = json!("imbot.v2.Command.answer");
    second["reason"] = json!("unknown_outcome");
    assert_eq!(
        table(&json!({ "letters": [letter(), second] })),
        "ID  QUEUE    AT                    BOT       DIALOG          NAME                     REASON           TRIES
7   events   2026-09-16T08:05:01Z  acme/456  chat19          ONIMBOTV2MESSAGEADD      handler_failed   8
12  unknown  2026-09-16T08:05:01Z  acme/456  \\u{1b}[2J\\u{a}  imbot.v2.Command.answer  unknown_outcome  8
"
    );
}

#[test]
fn no_letters_is_said_in_words() {
    for nothing in [json!({ "letters": [] }), json!({}), json!(null), json!("x")] {
        assert_eq!(table(&nothing), "no dead letters\n");
    }
}

#[test]
fn one_letter_shows_its_body() {
    let mut letter = letter();
    letter["format"] = json!("json");
    letter["body"] = json!("{\"event\":\"E\",\"ts\":1}");
    assert_eq!(
        show(&letter),
        "id:       7
queue:    events
at:       2026-09-16T08:05:01Z
portal:   acme
bot:      456
dialog:   chat19
name:     ONIMBOTV2MESSAGEADD
reason:   handler_failed
detail:   timeout after 30 s
attempts: 8
format:   json

{
  \"event\": \"E\",
  \"ts\": 1
}
"
    );
    letter["format"] = json!("form");
    letter["body"] = json!("event=E&a%5Bb%5D=\u{1b}c");
    assert!(show(&letter).ends_with("\n\nevent=E&a%5Bb%5D=\\u{1b}c\n"));
}

/// An operator API that knows one list and one token.
async fn api() -> Url {
    let answer = |headers: HeaderMap, uri: Uri| async move {
        if headers.get("authorization").is_none_or(|value| value != "Bearer right") {
            return (StatusCode::UNAUTHORIZED, String::new());
        }
        match uri.path_and_query().map(|path| path.as_str()) {
            Some("/api/v1/dead-letters?queue=calls&limit=5") => (StatusCode::OK, "{\"letters\":[]}".to_owned()),
            Some("/api/v1/html") => (StatusCode::OK, "<html>".to_owned()),
            _ => (StatusCode::NOT_FOUND, String::new()),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(get(answer))).await });
    Url::parse(&format!("http://{address}")).unwrap()
}

#[tokio::test]
async fn a_fetch_carries_path_query_and_token() {
    let found = fetch(
        &api().await,
        &Secret::new("right"),
        "/api/v1/dead-letters?queue=calls&limit=5",
    )
    .await;
    assert_eq!(found.unwrap(), json!({ "letters": [] }));
}

#[tokio::test]
async fn a_fetch_that_fails_says_why_and_hides_the_token() {
    let api = api().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let closed = Url::parse(&format!("http://{closed}")).unwrap();
    for (base, token, path, expected) in [
        (
            &api,
            "wrong",
            "/api/v1/dead-letters",
            "refused: 401: the admin token is not",
        ),
        (
            &api,
            "right",
            "/api/v1/dead-letters/9",
            "refused: 404: there is no such letter",
        ),
        (&api, "right", "/api/v1/html", "is not imbot's JSON"),
        (&closed, "right", "/api/v1/dead-letters", "nobody listens there"),
    ] {
        let error = fetch(base, &Secret::new(token), path).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("wrong") && !error.contains("right"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_called_stuck() {
    // It accepts (the backlog does) and says nothing; the paused clock jumps to the deadline.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = Url::parse(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
    let error = fetch(&base, &Secret::new("right"), "/api/v1/dead-letters")
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::NoAnswer(_)), "{error}");
}
