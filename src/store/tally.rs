//! The counters that every commit carries: the next number, totals since the folder was made, what is there now.

use super::records::DeadQueue;
use rusqlite::{Connection, params};

/// In step with the `tally` row after each commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// The next number for an event, call or dead letter. Kept, so that none is used twice even when all rows are gone.
    next: i64,
    pub(super) accepted: i64,
    pub(super) done: i64,
    pub(super) ignored: i64,
    pub(super) dead: i64,
    pub(super) delivered: i64,
    pub(super) events: i64,
    pub(super) calls: i64,
    pub(super) letters: [i64; 4],
}

impl Tally {
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        conn.query_row("SELECT * FROM tally", [], |row| {
            Ok(Self {
                next: row.get(1)?,
                accepted: row.get(2)?,
                done: row.get(3)?,
                ignored: row.get(4)?,
                dead: row.get(5)?,
                delivered: row.get(6)?,
                events: row.get(7)?,
                calls: row.get(8)?,
                letters: [row.get(9)?, row.get(10)?, row.get(11)?, row.get(12)?],
            })
        })
    }

    pub(super) fn save(&self, conn: &Connection) -> rusqlite::Result<()> {
        let [events, calls, unknown, quarantine] = self.letters;
        conn.prepare_cached(
            "UPDATE tally SET next=?1, accepted=?2, done=?3, ignored=?4, dead=?5, delivered=?6,
             pending_events=?7, pending_calls=?8, dead_events=?9, dead_calls=?10, dead_unknown=?11, dead_quarantine=?12",
        )?
        .execute(params![
            self.next,
            self.accepted,
            self.done,
            self.ignored,
            self.dead,
            self.delivered,
            self.events,
            self.calls,
            events,
            calls,
            unknown,
            quarantine
        ])?;
        Ok(())
    }

    pub(super) fn number(&mut self) -> i64 {
        let number = self.next;
        self.next += 1;
        number
    }

    pub(super) fn letter(&mut self, queue: DeadQueue) {
        self.letters[queue.index()] += 1;
    }
}
