//! The second connection: claims, dead letters, counts. Never writes, so it never waits for the writer.

use super::commit::find;
use super::lanes::Head;
use super::records::{ClaimedCall, ClaimedEvent, DeadLetter, DeadQueue, Format, Gap, Identity, NewCall, Unknown};
use super::seal::Seal;
use crate::types::{CallId, EventId, Lane, PortalId, Secret, TemplateId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// The reading side's connection.
#[derive(Debug)]
pub(super) struct Reader {
    conn: Connection,
    seal: Arc<Seal>,
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

    pub(super) fn dead_letters(&self, queue: Option<DeadQueue>, limit: usize) -> rusqlite::Result<Vec<DeadLetter>> {
        let queue = queue.map(|queue| queue.index() as i64);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.conn
            .prepare_cached("SELECT * FROM dead WHERE ?1 IS NULL OR queue = ?1 ORDER BY id DESC LIMIT ?2")?
            .query_map(params![queue, limit], letter)?
            .collect()
    }

    pub(super) fn dead_letter(&self, id: i64) -> rusqlite::Result<Option<DeadLetter>> {
        find(&self.conn, "SELECT * FROM dead WHERE id = ?1", id, letter)
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
        "SELECT portal, bot, lane, dialog, method, params, template, identity, token, unknown, event, received, expires
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
            event: row.get::<_, Option<i64>>(10)?.map(EventId),
            received: Timestamp(row.get(11)?),
            expires: Timestamp(row.get(12)?),
        })
    });
    Ok(found.optional()?.map(|call| ClaimedCall {
        id: CallId(head.id),
        call,
        attempts: head.attempts(),
        first_failed: head.first_failed(),
    }))
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
