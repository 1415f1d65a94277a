//! Who is paused by an operator, and when each portal was last heard of: small durable facts beside the queues. Events of
//! who is paused are stored as ever; their claims leave them out.

use super::commit::Commit;
use super::lanes::Lanes;
use super::moves::{LeftOut, Move};
use super::writer::Change;
use super::{Shared, Store, StoreError, unpoisoned};
use crate::types::{PortalId, Timestamp};
use rusqlite::{Connection, params};
use std::sync::Arc;
use tokio::sync::watch;

impl Store {
    /// Who is paused: whole portals, and bots of their own.
    pub(crate) fn paused(&self) -> watch::Receiver<Arc<LeftOut>> {
        self.0.shared.paused.subscribe()
    }

    /// Pauses a portal or one of its bots, durably: from the next claim on, no event and no call of it is given out.
    pub(crate) async fn pause(&self, portal: PortalId, bot: Option<i64>) -> Result<(), StoreError> {
        self.change(Change::Pause(portal, bot, true)).await
    }

    /// Ends just this pause: a paused bot stays paused when its portal goes on, and the other way round.
    pub(crate) async fn resume(&self, portal: PortalId, bot: Option<i64>) -> Result<(), StoreError> {
        self.change(Change::Pause(portal, bot, false)).await
    }

    /// Gives out no event and no call any more, for the life of this opening: a command beside no server must not do the
    /// server's work by the way.
    pub(crate) fn hold_everything(&self) {
        for lanes in &self.0.shared.lanes {
            unpoisoned(lanes).close();
        }
    }

    /// When the last event of a portal was stored; after a crash it may be a second behind.
    pub(crate) fn last_event(&self, portal: PortalId) -> Option<Timestamp> {
        unpoisoned(&self.0.shared.lanes[0]).last(portal.0).map(Timestamp)
    }
}

impl Commit<'_> {
    pub(super) fn pause(&mut self, portal: PortalId, bot: Option<i64>, on: bool) -> rusqlite::Result<()> {
        if on {
            self.conn
                .prepare_cached("INSERT OR IGNORE INTO paused VALUES(?1, ?2, ?3)")?
                .execute(params![portal.0, bot, self.now.0])?;
        } else {
            self.conn
                .prepare_cached("DELETE FROM paused WHERE portal = ?1 AND bot IS ?2")?
                .execute(params![portal.0, bot])?;
        }
        for moves in &mut self.moves {
            moves.push(Move::Pause { portal, bot, on });
        }
        Ok(())
    }

    /// Writes down when each portal was last heard of. Not with every event: that would be one page more a commit.
    pub(super) fn note_last_events(&mut self, shared: &Shared) -> rusqlite::Result<()> {
        for (portal, at) in unpoisoned(&shared.lanes[0]).take_last() {
            self.conn
                .prepare_cached("UPDATE portal SET last_event = ?2 WHERE id = ?1")?
                .execute(params![portal, at])?;
        }
        Ok(())
    }
}

/// On opening: the pauses, as the lanes learn them.
pub(super) fn load(conn: &Connection) -> rusqlite::Result<Vec<Move>> {
    conn.prepare("SELECT portal, bot FROM paused")?
        .query_map([], |row| {
            Ok(Move::Pause {
                portal: PortalId(row.get(0)?),
                bot: row.get(1)?,
                on: true,
            })
        })?
        .collect()
}

/// On opening: when each portal was last heard of.
pub(super) fn load_last_events(conn: &Connection, inbox: &mut Lanes) -> rusqlite::Result<()> {
    let mut statement = conn.prepare("SELECT id, last_event FROM portal WHERE last_event IS NOT NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        inbox.recall_last(row.get(0)?, row.get(1)?);
    }
    Ok(())
}
