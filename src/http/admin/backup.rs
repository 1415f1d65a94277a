//! `POST /api/v1/backup`: a copy of the store as of this moment, in the store's own folder, for the command that fetches it.

use super::{Admin, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn backup(State(admin): State<Arc<Admin>>) -> Result<Json<Value>, Problem> {
    let copy = admin.store.copy_here().await.map_err(|error| {
        tracing::error!(%error, "the store could not be copied");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "storage_failed", error.to_string())
    })?;
    // Absolute: whoever asks may stand in another folder.
    let file = std::path::absolute(&copy.file).unwrap_or(copy.file);
    Ok(Json(
        json!({ "file": file, "bytes": copy.bytes, "schema": copy.schema }),
    ))
}
