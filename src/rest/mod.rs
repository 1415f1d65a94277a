//! The only room that speaks to Bitrix24: client, credentials, what a failure means, pace. Imports `types`, `method`,
//! `telemetry`; decides nothing about queues.

mod adapt;
pub(crate) mod batch;
mod bucket;
mod circuit;
mod client;
mod desk;
mod download;
pub(crate) mod endpoint;
mod fault;
mod oauth;
mod operating;
mod reply;
mod resolver;
mod transport;
mod turns;
#[cfg(test)]
pub(crate) mod watched;

pub(crate) use batch::Command;
pub(crate) use bucket::{Bucket, Level};
pub(crate) use circuit::{Circuit, Permit};
pub(crate) use client::{Client, Credentials};
pub(crate) use desk::{AskError, Desk, Errand, Errands, TokenChange};
pub(crate) use download::Incoming;
pub(crate) use fault::{Class, Executed, Fault};
pub(crate) use oauth::{OauthFault, TokenInfo};
pub(crate) use operating::{Operated, Operating};
pub(crate) use reply::Reply;
pub(crate) use transport::Moved;
pub(crate) use turns::Turns;
