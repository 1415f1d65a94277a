//! The control API: everything that the handle can do, over HTTP on a port of its own. Only for tests and people at
//! their desk: it asks nobody who they are, so it listens where its caller said and nowhere else.

pub(super) mod acts;
pub(super) mod faults;
mod views;

use super::Portal;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers until the portal stops.
pub(super) async fn serve(listener: TcpListener, portal: Portal, stop: CancellationToken) {
    let serving = axum::serve(listener, router(portal)).with_graceful_shutdown(async move { stop.cancelled().await });
    // Fails only if the listener does, and then nobody is left to tell.
    let _ = serving.await;
}

fn router(portal: Portal) -> Router {
    let routes = Router::new()
        .route("/", get(listing))
        .route("/faults", get(faults::list).post(faults::add).delete(faults::clear))
        .route("/events/faults", post(faults::add_event_fault))
        .route("/do", post(faults::act))
        .route("/profile", post(faults::profile))
        .route("/seed", post(faults::seed))
        .route("/restore", post(faults::restore))
        .route("/clock", get(views::clock).post(acts::advance))
        .route("/log", get(views::log))
        .route("/messages", get(views::messages))
        .route("/deliveries", get(views::deliveries))
        .route("/state", get(views::state))
        .route("/reset", post(acts::reset))
        .route("/say", post(acts::say))
        .route("/command", post(acts::command))
        .route("/press", post(acts::press))
        .route("/react", post(acts::react))
        .route("/edit", post(acts::edit))
        .route("/delete", post(acts::delete))
        .route("/join", post(acts::join))
        .route("/context", post(acts::context))
        .route("/burst", post(acts::burst))
        .route("/user", post(acts::user))
        .route("/chat", post(acts::chat))
        .route("/line", post(acts::line))
        .route("/install", post(acts::install))
        .route("/uninstall", post(acts::uninstall))
        .route("/update", post(acts::update))
        .route("/token", post(acts::token))
        .route("/code", post(acts::code));
    Router::new()
        .route("/_mock/", get(listing))
        .nest("/_mock", routes)
        .with_state(portal)
}

/// What can be asked, for people with nothing but curl.
async fn listing() -> Told {
    told(json!({
        "POST /_mock/faults": "{match: {method?, portal?, identity?, nth?, every?, probability?, in_batch?}, times?, action}, \
            or a list of these; GET lists, DELETE clears",
        "action": faults::ACTIONS,
        "POST /_mock/do": "{action}: done at once",
        "POST /_mock/events/faults": "{fault: duplicate | reorder | wrong_token | missing_auth | unknown_event | large_text | \
            wrong_content_type | {delay_ms} | {slow_send_ms}, event?, times?}",
        "POST /_mock/profile": "{profile: strict | observed | hostile, seed?}",
        "POST /_mock/seed": "{seed}",
        "POST /_mock/restore": "undoes what was done to the portal",
        "POST /_mock/reset": "everything as at the start",
        "POST /_mock/clock": "{advance_s}; GET tells the time",
        "POST /_mock/say": "{user, dialog, text}",
        "POST /_mock/command": "{user, dialog, command, params?}",
        "POST /_mock/press": "{user, message, button}",
        "POST /_mock/react": "{user, message, reaction, action?: add | delete}",
        "POST /_mock/edit": "{message, text}",
        "POST /_mock/delete": "{message}",
        "POST /_mock/join": "{user, bot, dialog}",
        "POST /_mock/context": "{user, bot, context}",
        "POST /_mock/burst": "{dialog, count, text?, first_user?}",
        "POST /_mock/user": "{id, name}",
        "POST /_mock/chat": "{id, members}",
        "POST /_mock/line": "{chat, guest, bot}",
        "POST /_mock/install": "{bot} or {app, secret?, application_token?, scope?, handler?}",
        "POST /_mock/uninstall": "{bot}",
        "POST /_mock/update": "{bot, application_token}",
        "POST /_mock/token": "{app, user}",
        "POST /_mock/code": "{app, user}",
        "GET /_mock/log": "?method=",
        "GET /_mock/messages": "?chat= or ?dialog=",
        "GET /_mock/deliveries": "every event sent",
        "GET /_mock/state": "bots, users, chats",
    }))
}

/// Why the control API did not do it: a text for the person who asked.
#[derive(Debug)]
pub(super) struct Wrong(pub(super) String);

impl Wrong {
    pub(super) fn because(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": self.0 }))).into_response()
    }
}

pub(super) type Told = Result<axum::Json<Value>, Wrong>;

pub(super) fn told(value: Value) -> Told {
    Ok(axum::Json(value))
}

/// The body of a request: JSON whatever its content type, so that a bare `curl -d` will do; nothing is `{}`.
pub(super) struct Asked(pub(super) Value);

impl<S: Send + Sync> axum::extract::FromRequest<S> for Asked {
    type Rejection = Wrong;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Wrong> {
        let bytes = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(Wrong::because)?;
        if bytes.is_empty() {
            return Ok(Self(json!({})));
        }
        let parsed = serde_json::from_slice(&bytes);
        parsed
            .map(Self)
            .map_err(|error| Wrong(format!("the body is no JSON: {error}")))
    }
}

impl Asked {
    pub(super) fn text(&self, name: &str) -> Result<&str, Wrong> {
        self.0[name]
            .as_str()
            .ok_or_else(|| Wrong(format!("`{name}` is missing: expected text")))
    }

    pub(super) fn int(&self, name: &str) -> Result<i64, Wrong> {
        let value = super::access::whole(&self.0[name]);
        value.ok_or_else(|| Wrong(format!("`{name}` is missing: expected a whole number")))
    }

    fn seconds(&self, name: &str) -> Result<std::time::Duration, Wrong> {
        duration(&self.0[name], 1.0).ok_or_else(|| Wrong(format!("`{name}` is missing: expected seconds")))
    }

    /// A dialog, also where it is a bare number.
    pub(super) fn dialog(&self) -> Result<String, Wrong> {
        match &self.0["dialog"] {
            Value::Number(number) => Ok(number.to_string()),
            _ => self.text("dialog").map(str::to_owned),
        }
    }
}

/// A time that is not negative, in units of so many seconds.
fn duration(value: &Value, unit: f64) -> Option<std::time::Duration> {
    let number = value.as_f64()?;
    std::time::Duration::try_from_secs_f64(number * unit).ok()
}
