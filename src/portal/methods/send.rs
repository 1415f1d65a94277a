//! `imbot.v2.Chat.Message.send`: posts a message of a bot, once for each `templateId`.

use super::super::access::{owned_bot, truthy, whole};
use super::super::answer::Refusal;
use super::super::log::Decision;
use super::super::state::{Message, State, Template};
use super::content::Content;
use super::{Call, Done};
use crate::types::Timestamp;
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(super) const DENIED: Refusal = Refusal::method("ACCESS_DENIED", "Access denied");
const TOO_MANY: Refusal = Refusal::method("TOO_MANY_MESSAGES", "Too many messages to forward");
const FAILED: Refusal = Refusal::method("SENDING_FAILED", "Message sending failed");

/// A templateId whose message is not stored blocks a repeat this long.
const IN_FLIGHT: Duration = Duration::from_secs(3600);
/// A templateId is remembered this long.
const REMEMBERED: Duration = Duration::from_secs(31 * 24 * 3600);

pub(super) fn call(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = owned_bot(state, call.caller, call.params)?;
    let chat = state.dialog(bot, &call.dialog()).ok_or(DENIED)?;
    let inside = state.chats.get(&chat).is_some_and(|chat| chat.members.contains(&bot));
    if !inside {
        return Err(DENIED);
    }
    let forwards = call.field("forwardIds").and_then(Value::as_object);
    let forwards = forwards.filter(|forwards| !forwards.is_empty());
    let content = Content::of(call, bot, forwards.is_some())?;
    if forwards.is_some_and(|forwards| forwards.len() > 100) {
        return Err(TOO_MANY);
    }
    let system = truthy(call.field("system"));
    let template = call.field("templateId").and_then(Value::as_str);
    let template = template.filter(|id| !system && is_uuid_v4(id));
    if let Some(first) = template.map_or(Ok(None), |id| seen(state, id, call.now))? {
        return Ok(Done {
            result: json!({ "id": first, "uuidMap": [] }),
            decision: Decision::Repeated { message_id: first },
            posted: None,
        });
    }
    let uuid_map = forward(state, bot, chat, forwards, call.now);
    if content.text.is_empty() && content.attach.is_none() {
        return Ok(Done::quiet(json!({ "id": null, "uuidMap": uuid_map })));
    }
    let message = Message {
        bot: Some(bot),
        keyboard: content.keyboard,
        attach: content.attach,
        template: template.map(str::to_owned),
        system,
        reply_to: call.field("replyId").and_then(whole),
        ..Message::new(chat, if system { 0 } else { bot }, &content.text, call.now)
    };
    let id = state.store(message);
    if let Some(template) = template {
        let record = Template {
            message: Some(id),
            since: call.now,
        };
        state.templates.insert(template.to_owned(), record);
    }
    Ok(Done::posted(json!({ "id": id, "uuidMap": uuid_map }), id))
}

/// The message that a templateId already has; `SENDING_FAILED` while its first attempt may still be under way.
fn seen(state: &State, template: &str, now: Timestamp) -> Result<Option<i64>, Refusal> {
    let Some(record) = state.templates.get(template) else {
        return Ok(None);
    };
    let age = now.since(record.since);
    match record.message {
        Some(message) if age < REMEMBERED => Ok(Some(message)),
        None if age < IN_FLIGHT => Err(FAILED),
        _ => Ok(None),
    }
}

/// Copies known messages into the chat and tells the caller's uuid of each; `[]` if there were none.
fn forward(state: &mut State, bot: i64, chat: i64, forwards: Option<&Map<String, Value>>, now: Timestamp) -> Value {
    let mut copies = Map::new();
    for (uuid, original) in forwards.into_iter().flatten() {
        let original = whole(original).and_then(|id| state.messages.get(&id));
        if let Some(text) = original.map(|original| original.text.clone()) {
            let copy = Message {
                bot: Some(bot),
                ..Message::new(chat, bot, &text, now)
            };
            copies.insert(uuid.clone(), state.store(copy).into());
        }
    }
    if copies.is_empty() { json!([]) } else { copies.into() }
}

/// Only a lower-case UUID of version 4 counts; everything else is ignored without an error.
fn is_uuid_v4(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => *byte == b'4',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lower_case_uuid_v4_is_a_key() {
        assert!(is_uuid_v4("6d0eef7c-12b4-41e7-b709-887ba410ded3"));
        for other in [
            "6D0EEF7C-12B4-41E7-B709-887BA410DED3",
            "6d0eef7c-12b4-71e7-b709-887ba410ded3",
            "6d0eef7c-12b4-41e7-c709-887ba410ded3",
            "6d0eef7c12b441e7b709887ba410ded3",
            "6d0eef7c-12b4-41e7-b709-887ba410ded3 ",
            "",
        ] {
            assert!(!is_uuid_v4(other), "{other}");
        }
    }
}
