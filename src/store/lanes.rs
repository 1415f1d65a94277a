//! Who waits in a queue and who is next: an index in memory over the rows on disk, some hundred bytes a lane and some
//! twenty a row. It follows the commits; it never reads or writes a row.
//!
//! A row waits until `due`. While it waits and `hold_until` has not passed, nothing behind it in its lane runs; after
//! that the lane passes it over. So a lane is ready at the least, over its rows, of
//! max(row's due, greatest `hold_until` of the rows before it). Rows that have failed are a prefix of their lane
//! (nothing behind a fresh row runs before it), so nobody looks further than the first fresh row. The later parts of a
//! text stand outside that: as long as an earlier part waits they are passed over like it. And a row out of the dead
//! letters comes back fresh at its old place, before failed ones: it runs first, and then the rule holds again.
//!
//! Lanes stand by portal, bot and urgency of the row that runs first in them. Where several failed rows wait, that may
//! be another row by the time the lane is claimed: the urgency is then a moment out of date, the row never.

pub(super) use super::moves::{Failed, Move, Want};
pub(crate) use super::moves::{Head, LeftOut};
use crate::types::{Lane, PortalId, Priority};
use std::collections::btree_map::Range;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::iter::Peekable;

/// Lanes by the moment they are ready and the turn they drew.
type Queue = BTreeMap<(i64, u64), Lane>;

/// The lanes of a bot by the urgency of their heads.
type Queues = [Queue; 3];

/// One queue's lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    rows: BTreeMap<(Lane, i64), Priority>,
    failed: HashMap<i64, Failed>,
    /// Of each later part of a text, the first one.
    parts: HashMap<i64, i64>,
    /// Every lane that has rows.
    slots: HashMap<Lane, Slot>,
    /// The same lanes by portal and bot. No empty ones.
    ready: BTreeMap<i64, BTreeMap<i64, Queues>>,
    paused: LeftOut,
    /// Nothing is given out at all.
    closed: bool,
    /// When each portal was last heard of, and whether that is still to be written down.
    last: HashMap<i64, (i64, bool)>,
    /// The next turn to draw: order among lanes of the same millisecond.
    turn: u64,
    /// The portal served last.
    served: i64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    portal: i64,
    bot: i64,
    class: usize,
    place: (i64, u64),
    rows: u32,
}

impl Lanes {
    /// Follows a commit made at `now`.
    pub(super) fn apply(&mut self, moves: &[Move], now: i64) {
        for change in moves {
            match *change {
                Move::Push {
                    lane,
                    portal,
                    bot,
                    priority,
                    id,
                } => self.push(lane, (portal, bot), (id, priority), now),
                Move::Heard { portal } => drop(self.last.insert(portal, (now, true))),
                Move::Part { id, of } => drop(self.parts.insert(id, of)),
                Move::Pause { portal, bot, on: true } => drop(self.paused.insert((portal, bot))),
                Move::Pause { portal, bot, on: false } => drop(self.paused.remove(&(portal, bot))),
                Move::Remove { lane, id } => {
                    if self.rows.remove(&(lane, id)).is_some()
                        && let Some(slot) = self.slots.get_mut(&lane)
                    {
                        slot.rows = slot.rows.saturating_sub(1);
                    }
                    self.failed.remove(&id);
                    self.parts.remove(&id);
                    self.rearm(lane, now);
                }
                Move::Postpone { lane, id, failed } => {
                    self.failed.insert(id, failed);
                    self.rearm(lane, now);
                }
            }
        }
    }

    /// On opening: a row that had failed before. Then `push` it.
    pub(super) fn recall(&mut self, id: i64, failed: Failed) {
        self.failed.insert(id, failed);
    }

    /// From now on nothing is given out.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Who is paused.
    pub(super) fn paused(&self) -> &LeftOut {
        &self.paused
    }

    /// On opening: when a portal was last heard of.
    pub(super) fn recall_last(&mut self, portal: i64, at: i64) {
        self.last.insert(portal, (at, false));
    }

    /// When a portal was last heard of.
    pub(super) fn last(&self, portal: i64) -> Option<i64> {
        self.last.get(&portal).map(|(at, _)| *at)
    }

    /// The last moments that are not written down yet; they count as written from now on.
    pub(super) fn take_last(&mut self) -> Vec<(i64, i64)> {
        let unwritten = self.last.iter_mut().filter(|(_, (_, unwritten))| *unwritten);
        unwritten
            .map(|(portal, last)| {
                last.1 = false;
                (*portal, last.0)
            })
            .collect()
    }

