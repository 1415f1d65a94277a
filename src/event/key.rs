//! The deduplication key: what a repeated delivery of one event has in common. Bitrix24 sends no delivery id.
//!
//! A tag byte for the event, the bot, then numbers in big-endian order, so that the keys of successive messages are
//! neighbours in an index. Subscription ids, tokens and their expiry differ between two deliveries and are left out.

use super::data::Data;
use super::decode;
use super::name::Known;
use super::required::{Envelope, Usable, id_of, message};
use crate::types::is_credential;
use crate::wire::Node;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Tags beside those of [`Known`].
const BUTTON: u8 = 9;
const OTHER: u8 = 10;

/// What a repeated delivery of one event has in common. Equal keys, equal events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    bytes: Vec<u8>,
    /// Where the time stands in it, where it needs one.
    time_at: Option<usize>,
}

/// A key with its time taken out: what two deliveries have in common if the clocks that gave them their times do not
/// agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeless {
    /// The rest of the key.
    pub rest: Vec<u8>,
    /// Unix seconds by the clock of the way the event came.
    pub ts: i64,
}

impl Key {
    /// The whole of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same in the caller's hands.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Whether the portal's time is a part of it: the event has no number of its own, or may happen again.
    #[must_use]
    pub fn has_time(&self) -> bool {
        self.time_at.is_some()
    }

    /// The key without its time, and the time; `None`: there is none in it. Keys of one event's name and shape alone are
    /// equal without it, for the rest is as long and stands as before.
    #[must_use]
    pub fn timeless(&self) -> Option<Timeless> {
        let at = self.time_at?;
        let (before, from) = self.bytes.split_at_checked(at)?;
        let (ts, after) = from.split_first_chunk()?;
        Some(Timeless {
            rest: [before, after].concat(),
            ts: i64::from_be_bytes(*ts),
        })
    }
}

/// The key of an event that can be handled; `None` if it lacks the time its key would need.
pub(super) fn of(envelope: &Envelope<'_, '_>, usable: &Usable<'_, '_>) -> Option<Key> {
    match usable {
        Usable::Known { known, bot, data } => match known {
            Known::MessageAdd => Some(Writing::new(*known as u8, *bot).number(id_of(*data, "message")?).done()),
            Known::MessageDelete => Some(
                Writing::new(*known as u8, *bot)
                    .number(data.get("messageId")?.int()?)
                    .done(),
            ),
            Known::CommandAdd if message(*data).is_some() => command(envelope, *bot, *data),
            _ => by_content(envelope, *known as u8, *bot, id_of(*data, "user")),
        },
        Usable::Other => {
            let user = envelope
                .data
                .and_then(|data| id_of(data, "user").or_else(|| data.path(&["USER", "ID"]).and_then(Node::int)));
            by_content(envelope, OTHER, envelope.bot().unwrap_or_default(), user)
        }
    }
}

/// A typed command is used once; a button may be pressed again, so its time counts.
fn command(envelope: &Envelope<'_, '_>, bot: i64, data: Node<'_, '_>) -> Option<Key> {
    let (message, id) = (id_of(data, "message")?, id_of(data, "command")?);
    let text = |name: &str| data.path(&["command", name]).and_then(Node::text).unwrap_or_default();
    if text("context") == "textarea" {
        let key = Writing::new(Known::CommandAdd as u8, bot);
        return Some(key.number(message).number(id).done());
    }
    let key = Writing::new(BUTTON, bot).number(message).number(id);
    let key = key.number(id_of(data, "user").unwrap_or_default()).time(envelope.ts?);
    Some(key.digest(text("params").as_bytes()).done())
}

