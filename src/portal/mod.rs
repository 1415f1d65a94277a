//! A Bitrix24 portal on your desk, for tests and for `imbot dev`. Shares `types` with the rest and nothing else:
//! its own form encoder, parameter reader and request counter, so that a mistake on one side is caught by the other.
//!
//! ```text
//! a test says something       sender  ->  event, payload, form  ->  POST to the bot's address, once
//! a bot calls                 server  ->  params, fault, bucket, access, methods, answer  ->  log
//! what both change and read   state
//! ```
//! It listens on loopback, for one portal, with the methods a chat bot needs first. What is documented is strict;
//! what differs between real portals is a field of [`PortalConfig`].

mod access;
mod answer;
mod bots;
mod bucket;
mod config;
mod curl;
mod error;
mod event;
mod fault;
mod form;
mod handle;
mod log;
mod methods;
mod params;
mod payload;
mod people;
mod sender;
mod server;
mod shared;
mod state;
mod switches;

#[cfg(test)]
mod tests;

pub use config::{AppSeed, BotSeed, CommandSeed, Drain, Owner, PortalConfig};
pub use error::PortalError;
pub use fault::{Action, Rule, Shape};
pub use handle::{Portal, PostedMessage};
pub use log::{Decision, LogEntry};
pub use sender::{Delivery, Sent};

use shared::Shared;
