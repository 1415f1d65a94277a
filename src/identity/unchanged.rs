//! Why a change of a bot was not made; for people. Plain data.

use crate::rest::{AskError, Fault};
use crate::store::StoreError;
use std::io;

/// Why a change was not made. Nothing is different from before.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unchanged {
    /// No such portal or bot is served.
    #[error("no bot {0} is served at this portal: `imbot status` shows those that are")]
    NoBot(String),
    /// Its token is the application's, or none.
    #[error("only a bot with bot_token at a portal with incoming_webhook has a token of its own")]
    NoToken,
    /// Nobody has said where its events shall go.
    #[error("event_url is not configured for this bot: the portal must be told where to post its events")]
    NoAddress,
    /// Another step for this bot is under way.
    #[error("another change of this bot is under way: `imbot status` shows it")]
    Busy,
    /// The portal says no.
    #[error("the portal refuses it, nothing has changed: {0}")]
    Refused(Fault),
    /// It surely was not carried out, as the portal said when asked afterwards.
    #[error("the portal did not carry it out, nothing has changed: try again")]
    NotDone,
    /// It could not leave.
    #[error("it could not be sent, nothing has changed: {0}")]
    Unasked(AskError),
    /// No random numbers.
    #[error("the machine gives no random numbers: {0}")]
    Random(io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A bug; the store knows how far it was.
    #[error("it broke off; `imbot status` shows how far it was")]
    Broke,
}
