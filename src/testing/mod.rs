//! The conversation harness: the real door, the real store on disk, emulated portals, a clock moved by hand. For tests of
//! bots and of imbot itself; never part of a server.
//!
//! A test says something as a user, lets everything settle, and reads what the portal shows. Nothing waits for real
//! time: `settle` returns when nothing is running and nothing is due.

mod builder;
mod stage;
mod talk;

pub use builder::StageBuilder;
pub use stage::{Answered, Letter, Stage, Totals};

/// Every method and path that the server answers, for the test that holds `openapi/imbot.yaml` to it.
#[must_use]
pub fn routes() -> Vec<(&'static str, &'static str)> {
    crate::http::routes()
}

/// Every word that a refusal of the webhook may hold, for the same test.
#[must_use]
pub fn reasons() -> Vec<&'static str> {
    crate::http::reasons()
}
