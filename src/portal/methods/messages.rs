//! What happens to messages after they were sent: edited, deleted, read, looked up. Sending is in `send`.

use super::super::access::truthy;
use super::super::answer::Refusal;
use super::super::event::Happening;
use super::super::model::{Chat, Message};
use super::super::state::State;
use super::super::views;
use super::content::{attach, cut, keyboard, trim};
use super::{Call, DENIED, Done};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NOT_FOUND: Refusal = Refusal::method("MESSAGE_NOT_FOUND", "Message not found");
const WRONG_TYPE: Refusal = Refusal::method("BOT_TYPE_NOT_ALLOWED", "Method is not available for this bot type");
const OUT_OF_REACH: Refusal = Refusal::method("MESSAGE_ACCESS_DENIED", "Message is not available");

pub(super) fn update(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = call.bot(state)?;
    let id = call.int("messageId").unwrap_or_default();
    let own = |message: &&Message| message.author == bot && !message.deleted;
    let mut message = state.messages.get(&id).filter(own).cloned().ok_or(DENIED)?;
    let new_attach = attach(call.field("attach"), &state.knobs)?;
    if let Some(text) = call.text("message") {
        message.text = cut(trim(text));
    }
    if call.field("attach").is_some() {
        message.attach = new_attach;
    }
    if call.field("keyboard").is_some() {
        message.keyboard = keyboard(call.field("keyboard"), bot)?;
    }
    if let Some(preview) = call.field("urlPreview") {
        message.url_preview = truthy(Some(preview));
    }
    message.edited = true;
    state.messages.insert(id, message.clone());
    let raised = state.tell_hearers(&message, &Happening::MessageUpdate(&message), call.now);
    state.outgoing.extend(raised);
    Ok(Done::yes())
}

pub(super) fn delete(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = call.bot(state)?;
    let id = call.int("messageId").unwrap_or_default();
    let message = state.messages.get(&id).cloned().ok_or(DENIED)?;
    let administers = |chat: &Chat| chat.members.contains(&bot) && chat.manages(bot) && !chat.is_private();
    let may = message.author == bot || state.chats.get(&message.chat).is_some_and(administers);
    if !may {
        return Err(DENIED);
    }
    if call.flag("complete") {
        state.messages.remove(&id);
    } else if let Some(kept) = state.messages.get_mut(&id) {
        kept.deleted = true;
        kept.text.clear();
        kept.attach = None;
        kept.keyboard.clear();
        kept.files.clear();
    }
    if !message.deleted {
        let raised = state.tell_hearers(&message, &Happening::MessageDelete(id), call.now);
        state.outgoing.extend(raised);
    }
    Ok(Done::yes())
}

pub(super) fn read(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (bot, chat) = call.bot_and_chat(state)?;
    let inside = state.messages.values().filter(|message| message.chat == chat);
    let last = inside.clone().next_back().map_or(0, |message| message.id);
    let up_to = match call.int("messageId").filter(|id| *id > 0) {
        None => last,
        Some(id) if inside.clone().any(|message| message.id == id) => id,
        Some(_) => return Err(NOT_FOUND),
    };
    let before = state.read.get(&(chat, bot)).copied().unwrap_or(0);
    let reached = before.max(up_to);
    let foreign = inside.filter(|message| message.author != bot);
    let (read, unread): (Vec<i64>, Vec<i64>) = foreign
        .map(|message| message.id)
        .filter(|id| *id > before)
        .partition(|id| *id <= reached);
    for id in &read {
        if let Some(message) = state.messages.get_mut(id) {
            message.viewed = true;
        }
    }
    state.read.insert((chat, bot), reached);
    Ok(Done::quiet(json!({
        "chatId": chat,
        "lastId": reached,
        "counter": unread.len(),
        "viewedMessages": read,
    })))
}

/// The bot, which must be of a type that may read.
fn reader(call: &Call<'_>, state: &State) -> Result<i64, Refusal> {
    let bot = call.bot(state)?;
    let may = state.bots.get(&bot).is_some_and(|bot| bot.kind.hears_all());
    may.then_some(bot).ok_or(WRONG_TYPE)
}

pub(super) fn get(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = reader(call, state)?;
    let message = state.messages.get(&call.int("messageId").unwrap_or_default());
    let message = message.ok_or(NOT_FOUND)?;
    if !state.inside(message.chat, bot) {
        return Err(OUT_OF_REACH);
    }
    let author = state.users.get(&message.author).map(views::user);
    Ok(Done::quiet(json!({
        "message": views::message(state, message, bot),
        "user": author.unwrap_or(Value::Null),
    })))
}

pub(super) fn context(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = reader(call, state)?;
    let centre = call.int("messageId").unwrap_or_default();
    let message = state.messages.get(&centre).ok_or(NOT_FOUND)?;
    let chat = message.chat;
    if !state.inside(chat, bot) {
        return Err(OUT_OF_REACH);
    }
    let range = usize::try_from(call.int("range").unwrap_or(50).clamp(1, 50)).unwrap_or(50);
    let here = |message: &&Message| message.chat == chat;
    let before = state.messages.range(..centre).rev().map(|(_, message)| message);
    let mut before: Vec<&Message> = before.filter(here).take(range + 1).collect();
    let after = state.messages.range(centre + 1..).map(|(_, message)| message);
    let mut after: Vec<&Message> = after.filter(here).take(range + 1).collect();
    let (previous, next) = (before.len() > range, after.len() > range);
    before.truncate(range);
    after.truncate(range);
    before.reverse();
    let shown: Vec<&Message> = before.into_iter().chain([message]).chain(after).collect();
    let authors: BTreeSet<i64> = shown.iter().map(|message| message.author).collect();
    let messages: Vec<Value> = shown
        .iter()
        .map(|message| views::message(state, message, bot))
        .collect();
    Ok(Done::quiet(json!({
        "messages": messages,
        "users": views::users(state, authors),
        "hasPrevPage": previous,
        "hasNextPage": next,
    })))
}
