//! One look at a portal: what leaves now, alone or together. Owns the choice; the budget, the gates and the order inside
//! a dialog are asked, never bent.
//!
//! Single calls as long as there are tokens for all that is ready; otherwise up to fifty calls of one identity share a
//! request. Nothing waits while a token is free and dialog, gate and circuit allow it.

use super::engine::{IN_FLIGHT, POLL, Running};
use super::errands::{class, notice};
use super::meter::Ticket;
use super::outlet::Outlet;
use super::piece::{Piece, Who};
use super::request::{Request, Sender};
use crate::rest::{AskError, Permit, batch};
use crate::store::{ClaimedCall, Head, StoreError, Waiting};
use crate::telemetry;
use crate::types::{Lane, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Lanes of each urgency that one look considers.
const LOOK: usize = 8 * batch::MOST;

/// A look at one portal.
pub(super) struct Pass<'a> {
    pub(super) outlet: &'a mut Outlet,
    pub(super) sender: &'a Arc<Sender>,
    pub(super) running: &'a mut Running,
    pub(super) now: Timestamp,
}

/// Calls that could leave: known by their place, read a few at a time.
struct Pool {
    heads: [VecDeque<Head>; 3],
    rows: [VecDeque<ClaimedCall>; 3],
    /// Calls that wait in these lanes.
    backlog: usize,
    /// There may be more than this.
    full: bool,
    /// Some were put aside or left out: there may be others in their place.
    thinned: bool,
    next: Timestamp,
}

impl Pool {
    fn new(waiting: Waiting, next: Timestamp) -> Self {
        let all = waiting.heads.iter().flatten();
        Self {
            backlog: all.map(|head| 1 + usize::try_from(head.behind).unwrap_or(0)).sum(),
            full: waiting.heads.iter().any(|heads| heads.len() >= LOOK),
            heads: waiting.heads,
            rows: Default::default(),
            thinned: false,
            next: waiting.next_due.map_or(next, |due| due.min(next)),
        }
    }

    fn is_empty(&self) -> bool {
        self.heads.iter().all(VecDeque::is_empty) && self.rows.iter().all(VecDeque::is_empty)
    }

    /// Where nothing may leave.
    fn nothing(next: Timestamp) -> Self {
        let waiting = Waiting {
            heads: Default::default(),
            next_due: None,
        };
        Self::new(waiting, next)
    }
}

