//! The tables, their version, and how each connection is set up. The only place that creates anything.

use super::{Ack, OpenError, backup, migrate};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Raised with each change of the tables below, released or not: who follows the main branch has a store, too. `migrate.rs`
/// knows the way from every version before.
pub(super) const VERSION: i64 = 4;

/// The database in a store folder, and in a backup.
pub(crate) const FILE: &str = "imbot.db";

/// Bytes of a page: with 4 KiB, two thirds of the file would be waste around 2.5 KB bodies.
pub(super) const PAGE: u32 = 8192;

/// Inbox (`event`) and outbox (`call`) are appended at one end and mostly deleted at the other, so a commit touches few
/// pages whatever the backlog. `*_queue` is what opening reads to know who waits, without the bodies. Both number
/// their rows from one counter, so `failed` serves both. `present` lists the groups that a bot was seen in. `buried_*`
/// keep the row of each dead letter (its number is the letter's `origin`) as it stood, without its token, so that another
/// try is the same try.
const TABLES: &str = "
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE tally(
  one INTEGER PRIMARY KEY CHECK (one = 1), next INTEGER NOT NULL,
  accepted INTEGER NOT NULL, done INTEGER NOT NULL, ignored INTEGER NOT NULL, dead INTEGER NOT NULL,
  delivered INTEGER NOT NULL, pending_events INTEGER NOT NULL, pending_calls INTEGER NOT NULL,
  dead_events INTEGER NOT NULL, dead_calls INTEGER NOT NULL, dead_unknown INTEGER NOT NULL,
  dead_quarantine INTEGER NOT NULL);
