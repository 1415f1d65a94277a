//! One group in the making: what each operation does to the tables. Refusals are decided before an operation's first
//! write, so a refused operation leaves no trace and the others of its group are not touched.

use super::lanes::Lanes;
use super::moves::{Failed, Move};
use super::outbox::priority_from_code;
use super::records::{Budget, DeadQueue, Retry};
use super::seal::Seal;
use super::tally::Tally;
use super::{Limits, StoreError};
use crate::types::{CallId, EventId, Lane, PortalId, Secret, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;

/// `Err` is a failure of the database and ends the store; the inner error is a refusal.
pub(super) type Verdict<T> = rusqlite::Result<Result<T, StoreError>>;

/// A group between its BEGIN and its COMMIT.
#[derive(Debug)]
pub(super) struct Commit<'a> {
    pub(super) conn: &'a Connection,
    pub(super) tally: &'a mut Tally,
    pub(super) seal: &'a Seal,
    pub(super) limits: Limits,
    pub(super) now: Timestamp,
    /// Bytes in use when the group began, plus what it has added.
    pub(super) used: u64,
    /// What it has done to inbox and outbox.
    pub(super) moves: [Vec<Move>; 2],
}

/// What a queue row's content says about its place.
pub(super) struct Place {
    pub(super) lane: Lane,
    pub(super) portal: PortalId,
}

impl Commit<'_> {
    /// Counts refused events; the only trace they leave.
    pub(super) fn gap(&mut self, portal: PortalId, reason: &str) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached(
                "INSERT INTO gap VALUES(?1, ?2, ?3, ?3, 1)
                 ON CONFLICT DO UPDATE SET last = excluded.last, count = count + 1",
            )?
            .execute(params![portal.0, reason, self.now.0])?;
        Ok(())
    }

    pub(super) fn budgets(&mut self, budgets: &[Budget]) -> rusqlite::Result<()> {
        for budget in budgets {
            self.conn
                .prepare_cached("INSERT OR REPLACE INTO budget VALUES(?1, ?2, ?3, ?4)")?
                .execute(params![budget.host, budget.level, budget.at.0, budget.clean])?;
        }
        Ok(())
    }

    pub(super) fn portals(&mut self, names: &[String]) -> rusqlite::Result<Vec<PortalId>> {
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            self.conn
                .execute("INSERT OR IGNORE INTO portal(name) VALUES(?1)", [name])?;
            let id = self
                .conn
                .query_row("SELECT id FROM portal WHERE name = ?1", [name], |row| row.get(0))?;
            ids.push(PortalId(id));
        }
        Ok(ids)
    }

    pub(super) fn pin_member(&mut self, portal: PortalId, member: &str) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("UPDATE portal SET member_id = ?2 WHERE id = ?1")?
            .execute(params![portal.0, member])?;
        Ok(())
    }

    pub(super) fn seal(&self, token: Option<&Secret>) -> rusqlite::Result<Option<Vec<u8>>> {
        let sealed = token.map(|token| self.seal.seal(token)).transpose();
        sealed.map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
    }

    pub(super) fn retry_event(&mut self, id: EventId, retry: &Retry) -> Verdict<()> {
        let Some(place) = self.event_place(id)? else {
            return Ok(Err(StoreError::Gone));
        };
        let postponed = self.postpone(place.lane, id.0, retry)?;
        self.moves[0].push(postponed);
        Ok(Ok(()))
    }

    /// Clears the `started` record too: the outcome is known to be "not carried out".
    pub(super) fn retry_call(&mut self, id: CallId, retry: &Retry) -> Verdict<()> {
        let Some(place) = self.call_place(id)? else {
            return Ok(Err(StoreError::Gone));
        };
        self.end_attempt(id)?;
        let postponed = self.postpone(place.lane, id.0, retry)?;
        self.moves[1].push(postponed);
        Ok(Ok(()))
    }

    /// One attempt more, and the time of the first failure kept.
    pub(super) fn postpone(&mut self, lane: Lane, id: i64, retry: &Retry) -> rusqlite::Result<Move> {
        let failed = self
            .conn
            .prepare_cached(
                "INSERT INTO failed VALUES(?1, ?2, ?3, 1, ?4) ON CONFLICT DO UPDATE SET due = ?2, hold_until = ?3,
                 attempts = attempts + 1 RETURNING due, hold_until, attempts, first_failed",
            )?
            .query_row(
                params![id, retry.due.0, retry.hold_until.0, retry.first_failed.0],
                failed,
            )?;
        Ok(Move::Postpone { lane, id, failed })
    }

    pub(super) fn bury_event(&mut self, id: EventId, reason: &str, detail: &str) -> Verdict<()> {
        let Some(place) = self.event_place(id)? else {
            return Ok(Err(StoreError::Gone));
        };
        let letter = self.tally.number();
        self.conn
            .prepare_cached(
                "INSERT INTO dead SELECT ?2, 0, ?3, portal, bot, dialog, name, ?4, ?5, coalesce(attempts, 0) + 1, e.id,
                 received FROM event e LEFT JOIN failed f ON f.id = e.id WHERE e.id = ?1",
            )?
            .execute(params![id.0, letter, self.now.0, reason, detail])?;
        self.keep_event(id)?;
        self.tally.dead += 1;
        self.tally.letter(DeadQueue::Events);
        self.remove_event(&place, id).map(Ok)
    }

    pub(super) fn forget_failures(&mut self, id: i64) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("DELETE FROM failed WHERE id = ?1")?
            .execute([id])?;
        Ok(())
    }

    pub(super) fn event_place(&self, id: EventId) -> rusqlite::Result<Option<Place>> {
        find(self.conn, "SELECT lane, portal FROM event WHERE id = ?1", id.0, place)
    }

    pub(super) fn call_place(&self, id: CallId) -> rusqlite::Result<Option<Place>> {
        find(self.conn, "SELECT lane, portal FROM call WHERE id = ?1", id.0, place)
    }
}

