//! `Chat.Message.send` and `Command.answer`: every check, side effect and answer, over HTTP.

use super::*;
use crate::portal::Decision;

/// What is left of a send with this change is refused with this code, and nothing is stored.
async fn refused(portal: &Portal, params: Value, code: &str) {
    let answer = webhook(portal, SEND, &params).await;
    assert_eq!(answer.refused(), (400, code.to_owned()), "{params}");
    assert!(texts(portal, "27").is_empty(), "{params}");
}

fn answer_to(message_id: i64) -> Value {
    json!({
        "botId": 456, "botToken": "token-456", "commandId": 71, "messageId": message_id, "dialogId": "27",
        "fields": { "message": "Here is help" },
    })
}

#[tokio::test]
async fn a_message_is_stored_and_its_id_told() {
    let portal = start(config()).await;
    let params = with(text(" Hello\n"), "/fields/replyId", "17".into());
    let answer = webhook(&portal, SEND, &params).await;
    assert_eq!(
        answer.result(),
        json!({ "id": 1001, "uuidMap": [] }),
        "an empty map is PHP's empty array"
    );
    let posted = portal.messages("27").remove(0);
    assert_eq!((posted.id, posted.author, posted.bot), (1001, 456, Some(456)));
    assert_eq!(
        (posted.text.as_str(), posted.reply_to, posted.system),
        ("Hello", Some(17), false)
    );
    let by_app = json!({ "botId": "470", "dialogId": 27, "fields": { "message": "from the app" } });
    assert_eq!(oauth(&portal, APP_TOKEN, SEND, by_app).await.result()["id"], 1002);
}

#[tokio::test]
async fn chats_must_exist_and_hold_the_bot() {
    let portal = start(config()).await;
    portal.add_chat(5, &[27, 457]);
    portal.add_chat(6, &[27, 456]);
    for dialog in ["chat5", "chat7", "99", "", "chat", "x", "-27", "chat501"] {
        refused(&portal, with(text("x"), "/dialogId", dialog.into()), "ACCESS_DENIED").await;
    }
    let inside = webhook(&portal, SEND, &with(text("x"), "/dialogId", "chat6".into())).await;
    inside.result();
    assert_eq!(texts(&portal, "chat6"), ["x"]);
}

#[tokio::test]
async fn on_demand_makes_what_a_call_names() {
    let portal = start(PortalConfig {
        on_demand: true,
        ..config()
    })
    .await;
    portal.add_chat(5, &[27, 457]);
    for dialog in ["99", "chat7"] {
        let answer = webhook(&portal, SEND, &with(text("x"), "/dialogId", dialog.into())).await;
        answer.result();
        assert_eq!(texts(&portal, dialog), ["x"]);
    }
    let outside = webhook(&portal, SEND, &with(text("x"), "/dialogId", "chat5".into())).await;
    assert_eq!(outside.refused().1, "ACCESS_DENIED", "a known chat keeps its members");
    webhook(&portal, ANSWER, &answer_to(123_456_789_012_345_678))
        .await
        .result();
}

#[tokio::test]
async fn empty_and_strange_messages_are_refused() {
    let portal = start(config()).await;
    for message in [
        json!(""),
        json!(" \t\r\n\0"),
        json!(null),
        json!(5),
        json!(["x"]),
        json!({ "a": 1 }),
    ] {
        refused(&portal, with(text("x"), "/fields/message", message), "EMPTY_MESSAGE").await;
    }
    refused(&portal, with(text("x"), "/fields", json!("x")), "EMPTY_MESSAGE").await;
    let attach = json!([{ "MESSAGE": "only this" }]);
    let params = with(text(" "), "/fields/attach", attach);
    webhook(&portal, SEND, &params).await.result();
}

#[tokio::test]
async fn long_text_is_cut_by_characters() {
    let portal = start(config()).await;
    for (length, expected) in [(20_000, 20_000), (20_001, 20_006)] {
        webhook(&portal, SEND, &text(&"🙂".repeat(length))).await.result();
        let posted = portal.messages("27").pop().unwrap().text;
        assert_eq!(posted.chars().count(), expected);
        assert_eq!(posted.ends_with("🙂 (...)"), length > 20_000);
    }
}

