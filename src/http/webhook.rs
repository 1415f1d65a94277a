//! `POST {path}`: a verified event is put on disk, then answered 200. Nothing else happens before the answer.

use super::probe;
use super::rejection::Rejection;
use super::shell::shell;
use super::verified::{Arrived, Door, Seen, Verified};
use crate::capture::{Fate, Taken};
use crate::identity::Site;
use crate::store::{Enqueued, Format, StoreError};
use crate::telemetry::{self, Stopwatch};
use crate::types::Timestamp;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use std::sync::Arc;
use tracing::Instrument as _;

/// The public address: the webhook's path and nothing else.
pub(crate) fn public_router(path: &str, door: Arc<Door>) -> Router {
    let webhook = on(MethodFilter::POST, receive).on(MethodFilter::GET.or(MethodFilter::HEAD), alive);
    let router = Router::new()
        .route(path, webhook.fallback(not_allowed))
        .fallback(not_found)
        .with_state(door);
    shell(router)
}

async fn alive() -> StatusCode {
    StatusCode::OK
}

async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}

async fn not_allowed() -> Response {
    let allow = [
        (header::ALLOW, "GET, HEAD, POST"),
        (header::CONTENT_TYPE, "application/json"),
    ];
    (
        StatusCode::METHOD_NOT_ALLOWED,
        allow,
        "{\"error\":\"method_not_allowed\"}",
    )
        .into_response()
}

/// Answers Bitrix24: store, count, 200.
async fn receive(State(door): State<Arc<Door>>, headers: HeaderMap, arrived: Arrived) -> Response {
    let mut verified = match arrived {
        Arrived::Event(verified) => *verified,
        Arrived::Probe(proof) => {
            telemetry::webhook_request("ignored", "probe");
            return probe::proved(&proof);
        }
        Arrived::Install { format, body } => return install(&door, format, body.into(), &headers).await,
    };
    let arrival = Arrival::of(&verified);
    let taken = verified.taken.take();
    // Below info: formatting a span costs more than the line, which names the same ids.
    let span = tracing::debug_span!(
        "webhook",
        portal = arrival.portal.name,
        bot = arrival.bot,
        dialog = arrival.dialog,
        event = arrival.name
    );
    async {
        let stored = store(&door, verified).await;
        arrival.captured(&door, &stored, taken);
        arrival.answer(&door, stored, &headers)
    }
    .instrument(span)
    .await
}

/// Puts an installation on disk; whether it is one is found out afterwards.
async fn install(door: &Door, format: Format, body: Vec<u8>, headers: &HeaderMap) -> Response {
    let kept = tokio::time::timeout(door.ack_deadline, door.gate.identities.knock(format, body)).await;
    let rejection = match kept {
        Ok(Ok(())) => {
            telemetry::webhook_request("accepted", "installation");
            tracing::info!(outcome = "accepted", "an installation waits to be proven");
            return accepted("accepted", headers);
        }
        Ok(Err(StoreError::Full)) => Rejection::NoRoom("install_full"),
        Ok(Err(error)) => rejection(error),
        Err(_) => Rejection::Busy,
    };
    telemetry::webhook_request("rejected", rejection.detail());
    tracing::error!(
        reason = rejection.detail(),
        "an installation was refused and will not come again: reinstall it"
    );
    rejection.into_response()
}

/// Puts the event on disk. `None` = authentic, but for a bot that is not ours: not stored.
async fn store(door: &Door, verified: Verified) -> Result<Option<Enqueued>, Rejection> {
    let Verified {
        admitted,
        event,
        uninstalled,
        ..
    } = verified;
    let identities = &door.gate.identities;
    if uninstalled && admitted.portal.app.is_some() {
        identities.uninstalled(admitted.portal.id).await.map_err(rejection)?;
    }
    if let Some(code) = &admitted.learn {
        identities
            .learn(admitted.portal.id, code, event.bot)
            .await
            .map_err(rejection)?;
    }
    if let Some(member) = &admitted.pin
        && let Err(error) = door.store.pin_member(admitted.portal.id, member).await
    {
        tracing::error!(%error, "the portal's member_id could not be pinned");
    }
    if !admitted.known_bot {
        return Ok(None);
    }
    match tokio::time::timeout(door.ack_deadline, door.store.enqueue(event)).await {
        Ok(stored) => stored.map(Some).map_err(rejection),
        // It may still be stored after this; then it is handled, and a proxy's repeat is a duplicate.
        Err(_) => Err(Rejection::Busy),
    }
}

