//! Errands that wait for their portal's budget, by urgency. Owns their order and their deadlines; sends nothing.

use super::answer::reply_to;
use super::piece::{Piece, What};
use crate::rest::AskError;
use crate::types::{Lane, Priority, Timestamp};
use std::collections::VecDeque;

/// The waiting errands of one portal.
#[derive(Debug, Default)]
pub(super) struct Waiters([VecDeque<Piece>; 3]);

pub(super) fn class(priority: Priority) -> usize {
    match priority {
        Priority::Interactive => 0,
        Priority::Typing => 1,
        Priority::Bulk => 2,
    }
}

impl Waiters {
    pub(super) fn push(&mut self, piece: Piece) {
        self.0[class(piece.priority())].push_back(piece);
    }

    /// One that did not get through keeps its place.
    pub(super) fn put_back(&mut self, piece: Piece) {
        self.0[class(piece.priority())].push_front(piece);
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(VecDeque::len).sum()
    }

    /// Whether one of this urgency is ready and `may` leave.
    pub(super) fn any(&self, class: usize, now: Timestamp, may: impl Fn(&Piece) -> bool) -> bool {
        self.0[class].iter().any(|piece| piece.due <= now && may(piece))
    }

    /// The first of this urgency that is ready and `may` leave.
    pub(super) fn take(&mut self, class: usize, now: Timestamp, may: impl Fn(&Piece) -> bool) -> Option<Piece> {
        let at = self.0[class].iter().position(|piece| piece.due <= now && may(piece))?;
        self.0[class].remove(at)
    }

    /// Gives back those that nobody waits for any more, whose time is over, or that `refuse` names.
    pub(super) fn weed(
        &mut self,
        now: Timestamp,
        why_late: impl Fn(&Piece) -> &'static str,
        mut refuse: impl FnMut(&Piece) -> Option<AskError>,
    ) {
        for queue in &mut self.0 {
            for _ in 0..queue.len() {
                let Some(piece) = queue.pop_front() else { break };
                let (gone, late) = match &piece.what {
                    What::Errand(errand) => (errand.answer.is_closed(), errand.deadline <= now),
                    What::Call(_) | What::Probe(_) => (true, false),
                };
                if gone {
                    continue;
                }
                if late {
                    let why = why_late(&piece);
                    reply_to(piece, Err(AskError::NoBudget(why)));
                } else if let Some(why) = refuse(&piece) {
                    reply_to(piece, Err(why));
                } else {
                    queue.push_back(piece);
                }
            }
        }
    }

    /// When the first of them becomes ready or late; `shut` tells until when one may not leave.
    pub(super) fn next_due(&self, now: Timestamp, shut: impl Fn(&Piece) -> Option<Timestamp>) -> Option<Timestamp> {
        let times = self.0.iter().flatten().filter_map(|piece| match &piece.what {
            What::Errand(errand) => {
                let ready = shut(piece).unwrap_or(now).max(piece.due);
                Some(if ready > now {
                    errand.deadline.min(ready)
                } else {
                    errand.deadline
                })
            }
            What::Call(_) | What::Probe(_) => None,
        });
        times.min()
    }
}

/// A notice that leaves at once or not at all, and the dialog it belongs to.
pub(super) fn notice(piece: &Piece) -> Option<Option<Lane>> {
    match &piece.what {
        What::Errand(errand) if errand.now_or_never => Some(errand.lane),
        _ => None,
    }
}