#[tokio::test]
async fn attachments_are_checked() {
    let portal = start(config()).await;
    let block = |size| json!([{ "MESSAGE": "x".repeat(size) }]);
    refused(
        &portal,
        with(text("x"), "/fields/attach", block(60_000)),
        "ATTACH_OVERSIZE",
    )
    .await;
    for attach in [
        json!("x"),
        json!(5),
        json!(["x"]),
        json!([{}]),
        json!([{ "MESSAGE": "a", "DELIMITER": {} }]),
        json!({ "COLOR": "#fff" }),
        json!({ "BLOCKS": "x" }),
    ] {
        refused(&portal, with(text("x"), "/fields/attach", attach), "ATTACH_ERROR").await;
    }
    for attach in [
        block(59_900),
        json!({ "ID": 1, "BLOCKS": [{ "MESSAGE": "a" }] }),
        json!([]),
    ] {
        webhook(&portal, SEND, &with(text("x"), "/fields/attach", attach))
            .await
            .result();
    }
}

#[tokio::test]
async fn keyboards_are_checked_and_get_their_bot() {
    let portal = start(config()).await;
    for keyboard in [
        json!("not json"),
        json!(5),
        json!(["x"]),
        json!({ "NO": 1 }),
        json!([{ "LINK": "/x" }]),
        json!([{ "TEXT": "no action" }]),
        json!([{ "TEXT": "half", "ACTION": "PUT" }]),
    ] {
        refused(&portal, with(text("x"), "/fields/keyboard", keyboard), "KEYBOARD_ERROR").await;
    }
    let row = json!([{ "TEXT": "Go", "COMMAND": "/feedback", "BOT_ID": 1 }, { "TYPE": "NEWLINE" }]);
    for keyboard in [
        row.clone(),
        json!({ "BOT_ID": 1, "BUTTONS": row }),
        json!(row.to_string()),
    ] {
        webhook(&portal, SEND, &with(text("x"), "/fields/keyboard", keyboard))
            .await
            .result();
        let stored = portal.messages("27").pop().unwrap().keyboard;
        assert_eq!(
            stored,
            [
                json!({ "TEXT": "Go", "COMMAND": "feedback", "BOT_ID": 456 }),
                json!({ "TYPE": "NEWLINE" })
            ]
        );
    }
    for none in [json!("N"), json!([]), json!("")] {
        webhook(&portal, SEND, &with(text("x"), "/fields/keyboard", none))
            .await
            .result();
        assert!(portal.messages("27").pop().unwrap().keyboard.is_empty());
    }
}

#[tokio::test]
async fn a_repeated_template_returns_the_first_message_and_stores_nothing() {
    let portal = start(config()).await;
    let params = with(text("first"), "/fields/templateId", TEMPLATE.into());
    let first = webhook(&portal, SEND, &params).await.result();
    let repeat = with(params.clone(), "/fields/message", "second".into());
    assert_eq!(webhook(&portal, SEND, &repeat).await.result(), first);
    assert_eq!(texts(&portal, "27"), ["first"]);
    assert_eq!(portal.log()[1].decision, Decision::Repeated { message_id: 1001 });

    pass(&portal, Duration::from_secs(31 * 24 * 3600));
    assert_eq!(
        webhook(&portal, SEND, &params).await.result()["id"],
        1002,
        "forgotten after 31 days"
    );
}

#[tokio::test]
async fn keys_of_other_forms_are_ignored_without_an_error() {
    let portal = start(config()).await;
    for template in [TEMPLATE.to_uppercase(), TEMPLATE.replace("-4", "-7"), "x".to_owned()] {
        for _ in 0..2 {
            let params = with(text("x"), "/fields/templateId", template.as_str().into());
            webhook(&portal, SEND, &params).await.result();
        }
    }
    let system = with(text("x"), "/fields/system", "Y".into());
    let system = with(system, "/fields/templateId", TEMPLATE.into());
    for _ in 0..2 {
        webhook(&portal, SEND, &system).await.result();
    }
    assert_eq!(texts(&portal, "27").len(), 8);
    let last = portal.messages("27").pop().unwrap();
    assert_eq!(
        (last.author, last.bot, last.system, last.template),
        (0, Some(456), true, None)
    );
}

