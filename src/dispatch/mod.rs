//! Inbox to handler to outbox. Owns which event runs when, what a handler sees, and what becomes of its outcome.
//!
//! Wanted: one event at a time in a lane and in order; lanes side by side; portals in turn; at most `concurrency`
//! handlers at once. A handler's words and the end of its event are one commit, so a handler that fails has said
//! nothing. Accepted: a handler that blocks its thread beyond its timeout is given up, not stopped; its words are
//! refused and its event is tried again. Imports `event`, `method`, `store`, never the network.

mod bot;
mod ctx;
mod engine;
mod outcome;
mod run;

pub use bot::{Bot, Handler};
pub use ctx::Ctx;
pub use outcome::{Failure, Outcome};

pub(crate) use engine::{AnswerVia, Dispatch, Roster, Served, Workers};