/// Why a call is given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Burial<'a> {
    pub(super) queue: DeadQueue,
    pub(super) reason: &'a str,
    pub(super) detail: &'a str,
    /// Whether the end came with an attempt that is not counted yet.
    pub(super) attempted: bool,
}

fn place(row: &rusqlite::Row<'_>) -> rusqlite::Result<Place> {
    Ok(Place {
        lane: Lane(row.get(0)?),
        portal: PortalId(row.get(1)?),
    })
}

/// `due, hold_until, attempts, first_failed`.
fn failed(row: &rusqlite::Row<'_>) -> rusqlite::Result<Failed> {
    Ok(Failed {
        due: row.get(0)?,
        hold_until: row.get(1)?,
        attempts: row.get(2)?,
        first_failed: row.get(3)?,
    })
}

/// Reads who waits in inbox and outbox.
pub(super) fn load_lanes(conn: &Connection, now: Timestamp) -> rusqlite::Result<[Lanes; 2]> {
    let mut waiting: HashMap<i64, Failed> = conn
        .prepare("SELECT due, hold_until, attempts, first_failed, id FROM failed")?
        .query_map([], |row| Ok((row.get(4)?, failed(row)?)))?
        .collect::<Result<_, _>>()?;
    let mut both = [Lanes::default(), Lanes::default()];
    let paused = super::pauses::load(conn)?;
    let queues = [
        "SELECT id, lane, portal, bot, 0 FROM event INDEXED BY event_queue ORDER BY id",
        "SELECT id, lane, portal, bot, priority FROM call INDEXED BY call_queue ORDER BY id",
    ];
    let parts: Vec<Move> = conn
        .prepare("SELECT id, part_of FROM call INDEXED BY call_parts WHERE part_of IS NOT NULL")?
        .query_map([], |row| {
            Ok(Move::Part {
                id: row.get(0)?,
                of: row.get(1)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    both[1].apply(&parts, now.0);
    for (lanes, sql) in both.iter_mut().zip(queues) {
        let mut statement = conn.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            if let Some(failed) = waiting.remove(&id) {
                lanes.recall(id, failed);
            }
            let push = Move::Push {
                lane: Lane(row.get(1)?),
                portal: row.get(2)?,
                bot: row.get(3)?,
                priority: priority_from_code(row.get(4)?),
                id,
            };
            lanes.apply(&[push], now.0);
        }
        lanes.apply(&paused, now.0);
    }
    Ok(both)
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