INSERT INTO tally VALUES(1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
CREATE TABLE portal(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, member_id TEXT, last_event INTEGER);
CREATE TABLE paused(portal INTEGER NOT NULL, bot INTEGER, at INTEGER NOT NULL);
CREATE UNIQUE INDEX paused_who ON paused(portal, coalesce(bot, -1));
CREATE TABLE seen(key BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE event(
  id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, portal INTEGER NOT NULL, bot INTEGER NOT NULL,
  received INTEGER NOT NULL, format INTEGER NOT NULL, dialog TEXT NOT NULL, name TEXT NOT NULL,
  key BLOB, token BLOB, body BLOB NOT NULL);
CREATE INDEX event_queue ON event(id, lane, portal, bot);
CREATE INDEX event_token ON event(portal, bot) WHERE token IS NOT NULL;
CREATE TABLE call(
  id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, portal INTEGER NOT NULL, bot INTEGER NOT NULL,
  received INTEGER NOT NULL, expires INTEGER NOT NULL, event INTEGER, identity INTEGER NOT NULL,
  unknown INTEGER NOT NULL, priority INTEGER NOT NULL, dialog TEXT NOT NULL, method TEXT NOT NULL, template TEXT,
  token BLOB, params TEXT NOT NULL, tag TEXT, home TEXT, part_of INTEGER, fallback TEXT, fallback_params TEXT);
CREATE INDEX call_queue ON call(id, lane, portal, bot, priority);
CREATE INDEX call_token ON call(portal, bot) WHERE token IS NOT NULL;
CREATE INDEX call_parts ON call(part_of) WHERE part_of IS NOT NULL;
CREATE TABLE started(call INTEGER PRIMARY KEY);
CREATE TABLE failed(
  id INTEGER PRIMARY KEY, due INTEGER NOT NULL, hold_until INTEGER NOT NULL, attempts INTEGER NOT NULL,
  first_failed INTEGER NOT NULL);
CREATE TABLE memory(
  portal INTEGER, bot INTEGER, dialog TEXT, value TEXT NOT NULL, PRIMARY KEY(portal, bot, dialog)) WITHOUT ROWID;
CREATE TABLE present(portal INTEGER, bot INTEGER, dialog TEXT, PRIMARY KEY(portal, bot, dialog)) WITHOUT ROWID;
CREATE TABLE dead(
  id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, at INTEGER NOT NULL, portal INTEGER NOT NULL,
  bot INTEGER NOT NULL, dialog TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
  attempts INTEGER NOT NULL, origin INTEGER NOT NULL, received INTEGER NOT NULL);
CREATE INDEX dead_queue ON dead(queue);
CREATE TABLE buried_event AS SELECT * FROM event;
CREATE UNIQUE INDEX buried_event_id ON buried_event(id);
CREATE TABLE buried_call AS SELECT * FROM call;
CREATE UNIQUE INDEX buried_call_id ON buried_call(id);
CREATE TABLE budget(
  host TEXT PRIMARY KEY, level REAL NOT NULL, at INTEGER NOT NULL, clean INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE gap(
  portal INTEGER, reason TEXT, first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY(portal, reason)) WITHOUT ROWID;
CREATE TABLE knock(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, format INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE install(
  portal INTEGER PRIMARY KEY, app TEXT NOT NULL, member_id TEXT NOT NULL UNIQUE, domain TEXT NOT NULL,
  endpoint TEXT NOT NULL, user_id INTEGER NOT NULL, at INTEGER NOT NULL, refreshed INTEGER NOT NULL, parked TEXT,
  parked_at INTEGER, secrets BLOB, server TEXT NOT NULL);
CREATE TABLE candidate(
  member_id TEXT PRIMARY KEY, app TEXT NOT NULL, domain TEXT NOT NULL, endpoint TEXT NOT NULL,
  user_id INTEGER NOT NULL, at INTEGER NOT NULL, secrets BLOB, server TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fetched(portal INTEGER, bot INTEGER, next INTEGER NOT NULL, PRIMARY KEY(portal, bot)) WITHOUT ROWID;
CREATE TABLE rotation(
  portal INTEGER, bot INTEGER, planned INTEGER NOT NULL, done INTEGER, secrets BLOB NOT NULL,
  PRIMARY KEY(portal, bot)) WITHOUT ROWID;
CREATE TABLE switching(
  portal INTEGER, bot INTEGER, fetch INTEGER NOT NULL, began INTEGER NOT NULL, told INTEGER, finished INTEGER,
  PRIMARY KEY(portal, bot)) WITHOUT ROWID;
CREATE TABLE twin(
  portal INTEGER, bot INTEGER, key BLOB, source INTEGER, ts INTEGER, mate INTEGER,
  PRIMARY KEY(portal, bot, key, source, ts)) WITHOUT ROWID;
CREATE TABLE learned(portal INTEGER, code TEXT, bot INTEGER NOT NULL, PRIMARY KEY(portal, code)) WITHOUT ROWID;
CREATE TABLE applied(
  portal INTEGER, bot INTEGER, field TEXT, value TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY(portal, bot, field)) WITHOUT ROWID;
";

/// Makes the folder, for its owner's eyes only.
pub(super) fn folder(path: &Path) -> Result<(), OpenError> {
    let io = |what, source| OpenError::Io {
        what,
        path: path.to_owned(),
        source,
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(|e| io("create the store folder", e))?;
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(|e| io("close to others the store folder", e))
}

/// The connection that writes; creates or migrates the tables.
pub(super) fn writer(folder: &Path, ack: Ack) -> Result<Connection, OpenError> {
    // SQLite gives its log the mode of the database file, so that file is made first, by us.
    let path = folder.join(FILE);
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(&path);
    if let Err(source) = made
        && source.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(OpenError::Io {
            what: "create",
            path,
            source,
        });
    }
    let sql = |source| OpenError::Sqlite {
        folder: folder.to_owned(),
        source,
    };
    let conn = connect(folder, -8192).map_err(sql)?;
    let found: i64 = conn
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(sql)?;
    if found > VERSION {
        return Err(newer(folder, &conn, found));
    }
    if found == 0 {
        create(&conn).map_err(sql)?;
    } else if found < VERSION {
        let kept = backup::before_change(folder, &conn, found)?;
        migrate(&conn).map_err(sql)?;
        tracing::info!(
            from = found, to = VERSION, backup = %kept.display(),
            "the store has the tables of this version now; a copy of it as it was is in {}", kept.display()
        );
    }
    conn.pragma_update(None, "synchronous", if ack == Ack::Durable { "FULL" } else { "NORMAL" })
        .map_err(sql)?;
    Ok(conn)
}

/// A connection for reading.
pub(super) fn reader(folder: &Path) -> rusqlite::Result<Connection> {
    connect(folder, -8192)
}

/// A connection for checkpoints, which bypass the page cache.
pub(super) fn checkpointer(folder: &Path) -> rusqlite::Result<Connection> {
    connect(folder, -64)
}

/// Flushes the log, where the ack mode does not with each commit. What has left the log is flushed already.
pub(super) fn flush(folder: &Path) -> io::Result<()> {
    // The log is never locked itself, so closing it here takes nobody's lock away.
    fs::File::open(folder.join(format!("{FILE}-wal")))?.sync_data()
}

/// Size of the database and its log on disk.
pub(super) fn bytes(folder: &Path) -> u64 {
    let size = |name: &str| fs::metadata(folder.join(name)).map_or(0, |file| file.len());
    size(FILE) + size(&format!("{FILE}-wal"))
}

fn connect(folder: &Path, cache: i64) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(folder.join(FILE), flags)?;
    // Page size and vacuum mode only count before the first table; on an existing file they change nothing.
    conn.pragma_update(None, "page_size", PAGE)?;
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    // Zeroes deleted content where that costs no extra write.
    conn.pragma_update_and_check(None, "secure_delete", "FAST", |_| Ok(()))?;
    conn.pragma_update(None, "foreign_keys", false)?;
    conn.pragma_update(None, "cache_size", cache)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // After a failure the log is left for the next opening; a proper end copies it by itself.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(conn)
}

fn create(conn: &Connection) -> rusqlite::Result<()> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    let tx = conn.unchecked_transaction()?;
    tx.execute_batch(TABLES)?;
    tx.execute("INSERT INTO meta VALUES('salt', ?1)", [&salt[..]])?;
    ours(&tx)?;
    tx.commit()
}

fn migrate(conn: &Connection) -> rusqlite::Result<()> {
    let tx = conn.unchecked_transaction()?;
    migrate::adopt(&tx, TABLES)?;
    ours(&tx)?;
    tx.commit()
}

/// Marks the tables as those of this version.
fn ours(tx: &Connection) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT OR REPLACE INTO meta VALUES('needs', ?1)",
        [env!("CARGO_PKG_VERSION")],
    )?;
    tx.pragma_update(None, "user_version", VERSION)
}

pub(super) fn newer(folder: &Path, conn: &Connection, found: i64) -> OpenError {
    let needs = conn.query_row("SELECT value FROM meta WHERE name = 'needs'", [], |row| row.get(0));
    OpenError::Newer {
        folder: folder.to_owned(),
        found,
        known: VERSION,
        needs: needs.unwrap_or_else(|_| "of a later version".to_owned()),
    }
}
