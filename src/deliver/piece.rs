//! What leaves in a request: a queued call, an errand, or a question of our own about a parked identity. Plain data.

use super::engine::Rules;
use crate::identity::Site;
use crate::method;
use crate::rest::{Errand, batch};
use crate::store::{ClaimedCall, Identity, NewCall, Unknown};
use crate::types::{Lane, PortalId, Priority, Timestamp};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// As whom a request is made: what Bitrix24 counts operating time by, and what a batch has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Who {
    pub(super) portal: PortalId,
    pub(super) identity: Identity,
    /// Event tokens are each bot's own; otherwise 0.
    bot: i64,
}

impl Who {
    pub(super) fn new(portal: PortalId, identity: Identity, bot: i64) -> Self {
        let bot = if identity == Identity::EventToken { bot } else { 0 };
        Self { portal, identity, bot }
    }

    pub(super) fn of(call: &NewCall) -> Self {
        Self::new(call.portal, call.identity, call.bot)
    }

    /// For people.
    pub(super) fn name(self) -> &'static str {
        match self.identity {
            Identity::Webhook => "webhook",
            Identity::App => "application",
            Identity::EventToken => "event token",
        }
    }
}

/// A question of our own: is the identity (or the bot) still refused?
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) who: Who,
    /// As which bot.
    pub(super) bot: i64,
    /// Only the bot is doubted, not the identity.
    pub(super) of_bot: bool,
    params: String,
}

impl Probe {
    pub(super) fn new(who: Who, bot: i64, of_bot: bool) -> Self {
        let params = if of_bot {
            json!({ "botId": bot }).to_string()
        } else {
            "{}".to_owned()
        };
        Self {
            who,
            bot,
            of_bot,
            params,
        }
    }
}

/// What a piece is.
#[derive(Debug)]
pub(super) enum What {
    Call(Box<ClaimedCall>),
    Errand(Box<Errand>),
    Probe(Probe),
}

/// One command of a request.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) what: What,
    pub(super) who: Who,
    /// Its credentials were renewed for it once already.
    pub(super) renewed: bool,
    /// Errands that failed wait until then.
    pub(super) due: Timestamp,
    /// Failed attempts of an errand.
    pub(super) attempts: u32,
}

impl Piece {
    fn new(what: What, who: Who) -> Self {
        Self {
            what,
            who,
            renewed: false,
            due: Timestamp(0),
            attempts: 0,
        }
    }

    pub(super) fn call(claimed: ClaimedCall, renewed: bool) -> Self {
        let who = Who::of(&claimed.call);
        Self {
            renewed,
            ..Self::new(What::Call(Box::new(claimed)), who)
        }
    }

    /// An errand of this portal; `bot` 0 goes by the portal's own identity.
    pub(super) fn errand(mut errand: Errand, site: &Site) -> Self {
        if errand.with_bot && errand.bot > 0 {
            name_bot(&mut errand);
        }
        let who = Who::new(site.id, site.identity(errand.bot), errand.bot);
        Self::new(What::Errand(Box::new(errand)), who)
    }

    pub(super) fn probe(probe: Probe) -> Self {
        let who = probe.who;
        Self::new(What::Probe(probe), who)
    }

    pub(super) fn method(&self) -> &str {
        match &self.what {
            What::Call(claimed) => &claimed.call.method,
            What::Errand(errand) => &errand.method,
            What::Probe(probe) if probe.of_bot => "imbot.v2.Bot.get",
            What::Probe(_) => "imbot.v2.Revision.get",
        }
    }

    pub(super) fn params(&self) -> &str {
        match &self.what {
            What::Call(claimed) => &claimed.call.params,
            What::Errand(errand) => &errand.params,
            What::Probe(probe) => &probe.params,
        }
    }

    /// As it is sent: with the token that the bot is to have, where it is about that.
    pub(super) fn sent(&self) -> Cow<'_, str> {
        let change = match &self.what {
            What::Errand(errand) => errand.change.as_ref().and_then(|change| change.to.as_ref()),
            What::Call(_) | What::Probe(_) => None,
        };
        match (change, serde_json::from_str::<Value>(self.params())) {
            (Some(token), Ok(mut params)) => {
                params["fields"]["botToken"] = token.expose().into();
                Cow::Owned(params.to_string())
            }
            _ => Cow::Borrowed(self.params()),
        }
    }

    /// Whether it is part of a change of its bot's token.
    pub(super) fn is_change(&self) -> bool {
        matches!(&self.what, What::Errand(errand) if errand.change.is_some())
    }

    pub(super) fn bot(&self) -> i64 {
        match &self.what {
            What::Call(claimed) => claimed.call.bot,
            What::Errand(errand) => errand.bot,
            What::Probe(probe) => probe.bot,
        }
    }

    /// The lane that nothing else may leave from meanwhile.
    pub(super) fn lane(&self) -> Option<Lane> {
        match &self.what {
            What::Call(claimed) => Some(claimed.call.lane),
            What::Errand(_) | What::Probe(_) => None,
        }
    }

    pub(super) fn priority(&self) -> Priority {
        match &self.what {
            What::Call(claimed) => claimed.call.priority,
            What::Errand(errand) => errand.priority,
            What::Probe(_) => Priority::Interactive,
        }
    }

    /// Whether it shares a request with others like it whenever it can.
    pub(super) fn in_company(&self) -> bool {
        matches!(&self.what, What::Errand(errand) if errand.in_company)
    }

    /// Whether it leaves also where the budget is used up.
    pub(super) fn is_over_budget(&self) -> bool {
        matches!(&self.what, What::Errand(errand) if errand.over_budget)
    }

    /// Whether it may share a request. A batch that breaks off leaves the outcome of all its commands unknown.
    pub(super) fn may_share(&self, rules: Rules) -> bool {
        let repeatable = match &self.what {
            What::Call(claimed) => claimed.call.unknown == Unknown::Repeat || rules.repeat_unknown,
            What::Errand(errand) => {
                errand.repeatable && !errand.now_or_never && !errand.over_budget && errand.change.is_none()
            }
            What::Probe(_) => false,
        };
        repeatable && batch::fits(self.method(), self.params())
    }
}

/// Puts the bot's number where the method takes it, unless it is there.
fn name_bot(errand: &mut Errand) {
    // What is no object is refused when it is sent.
    if let Ok(mut params) = serde_json::from_str::<Map<String, Value>>(&errand.params) {
        let address = method::find(&errand.method).map_or(method::Address::BOT, |entry| entry.address);
        address.put_bot(&mut params, errand.bot);
        errand.params = Value::Object(params).to_string();
    }
}
