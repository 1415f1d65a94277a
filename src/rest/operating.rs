//! Operating time of one identity: which methods have nearly used up theirs, or were refused for it, and until when.
//! Counts nothing itself: the portal tells in each answer. Never sends, never sleeps.
//!
//! Source: outbound rules, "Operating time" and "What each failure means".

use crate::types::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// The cloud's limit in seconds within ten minutes, and what counts as used up already.
const LIMIT: f64 = 480.0;
const FULL: f64 = 475.0;
/// Above this share of the limit calls slow down: by a hundredth of the time to the release, so long at most.
const BUSY: f64 = 0.8;
const LONGEST_SLOWDOWN: Duration = Duration::from_secs(7);
/// After the moment of the release, as clocks differ.
const MARGIN: Duration = Duration::from_secs(1);
/// A first refusal blocks at least this long, a second one in a row so long, and each further one doubles that.
const FIRST_BLOCK: Duration = Duration::from_secs(10);
const SECOND_BLOCK: Duration = Duration::from_secs(30);
const LONGEST_BLOCK: Duration = Duration::from_secs(600);
/// With more methods than this, those that no longer matter are forgotten.
const MANY: usize = 64;

/// What an answer tells of its method's operating time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Operated {
    /// Seconds used within the last ten minutes (`time.operating`).
    pub(crate) seconds: f64,
    /// When the oldest of it is forgotten (`time.operating_reset_at`).
    pub(crate) reset_at: Option<Timestamp>,
}

/// The gate of one identity; at first it knows no method, and all are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operating {
    methods: HashMap<String, Gate>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Gate {
    blocked_until: Option<Timestamp>,
    reset_at: Option<Timestamp>,
    /// Refusals in a row.
    refusals: u32,
}

impl Operating {
    /// An answer told how much of its time the method has used.
    pub(crate) fn observe(&mut self, method: &str, told: &Operated, now: Timestamp) {
        if self.methods.len() >= MANY {
            self.methods
                .retain(|_, gate| gate.blocked(now).is_some() || gate.reset_at >= Some(now));
        }
        let gate = self.gate(method);
        gate.reset_at = told.reset_at;
        if gate.blocked(now).is_none() {
            gate.refusals = 0;
        }
        let Some(reset_at) = told.reset_at.filter(|reset_at| *reset_at > now) else {
            return;
        };
        if told.seconds >= FULL {
            gate.block((reset_at + MARGIN).min(now + LONGEST_BLOCK));
        } else if told.seconds > LIMIT * BUSY {
            gate.block(now + (reset_at.since(now) / 100).min(LONGEST_SLOWDOWN));
        }
    }

    /// The portal said OPERATION_TIME_LIMIT. Refusals of calls that left before the block began do not lengthen it.
    pub(crate) fn refused(&mut self, method: &str, now: Timestamp) {
        let gate = self.gate(method);
        if gate.refusals > 0 && gate.blocked(now).is_some() {
            return;
        }
        let block = match gate.refusals.checked_sub(1) {
            None => FIRST_BLOCK,
            Some(doublings) => SECOND_BLOCK.saturating_mul(2_u32.saturating_pow(doublings)),
        };
        gate.refusals = gate.refusals.saturating_add(1);
        let until = gate.reset_at.unwrap_or(now).max(now + block);
        gate.block(until.min(now + LONGEST_BLOCK));
    }

    /// Until when the method must wait; `None` = it may be called.
    pub(crate) fn blocked_until(&self, method: &str, now: Timestamp) -> Option<Timestamp> {
        self.methods.get(method)?.blocked(now)
    }

    fn gate(&mut self, method: &str) -> &mut Gate {
        self.methods.entry(method.to_owned()).or_default()
    }
}

impl Gate {
    fn blocked(&self, now: Timestamp) -> Option<Timestamp> {
        self.blocked_until.filter(|until| *until > now)
    }

    fn block(&mut self, until: Timestamp) {
        self.blocked_until = self.blocked_until.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000);
    const SEND: &str = "imbot.v2.Chat.Message.send";

    fn at(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    fn told(seconds: f64, reset: u64) -> Operated {
        Operated {
            seconds,
            reset_at: Some(at(reset)),
        }
    }

    #[test]
    fn a_method_near_its_limit_slows_down_and_at_it_waits_for_the_release() {
        for (seconds, reset, until) in [
            (384.0, 500, None),
            (385.0, 500, Some(at(5))),
            (474.9, 900, Some(at(7))),
            (475.0, 300, Some(at(301))),
            (500.0, 4000, Some(at(600))),
        ] {
            let mut operating = Operating::default();
            operating.observe(SEND, &told(seconds, reset), START);
            assert_eq!(operating.blocked_until(SEND, START), until, "{seconds}");
            assert_eq!(operating.blocked_until("imbot.v2.Chat.get", START), None);
        }
        let mut operating = Operating::default();
        operating.observe(
            SEND,
            &Operated {
                seconds: 480.0,
                reset_at: None,
            },
            START,
        );
        assert_eq!(
            operating.blocked_until(SEND, START),
            None,
            "no release named: the portal decides"
        );
        operating.observe(SEND, &told(480.0, 10), START);
        assert_eq!(operating.blocked_until(SEND, at(11)), None);
    }

    #[test]
    fn a_refused_method_waits_for_the_release_and_then_longer_and_longer() {
        let mut operating = Operating::default();
        operating.observe(SEND, &told(100.0, 42), START);
        operating.refused(SEND, START);
        assert_eq!(operating.blocked_until(SEND, START), Some(at(42)));
        operating.refused(SEND, START);
        assert_eq!(operating.blocked_until(SEND, START), Some(at(42)), "it had left before");
        assert_eq!(operating.blocked_until("imbot.v2.Chat.get", START), None);
        let mut now = 42;
        for block in [30, 60, 120, 240, 480, 600, 600] {
            operating.refused(SEND, at(now));
            assert_eq!(operating.blocked_until(SEND, at(now)), Some(at(now + block)));
            now += block;
        }
        operating.observe(SEND, &told(1.0, now), at(now));
        operating.refused(SEND, at(now));
        assert_eq!(
            operating.blocked_until(SEND, at(now)),
            Some(at(now + 10)),
            "a success begins anew"
        );
    }

    #[test]
    fn an_answer_on_its_way_does_not_lift_a_block() {
        let mut operating = Operating::default();
        operating.refused(SEND, START);
        operating.observe(SEND, &told(1.0, 1), START);
        assert_eq!(operating.blocked_until(SEND, at(9)), Some(at(10)));
        operating.refused(SEND, at(10));
        assert_eq!(operating.blocked_until(SEND, at(10)), Some(at(40)));
    }

    #[test]
    fn methods_without_number_take_no_memory_for_ever() {
        let mut operating = Operating::default();
        for number in 0..10_000 {
            operating.observe(&format!("m{number}"), &told(1.0, number), at(number));
        }
        assert!(operating.methods.len() <= MANY);
    }
}
