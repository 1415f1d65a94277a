//! How calls end: carried out, given up, or turned into their fallback; and who is told. Each end is one commit with all
//! that follows from it, so nobody hears of an end that did not happen, or twice.

use super::StoreError;
use super::commit::{Burial, Commit, Place, Verdict, find};
use super::inbox::full_key;
use super::records::{DeadQueue, EARLIER_PART_FAILED, Format, NewEvent, Retry};
use crate::method::{MessageSend, Method};
use crate::types::{CallId, Lane, PortalId, is_credential};
use rusqlite::params;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::time::Duration;

/// Name of the event that tells how a tagged call ended.
const SETTLED: &str = "IMBOTCALLSETTLED";
/// First byte of its deduplication key; those of portals' events are below it.
const SETTLED_KEY: u8 = 200;
/// The longest result that is handed back, as JSON bytes: four times what a bot may remember.
const MAX_RESULT: usize = 256 * 1024;
/// What a portal answers to who is not in the chat.
const ACCESS_DENIED: &str = "ACCESS_DENIED";
/// A call that became its fallback holds its dialog as long as it takes.
const HOLD: Duration = Duration::from_secs(31 * 24 * 3600);

/// What a call's row says about those who have to do with its end.
struct Ending {
    place: Place,
    bot: i64,
    dialog: String,
    method: String,
    then: Option<(String, String)>,
    /// The first part of its text.
    text: i64,
    /// Sealed, and only with `then`: the event goes on as the same bot.
    token: Option<Vec<u8>>,
}

impl Ending {
    /// Whether it says something in a group, which only a member may.
    fn speaks_in_group(&self) -> bool {
        self.method == MessageSend::NAME && self.dialog.starts_with("chat")
    }
}

/// How it ended, as the event tells it.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum How<'a> {
    Result(&'a RawValue),
    /// The result had so many bytes, and that is too much to hand back.
    Cut(usize),
    Error {
        code: &'a str,
        unknown: bool,
    },
}

#[derive(Serialize)]
struct Told<'a> {
    event: &'static str,
    ts: i64,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    bot: BotId,
    call_id: i64,
    tag: &'a str,
    method: &'a str,
    dialog_id: &'a str,
    #[serde(flatten)]
    how: How<'a>,
}

#[derive(Serialize)]
struct BotId {
    id: i64,
}

