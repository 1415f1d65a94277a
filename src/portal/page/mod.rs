//! The chat page at the portal's address: people, dialogs and an inspector, for a browser and nobody else. Its files
//! are in the program, so it needs no network. Changes the portal only through what people and the control API can do.
//!
//! ```text
//! browser  ->  guard  ->  assets | live (views, told as they change) | acts | details
//! ```

mod acts;
mod assets;
mod details;
mod guard;
mod live;
mod views;

use super::Portal;
use super::control::{acts as told_acts, faults};
use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{Request, Response};
use axum::routing::{get, post};
use tower::Service as _;

/// A file of 20 MB in base64, with room for the rest.
const MAX_BODY: usize = 28 * 1024 * 1024;

/// Whether a path is the page's.
pub(super) fn owns(path: &str) -> bool {
    path == "/" || path.starts_with("/_desk/")
}

/// The page of a portal. The handle must be one that does not keep the portal alive.
pub(super) fn router(portal: Portal) -> Router {
    let desk = Router::new()
        .route("/live", get(live::live))
        .route("/call/{number}", get(details::call))
        .route("/event/{number}", get(details::event))
        .route("/file/{id}", get(details::file))
        .route("/say", post(told_acts::say))
        .route("/press", post(acts::press))
        .route("/react", post(told_acts::react))
        .route("/edit", post(acts::edit))
        .route("/delete", post(acts::delete))
        .route("/open", post(acts::open))
        .route("/join", post(told_acts::join))
        .route("/context", post(told_acts::context))
        .route("/upload", post(acts::upload))
        .route("/burst", post(acts::burst))
        .route("/user", post(acts::user))
        .route("/group", post(acts::group))
        .route("/line", post(acts::line))
        .route("/faults", post(faults::add))
        .route("/faults/clear", post(faults::clear))
        .route("/faults/events", post(faults::add_event_fault))
        .route("/do", post(faults::act))
        .route("/restore", post(faults::restore))
        .route("/reset", post(told_acts::reset))
        .route("/clock", post(told_acts::advance))
        .route("/{file}", get(assets::file));
    Router::new()
        .route("/", get(assets::index))
        .nest("/_desk", desk)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(portal)
}

/// Answers a browser, if nobody else led it here.
pub(super) async fn answer(router: &Router, request: Request<Body>) -> Response<Body> {
    let mut response = match guard::admit(&request) {
        Ok(()) => {
            let answered = router.clone().call(request).await;
            answered.unwrap_or_else(|never| match never {})
        }
        Err(stranger) => stranger.respond(),
    };
    guard::harden(response.headers_mut());
    response
}
