//! Calls: queued with the event that caused them or by a key of their own, and what the store remembers of an attempt
//! that must not be repeated.

use super::StoreError;
use super::commit::{Burial, Commit, Place, Verdict, find};
use super::inbox::full_key;
use super::moves::Move;
use super::records::{CRASHED, DeadQueue, Identity, KeyedCall, NewCall, Queueing, Unknown};
use crate::types::{CallId, Priority};
use rusqlite::params;
use sha2::{Digest, Sha256};

impl Commit<'_> {
    /// Queues these calls one behind the other.
    pub(super) fn queue_in_order(&mut self, calls: &[NewCall]) -> rusqlite::Result<()> {
        let mut before = None;
        for call in calls {
            before = Some(self.queue_call(call, before)?);
        }
        Ok(())
    }

    /// Queues calls by their senders' keys: all of them or, in a full store, none.
    pub(super) fn queue_keyed(&mut self, calls: &[KeyedCall]) -> Verdict<Vec<Queueing>> {
        let keys: Vec<_> = calls.iter().map(call_key).collect();
        if self.used >= self.limits.max_bytes {
            for key in &keys {
                if !key.as_ref().map(|key| self.knows(key)).transpose()?.unwrap_or_default() {
                    return Ok(Err(StoreError::Full));
                }
            }
        }
        let mut queued = Vec::with_capacity(calls.len());
        for (KeyedCall { call, .. }, key) in calls.iter().zip(keys) {
            if let Some(key) = key
                && !self.see(&key)?
            {
                queued.push(Queueing::Duplicate);
                continue;
            }
            self.used += call.params.len() as u64 + 512;
            queued.push(Queueing::Queued(self.queue_call(call, None)?.id));
        }
        Ok(Ok(queued))
    }

    fn queue_call(&mut self, call: &NewCall, before: Option<Placed>) -> rusqlite::Result<Placed> {
        let token = self.seal(call.token.as_ref())?;
        let id = self.tally.number();
        let text = before.filter(|_| call.ties.follows).map(|before| before.text);
        let then = call.ties.then.as_ref();
        let fallback = call.ties.fallback.as_ref();
        self.conn
            .prepare_cached(
                "INSERT INTO call VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)",
            )?
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
                priority_code(call.priority),
                call.dialog,
                call.method,
                call.template.as_ref().map(|id| id.as_str()),
                token,
                call.params,
                then.map(|then| &then.tag),
                then.map(|then| &then.dialog),
                text,
                fallback.map(|fallback| &fallback.method),
                fallback.map(|fallback| &fallback.params)
            ])?;
        if let Some(of) = text {
            self.moves[1].push(Move::Part { id, of });
        }
        self.moves[1].push(Move::Push {
            lane: call.lane,
            portal: call.portal.0,
            bot: call.bot,
            priority: call.priority,
            id,
        });
        self.tally.calls += 1;
        Ok(Placed {
            id: CallId(id),
            text: text.unwrap_or(id),
        })
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

/// Where a call was put: its number, and that of the first part of its text.
#[derive(Clone, Copy)]
struct Placed {
    id: CallId,
    text: i64,
}

/// First byte of the keys of calls; those of events are below it.
const CALL_KEY: u8 = 201;

/// The sender's key, one portal's and bot's own. Digested: it may be long, and it is a stranger's text.
fn call_key(keyed: &KeyedCall) -> Option<Vec<u8>> {
    let key = keyed.key.as_ref()?;
    let digest = Sha256::digest(key.as_bytes());
    let own = [&[CALL_KEY][..], &keyed.call.bot.to_be_bytes(), &digest].concat();
    Some(full_key(keyed.call.portal, &own))
}

impl Identity {
    fn code(self) -> i64 {
        match self {
            Self::Webhook => 0,
            Self::EventToken => 1,
            Self::App => 2,
        }
    }

    pub(super) fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Webhook,
            1 => Self::EventToken,
            _ => Self::App,
        }
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

fn priority_code(priority: Priority) -> i64 {
    match priority {
        Priority::Interactive => 0,
        Priority::Typing => 1,
        Priority::Bulk => 2,
    }
}

pub(super) fn priority_from_code(code: i64) -> Priority {
    match code {
        1 => Priority::Typing,
        2 => Priority::Bulk,
        _ => Priority::Interactive,
    }
}
