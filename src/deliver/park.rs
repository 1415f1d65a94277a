//! Identities and bots that the portal refuses: their calls are kept, and one question now and then tells whether they
//! are welcome again. Owns who is parked and which calls are in doubt; sends nothing.

use super::backoff::PARK;
use super::piece::{Piece, Probe, Who};
use super::view::ParkView;
use crate::rest::{Class, Fault};
use crate::store::{ClaimedCall, LeftOut};
use crate::telemetry;
use crate::types::{PortalId, Timestamp};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How long an identity that answered a question is taken for good.
const SOUND: Duration = Duration::from_secs(60);
/// When a question had no answer at all.
const AGAIN: Duration = Duration::from_secs(10);

/// A refused identity, or a refused bot of one.
#[derive(Debug)]
struct Park {
    who: Who,
    /// As which bot it is asked for.
    bot: i64,
    of_bot: bool,
    /// The class of the refusal, as a metric label.
    label: &'static str,
    reason: String,
    since: Timestamp,
    probe_at: Timestamp,
    probing: bool,
    /// Bots whose calls it keeps back.
    keeps: HashSet<i64>,
}

/// Calls that failed in a way that may be theirs or their identity's.
#[derive(Debug)]
struct Doubt {
    calls: Vec<(ClaimedCall, Fault)>,
    bot: i64,
    asked: bool,
    ask_at: Timestamp,
}

/// What an answer to a probe has decided.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// Doubted calls, and whether their identity is good.
    pub(super) calls: Vec<(ClaimedCall, Fault)>,
    pub(super) sound: bool,
}

/// The parked of one portal.
#[derive(Debug)]
pub(super) struct Parks {
    portal: PortalId,
    name: String,
    parks: Vec<Park>,
    doubts: HashMap<Who, Doubt>,
    sound: HashMap<Who, Timestamp>,
}

impl Parks {
    pub(super) fn new(portal: PortalId, name: String) -> Self {
        Self {
            portal,
            name,
            parks: Vec::new(),
            doubts: HashMap::new(),
            sound: HashMap::new(),
        }
    }

    /// Stops an identity, or a bot of it. Hammering on cannot help.
    pub(super) fn park(
        &mut self,
        who: Who,
        (bot, of_bot): (i64, bool),
        label: &'static str,
        reason: &str,
        now: Timestamp,
    ) {
        let same = |park: &&mut Park| park.who == who && park.of_bot == of_bot && (!of_bot || park.bot == bot);
        if let Some(park) = self.parks.iter_mut().find(same) {
            park.keeps.insert(bot);
            return;
        }
        let what = if of_bot { "this bot" } else { "our identity" };
        tracing::error!(
            portal = %self.name, bot, identity = who.name(), reason,
            "portal {} refuses {what}; its calls are kept, and it is asked for every {} s: mend it and `imbot resume`",
            self.name, PARK.as_secs()
        );
        telemetry::identity_parked(&self.name, label, true);
        self.parks.push(Park {
            who,
            bot,
            of_bot,
            label,
            reason: reason.to_owned(),
            since: now,
            probe_at: now + PARK,
            probing: false,
            keeps: HashSet::from([bot]),
        });
    }

    /// Why a call of this bot and identity must not leave. From now on the bot is among those left out.
    pub(super) fn keeps(&mut self, who: Who, bot: i64) -> Option<&str> {
        let park = self
            .parks
            .iter_mut()
            .find(|park| park.who == who && (!park.of_bot || park.bot == bot))?;
        park.keeps.insert(bot);
        Some(&park.reason)
    }

    /// Why an errand of this bot and identity is refused.
    pub(super) fn refuses(&self, piece: &Piece) -> Option<&str> {
        let mut parks = self.parks.iter();
        // A change of its token may be what helps a refused bot.
        let of_bot = |park: &Park| park.bot == piece.bot() && !piece.is_change();
        let park = parks.find(|park| park.who == piece.who && (!park.of_bot || of_bot(park)))?;
        Some(&park.reason)
    }

    /// Whom claims leave out.
    pub(super) fn left_out(&self) -> LeftOut {
        let bots = self.parks.iter().flat_map(|park| &park.keeps);
        bots.map(|bot| (self.portal, Some(*bot))).collect()
    }

    /// A call that failed as if its identity were refused. `Some`: the identity has just proven good, so it is the call.
    pub(super) fn doubt(&mut self, who: Who, claimed: ClaimedCall, fault: Fault, now: Timestamp) -> Option<Decided> {
        let calls = vec![(claimed, fault)];
        if self.sound.get(&who).is_some_and(|until| now < *until) {
            return Some(Decided { calls, sound: true });
        }
        let bot = calls.first().map_or(0, |(claimed, _)| claimed.call.bot);
        let fresh = Doubt {
            calls: Vec::new(),
            bot,
            asked: false,
            ask_at: now,
        };
        self.doubts.entry(who).or_insert(fresh).calls.extend(calls);
        None
    }

