//! Connections: accepted, bounded in number and time, drained at the end. Knows nothing of what is served.
//!
//! Not `axum::serve`: it sets no timer, so a stalled request header would stay open for ever. Here hyper's own header
//! deadline is on, HTTP/1.1 only, and a permit bounds the connections (further ones wait in the kernel's queue).

use crate::lifecycle::Stop;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who is at the other end of the connection: a request's extension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// A request's headers must be here this long after its connection (or the answer before it).
const HEADER_DEADLINE: Duration = Duration::from_secs(5);
/// Connections at one time.
const CONNECTIONS: usize = 1_024;
/// Bytes of headers, and of a body's chunk in hyper's buffer.
const BUFFER: usize = 32 * 1024;
/// After the stop, open requests get this long to end.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until the stop, then drains.
///
/// # Errors
/// The socket cannot be used by this runtime.
pub(crate) async fn serve(listener: StdListener, router: Router, stop: Stop) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            biased;
            () = stop.softened() => break,
            (accepted, permit) = accept(&listener, &permits) => match accepted {
                Ok((stream, peer)) => connection(stream, peer, permit, &router, &graceful),
                Err(error) => {
                    // Out of file descriptors, mostly: a pause lets others close.
                    tracing::warn!(%error, "a connection could not be accepted");
                    pause().await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            "connections were still open {} s after the stop and were cut",
            DRAIN.as_secs()
        );
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (io::Result<(TcpStream, SocketAddr)>, Option<OwnedSemaphorePermit>) {
    // The permit first: a connection without one stays in the kernel's queue, where its sender waits instead of failing.
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    (listener.accept().await, permit)
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    permit: Option<OwnedSemaphorePermit>,
    router: &Router,
    graceful: &GracefulShutdown,
) {
    // Answers are one small packet: waiting to fill it only adds delay.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(BUFFER)
        .keep_alive(true)
        .serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        // A broken connection is the other side's affair; its request, if any, has been logged.
        let _ = watched.await;
        drop(permit);
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "connections live in real time, whatever clock the tests use"
)]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