impl Commit<'_> {
    pub(super) fn complete_call(&mut self, id: CallId, result: &Kept) -> Verdict<()> {
        let Some(ending) = self.ending(id)? else {
            return Ok(Err(StoreError::Gone));
        };
        self.tally.delivered += 1;
        if ending.speaks_in_group() {
            self.bot_is_in(ending.place.portal, ending.bot, &ending.dialog)?;
        }
        self.remove_call(&ending.place, id)?;
        let how = match result {
            Kept::Whole(result) => How::Result(result),
            Kept::TooLong(bytes) => How::Cut(*bytes),
        };
        self.tell(id, &ending, how).map(Ok)
    }

    /// Gives up a call, and the parts of its text behind it.
    pub(super) fn bury_call(&mut self, id: CallId, burial: &Burial<'_>) -> Verdict<()> {
        let Some(ending) = self.ending(id)? else {
            return Ok(Err(StoreError::Gone));
        };
        if ending.speaks_in_group() && burial.reason == ACCESS_DENIED {
            self.bot_is_out(&ending)?;
        }
        self.bury_one(id, &ending, burial)?;
        let behind: Vec<i64> = self
            .conn
            .prepare_cached("SELECT id FROM call WHERE part_of = ?1 AND id > ?2 ORDER BY id")?
            .query_map(params![ending.text, id.0], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let broken_off = Burial {
            queue: DeadQueue::Calls,
            reason: EARLIER_PART_FAILED,
            detail: "a part of the same text before it was not delivered, or nobody knows",
            attempted: false,
        };
        for part in behind.into_iter().map(CallId) {
            if let Some(ending) = self.ending(part)? {
                self.bury_one(part, &ending, &broken_off)?;
            }
        }
        Ok(Ok(()))
    }

    fn bury_one(&mut self, id: CallId, ending: &Ending, burial: &Burial<'_>) -> rusqlite::Result<()> {
        let letter = self.tally.number();
        let queue = i64::try_from(burial.queue.index()).unwrap_or_default();
        let last = i64::from(burial.attempted);
        self.conn
            .prepare_cached(
                "INSERT INTO dead SELECT ?2, ?3, ?4, portal, bot, dialog, method, ?5, ?6, coalesce(attempts, 0) + ?7, c.id,
                 received FROM call c LEFT JOIN failed f ON f.id = c.id WHERE c.id = ?1",
            )?
            .execute(params![id.0, letter, queue, self.now.0, burial.reason, burial.detail, last])?;
        self.keep_call(id)?;
        self.tally.letter(burial.queue);
        self.remove_call(&ending.place, id)?;
        let how = How::Error {
            code: burial.reason,
            unknown: burial.queue == DeadQueue::Unknown,
        };
        self.tell(id, ending, how)
    }

    /// The portal denied access to a call that has a fallback: it becomes that, once, in its place in the dialog, and is
    /// ready at once. `Gone` if it has none. A fallback is never repeated after an unknown outcome.
    pub(super) fn fall_back_call(&mut self, id: CallId) -> Verdict<()> {
        let Some(ending) = self.ending(id)? else {
            return Ok(Err(StoreError::Gone));
        };
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE call SET method = fallback, params = fallback_params, template = NULL, unknown = 1,
                 fallback = NULL, fallback_params = NULL WHERE id = ?1 AND fallback IS NOT NULL",
            )?
            .execute([id.0])?;
        if changed == 0 {
            return Ok(Err(StoreError::Gone));
        }
        if ending.speaks_in_group() {
            self.bot_is_out(&ending)?;
        }
        let now = Retry {
            due: self.now,
            hold_until: self.now + HOLD,
            first_failed: self.now,
        };
        self.retry_call(id, &now)
    }

    /// Remembers that the bot is in a group.
    pub(super) fn bot_is_in(&mut self, portal: PortalId, bot: i64, dialog: &str) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("INSERT OR IGNORE INTO present VALUES(?1, ?2, ?3)")?
            .execute(params![portal.0, bot, dialog])?;
        Ok(())
    }

    fn bot_is_out(&mut self, ending: &Ending) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("DELETE FROM present WHERE portal = ?1 AND bot = ?2 AND dialog = ?3")?
            .execute(params![ending.place.portal.0, ending.bot, ending.dialog])?;
        Ok(())
    }

    /// The event for who asked to hear of the end. It is let in even where the store is full: it takes the place of the
    /// call.
    fn tell(&mut self, id: CallId, ending: &Ending, how: How<'_>) -> rusqlite::Result<()> {
        let Some((tag, dialog)) = &ending.then else {
            return Ok(());
        };
        let (portal, bot) = (ending.place.portal, ending.bot);
        let key = [&[SETTLED_KEY][..], &bot.to_be_bytes(), &id.0.to_be_bytes()].concat();
        let key = full_key(portal, &key);
        if !self.see(&key)? {
            return Ok(());
        }
        let told = Told {
            event: SETTLED,
            ts: self.now.0 / 1000,
            data: Data {
                bot: BotId { id: bot },
                call_id: id.0,
                tag,
                method: &ending.method,
                dialog_id: dialog,
                how,
            },
        };
        let body = serde_json::to_vec(&told).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
        let event = NewEvent {
            portal,
            bot,
            lane: Lane::of(portal, bot, dialog),
            dialog: dialog.clone(),
            name: SETTLED.to_owned(),
            key: None,
            received: self.now,
            format: Format::Settled,
            body,
            token: None,
            quarantine: None,
        };
        let number = self.tally.number();
        self.put_event(&event, number, Some(&key), ending.token.as_deref())
    }

    fn ending(&self, id: CallId) -> rusqlite::Result<Option<Ending>> {
        let sql = "SELECT lane, portal, bot, dialog, method, tag, home, coalesce(part_of, id),
                   CASE WHEN tag IS NULL THEN NULL ELSE token END FROM call WHERE id = ?1";
        find(self.conn, sql, id.0, |row| {
            let tag: Option<String> = row.get(5)?;
            let home: Option<String> = row.get(6)?;
            Ok(Ending {
                place: Place {
                    lane: Lane(row.get(0)?),
                    portal: PortalId(row.get(1)?),
                },
                bot: row.get(2)?,
                dialog: row.get(3)?,
                method: row.get(4)?,
                then: tag.map(|tag| (tag, home.unwrap_or_default())),
                text: row.get(7)?,
                token: row.get(8)?,
            })
        })
    }
}

/// A result as it is handed back: credentials and one-time links cut out, and not too long.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Whole(Box<RawValue>),
    /// It had so many bytes.
    TooLong(usize),
}

impl Kept {
    pub(super) fn of(result: &Value) -> Self {
        let text = if has_secret(result) {
            let mut result = result.clone();
            cut_secrets(&mut result);
            result.to_string()
        } else {
            result.to_string()
        };
        let bytes = text.len();
        match RawValue::from_string(text) {
            Ok(raw) if bytes <= MAX_RESULT => Self::Whole(raw),
            _ => Self::TooLong(bytes),
        }
    }
}

/// `downloadUrl` carries a token in its query.
fn is_secret(name: &str) -> bool {
    is_credential(name) || name.eq_ignore_ascii_case("downloadUrl")
}

fn has_secret(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| is_secret(name) || has_secret(value)),
        Value::Array(items) => items.iter().any(has_secret),
        _ => false,
    }
}

fn cut_secrets(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if is_secret(name) {
                    *value = Value::from("***");
                } else {
                    cut_secrets(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(cut_secrets),
        _ => {}
    }
}
