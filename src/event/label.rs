//! What the door needs to know of an event without building it: whose it is, where it belongs, what it repeats.

use super::key;
use super::name::Kind;
use super::required::{Envelope, Unusable};
use crate::types::Secret;
use crate::wire::Tree;

/// A few facts about an event, read in microseconds. Agrees with [`Event::from_tree`](super::Event::from_tree).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Label {
    /// Its family.
    pub kind: Kind,
    /// Its name in capitals, cut to 64 bytes; empty if the body names no event at all.
    pub name: String,
    /// The bot it is for; `None` for events of the portal itself.
    pub bot: Option<i64>,
    /// The dialog it belongs to; may be empty.
    pub dialog: String,
    /// What a repeated delivery has in common, without the portal; `None` if a repetition cannot be recognised.
    pub key: Option<Vec<u8>>,
    /// Unix seconds by the portal's clock.
    pub ts: Option<i64>,
    /// The access token that acts as the bot.
    pub token: Option<Secret>,
    /// Whether an [`Event`](super::Event) can be made of it.
    pub usable: Result<(), Unusable>,
}

impl Label {
    /// Reads the label.
    #[must_use]
    pub fn of(tree: &Tree<'_>) -> Self {
        let envelope = Envelope::of(tree);
        let usable = envelope.usable();
        let token = envelope.data.and_then(|data| {
            data.path(&["bot", "auth", "access_token"])?
                .string()
                .filter(|token| !token.is_empty())
        });
        Self {
            kind: envelope.kind,
            name: envelope.name(),
            bot: envelope.bot(),
            dialog: envelope.dialog(),
            key: usable.as_ref().ok().and_then(|usable| key::of(&envelope, usable)),
            ts: envelope.ts,
            token: token.map(Secret::new),
            usable: usable.map(|_| ()),
        }
    }
}
