//! A REST request as it was heard: where it leads, from where, with which parameters. Judges nothing.

use super::access::Route;
use super::log::{Decision, LogEntry, redacted};
use super::params;
use super::state::State;
use crate::types::Timestamp;
use axum::http::{Method as Verb, header, request::Parts};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// One request as the log will tell it.
pub(super) struct Heard {
    pub(super) at: Timestamp,
    pub(super) route: Route,
    /// The host that was asked, as the request names it.
    pub(super) host: String,
    pub(super) path: String,
    /// The address that the request counter counts under.
    pub(super) source: String,
    pub(super) bearer: Option<String>,
    pub(super) params: Map<String, Value>,
    /// The commands of a batch, in order.
    pub(super) commands: Vec<(String, Value)>,
    /// The faults that struck it.
    pub(super) faults: Vec<&'static str>,
}

impl Heard {
    pub(super) fn new(at: Timestamp, route: Route, parts: &Parts, peer: IpAddr, body: &[u8]) -> Self {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let media = header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let posted = if parts.method == Verb::POST { body } else { &[] };
        let query = parts.uri.query().unwrap_or_default();
        let commands = if route.method.eq_ignore_ascii_case("batch") {
            params::commands(query, media, posted)
        } else {
            Vec::new()
        };
        Self {
            at,
            route,
            host: header(header::HOST.as_str()).unwrap_or_default().to_owned(),
            path: parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            source: header("x-mock-source-ip").map_or_else(|| peer.to_string(), str::to_owned),
            bearer: header(header::AUTHORIZATION.as_str())
                .and_then(|value| value.strip_prefix("Bearer "))
                .map(str::to_owned),
            params: params::read(query, media, posted),
            commands,
            faults: Vec::new(),
        }
    }

    /// Who calls, by the credential alone: a fault is decided on before anything is checked.
    pub(super) fn identity(&self, state: &State) -> String {
        if let Some((user, _)) = &self.route.webhook {
            return format!("webhook {user}");
        }
        let named = |name: &str| self.params.get(name).and_then(Value::as_str);
        let token = self
            .bearer
            .as_deref()
            .or_else(|| named("auth"))
            .or_else(|| named("access_token"));
        let token = token.and_then(|token| state.tokens.get(token));
        token.map_or_else(
            || "unknown".to_owned(),
            |token| format!("{} as {}", token.client_id, token.user),
        )
    }

    pub(super) fn entry(&self, identity: &str, decision: Decision, status: Option<u16>) -> LogEntry {
        LogEntry {
            at: self.at,
            method: self.route.method.clone(),
            identity: identity.to_owned(),
            params: redacted(&Value::Object(self.params.clone())),
            decision,
            status,
            answer: Value::Null,
            level: 0,
            faults: self.faults.clone(),
            batched: false,
        }
    }
}
