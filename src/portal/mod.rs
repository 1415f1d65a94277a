//! A Bitrix24 portal on your desk, for tests and for `imbot dev`. Shares `types` with the rest and nothing else:
//! its own form encoder, parameter reader and request counter, so that a mistake on one side is caught by the other.
//!
//! ```text
//! a test says something       sender  ->  event, payload, form  ->  POST to the bot's address, once
//! a bot calls                 server  ->  heard, fault  ->  carry: bucket, access, operating, methods  ->  answer, log
//! what both change and read   state, raise, queue
//! a test spoils it            control, switches  ->  fault, deeds, event_fault, knobs
//! a person looks on           page: the chat, and an inspector of both directions
//! ```
//! It listens on loopback, for one portal, with the 40 methods of the catalogue and a few around them. What is
//! documented is strict; what differs between real portals is a field of [`Knobs`].

mod access;
mod acts;
mod answer;
mod apps;
mod batch;
mod bots;
mod bucket;
mod carry;
mod config;
mod control;
mod curl;
mod deeds;
mod download;
mod error;
mod errors;
mod event;
mod event_fault;
mod fault;
mod files;
mod form;
mod handle;
mod heard;
mod knobs;
mod load;
mod log;
mod methods;
mod model;
mod multipart;
mod oauth;
mod operating;
mod page;
mod params;
mod payload;
mod people;
mod queue;
mod raise;
mod reference;
mod sender;
mod server;
mod shared;
mod spoil;
mod standing;
mod state;
mod subscriptions;
mod switches;
mod views;

#[cfg(test)]
mod tests;

pub use acts::{Act, ActKind};
pub use config::{AppConfig, AppSeed, BotSeed, CommandSeed, Drain, Owner, PortalConfig};
pub use error::PortalError;
pub use event_fault::{EventFault, EventRule};
pub use fault::{Action, Aim, Deed, Rule, Shape};
pub use form::http_build_query;
pub use handle::{Portal, PostedMessage};
pub use knobs::{Knobs, Profile, Release, WrongClient};
pub use log::{Decision, LogEntry};
pub use sender::{Delivery, Sent};

use shared::Shared;
