//! Events that come both ways with two times: while the way of a bot's events changes, each finds its twin of the other way
//! here, in the commit that stores it. Owns that rule and its table; knows no clocks, no offsets, and nothing of events
//! without a [`Twin`].
//!
//! **The rule.** Within one way the whole key decides: the same key again is a repeat. Between the two ways, events that
//! are equal but for their times are paired, each with one at most, and no more than [`REACH`] apart. An event is a
//! duplicate exactly if one pair more is possible with it; the nearest is tried first, and older pairs are joined anew for
//! it where that helps.
//!
//! **Why none is lost.** A pair holds one event of each way, and one of the two was stored. So of p posted and f fetched
//! ones at least the greater of p and f are handled. And if n things happened and all came both ways, by clocks no further
//! apart than the reach, exactly n are handled, in whatever order they come: the true twins are n pairs, and more than n
//! there cannot be.
//!
//! **Where both rules could speak** pairing wins: an equal time is a distance of 0, no more. Take posted A1, A2 and fetched
//! B1, B2, by clocks as far apart as the presses: B1 has the key of A2. If B2 came first and is paired with A2, a B1 taken
//! for a repeat of A2 would be a press that nobody handles. So an event may be stored though the other way has brought
//! its key; it has no key then, because two events of one key would send under the same template ids. The whole key still
//! decides where no row here tells which way it came: before the change began, or beyond [`MOST`].
//!
//! **What it cannot know.** Two equal things within the reach, of which each came one way only, are one event here. The
//! source of the rule (wire format, section 6.1) wants it so.

use super::Switching;
use super::commit::Commit;
use super::records::NewEvent;
use crate::types::{PortalId, Timestamp};
use rusqlite::{OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

/// How far apart the times of twins are at most, in seconds.
const REACH: i64 = 120;

/// How long after the beginning of a change twins are looked for, at least.
const WINDOW: Duration = Duration::from_secs(900);

/// Events of a bot that are remembered here. An event beyond it is still paired with one of these, but not remembered
/// itself, so its twin is handled too. Each new one counts them, so it is not larger.
pub(super) const MOST: i64 = 4096;

/// What a repeated delivery of an event has in common, without the portal, which the store puts before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventKey {
    pub(crate) whole: Vec<u8>,
    /// Only while the events of its bot may come both ways with two times, and only where the key has a time.
    pub(crate) twin: Option<Twin>,
}

/// How an event that comes both ways is known though its times differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Twin {
    /// The key without its time.
    pub(crate) rest: Vec<u8>,
    /// Unix seconds by the clock of the way it came.
    pub(crate) ts: i64,
    pub(crate) source: Source,
}

/// The way an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// To the door.
    Posted,
    /// From the portal's queue.
    Fetched,
}

/// One that comes one way.
impl From<Vec<u8>> for EventKey {
    fn from(whole: Vec<u8>) -> Self {
        Self { whole, twin: None }
    }
}

impl Switching {
    /// Whether events may come both ways with two times: for 15 minutes from the beginning, or until it is finished if that
    /// is later.
    pub(crate) fn has_twins(&self, now: Timestamp) -> bool {
        self.finished.is_none() || now < self.began + WINDOW
    }
}

/// Whether an event is new.
pub(super) enum Met {
    /// It came before.
    Before,
    /// With the full key, if that is its alone.
    First(Option<Vec<u8>>),
}

/// The times of two that are paired: of the way of the event in question, and of the other one.
type Pair = (i64, i64);

/// The events of one way by their times, each with the time of its pair's other one.
type Side = BTreeMap<i64, Option<i64>>;

/// What the table says of an event.
enum Found {
    Repeat,
    /// The pairs that are joined for it, its own among them.
    Twin(Vec<Pair>),
    Alone,
}

