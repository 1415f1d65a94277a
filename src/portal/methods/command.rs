//! `imbot.v2.Command.answer`: answers a slash command where it was given, also from outside the chat. Never
//! recognises a repeat: two calls are two messages.

use super::super::access::truthy;
use super::super::answer::Refusal;
use super::super::model::Message;
use super::super::state::State;
use super::content::Content;
use super::{Call, Done};
use serde_json::json;

pub(super) const UNKNOWN: Refusal = Refusal::method("COMMAND_NOT_FOUND", "Command not found");
const FAILED: Refusal = Refusal::method("COMMAND_ANSWER_FAILED", "Command answer failed");

pub(super) fn call(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = call.bot(state)?;
    let command = call.int("commandId").and_then(|id| state.commands.get(&id));
    let command = command.filter(|command| command.bot == bot).ok_or(UNKNOWN)?.id;
    let asked = call.int("messageId").ok_or(FAILED)?;
    if !state.may_answer(asked, command, call.now) {
        return Err(FAILED);
    }
    let chat = state.dialog(bot, &call.dialog()).ok_or(FAILED)?;
    // The right is to answer that message, so not in another chat.
    let elsewhere = state.messages.get(&asked).is_some_and(|asked| asked.chat != chat);
    if elsewhere {
        return Err(FAILED);
    }
    let content = Content::of(call, bot, false, &state.knobs).map_err(|refusal| match refusal.code {
        "EMPTY_MESSAGE" => FAILED,
        _ => refusal,
    })?;
    let inside = state.chats.get(&chat).is_some_and(|chat| chat.members.contains(&bot));
    let system = !inside || truthy(call.field("system"));
    let message = Message {
        bot: Some(bot),
        keyboard: content.keyboard,
        attach: content.attach,
        system,
        ..Message::new(chat, if system { 0 } else { bot }, &content.text, call.now)
    };
    let id = state.store(message);
    Ok(Done::posted(json!({ "result": true }), id, state, call.now))
}
