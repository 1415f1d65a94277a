//! The budget of one REST host, shared by all portals and bots there, and by every request under way. Owns the bucket;
//! a request reserves its token when it is chosen and spends it when it leaves.

use crate::rest::{Bucket, Level};
use crate::store::{Budget, Store, StoreError};
use crate::types::{Clock, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One host's budget. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    pub(super) host: Arc<str>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    bucket: Bucket,
    /// Tokens promised to requests that have not left yet.
    reserved: u32,
}

/// A token that is promised. Dropped unspent it is free again.
#[derive(Debug)]
pub(super) struct Ticket {
    meter: Meter,
    /// It leaves also where no token is free.
    over: bool,
}

impl Meter {
    fn new(host: &str, bucket: Bucket) -> Self {
        Self {
            host: host.into(),
            inner: Arc::new(Mutex::new(Inner { bucket, reserved: 0 })),
        }
    }

    /// Requests that could still be chosen now.
    pub(super) fn tokens(&self, now: Timestamp) -> u32 {
        let mut inner = self.lock();
        let tokens = inner.bucket.tokens(now);
        tokens.saturating_sub(inner.reserved)
    }

    /// The most that may ever leave at once, and until when nothing may.
    pub(super) fn bounds(&self, now: Timestamp) -> (u32, Option<Timestamp>) {
        let inner = self.lock();
        (inner.bucket.capacity(), inner.bucket.paused_until(now))
    }

    pub(super) fn reserve(&self, now: Timestamp) -> Option<Ticket> {
        let mut inner = self.lock();
        if inner.bucket.tokens(now) <= inner.reserved {
            return None;
        }
        inner.reserved += 1;
        Some(self.ticket(false))
    }

    /// For a request that leaves also where no token is free. None while the portal's last refusal is waited for.
    pub(super) fn overdraw(&self, now: Timestamp) -> Option<Ticket> {
        let mut inner = self.lock();
        if inner.bucket.paused_until(now).is_some() {
            return None;
        }
        inner.reserved += 1;
        Some(self.ticket(true))
    }

    fn ticket(&self, over: bool) -> Ticket {
        let meter = self.clone();
        Ticket { meter, over }
    }

    /// How full the portal's counter is at most, by our count.
    pub(super) fn counted(&self, now: Timestamp) -> f64 {
        self.lock().bucket.level(now).level
    }

    /// When a token will be there; if all are promised, whoever has one tells by its end.
    pub(super) fn ready_at(&self, now: Timestamp) -> Option<Timestamp> {
        let ready = self.lock().bucket.ready_at(now);
        (ready > now).then_some(ready)
    }

    /// The portal said QUERY_LIMIT_EXCEEDED. `provoked`: to a request that was to find that out.
    pub(super) fn refused(&self, now: Timestamp, retry_after: Option<Duration>, provoked: bool) {
        let mut inner = self.lock();
        if provoked {
            inner.bucket.provoked(now);
        } else {
            inner.bucket.refused(now);
        }
        if let Some(pause) = retry_after {
            inner.bucket.pause_until(now + pause);
        }
    }

    /// The portal carried a request out.
    pub(super) fn succeeded(&self) {
        self.lock().bucket.succeeded();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Counters only: each change leaves them good.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Whether its request leaves also where no token is free.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Counts the request that leaves now. False: the portal has refused another one meanwhile, so it must not leave.
    pub(super) fn spend(self, now: Timestamp) -> bool {
        let mut inner = self.meter.lock();
        let may = match self.over {
            true => inner.bucket.paused_until(now).is_none(),
            false => inner.bucket.tokens(now) > 0,
        };
        if may {
            inner.bucket.take(now);
        }
        may
        // Dropped after the lock: the promise is kept or void.
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut inner = self.meter.lock();
        inner.reserved = inner.reserved.saturating_sub(1);
    }
}

/// The budgets of all hosts, and what the last process left of them.
#[derive(Debug)]
pub(super) struct Meters {
    known: HashMap<String, Budget>,
    meters: HashMap<String, Meter>,
}

impl Meters {
    pub(super) async fn load(store: &Store) -> Result<Self, StoreError> {
        let known = store.budgets().await?;
        Ok(Self {
            known: known.into_iter().map(|budget| (budget.host.clone(), budget)).collect(),
            meters: HashMap::new(),
        })
    }

