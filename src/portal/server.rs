//! The portal's HTTP side: accepts connections, reads requests, asks the faults, and answers. Runs hyper itself,
//! because a fault must be able to reset the connection. What a call does is in `carry`.

use super::Shared;
use super::access::Route;
use super::answer::Answer;
use super::carry::{Outcome, carry_out};
use super::fault::{Action, Strike, Target};
use super::heard::Heard;
use super::log::Decision;
use super::spoil;
use super::{deeds, download, oauth, page};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method as Verb, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
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

/// What answers at one address.
#[derive(Clone)]
pub(super) struct Face {
    pub(super) shared: Arc<Shared>,
    /// This is the authorisation server's own address.
    pub(super) authorisation: bool,
    /// The chat page, where there is one.
    pub(super) page: Option<Router>,
}

/// Accepts connections until the portal is dropped.
pub(super) async fn accept(listener: TcpListener, face: Face, stop: CancellationToken) {
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
        let (face, stop) = (face.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = converse(stream, peer.ip(), face) => {}
            }
        });
    }
}

async fn converse(stream: TcpStream, peer: IpAddr, face: Face) {
    // Only a delay of small answers is at stake.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let face = face.clone();
        Box::pin(async move { exchange(&face, peer, request).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    if ended.is_err_and(|error| error.source().is_some_and(|source| source.is::<Cut>())) {
        // With no time to linger, closing sends RST instead of FIN. If that fails, it is a close without an answer.
        let _ = connection.into_parts().io.inner().set_zero_linger();
    }
}

async fn exchange(face: &Face, peer: IpAddr, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
    if let Some(router) = face.page.as_ref().filter(|_| page::owns(request.uri().path())) {
        return Ok(page::answer(router, request.map(Body::new)).await);
    }
    let (shared, authorisation) = (&face.shared, face.authorisation);
    let (parts, body) = request.into_parts();
    let page = |status, title| Ok(Answer::html(status, title).respond(None));
    if !matches!(parts.method, Verb::GET | Verb::POST) {
        return page(404, "404 Not Found");
    }
    let Ok(body) = to_bytes(Body::new(body), MAX_BODY).await else {
        return page(413, "413 Request Entity Too Large");
    };
    let route = oauth::route(&parts, authorisation, &shared.config.authorisation_host);
    let route = route.or_else(|| Route::of(parts.uri.path()));
    let Some(route) = route else {
        return page(404, "404 Not Found");
    };
    let mut heard = Heard::new(shared.config.clock.now(), route, &parts, peer, &body);
    let strike = {
        let mut state = shared.state();
        let identity = heard.identity(&state.portal);
        let target = Target {
            method: &heard.route.method,
            identity: &identity,
            host: &shared.config.host,
            in_batch: false,
        };
        state.faults.strike(target, heard.at)
    };
    heard.faults = names(&strike);
    let delayed = !strike.delay.is_zero();
    let acting = act(Arc::clone(shared), heard, strike);
    if !delayed {
        return acting.await;
    }
    // A caller who loses patience hangs up, which ends this future; the call is carried out all the same.
    tokio::spawn(acting).await.unwrap_or(Err(Cut))
}

fn names(strike: &Strike) -> Vec<&'static str> {
    let delay = (!strike.delay.is_zero()).then_some("delay");
    let deeds = strike.deeds.iter().map(deeds::name);
    let action = strike.action.as_ref().map(Action::name);
    delay.into_iter().chain(deeds).chain(action).collect()
}

/// Does to the request what the faults decided, which mostly is nothing.
async fn act(shared: Arc<Shared>, heard: Heard, strike: Strike) -> Result<Response<Body>, Cut> {
    let shared = &shared;
    if !strike.delay.is_zero() {
        shared.config.clock.sleep_until(heard.at + strike.delay).await;
    }
    for deed in &strike.deeds {
        shared.state().apply(deed, &heard.source, shared.config.clock.now());
    }
    let struck = |action: &Action, status| {
        let name = action.name();
        shared.log(heard.entry("unknown", Decision::Fault { name }, status));
    };
    match strike.action {
        None | Some(Action::Delay(_) | Action::Do(_)) => plain(served(shared, &heard, true)),
        Some(Action::ResetAfterExecution) => {
            served(shared, &heard, false);
            Err(Cut)
        }
        Some(ref action @ Action::ResetBeforeExecution) => {
            struck(action, None);
            Err(Cut)
        }
        Some(ref action @ Action::Hang) => {
            struck(action, None);
            pending().await
        }
        Some(ref action @ (Action::Answer { .. } | Action::Body { .. })) => {
            let answer = spoil::injected(action);
            struck(action, Some(answer.status));
            Ok(answer.respond(None))
        }
        Some(action) => match served(shared, &heard, true) {
            Outcome::Answer(answer) => Ok(spoil::spoiled(&action, answer, &shared.config.clock)),
            Outcome::Cut => Err(Cut),
        },
    }
}

fn plain(outcome: Outcome) -> Result<Response<Body>, Cut> {
    match outcome {
        Outcome::Answer(answer) => Ok(answer.respond(None)),
        Outcome::Cut => Err(Cut),
    }
}

fn served(shared: &Arc<Shared>, heard: &Heard, answered: bool) -> Outcome {
    if heard.route.webhook.is_none() {
        if let Some(answer) = oauth::serve(shared, heard) {
            return Outcome::Answer(answer);
        }
        if let Some(answer) = download::serve(shared, heard) {
            return Outcome::Answer(answer);
        }
    }
    carry_out(shared, heard, answered)
}
