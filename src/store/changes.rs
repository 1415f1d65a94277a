//! Changes of a bot that go on over restarts: its token and the way its events come. Every token is sealed. Decides
//! nothing about when a change goes on.

use super::commit::Commit;
use super::reader::Reader;
use super::seal::Seal;
use super::writer::Change;
use super::{Ack, FILE, Store, StoreError, schema, unpoisoned};
use crate::types::{PortalId, Secret, Timestamp};
use rusqlite::{Connection, OpenFlags, Row, params};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// A bot's token that is being changed, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// The one before.
    pub(crate) old: Secret,
    pub(crate) new: Secret,
    /// What the configuration said when the first of the changes was planned.
    pub(crate) configured: Secret,
    /// Tokens whose events are still good, and until when.
    pub(crate) former: Vec<(Secret, Timestamp)>,
    pub(crate) planned: Timestamp,
    /// When the portal was known to have the new one. `None`: nobody knows which one it has.
    pub(crate) done: Option<Timestamp>,
}

/// A bot's events that come another way from now on, or came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switching {
    /// Whether they are fetched in the end; else they are posted.
    pub(crate) fetch: bool,
    pub(crate) began: Timestamp,
    /// When the portal was known to have been told.
    pub(crate) told: Option<Timestamp>,
    /// Since when only one way is used. Finished but not told: taken to be so, nobody has asked the portal.
    pub(crate) finished: Option<Timestamp>,
}

/// A bot of a portal.
type Key = (PortalId, i64);

/// What happens to these changes.
#[derive(Debug)]
pub(super) enum BotChange {
    Rotate(Key, Option<Rotation>),
    Switch(Key, Option<Switching>),
}

/// What a store holds of a bot, seen without opening it.
#[derive(Clone, Debug)]
pub(crate) struct Peeked {
    /// The configured name.
    pub(crate) portal: String,
    pub(crate) bot: i64,
    /// `None`: sealed with another key.
    pub(crate) rotation: Option<Rotation>,
}

impl Store {
    /// Keeps how far the change of a bot's token is, flushed to disk whatever the ack mode; `None`: forgets it.
    pub(crate) async fn keep_rotation(&self, bot: Key, rotation: Option<Rotation>) -> Result<(), StoreError> {
        self.of_bot(BotChange::Rotate(bot, rotation)).await
    }

    /// Keeps how far the change of the way of a bot's events is, flushed like a token; `None`: forgets it.
    pub(crate) async fn keep_switching(&self, bot: Key, switching: Option<Switching>) -> Result<(), StoreError> {
        self.of_bot(BotChange::Switch(bot, switching)).await
    }

    /// All changes of tokens; `None`: sealed with another key. For the start of the program: blocks for the disk.
    pub(crate) fn rotations(&self) -> Result<Vec<(Key, Option<Rotation>)>, StoreError> {
        let found = unpoisoned(&self.0.reader).rotations();
        found.map_err(|error| StoreError::Read(error.to_string()))
    }

    /// All changes of the way of events. For the start of the program: blocks for the disk.
    pub(crate) fn switchings(&self) -> Result<Vec<(Key, Switching)>, StoreError> {
        let found = unpoisoned(&self.0.reader).switchings();
        found.map_err(|error| StoreError::Read(error.to_string()))
    }

    /// The bots whose events were ever fetched. For the start of the program: blocks for the disk.
    pub(crate) fn fetched_bots(&self) -> Result<Vec<Key>, StoreError> {
        let found = unpoisoned(&self.0.reader).fetched_bots();
        found.map_err(|error| StoreError::Read(error.to_string()))
    }

    async fn of_bot(&self, change: BotChange) -> Result<(), StoreError> {
        self.change(Change::OfBot(Box::new(change))).await?;
        if self.0.ack == Ack::Durable {
            return Ok(());
        }
        // What the portal is told next must be known here after a power cut.
        let folder = self.0.folder.clone();
        match tokio::task::spawn_blocking(move || schema::flush(&folder)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(StoreError::Failed),
        }
    }
}

