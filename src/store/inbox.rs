//! Events: how they enter (once), and how they end together with what they caused.

use super::StoreError;
use super::commit::{Commit, Place, Verdict};
use super::moves::Move;
use super::records::{Completion, DeadQueue, Enqueued, Format, Memory, NewEvent, STORE_FULL, Settled};
use super::twins::Met;
use crate::types::{EventId, PortalId, Priority};
use rusqlite::{OptionalExtension, params};

/// Events that may wait at one time. The index in memory needs up to 250 bytes for each, so this bounds it, however small
/// the events are.
pub(super) const MAX_PENDING: i64 = 1_000_000;

impl Commit<'_> {
    pub(super) fn enqueue(&mut self, event: &NewEvent) -> Verdict<Enqueued> {
        let key = event.key.as_ref().map(|key| full_key(event.portal, &key.whole));
        if self.used >= self.limits.max_bytes || self.tally.events >= MAX_PENDING {
            // A repeat of what is stored loses nothing, so it is still answered as one.
            if let Some(key) = &key
                && self.came_before(event, key)?
            {
                return Ok(Ok(Enqueued::Duplicate));
            }
            self.gap(event.portal, STORE_FULL)?;
            return Ok(Err(StoreError::Full));
        }
        match self.meet(event, key)? {
            Met::Before => Ok(Ok(Enqueued::Duplicate)),
            Met::First(key) => self.let_in(event, key.as_deref()).map(Ok),
        }
    }

    /// Writes an event that is new. `key` is the full one, if it is this event's alone.
    pub(super) fn let_in(&mut self, event: &NewEvent, key: Option<&[u8]>) -> rusqlite::Result<Enqueued> {
        self.used += weight(event);
        let portal = event.portal.0;
        self.moves[0].push(Move::Heard { portal });
        let id = self.tally.number();
        if let Some(reason) = event.quarantine {
            self.quarantine(event, id, reason, key)?;
            return Ok(Enqueued::Quarantined(EventId(id)));
        }
        let token = self.seal(event.token.as_ref())?;
        self.put_event(event, id, key, token.as_deref())?;
        Ok(Enqueued::Stored(EventId(id)))
    }

    /// Writes the row of an event that is let in. `key` is the full one, `token` sealed.
    pub(super) fn put_event(
        &mut self,
        event: &NewEvent,
        id: i64,
        key: Option<&[u8]>,
        token: Option<&[u8]>,
    ) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("INSERT INTO event VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?
            .execute(params![
                id,
                event.lane.0,
                event.portal.0,
                event.bot,
                event.received.0,
                event.format.code(),
                event.dialog,
                event.name,
                key,
                token,
                event.body
            ])?;
        self.moves[0].push(Move::Push {
            lane: event.lane,
            portal: event.portal.0,
            bot: event.bot,
            priority: Priority::Interactive,
            id,
        });
        self.tally.accepted += 1;
        self.tally.events += 1;
        Ok(())
    }

    fn quarantine(&mut self, event: &NewEvent, id: i64, reason: &str, key: Option<&[u8]>) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("INSERT INTO dead VALUES(?1, 3, ?2, ?3, ?4, ?5, ?6, ?7, '', 0, ?1, ?8)")?
            .execute(params![
                id,
                self.now.0,
                event.portal.0,
                event.bot,
                event.dialog,
                event.name,
                reason,
                event.received.0,
            ])?;
        self.conn
            .prepare_cached("INSERT INTO buried_event VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL, ?10)")?
            .execute(params![
                id,
                event.lane.0,
                event.portal.0,
                event.bot,
                event.received.0,
                event.format.code(),
                event.dialog,
                event.name,
                key,
                event.body
            ])?;
        self.tally.letter(DeadQueue::Quarantine);
        Ok(())
    }

    /// Whether this is the first time within the window; remembers it. An entry that has outlived the window but not
    /// yet been swept counts as none, so the window is exact however late the sweep is.
    pub(super) fn see(&mut self, key: &[u8]) -> rusqlite::Result<bool> {
        let since = (self.now - self.limits.dedup_window).0;
        let changed = self
            .conn
            .prepare_cached("INSERT INTO seen VALUES(?1, ?2) ON CONFLICT DO UPDATE SET at = ?2 WHERE at <= ?3")?
            .execute(params![key, self.now.0, since])?;
        Ok(changed == 1)
    }

    pub(super) fn knows(&self, key: &[u8]) -> rusqlite::Result<bool> {
        let since = (self.now - self.limits.dedup_window).0;
        let mut statement = self
            .conn
            .prepare_cached("SELECT 1 FROM seen WHERE key = ?1 AND at > ?2")?;
        statement.exists(params![key, since])
    }

    pub(super) fn complete_event(&mut self, end: &Completion) -> Verdict<()> {
        let found = self
            .conn
            .prepare_cached("SELECT lane, portal, bot, dialog FROM event WHERE id = ?1")?
            .query_row([end.id.0], |row| {
                let place = Place {
                    lane: crate::types::Lane(row.get(0)?),
                    portal: PortalId(row.get(1)?),
                };
                Ok((place, row.get::<_, i64>(2)?, row.get::<_, String>(3)?))
            })
            .optional()?;
        let Some((place, bot, dialog)) = found else {
            return Ok(Err(StoreError::Gone));
        };
        self.remove_event(&place, end.id)?;
        self.queue_in_order(&end.calls)?;
        if end.present {
            self.bot_is_in(place.portal, bot, &dialog)?;
        }
        match &end.memory {
            Memory::Keep => {}
            Memory::Set(value) => {
                self.conn
                    .prepare_cached("INSERT OR REPLACE INTO memory VALUES(?1, ?2, ?3, ?4)")?
                    .execute(params![place.portal.0, bot, dialog, value])?;
            }
            Memory::Forget => {
                self.conn
                    .prepare_cached("DELETE FROM memory WHERE portal = ?1 AND bot = ?2 AND dialog = ?3")?
                    .execute(params![place.portal.0, bot, dialog])?;
            }
        }
        match end.settled {
            Settled::Done => self.tally.done += 1,
            Settled::Ignored => self.tally.ignored += 1,
        }
        Ok(Ok(()))
    }

    pub(super) fn remove_event(&mut self, place: &Place, id: EventId) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("DELETE FROM event WHERE id = ?1")?
            .execute([id.0])?;
        self.forget_failures(id.0)?;
        self.tally.events -= 1;
        let lane = place.lane;
        self.moves[0].push(Move::Remove { lane, id: id.0 });
        Ok(())
    }
}

impl Format {
    pub(super) fn code(self) -> i64 {
        match self {
            Self::Form => 0,
            Self::Json => 1,
            Self::Settled => 2,
            Self::Packed => 3,
        }
    }

    pub(super) fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Form,
            2 => Self::Settled,
            3 => Self::Packed,
            _ => Self::Json,
        }
    }
}

/// A key is one portal's own.
pub(super) fn full_key(portal: PortalId, key: &[u8]) -> Vec<u8> {
    [&portal.0.to_be_bytes(), key].concat()
}

/// Roughly the bytes an event takes: its body and some for keys, rows and indexes.
pub(super) fn weight(event: &NewEvent) -> u64 {
    (event.body.len() + event.dialog.len() + event.name.len() + 256) as u64
}
