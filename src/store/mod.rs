//! The durable middle: inbox, outbox, memory, dead letters; one writer with group commit. The door, dispatch and
//! deliver meet only here, and nothing outside this folder knows that it is SQLite.
//!
//! What holds:
//! - An answer comes after the commit that carries the operation, flushed in ack mode `durable`. Only `enqueue` in
//!   mode `memory` answers at the hand-over.
//! - An event ends in one commit: its row gone, its calls queued in their order, its memory changed.
//! - A key is stored at most once within the window (while a bot's events come both ways: `twins`); numbers are never
//!   used twice in the life of a folder.
//! - One row of a lane at a time, oldest first; a failed row holds its lane until `hold_until`, then it is passed over.
//! - Portals take turns, whatever their backlogs. The backlog is on disk; memory holds who waits, not what (about 160
//!   bytes a lane and 25 a row), so it is bounded by `max_bytes` and a million events.
//! - A call that somebody asked to hear of ends in one commit with the event that tells how.
//! - Every token is sealed before it is written and deleted with its row.
//! - After a failed write, commit or flush nothing is acknowledged any more, for the life of the process.
//!
//! Accepted races: a claim reads the last commit, so a row finished meanwhile is not seen again only because its lane
//! is named busy until the finishing call has returned.

mod applied;
mod backlog;
mod backup;
mod changes;
mod commit;
#[cfg(feature = "testing")]
mod copy;
mod endings;
mod fetched;
mod inbox;
mod installs;
mod keeper;
mod lanes;
mod letters;
mod lock;
mod migrate;
mod moves;
mod options;
mod outbox;
mod pauses;
mod reader;
mod reads;
mod records;
mod schema;
mod seal;
mod tally;
#[cfg(test)]
mod tests;
mod twins;
mod verbs;
mod writer;

#[cfg(test)]
pub(crate) use applied::Applied;
pub(crate) use backup::{BackupError, look_at, restore};
pub(crate) use changes::{Peeked, Rotation, Switching, peek};
pub(crate) use fetched::FetchedPage;
pub(crate) use installs::{Installation, Knock, Tokens};
pub(crate) use lock::owner;
pub(crate) use moves::{Head, LeftOut};
pub(crate) use options::{Ack, OpenError, Options, StoreError};
pub(crate) use records::{
    Activity, Backlog, Budget, ClaimedCall, ClaimedEvent, Completion, Counts, DeadLetter, DeadQueue, EXPIRED, Enqueued,
    Fallback, Format, Gap, Identity, KeyedCall, Memory, NewCall, NewEvent, Queueing, Retry, Settled, Then, Ties,
    Unknown, Waiting,
};
pub(crate) use schema::FILE;
pub(crate) use twins::{EventKey, Source, Twin};

use crate::types::{PortalId, Timestamp};
use commit::Commit;
use keeper::{Keeper, Sweep};
use lanes::Lanes;
use lock::Lock;
use moves::Move;
use reader::Reader;
use rusqlite::Connection;
use seal::Seal;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tally::Tally;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use writer::{Op, Writer};

/// Bytes of events that may be on their way to the writer at once, in KiB.
const ROOM_KIB: usize = 32 << 10;

/// An open store folder. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    ops: mpsc::Sender<Op>,
    room: Arc<Semaphore>,
    limits: Limits,
    ack: Ack,
    shared: Arc<Shared>,
    reader: Arc<Mutex<Reader>>,
    portals: Arc<Mutex<HashMap<PortalId, Portal>>>,
    salt: [u8; 16],
    /// The writer holds it: a folder is owned as long as anything can be written.
    lock: Weak<Lock>,
}

/// A portal as the store knows it.
#[derive(Clone, Debug)]
struct Portal {
    name: String,
    member: Option<String>,
}

/// What `Options` say to each commit.
#[derive(Clone, Copy, Debug)]
struct Limits {
    max_bytes: u64,
    dedup_window: Duration,
}

/// What the writer tells everybody. The two of each pair are inbox and outbox.
#[derive(Debug)]
struct Shared {
    tally: Mutex<Tally>,
    /// Bytes in use in the database.
    used: AtomicU64,
    lanes: [Mutex<Lanes>; 2],
    ready: [Notify; 2],
    generation: [AtomicU64; 2],
    /// Who is paused, as the lanes know it.
    paused: watch::Sender<Arc<LeftOut>>,
    failed: watch::Sender<bool>,
}

impl Shared {
    /// Ends all acknowledging. After a failed flush the kernel may call the next one good, so there is no second try.
    fn fail(&self, e: &rusqlite::Error) {
        tracing::error!(error = %e, "the store failed: nothing is acknowledged from now on; free the disk or replace it, then restart");
        self.failed.send_replace(true);
    }

