//! Changing a bot: profile, flags, delivery of its events, and its token. Registering is in `bots`.

use super::super::answer::Refusal;
use super::super::config::Owner;
use super::super::state::State;
use super::bots::{LONG_TOKEN, LONGEST_TOKEN, check_callback, described, dress, flags, mode};
use super::{Call, Done, avatar};
use crate::types::Secret;

const FAILED: Refusal = Refusal::method("BOT_TOKEN_ROTATION_FAILED", "Bot token rotation failed");

pub(super) fn update(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let id = call.bot(state)?;
    let delivery = delivery(call, state, id)?;
    let properties = call.field("properties");
    let has_avatar = avatar::check(properties.and_then(|all| all.get("avatar")))?;
    let token = rotated(call, state, id)?;
    if let Some(user) = state.users.get_mut(&id) {
        dress(user, properties, has_avatar);
    }
    let shared_owner = state.shares_application(id);
    let subscription = match &delivery {
        // Other bots of the application may need the old subscriptions, so a portal leaves them.
        Some(_) if !shared_owner => Some(state.subscribe()),
        _ => None,
    };
    let told = delivery.is_some();
    if told {
        state.leave_behind(id);
    }
    if let Some(bot) = state.bots.get_mut(&id) {
        flags(bot, call);
        if let Some((fetch, url)) = delivery {
            if fetch != bot.fetch {
                bot.changed = Some((call.now, bot.webhook_url.clone()));
            }
            (bot.fetch, bot.webhook_url) = (fetch, url);
        }
        if let Some(subscription) = subscription {
            bot.first_subscription = subscription;
        }
        if let Some(token) = token {
            bot.owner = Owner::Webhook { bot_token: token };
        }
    }
    if told {
        state.take_up(id);
    }
    Ok(Done::quiet(described(state, id, true)))
}

/// The new mode and address, if either was said.
fn delivery(call: &Call<'_>, state: &State, id: i64) -> Result<Option<(bool, Option<String>)>, Refusal> {
    let said = mode(call.field("eventMode"))?;
    let url = call.text("webhookUrl").filter(|url| !url.is_empty());
    let Some(bot) = state.bots.get(&id) else {
        return Ok(None);
    };
    if said.is_none() && url.is_none() {
        return Ok(None);
    }
    let fetch = said.unwrap_or(bot.fetch);
    if fetch {
        return Ok(Some((true, None)));
    }
    let url = url.map(str::to_owned).or_else(|| bot.webhook_url.clone());
    check_callback(url.as_deref(), state)?;
    Ok(Some((false, url)))
}

/// The token that replaces the bot's own from now on; nothing or blanks: none.
fn rotated(call: &Call<'_>, state: &State, id: i64) -> Result<Option<Secret>, Refusal> {
    let wanted = call.text("botToken").map(str::trim);
    let Some(token) = wanted.filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    if token.chars().count() > LONGEST_TOKEN {
        return Err(LONG_TOKEN);
    }
    let text = format!("custom{token}");
    let used = state.bots.values().any(|bot| bot.id != id && bot.owner.text() == text);
    let by_app = state
        .bots
        .get(&id)
        .is_some_and(|bot| matches!(bot.owner, Owner::App(_)));
    if used || by_app {
        return Err(FAILED);
    }
    Ok(Some(Secret::new(token)))
}
