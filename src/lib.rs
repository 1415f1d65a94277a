//! imbot: the server that a Bitrix24 chat bot lives in.
//!
//! A portal sends each event once. imbot has it on disk before it answers 200, hands it to an async handler of
//! yours, dialog by dialog in order, and delivers what the handler said under the portal's limits.
//!
//! ```no_run
//! use imbot::{App, Bot, CommandAdd, Ctx, MessageAdd, Outcome};
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     let bot = Bot::new("echo").on(echo).command("/help", "What I can do", help);
//!     App::new().bot(bot).run()
//! }
//!
//! async fn echo(ctx: Ctx, heard: MessageAdd) -> Outcome {
//!     ctx.reply(heard.message.text)
//! }
//!
//! async fn help(ctx: Ctx, _asked: CommandAdd) -> Outcome {
//!     ctx.answer("I repeat what you write.")
//! }
//! ```
//!
//! The rooms of the house and what each may import are in `ARCHITECTURE.md`.

pub mod event;
mod fetch;
pub mod method;
pub mod portal;
pub mod types;
pub mod wire;

mod app;
mod capture;
mod cli;
mod deliver;
mod dispatch;
mod http;
mod identity;
mod lifecycle;
mod rest;
mod settings;
mod store;
mod telemetry;

#[cfg(feature = "testing")]
pub mod testing;

/// Its examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/methods.md")]
struct Methods;

pub use app::App;
pub use dispatch::{
    Bot, Command, Ctx, Download, Failure, Handler, Outbox, OutboxCall, OutboxError, Outcome, Placed, Profile, Queued,
    Then,
};
pub use event::{
    BotDelete, CallSettled, CommandAdd, ContextGet, Event, JoinChat, MessageAdd, MessageDelete, MessageUpdate, Other,
    ReactionChange,
};
pub use types::{Attachment, Block, Button, Draft, Keyboard, Markup};
