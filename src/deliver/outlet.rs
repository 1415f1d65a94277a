//! What the deliverer knows of one portal: its budget, circuit, gates, parked identities, waiting errands, busy lanes.
//! Learns from each request that ends; `pass` chooses what leaves.

use super::errands::Waiters;
use super::meter::Meter;
use super::park::{Decided, Parks};
use super::piece::{Piece, Who};
use super::request::{Ended, Note, Way};
use super::view::{GateView, PortalView};
use crate::identity::{Site, SiteBot};
use crate::method;
use crate::rest::batch::Runs;
use crate::rest::{Circuit, Operating, Permit, Turns};
use crate::store::LeftOut;
use crate::telemetry;
use crate::types::{CallId, Lane, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// One portal.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) site: Arc<Site>,
    pub(super) meter: Meter,
    pub(super) circuit: Circuit,
    pub(super) turns: Turns,
    pub(super) runs: Runs,
    gates: HashMap<Who, Operating>,
    /// Methods that were found shut, for operators.
    shut: HashSet<(Who, String)>,
    /// Identities whose authorisation server is in trouble.
    rests: HashMap<Who, Timestamp>,
    pub(super) parks: Parks,
    pub(super) errands: Waiters,
    pub(super) busy: HashSet<Lane>,
    pub(super) in_flight: usize,
    /// Calls that must not share a request, and calls whose credentials were renewed for them.
    pub(super) alone: HashSet<CallId>,
    pub(super) renewed: HashSet<CallId>,
    /// Since when something waits for the budget.
    pub(super) waiting_since: Option<Timestamp>,
    /// Whose turn it is where both wait: an errand's, or a call's.
    pub(super) errand_next: bool,
}

impl Outlet {
    pub(super) fn new(site: Arc<Site>, meter: Meter) -> Self {
        let parks = Parks::new(site.id, site.name.clone());
        Self {
            site,
            meter,
            circuit: Circuit::new(),
            turns: Turns::new(),
            runs: Runs::default(),
            gates: HashMap::new(),
            shut: HashSet::new(),
            rests: HashMap::new(),
            parks,
            errands: Waiters::default(),
            busy: HashSet::new(),
            in_flight: 0,
            alone: HashSet::new(),
            renewed: HashSet::new(),
            waiting_since: None,
            errand_next: true,
        }
    }

    /// Until when this method of this identity must wait.
    pub(super) fn shut_until(&self, who: Who, method: &str, now: Timestamp) -> Option<Timestamp> {
        let rest = self.rests.get(&who).copied().filter(|until| *until > now);
        let gate = self.gates.get(&who).and_then(|gate| gate.blocked_until(method, now));
        rest.max(gate)
    }

    /// Whose calls wait: refused ones, and bots whose token is being changed.
    pub(super) fn left_out(&self) -> LeftOut {
        let mut all = self.parks.left_out();
        let held = self.site.bots.iter().filter(|(_, bot)| bot.is_held());
        all.extend(held.map(|(bot, _)| (self.site.id, Some(*bot))));
        all
    }

    /// Whether an errand waits because the token of its bot is being changed, and it is no part of that.
    pub(super) fn holds(&self, piece: &Piece) -> bool {
        let bot = self.site.bots.get(&piece.bot());
        !piece.is_change() && bot.is_some_and(SiteBot::is_held)
    }

    /// A request has ended: its lanes are free, and what it told is learned. Returns doubted calls that are decided.
    pub(super) fn learn(&mut self, ended: Ended, now: Timestamp) -> Vec<Decided> {
        if ended.request {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        match ended.way {
            Way::Answered => self.circuit.answered(),
            Way::TimedOut => self.circuit.timed_out(now),
            Way::Unsaid => {}
        }
        telemetry::circuit_open(&self.site.name, self.circuit.is_open());
        for lane in ended.free {
            self.busy.remove(&lane);
        }
        let mut decided = Vec::new();
        for note in ended.notes {
            decided.extend(self.note(ended.who, note, now));
        }
        decided
    }

    fn note(&mut self, who: Who, note: Note, now: Timestamp) -> Option<Decided> {
        match note {
            Note::Ran(method, operated, seconds) => {
                if let Some(seconds) = seconds {
                    self.runs.observe(&method, seconds);
                }
                if let Some(operated) = operated {
                    let label = method::label(&method);
                    telemetry::operating_seconds(&self.site.name, label, operated.seconds);
                    let gate = self.gates.entry(who).or_default();
                    gate.observe(&method, &operated, now);
                    if gate.blocked_until(&method, now).is_some() {
                        self.shut.insert((who, method));
                    }
                }
            }
            Note::Shut(method) => {
                let gate = self.gates.entry(who).or_default();
                gate.refused(&method, now);
                self.shut.insert((who, method));
            }
            Note::Settled(id) => {
                self.alone.remove(&id);
                self.renewed.remove(&id);
            }
            Note::Alone(id) => drop(self.alone.insert(id)),
            Note::Renewed(id) => drop(self.renewed.insert(id)),
            Note::Back(piece) => self.errands.put_back(piece),
            Note::Park {
                bot,
                of_bot,
                label,
                reason,
            } => self.parks.park(who, (bot, of_bot), label, &reason, now),
            Note::Doubt(claimed, fault) => return self.parks.doubt(who, *claimed, fault, now),
            Note::Rest(pause) => drop(self.rests.insert(who, now + pause)),
            Note::Probed(probe, answer) => return self.parks.probed(&probe, &answer, now),
        }
        None
    }

    /// Why an errand that is late could not leave.
    pub(super) fn obstacle(&self, piece: &Piece, now: Timestamp) -> &'static str {
        if self.holds(piece) {
            "the bot's token is being changed"
        } else if matches!(self.circuit.permits(now), Permit::No(_)) {
            "the portal does not answer"
        } else if self.shut_until(piece.who, piece.method(), now).is_some() {
            "the method has used up its operating time"
        } else if piece.attempts > 0 {
            "the portal is in trouble"
        } else {
            "the portal's budget is used up"
        }
    }

    pub(super) fn view(&mut self, now: Timestamp) -> PortalView {
        let gates = &self.gates;
        let until = |who: &Who, method: &str| gates.get(who)?.blocked_until(method, now);
        self.shut.retain(|(who, method)| until(who, method).is_some());
        let mut shut: Vec<GateView> = self
            .shut
            .iter()
            .filter_map(|(who, method)| {
                Some(GateView {
                    identity: who.name(),
                    method: method.clone(),
                    until: until(who, method)?,
                })
            })
            .collect();
        shut.sort_by(|one, other| one.method.cmp(&other.method));
        let (capacity, paused_until) = self.meter.bounds(now);
        let open = match self.circuit.permits(now) {
            Permit::No(until) => Some(until),
            Permit::Probe => Some(now),
            Permit::Yes => None,
        };
        PortalView {
            portal: self.site.id,
            name: self.site.name.clone(),
            host: self.meter.host.to_string(),
            tokens: self.meter.tokens(now),
            capacity,
            counted: whole(self.meter.counted(now)),
            paused_until,
            circuit_open_until: open,
            gates: shut,
            parked: self.parks.view(),
            in_flight: self.in_flight,
            errands: self.errands.len(),
        }
    }
}

/// A level as a number of requests.
fn whole(level: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small count, at least 0"
    )]
    let requests = level.max(0.0).ceil() as u32;
    requests
}
