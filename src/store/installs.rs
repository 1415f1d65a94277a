//! Installations of OAuth applications: what waits at the install door, who waits to be accepted, whose tokens are
//! kept. Every credential and every body at the door is sealed. Decides nothing about who is let in.

use super::applied::Trace;
use super::commit::{Commit, Verdict};
use super::reader::Reader;
use super::records::Format;
use super::seal::Seal;
use super::writer::Change;
use super::{Ack, Store, StoreError, schema, unpoisoned};
use crate::types::{PortalId, Secret, Timestamp};
use rusqlite::{Row, params};
use serde_json::{Value, json};

/// Bodies that may wait at the install door.
const WAITING: i64 = 32;

/// An installation, as proven.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    /// The name of the `[[app]]`.
    pub(crate) app: String,
    pub(crate) member_id: String,
    /// The portal's own host.
    pub(crate) domain: String,
    /// Verified: where its calls go.
    pub(crate) endpoint: String,
    /// The authorisation server that vouched for it, `https://{host}`.
    pub(crate) server: String,
    /// Who installed it, and as whom it calls.
    pub(crate) user_id: i64,
    /// When it was proven.
    pub(crate) at: Timestamp,
    /// Since when the refresh token is ours.
    pub(crate) refreshed: Timestamp,
    /// Why it does not work now, and since when; for people.
    pub(crate) parked: Option<(String, Timestamp)>,
    /// `None`: erased, or sealed with another `store.key`.
    pub(crate) tokens: Option<Tokens>,
}

/// What an installation proves itself with, and us.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: Secret,
    pub(crate) refresh: Secret,
    /// Proves its events.
    pub(crate) application: Secret,
    /// The one before, accepted until then.
    pub(crate) before: Option<(Secret, Timestamp)>,
}

/// A body that came to the install door.
#[derive(Clone, Debug)]
pub(crate) struct Knock {
    pub(crate) id: i64,
    pub(crate) at: Timestamp,
    pub(crate) format: Format,
    /// `None`: sealed with another key.
    pub(crate) body: Option<Vec<u8>>,
}

/// What happens to installations.
#[derive(Debug)]
pub(super) enum Deed {
    Knock(Format, Vec<u8>),
    Answered(i64),
    Keep(PortalId, Installation),
    Forget(PortalId),
    Wait(Installation),
    Unwait(String),
    Learn(PortalId, String, i64),
    Trace(Trace),
}

impl Store {
    /// Keeps a body until it has been looked into, sealed. `Full`: as many wait as may.
    pub(crate) async fn knock(&self, format: Format, body: Vec<u8>) -> Result<(), StoreError> {
        self.deed(Deed::Knock(format, body)).await
    }

    /// The bodies that wait at the install door, oldest first.
    pub(crate) async fn knocks(&self) -> Result<Vec<Knock>, StoreError> {
        self.read(|reader| reader.knocks()).await
    }

    /// A body has been looked into, or is too old.
    pub(crate) async fn answered(&self, id: i64) -> Result<(), StoreError> {
        self.deed(Deed::Answered(id)).await
    }

    /// Keeps an installation and its tokens, flushed to disk whatever the ack mode. Its candidate goes.
    pub(crate) async fn keep_installation(&self, portal: PortalId, kept: Installation) -> Result<(), StoreError> {
        self.deed(Deed::Keep(portal, kept)).await
    }

    /// Forgets an installation with its tokens and its bots' numbers.
    pub(crate) async fn forget_installation(&self, portal: PortalId) -> Result<(), StoreError> {
        self.deed(Deed::Forget(portal)).await
    }

    /// All installations. For the start of the program: blocks for the disk.
    pub(crate) fn installations(&self) -> Result<Vec<(PortalId, Installation)>, StoreError> {
        let found = unpoisoned(&self.0.reader).installations();
        found.map_err(|error| StoreError::Read(error.to_string()))
    }

    /// Keeps a proven installation until an operator decides.
    pub(crate) async fn keep_candidate(&self, candidate: Installation) -> Result<(), StoreError> {
        self.deed(Deed::Wait(candidate)).await
    }

