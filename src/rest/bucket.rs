//! The portal's request counter, kept on our side: when may the next request leave. Never sends, never sleeps.
//!
//! Bitrix24 adds 1 for each request, refuses above `burst`, and takes `rate` off each second, all portals alike but
//! some in steps after each full second and some continuously. So we use `burst - rate` at most and count our own
//! level down in steps after full seconds: right under either drain, whatever the phase of the portal's seconds.
//! Source: outbound rules, "Request counter".

use crate::types::Timestamp;
use std::time::Duration;

const STEP: Duration = Duration::from_secs(1);
/// First pause after a refusal, its growth and its end.
const FIRST_PAUSE: f64 = 1.5;
const PAUSE_GROWTH: f64 = 1.5;
const LONGEST_PAUSE: f64 = 60.0;

/// The counter of one portal.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    capacity: f64,
    rate: f64,
    level: f64,
    drained: Timestamp,
    paused_until: Option<Timestamp>,
    refusals: i32,
}

impl Bucket {
    /// An empty counter: `burst` requests at once, `rate` more each second.
    pub(crate) fn new(burst: u32, rate: f64, now: Timestamp) -> Self {
        // Where a second gives back more than half, two of our seconds may fall into one of the portal's: half for each.
        let burst = f64::from(burst);
        let capacity = (burst - rate).max((burst / 2.0).floor()).max(1.0);
        Self {
            capacity,
            rate,
            level: 0.0,
            drained: now,
            paused_until: None,
            refusals: 0,
        }
    }

    /// Requests that may leave at once.
    pub(crate) fn tokens(&mut self, now: Timestamp) -> u32 {
        if self.paused_until.is_some_and(|until| now < until) {
            return 0;
        }
        self.drain(now);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small count, at least 0"
        )]
        let free = (self.capacity - self.level).max(0.0).floor() as u32;
        free
    }

    /// Counts a request that leaves now. The caller has asked [`tokens`](Self::tokens).
    pub(crate) fn take(&mut self, now: Timestamp) {
        self.drain(now);
        self.level += 1.0;
    }

    /// When a request may leave; `now` if at once.
    pub(crate) fn ready_at(&mut self, now: Timestamp) -> Timestamp {
        if let Some(until) = self.paused_until
            && now < until
        {
            return until;
        }
        self.drain(now);
        let missing = self.level + 1.0 - self.capacity;
        if missing <= 0.0 {
            return now;
        }
        self.drained + STEP.mul_f64((missing / self.rate).ceil())
    }

    /// The portal said QUERY_LIMIT_EXCEEDED: nothing leaves for a while, longer each time in a row.
    pub(crate) fn refused(&mut self, now: Timestamp) {
        self.drain(now);
        self.level = self.capacity;
        self.drained = now;
        let pause = (FIRST_PAUSE * PAUSE_GROWTH.powi(self.refusals)).min(LONGEST_PAUSE);
        self.refusals = (self.refusals + 1).min(16);
        self.paused_until = Some(now + Duration::from_secs_f64(pause));
    }

    /// The portal carried a request out: pauses start small again.
    pub(crate) fn succeeded(&mut self) {
        self.refusals = 0;
    }

    fn drain(&mut self, now: Timestamp) {
        let steps = now.since(self.drained).as_secs();
        if steps > 0 {
            #[expect(clippy::cast_precision_loss, reason = "seconds of a running process")]
            let drained = steps as f64 * self.rate;
            self.level = (self.level - drained).max(0.0);
            self.drained = self.drained + STEP * u32::try_from(steps).unwrap_or(u32::MAX);
        }
        if self.level == 0.0 {
            // The portal's second may begin with the next request, so ours does too.
            self.drained = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    #[test]
    fn from_empty_48_leave_at_once_then_two_a_second() {
        let mut bucket = Bucket::new(50, 2.0, START);
        assert_eq!(bucket.tokens(START), 48);
        for _ in 0..48 {
            bucket.take(START);
        }
        assert_eq!(bucket.tokens(START), 0);
        assert_eq!(bucket.ready_at(START), START + STEP);
        let nearly = START + Duration::from_millis(999);
        assert_eq!(bucket.tokens(nearly), 0, "back only after a full second");
        assert_eq!(bucket.tokens(START + STEP), 2);
        assert_eq!(bucket.tokens(START + STEP * 5), 10);
        assert_eq!(bucket.tokens(START + STEP * 500), 48, "never more than the capacity");
    }

    /// The portal's counter, written down a second time from its documentation.
    fn overrun(burst: u32, rate: f64, continuous: bool, phase_ms: i64) -> Option<i64> {
        let mut ours = Bucket::new(burst, rate, START);
        let (mut level, mut last) = (0.0_f64, START.0 + phase_ms - 1000);
        for tick in 0..60_000 {
            let now = Timestamp(START.0 + tick);
            if continuous {
                level = (level - rate / 1000.0).max(0.0);
            } else if now.0 - last >= 1000 {
                level = (level - rate).max(0.0);
                last += 1000;
            }
            if ours.tokens(now) > 0 {
                ours.take(now);
                if level >= f64::from(burst) {
                    return Some(tick);
                }
                level += 1.0;
            }
        }
        None
    }

    #[test]
    fn the_portal_never_refuses_under_either_drain_and_any_phase() {
        for (burst, rate) in [(50, 2.0), (250, 5.0), (10, 8.0), (10, 40.0)] {
            assert_eq!(overrun(burst, rate, true, 0), None, "{burst}, {rate}");
            for phase in [0, 1, 250, 500, 999] {
                assert_eq!(
                    overrun(burst, rate, false, phase),
                    None,
                    "{burst}, {rate}, phase {phase}"
                );
            }
        }
    }

    #[test]
    fn refusals_pause_longer_and_longer_until_a_success() {
        let mut bucket = Bucket::new(50, 2.0, START);
        bucket.refused(START);
        assert_eq!(bucket.ready_at(START), START + Duration::from_millis(1500));
        assert_eq!(bucket.tokens(START + Duration::from_millis(1499)), 0);
        bucket.refused(START);
        assert_eq!(bucket.ready_at(START), START + Duration::from_millis(2250));
        bucket.succeeded();
        bucket.refused(START);
        assert_eq!(bucket.ready_at(START), START + Duration::from_millis(1500));
    }

    #[test]
    fn a_tiny_plan_still_lets_one_request_out() {
        let mut bucket = Bucket::new(1, 2.0, START);
        assert_eq!(bucket.tokens(START), 1);
    }
}
