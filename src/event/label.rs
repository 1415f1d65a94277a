//! What the door needs to know of an event without building it: whose it is, where it belongs, what it repeats.

use super::fields::vocabulary;
use super::key::{self, Key};
use super::name::Kind;
use super::required::{Envelope, Unusable};
use crate::types::{REDACTED, Secret};
use crate::wire::{Selection, Tree};
use std::sync::LazyLock;

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
    pub key: Option<Key>,
    /// Unix seconds by the portal's clock.
    pub ts: Option<i64>,
    /// The access token that acts as the bot.
    pub token: Option<Secret>,
    /// Whether an [`Event`](super::Event) can be made of it.
    pub usable: Result<(), Unusable>,
}

/// Far above any real one.
const MAX_DIALOG: usize = 64;

/// The values of a message, below the second level of its body, that [`Label::of`] looks at or through; and `code`, by
/// which the gate knows a bot without a number.
const OF_A_MESSAGE: [&str; 7] = ["id", "code", "chatId", "chat_id", "dialogId", "access_token", "auth"];

/// Which values below the second level of this body are enough at the door: most of a message, by far the most
/// frequent event, is of no interest before it is handled. `None`: possibly all of them.
#[must_use]
pub fn enough(body: &[u8]) -> Option<&'static Selection> {
    static SELECTION: LazyLock<Selection> = LazyLock::new(|| Selection::new(vocabulary(), &OF_A_MESSAGE));
    body.starts_with(b"event=ONIMBOTV2MESSAGEADD&").then(|| &*SELECTION)
}

/// What an application event says of the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Installing {
    /// It is installed, or has a new version: there are tokens.
    Installed,
    /// It is gone.
    Uninstalled,
}

impl Label {
    /// What it says of an application's installation.
    pub(crate) fn installing(&self) -> Option<Installing> {
        match self.name.as_str() {
            "ONAPPINSTALL" | "ONAPPUPDATE" => Some(Installing::Installed),
            "ONAPPUNINSTALL" => Some(Installing::Uninstalled),
            _ => None,
        }
    }

    /// The dialog as it may go into every log line and queue row, and why the event is to be kept with its body alone: it
    /// cannot be handled, or its dialog is a lie (Bitrix24 writes `chat` and a number, or a number).
    pub(crate) fn place(&self) -> (String, Option<&'static str>) {
        let plain = self.dialog.len() <= MAX_DIALOG && !self.dialog.contains(char::is_control);
        let dialog = if plain { self.dialog.clone() } else { String::new() };
        let unusable = self.usable.err().map(|unusable| unusable.field);
        (dialog, unusable.or((!plain).then_some("dialogId")))
    }

    /// Reads the label.
    #[must_use]
    pub fn of(tree: &Tree<'_>) -> Self {
        let envelope = Envelope::of(tree);
        let usable = envelope.usable();
        let token = envelope.data.and_then(|data| {
            data.path(&["bot", "auth", "access_token"])?
                .string()
                // A capture that is posted again has lost it: a word in its place must not be tried as a token.
                .filter(|token| !token.is_empty() && !token.starts_with(REDACTED))
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