    /// The installations that wait for an operator, oldest first.
    pub(crate) async fn candidates(&self) -> Result<Vec<Installation>, StoreError> {
        self.read(|reader| reader.candidates()).await
    }

    /// An operator does not want it.
    pub(crate) async fn drop_candidate(&self, member_id: &str) -> Result<(), StoreError> {
        self.deed(Deed::Unwait(member_id.to_owned())).await
    }

    /// Keeps which number a bot of an application has at a portal.
    pub(crate) async fn learn_bot(&self, portal: PortalId, code: &str, bot: i64) -> Result<(), StoreError> {
        self.deed(Deed::Learn(portal, code.to_owned(), bot)).await
    }

    /// The numbers of bots, by portal and code. For the start of the program: blocks for the disk.
    pub(crate) fn learned_bots(&self) -> Result<Vec<(PortalId, String, i64)>, StoreError> {
        let found = unpoisoned(&self.0.reader).learned_bots();
        found.map_err(|error| StoreError::Read(error.to_string()))
    }

    /// The number of a portal of this name, new or not.
    pub(crate) async fn register_portal(&self, name: &str) -> Result<PortalId, StoreError> {
        let (store, name) = (self.clone(), name.to_owned());
        let registered = tokio::task::spawn_blocking(move || store.register_portals(&[&name])).await;
        let ids = registered.map_err(|error| StoreError::Read(error.to_string()))??;
        ids.first().copied().ok_or(StoreError::Closed)
    }

    pub(super) async fn deed(&self, deed: Deed) -> Result<(), StoreError> {
        self.change(Change::Install(Box::new(deed))).await?;
        if self.0.ack == Ack::Durable {
            return Ok(());
        }
        // A token pair that is gone after a power cut costs the identity, so it is flushed in every mode.
        let folder = self.0.folder.clone();
        let flushed = tokio::task::spawn_blocking(move || schema::flush(&folder)).await;
        match flushed {
            Ok(Ok(())) => Ok(()),
            _ => Err(StoreError::Failed),
        }
    }
}

impl Commit<'_> {
    pub(super) fn install(&mut self, deed: &Deed) -> Verdict<()> {
        match deed {
            Deed::Knock(format, body) => return self.knock(*format, body),
            Deed::Answered(id) => {
                self.conn
                    .prepare_cached("DELETE FROM knock WHERE id = ?1")?
                    .execute([id])?;
            }
            Deed::Keep(portal, kept) => {
                self.conn
                    .prepare_cached("INSERT OR REPLACE INTO install VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)")?
                    .execute(params![
                        portal.0,
                        kept.app,
                        kept.member_id,
                        kept.domain,
                        kept.endpoint,
                        kept.user_id,
                        kept.at.0,
                        kept.refreshed.0,
                        kept.parked.as_ref().map(|(why, _)| why),
                        kept.parked.as_ref().map(|(_, since)| since.0),
                        self.sealed(kept)?,
                        kept.server
                    ])?;
                self.unwait(&kept.member_id)?;
            }
            Deed::Forget(portal) => {
                for table in ["install", "learned", "applied"] {
                    self.conn
                        .prepare_cached(&format!("DELETE FROM {table} WHERE portal = ?1"))?
                        .execute([portal.0])?;
                }
            }
            Deed::Wait(kept) => {
                self.conn
                    .prepare_cached("INSERT OR REPLACE INTO candidate VALUES(?1,?2,?3,?4,?5,?6,?7,?8)")?
                    .execute(params![
                        kept.member_id,
                        kept.app,
                        kept.domain,
                        kept.endpoint,
                        kept.user_id,
                        kept.at.0,
                        self.sealed(kept)?,
                        kept.server
                    ])?;
            }
            Deed::Unwait(member) => self.unwait(member)?,
            Deed::Trace(trace) => return self.trace(trace),
            Deed::Learn(portal, code, bot) => {
                self.conn
                    .prepare_cached("INSERT OR REPLACE INTO learned VALUES(?1, ?2, ?3)")?
                    .execute(params![portal.0, code, bot])?;
            }
        }
        Ok(Ok(()))
    }

    fn knock(&mut self, format: Format, body: &[u8]) -> Verdict<()> {
        let waiting: i64 = self
            .conn
            .prepare_cached("SELECT count(*) FROM knock")?
            .query_row([], |row| row.get(0))?;
        if waiting >= WAITING {
            return Ok(Err(StoreError::Full));
        }
        let sealed = self.seal.seal_bytes(body).map_err(failed)?;
        let id = self.tally.number();
        self.conn
            .prepare_cached("INSERT INTO knock VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![id, self.now.0, format.code(), sealed])?;
        Ok(Ok(()))
    }

    fn unwait(&self, member: &str) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("DELETE FROM candidate WHERE member_id = ?1")?
            .execute([member])?;
        Ok(())
    }

    fn sealed(&self, kept: &Installation) -> rusqlite::Result<Option<Vec<u8>>> {
        let Some(tokens) = &kept.tokens else { return Ok(None) };
        let before = tokens.before.as_ref();
        let text = json!({
            "access": tokens.access.expose(),
            "refresh": tokens.refresh.expose(),
            "application": tokens.application.expose(),
            "before": before.map(|(token, until)| json!([token.expose(), until.0])),
        });
        self.seal
            .seal_bytes(text.to_string().as_bytes())
            .map(Some)
            .map_err(failed)
    }
}