/// What is said of an event once the store has it.
struct Arrival {
    portal: Arc<Site>,
    bot: i64,
    dialog: String,
    name: String,
    received: Timestamp,
    sent: Option<i64>,
    watch: Stopwatch,
}

impl Arrival {
    fn of(verified: &Verified) -> Self {
        let event = &verified.event;
        Self {
            portal: Arc::clone(&verified.admitted.portal),
            bot: event.bot,
            dialog: event.dialog.clone(),
            name: event.name.clone(),
            received: event.received,
            sent: verified.sent,
            watch: verified.watch,
        }
    }

    /// Hands the body over to the captures; the answer waits for nothing.
    fn captured(&self, door: &Door, stored: &Result<Option<Enqueued>, Rejection>, taken: Option<Taken>) {
        let Some(taken) = taken else { return };
        let (outcome, reason) = match stored {
            Ok(stored) => (outcome(*stored).0, None),
            Err(rejection) => ("refused", Some(rejection.detail())),
        };
        let fate = Fate {
            outcome,
            reason,
            portal: Some(self.portal.name.clone()),
            event: Some(self.name.clone()),
        };
        door.capture.keep(taken, fate);
    }

    fn answer(&self, door: &Door, stored: Result<Option<Enqueued>, Rejection>, headers: &HeaderMap) -> Response {
        telemetry::webhook_ack(self.watch.elapsed());
        let stored = match stored {
            Ok(stored) => stored,
            Err(rejection) => return refused(rejection, &self.portal.name),
        };
        let (outcome, inbox_id) = outcome(stored);
        telemetry::webhook_request(outcome, "");
        telemetry::event_arrived(&self.portal.name, self.received, self.sent);
        tracing::info!(
            outcome,
            portal = self.portal.name,
            bot = self.bot,
            dialog = self.dialog,
            event = self.name,
            inbox_id,
            "event {outcome}"
        );
        if let Some(observer) = &door.observer {
            observer(Seen {
                outcome,
                name: &self.name,
                bot: self.bot,
                dialog: &self.dialog,
            });
        }
        accepted(outcome, headers)
    }
}

fn outcome(stored: Option<Enqueued>) -> (&'static str, i64) {
    match stored {
        None => ("ignored", 0),
        Some(Enqueued::Stored(id)) => ("accepted", id.0),
        Some(Enqueued::Taken) => ("accepted", 0),
        Some(Enqueued::Quarantined(id)) => ("quarantined", id.0),
        Some(Enqueued::Duplicate) => ("duplicate", 0),
    }
}

fn accepted(outcome: &'static str, headers: &HeaderMap) -> Response {
    let mut response = ([(header::CONTENT_TYPE, "application/json")], "{\"status\":\"ok\"}").into_response();
    // For `imbot replay`, which asks; whoever got this far has proved who they are.
    if headers.contains_key("x-imbot-ask") {
        response
            .headers_mut()
            .insert("x-imbot-outcome", HeaderValue::from_static(outcome));
    }
    response
}

fn rejection(error: StoreError) -> Rejection {
    match error {
        StoreError::Full => Rejection::Full,
        StoreError::Closed => Rejection::Draining,
        StoreError::Failed | StoreError::Gone | StoreError::Read(_) => Rejection::StorageFailed,
    }
}

fn refused(rejection: Rejection, portal: &str) -> Response {
    telemetry::webhook_request("rejected", rejection.detail());
    telemetry::gap(portal, rejection.detail());
    tracing::error!(
        outcome = "rejected",
        reason = rejection.detail(),
        portal,
        "an authentic event of {portal} was refused and will not come again"
    );
    rejection.into_response()
}