impl Pass<'_> {
    /// Starts what may leave; returns when to look again.
    pub(super) async fn look(mut self) -> Result<Timestamp, StoreError> {
        self.weed();
        let mut next = self.now + POLL;
        let mut places = IN_FLIGHT.saturating_sub(self.outlet.in_flight);
        match self.outlet.circuit.permits(self.now) {
            Permit::Yes => {}
            Permit::Probe => places = places.min(1),
            Permit::No(until) => {
                places = 0;
                next = next.min(until);
            }
        }
        places = self.overdraw(places);
        let mut pool = if places == 0 {
            Pool::nothing(next)
        } else {
            let left_out = self.outlet.left_out();
            let store = &self.sender.store;
            let waiting = store.waiting_calls(self.outlet.site.id, &self.outlet.busy, &left_out, LOOK, self.now);
            Pool::new(waiting, next)
        };
        let mut short_of_tokens = false;
        while places > 0 {
            if self.outlet.meter.tokens(self.now) == 0 {
                short_of_tokens = true;
                break;
            }
            if !self.start_one(&mut pool).await? {
                break;
            }
            places -= 1;
        }
        self.refuse_notices();
        telemetry::portal_budget(&self.outlet.site.name, f64::from(self.outlet.meter.tokens(self.now)));
        next = next.min(pool.next);
        if short_of_tokens && (!pool.is_empty() || self.outlet.errands.len() > 0 || self.probe_is_due()) {
            self.outlet.waiting_since.get_or_insert(self.now);
            next = next.min(self.outlet.meter.ready_at(self.now).unwrap_or(next));
        }
        if places > 0 && !short_of_tokens && pool.full && pool.thinned {
            return Ok(self.now);
        }
        let shut = |piece: &Piece| self.outlet.shut_until(piece.who, piece.method(), self.now);
        let errands = self.outlet.errands.next_due(self.now, shut);
        let due = [errands, self.outlet.parks.next_due()];
        // What is due already waits for a place or a token, and is looked at when there is one.
        let later = due.into_iter().flatten().filter(|due| *due > self.now);
        Ok(later.fold(next, Timestamp::min))
    }

    /// Starts the request whose turn it is. False: nothing could leave.
    async fn start_one(&mut self, pool: &mut Pool) -> Result<bool, StoreError> {
        let Some(ticket) = self.outlet.meter.reserve(self.now) else {
            return Ok(false);
        };
        if let Some(probe) = self.outlet.parks.next_probe(self.now) {
            self.start(vec![Piece::probe(probe)], ticket);
            return Ok(true);
        }
        for class in 0..3 {
            self.fill(pool, class).await?;
        }
        let outlet = &*self.outlet;
        let errand = |class: usize| outlet.errands.any(class, self.now, |piece| self.may_leave(piece));
        let (errands, calls) = (
            [0, 1, 2].map(errand),
            [0, 1, 2].map(|class| !pool.rows[class].is_empty()),
        );
        let could = |priority| errands[class(priority)] || calls[class(priority)];
        let Some(priority) = self.outlet.turns.next(could) else {
            return Ok(false);
        };
        let class = class(priority);
        let by_errand = errands[class] && (self.outlet.errand_next || !calls[class]);
        self.outlet.errand_next = !by_errand;
        let first = if by_errand {
            self.take_errand(class)
        } else {
            self.take_call(pool, class)
        };
        let Some(first) = first else {
            return Ok(false);
        };
        // The token of this request is promised already.
        let tokens = usize::try_from(self.outlet.meter.tokens(self.now)).unwrap_or(usize::MAX);
        let ready = pool.backlog + self.outlet.errands.len() + usize::from(by_errand) + usize::from(!by_errand);
        let mut pieces = vec![first];
        if ready > tokens + 1 {
            self.gather(pool, class, &mut pieces).await?;
        } else {
            self.accompany(class, &mut pieces);
        }
        self.start(pieces, ticket);
        Ok(true)
    }

    /// Fills a request with others of the same identity: first those as urgent, then any.
    async fn gather(&mut self, pool: &mut Pool, first: usize, pieces: &mut Vec<Piece>) -> Result<(), StoreError> {
        let Some(who) = pieces
            .first()
            .filter(|piece| self.may_share(piece))
            .map(|piece| piece.who)
        else {
            return Ok(());
        };
        let mut left = batch::LONGEST_RUN
            - pieces
                .iter()
                .map(|piece| self.outlet.runs.expected(piece.method()))
                .sum::<f64>();
        for class in std::iter::once(first).chain((0..3).filter(|class| *class != first)) {
            let mut others = VecDeque::new();
            while pieces.len() < batch::MOST {
                self.fill(pool, class).await?;
                let Some(claimed) = pool.rows[class].pop_front() else {
                    break;
                };
                let run = self.outlet.runs.expected(&claimed.call.method);
                let renewed = self.outlet.renewed.contains(&claimed.id);
                if Who::of(&claimed.call) != who || run > left {
                    others.push_back(claimed);
                    continue;
                }
                let piece = Piece::call(claimed, renewed);
                if self.may_share(&piece) {
                    left -= run;
                    pool.backlog = pool.backlog.saturating_sub(1);
                    pieces.push(piece);
                } else if let super::piece::What::Call(claimed) = piece.what {
                    others.push_back(*claimed);
                }
            }
            while let Some(claimed) = others.pop_back() {
                pool.rows[class].push_front(claimed);
            }
            while pieces.len() < batch::MOST {
                let now = self.now;
                let outlet = &*self.outlet;
                let fits = |piece: &Piece| {
                    let run = outlet.runs.expected(piece.method());
                    piece.who == who && run <= left && self.may_leave(piece) && self.may_share(piece)
                };
                if !outlet.errands.any(class, now, fits) {
                    break;
                }
                let Some(piece) = self.take_errand_that(class, left, |piece| piece.who == who) else {
                    break;
                };
                left -= self.outlet.runs.expected(piece.method());
                pieces.push(piece);
            }
        }
        Ok(())
    }

    /// Takes along what shares a request whenever it can, and nothing else.
    fn accompany(&mut self, class: usize, pieces: &mut Vec<Piece>) {
        let first = pieces
            .first()
            .filter(|piece| piece.in_company() && self.may_share(piece));
        let Some((who, run)) = first.map(|piece| (piece.who, self.outlet.runs.expected(piece.method()))) else {
            return;
        };
        let mut left = batch::LONGEST_RUN - run;
        while pieces.len() < batch::MOST
            && let Some(piece) = self.take_errand_that(class, left, |piece| piece.who == who && piece.in_company())
        {
            left -= self.outlet.runs.expected(piece.method());
            pieces.push(piece);
        }
    }

    /// Reads until a call of this urgency stands ready to leave, or there is none.
    async fn fill(&mut self, pool: &mut Pool, class: usize) -> Result<(), StoreError> {
        loop {
            while let Some(claimed) = pool.rows[class].front() {
                if self.outlet.busy.contains(&claimed.call.lane) {
                    // Chosen in this very look.
                    pool.rows[class].pop_front();
                    continue;
                }
                let who = Who::of(&claimed.call);
                if self.now >= claimed.call.expires {
                    let Some(claimed) = pool.rows[class].pop_front() else {
                        break;
                    };
                    pool.backlog = pool.backlog.saturating_sub(1);
                    self.expire(claimed);
                } else if self.outlet.parks.keeps(who, claimed.call.bot).is_some() {
                    pool.rows[class].pop_front();
                    pool.thinned = true;
                    pool.backlog = pool.backlog.saturating_sub(1);
                } else if let Some(until) = self.outlet.shut_until(who, &claimed.call.method, self.now) {
                    self.sender.store.shelve_calls(&[claimed.call.lane], until);
                    pool.rows[class].pop_front();
                    pool.next = pool.next.min(until);
                    pool.thinned = true;
                    pool.backlog = pool.backlog.saturating_sub(1);
                } else {
                    return Ok(());
                }
            }
            let tokens = usize::try_from(self.outlet.meter.tokens(self.now)).unwrap_or(usize::MAX);
            let chunk = if pool.backlog > tokens { batch::MOST } else { IN_FLIGHT };
            let heads: Vec<Head> = {
                let heads = &mut pool.heads[class];
                heads.drain(..chunk.min(heads.len())).collect()
            };
            if heads.is_empty() {
                return Ok(());
            }
            pool.rows[class].extend(self.sender.store.read_calls(heads).await?);
        }
    }

    fn take_call(&mut self, pool: &mut Pool, class: usize) -> Option<Piece> {
        let claimed = pool.rows[class].pop_front()?;
        pool.backlog = pool.backlog.saturating_sub(1);
        let renewed = self.outlet.renewed.contains(&claimed.id);
        Some(Piece::call(claimed, renewed))
    }

    fn take_errand(&mut self, class: usize) -> Option<Piece> {
        let mut waiters = std::mem::take(&mut self.outlet.errands);
        let taken = waiters.take(class, self.now, |piece| self.may_leave(piece));
        self.outlet.errands = waiters;
        taken
    }

    fn take_errand_that(&mut self, class: usize, left: f64, is: impl Fn(&Piece) -> bool) -> Option<Piece> {
        let mut waiters = std::mem::take(&mut self.outlet.errands);
        let taken = waiters.take(class, self.now, |piece| {
            let run = self.outlet.runs.expected(piece.method());
            is(piece) && run <= left && self.may_leave(piece) && self.may_share(piece)
        });
        self.outlet.errands = waiters;
        taken
    }

    pub(super) fn may_leave(&self, piece: &Piece) -> bool {
        !self.outlet.holds(piece) && self.outlet.shut_until(piece.who, piece.method(), self.now).is_none()
    }

    fn may_share(&self, piece: &Piece) -> bool {
        let alone = match &piece.what {
            super::piece::What::Call(claimed) => self.outlet.alone.contains(&claimed.id),
            super::piece::What::Errand(_) | super::piece::What::Probe(_) => false,
        };
        !alone && piece.may_share(self.sender.rules)
    }

    pub(super) fn start(&mut self, pieces: Vec<Piece>, ticket: Ticket) {
        let Some(who) = pieces.first().map(|piece| piece.who) else {
            return;
        };
        let outlet = &mut *self.outlet;
        outlet.busy.extend(pieces.iter().filter_map(Piece::lane));
        outlet.in_flight += 1;
        if outlet.circuit.permits(self.now) == Permit::Probe {
            outlet.circuit.probe_left(self.now);
        }
        let waited = outlet.waiting_since.take();
        telemetry::limiter_wait(waited.map_or(Duration::ZERO, |since| self.now.since(since)));
        telemetry::batch_size(pieces.len());
        let request = Request {
            site: Arc::clone(&outlet.site),
            meter: outlet.meter.clone(),
            who,
            pieces,
            ticket,
        };
        self.running.request(Arc::clone(self.sender), request);
    }

    fn expire(&mut self, claimed: ClaimedCall) {
        self.outlet.busy.insert(claimed.call.lane);
        let sender = Arc::clone(self.sender);
        let portal = self.outlet.site.id;
        self.running.settle(portal, async move { sender.expire(claimed).await });
    }

    /// Gives errands back that cannot leave any more.
    fn weed(&mut self) {
        let mut waiters = std::mem::take(&mut self.outlet.errands);
        let outlet = &*self.outlet;
        let store = &self.sender.store;
        let taken = |lane: Option<Lane>| lane.is_some_and(|lane| outlet.busy.contains(&lane) || store.has_calls(lane));
        let paused = Arc::clone(&store.paused().borrow());
        let site = outlet.site.id;
        waiters.weed(
            self.now,
            |piece| outlet.obstacle(piece, self.now),
            |piece| {
                if paused.contains(&(site, None)) || paused.contains(&(site, Some(piece.bot()))) {
                    return Some(AskError::Parked("paused by an operator".to_owned()));
                }
                if let Some(why) = outlet.parks.refuses(piece) {
                    return Some(AskError::Parked(why.to_owned()));
                }
                let lane = notice(piece)?;
                taken(lane).then_some(AskError::NoBudget("a message of this dialog goes first"))
            },
        );
        self.outlet.errands = waiters;
    }

    /// Notices that did not leave at once never do.
    fn refuse_notices(&mut self) {
        let mut waiters = std::mem::take(&mut self.outlet.errands);
        let outlet = &*self.outlet;
        let why = |piece: &Piece| outlet.obstacle(piece, self.now);
        waiters.weed(self.now, why, |piece| {
            notice(piece).map(|_| AskError::NoBudget(outlet.obstacle(piece, self.now)))
        });
        self.outlet.errands = waiters;
    }

    fn probe_is_due(&self) -> bool {
        self.outlet.parks.next_due().is_some_and(|due| due <= self.now)
    }
}
