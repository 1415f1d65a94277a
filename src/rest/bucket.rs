//! The portal's request counter, kept on our side: when may the next request leave. Never sends, never sleeps.
//!
//! Bitrix24 adds 1 for each request, refuses above `burst`, and takes `rate` off each second, all portals alike but
//! some in steps after each full second and some continuously. So in any stretch of time we send `burst - rate` and
//! `rate` more for each full second in it: right under either drain, whatever the phase of the portal's seconds, and
//! even when requests arrive up to a second later than others. Source: outbound rules, "Request counter".

use super::adapt::Adapt;
use crate::types::Timestamp;
use std::time::Duration;

const STEP: Duration = Duration::from_secs(1);
/// First pause after a refusal, its growth and its end.
const FIRST_PAUSE: f64 = 1.5;
const PAUSE_GROWTH: f64 = 1.5;
const LONGEST_PAUSE: f64 = 60.0;
/// Sums of fractional rates are this exact.
const GRAIN: f64 = 1e-6;

/// How full the counter was, to be stored and given to [`Bucket::restored`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// Requests that count.
    pub(crate) level: f64,
    /// When that was.
    pub(crate) at: Timestamp,
    /// It was the last word: nothing was sent after it. If not, the counter must be taken for full.
    pub(crate) clean: bool,
}

/// The counter of one portal's host, shared by everything that calls it.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    adapt: Adapt,
    spans: Vec<Span>,
    paused_until: Option<Timestamp>,
    /// Pauses in a row.
    pauses: i32,
}

/// What was sent since some moment, less `rate` for each full second since. One counter for each moment that matters:
/// with a single one, a second that began before a rush would be taken off in the middle of it.
#[derive(Clone, Copy, Debug)]
struct Span {
    level: f64,
    /// The end of its present second.
    step: Timestamp,
}

impl Bucket {
    /// An empty counter: `burst` requests at once, `rate` more each second.
    pub(crate) fn new(burst: u32, rate: f64, _now: Timestamp) -> Self {
        Self {
            adapt: Adapt::new(f64::from(burst), rate),
            spans: Vec::new(),
            paused_until: None,
            pauses: 0,
        }
    }

    /// The counter as an earlier process left it: drained by the time since, or full if that process was killed.
    pub(crate) fn restored(burst: u32, rate: f64, now: Timestamp, stored: Level) -> Self {
        let mut bucket = Self::new(burst, rate, now);
        let full = bucket.adapt.capacity();
        let (level, since) = if stored.clean && stored.level.is_finite() {
            // A wall clock that was set back must not lengthen the wait.
            (stored.level.clamp(0.0, f64::from(burst).max(full)), stored.at.min(now))
        } else {
            (full, now)
        };
        let step = since + STEP;
        bucket.spans.push(Span { level, step });
        bucket.drain(now);
        bucket
    }

    /// How full the counter is, as the last word of a process that ends in order.
    pub(crate) fn level(&mut self, now: Timestamp) -> Level {
        self.drain(now);
        let level = self.highest();
        let (at, clean) = (now, true);
        Level { level, at, clean }
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
        let free = (self.adapt.capacity() - self.highest() + GRAIN).max(0.0).floor() as u32;
        free
    }

    /// Counts a request that leaves now. The caller has asked [`tokens`](Self::tokens), or goes beyond them on purpose:
    /// the portal's counter never stands above `burst`, so ours does not either.
    pub(crate) fn take(&mut self, now: Timestamp) {
        self.drain(now);
        let most = self.adapt.most();
        for span in &mut self.spans {
            span.level = (span.level + 1.0).min(most.max(span.level));
        }
        let step = now + STEP;
        // A span that began at the same moment counts this request already.
        if !self.spans.iter().any(|span| span.step == step) {
            self.spans.push(Span { level: 1.0, step });
        }
    }

    /// When a request may leave; `now` if at once.
    pub(crate) fn ready_at(&mut self, now: Timestamp) -> Timestamp {
        let pause = self.paused_until.unwrap_or(now).max(now);
        self.drain(now);
        let (capacity, rate) = (self.adapt.capacity(), self.adapt.rate());
        let spans = self.spans.iter().filter_map(|span| {
            let missing = span.level + 1.0 - capacity - GRAIN;
            (missing > 0.0).then(|| span.step + STEP.mul_f64((missing / rate).ceil() - 1.0))
        });
        spans.max().unwrap_or(now).max(pause)
    }

