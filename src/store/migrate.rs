//! From an older schema to today's, in one transaction: tables that changed are made anew and their rows carried over by
//! column name, new columns get the value given here. The only file that knows how a schema before this one looked.

use super::records::DeadQueue;
use crate::types::{Lane, PortalId};
use rusqlite::{Connection, Transaction};
use std::collections::BTreeMap;

/// What a new column holds in a row of schema 1, where it may not be empty: (table, column, SQL).
const VALUES: [(&str, &str, &str); 1] = [
    // Every call of schema 1 came from a handler: an answer that somebody waits for.
    ("call", "priority", "0"),
];

/// An object of a database: its kind, its table, and the SQL that makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Object {
    kind: String,
    table: String,
    sql: String,
}

type Objects = BTreeMap<String, Object>;

/// Brings the tables of an older schema to those that `tables` (a script) makes. The caller sets the version.
pub(super) fn adopt(tx: &Transaction<'_>, tables: &str) -> rusqlite::Result<()> {
    let wanted = {
        let fresh = Connection::open_in_memory()?;
        fresh.execute_batch(tables)?;
        objects(&fresh)?
    };
    let found = objects(tx)?;
    let of_kind = |objects: &Objects, kind: &str| -> Vec<(String, Object)> {
        let objects = objects.iter().filter(|(_, object)| object.kind == kind);
        objects.map(|(name, object)| (name.clone(), object.clone())).collect()
    };
    for (name, object) in of_kind(&found, "index") {
        if wanted.get(&name) != Some(&object) {
            tx.execute_batch(&format!("DROP INDEX {name}"))?;
        }
    }
    let mut replaced = Vec::new();
    for (name, object) in of_kind(&found, "table") {
        if wanted.get(&name) != Some(&object) {
            // Without this SQLite would rewrite what refers to the table by name.
            tx.execute_batch(&format!(
                "PRAGMA legacy_alter_table = ON; ALTER TABLE {name} RENAME TO old_{name}"
            ))?;
            replaced.push(name);
        }
    }
    for (name, object) in of_kind(&wanted, "table") {
        if found.get(&name) != Some(&object) {
            tx.execute_batch(&object.sql)?;
        }
    }
    for name in &replaced {
        if wanted.contains_key(name) {
            carry(tx, name)?;
        }
    }
    if replaced.iter().any(|name| name == "dead") {
        bury(tx)?;
    }
    for name in &replaced {
        tx.execute_batch(&format!("DROP TABLE old_{name}"))?;
    }
    // Last: an index of a replaced table went with it.
    let present = objects(tx)?;
    for (name, object) in of_kind(&wanted, "index") {
        if !present.contains_key(&name) {
            tx.execute_batch(&object.sql)?;
        }
    }
    Ok(())
}

/// Tables and indexes by name, but for those SQLite makes by itself.
fn objects(conn: &Connection) -> rusqlite::Result<Objects> {
    conn.prepare(
        "SELECT name, type, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'",
    )?
    .query_map([], |row| {
        let object = Object {
            kind: row.get(1)?,
            table: row.get(2)?,
            sql: row.get(3)?,
        };
        Ok((row.get(0)?, object))
    })?
    .collect()
}

fn columns(conn: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    conn.prepare("SELECT name FROM pragma_table_info(?1)")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

/// Copies every row of `old_{table}`; a new column without a value of its own stays empty.
fn carry(conn: &Connection, table: &str) -> rusqlite::Result<()> {
    let old = columns(conn, &format!("old_{table}"))?;
    let new = columns(conn, table)?;
    let value = |column: &String| {
        let given = VALUES.iter().find(|(of, name, _)| *of == table && name == column);
        match given {
            Some((_, _, sql)) if !old.contains(column) => (*sql).to_owned(),
            _ if old.contains(column) => format!("\"{column}\""),
            _ => "NULL".to_owned(),
        }
    };
    let values: Vec<String> = new.iter().map(value).collect();
    let names: Vec<String> = new.iter().map(|name| format!("\"{name}\"")).collect();
    conn.execute_batch(&format!(
        "INSERT INTO {table}({}) SELECT {} FROM old_{table}",
        names.join(", "),
        values.join(", ")
    ))
}

/// Schema 1 kept the body of a dead letter in the letter; since then the row is kept as it stood in its queue. What the old
/// letter did not say of a call is what its bot's other calls say, and that it is not repeated when its outcome is unknown.
fn bury(conn: &Connection) -> rusqlite::Result<()> {
    let mut letters = conn.prepare("SELECT origin, queue, portal, bot, dialog FROM old_dead")?;
    let mut letters = letters.query([])?;
    while let Some(letter) = letters.next()? {
        let (origin, queue): (i64, i64) = (letter.get(0)?, letter.get(1)?);
        let (portal, bot, dialog): (i64, i64, String) = (letter.get(2)?, letter.get(3)?, letter.get(4)?);
        let lane = Lane::of(PortalId(portal), bot, &dialog).0;
        let of_calls = DeadQueue::ALL[1..3].iter().any(|of| of.index() as i64 == queue);
        let sql = if of_calls {
            "INSERT INTO buried_call(id, lane, portal, bot, received, expires, event, identity, unknown, priority, dialog,
               method, template, token, params)
             SELECT origin, ?2, d.portal, d.bot, d.received, d.at, NULL,
               coalesce((SELECT identity FROM old_call c WHERE c.portal = d.portal AND c.bot = d.bot LIMIT 1), 0),
               1, 0, d.dialog, d.name, NULL, NULL, CAST(d.body AS TEXT)
             FROM old_dead d WHERE origin = ?1"
        } else {
            "INSERT INTO buried_event(id, lane, portal, bot, received, format, dialog, name, key, token, body)
             SELECT origin, ?2, portal, bot, received, format, dialog, name, NULL, NULL, body
             FROM old_dead WHERE origin = ?1"
        };
        conn.execute(sql, [origin, lane])?;
    }
    Ok(())
}