impl Reader {
    fn knocks(&self) -> rusqlite::Result<Vec<Knock>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT id, at, format, body FROM knock ORDER BY id")?;
        let found = statement.query_map([], |row| {
            Ok(Knock {
                id: row.get(0)?,
                at: Timestamp(row.get(1)?),
                format: Format::from_code(row.get(2)?),
                body: self.seal.unseal_bytes(&row.get::<_, Vec<u8>>(3)?),
            })
        })?;
        found.collect()
    }

    fn installations(&self) -> rusqlite::Result<Vec<(PortalId, Installation)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT app, member_id, domain, endpoint, user_id, at, secrets, server, refreshed, parked, parked_at, portal
             FROM install ORDER BY portal",
        )?;
        let found = statement.query_map([], |row| {
            let since: Option<i64> = row.get(10)?;
            let why: Option<String> = row.get(9)?;
            let kept = Installation {
                refreshed: Timestamp(row.get(8)?),
                parked: why.zip(since.map(Timestamp)),
                ..installation(row, &self.seal)?
            };
            Ok((PortalId(row.get(11)?), kept))
        })?;
        found.collect()
    }

    fn candidates(&self) -> rusqlite::Result<Vec<Installation>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT app, member_id, domain, endpoint, user_id, at, secrets, server FROM candidate ORDER BY at, member_id",
        )?;
        let found = statement.query_map([], |row| installation(row, &self.seal))?;
        found.collect()
    }

    fn learned_bots(&self) -> rusqlite::Result<Vec<(PortalId, String, i64)>> {
        let mut statement = self.conn.prepare_cached("SELECT portal, code, bot FROM learned")?;
        let found = statement.query_map([], |row| Ok((PortalId(row.get(0)?), row.get(1)?, row.get(2)?)))?;
        found.collect()
    }
}

/// `app, member_id, domain, endpoint, user_id, at, secrets, server`.
fn installation(row: &Row<'_>, seal: &Seal) -> rusqlite::Result<Installation> {
    let at = Timestamp(row.get(5)?);
    let sealed: Option<Vec<u8>> = row.get(6)?;
    Ok(Installation {
        app: row.get(0)?,
        member_id: row.get(1)?,
        domain: row.get(2)?,
        endpoint: row.get(3)?,
        server: row.get(7)?,
        user_id: row.get(4)?,
        at,
        refreshed: at,
        parked: None,
        tokens: sealed.and_then(|sealed| tokens(&seal.unseal_bytes(&sealed)?)),
    })
}

fn tokens(text: &[u8]) -> Option<Tokens> {
    let value: Value = serde_json::from_slice(text).ok()?;
    let secret = |value: &Value| value.as_str().map(Secret::new);
    let before = &value["before"];
    Some(Tokens {
        access: secret(&value["access"])?,
        refresh: secret(&value["refresh"])?,
        application: secret(&value["application"])?,
        before: secret(&before[0]).zip(before[1].as_i64().map(Timestamp)),
    })
}

fn failed(error: std::io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}
