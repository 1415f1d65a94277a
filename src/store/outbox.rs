//! Calls: queued with the event that caused them, and what the store remembers of an attempt that must not be repeated.

use super::StoreError;
use super::commit::{Burial, Commit, Place, Verdict, find};
use super::lanes::Move;
use super::records::{CRASHED, DeadQueue, Identity, NewCall, Unknown};
use crate::types::CallId;
use rusqlite::params;

impl Commit<'_> {
    pub(super) fn queue_call(&mut self, call: &NewCall) -> rusqlite::Result<()> {
        let token = self.seal(call.token.as_ref())?;
        let id = self.tally.number();
        self.conn
            .prepare_cached("INSERT INTO call VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)")?
            .execute(params![
                id,
                call.lane.0,
                call.portal.0,
                call.bot,
                call.received.0,
                call.expires.0,
                call.event.map(|event| event.0),
                call.identity.code(),
                call.unknown.code(),
                call.dialog,
                call.method,
                call.template.as_ref().map(|id| id.as_str()),
                token,
                call.params
            ])?;
        self.moves[1].push(Move::Push {
            lane: call.lane,
            portal: call.portal.0,
            id,
        });
        self.tally.calls += 1;
        Ok(())
    }

    pub(super) fn call_started(&mut self, id: CallId) -> Verdict<()> {
        if self.call_place(id)?.is_none() {
            return Ok(Err(StoreError::Gone));
        }
        self.conn
            .prepare_cached("INSERT OR IGNORE INTO started VALUES(?1)")?
            .execute([id.0])?;
        Ok(Ok(()))
    }

    pub(super) fn end_attempt(&mut self, id: CallId) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("DELETE FROM started WHERE call = ?1")?
            .execute([id.0])?;
        Ok(())
    }

    pub(super) fn complete_call(&mut self, id: CallId) -> Verdict<()> {
        let Some(place) = self.call_place(id)? else {
            return Ok(Err(StoreError::Gone));
        };
        self.tally.delivered += 1;
        self.remove_call(&place, id).map(Ok)
    }

    pub(super) fn remove_call(&mut self, place: &Place, id: CallId) -> rusqlite::Result<()> {
        self.end_attempt(id)?;
        self.conn
            .prepare_cached("DELETE FROM call WHERE id = ?1")?
            .execute([id.0])?;
        self.forget_failures(id.0)?;
        self.tally.calls -= 1;
        let lane = place.lane;
        self.moves[1].push(Move::Remove { lane, id: id.0 });
        Ok(())
    }

    /// On opening: an attempt that had started and has no end may have been carried out. What must not be repeated
    /// becomes a dead letter, the rest is ready again.
    pub(super) fn settle_crashed(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.conn.prepare("SELECT call FROM started ORDER BY call")?;
        let started: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for id in started {
            let unknown: Option<i64> = find(self.conn, "SELECT unknown FROM call WHERE id = ?1", id, |row| {
                row.get(0)
            })?;
            if unknown == Some(Unknown::Stop.code()) {
                let burial = Burial {
                    queue: DeadQueue::Unknown,
                    reason: CRASHED,
                    detail: "the process ended while the call was under way",
                    attempted: true,
                };
                // It was found a line above, so it cannot be gone.
                let _ = self.bury_call(CallId(id), &burial)?;
            } else {
                self.end_attempt(CallId(id))?;
            }
        }
        Ok(())
    }
}

impl Identity {
    fn code(self) -> i64 {
        match self {
            Self::Webhook => 0,
            Self::EventToken => 1,
        }
    }

    pub(super) fn from_code(code: i64) -> Self {
        if code == 0 { Self::Webhook } else { Self::EventToken }
    }
}

impl Unknown {
    fn code(self) -> i64 {
        match self {
            Self::Repeat => 0,
            Self::Stop => 1,
        }
    }

    /// What is not known to be harmless is not repeated.
    pub(super) fn from_code(code: i64) -> Self {
        if code == 0 { Self::Repeat } else { Self::Stop }
    }
}
