//! `/api/v1/portals`: what an operator sees of installations and decides about them. Holds no rule of its own.

use super::admin::{Admin, Problem};
use crate::identity::Unaccepted;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Methods and paths, for the test that holds `openapi/imbot.yaml` to them.
#[cfg(any(test, feature = "testing"))]
pub(super) const ROUTES: [(&str, &str); 3] = [
    ("get", "/api/v1/portals"),
    ("post", "/api/v1/portals/accept"),
    ("post", "/api/v1/portals/forget"),
];

/// Which installation is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meant {
    /// Its name, its host, or the beginning of its member_id.
    portal: String,
    /// The name it gets.
    name: Option<String>,
}

pub(super) fn router() -> Router<Arc<Admin>> {
    Router::new()
        .route("/api/v1/portals", get(list))
        .route("/api/v1/portals/accept", post(accept))
        .route("/api/v1/portals/forget", post(forget))
}

async fn list(State(admin): State<Arc<Admin>>) -> Response {
    match admin.identities.listed().await {
        Ok(list) => Json(list).into_response(),
        Err(error) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "storage_failed", error.to_string()).into_response()
        }
    }
}

async fn accept(State(admin): State<Arc<Admin>>, Json(meant): Json<Meant>) -> Response {
    told(
        "accept",
        admin.identities.accept(&meant.portal, meant.name.as_deref()).await,
    )
}

async fn forget(State(admin): State<Arc<Admin>>, Json(meant): Json<Meant>) -> Response {
    told("forget", admin.identities.forget(&meant.portal).await)
}

fn told(action: &'static str, done: Result<String, Unaccepted>) -> Response {
    let refused = match done {
        Ok(portal) => {
            tracing::info!(action, portal, "installation of {portal}: {action} by an operator");
            return Json(json!({ "portal": portal })).into_response();
        }
        Err(refused) => refused,
    };
    let status = match &refused {
        Unaccepted::Unknown => StatusCode::NOT_FOUND,
        Unaccepted::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    };
    Problem::new(status, "not_done", refused.to_string()).into_response()
}
