//! Faults on purpose: a list of rules, each with what it matches, how often, and what it does to a request.
//! Decides only; the server carries it out.

use super::knobs::Dice;
use crate::types::Timestamp;
use std::time::Duration;

/// A fault: what it strikes and what happens then. The first rule that matches decides; delays add up.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Only calls of this method (in any case); `None`: every call.
    pub method: Option<String>,
    /// How many requests it strikes; `None`: no end.
    pub times: Option<u32>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// What it does.
    pub action: Action,
}

/// What else a request must be to be struck. The default is any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aim {
    /// Only at the portal of this host.
    pub portal: Option<String>,
    /// Only calls of this identity, named as in the log: `webhook 1`, `local.… as 456`.
    pub identity: Option<String>,
    /// Only the nth request that matches, from 1.
    pub nth: Option<u32>,
    /// Only every nth request that matches.
    pub every: Option<u32>,
    /// Only with this probability, by dice that fall the same for the same seed.
    pub probability: Option<f64>,
    /// Only commands inside a batch, or only requests of their own. Inside, an error is all that can strike.
    pub in_batch: Option<bool>,
}

/// What a fault does to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answers with this instead of carrying the call out.
    Answer {
        /// HTTP status.
        status: u16,
        /// The code in `error`.
        code: String,
        /// JSON as a portal writes it, or the page of a web server before it.
        shape: Shape,
    },
    /// Answers with exactly this instead of carrying the call out.
    Body {
        /// HTTP status.
        status: u16,
        /// `Content-Type`.
        media: String,
        /// The body.
        body: String,
        /// More headers.
        headers: Vec<(String, String)>,
    },
    /// Carries the call out, then resets the TCP connection before the first byte of an answer: the far side cannot
    /// know what happened. Two messages without a `templateId`, one with.
    ResetAfterExecution,
    /// Resets the TCP connection and carries nothing out: looks the same from the far side.
    ResetBeforeExecution,
    /// Accepts the request and never answers; nothing is carried out.
    Hang,
    /// Waits, by the portal's clock, before anything else happens; a caller who hangs up meanwhile changes nothing.
    Delay(Duration),
    /// Carries the call out and sends the answer in two halves with this pause between them.
    SlowBody(Duration),
    /// Carries the call out and sends the first half of the answer as all of it.
    TruncateJson,
    /// Carries the call out and calls its JSON a page.
    WrongContentType,
    /// Carries the call out and packs the answer, asked or not.
    Gzip,
    /// Changes the portal first; the request then goes on as the change decides.
    Do(Deed),
}

/// Something done to the portal, by an operator or by fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Every access token is old from now on.
    ExpireTokens,
    /// Requests to any other host get 302 to this one (`localhost:8070`).
    RenamePortal(String),
    /// The portal is gone.
    DeletePortal,
    /// The application is gone; its calls fail.
    UninstallApp(String),
    /// The application's payment is over.
    EndPayment(String),
    /// Only these users may use the application.
    AllowUsers(String, Vec<i64>),
    /// The bot is gone.
    DeleteBot(i64),
    /// The bot is no longer in the chat.
    KickBot {
        /// The bot.
        bot: i64,
        /// The chat.
        chat: i64,
    },
    /// No identity has this right any more.
    RevokeScope(String),
    /// Blocked by hand: `OVERLOAD_LIMIT`.
    BlockOverload,
    /// A plan without REST.
    EndPlan,
    /// Webhook calls need https.
    RequireTls,
    /// The request counters are full: nothing is left of the limit.
    DrainRateLimit,
    /// The request counters are empty.
    ResetRateLimit,
    /// So much operating time was spent by every identity.
    FillOperating {
        /// On this method.
        method: String,
        /// So much.
        time: Duration,
    },
}

/// What the body of an injected error looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{"error": …, "error_description": …}`
    Json,
    /// A page of HTML, as proxies and overloaded web servers send.
    Html,
}

