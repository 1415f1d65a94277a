//! Captures: bodies as they came, without their credentials, as files for a while. Owns what is kept, for how long, and the
//! thread that writes. Never slows or refuses an event: what finds the queue full or the disk unwilling is dropped and
//! counted.

mod folder;
mod line;
#[cfg(test)]
mod tests;

pub(crate) use line::{Line, MANIFEST, drop_file, lines};

use crate::telemetry;
use crate::types::{Clock, Timestamp};
use axum::body::Bytes;
use folder::Folder;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bodies waiting to be written, in number and together in bytes.
const WAITING: usize = 256;
const WAITING_BYTES: usize = 16 << 20;
/// How often the thread looks for what has grown old, in real time.
const LOOK: Duration = Duration::from_secs(5);
/// How long a stop waits for what is being written.
const LAST: Duration = Duration::from_secs(5);

/// What is kept, where, for how long.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) path: PathBuf,
    /// Bodies that were refused, repeated or ignored as well.
    pub(crate) all: bool,
    /// Of the folder, manifest included.
    pub(crate) max_bytes: u64,
    pub(crate) max_files: usize,
    pub(crate) max_age: Duration,
    /// Nothing is captured later than this after the start.
    pub(crate) stop_after: Duration,
    pub(crate) redact_text: bool,
}

/// A body and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) received: Timestamp,
    /// As the request said it; empty if it did not.
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

/// What became of a body, and whose it is as far as that is proven.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    /// `accepted`, `quarantined`, `duplicate`, `ignored`, `installation` or `refused`.
    pub(crate) outcome: &'static str,
    /// Why it was refused.
    pub(crate) reason: Option<&'static str>,
    pub(crate) portal: Option<String>,
    pub(crate) event: Option<String>,
}

/// The door's way to the captures. Without `[capture]` there are none.
#[derive(Clone, Default)]
pub(crate) struct Capture(Option<Arc<Shared>>);

struct Shared {
    terms: Terms,
    clock: Clock,
    until: Timestamp,
    /// `None` once the server stops.
    sender: Mutex<Option<SyncSender<(Taken, Fate)>>>,
    ended: Mutex<Option<Receiver<()>>>,
    waiting_bytes: AtomicUsize,
    books: Arc<Books>,
}

/// What is told of the captures.
#[derive(Default)]
struct Books {
    kept: AtomicU64,
    dropped: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    /// The disk did not take the last one.
    failing: AtomicBool,
    /// Why there are none at all.
    trouble: Mutex<Option<String>>,
}

impl Capture {
    /// Opens the folder and starts the thread. What is wrong with the folder is said, and nothing is captured: a capture
    /// must not keep a server from its work.
    pub(crate) fn start(terms: Terms, clock: &Clock) -> Self {
        telemetry::captures_begin();
        let (sender, jobs) = sync_channel(WAITING);
        let (end, ended) = sync_channel(1);
        let shared = Arc::new(Shared {
            until: clock.now() + terms.stop_after,
            clock: clock.clone(),
            sender: Mutex::new(Some(sender)),
            ended: Mutex::new(Some(ended)),
            waiting_bytes: AtomicUsize::new(0),
            books: Arc::default(),
            terms,
        });
        let opened = Folder::open(&shared.terms, clock.now()).and_then(|folder| {
            let shared = Arc::clone(&shared);
            let writer = move || {
                write(folder, &shared, &jobs);
                // Nobody may be waiting any more.
                let _ = end.send(());
            };
            let name = "imbot-capture".to_owned();
            std::thread::Builder::new()
                .name(name)
                .spawn(writer)
                .map_err(|error| error.to_string())
        });
        match opened {
            Ok(_) => shared.announce(),
            Err(error) => {
                tracing::error!("[capture] is on, but nothing is captured: {error}");
                *lock(&shared.books.trouble) = Some(error);
                lock(&shared.sender).take();
            }
        }
        Self(Some(shared))
    }

    /// Whether any body may be wanted now: then the door keeps it until its end is known.
    pub(crate) fn is_on(&self) -> bool {
        let on = |shared: &Arc<Shared>| shared.clock.now() < shared.until && lock(&shared.books.trouble).is_none();
        self.0.as_ref().is_some_and(on)
    }