    fn push(&mut self, lane: Lane, (portal, bot): (i64, i64), (id, priority): (i64, Priority), now: i64) {
        self.rows.insert((lane, id), priority);
        let fresh = Slot {
            portal,
            bot,
            class: 0,
            place: (i64::MAX, 0),
            rows: 0,
        };
        let slot = self.slots.entry(lane).or_insert(fresh);
        slot.rows = slot.rows.saturating_add(1);
        // A lane that is ready already stays where it stands.
        if slot.place.0 > now {
            self.rearm(lane, now);
        }
    }

    /// Puts a lane where it now belongs: behind those that are ready, or at the moment it will be.
    fn rearm(&mut self, lane: Lane, now: i64) {
        let Some(slot) = self.slots.get(&lane).copied() else {
            return;
        };
        match self.outlook(lane) {
            Some((due, priority)) => self.stand(lane, &slot, due.max(now), class(priority)),
            None => {
                self.leave(&slot);
                self.slots.remove(&lane);
            }
        }
    }

    fn stand(&mut self, lane: Lane, slot: &Slot, due: i64, class: usize) {
        self.leave(slot);
        let place = (due, self.turn);
        self.turn += 1;
        let queues = self.ready.entry(slot.portal).or_default().entry(slot.bot).or_default();
        queues[class].insert(place, lane);
        self.slots.insert(lane, Slot { class, place, ..*slot });
    }

    /// Takes a lane from where it stands.
    fn leave(&mut self, slot: &Slot) {
        let Some(bots) = self.ready.get_mut(&slot.portal) else {
            return;
        };
        if let Some(queues) = bots.get_mut(&slot.bot) {
            queues[slot.class].remove(&slot.place);
            if queues.iter().all(BTreeMap::is_empty) {
                bots.remove(&slot.bot);
            }
        }
        if bots.is_empty() {
            self.ready.remove(&slot.portal);
        }
    }

    /// Nothing of this lane runs before `until`: its head may not. What changes in the lane ends this, so ask again.
    pub(super) fn shelve(&mut self, lane: Lane, until: i64) {
        if let Some(slot) = self.slots.get(&lane).copied()
            && slot.place.0 < until
        {
            self.stand(lane, &slot, until, slot.class);
        }
    }

    /// Whether any row of the lane waits or runs.
    pub(super) fn has(&self, lane: Lane) -> bool {
        self.slots.contains_key(&lane)
    }

    /// Rows to be run now: at most one a lane and none of a busy lane, portals taking turns, within a portal the lane
    /// that has been ready longest among the most urgent.
    pub(super) fn claim(&mut self, want: &Want<'_>) -> Vec<Head> {
        let mut heads = Vec::new();
        let all = &*self;
        let by_urgency = |portal| {
            [0, 1, 2]
                .into_iter()
                .flat_map(move |class| all.standing(portal, class, want))
        };
        let rotation = self.rotation().into_iter();
        let mut turns: VecDeque<_> = rotation.map(|portal| (portal, by_urgency(portal))).collect();
        let mut served = self.served;
        while heads.len() < want.limit {
            let Some((portal, mut lanes)) = turns.pop_front() else {
                break;
            };
            // A lane that is ready has a head, unless the caller's `now` lies before the last commit.
            let Some(head) = lanes.find_map(|lane| self.head(lane, want.now)) else {
                continue;
            };
            heads.push(head);
            served = portal;
            turns.push_back((portal, lanes));
        }
        drop(turns);
        self.served = served;
        heads
    }

    /// The heads of one portal by urgency, at most `want.limit` of each; those that have been ready longest come first.
    pub(super) fn heads(&self, portal: i64, want: &Want<'_>) -> [VecDeque<Head>; 3] {
        [0, 1, 2].map(|class| {
            let lanes = self.standing(portal, class, want);
            lanes
                .filter_map(|lane| self.head(lane, want.now))
                .take(want.limit)
                .collect()
        })
    }

    /// When the next lane that is neither busy nor ready becomes ready, of one portal or of all.
    pub(super) fn next_due(&self, portal: Option<i64>, want: &Want<'_>) -> Option<i64> {
        let first = |queue: &Queue| {
            let mut later = queue.range((want.now + 1, 0)..);
            later
                .find(|(_, lane)| !want.busy.contains(lane))
                .map(|((due, _), _)| *due)
        };
        let portals = match portal {
            Some(portal) => self.ready.range(portal..=portal),
            None => self.ready.range(..),
        };
        portals
            .flat_map(|(portal, bots)| {
                let bots = bots
                    .iter()
                    .filter(move |(bot, _)| !self.leaves_out(*portal, **bot, want));
                bots.flat_map(|(_, queues)| queues)
            })
            .filter_map(first)
            .min()
    }