impl Action {
    /// Its name in the request log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer",
            Self::Body { .. } => "body",
            Self::ResetAfterExecution => "reset_after_execution",
            Self::ResetBeforeExecution => "reset_before_execution",
            Self::Hang => "hang",
            Self::Delay(_) => "delay",
            Self::SlowBody(_) => "slow_body",
            Self::TruncateJson => "truncate_json",
            Self::WrongContentType => "wrong_content_type",
            Self::Gzip => "gzip",
            Self::Do(_) => "do",
        }
    }
}

/// The request that rules look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) method: &'a str,
    pub(super) identity: &'a str,
    pub(super) host: &'a str,
    pub(super) in_batch: bool,
}

/// What the rules decided about one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Strike {
    pub(super) delay: Duration,
    pub(super) deeds: Vec<Deed>,
    pub(super) action: Option<Action>,
}

/// The rules in force.
#[derive(Debug)]
pub(super) struct Faults {
    rules: Vec<Aimed>,
    dice: Dice,
    /// Every connection is reset.
    pub(super) cut_off: bool,
}

#[derive(Debug)]
struct Aimed {
    rule: Rule,
    aim: Aim,
    /// How many requests it would strike if every one counted.
    seen: u32,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            dice: Dice(seed),
            cut_off: false,
        }
    }

    pub(super) fn add(&mut self, rule: Rule, aim: Aim) {
        self.rules.push(Aimed { rule, aim, seen: 0 });
    }

    pub(super) fn reseed(&mut self, seed: u64) {
        self.dice = Dice(seed);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rules, those that are used up too.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|aimed| &aimed.rule)
    }

    /// What the rules in force are: method, action, strikes left.
    pub(super) fn list(&self) -> impl Iterator<Item = (Option<&str>, &'static str, Option<u32>)> {
        let left = |aimed: &Aimed| aimed.rule.times;
        self.rules
            .iter()
            .map(move |aimed| (aimed.rule.method.as_deref(), aimed.rule.action.name(), left(aimed)))
    }

    /// Whether every rule has struck as often as it may.
    #[cfg(test)]
    pub(super) fn used_up(&self) -> bool {
        self.rules.iter().all(|aimed| aimed.rule.times == Some(0))
    }

    /// Decides about a request and counts it down on the rules it used.
    pub(super) fn strike(&mut self, target: Target<'_>, now: Timestamp) -> Strike {
        let over = |rule: &Rule| rule.times == Some(0) || rule.until.is_some_and(|until| now >= until);
        self.rules.retain(|aimed| !over(&aimed.rule));
        let mut strike = Strike::default();
        if self.cut_off {
            strike.action = Some(Action::ResetBeforeExecution);
            return strike;
        }
        for aimed in &mut self.rules {
            if !aimed.hits(target, &mut self.dice) {
                continue;
            }
            let rule = &mut aimed.rule;
            rule.times = rule.times.map(|times| times.saturating_sub(1));
            match &rule.action {
                Action::Delay(delay) => strike.delay = strike.delay.saturating_add(*delay),
                Action::Do(deed) => strike.deeds.push(deed.clone()),
                action => {
                    strike.action = Some(action.clone());
                    break;
                }
            }
        }
        strike
    }
}

