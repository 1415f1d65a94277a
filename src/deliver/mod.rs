//! Outbox to portal. Owns which call leaves when, and what its answer means for the queue.
//!
//! Wanted: order inside a dialog; portals apart from each other; never over a portal's budget; a call whose outcome
//! cannot be known is repeated only where a repeat does no harm. Accepted: a portal that stays away holds its own
//! dialogs for as long as `max_age`. Imports `method`, `store`, `rest`,
//! `identity`; knows no event and no handler.

mod answer;
mod backoff;
mod engine;
mod errands;
mod meter;
mod outlet;
mod over;
mod park;
mod pass;
mod piece;
mod request;
mod settle;
#[cfg(test)]
mod tests;
mod verdict;
mod view;

pub(crate) use engine::{Deliver, Rules};
pub(crate) use view::{DeliverView, GateView, ParkView, PortalView};
