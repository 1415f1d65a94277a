//! The handle's switches for faults. Each adds a rule; none carries it out.

use super::Portal;
use super::event_fault::EventRule;
use super::fault::{Action, Aim, Deed, Rule, Shape};
use super::knobs::Knobs;
use crate::types::Timestamp;
use std::time::Duration;

impl Portal {
    /// Adds a fault. The first that matches a request decides; delays add up.
    pub fn fault(&self, rule: Rule) {
        self.fault_at(rule, Aim::default());
    }

    /// Adds a fault for requests that are more than a method.
    pub fn fault_at(&self, rule: Rule, aim: Aim) {
        self.shared().state().faults.add(rule, aim);
    }

    /// Throws the dice of probabilities anew.
    pub fn seed(&self, seed: u64) {
        self.shared().state().faults.reseed(seed);
    }

    /// Does something to the portal at once.
    pub fn apply(&self, deed: &Deed) {
        let now = self.now();
        self.shared().state().apply(deed, "127.0.0.1", now);
    }

    /// The portal as it stood before anything was done to it: alive, paid, unblocked.
    pub fn restore(&self) {
        self.shared().state().restore();
    }

    /// Other switches from now on. The counters keep how they fall and how they release.
    pub fn set_knobs(&self, knobs: Knobs) {
        self.shared().state().set_knobs(knobs);
    }

    /// Lets the event sender do something wrong.
    pub fn event_fault(&self, rule: EventRule) {
        self.shared().state().event_faults.add(rule);
    }

    /// The faults that were to strike so many times and have not yet: each with its method (`any` for all) and what is
    /// left.
    #[must_use]
    pub fn faults_left(&self) -> Vec<String> {
        let state = self.shared().state();
        let left = state.faults.list().filter_map(|(method, action, left)| {
            let left = left.filter(|left| *left > 0)?;
            Some(format!("{action} at {}, {left} left", method.unwrap_or("any method")))
        });
        left.collect()
    }

    /// Ends all faults. Requests that hang already go on hanging.
    pub fn clear_faults(&self) {
        let mut state = self.shared().state();
        state.faults.clear();
        state.event_faults.clear();
    }

    /// Answers 503 to everything for this long, by the portal's clock: `QUERY_LIMIT_EXCEEDED` in JSON, or a page.
    pub fn refuse_for(&self, time: Duration, shape: Shape) {
        self.fault(Rule {
            until: Some(self.now() + time),
            ..rule(None, None, answer(503, "QUERY_LIMIT_EXCEEDED", shape))
        });
    }

    /// Carries the next calls out, then resets their connections before the first byte of an answer.
    pub fn execute_then_reset(&self, method: Option<&str>, times: u32) {
        self.fault(rule(method, Some(times), Action::ResetAfterExecution));
    }

    /// Resets the connections of the next calls and carries nothing out.
    pub fn reset(&self, method: Option<&str>, times: u32) {
        self.fault(rule(method, Some(times), Action::ResetBeforeExecution));
    }

    /// Resets every connection and carries nothing out, until called again with `false`: the network is gone.
    pub fn cut_off(&self, cut_off: bool) {
        self.shared().state().faults.cut_off = cut_off;
    }

    /// Answers the next calls with an error and carries nothing out.
    pub fn answer_error(&self, method: Option<&str>, status: u16, code: &str, times: u32) {
        self.fault(rule(method, Some(times), answer(status, code, Shape::Json)));
    }

    /// Never answers the next calls and carries nothing out.
    pub fn hang(&self, times: u32) {
        self.fault(rule(None, Some(times), Action::Hang));
    }

    /// Lets every call wait this long, by the portal's clock, before it is carried out, even if its caller has gone.
    /// Ends with [`clear_faults`](Self::clear_faults).
    pub fn delay(&self, time: Duration) {
        self.fault(rule(None, None, Action::Delay(time)));
    }

    /// Records a `templateId` as if its first attempt were still under way: a send with it gets `SENDING_FAILED`
    /// for an hour.
    pub fn hold_template(&self, template_id: &str) {
        let since = self.now();
        let record = super::state::Template { message: None, since };
        let mut state = self.shared().state();
        state.portal.templates.insert(template_id.to_owned(), record);
    }

    fn now(&self) -> Timestamp {
        self.shared().config.clock.now()
    }
}

fn rule(method: Option<&str>, times: Option<u32>, action: Action) -> Rule {
    Rule {
        method: method.map(str::to_owned),
        times,
        until: None,
        action,
    }
}

fn answer(status: u16, code: &str, shape: Shape) -> Action {
    Action::Answer {
        status,
        code: code.to_owned(),
        shape,
    }
}
