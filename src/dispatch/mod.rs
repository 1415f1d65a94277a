//! Inbox to handler to outbox. Owns which event runs when, what a handler sees, and what becomes of its outcome.
//!
//! Wanted: one event at a time in a lane and in order; lanes side by side; portals in turn; at most `concurrency`
//! handlers at once. A handler's words and the end of its event are one commit, so a handler that fails has said
//! nothing. Accepted: a handler that blocks its thread beyond its timeout is given up, not stopped; its words are
//! refused and its event is tried again. Imports `event`, `method`, `store`, `identity`, and `rest` for its desk and for
//! files.

mod bot;
mod command;
mod ctx;
mod engine;
mod line;
mod named;
mod outbox;
mod outcome;
mod plan;
mod profile;
mod queued;
mod run;

pub use bot::{Bot, Handler};
pub use command::Command;
pub use ctx::Ctx;
pub use line::Download;
pub use outbox::{Outbox, OutboxCall, OutboxError, Placed};
pub use outcome::{Failure, Outcome};
pub use profile::Profile;
pub use queued::{Queued, Then};

pub(crate) use engine::{AnswerVia, Dispatch, Roster, Ways, Workers};
pub(crate) use named::NamedCall;
pub(crate) use profile::Picture;
