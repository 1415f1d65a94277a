//! An answer of `imbot.v2.Event.get` as events of the inbox: each becomes the body that the door would have seen as JSON,
//! with the same key, lane and reasons for quarantine. Takes nothing else over from the portal's queue, not its numbers.

use crate::event::{Key, Label};
use crate::identity::event_key;
use crate::store::{Format, NewEvent, Source};
use crate::types::{Lane, PortalId, Timestamp, is_credential};
use crate::wire::{self, Limits};
use serde_json::{Value, json};

/// What one poll brought.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) events: Vec<NewEvent>,
    /// When the portal says each happened, in unix seconds.
    pub(super) sent: Vec<Option<i64>>,
    pub(super) next: Option<i64>,
    pub(super) more: bool,
}

impl Page {
    /// `None`: this is no page. `twins`: whether the bot's events may come both ways with two times now.
    pub(super) fn of(result: &Value, bot: (PortalId, i64), now: Timestamp, twins: bool) -> Option<Self> {
        let (mut events, mut sent) = (Vec::new(), Vec::new());
        for one in result.get("events")?.as_array()? {
            let ts = one.get("date").and_then(Value::as_str).and_then(unix_seconds);
            sent.push(ts);
            events.push(event(one, ts, bot, (now, twins)));
        }
        let next = result.get("nextOffset").and_then(int);
        if next.is_none() && !events.is_empty() {
            return None;
        }
        let more = result
            .get("hasMore")
            .is_some_and(|more| more == true || int(more) == Some(1));
        Some(Self {
            events,
            sent,
            next,
            more,
        })
    }
}

/// PHP may write a number as text.
fn int(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn unix_seconds(date: &str) -> Option<i64> {
    let moment = time::OffsetDateTime::parse(date, &time::format_description::well_known::Rfc3339);
    moment.ok().map(time::OffsetDateTime::unix_timestamp)
}

fn event(one: &Value, ts: Option<i64>, (portal, bot): (PortalId, i64), (now, twins): (Timestamp, bool)) -> NewEvent {
    let mut envelope = json!({ "event": one.get("type") });
    if let Some(ts) = ts {
        envelope["ts"] = ts.into();
    }
    let bare = envelope.to_string();
    if let Some(data) = one.get("data") {
        envelope["data"] = data.clone();
    }
    let body = envelope.to_string();
    let made = |body: Vec<u8>, (name, key): (String, Option<Key>), quarantine, dialog: String| NewEvent {
        portal,
        bot,
        lane: Lane::of(portal, bot, &dialog),
        dialog,
        name,
        key: key.map(|key| event_key(key, Source::Fetched, || twins)),
        received: now,
        format: Format::Json,
        body,
        token: None,
        quarantine,
    };
    let limits = Limits::default();
    match wire::parse(body.as_bytes(), true, &limits) {
        Ok(tree) => {
            let label = Label::of(&tree);
            let (dialog, quarantine) = label.place();
            // Asked for this bot, so it is nobody else's.
            let foreign = label.bot.is_some_and(|named| named != bot).then_some("data.bot.id");
            let body = wire::cut_credentials(&tree);
            made(body, (label.name, label.key), foreign.or(quarantine), dialog)
        }
        // The door would have refused it, and the portal would keep it and all behind it: it goes to the dead letters.
        Err(refused) => {
            cut(&mut envelope);
            let tree = wire::parse(bare.as_bytes(), true, &limits);
            let name = tree.map(|tree| Label::of(&tree).name).unwrap_or_default();
            let body = envelope.to_string().into_bytes();
            made(body, (name, None), Some(refused.reason()), String::new())
        }
    }
}

/// Every credential out of a value that [`wire::cut_credentials`] could not read. As deep as `serde_json` reads.
fn cut(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(cut),
        Value::Object(fields) => {
            for (name, field) in fields {
                if is_credential(name) {
                    *field = Value::String(String::new());
                } else {
                    cut(field);
                }
            }
        }
        _ => {}
    }
}
