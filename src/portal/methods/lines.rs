//! Open lines: what their bot may do with a session. Only chats of a line take these calls.

use super::super::access::truthy;
use super::super::answer::Refusal;
use super::super::model::{ChatKind, Message, Session};
use super::super::state::State;
use super::content::{cut, trim};
use super::{Call, Caller, DENIED, Done};
use serde_json::Value;

const NO_CHAT: Refusal = Refusal::method("CHAT_ID", "Incorrect chat id");
const NO_LINE: Refusal = Refusal::method("CHAT_TYPE", "Chat is not an open line");
const NO_TARGET: Refusal = Refusal::method("TRANSFER_ID", "Nobody to transfer to");
const NO_TEXT: Refusal = Refusal::method("MESSAGE", "Message can't be empty");

/// The bot that serves the chat, and the chat: a line with a bot of the caller's in it.
fn served(call: &Call<'_>, state: &State) -> Result<(i64, i64), Refusal> {
    let id = call.int("CHAT_ID").filter(|id| *id > 0).ok_or(NO_CHAT)?;
    let chat = state.chats.get(&id).ok_or(NO_CHAT)?;
    if !matches!(chat.kind, ChatKind::Lines { .. }) {
        return Err(NO_LINE);
    }
    let owner = match call.caller {
        Caller::App { client_id, .. } => client_id.clone(),
        Caller::Webhook { .. } => {
            let given = call.param("botToken").or_else(|| call.param("CLIENT_ID"));
            format!("custom{}", given.and_then(Value::as_str).unwrap_or_default())
        }
    };
    let mut bots = chat.members.iter().filter_map(|id| state.bots.get(id));
    let bot = bots.find(|bot| bot.owner.text() == owner).ok_or(DENIED)?;
    Ok((bot.id, id))
}

fn hand_over(state: &mut State, chat: i64, to: Session, leaving: Option<i64>) {
    let Some(chat) = state.chats.get_mut(&chat) else {
        return;
    };
    if let Session::Operator(Some(operator)) = to {
        chat.members.insert(operator);
    }
    if let ChatKind::Lines { session, .. } = &mut chat.kind {
        *session = to;
    }
    if let Some(bot) = leaving {
        chat.members.remove(&bot);
    }
}

/// The bot hands the guest to whichever operator is free.
pub(super) fn operator(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (bot, chat) = served(call, state)?;
    hand_over(state, chat, Session::Operator(None), Some(bot));
    Ok(Done::quiet(Value::Bool(true)))
}

/// The bot hands the guest to a certain operator or to another line.
pub(super) fn transfer(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (bot, chat) = served(call, state)?;
    let user = call.int("USER_ID").or_else(|| call.int("TRANSFER_ID"));
    let queue = call.param("QUEUE_ID").or_else(|| call.param("TRANSFER_ID"));
    let to = match user.filter(|id| state.users.contains_key(id)) {
        Some(user) => Session::Operator(Some(user)),
        None if queue.is_some() => Session::Operator(None),
        None => return Err(NO_TARGET),
    };
    let leaving = truthy(call.param("LEAVE")).then_some(bot);
    hand_over(state, chat, to, leaving);
    Ok(Done::quiet(Value::Bool(true)))
}

pub(super) fn finish(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (_, chat) = served(call, state)?;
    hand_over(state, chat, Session::Closed, None);
    Ok(Done::quiet(Value::Bool(true)))
}

/// A message of the line, written by its bot.
pub(super) fn message(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (bot, chat) = served(call, state)?;
    let text = call
        .param("MESSAGE")
        .and_then(Value::as_str)
        .map(trim)
        .unwrap_or_default();
    if text.is_empty() {
        return Err(NO_TEXT);
    }
    let message = Message {
        bot: Some(bot),
        ..Message::new(chat, bot, &cut(text), call.now)
    };
    let id = state.store(message);
    Ok(Done::posted(Value::Bool(true), id, state, call.now))
}
