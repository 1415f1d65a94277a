//! The admin address: probes, metrics and what operator commands ask of a running server. Loopback by default; the
//! `/api/v1` part wants the admin token. Never changes an event.

use super::shell::shell;
use crate::lifecycle::Stop;
use crate::store::{Counts, DeadLetter, DeadQueue, Format, Store};
use crate::telemetry::{self, Levels};
use crate::types::{Clock, Secret, Timestamp};
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What is served here, for the test that holds `openapi/imbot.yaml` to it.
#[cfg(any(test, feature = "testing"))]
pub(super) const PATHS: [&str; 5] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/dead-letters",
    "/api/v1/dead-letters/{id}",
];
/// Letters listed at once, unless asked otherwise.
const LISTED: usize = 100;

/// What the admin address works with.
pub(crate) struct Admin {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) stop: Stop,
    pub(crate) token: Secret,
    /// The ack mode, said aloud in `/readyz`.
    pub(crate) ack: &'static str,
}

/// The router of the admin address.
pub(crate) fn admin_router(admin: Arc<Admin>) -> Router {
    let api = Router::new()
        .route("/api/v1/dead-letters", get(dead_letters))
        .route("/api/v1/dead-letters/{id}", get(dead_letter))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&admin), authorised));
    let router = Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .merge(api)
        .with_state(admin);
    shell(router)
}

async fn authorised(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| admin.token.matches(given)) {
        next.run(request).await
    } else {
        problem(StatusCode::UNAUTHORIZED, "unauthorised")
    }
}

fn problem(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({ "error": reason }))).into_response()
}

async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let reason = if *admin.store.failed().borrow() {
        Some("storage_failed")
    } else if admin.stop.is_soft() {
        Some("draining")
    } else {
        None
    };
    match reason {
        None => Json(json!({ "ready": true, "ack": admin.ack })).into_response(),
        Some(reason) => {
            let body = json!({ "ready": false, "ack": admin.ack, "reason": reason });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    if let Ok(counts) = admin.store.counts().await {
        telemetry::levels(levels(&counts, admin.clock.now()));
    }
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

#[derive(Debug, Deserialize)]
struct Listing {
    queue: Option<String>,
    limit: Option<usize>,
}

async fn dead_letters(State(admin): State<Arc<Admin>>, Query(listing): Query<Listing>) -> Response {
    let queue = match listing.queue.as_deref().map(queue_named) {
        Some(None) => return problem(StatusCode::BAD_REQUEST, "unknown_queue"),
        Some(queue) => queue,
        None => None,
    };
    match admin
        .store
        .dead_letters(queue, listing.limit.unwrap_or(LISTED).min(1_000))
        .await
    {
        Ok(letters) => {
            let letters: Vec<_> = letters.iter().map(|letter| summary(letter, &admin.store)).collect();
            Json(json!({ "letters": letters })).into_response()
        }
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "storage_failed"),
    }
}

async fn dead_letter(State(admin): State<Arc<Admin>>, Path(id): Path<i64>) -> Response {
    match admin.store.dead_letter(id).await {
        Ok(Some(letter)) => Json(whole(&letter, &admin.store)).into_response(),
        Ok(None) => problem(StatusCode::NOT_FOUND, "no_such_letter"),
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "storage_failed"),
    }
}

/// The queue of this name in commands and addresses.
pub(crate) fn queue_named(name: &str) -> Option<DeadQueue> {
    let queues = [
        DeadQueue::Events,
        DeadQueue::Calls,
        DeadQueue::Unknown,
        DeadQueue::Quarantine,
    ];
    queues.into_iter().find(|queue| queue.as_str() == name)
}

/// A letter as a line of a list.
pub(crate) fn summary(letter: &DeadLetter, store: &Store) -> Value {
    json!({
        "id": letter.id,
        "queue": letter.queue.as_str(),
        "at": letter.at.rfc3339(),
        "portal": store.portal_name(letter.portal),
        "bot": letter.bot,
        "dialog": letter.dialog,
        "name": letter.name,
        "reason": letter.reason,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "origin": letter.origin,
        "received": letter.received.rfc3339(),
    })
}

/// A letter with its body: the event as it came (credentials cut), or the call's parameters.
pub(crate) fn whole(letter: &DeadLetter, store: &Store) -> Value {
    let mut value = summary(letter, store);
    value["format"] = json!(match letter.format {
        Format::Form => "form",
        Format::Json => "json",
    });
    value["body"] = json!(String::from_utf8_lossy(&letter.body));
    value
}
