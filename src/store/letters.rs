//! Dead letters on their way out: another try, or away for good. What was buried is kept as it stood in its queue, so a
//! retried event has its number, its key and its lane, and what it said before is recognised as said.

use super::commit::{Commit, Verdict, find};
use super::inbox::MAX_PENDING;
use super::moves::Move;
use super::outbox::priority_from_code;
use super::records::DeadQueue;
use super::writer::Change;
use super::{Store, StoreError};
use crate::types::{CallId, EventId, Lane, Timestamp};
use rusqlite::params;

impl Store {
    /// Puts letters back where they came from: events into the inbox, calls into the outbox, to be unsent no longer than
    /// until `expires`; with no attempts counted, at their old place in their lanes. One answer for each, in order:
    /// `Gone` = there is no such letter (any more), `Full` = the inbox takes no more.
    pub(crate) async fn retry_letters(&self, ids: &[i64], expires: Timestamp) -> Vec<Result<(), StoreError>> {
        self.change_all(ids.iter().map(|id| Change::RetryLetter(*id, expires)).collect())
            .await
    }

    /// Removes letters for good. Answers as [`retry_letters`](Self::retry_letters).
    pub(crate) async fn drop_letters(&self, ids: &[i64]) -> Vec<Result<(), StoreError>> {
        self.change_all(ids.iter().map(|id| Change::DropLetter(*id)).collect())
            .await
    }

    /// Numbers of letters, oldest first, of a queue or of all: those above `after` and up to `through`.
    pub(crate) async fn letter_numbers(
        &self,
        queue: Option<DeadQueue>,
        after: i64,
        through: i64,
        limit: usize,
    ) -> Result<Vec<(i64, DeadQueue)>, StoreError> {
        self.read(move |reader| reader.letter_numbers(queue, after, through, limit))
            .await
    }

    /// Those of these numbers that are letters, lowest first.
    pub(crate) async fn letters_among(&self, ids: Vec<i64>) -> Result<Vec<(i64, DeadQueue)>, StoreError> {
        self.read(move |reader| reader.letters_among(ids)).await
    }

    /// The number of the newest letter; 0 if there is none.
    pub(crate) async fn newest_letter(&self) -> Result<i64, StoreError> {
        self.read(|reader| reader.newest_letter()).await
    }
}

/// A letter on its way out.
struct Leaving {
    queue: DeadQueue,
    /// Number of the buried row.
    origin: i64,
}

impl Leaving {
    fn is_event(&self) -> bool {
        matches!(self.queue, DeadQueue::Events | DeadQueue::Quarantine)
    }
}

impl Commit<'_> {
    /// Keeps an event's row beside its letter; the row itself is then removed. Its token ends here.
    pub(super) fn keep_event(&mut self, id: EventId) -> rusqlite::Result<()> {
        self.run(
            "UPDATE event SET token = NULL WHERE id = ?1 AND token IS NOT NULL",
            id.0,
        )?;
        self.run("INSERT INTO buried_event SELECT * FROM event WHERE id = ?1", id.0)
    }

    /// As [`keep_event`](Self::keep_event), for a call.
    pub(super) fn keep_call(&mut self, id: CallId) -> rusqlite::Result<()> {
        self.run("UPDATE call SET token = NULL WHERE id = ?1 AND token IS NOT NULL", id.0)?;
        self.run("INSERT INTO buried_call SELECT * FROM call WHERE id = ?1", id.0)
    }

    pub(super) fn retry_letter(&mut self, letter: i64, expires: Timestamp) -> Verdict<()> {
        let Some(leaving) = self.leaving(letter)? else {
            return Ok(Err(StoreError::Gone));
        };
        let queue = usize::from(!leaving.is_event());
        if leaving.is_event() {
            if self.tally.events >= MAX_PENDING {
                return Ok(Err(StoreError::Full));
            }
            self.run(
                "INSERT INTO event SELECT * FROM buried_event WHERE id = ?1",
                leaving.origin,
            )?;
            self.tally.accepted += 1;
            self.tally.events += 1;
        } else {
            self.run(
                "INSERT INTO call SELECT * FROM buried_call WHERE id = ?1",
                leaving.origin,
            )?;
            self.conn
                .prepare_cached("UPDATE call SET expires = ?2 WHERE id = ?1")?
                .execute(params![leaving.origin, expires.0])?;
            self.tally.calls += 1;
        }
        let table = ["event", "call"][queue];
        let columns = ["0, NULL", "priority, part_of"][queue];
        let sql = format!("SELECT lane, portal, bot, {columns} FROM {table} WHERE id = ?1");
        let id = leaving.origin;
        let back = find(self.conn, &sql, id, |row| {
            let part_of: Option<i64> = row.get(4)?;
            let back = Move::Push {
                lane: Lane(row.get(0)?),
                portal: row.get(1)?,
                bot: row.get(2)?,
                priority: priority_from_code(row.get(3)?),
                id,
            };
            Ok(part_of.map(|of| Move::Part { id, of }).into_iter().chain([back]))
        })?;
        self.moves[queue].extend(back.into_iter().flatten());
        self.remove_letter(letter, &leaving).map(Ok)
    }

    pub(super) fn drop_letter(&mut self, letter: i64) -> Verdict<()> {
        match self.leaving(letter)? {
            Some(leaving) => self.remove_letter(letter, &leaving).map(Ok),
            None => Ok(Err(StoreError::Gone)),
        }
    }

    fn leaving(&self, letter: i64) -> rusqlite::Result<Option<Leaving>> {
        find(
            self.conn,
            "SELECT queue, origin FROM dead WHERE id = ?1",
            letter,
            |row| {
                Ok(Leaving {
                    queue: DeadQueue::ALL[row.get::<_, u8>(0)?.min(3) as usize],
                    origin: row.get(1)?,
                })
            },
        )
    }

    fn remove_letter(&mut self, letter: i64, leaving: &Leaving) -> rusqlite::Result<()> {
        self.run("DELETE FROM dead WHERE id = ?1", letter)?;
        let table = if leaving.is_event() {
            "buried_event"
        } else {
            "buried_call"
        };
        self.run(&format!("DELETE FROM {table} WHERE id = ?1"), leaving.origin)?;
        self.tally.letters[leaving.queue.index()] -= 1;
        Ok(())
    }

    fn run(&self, sql: &str, id: i64) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute([id]).map(drop)
    }
}
