//! The only room that speaks to Bitrix24: client, credentials, what a failure means, pace. Imports `types`, `method`,
//! `telemetry`; decides nothing about queues.

mod bucket;
mod client;
mod fault;

pub(crate) use bucket::Bucket;
pub(crate) use client::{Client, Credentials};
pub(crate) use fault::{Class, Executed, Fault};
