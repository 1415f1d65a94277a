//! Who is next: portals take turns, within a portal the lane that has been ready longest, within a lane the oldest.
//! Only reads; what is claimed stays where it is, and the caller names its busy lanes.

use super::queue::Queue;
use super::records::Claim;
use crate::types::{Lane, Timestamp};
use rusqlite::{Connection, params};
use std::collections::{HashSet, VecDeque};

/// What a claim asks for.
#[derive(Clone, Debug)]
pub(super) struct Want {
    pub(super) portals: Vec<i64>,
    pub(super) busy: HashSet<Lane>,
    pub(super) limit: usize,
    pub(super) now: i64,
}

/// A row to be run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) id: i64,
    pub(super) attempts: u32,
    pub(super) first_failed: Option<Timestamp>,
}

/// Claims rows of `queue`, `load`ing what each is about. `served` is the portal served last, here and next time.
pub(super) fn claim<T>(
    conn: &Connection,
    queue: &Queue,
    want: &Want,
    served: &mut i64,
    load: impl Fn(&Head) -> rusqlite::Result<T>,
) -> rusqlite::Result<Claim<T>> {
    let mut items = Vec::new();
    let mut next_due: Option<i64> = None;
    let mut turns = rotation(&want.portals, *served);
    while items.len() < want.limit {
        let Some(mut turn) = turns.pop_front() else {
            return Ok(Claim {
                items,
                next_due: next_due.map(Timestamp),
            });
        };
        let Some(lane) = turn.next_lane(conn, queue, want)? else {
            let waiting = next_waiting(conn, queue, want, turn.portal)?;
            next_due = next_due.into_iter().chain(waiting).min();
            continue;
        };
        if let Some(head) = head(conn, queue, lane, want.now)? {
            items.push(load(&head)?);
            *served = turn.portal;
        }
        turns.push_back(turn);
    }
    Ok(Claim { items, next_due: None })
}

/// The portals in the order of their turns: first those after the one served last.
fn rotation(portals: &[i64], served: i64) -> VecDeque<Turn> {
    let mut portals = portals.to_vec();
    portals.sort_unstable();
    portals.dedup();
    let first = portals.partition_point(|portal| *portal <= served);
    portals.rotate_left(first);
    portals.into_iter().map(Turn::of).collect()
}

/// A portal's place in this claim: the ready lanes fetched and not yet looked at.
#[derive(Debug)]
struct Turn {
    portal: i64,
    page: VecDeque<(i64, i64, Lane)>,
    after: (i64, i64),
    size: usize,
}

impl Turn {
    fn of(portal: i64) -> Self {
        Self {
            portal,
            page: VecDeque::new(),
            after: (i64::MIN, i64::MIN),
            size: 8,
        }
    }

    fn next_lane(&mut self, conn: &Connection, queue: &Queue, want: &Want) -> rusqlite::Result<Option<Lane>> {
        loop {
            while let Some((due, turn, lane)) = self.page.pop_front() {
                self.after = (due, turn);
                if !want.busy.contains(&lane) {
                    return Ok(Some(lane));
                }
            }
            // Busy lanes stand first in the order, so later pages are larger.
            self.size = (self.size * 4).min(512);
            let (due, turn) = self.after;
            self.page = conn
                .prepare_cached(queue.ready)?
                .query_map(params![self.portal, due, turn, want.now, self.size as i64], |row| {
                    Ok((row.get(0)?, row.get(1)?, Lane(row.get(2)?)))
                })?
                .collect::<Result<_, _>>()?;
            if self.page.is_empty() {
                return Ok(None);
            }
        }
    }
}

/// The row of a ready lane that runs: the first that is due, unless one before it still holds the lane.
fn head(conn: &Connection, queue: &Queue, lane: Lane, now: i64) -> rusqlite::Result<Option<Head>> {
    let mut statement = conn.prepare_cached(queue.rows)?;
    let mut rows = statement.query([lane.0])?;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? <= now {
            return Ok(Some(Head {
                id: row.get(0)?,
                attempts: row.get(3)?,
                first_failed: row.get::<_, Option<i64>>(4)?.map(Timestamp),
            }));
        }
        if row.get::<_, i64>(2)? > now {
            return Ok(None);
        }
    }
    Ok(None)
}

/// When the next lane of a portal becomes ready that is not ready now.
fn next_waiting(conn: &Connection, queue: &Queue, want: &Want, portal: i64) -> rusqlite::Result<Option<i64>> {
    let mut statement = conn.prepare_cached(queue.waiting)?;
    let enough = i64::try_from(want.busy.len()).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = statement.query(params![portal, want.now, enough])?;
    while let Some(row) = rows.next()? {
        if !want.busy.contains(&Lane(row.get(1)?)) {
            return row.get(0).map(Some);
        }
    }
    Ok(None)
}
