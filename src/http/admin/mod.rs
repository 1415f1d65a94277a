//! The admin address: probes, metrics and what operator commands ask of a running server. Loopback by default; the
//! `/api/v1` part wants the admin token and no name in `Host`. Without a server, commands ask the same router in process.

mod backup;
mod bots;
mod call;
mod changes;
mod guard;
mod letters;
mod pauses;
mod status;
#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "testing"))]
pub(super) use bots::ROUTES as BOT_ROUTES;
#[cfg(any(test, feature = "testing"))]
pub(super) use changes::ROUTES as CHANGES;
pub(crate) use letters::queue_named;

use super::probe::Probes;
use super::shell::shell;
use super::{calls, portals, probe};
use crate::capture::Capture;
use crate::deliver::DeliverView;
use crate::dispatch::Outbox;
use crate::identity::{Changes, Identities, Site};
use crate::lifecycle::Stop;
use crate::rest::Desk;
use crate::store::{Counts, Store, StoreError};
use crate::telemetry::{self, Levels};
use crate::types::{Clock, PortalId, Secret, Timestamp};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// What is served here, for the test that holds `openapi/imbot.yaml` to it.
#[cfg(any(test, feature = "testing"))]
pub(super) const PATHS: [(&str, &str); 13] = [
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/api/v1/dead-letters"),
    ("get", "/api/v1/dead-letters/{id}"),
    ("post", "/api/v1/dead-letters/retry"),
    ("post", "/api/v1/dead-letters/drop"),
    ("post", "/api/v1/pause"),
    ("post", "/api/v1/resume"),
    ("get", "/api/v1/status"),
    ("post", "/api/v1/backup"),
    ("post", "/api/v1/call"),
    ("post", "/api/v1/probe"),
];
/// Bytes of a call: a file of 100 MB as base64, and some.
const LONGEST_CALL: usize = 140 << 20;

/// What the admin address works with.
pub(crate) struct Admin {
    pub(crate) store: Store,
    /// Calls that an operator makes wait in the server's budget.
    pub(crate) desk: Desk,
    /// What the deliverer shows and may be told.
    pub(crate) deliver: DeliverView,
    pub(crate) identities: Identities,
    pub(crate) changes: Changes,
    /// Calls that no event caused.
    pub(crate) outbox: Outbox,
    /// How long a call that is put back into the outbox may wait.
    pub(crate) max_age: Duration,
    pub(crate) clock: Clock,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) stop: Stop,
    pub(crate) token: Secret,
    /// Shared with the door.
    pub(crate) probes: Arc<Probes>,
    /// The ack mode, said aloud in `/readyz`.
    pub(crate) ack: &'static str,
    /// Said aloud there, too.
    pub(crate) capture: Capture,
}

/// The router of the admin address.
pub(crate) fn admin_router(admin: Arc<Admin>) -> Router {
    let api = Router::new()
        .route("/api/v1/dead-letters", get(letters::list))
        .route("/api/v1/dead-letters/{id}", get(letters::show))
        .route("/api/v1/dead-letters/retry", post(letters::retry))
        .route("/api/v1/dead-letters/drop", post(letters::remove))
        .route("/api/v1/pause", post(pauses::pause))
        .route("/api/v1/resume", post(pauses::resume))
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/backup", post(backup::backup))
        .route(
            "/api/v1/call",
            post(call::call).layer(DefaultBodyLimit::max(LONGEST_CALL)),
        )
        .route("/api/v1/probe", post(probe::issue))
        .merge(portals::router())
        .merge(changes::router())
        .merge(bots::router())
        .route("/api/v1/calls", post(calls::queue))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&admin), guard::authorised));
    let router = Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .merge(api)
        .with_state(admin);
    shell(router)
}

/// What went wrong: a word for programs, a sentence for people.
pub(super) struct Problem(StatusCode, &'static str, String);

impl Problem {
    pub(super) fn new(status: StatusCode, reason: &'static str, detail: impl Into<String>) -> Self {
        Self(status, reason, detail.into())
    }

    fn store(error: &StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage_failed", error.to_string())
    }

    fn body(&self) -> serde_json::Value {
        json!({ "error": self.1, "detail": self.2 })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(self.body())).into_response()
    }
}

impl Admin {
    /// The portal of this name, and its number.
    fn portal(&self, name: &str) -> Result<PortalId, Problem> {
        self.store.portal_named(name).ok_or_else(|| {
            let known = self.store.portal_names();
            let known: Vec<_> = known.iter().map(|(_, name)| name.as_str()).collect();
            let detail = format!("there is no portal {name}; there are: {}", known.join(", "));
            Problem::new(StatusCode::NOT_FOUND, "no_such_portal", detail)
        })
    }

    /// A portal that is served now. `None` also where nobody knows, because the store was opened without settings.
    fn site(&self, portal: PortalId) -> Option<Arc<Site>> {
        self.identities.site(portal)
    }

    /// Refuses a bot that a served portal does not have.
    fn knows_bot(&self, portal: PortalId, bot: i64) -> Result<(), Problem> {
        match self.site(portal) {
            Some(site) if !site.bots.contains_key(&bot) => {
                let mut known: Vec<_> = site.bots.keys().map(i64::to_string).collect();
                known.sort_unstable();
                let detail = format!("portal {} has no bot {bot}; it has: {}", site.name, known.join(", "));
                Err(Problem::new(StatusCode::NOT_FOUND, "no_such_bot", detail))
            }
            _ => Ok(()),
        }
    }
}

async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let reason = if *admin.store.failed().borrow() {
        Some("storage_failed")
    } else if admin.stop.is_soft() {
        Some("draining")
    } else {
        None
    };
    let mut body = json!({ "ready": reason.is_none(), "ack": admin.ack });
    if let Some(capture) = admin.capture.view() {
        body["capture"] = capture;
    }
    match reason {
        None => Json(body).into_response(),
        Some(reason) => {
            body["reason"] = reason.into();
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    if let Ok(counts) = admin.store.counts().await {
        telemetry::levels(levels(&counts, admin.clock.now()));
    }
    admin.identities.publish_ages();
    admin.identities.publish_changes();
    admin.metrics.run_upkeep();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        admin.metrics.render(),
    )
        .into_response()
}

fn levels(counts: &Counts, now: Timestamp) -> Levels {
    let age = |oldest: Option<i64>| oldest.map_or(Duration::ZERO, |at| now.since(Timestamp(at)));
    Levels {
        accepted: counts.accepted,
        done: counts.done,
        ignored: counts.ignored,
        dead: counts.dead,
        inbox: counts.pending_events,
        inbox_oldest: age(counts.oldest_event),
        outbox: counts.pending_calls,
        outbox_oldest: age(counts.oldest_call),
        letters: counts.letters,
        bytes: counts.bytes,
    }
}
