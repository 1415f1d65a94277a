//! The door: what the outside may ask, and who is let in. Imports `wire`, `event`, `store`, `identity`, `telemetry`, and
//! `dispatch` for its outbox; runs no handler and calls nobody.

mod admin;
mod calls;
mod gate;
mod knocks;
mod listener;
mod portals;
mod probe;
mod rejection;
mod server;
mod shell;
mod verified;
mod webhook;

pub(crate) use admin::{Admin, admin_router, queue_named};
#[cfg(any(test, feature = "testing"))]
pub(crate) use gate::FORBIDDEN;
pub(crate) use gate::Gate;
pub(crate) use listener::{Doors, open};
pub(crate) use probe::{EVENT as PROBE_EVENT, Probes, proof};
#[cfg(any(test, feature = "testing"))]
pub(crate) use rejection::reasons;
pub(crate) use server::serve;
pub(crate) use verified::{Door, Observer, Seen};
pub(crate) use webhook::public_router;

/// Every method and path that is served, as `openapi/imbot.yaml` must describe them. The webhook's path is the default one.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn routes() -> Vec<(&'static str, &'static str)> {
    let mut routes = vec![("get", "/webhook"), ("head", "/webhook"), ("post", "/webhook")];
    routes.push(("post", "/api/v1/calls"));
    routes.extend(admin::PATHS);
    routes.extend(portals::ROUTES);
    routes.extend(admin::CHANGES);
    routes.extend(admin::BOT_ROUTES);
    routes
}