impl Commit<'_> {
    /// Whether an event is new; remembers it. `key` is the full one.
    pub(super) fn meet(&mut self, event: &NewEvent, key: Option<Vec<u8>>) -> rusqlite::Result<Met> {
        let Some(key) = key else { return Ok(Met::First(None)) };
        let Some(twin) = twin_of(event) else {
            return Ok(if self.see(&key)? {
                Met::First(Some(key))
            } else {
                Met::Before
            });
        };
        if self.joined(event, twin, &key)? {
            return Ok(Met::Before);
        }
        self.remember(event, twin)?;
        let own = self.see(&key)?;
        Ok(Met::First(own.then_some(key)))
    }

    /// The same for one that cannot be stored: it is remembered only if it came before.
    pub(super) fn came_before(&mut self, event: &NewEvent, key: &[u8]) -> rusqlite::Result<bool> {
        match twin_of(event) {
            Some(twin) => self.joined(event, twin, key),
            None => self.knows(key),
        }
    }

    /// Whether it is a repeat, or the twin of an event that came the other way; joins the two.
    fn joined(&mut self, event: &NewEvent, twin: &Twin, key: &[u8]) -> rusqlite::Result<bool> {
        let pairs = match self.look_up(event, twin, key)? {
            Found::Repeat => return Ok(true),
            Found::Alone => return Ok(false),
            Found::Twin(pairs) => pairs,
        };
        // Beyond the end of the change its repeats are known by this.
        self.see(key)?;
        self.remember(event, twin)?;
        let mut join = self.conn.prepare_cached(
            "UPDATE twin SET mate = ?6 WHERE portal = ?1 AND bot = ?2 AND key = ?3 AND source = ?4 AND ts = ?5",
        )?;
        let source = twin.source.code();
        for (own, other) in pairs {
            for (source, ts, mate) in [(source, own, other), (1 - source, other, own)] {
                join.execute(params![event.portal.0, event.bot, twin.rest, source, ts, mate])?;
            }
        }
        Ok(true)
    }

    fn look_up(&self, event: &NewEvent, twin: &Twin, key: &[u8]) -> rusqlite::Result<Found> {
        let (mut own, mut other) = (Side::new(), Side::new());
        let mut statement = self
            .conn
            .prepare_cached("SELECT source, ts, mate FROM twin WHERE portal = ?1 AND bot = ?2 AND key = ?3")?;
        let mut rows = statement.query(params![event.portal.0, event.bot, twin.rest])?;
        while let Some(row) = rows.next()? {
            let (source, ts, mate): (i64, i64, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (here, there) = if source == twin.source.code() {
                (&mut own, &mut other)
            } else {
                (&mut other, &mut own)
            };
            here.insert(ts, mate);
            if let Some(mate) = mate {
                // One that was not remembered itself stands in this row alone.
                there.entry(mate).or_insert(Some(ts));
            }
        }
        let untold = || !other.contains_key(&twin.ts);
        if own.contains_key(&twin.ts) || (untold() && self.knows(key)?) {
            return Ok(Found::Repeat);
        }
        Ok(pairs_with(twin.ts, &other).map_or(Found::Alone, Found::Twin))
    }

    /// Puts an event into the table, without a twin yet, while there is room.
    fn remember(&mut self, event: &NewEvent, twin: &Twin) -> rusqlite::Result<()> {
        let (portal, bot) = (event.portal.0, event.bot);
        let there: i64 = self
            .conn
            .prepare_cached("SELECT count(*) FROM twin WHERE portal = ?1 AND bot = ?2")?
            .query_row(params![portal, bot], |row| row.get(0))?;
        if there >= MOST {
            return Ok(());
        }
        if there + 1 == MOST {
            tracing::warn!(
                portal,
                bot,
                "so many events of bot {bot} came while their way changes that no more are remembered: until that is over, an \
                 event that comes both ways with two times may be handled twice"
            );
        }
        self.conn
            .prepare_cached("INSERT INTO twin VALUES(?1, ?2, ?3, ?4, ?5, NULL)")?
            .execute(params![portal, bot, twin.rest, twin.source.code(), twin.ts])?;
        Ok(())
    }

    /// Forgets the twins of a bot unless the way of its events is changing.
    pub(super) fn end_twins(&self, (portal, bot): (PortalId, i64)) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached(
                "DELETE FROM twin WHERE portal = ?1 AND bot = ?2 AND NOT EXISTS (SELECT 1 FROM switching s
                 WHERE s.portal = ?1 AND s.bot = ?2 AND (s.finished IS NULL OR s.began > ?3))",
            )?
            .execute(params![portal.0, bot, (self.now - WINDOW).0])?;
        Ok(())
    }

    /// Forgets those of one bot whose time is over, if there are any. For every second.
    pub(super) fn sweep_twins(&self) -> rusqlite::Result<()> {
        let over = self
            .conn
            .prepare_cached(
                "SELECT portal, bot FROM switching s WHERE EXISTS (SELECT 1 FROM twin)
                 AND s.finished IS NOT NULL AND s.began <= ?1
                 AND EXISTS (SELECT 1 FROM twin t WHERE t.portal = s.portal AND t.bot = s.bot) LIMIT 1",
            )?
            .query_row([(self.now - WINDOW).0], |row| Ok((PortalId(row.get(0)?), row.get(1)?)))
            .optional()?;
        over.map_or(Ok(()), |bot| self.end_twins(bot))
    }
}

impl Source {
    fn code(self) -> i64 {
        match self {
            Self::Posted => 0,
            Self::Fetched => 1,
        }
    }
}

fn twin_of(event: &NewEvent) -> Option<&Twin> {
    event.key.as_ref()?.twin.as_ref()
}

/// How one pair more is possible with an event of this time: who is joined with whom then. The shortest chain of changes,
/// the nearest first. `other`: the events of the other way, which know their mates.
fn pairs_with(ts: i64, other: &Side) -> Option<Vec<Pair>> {
    let mut unseen: BTreeSet<i64> = other.keys().copied().collect();
    // From which event of this way one of the other was reached, and which one led to its mate of this way.
    let (mut reached_from, mut mate_of) = (HashMap::new(), HashMap::new());
    let mut waiting = VecDeque::from([ts]);
    while let Some(own) = waiting.pop_front() {
        let near = own.saturating_sub(REACH)..=own.saturating_add(REACH);
        let mut near: Vec<i64> = unseen.range(near).copied().collect();
        near.sort_by_key(|theirs| theirs.abs_diff(own));
        for theirs in near {
            unseen.remove(&theirs);
            reached_from.insert(theirs, own);
            match other.get(&theirs).copied().flatten() {
                Some(mate) => {
                    mate_of.insert(mate, theirs);
                    waiting.push_back(mate);
                }
                None => return chain(theirs, &reached_from, &mate_of),
            }
        }
    }
    None
}

/// From the last link back to the first, which has no mate yet.
fn chain(last: i64, reached_from: &HashMap<i64, i64>, mate_of: &HashMap<i64, i64>) -> Option<Vec<Pair>> {
    let mut pairs = Vec::new();
    let mut theirs = last;
    loop {
        let own = *reached_from.get(&theirs)?;
        pairs.push((own, theirs));
        match mate_of.get(&own) {
            Some(before) => theirs = *before,
            None => return Some(pairs),
        }
    }
}