    /// The portal said QUERY_LIMIT_EXCEEDED: nothing leaves for a while, longer each time in a row, and after many
    /// refusals less than before. Refusals of requests that left before the pause began do not lengthen it.
    pub(crate) fn refused(&mut self, now: Timestamp) {
        self.drain(now);
        self.adapt.refused(now);
        self.pause(now);
    }

    /// The same to a request that went beyond the tokens on purpose: the pace is not to blame.
    pub(crate) fn provoked(&mut self, now: Timestamp) {
        self.drain(now);
        self.pause(now);
    }

    fn pause(&mut self, now: Timestamp) {
        let level = self.adapt.capacity().max(self.highest());
        let step = now + STEP;
        self.spans = vec![Span { level, step }];
        if self.paused_until.is_some_and(|until| now < until) {
            return;
        }
        let pause = (FIRST_PAUSE * PAUSE_GROWTH.powi(self.pauses)).min(LONGEST_PAUSE);
        self.pauses = (self.pauses + 1).min(16);
        self.paused_until = Some(now + Duration::from_secs_f64(pause));
    }

    /// The portal, or a proxy before it, named the moment of the next try (`Retry-After`).
    pub(crate) fn pause_until(&mut self, moment: Timestamp) {
        self.paused_until = self.paused_until.max(Some(moment));
    }

