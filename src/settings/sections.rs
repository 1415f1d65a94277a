//! The sections of which there is one: server, admin, store, workers, deliver. Owns their defaults.

use super::fields::{Fields, Overrides};
use super::model::{Ack, Admin, AnswerVia, Deliver, OnUnknown, Server, StoreSettings, Workers};
use super::net::Net;
use super::report::{Place, Report, Wrong};
use super::secrets::Vault;
use super::values;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeTable;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// What every section is read from.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) document: &'a DeTable<'a>,
    pub(super) overrides: &'a Overrides<'a>,
    pub(super) vault: &'a Vault<'a>,
    pub(super) handlers: &'a [&'a str],
}

pub(super) fn server<'a>(sources: Sources<'a>, report: &mut Report<'a>) -> Server {
    let mut fields = Fields::of_section("server", sources.document, sources.overrides, report);
    let acks = [
        ("durable", Ack::Durable),
        ("written", Ack::Written),
        ("memory", Ack::Memory),
    ];
    Server {
        listen: fields.read("listen", values::address).unwrap_or(loopback(8080)),
        path: fields
            .read("path", |found| {
                let path = values::text(found)?;
                if path.starts_with('/') && !path.contains(['?', '#', '{', '}', ' ']) {
                    return Ok(path.to_owned());
                }
                Err(Wrong::new(
                    format!("\"{}\" is not a path", values::shown(path)),
                    "begin it with / and leave out ? # { } and blanks, for example \"/webhook\"",
                ))
            })
            .unwrap_or_else(|| "/webhook".to_owned()),
        max_body_bytes: fields.read("max_body_bytes", values::memory_size).unwrap_or(1 << 20),
        ack: fields
            .read("ack", |found| values::choice(found, &acks))
            .unwrap_or(Ack::Durable),
        trusted_proxies: fields
            .list("trusted_proxies", |found| {
                let text = values::text(found)?;
                text.parse::<Net>().map_err(|()| {
                    Wrong::new(
                        format!("\"{}\" is not a network", values::shown(text)),
                        "write an address and its leading bits, for example \"10.0.0.0/8\"",
                    )
                })
            })
            .unwrap_or_else(|| "127.0.0.1/32".parse().into_iter().collect()),
    }
}

pub(super) fn admin<'a>(sources: Sources<'a>, report: &mut Report<'a>, public: SocketAddr) -> Admin {
    let mut fields = Fields::of_section("admin", sources.document, sources.overrides, report);
    let listen = fields.read("listen", values::address).unwrap_or(loopback(9090));
    let token = fields.read("token", |found| sources.vault.secret(found));
    let place = fields.find("listen").map_or(Place::Whole, |found| found.place);
    if listen == public && listen.port() != 0 {
        let wrong = Wrong::new(
            "the same address as server.listen",
            "give the operator's side an address that strangers cannot reach",
        );
        fields.mistake("listen", &place, wrong);
    } else if !listen.ip().is_loopback() && !fields.has("token") {
        fields.report.warning(
            &place,
            "admin.listen: not a loopback address, and admin.token is not set: make sure that strangers cannot reach it",
        );
    }
    Admin { listen, token }
}

/// The store, and whether a key was written, usable or not.
pub(super) fn store<'a>(sources: Sources<'a>, report: &mut Report<'a>) -> (StoreSettings, bool) {
    let mut fields = Fields::of_section("store", sources.document, sources.overrides, report);
    let store = StoreSettings {
        path: fields
            .read("path", values::filled)
            .map_or_else(|| PathBuf::from("imbot-data"), PathBuf::from),
        max_bytes: fields.read("max_bytes", values::size).unwrap_or(2 << 30),
        dedup_window: fields
            .read("dedup_window", values::lasting)
            .unwrap_or(Duration::from_secs(72 * HOUR)),
        key: fields.read("key", |found| sources.vault.key(found)),
    };
    (store, fields.has("key"))
}

pub(super) fn workers<'a>(sources: Sources<'a>, report: &mut Report<'a>) -> Workers {
    let mut fields = Fields::of_section("workers", sources.document, sources.overrides, report);
    let workers = Workers {
        concurrency: fields.read("concurrency", values::positive).unwrap_or(64),
        handler_timeout: fields
            .read("handler_timeout", values::lasting)
            .unwrap_or(Duration::from_secs(30)),
        max_attempts: fields.read("max_attempts", values::positive).unwrap_or(8),
        retry: fields.list("retry", values::lasting).unwrap_or_else(|| {
            let seconds = [1, 5, 20, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE];
            seconds.map(Duration::from_secs).to_vec()
        }),
        hold: fields
            .read("hold", values::duration)
            .unwrap_or(Duration::from_secs(MINUTE)),
    };
    if workers.retry.is_empty() && workers.max_attempts > 1 {
        let place = fields.find("retry").map_or(Place::Whole, |found| found.place);
        let wrong = Wrong::new(
            "empty, but an event may be tried more than once",
            "list at least one pause, for example [\"5s\"], or set max_attempts = 1",
        );
        fields.mistake("retry", &place, wrong);
    }
    workers
}

pub(super) fn deliver<'a>(sources: Sources<'a>, report: &mut Report<'a>) -> Deliver {
    let mut fields = Fields::of_section("deliver", sources.document, sources.overrides, report);
    let on_unknown = [("stop", OnUnknown::Stop), ("repeat", OnUnknown::Repeat)];
    let answer_via = [
        ("auto", AnswerVia::Auto),
        ("answer", AnswerVia::Answer),
        ("send", AnswerVia::Send),
    ];
    Deliver {
        max_age: fields
            .read("max_age", values::lasting)
            .unwrap_or(Duration::from_secs(24 * HOUR)),
        on_unknown: fields
            .read("on_unknown", |found| values::choice(found, &on_unknown))
            .unwrap_or(OnUnknown::Stop),
        answer_via: fields
            .read("answer_via", |found| values::choice(found, &answer_via))
            .unwrap_or(AnswerVia::Auto),
        hold: fields
            .read("hold", values::duration)
            .unwrap_or(Duration::from_secs(MINUTE)),
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
