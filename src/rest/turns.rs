//! Whose turn it is when a portal's budget is short: of ten requests seven interactive, one typing, two bulk. Pure; a
//! share that nobody claims goes to whoever waits.

use crate::types::Priority;

const ALL: [Priority; 3] = [Priority::Interactive, Priority::Typing, Priority::Bulk];
const SHARES: [u32; 3] = [7, 1, 2];
/// What a turn weighs: the more shares, the less.
const WEIGHTS: [u32; 3] = [2, 14, 7];

/// The turns of one portal.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    /// Left of the present ten.
    left: [u32; 3],
}

impl Turns {
    /// Nobody has had a turn yet.
    pub(crate) fn new() -> Self {
        Self { left: SHARES }
    }

    /// Gives the next turn to one of the priorities of which something could leave now; `None` if nothing could.
    pub(crate) fn next(&mut self, could_leave: impl Fn(Priority) -> bool) -> Option<Priority> {
        let mut waiting = Vec::with_capacity(ALL.len());
        waiting.extend((0..ALL.len()).filter(|at| could_leave(ALL[*at])));
        if !waiting.is_empty() && waiting.iter().all(|at| self.left[*at] == 0) {
            // Whoever has turns left is away: nobody saves them up.
            self.left = SHARES;
        }
        let due = |at: usize| (2 * self.left[at]).saturating_sub(1) * WEIGHTS[at];
        // The first of equals is the most urgent one.
        let at = waiting.into_iter().rev().max_by_key(|at| due(*at))?;
        self.left[at] = self.left[at].saturating_sub(1);
        Some(ALL[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{Bulk, Interactive, Typing};

    fn counts(turns: &mut Turns, rounds: usize, waiting: &[Priority]) -> [usize; 3] {
        let given: Vec<_> = (0..rounds)
            .filter_map(|_| turns.next(|priority| waiting.contains(&priority)))
            .collect();
        [Interactive, Typing, Bulk].map(|priority| given.iter().filter(|given| **given == priority).count())
    }

    #[test]
    fn of_any_ten_in_a_row_seven_one_and_two_when_all_wait() {
        let mut turns = Turns::new();
        let given: Vec<_> = (0..200).filter_map(|_| turns.next(|_| true)).collect();
        for ten in given.windows(10) {
            let count = |wanted| ten.iter().filter(|given| **given == wanted).count();
            assert_eq!([count(Interactive), count(Typing), count(Bulk)], [7, 1, 2], "{ten:?}");
        }
    }

    #[test]
    fn idle_shares_go_to_whoever_waits() {
        assert_eq!(counts(&mut Turns::new(), 10, &[Bulk]), [0, 0, 10]);
        assert_eq!(counts(&mut Turns::new(), 90, &[Interactive, Bulk]), [70, 0, 20]);
        assert_eq!(counts(&mut Turns::new(), 30, &[Typing, Bulk]), [0, 10, 20]);
        assert_eq!(Turns::new().next(|_| false), None);
    }

    #[test]
    fn who_comes_back_has_saved_up_nothing() {
        let mut turns = Turns::new();
        counts(&mut turns, 1000, &[Bulk]);
        counts(&mut turns, 3, &[Interactive, Bulk]);
        counts(&mut turns, 1000, &[Interactive]);
        let [interactive, typing, bulk] = counts(&mut turns, 10, &[Interactive, Typing, Bulk]);
        assert!(
            interactive >= 5 && typing <= 2 && bulk <= 4,
            "{interactive} {typing} {bulk}"
        );
    }

    #[test]
    fn comings_and_goings_of_one_do_not_starve_another() {
        let mut turns = Turns::new();
        let mut bulk = 0;
        for round in 0..100 {
            let typing = round % 2 == 0;
            bulk += usize::from(turns.next(|priority| typing || priority != Typing) == Some(Bulk));
        }
        assert!(bulk >= 18, "{bulk}");
    }
}
