//! How letters look.

use super::*;
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
