//! Who waits in a queue and who is next: an index in memory over the rows on disk, some hundred bytes a lane and some
//! twenty a row. It follows the commits; it never reads or writes a row.
//!
//! A row waits until `due`. While it waits and `hold_until` has not passed, nothing behind it in its lane runs; after
//! that the lane passes it over. So a lane is ready at the least, over its rows, of
//! max(row's due, greatest `hold_until` of the rows before it). Rows that have failed are a prefix of their lane
//! (nothing behind a fresh row runs before it), so nobody looks further than the first fresh row.

use crate::types::{Lane, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// What a commit did to a queue.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    /// A fresh row at the end of its lane.
    Push { lane: Lane, portal: i64, id: i64 },
    /// A row has left.
    Remove { lane: Lane, id: i64 },
    /// A row has failed and waits.
    Postpone { lane: Lane, id: i64, failed: Failed },
}

/// A row that has failed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) due: i64,
    pub(super) hold_until: i64,
    pub(super) attempts: u32,
    pub(super) first_failed: i64,
}

/// A row to be run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) id: i64,
    pub(super) failed: Option<Failed>,
}

/// One queue's lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    rows: BTreeSet<(Lane, i64)>,
    failed: HashMap<i64, Failed>,
    /// Every lane that has rows.
    slots: HashMap<Lane, Slot>,
    /// The same lanes by portal, then by the moment they are ready and the turn they drew.
    ready: BTreeMap<i64, BTreeMap<(i64, u64), Lane>>,
    /// The next turn to draw: order among lanes of the same millisecond.
    turn: u64,
    /// The portal served last.
    served: i64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    portal: i64,
    place: (i64, u64),
}

impl Lanes {
    /// Follows a commit made at `now`.
    pub(super) fn apply(&mut self, moves: &[Move], now: i64) {
        for change in moves {
            match *change {
                Move::Push { lane, portal, id } => self.push(lane, portal, id, now),
                Move::Remove { lane, id } => {
                    self.rows.remove(&(lane, id));
                    self.failed.remove(&id);
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

    fn push(&mut self, lane: Lane, portal: i64, id: i64, now: i64) {
        self.rows.insert((lane, id));
        match self.slots.get(&lane) {
            // It is ready already, and stays where it stands.
            Some(slot) if slot.place.0 <= now => {}
            Some(_) => self.rearm(lane, now),
            None => {
                self.slots.insert(lane, Slot { portal, place: (0, 0) });
                self.rearm(lane, now);
            }
        }
    }

    /// Puts a lane where it now belongs: behind those that are ready, or at the moment it will be.
    fn rearm(&mut self, lane: Lane, now: i64) {
        let Some(slot) = self.slots.get(&lane).copied() else {
            return;
        };
        let ready = self.ready.entry(slot.portal).or_default();
        ready.remove(&slot.place);
        if let Some(due) = outlook(&self.rows, &self.failed, lane) {
            let place = (due.max(now), self.turn);
            self.turn += 1;
            ready.insert(place, lane);
            self.slots.insert(lane, Slot { place, ..slot });
        } else {
            if ready.is_empty() {
                self.ready.remove(&slot.portal);
            }
            self.slots.remove(&lane);
        }
    }

    /// Rows to be run now: at most one a lane and none of a busy lane, portals taking turns, within a portal the lane
    /// that has been ready longest. `portals` = `None` means all.
    pub(super) fn claim(&mut self, want: &Want) -> Vec<Head> {
        let mut heads = Vec::new();
        let mut turns: VecDeque<_> = self
            .rotation(want.portals.as_deref())
            .into_iter()
            .filter_map(|portal| Some((portal, self.ready.get(&portal)?.range(..=(want.now, u64::MAX)))))
            .collect();
        let mut served = self.served;
        while heads.len() < want.limit {
            let Some((portal, mut lanes)) = turns.pop_front() else {
                break;
            };
            // A lane that is ready has a head, unless the caller's `now` lies before the last commit.
            let free = lanes
                .by_ref()
                .map(|(_, lane)| *lane)
                .filter(|lane| !want.busy.contains(lane));
            let Some(head) = free.filter_map(|lane| self.head(lane, want.now)).next() else {
                continue;
            };
            heads.push(head);
            served = portal;
            turns.push_back((portal, lanes));
        }
        self.served = served;
        heads
    }

    /// When the next lane that is neither busy nor ready becomes ready.
    pub(super) fn next_due(&self, want: &Want) -> Option<i64> {
        let first = |portal: i64| {
            let later = self.ready.get(&portal)?.range((want.now + 1, 0)..);
            let mut free = later.filter(|(_, lane)| !want.busy.contains(lane));
            free.next().map(|((due, _), _)| *due)
        };
        self.rotation(want.portals.as_deref())
            .into_iter()
            .filter_map(first)
            .min()
    }

    /// The portals that have rows, in the order of their turns: first those after the one served last.
    fn rotation(&self, asked: Option<&[i64]>) -> Vec<i64> {
        let after = self.ready.range(self.served + 1..);
        let before = self.ready.range(..=self.served);
        let order = after.chain(before).map(|(portal, _)| *portal);
        match asked {
            Some(asked) => order.filter(|portal| asked.contains(portal)).collect(),
            None => order.collect(),
        }
    }

    /// The row of a lane that runs: the first that is due, unless one before it still holds the lane.
    fn head(&self, lane: Lane, now: i64) -> Option<Head> {
        for (_, id) in of_lane(&self.rows, lane) {
            let failed = self.failed.get(id).copied();
            match failed {
                Some(failed) if failed.due > now && failed.hold_until > now => return None,
                Some(failed) if failed.due > now => {}
                _ => return Some(Head { id: *id, failed }),
            }
        }
        None
    }
}

/// What a claim asks for.
#[derive(Clone, Debug)]
pub(super) struct Want {
    pub(super) portals: Option<Vec<i64>>,
    pub(super) busy: HashSet<Lane>,
    pub(super) limit: usize,
    pub(super) now: i64,
}

/// When the lane is ready; `None` if it is empty.
fn outlook(rows: &BTreeSet<(Lane, i64)>, failed: &HashMap<i64, Failed>, lane: Lane) -> Option<i64> {
    let (mut ready, mut held) = (None, 0);
    for (_, id) in of_lane(rows, lane) {
        let Some(failed) = failed.get(id) else {
            return Some(ready.map_or(held, |ready: i64| ready.min(held)));
        };
        let earliest = failed.due.max(held);
        ready = Some(ready.map_or(earliest, |ready: i64| ready.min(earliest)));
        held = held.max(failed.hold_until);
    }
    ready
}

fn of_lane(rows: &BTreeSet<(Lane, i64)>, lane: Lane) -> impl Iterator<Item = &(Lane, i64)> {
    rows.range((lane, i64::MIN)..=(lane, i64::MAX))
}

impl Head {
    pub(super) fn attempts(&self) -> u32 {
        self.failed.map_or(0, |failed| failed.attempts)
    }

    pub(super) fn first_failed(&self) -> Option<Timestamp> {
        self.failed.map(|failed| Timestamp(failed.first_failed))
    }
}