impl Commit<'_> {
    pub(super) fn of_bot(&mut self, change: &BotChange) -> rusqlite::Result<()> {
        let ((portal, bot), table) = match change {
            BotChange::Rotate(key, _) => (*key, "rotation"),
            BotChange::Switch(key, _) => (*key, "switching"),
        };
        // Of an earlier change nothing may be left that an event of this one could take for its twin.
        self.end_twins((portal, bot))?;
        match change {
            BotChange::Rotate(_, Some(rotation)) => {
                let secrets = sealed(self.seal, rotation)?;
                let done = rotation.done.map(|at| at.0);
                self.conn
                    .prepare_cached("INSERT OR REPLACE INTO rotation VALUES(?1, ?2, ?3, ?4, ?5)")?
                    .execute(params![portal.0, bot, rotation.planned.0, done, secrets])?;
            }
            BotChange::Switch(_, Some(kept)) => {
                let (told, finished) = (kept.told.map(|at| at.0), kept.finished.map(|at| at.0));
                self.conn
                    .prepare_cached("INSERT OR REPLACE INTO switching VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?
                    .execute(params![portal.0, bot, kept.fetch, kept.began.0, told, finished])?;
            }
            BotChange::Rotate(_, None) | BotChange::Switch(_, None) => {
                self.conn
                    .prepare_cached(&format!("DELETE FROM {table} WHERE portal = ?1 AND bot = ?2"))?
                    .execute(params![portal.0, bot])?;
            }
        }
        self.end_twins((portal, bot))
    }
}

impl Reader {
    fn rotations(&self) -> rusqlite::Result<Vec<(Key, Option<Rotation>)>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT portal, bot, planned, done, secrets FROM rotation")?;
        let found = statement.query_map([], |row| Ok((key(row)?, rotation(&self.seal, row)?)))?;
        found.collect()
    }

    fn switchings(&self) -> rusqlite::Result<Vec<(Key, Switching)>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT portal, bot, fetch, began, told, finished FROM switching")?;
        let found = statement.query_map([], |row| {
            let kept = Switching {
                fetch: row.get(2)?,
                began: Timestamp(row.get(3)?),
                told: row.get::<_, Option<i64>>(4)?.map(Timestamp),
                finished: row.get::<_, Option<i64>>(5)?.map(Timestamp),
            };
            Ok((key(row)?, kept))
        })?;
        found.collect()
    }

    fn fetched_bots(&self) -> rusqlite::Result<Vec<Key>> {
        let mut statement = self.conn.prepare_cached("SELECT portal, bot FROM fetched")?;
        let found = statement.query_map([], key)?;
        found.collect()
    }
}

/// The tokens that a store folder holds for bots, whoever has it open. Changes nothing and waits for nobody; `None`:
/// there is no store, or it cannot be seen from here.
pub(crate) fn peek(folder: &Path, configured: Option<&Secret>) -> Option<Vec<Peeked>> {
    let has_key = configured.is_some() || folder.join("key").exists();
    if !has_key || !folder.join(FILE).exists() {
        return None;
    }
    let seal = Arc::new(Seal::open(folder, configured).ok()?);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(folder.join(FILE), flags).ok()?;
    let mut statement = conn
        .prepare(
            "SELECT portal, bot, planned, done, secrets, name FROM rotation JOIN portal ON portal.id = rotation.portal",
        )
        .ok()?;
    let found = statement.query_map([], |row| {
        Ok(Peeked {
            portal: row.get(5)?,
            bot: row.get(1)?,
            rotation: rotation(&seal, row)?,
        })
    });
    found.ok()?.collect::<rusqlite::Result<_>>().ok()
}

fn key(row: &Row<'_>) -> rusqlite::Result<Key> {
    Ok((PortalId(row.get(0)?), row.get(1)?))
}

fn sealed(seal: &Seal, rotation: &Rotation) -> rusqlite::Result<Vec<u8>> {
    let former = rotation.former.iter();
    let text = json!({
        "old": rotation.old.expose(),
        "new": rotation.new.expose(),
        "configured": rotation.configured.expose(),
        "former": former.map(|(token, until)| json!([token.expose(), until.0])).collect::<Vec<_>>(),
    });
    let sealed = seal.seal_bytes(text.to_string().as_bytes());
    sealed.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn rotation(seal: &Seal, row: &Row<'_>) -> rusqlite::Result<Option<Rotation>> {
    let (planned, done): (i64, Option<i64>) = (row.get(2)?, row.get(3)?);
    let clear = seal.unseal_bytes(&row.get::<_, Vec<u8>>(4)?);
    let tokens = clear.and_then(|clear| serde_json::from_slice::<Value>(&clear).ok());
    let read = |tokens: Value| {
        let token = |name: &str| Some(Secret::new(tokens[name].as_str()?));
        let former = tokens["former"].as_array()?.iter();
        let former = former.filter_map(|one| Some((Secret::new(one[0].as_str()?), Timestamp(one[1].as_i64()?))));
        Some(Rotation {
            old: token("old")?,
            new: token("new")?,
            configured: token("configured")?,
            former: former.collect(),
            planned: Timestamp(planned),
            done: done.map(Timestamp),
        })
    };
    Ok(tokens.and_then(read))
}
