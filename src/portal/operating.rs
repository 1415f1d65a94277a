//! Operating time: what each identity spent on each method in the last ten one-minute buckets, and when a method is
//! blocked for it. Measures nothing: costs come from the configuration.

use super::knobs::Release;
use crate::types::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

const BUCKETS: i64 = 10;
const WINDOW: Duration = Duration::from_secs(600);
/// Calls this short are free.
const FREE: u64 = 100;

/// The counters.
#[derive(Debug)]
pub(super) struct Operating {
    /// In milliseconds; `None`: nothing is ever blocked.
    limit: Option<u64>,
    release: Release,
    spent: HashMap<(String, String), Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    buckets: VecDeque<Bucket>,
    banned_until: Option<Timestamp>,
}

#[derive(Debug)]
struct Bucket {
    minute: i64,
    first: Timestamp,
    sum: u64,
}

impl Operating {
    pub(super) fn new(limit: Option<Duration>, release: Release) -> Self {
        Self {
            limit: limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
            release,
            spent: HashMap::new(),
        }
    }

    /// Whether the method may be called now.
    pub(super) fn open(&mut self, identity: &str, method: &str, now: Timestamp) -> bool {
        let (Some(limit), release) = (self.limit, self.release) else {
            return true;
        };
        let Some(spent) = self.spent.get_mut(&key(identity, method)) else {
            return true;
        };
        if let Some(until) = spent.banned_until {
            if now < until {
                return false;
            }
            *spent = Spent::default();
        }
        if spent.sum(now) <= limit {
            return true;
        }
        spent.banned_until = match release {
            Release::Sliding => None,
            Release::Ban300 => Some(now + Duration::from_secs(300)),
            Release::Fixed600 => Some(now + WINDOW),
        };
        false
    }

    /// Adds what one HTTP request spent on a method, unless it was short.
    pub(super) fn add(&mut self, identity: &str, method: &str, cost: u64, now: Timestamp) {
        if cost > FREE {
            self.fill(identity, method, cost, now);
        }
    }

    /// Adds to the present bucket, however little.
    pub(super) fn fill(&mut self, identity: &str, method: &str, cost: u64, now: Timestamp) {
        let spent = self.spent.entry(key(identity, method)).or_default();
        let minute = now.0.div_euclid(60_000);
        match spent.buckets.back_mut().filter(|bucket| bucket.minute == minute) {
            Some(bucket) => bucket.sum = bucket.sum.saturating_add(cost),
            None => spent.buckets.push_back(Bucket {
                minute,
                first: now,
                sum: cost,
            }),
        }
    }

    /// What counts now in milliseconds, and when the oldest of it drops out.
    pub(super) fn told(&mut self, identity: &str, method: &str, now: Timestamp) -> (u64, Option<Timestamp>) {
        let Some(spent) = self.spent.get_mut(&key(identity, method)) else {
            return (0, None);
        };
        let sum = spent.sum(now);
        (sum, spent.buckets.front().map(|oldest| oldest.first + WINDOW))
    }
}

impl Spent {
    fn sum(&mut self, now: Timestamp) -> u64 {
        let minute = now.0.div_euclid(60_000);
        self.buckets.retain(|bucket| bucket.minute > minute - BUCKETS);
        self.buckets.iter().map(|bucket| bucket.sum).sum()
    }
}

fn key(identity: &str, method: &str) -> (String, String) {
    (identity.to_owned(), method.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Option<Duration> = Some(Duration::from_secs(480));

    #[test]
    fn short_requests_are_free_and_longer_ones_add_up_for_their_identity_and_method() {
        let mut operating = Operating::new(LIMIT, Release::Sliding);
        let now = Timestamp(0);
        operating.add("a", "M", 100, now);
        assert_eq!(operating.told("a", "m", now), (0, None));
        operating.add("a", "M", 101, now);
        operating.add("a", "m", 150, now);
        assert_eq!(operating.told("a", "M", now), (251, Some(Timestamp(600_000))));
        assert_eq!(operating.told("b", "M", now), (0, None));
        assert_eq!(operating.told("a", "N", now), (0, None));
    }

    #[test]
    fn a_method_over_its_limit_comes_free_as_the_release_says() {
        for (release, free) in [
            (Release::Sliding, 600),
            (Release::Ban300, 301),
            (Release::Fixed600, 601),
        ] {
            let mut operating = Operating::new(LIMIT, release);
            operating.fill("a", "m", 480_001, Timestamp(0));
            assert!(!operating.open("a", "m", Timestamp(1000)), "{release:?}");
            assert!(operating.open("a", "n", Timestamp(1000)), "{release:?}");
            assert!(!operating.open("a", "m", Timestamp((free - 1) * 1000)), "{release:?}");
            assert!(operating.open("a", "m", Timestamp(free * 1000)), "{release:?}");
        }
    }

    #[test]
    fn without_a_limit_nothing_is_blocked() {
        let mut operating = Operating::new(None, Release::Sliding);
        operating.fill("a", "m", u64::MAX, Timestamp(0));
        assert!(operating.open("a", "m", Timestamp(0)));
    }
}
