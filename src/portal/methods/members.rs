//! Who is in a chat and in which role. Unknown and inactive users are skipped without an error, as a portal does.

use super::super::access::truthy;
use super::super::answer::Refusal;
use super::super::model::Chat;
use super::super::state::State;
use super::super::views;
use super::chats::joined;
use super::{Call, Caller, DENIED, Done};
use serde_json::Value;

const NO_USERS: Refusal = Refusal::method("EMPTY_USER_IDS", "User ids are required");

/// The group, if the bot may do in it what `allowed` asks.
fn group<'a>(
    call: &Call<'_>,
    state: &'a mut State,
    allowed: impl Fn(&Chat, i64) -> bool,
) -> Result<(i64, &'a mut Chat), Refusal> {
    let (bot, id) = call.bot_and_group(state)?;
    let chat = state.chats.get_mut(&id).ok_or(DENIED)?;
    if !allowed(chat, bot) {
        return Err(DENIED);
    }
    Ok((bot, chat))
}

fn owns(chat: &Chat, bot: i64) -> bool {
    chat.owner == bot
}

pub(super) fn add(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let mut wanted = call.ints(call.param("userIds"));
    wanted.retain(|id| state.users.get(id).is_some_and(|user| user.active));
    let (bot, chat) = group(call, state, Chat::manages)?;
    wanted.retain(|id| chat.members.insert(*id));
    let id = chat.id;
    joined(state, call, id, bot, &wanted);
    Ok(Done::yes())
}

pub(super) fn delete(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let user = call.int("userId");
    let (_, chat) = group(call, state, Chat::manages)?;
    if let Some(user) = user {
        chat.members.remove(&user);
        chat.managers.remove(&user);
    }
    Ok(Done::yes())
}

pub(super) fn list(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (_, id) = call.bot_and_chat(state)?;
    let limit = call.int("limit").unwrap_or(50).clamp(1, 200);
    let members = state
        .chats
        .get(&id)
        .map(|chat| chat.members.clone())
        .unwrap_or_default();
    let mut members: Vec<i64> = members.into_iter().collect();
    let last_sent = |user: &i64| {
        let own = |message: &&super::super::model::Message| message.chat == id && message.author == *user;
        state.messages.values().rfind(own).map_or(0, |message| message.id)
    };
    let order = call.param("order").and_then(Value::as_object);
    let descending = |value: &Value| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("desc"));
    for (field, direction) in order.into_iter().flatten() {
        if field == "lastSendMessageId" {
            members.sort_by_key(last_sent);
        } else {
            members.sort_unstable();
        }
        if descending(direction) {
            members.reverse();
        }
    }
    members.truncate(usize::try_from(limit).unwrap_or(50));
    Ok(Done::quiet(views::users(state, members)))
}

pub(super) fn leave(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (bot, chat) = group(call, state, |_, _| true)?;
    chat.members.remove(&bot);
    chat.managers.remove(&bot);
    Ok(Done::yes())
}

pub(super) fn add_managers(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    managers(call, state, |chat, user| {
        if chat.members.contains(&user) && chat.owner != user {
            chat.managers.insert(user);
        }
    })
}

pub(super) fn delete_managers(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    managers(call, state, |chat, user| {
        chat.managers.remove(&user);
    })
}

fn managers(call: &Call<'_>, state: &mut State, change: impl Fn(&mut Chat, i64)) -> Result<Done, Refusal> {
    call.bot(state)?;
    let users = call.ints(call.param("userIds"));
    if users.is_empty() {
        return Err(NO_USERS);
    }
    let (_, chat) = group(call, state, owns)?;
    for user in users {
        change(chat, user);
    }
    Ok(Done::yes())
}

pub(super) fn set_owner(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let user = call.int("userId").unwrap_or_default();
    let (_, chat) = group(call, state, owns)?;
    if !chat.members.contains(&user) {
        return Err(DENIED);
    }
    chat.owner = user;
    chat.managers.remove(&user);
    Ok(Done::yes())
}

/// `imbot.chat.user.list`, the old way: ids only, under the names of the old API.
pub(super) fn old_list(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    const EMPTY: Refusal = Refusal::method("CHAT_ID_EMPTY", "Chat ID can't be empty");
    const NO_BOT: Refusal = Refusal::method("BOT_ID_ERROR", "Bot not found");
    const FOREIGN: Refusal = Refusal::method("APP_ID_ERROR", "Bot was installed by another application");
    const NO_ACCESS: Refusal = Refusal::method("ACCESS_ERROR", "Action unavailable");
    let owner = match call.caller {
        Caller::App { client_id, .. } => client_id.clone(),
        Caller::Webhook { .. } => {
            let given = call.param("CLIENT_ID").or_else(|| call.param("botToken"));
            format!("custom{}", given.and_then(Value::as_str).unwrap_or_default())
        }
    };
    let id = call.int("CHAT_ID").filter(|id| *id > 0).ok_or(EMPTY)?;
    let bot = match call.int("BOT_ID").filter(|id| *id > 0) {
        Some(id) => state.bots.get(&id),
        None => state.bots.values().find(|bot| bot.owner.text() == owner),
    };
    let bot = bot.ok_or(NO_BOT)?;
    if bot.owner.text() != owner {
        return Err(FOREIGN);
    }
    let chat = state.chats.get(&id).filter(|chat| chat.members.contains(&bot.id));
    let chat = chat.ok_or(NO_ACCESS)?;
    let real = truthy(call.param("REAL_COUNT"));
    let members = chat.members.iter().filter(|id| !real || !state.bots.contains_key(id));
    Ok(Done::quiet(members.copied().map(Value::from).collect()))
}
