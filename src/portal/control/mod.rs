//! The control API: everything that the handle can do, over HTTP on a port of its own. Only for tests and people at
//! their desk: it asks nobody who they are, so it listens where its caller said and nowhere else.

mod acts;
mod faults;
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
    Router::new().nest("/_mock", routes).with_state(portal)
}

/// Why the control API did not do it: a text for the person who asked.
#[derive(Debug)]
struct Wrong(String);

impl Wrong {
    fn because(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": self.0 }))).into_response()
    }
}

type Told = Result<axum::Json<Value>, Wrong>;

fn told(value: Value) -> Told {
    Ok(axum::Json(value))
}

/// The body of a request: JSON whatever its content type, so that a bare `curl -d` will do; nothing is `{}`.
struct Asked(Value);

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
    fn text(&self, name: &str) -> Result<&str, Wrong> {
        self.0[name]
            .as_str()
            .ok_or_else(|| Wrong(format!("`{name}` is missing: expected text")))
    }

    fn int(&self, name: &str) -> Result<i64, Wrong> {
        let value = super::access::whole(&self.0[name]);
        value.ok_or_else(|| Wrong(format!("`{name}` is missing: expected a whole number")))
    }

    fn seconds(&self, name: &str) -> Result<std::time::Duration, Wrong> {
        duration(&self.0[name], 1.0).ok_or_else(|| Wrong(format!("`{name}` is missing: expected seconds")))
    }

    /// A dialog, also where it is a bare number.
    fn dialog(&self) -> Result<String, Wrong> {
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
