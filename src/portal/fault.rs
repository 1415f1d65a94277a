//! Faults on purpose: a list of rules, each with what it matches, how often, and what it does to a request.
//! Decides only; the server carries it out.

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
    /// Carries the call out, then resets the TCP connection before the first byte of an answer: the far side cannot
    /// know what happened. Two messages without a `templateId`, one with.
    ResetAfterExecution,
    /// Resets the TCP connection and carries nothing out: looks the same from the far side.
    ResetBeforeExecution,
    /// Accepts the request and never answers; nothing is carried out.
    Hang,
    /// Waits, by the portal's clock, before anything else happens; a caller who hangs up meanwhile changes nothing.
    Delay(Duration),
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
            Self::ResetAfterExecution => "reset_after_execution",
            Self::ResetBeforeExecution => "reset_before_execution",
            Self::Hang => "hang",
            Self::Delay(_) => "delay",
        }
    }
}

/// What the rules decided about one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Strike {
    pub(super) delay: Duration,
    pub(super) action: Option<Action>,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Rule>);

impl Faults {
    pub(super) fn add(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether every rule has struck as often as it may.
    #[cfg(test)]
    pub(super) fn used_up(&self) -> bool {
        self.0.iter().all(|rule| rule.times == Some(0))
    }

    /// Decides about a request and counts it down on the rules it used.
    pub(super) fn strike(&mut self, method: &str, now: Timestamp) -> Strike {
        self.0
            .retain(|rule| rule.times != Some(0) && rule.until.is_none_or(|until| now < until));
        let mut strike = Strike::default();
        for rule in &mut self.0 {
            let named = rule.method.as_deref();
            if !named.is_none_or(|named| named.eq_ignore_ascii_case(method)) {
                continue;
            }
            rule.times = rule.times.map(|times| times.saturating_sub(1));
            match &rule.action {
                Action::Delay(delay) => strike.delay = strike.delay.saturating_add(*delay),
                action => {
                    strike.action = Some(action.clone());
                    break;
                }
            }
        }
        strike
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

    #[test]
    fn a_rule_strikes_as_often_as_it_says_and_only_its_method() {
        let mut faults = Faults::default();
        faults.add(rule(Some("imbot.v2.Command.answer"), Some(2), Action::Hang));
        let now = Timestamp(0);
        assert_eq!(faults.strike("imbot.v2.Revision.get", now).action, None);
        assert_eq!(faults.strike("imbot.v2.command.ANSWER", now).action, Some(Action::Hang));
        assert_eq!(faults.strike("imbot.v2.Command.answer", now).action, Some(Action::Hang));
        assert_eq!(faults.strike("imbot.v2.Command.answer", now).action, None);
    }

    #[test]
    fn delays_add_up_and_leave_the_rest_to_other_rules() {
        let mut faults = Faults::default();
        faults.add(rule(None, None, Action::Delay(Duration::from_secs(1))));
        faults.add(rule(None, None, Action::Delay(Duration::from_secs(2))));
        faults.add(rule(None, Some(1), Action::Hang));
        let first = faults.strike("m", Timestamp(0));
        assert_eq!(
            (first.delay, first.action),
            (Duration::from_secs(3), Some(Action::Hang))
        );
        assert_eq!(faults.strike("m", Timestamp(0)).action, None);
    }

    #[test]
    fn a_rule_with_an_end_ends() {
        let mut faults = Faults::default();
        faults.add(Rule {
            until: Some(Timestamp(1000)),
            ..rule(None, None, Action::Hang)
        });
        assert!(faults.strike("m", Timestamp(999)).action.is_some());
        assert!(faults.strike("m", Timestamp(1000)).action.is_none());
    }
}