impl Aimed {
    fn hits(&mut self, target: Target<'_>, dice: &mut Dice) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            let wanted = wanted.as_deref();
            wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
        };
        let fits = is(&self.rule.method, target.method)
            && is(&self.aim.identity, target.identity)
            && is(&self.aim.portal, target.host)
            && self.aim.in_batch.is_none_or(|inside| inside == target.in_batch);
        // What strikes a connection cannot strike a command of a batch.
        let possible = !target.in_batch || matches!(self.rule.action, Action::Answer { .. } | Action::Do(_));
        if !fits || !possible {
            return false;
        }
        self.seen = self.seen.saturating_add(1);
        self.aim.nth.is_none_or(|nth| nth == self.seen)
            && self
                .aim
                .every
                .is_none_or(|every| self.seen.is_multiple_of(every.max(1)))
            && self.aim.probability.is_none_or(|share| dice.share() < share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(method: Option<&str>, times: Option<u32>, action: Action) -> Rule {
        Rule {
            method: method.map(str::to_owned),
            times,
            until: None,
            action,
        }
    }

    fn faults(rules: impl IntoIterator<Item = (Rule, Aim)>) -> Faults {
        let mut faults = Faults::new(1);
        for (rule, aim) in rules {
            faults.add(rule, aim);
        }
        faults
    }

    fn to(method: &str) -> Target<'_> {
        Target {
            method,
            identity: "webhook 1",
            host: "demo",
            in_batch: false,
        }
    }

    #[test]
    fn a_rule_strikes_as_often_as_it_says_and_only_its_method() {
        let hang = rule(Some("imbot.v2.Command.answer"), Some(2), Action::Hang);
        let mut faults = faults([(hang, Aim::default())]);
        let now = Timestamp(0);
        assert_eq!(faults.strike(to("imbot.v2.Revision.get"), now).action, None);
        assert_eq!(
            faults.strike(to("imbot.v2.command.ANSWER"), now).action,
            Some(Action::Hang)
        );
        assert_eq!(
            faults.strike(to("imbot.v2.Command.answer"), now).action,
            Some(Action::Hang)
        );
        assert_eq!(faults.strike(to("imbot.v2.Command.answer"), now).action, None);
    }

    #[test]
    fn delays_and_deeds_leave_the_rest_to_other_rules() {
        let wait = |seconds| rule(None, None, Action::Delay(Duration::from_secs(seconds)));
        let mut faults = faults([
            (wait(1), Aim::default()),
            (wait(2), Aim::default()),
            (rule(None, Some(1), Action::Do(Deed::EndPlan)), Aim::default()),
            (rule(None, Some(1), Action::Hang), Aim::default()),
        ]);
        let first = faults.strike(to("m"), Timestamp(0));
        assert_eq!(
            (first.delay, first.action),
            (Duration::from_secs(3), Some(Action::Hang))
        );
        assert_eq!(first.deeds, [Deed::EndPlan]);
        assert_eq!(faults.strike(to("m"), Timestamp(0)).action, None);
    }

    #[test]
    fn a_rule_with_an_end_ends() {
        let ending = Rule {
            until: Some(Timestamp(1000)),
            ..rule(None, None, Action::Hang)
        };
        let mut faults = faults([(ending, Aim::default())]);
        assert!(faults.strike(to("m"), Timestamp(999)).action.is_some());
        assert!(faults.strike(to("m"), Timestamp(1000)).action.is_none());
    }

    #[test]
    fn an_aim_counts_the_requests_that_match() {
        let struck = |aim: Aim| {
            let mut faults = faults([(rule(Some("m"), None, Action::Hang), aim)]);
            faults.strike(to("other"), Timestamp(0));
            let hits = (1..=6).filter(|_| faults.strike(to("m"), Timestamp(0)).action.is_some());
            hits.collect::<Vec<_>>()
        };
        let nth = Aim {
            nth: Some(2),
            ..Aim::default()
        };
        assert_eq!(struck(nth), [2]);
        let every = Aim {
            every: Some(3),
            ..Aim::default()
        };
        assert_eq!(struck(every), [3, 6]);
        for (probability, expected) in [(0.0, 0), (1.0, 6)] {
            let aim = Aim {
                probability: Some(probability),
                ..Aim::default()
            };
            assert_eq!(struck(aim).len(), expected);
        }
        let elsewhere = Aim {
            identity: Some("webhook 2".to_owned()),
            ..Aim::default()
        };
        assert_eq!(struck(elsewhere), [0; 0]);
    }
}
