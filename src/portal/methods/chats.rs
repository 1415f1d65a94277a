//! Group chats: making, reading, changing, and the small things shown in them. Who is inside is in `members`.

use super::super::answer::Refusal;
use super::super::event::Happening;
use super::super::model::{Chat, ChatKind, Message};
use super::super::state::State;
use super::super::views;
use super::content::trim;
use super::{Call, DENIED, Done};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a bot is shown as typing unless it says so itself, in seconds. Not documented.
const TYPING: i64 = 30;

/// The colours a chat or a bot may have.
const COLORS: [(&str, &str); 16] = [
    ("red", "#df532d"),
    ("green", "#64a513"),
    ("mint", "#4ba984"),
    ("lightBlue", "#4ba5c3"),
    ("darkBlue", "#3e99ce"),
    ("purple", "#8474c8"),
    ("aqua", "#1eb4aa"),
    ("pink", "#e98fa6"),
    ("lime", "#85cb7b"),
    ("brown", "#ab7761"),
    ("azure", "#29619b"),
    ("khaki", "#728f7a"),
    ("sand", "#ba9c7b"),
    ("marengo", "#556574"),
    ("gray", "#909090"),
    ("graphite", "#5e5f5e"),
];

/// The colour of a name; nothing for a wrong one, which is ignored.
pub(super) fn color(name: &str) -> Option<&'static str> {
    COLORS.iter().find(|(known, _)| *known == name).map(|(_, color)| *color)
}

pub(super) fn add(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = call.bot(state)?;
    let known = |state: &State, id: i64| state.users.get(&id).is_some_and(|user| user.active);
    let mut invited = call.ints(call.field("userIds"));
    invited.retain(|id| known(state, *id));
    let owner = call.field("ownerId").and_then(super::whole);
    let owner = owner.filter(|id| known(state, *id)).unwrap_or(bot);
    let id = state.free_chat_id();
    let title = call.text("title").map(trim).filter(|title| !title.is_empty());
    let kind = ChatKind::Group {
        name: title.map_or_else(|| format!("Chat {id}"), str::to_owned),
        color: call.text("color").and_then(color).unwrap_or("#8d5a3b").to_owned(),
        disk_folder: 5000 + id,
    };
    let members = [bot, owner].into_iter().chain(invited.iter().copied()).collect();
    let mut chat = Chat::new(id, kind, owner, members);
    chat.created = call.now;
    call.text("description")
        .unwrap_or_default()
        .clone_into(&mut chat.description);
    if call.text("avatar").is_some_and(|avatar| !avatar.is_empty()) {
        chat.avatar = format!("/upload/im/avatar{id}.png");
    }
    state.chats.insert(id, chat);
    if state.knobs.join_on_add {
        joined(state, call, id, bot, &invited);
    }
    if let Some(text) = call.text("message").map(trim).filter(|text| !text.is_empty()) {
        let message = Message {
            bot: Some(bot),
            ..Message::new(id, bot, text, call.now)
        };
        let message = state.store(message);
        let raised = state.raise_message(message, call.now);
        state.outgoing.extend(raised);
    }
    let view = state.chats.get(&id).map(|chat| views::chat(state, chat, bot));
    let people = state
        .chats
        .get(&id)
        .map(|chat| chat.members.clone())
        .unwrap_or_default();
    let people = people.into_iter().filter(|member| *member != bot);
    Ok(Done::quiet(
        json!({ "chat": view, "users": views::users(state, people) }),
    ))
}

/// The bots among the newcomers hear that they are in, unless they did it themselves.
pub(super) fn joined(state: &mut State, call: &Call<'_>, chat: i64, by: i64, newcomers: &[i64]) {
    for bot in newcomers.iter().filter(|id| **id != by) {
        let event = state.compose(*bot, (Some(chat), Some(by)), &Happening::JoinChat, call.now);
        state.outgoing.extend(event);
    }
}

pub(super) fn get(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (bot, chat) = call.bot_and_chat(state)?;
    let view = state.chats.get(&chat).map(|chat| views::chat(state, chat, bot));
    Ok(Done::quiet(json!({ "chat": view.unwrap_or(Value::Null) })))
}

pub(super) fn update(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (_, id) = call.bot_and_group(state)?;
    let chat = state.chats.get_mut(&id).ok_or(DENIED)?;
    let title = call.text("title").map(trim).filter(|title| !title.is_empty());
    match &mut chat.kind {
        ChatKind::Group { name, color: shown, .. } => {
            if let Some(title) = title {
                title.clone_into(name);
            }
            if let Some(color) = call.text("color").and_then(color) {
                color.clone_into(shown);
            }
        }
        ChatKind::Lines { name, .. } => {
            if let Some(title) = title {
                title.clone_into(name);
            }
        }
        ChatKind::Private => return Err(DENIED),
    }
    if let Some(description) = call.text("description") {
        description.clone_into(&mut chat.description);
    }
    if let Some(avatar) = call.text("avatar") {
        chat.avatar = match avatar {
            "" => String::new(),
            _ => format!("/upload/im/avatar{id}.png"),
        };
    }
    Ok(Done::yes())
}

/// Shows that the bot is busy. Nothing is kept: the log tells it.
pub(super) fn notify(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (bot, chat) = call.bot_and_chat(state)?;
    let code = call.param("statusMessageCode").and_then(Value::as_str);
    let seconds = call.int("duration").unwrap_or(TYPING).clamp(1, 600);
    let until = call.now + Duration::from_secs(seconds.unsigned_abs());
    let code = code.unwrap_or_default().to_owned();
    state.busy.insert((chat, bot), (code, until));
    Ok(Done::yes())
}

pub(super) fn text_field(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (_, chat) = call.bot_and_chat(state)?;
    let enabled = call.param("enabled").is_none() || call.flag("enabled");
    if let Some(chat) = state.chats.get_mut(&chat) {
        chat.text_field = enabled;
    }
    Ok(Done::yes())
}
