//! The queue that inbox and outbox both are: narrow rows clustered by lane, and per lane the moment it is ready.
//! It knows ids, lanes and times; what a row is about lies elsewhere, under its id.
//!
//! A row waits until `due`. While it waits and `hold_until` has not passed, nothing behind it in its lane runs; after
//! that the lane passes it over. So a lane is ready at the least, over its rows, of
//! max(row's due, greatest `hold_until` of the rows before it); that moment is kept in `*_lane.due`.
//! Rows that have failed are a prefix of their lane (nothing behind a fresh row runs before it), so it is found by
//! looking no further than the first fresh row.

use super::tally::Tally;
use crate::types::Lane;
use rusqlite::{Connection, OptionalExtension, params};

/// The statements of one queue.
#[derive(Debug)]
pub(super) struct Queue {
    push: &'static str,
    join: &'static str,
    remove: &'static str,
    postpone: &'static str,
    pub(super) rows: &'static str,
    rearm: &'static str,
    leave: &'static str,
    /// Lanes of portal ?1 ready at ?4, after the place (?2, ?3); at most ?5.
    pub(super) ready: &'static str,
    /// Lanes of portal ?1 that become ready after ?2, the soonest first; at most ?3.
    pub(super) waiting: &'static str,
}

macro_rules! queue {
    ($name:literal) => {
        Queue {
            push: concat!("INSERT INTO ", $name, " VALUES(?1, ?2, 0, 0, 0, NULL)"),
            join: concat!(
                "INSERT INTO ",
                $name,
                "_lane AS l VALUES(?1, ?2, ?3, ?4, 0) ON CONFLICT(lane) DO UPDATE ",
                "SET due = max(l.held, ?3), turn = ?4 WHERE l.due > max(l.held, ?3)"
            ),
            remove: concat!("DELETE FROM ", $name, " WHERE lane = ?1 AND id = ?2"),
            postpone: concat!(
                "UPDATE ",
                $name,
                " SET due = ?3, hold_until = ?4, attempts = attempts + 1, ",
                "first_failed = coalesce(first_failed, ?5) WHERE lane = ?1 AND id = ?2"
            ),
            rows: concat!(
                "SELECT id, due, hold_until, attempts, first_failed FROM ",
                $name,
                " WHERE lane = ?1 ORDER BY id"
            ),
            rearm: concat!(
                "UPDATE ",
                $name,
                "_lane SET due = ?2, turn = ?3, held = ?4 WHERE lane = ?1"
            ),
            leave: concat!("DELETE FROM ", $name, "_lane WHERE lane = ?1"),
            ready: concat!(
                "SELECT due, turn, lane FROM ",
                $name,
                "_lane WHERE portal = ?1 AND (due, turn) > (?2, ?3) AND due <= ?4 ORDER BY due, turn LIMIT ?5"
            ),
            waiting: concat!(
                "SELECT due, lane FROM ",
                $name,
                "_lane WHERE portal = ?1 AND due > ?2 ORDER BY due LIMIT ?3"
            ),
        }
    };
}

pub(super) const INBOX: Queue = queue!("inbox");
pub(super) const OUTBOX: Queue = queue!("outbox");

/// When a row may run again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) due: i64,
    pub(super) hold_until: i64,
    pub(super) first_failed: i64,
}

impl Queue {
    /// Adds a fresh row at the end of its lane.
    pub(super) fn push(&self, conn: &Connection, tally: &mut Tally, row: Row) -> rusqlite::Result<()> {
        conn.prepare_cached(self.push)?.execute(params![row.lane.0, row.id])?;
        conn.prepare_cached(self.join)?
            .execute(params![row.lane.0, row.portal, row.now, tally.turn()])?;
        Ok(())
    }

    /// Takes a row out. The lane, if it has more, queues up again behind those that are ready.
    pub(super) fn remove(&self, conn: &Connection, tally: &mut Tally, row: Row) -> rusqlite::Result<()> {
        conn.prepare_cached(self.remove)?.execute(params![row.lane.0, row.id])?;
        self.rearm(conn, tally, row.lane, row.now)
    }

    /// Lets a row wait, one attempt richer.
    pub(super) fn postpone(&self, conn: &Connection, tally: &mut Tally, row: Row, wait: Wait) -> rusqlite::Result<()> {
        conn.prepare_cached(self.postpone)?.execute(params![
            row.lane.0,
            row.id,
            wait.due,
            wait.hold_until,
            wait.first_failed
        ])?;
        self.rearm(conn, tally, row.lane, row.now)
    }

    fn rearm(&self, conn: &Connection, tally: &mut Tally, lane: Lane, now: i64) -> rusqlite::Result<()> {
        match self.outlook(conn, lane)? {
            Some((due, held)) => {
                conn.prepare_cached(self.rearm)?
                    .execute(params![lane.0, due.max(now), tally.turn(), held])?
            }
            None => conn.prepare_cached(self.leave)?.execute([lane.0])?,
        };
        Ok(())
    }

    /// When the lane is ready, and until when its failed rows hold it; `None` if it is empty.
    fn outlook(&self, conn: &Connection, lane: Lane) -> rusqlite::Result<Option<(i64, i64)>> {
        let mut statement = conn.prepare_cached(self.rows)?;
        let mut rows = statement.query([lane.0])?;
        let (mut ready, mut held) = (None, 0);
        while let Some(row) = rows.next()? {
            let (due, hold_until, attempts): (i64, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
            let earliest = due.max(held);
            ready = Some(ready.map_or(earliest, |ready: i64| ready.min(earliest)));
            if attempts == 0 {
                break;
            }
            held = held.max(hold_until);
        }
        Ok(ready.map(|ready| (ready, held)))
    }
}

/// Which row of a queue, and the time of the commit that changes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) lane: Lane,
    pub(super) id: i64,
    pub(super) portal: i64,
    pub(super) now: i64,
}

/// `None` where there is no such row.
pub(super) fn find<T>(
    conn: &Connection,
    sql: &str,
    id: i64,
    read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    conn.prepare_cached(sql)?.query_row([id], read).optional()
}
