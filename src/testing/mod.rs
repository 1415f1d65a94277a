//! Conversations as tests: the real door, the real store on disk, an emulated portal, a clock moved by hand. For bot
//! authors and for our own tests; never part of a server.
//!
//! ```
//! # use imbot::{Bot, Ctx, MessageAdd, Outcome};
//! # async fn echo(ctx: Ctx, heard: MessageAdd) -> Outcome { ctx.reply(heard.message.text) }
//! # fn bot() -> Bot { Bot::new("echo").on(echo) }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let mut talk = imbot::testing::with(bot()).await;
//! talk.user("Ann").says("hi").await;
//! assert_eq!(talk.heard().await, "echo -> Ann: hi");
//! talk.over().await;
//! # }
//! ```
//!
//! [`with`] starts it all and gives a [`Talk`]. [`Person`] has what people do; [`Talk::heard`] tells what bots did, one
//! line each, the same in every run, so a snapshot can hold it. Nothing waits for real time: each step ends when nothing
//! is running and nothing is due. What was neither heard nor looked at makes [`Talk::over`] fail the test.
//!
//! [`Stage`] is the floor below it, with bodies, statuses and counts.

mod builder;
mod installs;
mod person;
mod stage;
mod talk;
mod told;
mod words;

pub use builder::StageBuilder;
pub use person::Person;
pub use stage::{Answered, Letter, Stage, Totals};
pub use talk::{Talk, with};

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

/// Every class that a failed REST call may have, as metrics and logs name it; for the test that holds the guide to it.
#[must_use]
pub fn classes() -> Vec<&'static str> {
    crate::rest::Class::ALL.map(crate::rest::Class::label).to_vec()
}

/// Everything that `imbot doctor` can find; for the same test.
#[must_use]
pub fn findings() -> Vec<&'static str> {
    crate::cli::findings()
}

/// What the operator is told where a sender only hears `forbidden`; for the same test.
#[must_use]
pub fn forbidden() -> Vec<&'static str> {
    crate::http::FORBIDDEN.to_vec()
}
