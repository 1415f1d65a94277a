//! Pages of events that were fetched, and how far each bot's queue at the portal has been read. Both are one commit, so
//! an offset never stands here without its events. Sends nothing and confirms nothing.

use super::commit::{Commit, Verdict};
use super::inbox::{MAX_PENDING, full_key, weight};
use super::records::{Enqueued, NewEvent};
use super::twins::Met;
use super::writer::Op;
use super::{Ack, ROOM_KIB, Store, StoreError, schema};
use crate::types::PortalId;
use rusqlite::params;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What one poll brought.
#[derive(Clone, Debug)]
pub(crate) struct FetchedPage {
    pub(crate) portal: PortalId,
    pub(crate) bot: i64,
    /// Oldest first.
    pub(crate) events: Vec<NewEvent>,
    /// Where the next page begins: everything below may be deleted at the portal once this is kept. `None`: as before.
    pub(crate) next: Option<i64>,
}

impl FetchedPage {
    /// Roughly the bytes it takes.
    pub(super) fn weight(&self) -> u64 {
        self.events.iter().map(weight).sum::<u64>() + 256
    }
}

impl Store {
    /// Stores the events of a page, each once, and where the next page begins. When this returns it has survived what
    /// ack mode `durable` says, whatever the mode: the portal deletes what is confirmed.
    ///
    /// # Errors
    /// Then nothing of the page may be confirmed. `Full`: nothing of it was stored either, and nothing is lost, for the
    /// portal still has it.
    pub(crate) async fn keep_page(&self, page: FetchedPage) -> Result<Vec<Enqueued>, StoreError> {
        let inner = &self.0;
        let kib = usize::try_from(page.weight() / 1024 + 1)
            .unwrap_or(ROOM_KIB)
            .min(ROOM_KIB);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let room = Arc::clone(&inner.room).acquire_many_owned(kib).await;
        let room = room.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.send(Op::Fetched { page, reply, room }).await?;
        let kept = answer.await.unwrap_or_else(|_| Err(self.silent()))?;
        if inner.ack == Ack::Durable {
            return Ok(kept);
        }
        let folder = inner.folder.clone();
        match tokio::task::spawn_blocking(move || schema::flush(&folder)).await {
            Ok(Ok(())) => Ok(kept),
            _ => Err(StoreError::Failed),
        }
    }

    /// Where the next page of each bot's queue begins.
    pub(crate) async fn fetch_offsets(&self) -> Result<HashMap<(PortalId, i64), i64>, StoreError> {
        self.read(|reader| {
            let mut statement = reader.conn.prepare_cached("SELECT portal, bot, next FROM fetched")?;
            let found = statement.query_map([], |row| Ok(((PortalId(row.get(0)?), row.get(1)?), row.get(2)?)))?;
            found.collect()
        })
        .await
    }
}

impl Commit<'_> {
    /// All of the page or nothing: a page in part would be fetched again as a whole.
    pub(super) fn keep_page(&mut self, page: &FetchedPage) -> Verdict<Vec<Enqueued>> {
        let more = i64::try_from(page.events.len()).unwrap_or(MAX_PENDING);
        let full = self.used >= self.limits.max_bytes || self.tally.events + more > MAX_PENDING;
        if full && more > 0 {
            return Ok(Err(StoreError::Full));
        }
        let mut kept = Vec::with_capacity(page.events.len());
        for event in &page.events {
            let key = event.key.as_ref().map(|key| full_key(event.portal, &key.whole));
            kept.push(match self.meet(event, key)? {
                Met::Before => Enqueued::Duplicate,
                Met::First(key) => self.let_in(event, key.as_deref())?,
            });
        }
        if let Some(next) = page.next {
            self.conn
                .prepare_cached(
                    "INSERT INTO fetched VALUES(?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET next = excluded.next WHERE excluded.next > next",
                )?
                .execute(params![page.portal.0, page.bot, next])?;
        }
        Ok(Ok(kept))
    }
}
