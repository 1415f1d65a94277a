//! The event queue of fetch mode: global growing ids with gaps, kept for a day, confirmed by a later offset. Knows no
//! method.

use super::knobs::Dice;
use crate::types::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Events are kept this long, read or not.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Who reads an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Bot(i64),
    User(i64),
}

#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) reader: Reader,
    pub(super) event: &'static str,
    pub(super) at: Timestamp,
    pub(super) data: Value,
}

pub(super) struct Queue {
    events: BTreeMap<i64, Queued>,
    /// Users whose messenger events are recorded.
    pub(super) subscribers: BTreeSet<i64>,
    last: i64,
    gaps: Dice,
}

/// A page of events.
pub(super) struct Page {
    pub(super) events: Vec<(i64, Queued)>,
    pub(super) next: i64,
    pub(super) more: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            events: BTreeMap::new(),
            subscribers: BTreeSet::new(),
            last: 1000,
            gaps: Dice(0),
        }
    }
}

impl Queue {
    pub(super) fn push(&mut self, queued: Queued) {
        self.last += 1 + i64::try_from(self.gaps.roll() % 4).unwrap_or(0);
        self.events.insert(self.last, queued);
    }

    /// Reads from `offset` on, after deleting what lies below it for these readers.
    pub(super) fn read(&mut self, readers: &[Reader], offset: Option<i64>, limit: usize, now: Timestamp) -> Page {
        self.events.retain(|_, queued| now.since(queued.at) < KEPT);
        if let Some(offset) = offset.filter(|offset| *offset > 0) {
            self.events
                .retain(|id, queued| *id >= offset || !readers.contains(&queued.reader));
        }
        let from = offset.unwrap_or(0).max(0);
        let own = self
            .events
            .range(from..)
            .filter(|(_, queued)| readers.contains(&queued.reader));
        let events: Vec<_> = own.take(limit).map(|(id, queued)| (*id, queued.clone())).collect();
        Page {
            next: events.last().map_or(from, |(id, _)| id + 1),
            more: events.len() == limit,
            events,
        }
    }

    pub(super) fn forget_bot(&mut self, bot: i64) {
        self.events.retain(|_, queued| queued.reader != Reader::Bot(bot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: i64) -> Queue {
        let mut queue = Queue::default();
        for n in 0..count {
            queue.push(Queued {
                reader: if n % 2 == 0 { Reader::Bot(1) } else { Reader::Bot(2) },
                event: "E",
                at: Timestamp(n),
                data: Value::from(n),
            });
        }
        queue
    }

    #[test]
    fn an_offset_confirms_for_its_reader_alone_and_no_offset_repeats() {
        let mut queue = filled(10);
        let first = queue.read(&[Reader::Bot(1)], None, 3, Timestamp(0));
        assert_eq!((first.events.len(), first.more), (3, true));
        let again = queue.read(&[Reader::Bot(1)], None, 3, Timestamp(0));
        assert_eq!(again.events[0].0, first.events[0].0);
        let next = queue.read(&[Reader::Bot(1)], Some(first.next), 100, Timestamp(0));
        assert_eq!((next.events.len(), next.more), (2, false));
        assert_eq!(queue.read(&[Reader::Bot(2)], None, 100, Timestamp(0)).events.len(), 5);
        let done = queue.read(&[Reader::Bot(1)], Some(next.next), 100, Timestamp(0));
        assert_eq!((done.events.len(), done.next), (0, next.next));
        assert_eq!(queue.read(&[Reader::Bot(1)], None, 100, Timestamp(0)).next, 0);
    }

    #[test]
    fn a_day_later_events_are_gone() {
        let mut queue = filled(2);
        let day = Timestamp(24 * 3600 * 1000);
        assert_eq!(queue.read(&[Reader::Bot(1)], None, 10, day).events.len(), 0);
        assert_eq!(queue.read(&[Reader::Bot(2)], None, 10, day).events.len(), 1);
    }
}