    /// Before the replies: who has one finds the counts, lanes and generations of that commit.
    fn publish(&self, tally: Tally, moves: &[Vec<Move>; 2], now: Timestamp) {
        *unpoisoned(&self.tally) = tally;
        for (queue, moves) in moves.iter().enumerate() {
            if !moves.is_empty() {
                let mut lanes = unpoisoned(&self.lanes[queue]);
                lanes.apply(moves, now.0);
                if queue == 0 && moves.iter().any(|change| matches!(change, Move::Pause { .. })) {
                    self.paused.send_replace(Arc::new(lanes.paused().clone()));
                }
                drop(lanes);
                self.generation[queue].fetch_add(1, Ordering::Release);
                self.ready[queue].notify_one();
            }
        }
    }
}

impl Store {
    /// Opens the folder, making it if there is none, and settles what a crash left half done. Blocks for the disk.
    pub(crate) fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        schema::folder(path)?;
        let lock = Arc::new(Lock::take(path)?);
        backup::tidy(path);
        let seal = Arc::new(Seal::open(path, options.key.as_ref())?);
        let conn = schema::writer(path, options.ack)?;
        Self::start(path, options, conn, seal, lock).map_err(|source| OpenError::Sqlite {
            folder: path.to_owned(),
            source,
        })
    }

    fn start(
        path: &Path,
        options: Options,
        mut conn: Connection,
        seal: Arc<Seal>,
        lock: Arc<Lock>,
    ) -> rusqlite::Result<Self> {
        let limits = Limits {
            max_bytes: options.max_bytes,
            dedup_window: options.dedup_window,
        };
        let now = options.clock.now();
        let tally = recover(&conn, &seal, limits, now)?;
        let log_pages = count_log_pages(&mut conn)?;
        let [mut inbox, outbox] = commit::load_lanes(&conn, now)?;
        pauses::load_last_events(&conn, &mut inbox)?;
        let paused = Arc::new(inbox.paused().clone());
        let shared = Arc::new(Shared {
            tally: Mutex::new(tally),
            used: AtomicU64::new(writer::used(&conn)?),
            lanes: [Mutex::new(inbox), Mutex::new(outbox)],
            ready: [Notify::new(), Notify::new()],
            generation: [AtomicU64::new(0), AtomicU64::new(0)],
            paused: watch::Sender::new(paused),
            failed: watch::Sender::new(false),
        });
        let salt = conn.query_row("SELECT value FROM meta WHERE name = 'salt'", [], |row| row.get(0))?;
        let portals = Arc::new(Mutex::new(known_portals(&conn)?));
        let reader = Arc::new(Mutex::new(Reader::new(schema::reader(path)?, Arc::clone(&seal))));
        let (ops, inbox) = mpsc::channel(writer::GROUP);
        let keeper =
            Keeper::start(schema::checkpointer(path)?, ops.downgrade(), Arc::clone(&shared)).map_err(no_thread)?;
        let held = Arc::downgrade(&lock);
        let writer = Writer {
            conn,
            tally,
            seal,
            ack: options.ack,
            limits,
            clock: options.clock,
            ops: inbox,
            shared: Arc::clone(&shared),
            keeper,
            log_pages,
            sweep: Sweep::new(limits.dedup_window, now),
            lock,
        };
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(no_thread)?;
        Ok(Self(Arc::new(Inner {
            folder: path.to_owned(),
            ops,
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            limits,
            ack: options.ack,
            shared,
            reader,
            portals,
            salt,
            lock: held,
        })))
    }
}

/// Pages in the write-ahead log, as each commit of this connection leaves it.
fn count_log_pages(conn: &mut Connection) -> rusqlite::Result<Arc<AtomicU32>> {
    let log_pages = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&log_pages);
    conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
        counted.store(pages.unsigned_abs(), Ordering::Relaxed);
        Ok(())
    }))?;
    Ok(log_pages)
}

/// Settles what was under way when the last process ended.
fn recover(conn: &Connection, seal: &Seal, limits: Limits, now: Timestamp) -> rusqlite::Result<Tally> {
    let tx = conn.unchecked_transaction()?;
    let mut tally = Tally::load(conn)?;
    let mut commit = Commit {
        conn,
        tally: &mut tally,
        seal,
        limits,
        now,
        used: 0,
        moves: [Vec::new(), Vec::new()],
    };
    commit.settle_crashed()?;
    tally.save(conn)?;
    tx.commit()?;
    Ok(tally)
}

fn known_portals(conn: &Connection) -> rusqlite::Result<HashMap<PortalId, Portal>> {
    conn.prepare("SELECT id, name, member_id FROM portal")?
        .query_map([], |row| {
            let portal = Portal {
                name: row.get(1)?,
                member: row.get(2)?,
            };
            Ok((PortalId(row.get(0)?), portal))
        })?
        .collect()
}

fn no_thread(e: std::io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(e))
}

/// The data behind these locks is replaced whole, so a panic elsewhere leaves it good.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
