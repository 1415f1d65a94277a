//! How much of a portal's budget we dare to use: less after many refusals, more again after many successes. Pure
//! arithmetic; counts no requests. Source: outbound rules, "Request counter" (as the vendor's own client does it).

use crate::types::Timestamp;
use std::time::Duration;

/// So many refusals within the window cut the pace.
const REFUSALS: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);
const CUT: f64 = 0.8;
const LEAST_BURST: f64 = 5.0;
const LEAST_RATE: f64 = 0.5;
/// So many successes since the last refusal give some of it back.
const SUCCESSES: u32 = 20;
const GROWTH: f64 = 1.1;

/// A pace that learns.
#[derive(Clone, Debug)]
pub(super) struct Adapt {
    original: (f64, f64),
    burst: f64,
    rate: f64,
    refusals: Vec<Timestamp>,
    successes: u32,
}

impl Adapt {
    /// The configured pace.
    pub(super) fn new(burst: f64, rate: f64) -> Self {
        Self {
            original: (burst, rate),
            burst,
            rate,
            refusals: Vec::new(),
            successes: 0,
        }
    }

    /// Requests at once, so that a second's worth more fits before the portal's own second is over.
    pub(super) fn capacity(&self) -> f64 {
        (self.burst - self.rate()).max(1.0)
    }

    /// What the portal's counter holds, as configured.
    pub(super) fn most(&self) -> f64 {
        self.original.0
    }

    /// Requests a second. Where a second gives back more than half of all, half is what can be used safely.
    pub(super) fn rate(&self) -> f64 {
        self.rate.min(self.burst / 2.0)
    }

    /// The portal refused a request.
    pub(super) fn refused(&mut self, now: Timestamp) {
        self.successes = 0;
        self.refusals.retain(|at| now.since(*at) < WINDOW);
        self.refusals.push(now);
        if self.refusals.len() >= REFUSALS {
            self.refusals.clear();
            let (burst, rate) = self.original;
            self.burst = (self.burst * CUT).max(LEAST_BURST.min(burst));
            self.rate = (self.rate * CUT).max(LEAST_RATE.min(rate));
        }
    }

    /// The portal took a request.
    pub(super) fn succeeded(&mut self) {
        let (burst, rate) = self.original;
        if self.burst >= burst && self.rate >= rate {
            return;
        }
        self.successes += 1;
        if self.successes >= SUCCESSES {
            self.successes = 0;
            self.burst = (self.burst * GROWTH).min(burst);
            self.rate = (self.rate * GROWTH).min(rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(adapt: &mut Adapt, times: u32, apart: Duration) {
        for at in 0..times {
            adapt.refused(Timestamp(0) + apart * at);
        }
    }

    #[test]
    fn refusals_that_are_rare_change_nothing() {
        let mut adapt = Adapt::new(50.0, 2.0);
        refuse(&mut adapt, 50, Duration::from_secs(15));
        assert_eq!((adapt.burst, adapt.rate), (50.0, 2.0));
        let mut adapt = Adapt::new(50.0, 2.0);
        refuse(&mut adapt, 4, Duration::ZERO);
        assert_eq!((adapt.burst, adapt.rate), (50.0, 2.0));
    }

    #[test]
    fn five_in_a_minute_cut_a_fifth_down_to_a_floor() {
        let mut adapt = Adapt::new(50.0, 2.0);
        refuse(&mut adapt, 5, Duration::from_secs(14));
        assert_eq!((adapt.burst, adapt.rate), (40.0, 1.6));
        refuse(&mut adapt, 500, Duration::ZERO);
        assert_eq!((adapt.burst, adapt.rate), (5.0, 0.5));
        let mut small = Adapt::new(3.0, 0.25);
        refuse(&mut small, 500, Duration::ZERO);
        assert_eq!((small.burst, small.rate), (3.0, 0.25), "a floor never raises a pace");
    }

    #[test]
    fn twenty_successes_in_a_row_give_a_tenth_back_up_to_the_old_pace() {
        let mut adapt = Adapt::new(50.0, 2.0);
        refuse(&mut adapt, 5, Duration::ZERO);
        (0..19).for_each(|_| adapt.succeeded());
        refuse(&mut adapt, 1, Duration::ZERO);
        (0..19).for_each(|_| adapt.succeeded());
        assert_eq!((adapt.burst, adapt.rate), (40.0, 1.6));
        adapt.succeeded();
        assert_eq!((adapt.burst, adapt.rate), (44.0, 1.6 * 1.1));
        (0..1000).for_each(|_| adapt.succeeded());
        assert_eq!((adapt.burst, adapt.rate), (50.0, 2.0));
    }
}
