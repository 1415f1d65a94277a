//! The second connection: claims, dead letters, counts. Never writes, so it never waits for the writer.

use super::commit::find;
use super::moves::Head;
use super::outbox::priority_from_code;
use super::records::{
    Budget, ClaimedCall, ClaimedEvent, DeadLetter, DeadQueue, Fallback, Format, Gap, Identity, NewCall, Then, Ties,
    Unknown,
};
use super::seal::Seal;
use crate::types::{CallId, EventId, Lane, PortalId, Secret, TemplateId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// The reading side's connection.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) conn: Connection,
    pub(super) seal: Arc<Seal>,
}

impl Reader {
    pub(super) fn new(conn: Connection, seal: Arc<Seal>) -> Self {
        Self { conn, seal }
    }

    /// What these rows are about. One that is gone by now was not to be claimed.
    pub(super) fn events(&mut self, heads: &[Head]) -> rusqlite::Result<Vec<ClaimedEvent>> {
        let found = heads.iter().map(|head| event(&self.conn, &self.seal, head));
        found.filter_map(Result::transpose).collect()
    }

    pub(super) fn calls(&mut self, heads: &[Head]) -> rusqlite::Result<Vec<ClaimedCall>> {
        let found = heads.iter().map(|head| call(&self.conn, &self.seal, head));
        found.filter_map(Result::transpose).collect()
    }

    /// The token of the newest event, else of the newest call, of a bot.
    pub(super) fn newest_token(&self, portal: PortalId, bot: i64) -> rusqlite::Result<Option<Secret>> {
        let sealed: Option<Vec<u8>> = self
            .conn
            .prepare_cached(
                "SELECT token FROM (
                   SELECT * FROM (SELECT id, token FROM event WHERE portal = ?1 AND bot = ?2 AND token IS NOT NULL
                     ORDER BY id DESC LIMIT 1)
                   UNION ALL
                   SELECT * FROM (SELECT coalesce(event, 0), token FROM call WHERE portal = ?1 AND bot = ?2
                     AND token IS NOT NULL ORDER BY id DESC LIMIT 1)
                 ) ORDER BY id DESC LIMIT 1",
            )?
            .query_row(params![portal.0, bot], |row| row.get(0))
            .optional()?;
        Ok(sealed.and_then(|sealed| self.seal.unseal(&sealed)))
    }

    pub(super) fn is_present(&self, portal: PortalId, bot: i64, dialog: &str) -> rusqlite::Result<bool> {
        self.conn
            .prepare_cached("SELECT 1 FROM present WHERE portal = ?1 AND bot = ?2 AND dialog = ?3")?
            .exists(params![portal.0, bot, dialog])
    }

    pub(super) fn dead_letters(&self, queue: Option<DeadQueue>, limit: usize) -> rusqlite::Result<Vec<DeadLetter>> {
        let queue = queue.map(|queue| queue.index() as i64);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.conn
            .prepare_cached(&format!(
                "{LETTER} WHERE ?1 IS NULL OR queue = ?1 ORDER BY d.id DESC LIMIT ?2"
            ))?
            .query_map(params![queue, limit], letter)?
            .collect()
    }

    pub(super) fn dead_letter(&self, id: i64) -> rusqlite::Result<Option<DeadLetter>> {
        find(&self.conn, &format!("{LETTER} WHERE d.id = ?1"), id, letter)
    }

    /// Numbers of letters, oldest first: of a queue (or all), above `after` and up to `through`.
    pub(super) fn letter_numbers(
        &self,
        queue: Option<DeadQueue>,
        after: i64,
        through: i64,
        limit: usize,
    ) -> rusqlite::Result<Vec<(i64, DeadQueue)>> {
        let queue = queue.map(|queue| queue.index() as i64);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.conn
            .prepare_cached(
                "SELECT id, queue FROM dead WHERE (?1 IS NULL OR queue = ?1) AND id > ?2 AND id <= ?3 ORDER BY id LIMIT ?4",
            )?
            .query_map(params![queue, after, through, limit], number)?
            .collect()
    }

    pub(super) fn letters_among(&self, mut ids: Vec<i64>) -> rusqlite::Result<Vec<(i64, DeadQueue)>> {
        ids.sort_unstable();
        ids.dedup();
        let found = ids
            .into_iter()
            .map(|id| find(&self.conn, "SELECT id, queue FROM dead WHERE id = ?1", id, number));
        found.filter_map(Result::transpose).collect()
    }

    pub(super) fn newest_letter(&self) -> rusqlite::Result<i64> {
        self.conn
            .prepare_cached("SELECT coalesce(max(id), 0) FROM dead")?
            .query_row([], |row| row.get(0))
    }

    pub(super) fn gaps(&self) -> rusqlite::Result<Vec<Gap>> {
        self.conn
            .prepare_cached("SELECT * FROM gap ORDER BY last DESC")?
            .query_map([], |row| {
                Ok(Gap {
                    portal: PortalId(row.get(0)?),
                    reason: row.get(1)?,
                    first: Timestamp(row.get(2)?),
                    last: Timestamp(row.get(3)?),
                    count: row.get::<_, i64>(4)?.unsigned_abs(),
                })
            })?
            .collect()
    }

    pub(super) fn budgets(&self) -> rusqlite::Result<Vec<Budget>> {
        self.conn
            .prepare_cached("SELECT host, level, at, clean FROM budget")?
            .query_map([], |row| {
                Ok(Budget {
                    host: row.get(0)?,
                    level: row.get(1)?,
                    at: Timestamp(row.get(2)?),
                    clean: row.get(3)?,
                })
            })?
            .collect()
    }

    /// When the oldest event and the oldest call came.
    pub(super) fn oldest(&self) -> rusqlite::Result<[Option<i64>; 2]> {
        let first = |sql| {
            self.conn
                .prepare_cached(sql)?
                .query_row([], |row| row.get(0))
                .optional()
        };
        Ok([
            first("SELECT received FROM event ORDER BY id LIMIT 1")?,
            first("SELECT received FROM call ORDER BY id LIMIT 1")?,
        ])
    }
}

