//! Errands that leave also where the budget is used up: they ask what the portal does then. Places, circuit, gates and parks
//! hold for them as for others; what they cost is counted, and after a refusal none of them leaves.

use super::pass::Pass;
use super::piece::Piece;
use crate::rest::AskError;

impl Pass<'_> {
    /// Starts them, before anything else and each by itself; the places that are left. Gives them back while a refusal is
    /// waited for: another would tell nothing new.
    pub(super) fn overdraw(&mut self, mut places: usize) -> usize {
        if self.outlet.errands.len() == 0 {
            return places;
        }
        let (_, refused) = self.outlet.meter.bounds(self.now);
        if refused.is_some() {
            self.give_back();
            return places;
        }
        while places > 0 {
            let Some(ticket) = self.outlet.meter.overdraw(self.now) else {
                break;
            };
            let Some(piece) = self.take_over() else { break };
            self.start(vec![piece], ticket);
            places -= 1;
        }
        places
    }

    fn take_over(&mut self) -> Option<Piece> {
        let mut waiters = std::mem::take(&mut self.outlet.errands);
        let may = |piece: &Piece| piece.is_over_budget() && self.may_leave(piece);
        let taken = (0..3).find_map(|class| waiters.take(class, self.now, may));
        self.outlet.errands = waiters;
        taken
    }

    fn give_back(&mut self) {
        let mut waiters = std::mem::take(&mut self.outlet.errands);
        let outlet = &*self.outlet;
        let why = |piece: &Piece| outlet.obstacle(piece, self.now);
        waiters.weed(self.now, why, |piece| {
            let refused = AskError::NoBudget("the portal has refused a call a moment ago");
            piece.is_over_budget().then_some(refused)
        });
        self.outlet.errands = waiters;
    }
}