    /// The portals that have rows, in the order of their turns: first those after the one served last.
    fn rotation(&self) -> Vec<i64> {
        let after = self.ready.range(self.served.saturating_add(1)..);
        let before = self.ready.range(..=self.served);
        after.chain(before).map(|(portal, _)| *portal).collect()
    }

    /// The free lanes of one portal and urgency that are ready, longest first, whatever their bot.
    fn standing<'a>(&'a self, portal: i64, class: usize, want: &'a Want<'_>) -> impl Iterator<Item = Lane> {
        let bots = self.ready.get(&portal).into_iter().flatten();
        let queues = bots
            .filter(move |(bot, _)| !self.leaves_out(portal, **bot, want))
            .map(move |(_, queues)| queues[class].range(..=(want.now, u64::MAX)).peekable());
        Merged(queues.collect()).filter(|lane| !want.busy.contains(lane))
    }

    /// Paused, or named by the caller.
    fn leaves_out(&self, portal: i64, bot: i64, want: &Want<'_>) -> bool {
        let portal = PortalId(portal);
        let mut sets = [&self.paused, want.except].into_iter().filter(|set| !set.is_empty());
        self.closed || sets.any(|set| set.contains(&(portal, None)) || set.contains(&(portal, Some(bot))))
    }

    /// The row of a lane that runs: the first that is due, unless one before it still holds the lane.
    fn head(&self, lane: Lane, now: i64) -> Option<Head> {
        let mut broken = Vec::new();
        for ((_, id), _) in of_lane(&self.rows, lane) {
            let (failed, text) = (self.failed.get(id).copied(), self.text(*id));
            match failed {
                _ if broken.contains(&text) => {}
                Some(failed) if failed.due > now && failed.hold_until > now => return None,
                Some(failed) if failed.due > now => broken.push(text),
                _ => {
                    return Some(Head {
                        id: *id,
                        failed,
                        behind: self.slots.get(&lane).map_or(0, |slot| slot.rows.saturating_sub(1)),
                    });
                }
            }
        }
        None
    }

    /// When the lane is ready, and how urgent the row is that runs then; `None` if it is empty. A part of a text is not
    /// ready as long as an earlier one is there.
    fn outlook(&self, lane: Lane) -> Option<(i64, Priority)> {
        let (mut ready, mut held): (Option<(i64, Priority)>, i64) = (None, 0);
        let mut broken = Vec::new();
        for ((_, id), priority) in of_lane(&self.rows, lane) {
            let text = self.text(*id);
            if broken.contains(&text) {
                continue;
            }
            let failed = self.failed.get(id);
            let earliest = failed.map_or(held, |failed| failed.due.max(held));
            if ready.is_none_or(|(ready, _)| earliest < ready) {
                ready = Some((earliest, *priority));
            }
            match failed {
                Some(failed) => held = held.max(failed.hold_until),
                None => break,
            }
            broken.push(text);
        }
        ready
    }

    /// The first part of the text that a row belongs to: mostly itself.
    fn text(&self, id: i64) -> i64 {
        self.parts.get(&id).copied().unwrap_or(id)
    }
}

/// Several queues as one, in order.
struct Merged<'a>(Vec<Peekable<Range<'a, (i64, u64), Lane>>>);

impl Iterator for Merged<'_> {
    type Item = Lane;

    fn next(&mut self) -> Option<Lane> {
        let first = self
            .0
            .iter_mut()
            .filter_map(|queue| {
                let place = queue.peek()?.0;
                Some((*place, queue))
            })
            .min_by_key(|(place, _)| *place)?;
        first.1.next().map(|(_, lane)| *lane)
    }
}

fn class(priority: Priority) -> usize {
    match priority {
        Priority::Interactive => 0,
        Priority::Typing => 1,
        Priority::Bulk => 2,
    }
}

fn of_lane(rows: &BTreeMap<(Lane, i64), Priority>, lane: Lane) -> impl Iterator<Item = (&(Lane, i64), &Priority)> {
    rows.range((lane, i64::MIN)..=(lane, i64::MAX))
}
