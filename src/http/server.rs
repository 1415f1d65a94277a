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
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
    let open = TaskTracker::new();
    loop {
        tokio::select! {
            biased;
            () = stop.softened() => break,
            (accepted, permit) = accept(&listener, &permits) => match accepted {
                Ok((stream, peer)) => {
                    open.spawn(connection(stream, peer, permit, router.clone(), stop.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, mostly: a pause lets others close.
                    tracing::warn!(%error, "a connection could not be accepted");
                    pause().await;
                }
            },
        }
    }
    drop(listener);
    open.close();
    let drained = stop.unless_hard(tokio::time::timeout(DRAIN, open.wait())).await;
    if !matches!(drained, Some(Ok(()))) {
        tracing::warn!(
            open = open.len(),
            "connections were still open after the stop and were cut"
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

/// Serves one connection. After the stop it ends with the answer to its first request, or to the one under way: a
/// sender whose connection was accepted just before the stop posts its event once, and must not find it closed.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    permit: Option<OwnedSemaphorePermit>,
    router: Router,
    stop: Stop,
) {
    // Answers are one small packet: waiting to fill it only adds delay.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let begun = CancellationToken::new();
    let first = begun.clone();
    let asked = AtomicBool::new(false);
    let service = service_fn(move |mut request: Request<Incoming>| {
        // Cancelling takes a lock each time.
        if !asked.swap(true, Ordering::Relaxed) {
            first.cancel();
        }
        request.extensions_mut().insert(Peer(peer.ip()));
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(BUFFER)
        .keep_alive(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let last_request = async {
        stop.softened().await;
        // hyper would close a connection that has sent nothing yet. Its header deadline ends those that never do.
        begun.cancelled().await;
    };
    // A broken connection is the other side's affair; its request, if any, has been logged.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = last_request => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
    drop(permit);
}

#[expect(
    clippy::disallowed_methods,
    reason = "connections live in real time, whatever clock the tests use"
)]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn ask(mut stream: TcpStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn a_connection_accepted_before_the_stop_is_answered_after_it() {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Stop::new();
        let router = Router::new().route("/", get(|| async { "here" }));
        let serving = tokio::spawn(serve(listener, router, stop.clone()));
        let early = TcpStream::connect(address).await.unwrap();
        // Connections are accepted in their order: once this one is answered, the one before it is accepted.
        let later = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask(later).await, "HTTP/1.1 200");
        stop.soft();
        // The listener is closed once the stop has been seen.
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask(early).await, "HTTP/1.1 200");
        serving.await.unwrap().unwrap();
    }
}
