//! Time for dispatch, deliver, the bucket and backoff: a system clock or one that tests move by hand.
//!
//! The system clock is the wall time at start plus monotonic time since, so a step of the wall clock changes neither
//! order nor pace nor retry times. HTTP deadlines use real time and do not come here.

use std::ops::{Add, Sub};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// A moment: milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Time passed since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Unix seconds, as Bitrix24 writes `ts`.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl Timestamp {
    /// For people and JSON: `2026-02-26T09:26:03Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let moment = time::OffsetDateTime::from_unix_timestamp(self.unix_seconds()).ok();
        let text = moment.and_then(|moment| moment.format(&time::format_description::well_known::Rfc3339).ok());
        text.unwrap_or_else(|| format!("{} ms", self.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Where every room reads the time and waits for it. Cloning shares the clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { wall_at_start: Timestamp, start: Instant },
    Manual(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    /// Real time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
    pub fn system() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_at_start = Timestamp(i64::try_from(wall.as_millis()).unwrap_or(i64::MAX));
        Self(Source::System {
            wall_at_start,
            start: Instant::now(),
        })
    }

    /// A clock that stands still until [`advance`](Self::advance) moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(start))))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { wall_at_start, start } => *wall_at_start + start.elapsed(),
            Source::Manual(time) => *time.borrow(),
        }
    }

    /// Moves a manual clock and wakes who waits for it. A system clock stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(time) = &self.0 {
            time.send_modify(|now| *now = *now + by);
        }
    }

    /// Returns once `moment` has come.
    #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
    pub async fn sleep_until(&self, moment: Timestamp) {
        match &self.0 {
            Source::System { .. } => {
                // A timer may fire early by its own granularity.
                while self.now() < moment {
                    tokio::time::sleep(moment.since(self.now())).await;
                }
            }
            Source::Manual(time) => {
                // The clock itself holds the sender, so the channel cannot close.
                let _ = time.subscribe().wait_for(|now| *now >= moment).await;
            }
        }
    }

    /// Returns after `time` has passed.
    pub async fn sleep(&self, time: Duration) {
        self.sleep_until(self.now() + time).await;
    }

    /// Whether tests move this clock.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_in_their_time() {
        let clock = Clock::manual(Timestamp(1_000));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep(Duration::from_secs(5)).await;
                clock.now()
            }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(4));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        assert_eq!(sleeper.await.unwrap(), Timestamp(6_000));
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
        assert_eq!(Timestamp(1_999).unix_seconds(), 1);
        assert_eq!(Timestamp(1_772_097_963_999).rfc3339(), "2026-02-26T09:26:03Z");
        assert_eq!(Timestamp(i64::MAX).rfc3339(), format!("{} ms", i64::MAX));
        assert_eq!(Timestamp(i64::MAX) + Duration::MAX, Timestamp(i64::MAX));
    }
}