#[tokio::test]
async fn a_template_whose_first_attempt_is_under_way_fails_for_an_hour() {
    let portal = start(config()).await;
    portal.hold_template(TEMPLATE);
    let params = with(text("x"), "/fields/templateId", TEMPLATE.into());
    refused(&portal, params.clone(), "SENDING_FAILED").await;
    pass(&portal, Duration::from_secs(3599));
    refused(&portal, params.clone(), "SENDING_FAILED").await;
    pass(&portal, Duration::from_secs(1));
    assert_eq!(webhook(&portal, SEND, &params).await.result()["id"], 1001);
}

#[tokio::test]
async fn forwards_are_counted_copied_and_mapped() {
    let portal = start(config()).await;
    let forward = |ids: Value| with(text(""), "/fields/forwardIds", ids);
    let many: Value = (0..101)
        .map(|n| (format!("u{n}"), json!(n)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    refused(&portal, forward(many), "TOO_MANY_MESSAGES").await;
    webhook(&portal, SEND, &text("original")).await.result();
    let answer = webhook(&portal, SEND, &forward(json!({ "a": 1001, "b": 77 }))).await;
    assert_eq!(answer.result(), json!({ "id": null, "uuidMap": { "a": 1002 } }));
    assert_eq!(texts(&portal, "27"), ["original", "original"]);
}

#[tokio::test]
async fn a_command_is_answered_while_its_grant_lasts() {
    let portal = start(config()).await;
    let asked = portal.say(27, "456", "/help me").await.unwrap().message_id;
    for _ in 0..2 {
        let answer = webhook(&portal, ANSWER, &answer_to(asked)).await;
        assert_eq!(answer.result(), json!({ "result": true }));
    }
    assert_eq!(
        texts(&portal, "27"),
        ["/help me", "Here is help", "Here is help"],
        "a repeat is not recognised"
    );
    let answered = portal.messages("27").pop().unwrap();
    assert_eq!((answered.author, answered.system), (456, false));
    pass(&portal, Duration::from_secs(24 * 3600));
    let late = webhook(&portal, ANSWER, &answer_to(asked)).await;
    assert_eq!(late.refused(), (400, "COMMAND_ANSWER_FAILED".to_owned()));
}

#[tokio::test]
async fn a_command_answer_is_checked() {
    let portal = start(config()).await;
    let asked = portal.say(27, "456", "/help me").await.unwrap().message_id;
    let good = answer_to(asked);
    for (pointer, value, code) in [
        ("/commandId", json!(999), "COMMAND_NOT_FOUND"),
        ("/commandId", json!(73), "COMMAND_NOT_FOUND"),
        ("/commandId", json!(null), "COMMAND_NOT_FOUND"),
        ("/commandId", json!(72), "COMMAND_ANSWER_FAILED"),
        ("/messageId", json!(asked + 1), "COMMAND_ANSWER_FAILED"),
        ("/messageId", json!(null), "COMMAND_ANSWER_FAILED"),
        ("/dialogId", json!("chat9"), "COMMAND_ANSWER_FAILED"),
        ("/dialogId", json!("1"), "COMMAND_ANSWER_FAILED"),
        ("/fields/message", json!(" "), "COMMAND_ANSWER_FAILED"),
        ("/fields/attach", json!("x"), "ATTACH_ERROR"),
        ("/fields/keyboard", json!("x"), "KEYBOARD_ERROR"),
    ] {
        let answer = webhook(&portal, ANSWER, &with(good.clone(), pointer, value)).await;
        assert_eq!(answer.refused(), (400, code.to_owned()), "{pointer}");
    }
    assert_eq!(texts(&portal, "27"), ["/help me"]);
}

#[tokio::test]
async fn a_bot_outside_the_chat_answers_as_the_system() {
    let portal = start(PortalConfig {
        on_demand: true,
        ..config()
    })
    .await;
    portal.add_chat(5, &[27, 457]);
    let params = with(answer_to(77), "/dialogId", "chat5".into());
    webhook(&portal, ANSWER, &params).await.result();
    let posted = portal.messages("chat5").remove(0);
    assert_eq!((posted.author, posted.bot, posted.system), (0, Some(456), true));
}
