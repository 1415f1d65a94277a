//! What goes into the index of a queue and comes out of it: changes by commits, questions, rows to be run. Plain data.

use crate::types::{Lane, PortalId, Priority, Timestamp};
use std::collections::HashSet;

/// What a commit did to a queue.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    /// A row at its place in its lane: mostly the end; out of the dead letters, where it was before.
    Push {
        lane: Lane,
        portal: i64,
        bot: i64,
        priority: Priority,
        id: i64,
    },
    /// The row pushed next goes on with a text whose first part is `of`: it never passes an earlier part.
    Part { id: i64, of: i64 },
    /// A row has left.
    Remove { lane: Lane, id: i64 },
    /// A row has failed and waits.
    Postpone { lane: Lane, id: i64, failed: Failed },
    /// A portal was heard of.
    Heard { portal: i64 },
    /// Nothing of a portal (`None`) or a bot is claimed from now on, or no longer so.
    Pause {
        portal: PortalId,
        bot: Option<i64>,
        on: bool,
    },
}

/// A row that has failed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) due: i64,
    pub(super) hold_until: i64,
    pub(super) attempts: u32,
    pub(super) first_failed: i64,
}

/// A row to be run: the first of its lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(super) id: i64,
    pub(super) failed: Option<Failed>,
    /// Rows of its lane that wait for it.
    pub(crate) behind: u32,
}

/// Portals (`None`) and bots that are left out of claims, or paused.
pub(crate) type LeftOut = HashSet<(PortalId, Option<i64>)>;

/// What a claim asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want<'a> {
    pub(super) busy: &'a HashSet<Lane>,
    /// Portals and bots that are not to run, beside those that are paused.
    pub(super) except: &'a LeftOut,
    pub(super) limit: usize,
    pub(super) now: i64,
}

impl Head {
    pub(super) fn attempts(&self) -> u32 {
        self.failed.map_or(0, |failed| failed.attempts)
    }

    pub(super) fn first_failed(&self) -> Option<Timestamp> {
        self.failed.map(|failed| Timestamp(failed.first_failed))
    }
}