    /// The next question to be put, and when there will be one.
    pub(super) fn next_probe(&mut self, now: Timestamp) -> Option<Probe> {
        for (who, doubt) in &mut self.doubts {
            if !doubt.asked && doubt.ask_at <= now {
                doubt.asked = true;
                return Some(Probe::new(*who, doubt.bot, false));
            }
        }
        let park = self
            .parks
            .iter_mut()
            .find(|park| !park.probing && park.probe_at <= now)?;
        park.probing = true;
        Some(Probe::new(park.who, park.bot, park.of_bot))
    }

    /// When the next question is due, if one is.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let doubts = self.doubts.values().filter(|doubt| !doubt.asked);
        let parks = self.parks.iter().filter(|park| !park.probing);
        doubts
            .map(|doubt| doubt.ask_at)
            .chain(parks.map(|park| park.probe_at))
            .min()
    }

    /// The answer to a question.
    pub(super) fn probed(&mut self, probe: &Probe, answer: &Result<(), Fault>, now: Timestamp) -> Option<Decided> {
        let refused = match answer {
            Ok(()) => None,
            Err(fault) => match fault.class {
                Class::Identity | Class::Expired | Class::Bot | Class::BotGone => Some(fault),
                // It could not be asked: soon again.
                Class::Limit | Class::OperatingTime | Class::Transient | Class::Sending => {
                    self.ask_again(probe, now);
                    return None;
                }
                // Another refusal is an answer: the identity is known.
                Class::Access | Class::Invalid => None,
            },
        };
        match refused {
            None => self.welcome(probe),
            Some(fault) => {
                for park in self.parks.iter_mut().filter(|park| matches(park, probe)) {
                    park.probing = false;
                    park.probe_at = now + PARK;
                    park.reason.clone_from(&fault.code);
                }
            }
        }
        if probe.of_bot {
            return None;
        }
        let doubt = self.doubts.remove(&probe.who);
        let decided = doubt.map(|doubt| Decided {
            calls: doubt.calls,
            sound: refused.is_none(),
        });
        match refused {
            None => {
                self.sound.insert(probe.who, now + SOUND);
            }
            Some(fault) => {
                self.sound.remove(&probe.who);
                if decided.is_some() {
                    self.park(probe.who, (probe.bot, false), fault.class.label(), &fault.code, now);
                }
            }
        }
        decided
    }

    fn ask_again(&mut self, probe: &Probe, now: Timestamp) {
        for park in self.parks.iter_mut().filter(|park| matches(park, probe)) {
            park.probing = false;
            park.probe_at = now + AGAIN;
        }
        if let Some(doubt) = self.doubts.get_mut(&probe.who).filter(|_| !probe.of_bot) {
            doubt.asked = false;
            doubt.ask_at = now + AGAIN;
        }
    }

    fn welcome(&mut self, probe: &Probe) {
        let (gone, kept): (Vec<Park>, Vec<Park>) = self.parks.drain(..).partition(|park| matches(park, probe));
        self.parks = kept;
        self.freed(&gone);
    }

    /// Tries again at once: the parks of one bot (its identity included), or all. Returns how many there were.
    pub(super) fn unpark(&mut self, bot: Option<i64>) -> usize {
        let (gone, kept): (Vec<Park>, Vec<Park>) = self
            .parks
            .drain(..)
            .partition(|park| bot.is_none_or(|bot| park.keeps.contains(&bot)));
        self.parks = kept;
        self.freed(&gone);
        gone.len()
    }

    /// Something about our credentials has changed: each is asked for now.
    pub(super) fn ask_all(&mut self, now: Timestamp) {
        for park in &mut self.parks {
            park.probe_at = now;
        }
    }

    fn freed(&self, gone: &[Park]) {
        for park in gone {
            if !self.parks.iter().any(|other| other.label == park.label) {
                telemetry::identity_parked(&self.name, park.label, false);
            }
            tracing::info!(
                portal = %self.name, bot = park.bot, identity = park.who.name(),
                "portal {}: a parked identity is tried again", self.name
            );
        }
    }

    pub(super) fn view(&self) -> Vec<ParkView> {
        let view = |park: &Park| ParkView {
            identity: park.who.name(),
            bot: park.of_bot.then_some(park.bot),
            reason: park.reason.clone(),
            since: park.since,
            probe_at: park.probe_at,
        };
        self.parks.iter().map(view).collect()
    }
}

fn matches(park: &Park, probe: &Probe) -> bool {
    park.who == probe.who && park.of_bot == probe.of_bot && (!park.of_bot || park.bot == probe.bot)
}
