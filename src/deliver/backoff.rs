//! When a failed call is tried again: schedules by class. Pure arithmetic; the spread comes from the call's number.
//!
//! Source: outbound rules, "What each failure means".

use crate::rest::{Class, Fault};
use std::time::Duration;

const CAP: Duration = Duration::from_secs(60);
/// A refused identity is asked for this rarely, and an administrator's leave waited for so long.
pub(super) const PARK: Duration = Duration::from_secs(600);
/// Tries after SENDING_FAILED with the same template id: the portal frees an unfinished record after an hour.
const SENDING: [Duration; 5] = [
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(1_800),
    Duration::from_secs(3_660),
];

/// The pause before the next attempt after `attempts` failed ones (0 = this is the first). `None` = give up.
pub(super) fn pause(fault: &Fault, attempts: u32, call: i64) -> Option<Duration> {
    if fault.class == Class::Sending {
        return SENDING.get(usize::try_from(attempts).unwrap_or(usize::MAX)).copied();
    }
    if fault.code == "METHOD_CONFIRM_WAITING" {
        return Some(PARK);
    }
    Some(spread(doubled(Duration::from_secs(1), attempts), call))
}

fn doubled(first: Duration, attempts: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(attempts.min(16))).min(CAP)
}

/// Up to a fifth more, so that calls that failed together do not come back together.
fn spread(pause: Duration, call: i64) -> Duration {
    let fifth = u32::try_from(call.unsigned_abs().wrapping_mul(2_654_435_761) % 256).unwrap_or(0);
    pause + pause / 5 * fifth / 256
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::Executed;

    #[test]
    fn trouble_doubles_up_to_a_minute() {
        let trouble = Fault::transport("connect", Executed::No);
        for (attempts, seconds) in [(0, 1), (1, 2), (4, 16), (6, 60), (4_000_000_000, 60)] {
            let least = Duration::from_secs(seconds);
            for call in [0, 1, 77, i64::MIN] {
                let pause = pause(&trouble, attempts, call).unwrap();
                assert!(pause >= least && pause <= least * 6 / 5, "{attempts}: {pause:?}");
            }
        }
    }

    #[test]
    fn an_unfinished_record_is_asked_for_until_it_must_be_free() {
        let sending = Fault::coded("SENDING_FAILED", "", 400);
        let all: Vec<_> = (0..).map_while(|attempt| pause(&sending, attempt, 1)).collect();
        assert_eq!(all.len(), 5);
        assert!(all.iter().sum::<Duration>() > Duration::from_secs(61 * 60));
    }

    #[test]
    fn an_administrator_is_given_ten_minutes_to_confirm() {
        let waiting = Fault::coded("METHOD_CONFIRM_WAITING", "", 401);
        assert_eq!(pause(&waiting, 3, 1), Some(PARK));
    }
}