/// No number of its own: time, user and everything it says.
fn by_content(envelope: &Envelope<'_, '_>, tag: u8, bot: i64, user: Option<i64>) -> Option<Key> {
    let ts = envelope.ts?;
    let mut text = Vec::with_capacity(2048);
    match decode::data(envelope).ok()? {
        Data::Other(other) => {
            text.extend_from_slice(envelope.full_name.as_bytes());
            text.push(0);
            normalize(other.data.value(), Place::OtherRoot, &mut text);
        }
        known => {
            normalize(&serde_json::to_value(&known).ok()?, Place::Root, &mut text);
        }
    }
    Some(
        Writing::new(tag, bot)
            .time(ts)
            .number(user.unwrap_or_default())
            .digest(&text)
            .done(),
    )
}

/// A key in the making.
struct Writing(Key);

impl Writing {
    fn new(tag: u8, bot: i64) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(tag);
        Self(Key { bytes, time_at: None }).number(bot)
    }

    fn number(mut self, number: i64) -> Self {
        self.0.bytes.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn time(mut self, ts: i64) -> Self {
        self.0.time_at = Some(self.0.bytes.len());
        self.number(ts)
    }

    fn digest(mut self, of: &[u8]) -> Self {
        self.0.bytes.extend_from_slice(&Sha256::digest(of)[..16]);
        self
    }

    fn done(self) -> Key {
        self.0
    }
}

/// Where in the data we are; some names mean something only there.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    OtherRoot,
    User,
    Other,
    Inside,
}

impl Place {
    fn skips(self, name: &str) -> bool {
        const ONLINE: [&str; 6] = [
            "idle",
            "lastActivityDate",
            "mobileLastDate",
            "desktopLastDate",
            "absent",
            "status",
        ];
        let volatile = match self {
            Self::Root => name == "bot",
            // The first API keeps the bot's authorization under the command as well.
            Self::OtherRoot => matches!(name, "bot" | "BOT"),
            Self::Other => matches!(name, "auth" | "AUTH" | "expires" | "expires_in"),
            Self::User => ONLINE.contains(&name),
            Self::Inside => false,
        };
        volatile || is_credential(name)
    }

    fn below(self, name: &str) -> Self {
        match self {
            Self::Root | Self::OtherRoot if name == "user" => Self::User,
            Self::OtherRoot | Self::Other => Self::Other,
            _ => Self::Inside,
        }
    }
}

/// Writes a value so that a form and JSON agree: leaves as text, lists as objects, without nulls and empty values, keys
/// in order. Tells whether anything was written. As deep as the limits of `wire` allow.
fn normalize(value: &Value, place: Place, text: &mut Vec<u8>) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => leaf(if *flag { "1" } else { "0" }, text),
        Value::Number(number) => leaf(&number.to_string(), text),
        Value::String(string) => leaf(string, text),
        Value::Array(items) => fields(
            items.iter().enumerate().map(|(at, item)| (at.to_string(), item)),
            place,
            text,
        ),
        Value::Object(map) => fields(map.iter().map(|(name, value)| (name.clone(), value)), place, text),
    }
}

fn leaf(string: &str, text: &mut Vec<u8>) -> bool {
    if string.is_empty() {
        return false;
    }
    text.push(b'=');
    sized(string, text);
    true
}

fn fields<'v>(fields: impl Iterator<Item = (String, &'v Value)>, place: Place, text: &mut Vec<u8>) -> bool {
    let mut fields: Vec<_> = fields.filter(|(name, _)| !place.skips(name)).collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    let start = text.len();
    text.push(b'{');
    for (name, value) in fields {
        let before = text.len();
        sized(&name, text);
        if !normalize(value, place.below(&name), text) {
            text.truncate(before);
        }
    }
    let empty = text.len() == start + 1;
    if empty {
        text.truncate(start);
    } else {
        text.push(b'}');
    }
    !empty
}

/// With its length, so that no text can look like two.
fn sized(string: &str, text: &mut Vec<u8>) {
    text.extend_from_slice(&(string.len() as u64).to_be_bytes());
    text.extend_from_slice(string.as_bytes());
}
