//! The page's live feed: server-sent events, first everything, then what differs. Looks when the state says that it may
//! have changed; changes nothing.

use super::super::Portal;
use super::super::shared::{Locked, Shared};
use super::views;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, header};
use hyper::body::{Body as HttpBody, Frame};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// A page that opens sees so many messages, calls and events back.
const MESSAGES: usize = 600;
const LINES: usize = 300;
/// Changes are gathered for so long, so that fifty at once are a few updates and not fifty.
const GATHERED: Duration = Duration::from_millis(40);
/// A silent connection is told that it lives.
const SILENCE: Duration = Duration::from_secs(15);

pub(super) async fn live(State(portal): State<Portal>) -> Response<Body> {
    let (tell, told) = mpsc::channel(16);
    let address = portal.page();
    tokio::spawn(follow(Arc::clone(portal.shared()), address, tell));
    let mut response = Response::new(Body::new(Feed(told)));
    let media = header::HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}

/// The body of a feed; ends when its writer does.
struct Feed(mpsc::Receiver<Bytes>);

impl HttpBody for Feed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Writes until the browser is gone.
async fn follow(shared: Arc<Shared>, address: String, tell: mpsc::Sender<Bytes>) {
    let mut changes = shared.changes.subscribe();
    let mut known = Known::default();
    let mut first = known.news(&shared);
    first.insert("portal".to_owned(), views::portal(&shared, &address));
    if tell.send(written("hello", &first)).await.is_err() {
        return;
    }
    let mut pace = tokio::time::interval(GATHERED);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silence = tokio::time::interval(SILENCE);
    loop {
        let sent = tokio::select! {
            () = tell.closed() => return,
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                pace.tick().await;
                changes.mark_unchanged();
                let news = known.news(&shared);
                if news.len() == ALWAYS {
                    continue;
                }
                tell.send(written("news", &news)).await
            }
            _ = silence.tick() => tell.send(Bytes::from_static(b": still here\n\n")).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// JSON has no bare line ends, so it is one line.
fn written(name: &str, news: &Map<String, Value>) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {}\n\n", Value::Object(news.clone())))
}

/// The keys that news always has: `now` and `level`.
const ALWAYS: usize = 2;

/// What a browser was told.
#[derive(Default)]
struct Known {
    parts: BTreeMap<&'static str, Value>,
    messages: HashMap<i64, u64>,
    calls: u64,
    events: u64,
}

impl Known {
    /// What differs from what was told.
    fn news(&mut self, shared: &Shared) -> Map<String, Value> {
        let now = shared.config.clock.now();
        let state = shared.state();
        let mut news = Map::new();
        news.insert("now".to_owned(), now.0.into());
        news.insert("level".to_owned(), state.buckets.height(now).into());
        for (name, part) in views::parts(&state, now) {
            if self.parts.get(name) != Some(&part) {
                news.insert(name.to_owned(), part.clone());
                self.parts.insert(name, part);
            }
        }
        let mut add = |name: &str, values: Vec<Value>| {
            if !values.is_empty() {
                news.insert(name.to_owned(), values.into());
            }
        };
        add("messages", self.messages(&state));
        let gone: Vec<i64> = self.messages.keys().copied().collect();
        let gone = gone.into_iter().filter(|id| !state.portal.messages.contains_key(id));
        let gone: Vec<i64> = gone.collect();
        self.messages.retain(|id, _| !gone.contains(id));
        add("gone", gone.into_iter().map(Value::from).collect());
        add("calls", lines(&state.log, state.logged, &mut self.calls, views::call));
        add(
            "events",
            lines(&state.deliveries, state.delivered, &mut self.events, views::event),
        );
        news
    }

    fn messages(&mut self, state: &Locked) -> Vec<Value> {
        let mut told = Vec::new();
        for (id, message) in state.portal.messages.iter().rev().take(MESSAGES) {
            let view = views::message(&state.portal, message);
            let mut hasher = DefaultHasher::new();
            view.hash(&mut hasher);
            let hash = hasher.finish();
            if self.messages.insert(*id, hash) != Some(hash) {
                told.push(view);
            }
        }
        told.reverse();
        told
    }
}

/// The lines of a log that were not told yet; `told` is the number of the last one that was.
fn lines<T>(log: &VecDeque<T>, last: u64, told: &mut u64, view: fn(u64, &T) -> Value) -> Vec<Value> {
    let fresh = usize::try_from(last.saturating_sub(*told)).unwrap_or(usize::MAX);
    let shown = fresh.min(log.len()).min(LINES);
    *told = last;
    let numbers = last - shown as u64 + 1..=last;
    numbers
        .zip(log.range(log.len() - shown..))
        .map(|(number, line)| view(number, line))
        .collect()
}

/// The place in a log of the line with this number, if it is still kept.
pub(super) fn place<T>(log: &VecDeque<T>, last: u64, number: u64) -> Option<&T> {
    let back = usize::try_from(last.checked_sub(number)?).ok()?;
    log.get(log.len().checked_sub(back + 1)?)
}
