//! The portal's HTTP side: accepts connections, reads requests, applies faults, counter, identity and method in the
//! order of a real portal, and answers. Runs hyper itself, because a fault must be able to reset the connection.

use super::Shared;
use super::access::{Route, authorise};
use super::answer::{Refusal, error, html, success};
use super::fault::{Action, Shape, Strike};
use super::log::{Decision, LogEntry, redacted};
use super::methods::{Call, Method};
use super::params;
use crate::types::Timestamp;
use axum::body::{Body, to_bytes};
use axum::http::{Method as Verb, Request, Response, header, request::Parts};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value};
use std::error::Error as _;
use std::future::{pending, poll_fn};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A file of 100 MB in base64, with room for the rest.
const MAX_BODY: usize = 160 * 1024 * 1024;

/// The connection is to be reset, without an answer.
#[derive(Debug, thiserror::Error)]
#[error("reset by a fault")]
struct Cut;

/// Accepts connections until the portal is dropped.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file handles, most likely: give others a moment to close some.
            if tokio::time::timeout(Duration::from_millis(50), stop.cancelled())
                .await
                .is_ok()
            {
                return;
            }
            continue;
        };
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = converse(stream, peer.ip(), shared) => {}
            }
        });
    }
}

async fn converse(stream: TcpStream, peer: IpAddr, shared: Arc<Shared>) {
    // Only a delay of small answers is at stake.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { exchange(&shared, peer, request).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    if ended.is_err_and(|error| error.source().is_some_and(|source| source.is::<Cut>())) {
        // With no time to linger, closing sends RST instead of FIN. If that fails, it is a close without an answer.
        let _ = connection.into_parts().io.inner().set_zero_linger();
    }
}

/// One request as the log will tell it.
struct Heard {
    at: Timestamp,
    route: Route,
    source: String,
    bearer: Option<String>,
    params: Map<String, Value>,
}

async fn exchange(shared: &Arc<Shared>, peer: IpAddr, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let route = Route::of(parts.uri.path());
    let Some(route) = route.filter(|_| matches!(parts.method, Verb::GET | Verb::POST)) else {
        return Ok(html(404, "404 Not Found"));
    };
    let Ok(body) = to_bytes(Body::new(body), MAX_BODY).await else {
        return Ok(html(413, "413 Request Entity Too Large"));
    };
    let heard = Heard::new(shared.config.clock.now(), route, &parts, peer, &body);
    let strike = shared.state().faults.strike(&heard.route.method, heard.at);
    let delayed = !strike.delay.is_zero();
    let acting = act(Arc::clone(shared), heard, strike);
    if !delayed {
        return acting.await;
    }
    // A caller who loses patience hangs up, which ends this future; the call is carried out all the same.
    tokio::spawn(acting).await.unwrap_or(Err(Cut))
}

/// Does to the request what the faults decided, which mostly is nothing.
async fn act(shared: Arc<Shared>, heard: Heard, strike: Strike) -> Result<Response<Body>, Cut> {
    let shared = &shared;
    if !strike.delay.is_zero() {
        shared.config.clock.sleep_until(heard.at + strike.delay).await;
    }
    let fault = |action: &Action| Decision::Fault { name: action.name() };
    match strike.action {
        None | Some(Action::Delay(_)) => Ok(carry_out(shared, &heard, true)),
        Some(Action::ResetAfterExecution) => {
            carry_out(shared, &heard, false);
            Err(Cut)
        }
        Some(action @ Action::ResetBeforeExecution) => {
            shared.log(heard.entry("unknown", fault(&action), None));
            Err(Cut)
        }
        Some(action @ Action::Hang) => {
            shared.log(heard.entry("unknown", fault(&action), None));
            pending().await
        }
        Some(Action::Answer { status, code, shape }) => {
            let name = "answer";
            shared.log(heard.entry("unknown", Decision::Fault { name }, Some(status)));
            Ok(error(
                status,
                &code,
                "Injected by a fault of the emulated portal",
                shape,
            ))
        }
    }
}

/// Everything from the request counter on, without a pause: whoever hangs up meanwhile changes nothing.
fn carry_out(shared: &Arc<Shared>, heard: &Heard, answered: bool) -> Response<Body> {
    let now = shared.config.clock.now();
    let mut state = shared.state();
    let caller = authorise(
        &state.portal,
        &shared.config,
        &heard.route,
        heard.bearer.as_deref(),
        &heard.params,
        now,
    );
    let identity = caller
        .as_ref()
        .map_or_else(|_| "unknown".to_owned(), ToString::to_string);
    let admitted = state.buckets.admit(&heard.source, now);
    let done = if admitted { Ok(()) } else { Err(TOO_MANY) }
        .and_then(|()| Method::named(&heard.route.method).ok_or(NO_METHOD))
        .and_then(|method| caller.map(|caller| (method, caller)))
        .and_then(|(method, caller)| {
            let mut params = heard.params.clone();
            // The portal keeps these for itself.
            for name in ["auth", "access_token", "token", "state", "start"] {
                params.remove(name);
            }
            let (caller, params) = (&caller, &params);
            method.call(&Call { caller, params, now }, &mut state.portal)
        });
    let others = match &done {
        Ok(done) => shared.others_hear(&mut state, done.posted),
        Err(_) => Vec::new(),
    };
    drop(state);
    let (response, decision) = match done {
        Ok(done) => (
            success(&done.result, heard.at, shared.config.clock.now()),
            done.decision,
        ),
        Err(refusal) => {
            let code = refusal.code.to_owned();
            let response = error(refusal.status, refusal.code, refusal.description, Shape::Json);
            (response, Decision::Refused { code })
        }
    };
    let status = answered.then(|| response.status().as_u16());
    shared.log(heard.entry(&identity, decision, status));
    shared.deliver_later(others);
    response
}

const TOO_MANY: Refusal = Refusal::new(503, "QUERY_LIMIT_EXCEEDED", "Too many requests");
const NO_METHOD: Refusal = Refusal::new(404, "ERROR_METHOD_NOT_FOUND", "Method not found!");

impl Heard {
    fn new(at: Timestamp, route: Route, parts: &Parts, peer: IpAddr, body: &[u8]) -> Self {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let media = header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let posted = if parts.method == Verb::POST { body } else { &[] };
        Self {
            at,
            route,
            source: header("x-mock-source-ip").map_or_else(|| peer.to_string(), str::to_owned),
            bearer: header(header::AUTHORIZATION.as_str())
                .and_then(|value| value.strip_prefix("Bearer "))
                .map(str::to_owned),
            params: params::read(parts.uri.query().unwrap_or_default(), media, posted),
        }
    }

    fn entry(&self, identity: &str, decision: Decision, status: Option<u16>) -> LogEntry {
        LogEntry {
            at: self.at,
            method: self.route.method.clone(),
            identity: identity.to_owned(),
            params: redacted(&Value::Object(self.params.clone())),
            decision,
            status,
        }
    }
}
