//! Typed events: normalization, the lane's dialog and the deduplication key. Imports `types` and `wire`.
//! No transport and no wire shape: what a handler reads here is the same for a form and for JSON.
//!
//! Nothing unknown is refused: unknown fields are left out, unknown events become [`Other`]. An event is [`Unusable`]
//! only if something is missing without which nobody could handle it.

mod data;
mod decode;
mod entities;
mod fields;
mod free;
mod key;
mod label;
mod name;
mod other;
mod read;
mod required;
mod settled;

pub use data::{
    BotDelete, Command, CommandAdd, ContextGet, Data, FromEvent, JoinChat, MessageAdd, MessageDelete, MessageUpdate,
    ReactionChange,
};
pub use entities::{Auth, BotRef, Chat, Forward, Message, User};
pub use fields::vocabulary;
pub use free::FreeForm;
pub use key::{Key, Timeless};
pub(crate) use label::Installing;
pub use label::{Label, enough};
pub use name::Kind;
pub use other::{AppEvent, AppInstall, AppTest, AppUninstall, AppUpdate, Other};
pub use required::Unusable;
pub use settled::CallSettled;

use serde::Serialize;

/// One event, whatever form it came in. Serializes to the shape of `decode`: `kind, event, event_handler_id, ts, auth,
/// data`; credentials print as `***`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// Which family it belongs to.
    pub kind: Kind,
    /// Its name in capitals, cut to 64 bytes.
    #[serde(rename = "event")]
    pub name: String,
    /// The portal's number of the subscription; only good for a log line.
    pub event_handler_id: Option<i64>,
    /// Unix seconds by the portal's clock, taken when it queued the event.
    pub ts: Option<i64>,
    /// Whose action it was. Its tokens are the author's, not the bot's; a body from the store has none.
    pub auth: Option<Auth>,
    /// What happened.
    pub data: Data,
}

impl Event {
    /// The bot it is for; `None` for events of the portal itself and for v1 events that name several bots.
    #[must_use]
    pub fn bot_id(&self) -> Option<i64> {
        match &self.data {
            Data::Other(other) => other.bot_id(),
            known => known.bot().map(|bot| bot.id),
        }
    }

    /// The dialog an answer belongs to, as the portal writes it: `chat112`, or the other user's number.
    #[must_use]
    pub fn dialog(&self) -> Option<String> {
        let dialog = match &self.data {
            Data::Other(other) => other.dialog().to_owned(),
            known => known.dialog(),
        };
        (!dialog.is_empty()).then_some(dialog)
    }

    /// Who acted.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        self.data.user()
    }

    /// A new message that a bot should not answer by default: its own, the system's, or another bot's (two bots would
    /// talk for ever). Only for new messages: in commands and reactions the message is the bot's own by nature.
    #[must_use]
    pub fn is_own_or_system_or_bot(&self) -> bool {
        let Data::MessageAdd(add) = &self.data else {
            return false;
        };
        let author = add.message.author_id;
        let own = author == Some(add.bot.id);
        let system = add.message.is_system || author == Some(0);
        own || system || add.user.as_ref().is_some_and(|user| user.bot)
    }
}

#[cfg(test)]
mod captures;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod tests;