    /// The most requests that may leave at once, as far as the portal has let us keep it.
    pub(crate) fn capacity(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small count, at least 0"
        )]
        let capacity = self.adapt.capacity().floor() as u32;
        capacity
    }

    /// Until when nothing may leave, because the portal has refused.
    pub(crate) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| *until > now)
    }

    /// The portal carried a request out: pauses start small again, and after many successes the old pace comes back.
    pub(crate) fn succeeded(&mut self) {
        self.pauses = 0;
        self.adapt.succeeded();
    }

    fn highest(&self) -> f64 {
        self.spans.iter().map(|span| span.level).fold(0.0, f64::max)
    }

    fn drain(&mut self, now: Timestamp) {
        let rate = self.adapt.rate();
        let mut stepped = false;
        for span in self.spans.iter_mut().filter(|span| span.step <= now) {
            let steps = now.since(span.step).as_secs() + 1;
            #[expect(clippy::cast_precision_loss, reason = "seconds of a running process")]
            let drained = steps as f64 * rate;
            span.level -= drained;
            span.step = span.step + STEP * u32::try_from(steps).unwrap_or(u32::MAX);
            stepped = true;
        }
        if stepped {
            // A span below another one that steps later can never matter again.
            self.spans.sort_by_key(|span| std::cmp::Reverse(span.step));
            let mut highest = GRAIN;
            self.spans.retain(|span| {
                let matters = span.level > highest;
                highest = highest.max(span.level);
                matters
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    fn ms(passed: u64) -> Timestamp {
        START + Duration::from_millis(passed)
    }

    /// Takes all there is, and says how many.
    fn rush(bucket: &mut Bucket, now: Timestamp) -> u32 {
        let mut sent = 0;
        while bucket.tokens(now) > 0 {
            bucket.take(now);
            sent += 1;
        }
        sent
    }

    #[test]
    fn from_empty_48_leave_at_once_then_two_a_second() {
        let mut bucket = Bucket::new(50, 2.0, START);
        assert_eq!(bucket.tokens(START), 48);
        assert_eq!(rush(&mut bucket, START), 48);
        assert_eq!(bucket.ready_at(START), ms(1000));
        assert_eq!(bucket.tokens(ms(999)), 0, "back only after a full second");
        for second in 1..100 {
            assert_eq!(bucket.ready_at(ms(second * 1000 - 300)), ms(second * 1000));
            assert_eq!(rush(&mut bucket, ms(second * 1000)), 2, "second {second}");
        }
        assert_eq!(bucket.tokens(ms(104_000)), 10);
        assert_eq!(bucket.tokens(ms(500_000)), 48, "never more than the capacity");
    }

    #[test]
    fn a_second_that_began_before_a_rush_is_not_taken_off_in_it() {
        let mut bucket = Bucket::new(50, 2.0, START);
        bucket.take(START);
        assert_eq!(rush(&mut bucket, ms(900)), 47);
        assert_eq!(rush(&mut bucket, ms(1000)), 1, "only the early one has had its second");
        assert_eq!(bucket.ready_at(ms(1000)), ms(1900));
        assert_eq!(rush(&mut bucket, ms(1900)), 1);
        assert_eq!(rush(&mut bucket, ms(2000)), 1);
    }

    #[test]
    fn what_goes_beyond_the_tokens_fills_the_counter_and_no_more() {
        let mut bucket = Bucket::new(50, 2.0, START);
        (0..200).for_each(|_| bucket.take(START));
        assert!((bucket.level(START).level - 50.0).abs() < 1e-6);
        assert_eq!(
            bucket.ready_at(START),
            ms(2000),
            "49 of 50 is one too many for a second's worth"
        );
        for _ in 0..20 {
            bucket.provoked(START);
        }
        assert_eq!((bucket.tokens(ms(1499)), bucket.capacity()), (0, 48));
        assert_eq!(bucket.paused_until(START), Some(ms(1500)), "once, and no pace is cut");
        assert_eq!(bucket.tokens(ms(2000)), 2);
    }

    /// The portal's counter, written down a second time from its documentation.
    struct Portal {
        burst: f64,
        rate: f64,
        /// `None`: continuous.
        last_step: Option<i64>,
        anew: bool,
        level: f64,
        last: i64,
    }

    impl Portal {
        fn admits(&mut self, at: i64) -> bool {
            if let Some(step) = &mut self.last_step {
                let steps = (at - *step).div_euclid(1000);
                self.level = (self.level - self.rate * steps as f64).max(0.0);
                *step += steps * 1000;
                if self.anew && self.level == 0.0 {
                    *step = at;
                }
            } else {
                self.level = (self.level - self.rate * (at - self.last) as f64 / 1000.0).max(0.0);
            }
            self.last = at;
            self.level += 1.0;
            self.level <= self.burst + 1e-6
        }
    }

    /// A small generator: the same numbers in every run.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % limit
        }
    }

    /// When requests arrive that are each on their way for up to `delay` ms: in each round one, then within a second
    /// everything at once. After `killed` ms they come from a process that knows nothing of the one before.
    fn arrivals(burst: u32, rate: f64, delay: u64, killed: Option<u64>, dice: &mut Dice) -> Vec<i64> {
        let mut ours = Bucket::new(burst, rate, START);
        let (mut found, mut alone, mut rush, mut end) = (Vec::new(), 0, 0, 5000);
        for tick in 0..600_000 {
            let now = ms(tick);
            if killed == Some(tick) {
                let (level, at, clean) = (0.0, START, false);
                ours = Bucket::restored(burst, rate, now, Level { level, at, clean });
            }
            if tick == end {
                alone = end + 1 + dice.below(60_000);
                rush = alone + dice.below(1000);
                end = rush + dice.below(5000);
            }
            while (tick == alone || (rush..end).contains(&tick)) && ours.tokens(now) > 0 {
                ours.take(now);
                let late = [0, delay, dice.below(delay + 1)][usize::try_from(dice.below(3)).unwrap()];
                found.push((now + Duration::from_millis(late)).0);
                if tick == alone {
                    break;
                }
            }
        }
        found.sort_unstable();
        found
    }

    #[test]
    fn the_portal_never_refuses_whatever_its_drain_its_phase_the_delay_or_a_kill() {
        let mut dice = Dice(7);
        for (burst, rate) in [(50, 2.0), (250, 5.0), (10, 8.0), (10, 40.0), (5, 0.5), (3, 1.0)] {
            for (delay, killed) in [
                (0, None),
                (400, None),
                (999, None),
                (400, Some(100)),
                (400, Some(61_234)),
            ] {
                let arrivals = arrivals(burst, rate, delay, killed, &mut dice);
                for (step, anew) in [None, Some(0), Some(1), Some(250), Some(500), Some(999)]
                    .into_iter()
                    .flat_map(|step| [(step, true), (step, false)])
                {
                    let last_step = step.map(|phase: i64| START.0 + phase - 1000);
                    let mut portal = Portal {
                        burst: f64::from(burst),
                        rate,
                        last_step,
                        anew,
                        level: 0.0,
                        last: START.0,
                    };
                    let refused = arrivals.iter().position(|at| !portal.admits(*at));
                    let case = format!("{burst}, {rate}, delay {delay}, killed {killed:?}, phase {step:?} {anew}");
                    assert_eq!(refused, None, "{case}");
                }
            }
        }
    }

    #[test]
    fn no_second_of_the_budget_is_lost_under_load() {
        for (burst, rate, least) in [(50, 2.0, 48 + 2 * 59), (250, 5.0, 245 + 5 * 59)] {
            let mut ours = Bucket::new(burst, rate, START);
            let sent: u32 = (0..60_000).map(|tick| rush(&mut ours, ms(tick))).sum();
            assert_eq!(sent, least, "{burst}, {rate}");
        }
    }

    #[test]
    fn refusals_pause_longer_and_longer_until_a_success() {
        let mut bucket = Bucket::new(50, 2.0, START);
        bucket.refused(START);
        assert_eq!(bucket.ready_at(START), ms(1500));
        assert_eq!(bucket.tokens(ms(1499)), 0);
        assert_eq!(bucket.tokens(ms(1500)), 2, "the tokens were gone, one second is over");
        bucket.refused(ms(400));
        assert_eq!(bucket.ready_at(ms(400)), ms(1500), "it had left before the pause");
        bucket.refused(ms(1500));
        assert_eq!(bucket.ready_at(ms(1500)), ms(1500 + 2250));
        bucket.succeeded();
        bucket.refused(ms(10_000));
        assert_eq!(bucket.ready_at(ms(10_000)), ms(11_500));
        bucket.pause_until(ms(20_000));
        assert_eq!((bucket.tokens(ms(19_999)), bucket.ready_at(START)), (0, ms(20_000)));
    }

    #[test]
    fn five_refusals_in_a_minute_cut_the_pace_and_successes_bring_it_back() {
        let mut bucket = Bucket::new(50, 2.0, START);
        for second in 0..5 {
            bucket.refused(ms(second * 10_000));
        }
        assert_eq!(bucket.tokens(ms(500_000)), 38, "40 less 1.6");
        assert_eq!(rush(&mut bucket, ms(500_000)), 38);
        assert_eq!(bucket.tokens(ms(510_000)), 16, "10 seconds of 1.6");
        for _ in 0..60 {
            bucket.succeeded();
        }
        assert_eq!(bucket.tokens(ms(900_000)), 48);
    }

    #[test]
    fn after_a_kill_the_counter_is_full_and_after_a_clean_end_it_is_as_it_was() {
        let mut before = Bucket::new(50, 2.0, START);
        rush(&mut before, START);
        let stored = before.level(ms(500));
        assert_eq!((stored.level, stored.at, stored.clean), (48.0, ms(500), true));
        let restored = |stored, now| Bucket::restored(50, 2.0, now, stored).tokens(now);
        assert_eq!(
            restored(stored, ms(1499)),
            0,
            "no full second since the level was noted"
        );
        assert_eq!(restored(stored, ms(5500)), 10);
        assert_eq!(restored(stored, ms(500_000)), 48);
        let mut set_back = Bucket::restored(50, 2.0, ms(0), stored);
        assert_eq!(set_back.tokens(ms(1000)), 2, "the wall clock was set back");
        for broken in [
            Level {
                clean: false,
                level: 0.0,
                ..stored
            },
            Level {
                level: f64::NAN,
                ..stored
            },
        ] {
            let mut bucket = Bucket::restored(50, 2.0, ms(500_000), broken);
            assert_eq!(bucket.tokens(ms(500_000)), 0, "{broken:?}");
            assert_eq!(rush(&mut bucket, ms(501_000)), 2, "{broken:?}");
        }
    }

    #[test]
    fn a_tiny_plan_still_lets_one_request_out() {
        let mut bucket = Bucket::new(1, 2.0, START);
        assert_eq!(rush(&mut bucket, START), 1);
        assert_eq!(bucket.ready_at(START), ms(2000));
    }
}
