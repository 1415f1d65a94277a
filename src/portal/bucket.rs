//! The portal's request counter: a leaky bucket for each source address. Knows no request, only when one comes.
//! Written from the documented rule and apart from the client's own limiter, so that each checks the other.

use super::config::Drain;
use crate::types::Timestamp;
use std::collections::HashMap;

/// One counter for each source address.
#[derive(Debug)]
pub(super) struct Buckets {
    burst: u32,
    rate: u32,
    drain: Drain,
    levels: HashMap<String, Level>,
}

/// A counter, in thousandths of a request: at `rate` a second it falls by exactly `rate` every millisecond.
#[derive(Clone, Copy, Debug)]
struct Level {
    milli: u64,
    since: Timestamp,
}

impl Buckets {
    /// Empty counters that hold `burst` requests and fall by `rate` a second.
    pub(super) fn new(burst: u32, rate: u32, drain: Drain) -> Self {
        Self {
            burst,
            rate,
            drain,
            levels: HashMap::new(),
        }
    }

    /// Every counter, this one too, full or empty from now on.
    pub(super) fn set_all(&mut self, source: &str, full: bool, now: Timestamp) {
        let fresh = Level { milli: 0, since: now };
        self.levels.entry(source.to_owned()).or_insert(fresh);
        for level in self.levels.values_mut() {
            level.milli = if full { u64::from(self.burst) * 1000 } else { 0 };
            level.since = now;
        }
    }

    /// The height of a counter, as last computed.
    pub(super) fn level(&self, source: &str) -> u32 {
        let milli = self.levels.get(source).map_or(0, |level| level.milli);
        u32::try_from(milli.div_ceil(1000)).unwrap_or(u32::MAX)
    }

    /// The height of the fullest counter at this moment.
    pub(super) fn height(&self, now: Timestamp) -> u32 {
        let fallen = |level: &Level| {
            let mut level = *level;
            level.fall(self.rate, self.drain, now);
            level.milli
        };
        let highest = self.levels.values().map(fallen).max().unwrap_or(0);
        u32::try_from(highest.div_ceil(1000)).unwrap_or(u32::MAX)
    }

    /// Counts a refused request as well.
    pub(super) fn raise(&mut self, source: &str) {
        if let Some(level) = self.levels.get_mut(source) {
            level.milli += 1000;
        }
    }

    /// Counts a request. `false`: the counter is full, the request is refused and does not raise it.
    pub(super) fn admit(&mut self, source: &str, now: Timestamp) -> bool {
        if !self.levels.contains_key(source) {
            self.levels.insert(source.to_owned(), Level { milli: 0, since: now });
        }
        let Some(level) = self.levels.get_mut(source) else {
            return false;
        };
        level.fall(self.rate, self.drain, now);
        if level.milli >= u64::from(self.burst) * 1000 {
            return false;
        }
        level.milli += 1000;
        true
    }
}

impl Level {
    fn fall(&mut self, rate: u32, drain: Drain, now: Timestamp) {
        let passed = u64::try_from(now.since(self.since).as_millis()).unwrap_or(u64::MAX);
        let counted = match drain {
            Drain::Continuous => passed,
            Drain::Step => passed / 1000 * 1000,
        };
        self.milli = self.milli.saturating_sub(counted.saturating_mul(u64::from(rate)));
        // An empty counter begins its seconds anew, so that no request finds a second already half gone.
        self.since = if self.milli == 0 {
            now
        } else {
            Timestamp(self.since.0.saturating_add(i64::try_from(counted).unwrap_or(i64::MAX)))
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn admitted(buckets: &mut Buckets, now: Timestamp, requests: u32) -> u32 {
        (0..requests).map(|_| u32::from(buckets.admit("a", now))).sum()
    }

    #[test]
    fn fifty_at_once_then_two_a_second_for_ever() {
        for drain in [Drain::Step, Drain::Continuous] {
            let mut buckets = Buckets::new(50, 2, drain);
            let mut now = Timestamp(1_000_500);
            assert_eq!(admitted(&mut buckets, now, 51), 50, "{drain:?}");
            for second in 0..500 {
                now = now + Duration::from_secs(1);
                assert_eq!(admitted(&mut buckets, now, 2), 2, "{drain:?}, second {second}");
            }
            assert_eq!(
                admitted(&mut buckets, now, 1),
                0,
                "{drain:?}: a third in that second is over"
            );
        }
    }

    #[test]
    fn refused_requests_do_not_raise_the_counter() {
        let mut buckets = Buckets::new(50, 2, Drain::Step);
        let now = Timestamp(0);
        assert_eq!(admitted(&mut buckets, now, 500), 50);
        assert_eq!(admitted(&mut buckets, now + Duration::from_secs(1), 500), 2);
    }

    #[test]
    fn only_the_continuous_drain_gives_half_a_second_its_share() {
        for (drain, passed) in [(Drain::Step, 0), (Drain::Continuous, 1)] {
            let mut buckets = Buckets::new(50, 2, drain);
            admitted(&mut buckets, Timestamp(0), 50);
            assert_eq!(admitted(&mut buckets, Timestamp(500), 2), passed, "{drain:?}");
        }
    }

    #[test]
    fn addresses_are_counted_apart() {
        let mut buckets = Buckets::new(1, 1, Drain::Step);
        assert!(buckets.admit("a", Timestamp(0)));
        assert!(!buckets.admit("a", Timestamp(0)));
        assert!(buckets.admit("b", Timestamp(0)));
    }
}
