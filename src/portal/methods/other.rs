//! Methods of no group: revision, `app.info` of the portal, and the context that a test may raise.

use super::super::access::Caller;
use super::super::answer::{Refusal, iso};
use super::super::event::Happening;
use super::super::state::State;
use super::{Call, DENIED, Done, NO_APP};
use serde_json::{Value, json};

#[expect(clippy::unnecessary_wraps, reason = "the shape of every method")]
pub(super) fn revision(_call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    Ok(Done::quiet(
        json!({ "rest": state.knobs.revision, "web": 130, "mobile": 23, "desktop": 6 }),
    ))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every method")]
pub(super) fn time(call: &Call<'_>, _state: &mut State) -> Result<Done, Refusal> {
    Ok(Done::quiet(json!(iso(call.now))))
}

/// What the portal itself tells of the application: no `member_id`, so it proves nothing.
pub(super) fn app_info(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let Caller::App { client_id, .. } = call.caller else {
        return Err(NO_APP);
    };
    let app = state.apps.get(client_id).ok_or(NO_APP)?;
    Ok(Done::quiet(json!({
        "ID": 1,
        "CODE": app.client_id,
        "VERSION": 1,
        "STATUS": "L",
        "INSTALLED": app.active,
        "PAYMENT_EXPIRED": if app.paid { "N" } else { "Y" },
        "DAYS": null,
        "LANGUAGE_ID": state.language,
        "LICENSE": "demo",
    })))
}

/// `im.v2.Chat.Bot.sendContext`: the calling user opens a bot with a context.
pub(super) fn send_context(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let user = call.caller.user();
    let chat = state.dialog(user, &call.dialog()).ok_or(DENIED)?;
    if !state.inside(chat, user) {
        return Err(DENIED);
    }
    let members = state.chats.get(&chat).map(|chat| chat.members.clone());
    let none = Value::Object(serde_json::Map::new());
    let context = call.param("context").unwrap_or(&none);
    for bot in members.unwrap_or_default() {
        let happening = Happening::ContextGet(context);
        let event = state.compose(bot, (Some(chat), Some(user)), &happening, call.now);
        state.outgoing.extend(event);
    }
    Ok(Done::yes())
}
