//! What people at the page do that the control API has no word for, or a looser one: they press the nth button, change
//! only what is their own, upload, open chats, and fifty of them write at once.

use super::super::Portal;
use super::super::control::{Asked, Told, Wrong, told};
use super::super::error::PortalError;
use super::super::event::Happening;
use super::super::methods::base64;
use super::super::model::User;
use super::super::sender::Sent;
use super::super::state::State as Known;
use axum::extract::State;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Users of a load have ids from here, so that they are told from people.
const CROWD: i64 = 9001;
/// The most that write at once.
const MOST: i64 = 1000;

/// `{user, message, index}`: the button by its place, as two may have one text.
pub(super) async fn press(State(portal): State<Portal>, asked: Asked) -> Told {
    let (user, id) = (asked.int("user")?, asked.int("message")?);
    let index = usize::try_from(asked.int("index")?).unwrap_or(usize::MAX);
    let events = {
        let now = portal.clock().now();
        let mut state = portal.shared().state();
        let message = state.portal.message(id)?;
        let button = message.keyboard.get(index).cloned().unwrap_or_default();
        state.portal.pressed(user, &message, &button, now)?
    };
    portal.shared().deliver_later(events);
    told(json!({ "pressed": true }))
}

fn own(state: &Known, user: i64, id: i64) -> Result<(), Wrong> {
    let message = state.message(id)?;
    let own = message.author == user && message.bot.is_none();
    own.then_some(())
        .ok_or_else(|| Wrong("It is somebody else's message.".to_owned()))
}

/// `{user, message, text}`.
pub(super) async fn edit(State(portal): State<Portal>, asked: Asked) -> Told {
    let (user, id, text) = (asked.int("user")?, asked.int("message")?, asked.text("text")?);
    own(&portal.shared().state().portal, user, id)?;
    portal.edit(id, text).await?;
    told(json!({ "edited": true }))
}

/// `{user, message}`.
pub(super) async fn delete(State(portal): State<Portal>, asked: Asked) -> Told {
    let (user, id) = (asked.int("user")?, asked.int("message")?);
    own(&portal.shared().state().portal, user, id)?;
    portal.delete_message(id).await?;
    told(json!({ "deleted": true }))
}

/// `{user, bot}`: opens the private chat; the bot hears of it the first time.
pub(super) async fn open(State(portal): State<Portal>, asked: Asked) -> Told {
    let (user, bot) = (asked.int("user")?, asked.int("bot")?);
    let (chat, events) = {
        let now = portal.clock().now();
        let mut state = portal.shared().state();
        let members = BTreeSet::from([user, bot]);
        let mut chats = state.portal.chats.values();
        let there = chats.find(|chat| chat.is_private() && chat.members == members);
        match there.map(|chat| chat.id) {
            Some(chat) => (chat, None),
            None => {
                let chat = state.portal.enter(user, &bot.to_string())?;
                let scene = (Some(chat), Some(user));
                (chat, state.portal.compose(bot, scene, &Happening::JoinChat, now))
            }
        }
    };
    portal.shared().deliver_later(events.into_iter().collect());
    told(json!({ "chat": chat }))
}

/// `{user, dialog, name, content, text?}`; the content in base64.
pub(super) async fn upload(State(portal): State<Portal>, asked: Asked) -> Told {
    let (user, dialog, name) = (asked.int("user")?, asked.dialog()?, asked.text("name")?);
    let bytes = match asked.text("content")? {
        "" => Vec::new(),
        content => base64::decode(content).ok_or_else(|| Wrong("The content is no base64.".to_owned()))?,
    };
    let text = asked.0["text"].as_str().unwrap_or_default();
    let sent = portal.upload(user, &dialog, (name, bytes), text).await?;
    told(json!({ "message_id": sent.message_id }))
}

/// `{dialog, count, text?}`: so many users write at once. To a bot each writes in private. Tells how the bot took it.
pub(super) async fn burst(State(portal): State<Portal>, asked: Asked) -> Told {
    let (dialog, count) = (asked.dialog()?, asked.int("count")?.clamp(1, MOST));
    let text = asked.0["text"].as_str().unwrap_or("Hello").to_owned();
    for user in CROWD..CROWD + count {
        let name = format!("Crowd {}", user - CROWD + 1);
        portal
            .shared()
            .state()
            .portal
            .users
            .entry(user)
            .or_insert_with(|| User::new(user, &name, false));
    }
    let start = portal.clock().now();
    let writing: Vec<_> = (CROWD..CROWD + count)
        .map(|user| {
            let (portal, dialog, text) = (portal.clone(), dialog.clone(), text.clone());
            tokio::spawn(async move { portal.say(user, &dialog, &text).await })
        })
        .collect();
    let mut sent: Vec<Sent> = Vec::new();
    for one in writing {
        sent.push(one.await.map_err(Wrong::because)??);
    }
    let events = || sent.iter().flat_map(|sent| &sent.deliveries);
    let slowest = events().map(|event| event.took.as_millis()).max().unwrap_or(0);
    told(json!({
        "said": count,
        "events": events().count(),
        "taken": events().filter(|event| event.status == Some(200)).count(),
        "slowest_ms": u64::try_from(slowest).unwrap_or(u64::MAX),
        "total_ms": u64::try_from(portal.clock().now().since(start).as_millis()).unwrap_or(u64::MAX),
    }))
}

/// `{name}`: one more user.
pub(super) async fn user(State(portal): State<Portal>, asked: Asked) -> Told {
    let name = filled(&asked, "name")?;
    let mut state = portal.shared().state();
    let users = &mut state.portal.users;
    let id = (27..).find(|id| !users.contains_key(id)).unwrap_or(27);
    users.insert(id, User::new(id, name, false));
    told(json!({ "id": id }))
}

/// `{name, members}`: a group; its first member owns it. The bots in it hear that they joined.
pub(super) async fn group(State(portal): State<Portal>, asked: Asked) -> Told {
    let name = filled(&asked, "name")?;
    let members: Vec<i64> = asked.0["members"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_i64)
        .collect();
    let owner = members
        .first()
        .copied()
        .ok_or_else(|| Wrong("A group needs members.".to_owned()))?;
    let id = portal.add_group(name, &members);
    let dialog = format!("chat{id}");
    for bot in members {
        match portal.join(owner, bot, &dialog).await {
            Ok(_) | Err(PortalError::UnknownBot(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    told(json!({ "chat": id }))
}

/// `{bot}`: a guest from outside opens a line that the bot serves.
pub(super) async fn line(State(portal): State<Portal>, asked: Asked) -> Told {
    let bot = asked.int("bot")?;
    let (guest, chat) = {
        let mut state = portal.shared().state();
        let guest = (801..).find(|id| !state.portal.users.contains_key(id)).unwrap_or(801);
        (guest, state.portal.free_chat_id())
    };
    portal.open_line(guest, bot, chat).await?;
    told(json!({ "chat": chat, "guest": guest }))
}

fn filled<'a>(asked: &'a Asked, name: &str) -> Result<&'a str, Wrong> {
    let text = asked.text(name)?.trim();
    (!text.is_empty())
        .then_some(text)
        .ok_or_else(|| Wrong(format!("`{name}` is empty.")))
}
