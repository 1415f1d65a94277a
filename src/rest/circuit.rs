//! The circuit of one portal: after timeouts in a row it is asked by single probes only, more and more rarely. Pure;
//! the caller keeps the number of requests in flight.

use crate::types::Timestamp;
use std::time::Duration;

/// Timeouts in a row that open it.
const TIMEOUTS: u32 = 5;
/// The first probe comes after this; each failed one doubles the wait, up to the cap.
const FIRST: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(60);

/// Whether a request may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permit {
    /// The portal answers.
    Yes,
    /// One request may try whether it answers again: tell [`Circuit::probe_left`] if it leaves.
    Probe,
    /// Not before this moment. If a probe is out, that moment is the latest; its answer may come sooner.
    No(Timestamp),
}

/// What is known of a portal's health.
#[derive(Clone, Debug, Default)]
pub(crate) struct Circuit {
    timeouts: u32,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    next: Timestamp,
    wait: Duration,
    probing: bool,
}

impl Circuit {
    /// A closed circuit.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Whether a request may leave now. Asking changes nothing.
    pub(crate) fn permits(&self, now: Timestamp) -> Permit {
        match self.open {
            None => Permit::Yes,
            Some(open) if open.next <= now => Permit::Probe,
            Some(open) => Permit::No(open.next),
        }
    }

    /// The probe that [`permits`](Self::permits) allowed has left: no other until it ends, or a long time is over.
    pub(crate) fn probe_left(&mut self, now: Timestamp) {
        if let Some(open) = &mut self.open {
            open.probing = true;
            // If its end is never told, the portal must not stay locked out.
            open.next = now + CAP.max(open.wait) + CAP;
        }
    }

    /// A request had no answer in time.
    pub(crate) fn timed_out(&mut self, now: Timestamp) {
        self.timeouts = self.timeouts.saturating_add(1);
        match &mut self.open {
            Some(open) if open.probing => {
                open.wait = (open.wait * 2).min(CAP);
                open.next = now + open.wait;
                open.probing = false;
            }
            // It had left before the circuit opened, and tells nothing new.
            Some(_) => {}
            None if self.timeouts >= TIMEOUTS => {
                self.open = Some(Open {
                    next: now + FIRST,
                    wait: FIRST,
                    probing: false,
                });
            }
            None => {}
        }
    }

    /// The portal answered something, be it an error: the circuit is closed.
    pub(crate) fn answered(&mut self) {
        *self = Self::default();
    }

    /// Whether only probes leave.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(0);

    fn opened() -> Circuit {
        let mut circuit = Circuit::new();
        for _ in 0..TIMEOUTS {
            assert_eq!(circuit.permits(START), Permit::Yes);
            circuit.timed_out(START);
        }
        circuit
    }

    #[test]
    fn five_timeouts_in_a_row_open_it_and_an_answer_between_does_not() {
        let mut circuit = Circuit::new();
        for _ in 0..3 {
            (0..4).for_each(|_| circuit.timed_out(START));
            assert_eq!(circuit.permits(START), Permit::Yes);
            circuit.answered();
        }
        let circuit = opened();
        assert!(circuit.is_open());
        assert_eq!(circuit.permits(START), Permit::No(Timestamp(1000)));
        assert_eq!(circuit.permits(Timestamp(1000)), Permit::Probe);
    }

    #[test]
    fn probes_leave_one_by_one_and_more_and_more_rarely() {
        let mut circuit = opened();
        (0..3).for_each(|_| circuit.timed_out(START));
        let mut now = Timestamp(1000);
        for wait in [2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(circuit.permits(now), Permit::Probe);
            circuit.probe_left(now);
            now = now + Duration::from_secs(30);
            assert!(matches!(circuit.permits(now), Permit::No(_)), "a probe is out");
            circuit.timed_out(now);
            circuit.timed_out(now);
            assert_eq!(circuit.permits(now), Permit::No(now + Duration::from_secs(wait)));
            now = now + Duration::from_secs(wait);
        }
        circuit.probe_left(now);
        circuit.answered();
        assert_eq!(circuit.permits(now), Permit::Yes);
        circuit.timed_out(now);
        assert_eq!(circuit.permits(now), Permit::Yes, "counting begins anew");
    }

    #[test]
    fn a_probe_whose_end_is_never_told_does_not_lock_the_portal_out() {
        let mut circuit = opened();
        circuit.probe_left(Timestamp(1000));
        assert_eq!(circuit.permits(Timestamp(1000) + CAP * 2), Permit::Probe);
    }
}
