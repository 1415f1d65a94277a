//! `POST {path}`: a verified event is put on disk, then answered 200. Nothing else happens before the answer.

use super::rejection::Rejection;
use super::shell::shell;
use super::verified::{Door, Seen, Verified};
use crate::store::{Enqueued, StoreError};
use crate::telemetry;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use std::sync::Arc;

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

/// Twenty lines that answer Bitrix24: store, count, 200.
async fn receive(State(door): State<Arc<Door>>, headers: HeaderMap, verified: Verified) -> Response {
    let Verified {
        admitted,
        event,
        watch,
        sent,
    } = verified;
    let (received, bot, portal) = (event.received, event.bot, &admitted.portal);
    let (name, dialog) = (event.name.clone(), event.dialog.clone());
    if let Some(member) = &admitted.pin
        && let Err(error) = door.store.pin_member(portal.id, member).await
    {
        tracing::error!(portal = portal.name, %error, "the portal's member_id could not be pinned");
    }
    let stored = if admitted.known_bot {
        match tokio::time::timeout(door.ack_deadline, door.store.enqueue(event)).await {
            Ok(stored) => stored.map(Some).map_err(rejection),
            // It may still be stored after this; then it is handled, and a proxy's repeat is a duplicate.
            Err(_) => Err(Rejection::Busy),
        }
    } else {
        Ok(None)
    };
    telemetry::webhook_ack(watch.elapsed());
    match stored {
        Ok(stored) => {
            let (outcome, inbox_id) = outcome(stored);
            telemetry::webhook_request(outcome, "");
            telemetry::event_arrived(&portal.name, received, sent);
            tracing::info!(
                outcome,
                portal = portal.name,
                bot,
                dialog,
                event = name,
                inbox_id,
                "event {outcome}"
            );
            if let Some(observer) = &door.observer {
                observer(Seen {
                    outcome,
                    name: &name,
                    bot,
                    dialog: &dialog,
                });
            }
            accepted(outcome, &headers)
        }
        Err(rejection) => refused(rejection, &portal.name),
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
