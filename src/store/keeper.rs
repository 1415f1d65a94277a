//! Keeps the files small without stalling the writer: checkpoints on a thread and connection of their own, the sweep
//! of old keys and the return of free pages in slices. Never touches an event or a call.
//!
//! The keeper copies the log into the database while the writer goes on appending, so it never quite catches up; once
//! the log has grown past `RESET_PAGES` the writer copies the small rest itself and the log starts from its beginning.

use super::Shared;
use super::writer::Op;
use crate::types::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc::WeakSender;

/// New pages in the log after which the keeper is asked to copy them.
const COPY_PAGES: u32 = 512;

/// Pages in the log after which the writer lets it start over: 16 MiB. More pages make rarer but longer
/// pauses (measured: 512/2048 keeps them at about 10 ms, 1024/4096 at about 20 ms).
const RESET_PAGES: u32 = 2048;

/// Pages in the log at which the writer waits for the keeper: 64 MiB.
const MOST_PAGES: u32 = 8192;

/// How often the writer is reminded of its housekeeping.
const TICK: Duration = Duration::from_secs(1);

/// Keys looked at by one slice of the sweep.
const SWEEP_KEYS: i64 = 2048;

/// Free pages given back by one slice, and how many are kept for the next spike.
const VACUUM_PAGES: i64 = 512;
const SPARE_PAGES: i64 = 1024;

/// The writer's end of the keeper thread.
#[derive(Debug)]
pub(super) struct Keeper {
    orders: Sender<()>,
    done: Receiver<()>,
    /// Whether it was asked and has not said that it is done.
    copying: bool,
    thread: JoinHandle<()>,
    /// Pages in the log when the keeper was last asked.
    asked_at: u32,
}

impl Keeper {
    pub(super) fn start(conn: Connection, ops: WeakSender<Op>, shared: Arc<Shared>) -> std::io::Result<Self> {
        let (orders, inbox) = channel();
        let (report, done) = channel();
        let thread = std::thread::Builder::new()
            .name("store-keeper".to_owned())
            .spawn(move || keep(&conn, &inbox, &report, &ops, &shared))?;
        Ok(Self {
            orders,
            done,
            copying: false,
            thread,
            asked_at: 0,
        })
    }

    /// Asks for a copy when enough has gathered; ends the log's growth when it is long.
    pub(super) fn after_commit(&mut self, conn: &Connection, log_pages: u32) -> rusqlite::Result<()> {
        if self.copying {
            // A writer that outruns the keeper is held back here, and its callers by the channel.
            let done = if log_pages >= MOST_PAGES {
                self.done.recv().is_ok()
            } else {
                self.done.try_recv().is_ok()
            };
            self.copying = !done;
        }
        if log_pages < self.asked_at {
            self.asked_at = 0;
        }
        if self.copying {
            return Ok(());
        }
        let gathered = log_pages - self.asked_at;
        if log_pages >= RESET_PAGES && (gathered < COPY_PAGES || log_pages >= MOST_PAGES) {
            // What the keeper left: the pages of its own running time.
            return checkpoint(conn, "PASSIVE");
        }
        if gathered >= COPY_PAGES {
            self.asked_at = log_pages;
            // The keeper lives until `stop`.
            self.copying = self.orders.send(()).is_ok();
        }
        Ok(())
    }

    pub(super) fn stop(self) {
        drop(self.orders);
        // A panic there has been reported by its own hook.
        let _ = self.thread.join();
    }
}

fn keep(conn: &Connection, orders: &Receiver<()>, report: &Sender<()>, ops: &WeakSender<Op>, shared: &Shared) {
    loop {
        match orders.recv_timeout(TICK) {
            Ok(()) => {
                if let Err(e) = checkpoint(conn, "PASSIVE") {
                    shared.fail(&e);
                }
                // The writer looks at its next commit; it may be gone.
                let _ = report.send(());
            }
            Err(RecvTimeoutError::Timeout) => {
                // A full channel means a busy writer: housekeeping can wait.
                if let Some(ops) = ops.upgrade() {
                    let _ = ops.try_send(Op::Tick);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Copies the log into the database file, as far as nobody is in the way (which is no error). An error here is a failed
/// write or flush like any other.
pub(super) fn checkpoint(conn: &Connection, mode: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?
        .query_row([], |_| Ok(()))
}

/// Walks the remembered keys round and round, forgetting the old ones: no index on their age is needed, and each
/// commit carries one bounded slice.
#[derive(Debug)]
pub(super) struct Sweep {
    window: Duration,
    next_round: Timestamp,
    /// The key after which the next slice begins, while a round is under way.
    at: Option<Vec<u8>>,
}

impl Sweep {
    pub(super) fn new(window: Duration, now: Timestamp) -> Self {
        Self {
            window,
            next_round: now,
            at: None,
        }
    }

    pub(super) fn slice(&mut self, conn: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        vacuum(conn)?;
        if self.at.is_none() && now >= self.next_round {
            self.at = Some(Vec::new());
            self.next_round = now + (self.window / 72).max(Duration::from_secs(60));
        }
        let Some(from) = self.at.take() else {
            return Ok(());
        };
        let since = (now - self.window).0;
        let to: Option<Vec<u8>> = conn
            .prepare_cached("SELECT key FROM seen WHERE key > ?1 ORDER BY key LIMIT 1 OFFSET ?2")?
            .query_row(params![from, SWEEP_KEYS], |row| row.get(0))
            .optional()?;
        match &to {
            Some(to) => conn
                .prepare_cached("DELETE FROM seen WHERE key > ?1 AND key <= ?2 AND at <= ?3")?
                .execute(params![from, to, since])?,
            None => conn
                .prepare_cached("DELETE FROM seen WHERE key > ?1 AND at <= ?2")?
                .execute(params![from, since])?,
        };
        self.at = to;
        Ok(())
    }
}

/// Gives some free pages back to the file system when many have gathered.
fn vacuum(conn: &Connection) -> rusqlite::Result<()> {
    let free: i64 = conn
        .prepare_cached("PRAGMA freelist_count")?
        .query_row([], |row| row.get(0))?;
    if free > SPARE_PAGES {
        let pages = (free - SPARE_PAGES).min(VACUUM_PAGES);
        // Each step gives back one page.
        let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_keys_go_in_bounded_slices_and_young_ones_stay() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE seen(key BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID")
            .unwrap();
        let (window, now) = (Duration::from_secs(72 * 3600), Timestamp(1_700_000_000_000));
        let old = now - window - Duration::from_secs(1);
        for key in 0..5000_i64 {
            let at = if key % 2 == 0 { old } else { now };
            let key = key.to_be_bytes();
            conn.execute("INSERT INTO seen VALUES(?1, ?2)", params![&key[..], at.0])
                .unwrap();
        }
        let left = || -> i64 {
            conn.query_row("SELECT count(*) FROM seen", [], |row| row.get(0))
                .unwrap()
        };
        let mut sweep = Sweep::new(window, now);
        let mut before = left();
        for _ in 0..3 {
            sweep.slice(&conn, now).unwrap();
            assert!(before - left() <= SWEEP_KEYS, "one slice looks at a bounded number");
            before = left();
        }
        assert_eq!(left(), 2500, "three slices have walked five thousand keys");
        sweep.slice(&conn, now + Duration::from_secs(59)).unwrap();
        sweep.slice(&conn, now + window + Duration::from_secs(3600)).unwrap();
        sweep.slice(&conn, now + window + Duration::from_secs(3600)).unwrap();
        assert_eq!(left(), 0);
    }
}
