//! The counters that every commit carries: the next number, totals since the folder was made, what is there now.

use super::records::DeadQueue;
use rusqlite::{Connection, params};

/// In step with the `tally` row after each commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// The next number for an event, call or dead letter. Kept, so that none is used twice even when all rows are gone.
    next: i64,
    /// Orders the lanes that became ready in the same millisecond.
    turn: i64,
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
                turn: row.get(2)?,
                accepted: row.get(3)?,
                done: row.get(4)?,
                ignored: row.get(5)?,
                dead: row.get(6)?,
                delivered: row.get(7)?,
                events: row.get(8)?,
                calls: row.get(9)?,
                letters: [row.get(10)?, row.get(11)?, row.get(12)?, row.get(13)?],
            })
        })
    }

    pub(super) fn save(&self, conn: &Connection) -> rusqlite::Result<()> {
        let [events, calls, unknown, quarantine] = self.letters;
        conn.prepare_cached(
            "UPDATE tally SET next=?1, turn=?2, accepted=?3, done=?4, ignored=?5, dead=?6, delivered=?7,
             pending_events=?8, pending_calls=?9, dead_events=?10, dead_calls=?11, dead_unknown=?12, dead_quarantine=?13",
        )?
        .execute(params![
            self.next,
            self.turn,
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

    pub(super) fn turn(&mut self) -> i64 {
        let turn = self.turn;
        self.turn += 1;
        turn
    }

    pub(super) fn letter(&mut self, queue: DeadQueue) {
        self.letters[queue.index()] += 1;
    }
}