    /// The budget of a host. Before its first request leaves, the store knows that its level is no longer known.
    pub(super) async fn of(
        &mut self,
        store: &Store,
        clock: &Clock,
        host: &str,
        (burst, rate): (u32, f64),
    ) -> Result<Meter, StoreError> {
        if let Some(meter) = self.meters.get(host) {
            return Ok(meter.clone());
        }
        let now = clock.now();
        let bucket = match self.known.remove(host) {
            None => Bucket::new(burst, rate, now),
            Some(Budget { level, at, clean, .. }) => Bucket::restored(burst, rate, now, Level { level, at, clean }),
        };
        let doubtful = Budget {
            host: host.to_owned(),
            level: 0.0,
            at: now,
            clean: false,
        };
        store.keep_budgets(vec![doubtful]).await?;
        let meter = Meter::new(host, bucket);
        self.meters.insert(host.to_owned(), meter.clone());
        Ok(meter)
    }

    /// The levels, to be kept when nothing leaves any more.
    pub(super) async fn keep(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let level = |meter: &Meter| {
            let Level { level, at, clean } = meter.lock().bucket.level(now);
            Budget {
                host: meter.host.to_string(),
                level,
                at,
                clean,
            }
        };
        store.keep_budgets(self.meters.values().map(level).collect()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Options;

    const HOST: &str = "a.example";

    async fn meter(store: &Store, clock: &Clock) -> (Meters, Meter) {
        let mut meters = Meters::load(store).await.unwrap();
        let meter = meters.of(store, clock, HOST, (50, 2.0)).await.unwrap();
        (meters, meter)
    }

    #[tokio::test]
    async fn a_promised_token_is_nobody_elses_and_comes_back_unspent() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_000_000));
        let store = Store::open(dir.path(), Options::new(clock.clone())).unwrap();
        let (mut meters, meter) = meter(&store, &clock).await;
        let now = clock.now();
        let tickets: Vec<Ticket> = std::iter::from_fn(|| meter.reserve(now)).collect();
        assert_eq!((tickets.len(), meter.tokens(now)), (48, 0));
        assert_eq!(meter.ready_at(now), None, "they are promised, not spent");
        drop(tickets);
        assert_eq!(meter.tokens(now), 48);
        let ticket = meter.reserve(now).unwrap();
        meter.refused(now, None, false);
        assert!(!ticket.spend(now), "the portal has refused another meanwhile");
        let same = meters.of(&store, &clock, HOST, (50, 2.0)).await.unwrap();
        assert_eq!(same.tokens(now), 0, "one budget a host");
    }

    #[tokio::test]
    async fn what_goes_beyond_the_budget_is_counted_and_ends_with_a_refusal() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_000_000));
        let store = Store::open(dir.path(), Options::new(clock.clone())).unwrap();
        let (_, meter) = meter(&store, &clock).await;
        let now = clock.now();
        let promised = meter.reserve(now).unwrap();
        for _ in 0..60 {
            assert!(meter.overdraw(now).unwrap().spend(now));
        }
        assert!(meter.reserve(now).is_none() && !promised.spend(now), "others wait");
        assert!((meter.counted(now) - 50.0).abs() < 1e-6, "{}", meter.counted(now));
        let soon = now + Duration::from_secs(2);
        assert!(meter.reserve(soon).is_some(), "as soon as the plan has room");
        let chosen = meter.overdraw(soon).unwrap();
        for _ in 0..10 {
            meter.refused(soon, None, true);
        }
        assert!(meter.overdraw(soon).is_none() && !chosen.spend(soon));
        let later = soon + Duration::from_secs(60);
        assert_eq!(meter.tokens(later), 48, "the pace is not to blame");
    }

    #[tokio::test]
    async fn a_level_survives_a_clean_stop_and_counts_as_full_after_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_000_000));
        let store = Store::open(dir.path(), Options::new(clock.clone())).unwrap();
        let (meters, first) = meter(&store, &clock).await;
        let now = clock.now();
        for _ in 0..40 {
            assert!(first.reserve(now).unwrap().spend(now));
        }
        let (_, crashed) = meter(&store, &clock).await;
        assert_eq!(crashed.tokens(now), 0, "nobody knows what left before the crash");
        meters.keep(&store, now).await.unwrap();
        let (_, stopped) = meter(&store, &clock).await;
        assert_eq!(stopped.tokens(now), 8);
    }
}