    /// Hands a body over, if bodies with this end are kept.
    pub(crate) fn keep(&self, taken: Taken, fate: Fate) {
        let Some(shared) = &self.0 else { return };
        if !self.is_on() || !(shared.terms.all || matches!(fate.outcome, "accepted" | "quarantined")) {
            return;
        }
        let size = taken.body.len();
        let before = shared.waiting_bytes.fetch_add(size, Relaxed);
        let room = before == 0 || before.saturating_add(size) <= WAITING_BYTES;
        let sent = room
            && lock(&shared.sender)
                .as_ref()
                .is_some_and(|to| to.try_send((taken, fate)).is_ok());
        if !sent {
            shared.waiting_bytes.fetch_sub(size, Relaxed);
            shared.books.dropped("queue_full");
        }
    }

    /// For `/readyz` and the status; `None` without `[capture]`.
    pub(crate) fn view(&self) -> Option<Value> {
        let shared = self.0.as_ref()?;
        let books = &shared.books;
        Some(json!({
            "on": self.is_on(),
            "keep": if shared.terms.all { "all" } else { "accepted" },
            "until": shared.until.rfc3339(),
            "redactText": shared.terms.redact_text,
            "folder": shared.terms.path.display().to_string(),
            "files": books.files.load(Relaxed),
            "bytes": books.bytes.load(Relaxed),
            "kept": books.kept.load(Relaxed),
            "dropped": books.dropped.load(Relaxed),
            "trouble": *lock(&books.trouble),
        }))
    }

    /// Takes nothing more, and waits a moment for what is being written. Blocks.
    pub(crate) fn finish(&self) {
        let Some(shared) = &self.0 else { return };
        lock(&shared.sender).take();
        let ended = lock(&shared.ended).take();
        if ended.is_some_and(|ended| ended.recv_timeout(LAST) == Err(RecvTimeoutError::Timeout)) {
            tracing::warn!("the last captures were not written in time and are missing");
        }
    }
}

impl Shared {
    fn announce(&self) {
        let (keep, texts) = (
            if self.terms.all {
                "every body"
            } else {
                "each accepted body"
            },
            if self.terms.redact_text {
                "texts and names"
            } else {
                "credentials alone"
            },
        );
        tracing::warn!(
            "[capture] keeps {keep} in {} until {}, for {} h at most; {texts} are taken out",
            self.terms.path.display(),
            self.until.rfc3339(),
            self.terms.max_age.as_secs().div_ceil(3600)
        );
    }
}

impl Books {
    fn dropped(&self, reason: &'static str) {
        self.dropped.fetch_add(1, Relaxed);
        telemetry::capture("dropped", reason);
    }

    fn stands(&self, folder: &Folder) {
        self.files.store(folder.len() as u64, Relaxed);
        self.bytes.store(folder.bytes(), Relaxed);
    }
}

/// The thread: writes what comes and removes what has grown old, until the server stops.
fn write(mut folder: Folder, shared: &Shared, jobs: &Receiver<(Taken, Fate)>) {
    let books = &shared.books;
    let mut over = false;
    books.stands(&folder);
    loop {
        match jobs.recv_timeout(LOOK) {
            Ok((taken, fate)) => {
                let size = taken.body.len();
                one(&mut folder, shared, &taken, &fate);
                shared.waiting_bytes.fetch_sub(size, Relaxed);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        folder.prune(shared.clock.now());
        books.stands(&folder);
        if !over && shared.clock.now() >= shared.until {
            over = true;
            tracing::info!(
                "[capture] is over: nothing more is captured; a restart begins anew, `enabled = false` ends it"
            );
        }
    }
}

fn one(folder: &mut Folder, shared: &Shared, taken: &Taken, fate: &Fate) {
    let books = &shared.books;
    match folder.keep(taken, fate) {
        Ok(true) => {
            books.kept.fetch_add(1, Relaxed);
            telemetry::capture("kept", "");
            books.failing.store(false, Relaxed);
        }
        Ok(false) => books.dropped("unreadable"),
        Err(error) => {
            books.dropped("not_written");
            // Once until one is written again: the log must not fill the same disk.
            if !books.failing.swap(true, Relaxed) {
                let path = shared.terms.path.display();
                tracing::error!("a capture could not be written to {path}: {error}; events are not affected");
            }
        }
    }
}

fn lock<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
