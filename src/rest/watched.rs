//! For tests of this room and of those above it: look-ups and dials that are counted, a server with one answer, and the
//! endpoints of the hostile corpus. Checks nothing itself.

use super::client::Client;
use super::resolver::{Checked, Found, Lookup};
use super::transport::{Transport, builder};
use crate::wire::{self, Limits};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::{Layer, Service};

/// The `client_endpoint` of each event of the hostile corpus that names one to lure us to, with the `domain` beside it.
pub(crate) fn hostile() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/hostile");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.to_string_lossy().contains("_ssrf_")).collect();
    files.sort();
    assert_eq!(files.len(), 12, "x51 to x73");
    let told = |path: &std::path::PathBuf| {
        let body = std::fs::read(path).unwrap();
        let tree = wire::parse(&body, false, &Limits::default()).unwrap();
        let text = |key| {
            tree.root()
                .path(&["auth", key])
                .and_then(|node| Some(node.string()?.into_owned()))
        };
        (text("client_endpoint").unwrap(), text("domain").unwrap())
    };
    files.iter().map(told).collect()
}

/// Answers each look-up with the next of its addresses, and counts.
pub(crate) struct Script {
    answers: Vec<IpAddr>,
    pub(crate) asked: AtomicUsize,
}

impl Script {
    pub(crate) fn of(answers: &[&str]) -> Arc<Self> {
        Arc::new(Self {
            answers: answers.iter().map(|text| text.parse().unwrap()).collect(),
            asked: AtomicUsize::new(0),
        })
    }
}

impl Lookup for Script {
    fn find(&self, _: &str) -> Found {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers[asked.min(self.answers.len() - 1)];
        Box::pin(async move { Ok(vec![answer]) })
    }
}

/// Counts connections that are begun.
#[derive(Clone, Default)]
pub(crate) struct Dials(pub(crate) Arc<AtomicUsize>);

impl<S> Layer<S> for Dials {
    type Service = Counted<S>;
    fn layer(&self, inner: S) -> Counted<S> {
        Counted(inner, self.clone())
    }
}

#[derive(Clone)]
pub(crate) struct Counted<S>(S, Dials);

impl<R, S: Service<R>> Service<R> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }
    fn call(&mut self, request: R) -> S::Future {
        self.1.0.fetch_add(1, Ordering::Relaxed);
        self.0.call(request)
    }
}

/// A client whose look-ups are answered so and not checked, and whose dials are counted.
pub(crate) fn client(lookup: &Arc<Script>) -> (Client, Dials) {
    let (http, dials) = watched(lookup, |_| false);
    (Client { http }, dials)
}

/// A transport whose look-ups are answered and checked so, and whose dials are counted.
pub(super) fn watched(lookup: &Arc<Script>, refuses: fn(IpAddr) -> bool) -> (Transport, Dials) {
    let dials = Dials::default();
    let checked = |refuses| {
        let lookup: Arc<dyn Lookup> = Arc::clone(lookup) as _;
        builder()
            .dns_resolver(Checked { lookup, refuses })
            .connector_layer(dials.clone())
            .build()
            .unwrap()
    };
    (Transport::of(checked(refuses), checked(refuses)).unwrap(), dials)
}

/// A server that gives every request this answer, and counts them.
pub(crate) async fn server(address: &str, answer: String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, heard)
}

/// One HTTP answer, with its length.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}