fn event(conn: &Connection, seal: &Seal, head: &Head) -> rusqlite::Result<Option<ClaimedEvent>> {
    let mut statement = conn.prepare_cached(
        "SELECT e.portal, e.bot, e.lane, e.dialog, name, received, format, body, token, key, m.value FROM event e
         LEFT JOIN memory m ON m.portal = e.portal AND m.bot = e.bot AND m.dialog = e.dialog WHERE e.id = ?1",
    )?;
    let found = statement.query_row([head.id], |row| {
        let token: Option<Vec<u8>> = row.get(8)?;
        Ok(ClaimedEvent {
            id: EventId(head.id),
            portal: PortalId(row.get(0)?),
            bot: row.get(1)?,
            lane: Lane(row.get(2)?),
            dialog: row.get(3)?,
            name: row.get(4)?,
            received: Timestamp(row.get(5)?),
            attempts: head.attempts(),
            first_failed: head.first_failed(),
            format: Format::from_code(row.get(6)?),
            body: row.get(7)?,
            token: token.and_then(|token| seal.unseal(&token)),
            origin: origin(row.get(9)?, head.id),
            memory: row.get(10)?,
        })
    });
    found.optional()
}

/// The key, or the number; the first byte keeps the two apart.
fn origin(key: Option<Vec<u8>>, id: i64) -> Vec<u8> {
    match key {
        Some(key) => [&b"k"[..], &key].concat(),
        None => [&b"n"[..], &id.to_be_bytes()].concat(),
    }
}

fn call(conn: &Connection, seal: &Seal, head: &Head) -> rusqlite::Result<Option<ClaimedCall>> {
    let mut statement = conn.prepare_cached(
        "SELECT portal, bot, lane, dialog, method, params, template, identity, token, unknown, event, received, expires,
         priority, tag, home, part_of IS NOT NULL, fallback, fallback_params
         FROM call WHERE id = ?1",
    )?;
    let found = statement.query_row([head.id], |row| {
        let token: Option<Vec<u8>> = row.get(8)?;
        Ok(NewCall {
            portal: PortalId(row.get(0)?),
            bot: row.get(1)?,
            lane: Lane(row.get(2)?),
            dialog: row.get(3)?,
            method: row.get(4)?,
            params: row.get(5)?,
            template: row.get::<_, Option<String>>(6)?.map(TemplateId::from_stored),
            identity: Identity::from_code(row.get(7)?),
            token: token.and_then(|token| seal.unseal(&token)),
            unknown: Unknown::from_code(row.get(9)?),
            priority: priority_from_code(row.get(13)?),
            event: row.get::<_, Option<i64>>(10)?.map(EventId),
            received: Timestamp(row.get(11)?),
            expires: Timestamp(row.get(12)?),
            ties: ties(row)?,
        })
    });
    Ok(found.optional()?.map(|call| ClaimedCall {
        id: CallId(head.id),
        call,
        attempts: head.attempts(),
        first_failed: head.first_failed(),
    }))
}

/// Number and queue of a letter.
fn number(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, DeadQueue)> {
    Ok((row.get(0)?, DeadQueue::ALL[row.get::<_, u8>(1)?.min(3) as usize]))
}

/// A letter, with its body from the row that was buried. Events and calls are numbered from one counter.
const LETTER: &str = "SELECT d.*, coalesce(e.format, 1), coalesce(e.body, CAST(c.params AS BLOB), x'') FROM dead d
    LEFT JOIN buried_event e ON e.id = d.origin LEFT JOIN buried_call c ON c.id = d.origin";

/// From column 14 on.
fn ties(row: &rusqlite::Row<'_>) -> rusqlite::Result<Ties> {
    let tag: Option<String> = row.get(14)?;
    let home: Option<String> = row.get(15)?;
    let method: Option<String> = row.get(17)?;
    let params: Option<String> = row.get(18)?;
    Ok(Ties {
        then: tag.zip(home).map(|(tag, dialog)| Then { tag, dialog }),
        follows: row.get(16)?,
        fallback: method.zip(params).map(|(method, params)| Fallback { method, params }),
    })
}

fn letter(row: &rusqlite::Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        id: row.get(0)?,
        queue: DeadQueue::ALL[row.get::<_, u8>(1)?.min(3) as usize],
        at: Timestamp(row.get(2)?),
        portal: PortalId(row.get(3)?),
        bot: row.get(4)?,
        dialog: row.get(5)?,
        name: row.get(6)?,
        reason: row.get(7)?,
        detail: row.get(8)?,
        attempts: row.get(9)?,
        origin: row.get(10)?,
        received: Timestamp(row.get(11)?),
        format: Format::from_code(row.get(12)?),
        body: row.get(13)?,
    })
}
