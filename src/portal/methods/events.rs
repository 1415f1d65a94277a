//! Fetch mode: reading the queue as a bot or as a subscribed user; and the subscriptions of an application, listed and
//! removed. Nothing is put into the queue here.

use super::super::answer::{Refusal, iso};
use super::super::queue::{Page, Reader};
use super::super::standing::has_right;
use super::super::state::State;
use super::{Call, Caller, Done, NO_APP};
use crate::types::Timestamp;
use serde_json::{Value, json};

const NO_SCOPE: Refusal = Refusal::method("SCOPE_ERROR", "Scope im is required");
const NO_USER: Refusal = Refusal::method("AUTH_ERROR", "User is not authorized");
const NOT_SUBSCRIBED: Refusal = Refusal::method("USER_NOT_SUBSCRIBED", "User is not subscribed to events");

pub(super) fn of_bot(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = call.bot(state)?;
    let mut readers = vec![Reader::Bot(bot)];
    if call.flag("withUserEvents") {
        let user = call.caller.user();
        if !has_right(call.caller.scope(state), "im") {
            return Err(NO_SCOPE);
        }
        if !state.users.contains_key(&user) {
            return Err(NO_USER);
        }
        if !state.queue.subscribers.contains(&user) {
            return Err(NOT_SUBSCRIBED);
        }
        readers.push(Reader::User(user));
    }
    Ok(Done::quiet(page(call, state, &readers)))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every method")]
pub(super) fn of_user(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let user = call.caller.user();
    if state.queue.subscribers.contains(&user) {
        return Ok(Done::quiet(page(call, state, &[Reader::User(user)])));
    }
    let offset = call.int("offset").unwrap_or(0);
    Ok(Done::quiet(
        json!({ "events": [], "nextOffset": offset, "hasMore": false }),
    ))
}

fn page(call: &Call<'_>, state: &mut State, readers: &[Reader]) -> Value {
    let limit = call.int("limit").unwrap_or(100).clamp(1, 1000);
    let limit = usize::try_from(limit).unwrap_or(100);
    let Page { events, next, more } = state.queue.read(readers, call.int("offset"), limit, call.now);
    let ahead = state.knobs.queue_clock.saturating_mul(1000);
    let events = events.into_iter().map(|(id, queued)| {
        json!({
            "eventId": id,
            "type": queued.event,
            "date": iso(Timestamp(queued.at.0.saturating_add(ahead))),
            "data": queued.data,
        })
    });
    json!({ "events": events.collect::<Vec<_>>(), "nextOffset": next, "hasMore": more })
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every method")]
pub(super) fn subscribe(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    state.queue.subscribers.insert(call.caller.user());
    Ok(Done::quiet(Value::Bool(true)))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every method")]
pub(super) fn unsubscribe(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    state.queue.subscribers.remove(&call.caller.user());
    Ok(Done::quiet(Value::Bool(true)))
}

/// `event.get`: the rows of the calling application.
pub(super) fn subscriptions(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let rows = state.subscriptions(application(call)?).into_iter();
    let rows = rows.map(|row| json!({ "event": row.event, "handler": row.handler, "auth_type": "0" }));
    Ok(Done::quiet(rows.collect()))
}

/// `event.unbind`: removes rows by hand, what a bot needs as well.
pub(super) fn unbind(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    const MISSING: Refusal = Refusal::method("ERROR_ARGUMENT", "event and handler are required");
    let client = application(call)?;
    let text = |name: &str| call.param(name).and_then(Value::as_str).ok_or(MISSING);
    let count = state.unbind(client, text("event")?, text("handler")?);
    Ok(Done::quiet(json!({ "count": count })))
}

fn application<'a>(call: &Call<'a>) -> Result<&'a str, Refusal> {
    match call.caller {
        Caller::App { client_id, .. } => Ok(client_id),
        Caller::Webhook { .. } => Err(NO_APP),
    }
}
