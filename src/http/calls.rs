//! `POST /api/v1/calls`: a call for the outbox that no event caused, from a program beside the server. Owns the JSON of
//! question and answer; what may be queued is `dispatch`'s.

use super::admin::Admin;
use crate::dispatch::{NamedCall, OutboxError, Placed};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The configured name.
    portal: String,
    bot: i64,
    /// The caller's own: a call with a known key is not queued again.
    key: String,
    method: String,
    #[serde(default)]
    params: Map<String, Value>,
    /// The tag of the event that tells the bot how it ended.
    then: Option<String>,
}

/// Queues the call: 202, or 200 if its key is known.
pub(super) async fn queue(State(admin): State<Arc<Admin>>, asked: Result<Json<Asked>, JsonRejection>) -> Response {
    let asked = match asked {
        Ok(Json(asked)) => asked,
        // Its text names fields and types, never values.
        Err(rejection) => return problem(rejection.status(), "bad_request", &rejection.body_text()),
    };
    let call = NamedCall {
        method: asked.method,
        params: asked.params,
        tag: asked.then,
    };
    match admin.outbox.named(asked.portal, asked.bot, asked.key, call).await {
        Ok(Placed::Queued(id)) => {
            let body = json!({ "status": "queued", "callId": id });
            (StatusCode::ACCEPTED, Json(body)).into_response()
        }
        Ok(Placed::Known) => Json(json!({ "status": "known" })).into_response(),
        Err(error) => {
            let (status, word) = match error {
                OutboxError::UnknownBot { .. } => (StatusCode::NOT_FOUND, "unknown_bot"),
                OutboxError::Refused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "refused"),
                OutboxError::BadWord(_) => (StatusCode::BAD_REQUEST, "bad_request"),
                OutboxError::Full => (StatusCode::SERVICE_UNAVAILABLE, "full"),
                OutboxError::Stopped => (StatusCode::SERVICE_UNAVAILABLE, "stopped"),
            };
            problem(status, word, &error.to_string())
        }
    }
}

fn problem(status: StatusCode, word: &str, detail: &str) -> Response {
    (status, Json(json!({ "error": word, "detail": detail }))).into_response()
}
