//! How much waits for each bot of each portal, and since when. Read from the queues' indexes; no body is touched.

use super::records::Backlog;
use crate::types::{PortalId, Timestamp};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;

pub(super) fn read(conn: &Connection) -> rusqlite::Result<Vec<Backlog>> {
    let mut found = BTreeMap::new();
    for (portal, bot, count, first) in waiting(conn, "event")? {
        let backlog = of(&mut found, portal, bot);
        backlog.events = count;
        backlog.oldest_event = received(conn, "event", first)?;
    }
    for (portal, bot, count, first) in waiting(conn, "call")? {
        let backlog = of(&mut found, portal, bot);
        backlog.calls = count;
        backlog.oldest_call = received(conn, "call", first)?;
    }
    Ok(found.into_values().collect())
}

fn of(found: &mut BTreeMap<(i64, i64), Backlog>, portal: i64, bot: i64) -> &mut Backlog {
    found.entry((portal, bot)).or_insert(Backlog {
        portal: PortalId(portal),
        bot,
        events: 0,
        oldest_event: None,
        calls: 0,
        oldest_call: None,
    })
}

/// Portal, bot, how many rows, the first row's number.
fn waiting(conn: &Connection, table: &str) -> rusqlite::Result<Vec<(i64, i64, u64, i64)>> {
    let sql =
        format!("SELECT portal, bot, count(*), min(id) FROM {table} INDEXED BY {table}_queue GROUP BY portal, bot");
    conn.prepare(&sql)?
        .query_map([], |row| {
            let count: i64 = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, count.unsigned_abs(), row.get(3)?))
        })?
        .collect()
}

/// `None` if it is gone meanwhile.
fn received(conn: &Connection, table: &str, id: i64) -> rusqlite::Result<Option<Timestamp>> {
    conn.query_row(&format!("SELECT received FROM {table} WHERE id = ?1"), [id], |row| {
        row.get(0)
    })
    .optional()
    .map(|at| at.map(Timestamp))
}
