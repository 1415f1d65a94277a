//! `POST /api/v1/rotate-token` and `/api/v1/event-mode`: changes of a bot that take more than one step. Answers how far one
//! is; carries nothing on itself and sees no token.

use super::{Admin, Problem};
use crate::identity::Unchanged;
use crate::rest::AskError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Methods and paths, for the test that holds `openapi/imbot.yaml` to them.
#[cfg(any(test, feature = "testing"))]
pub(in crate::http) const ROUTES: [(&str, &str); 2] =
    [("post", "/api/v1/rotate-token"), ("post", "/api/v1/event-mode")];

/// Which bot.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meant {
    /// By the name of the configuration.
    portal: String,
    /// Its code, or its number as text.
    code: Option<String>,
    bot: Option<i64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Webhook,
    Fetch,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    portal: String,
    code: Option<String>,
    bot: Option<i64>,
    mode: Mode,
}

pub(super) fn router() -> Router<Arc<Admin>> {
    Router::new()
        .route("/api/v1/rotate-token", post(rotate))
        .route("/api/v1/event-mode", post(switch))
}

impl Meant {
    /// The bot as a text: a code, or a number.
    fn name(&self) -> Result<String, Problem> {
        match (&self.code, self.bot) {
            (Some(code), None) => Ok(code.clone()),
            (None, Some(bot)) => Ok(bot.to_string()),
            _ => {
                let detail = "name one bot: its code, or its number";
                Err(Problem::new(StatusCode::BAD_REQUEST, "wrong_selection", detail))
            }
        }
    }
}

async fn rotate(State(admin): State<Arc<Admin>>, Json(meant): Json<Meant>) -> Result<Json<Value>, Problem> {
    let (portal, bot) = (admin.portal(&meant.portal)?, meant.name()?);
    let done = admin.changes.rotate(portal, &bot).await;
    told("rotate-token", &meant.portal, &bot, done)
}

async fn switch(State(admin): State<Arc<Admin>>, Json(wanted): Json<Wanted>) -> Result<Json<Value>, Problem> {
    let Wanted {
        portal,
        code,
        bot,
        mode,
    } = wanted;
    let meant = Meant { portal, code, bot };
    let (portal, bot) = (admin.portal(&meant.portal)?, meant.name()?);
    let done = admin.changes.switch(portal, &bot, matches!(mode, Mode::Fetch)).await;
    told("event-mode", &meant.portal, &bot, done)
}

fn told(action: &'static str, portal: &str, bot: &str, done: Result<Value, Unchanged>) -> Result<Json<Value>, Problem> {
    match done {
        Ok(view) => {
            tracing::info!(
                action,
                portal,
                bot,
                state = view["state"].as_str(),
                "asked for by an operator"
            );
            Ok(Json(view))
        }
        Err(why) => {
            tracing::warn!(action, portal, bot, outcome = %why, "asked for by an operator");
            Err(problem(&why))
        }
    }
}

fn problem(why: &Unchanged) -> Problem {
    let (status, reason) = match why {
        Unchanged::NoBot(_) => (StatusCode::NOT_FOUND, "no_such_bot"),
        Unchanged::NoToken => (StatusCode::CONFLICT, "no_token"),
        Unchanged::NoAddress => (StatusCode::CONFLICT, "no_event_url"),
        Unchanged::Busy => (StatusCode::CONFLICT, "busy"),
        Unchanged::Refused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "refused"),
        Unchanged::NotDone => (StatusCode::BAD_GATEWAY, "not_done"),
        Unchanged::Unasked(AskError::NoIdentity | AskError::Parked(_)) => (StatusCode::CONFLICT, "parked"),
        Unchanged::Unasked(_) => (StatusCode::SERVICE_UNAVAILABLE, "no_budget"),
        Unchanged::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "storage_failed"),
        Unchanged::Random(_) | Unchanged::Broke => (StatusCode::INTERNAL_SERVER_ERROR, "broke"),
    };
    Problem::new(status, reason, why.to_string())
}
