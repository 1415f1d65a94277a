//! `batch`: commands one after another under one identity, with references to earlier results, errors of their own
//! and one answer for all.

use super::access::truthy;
use super::answer::{Refusal, Timing, php};
use super::carry::{Known, Tally, one, own_params};
use super::fault::{Action, Target};
use super::heard::Heard;
use super::log::{Decision, LogEntry, redacted};
use super::params;
use super::reference::{Gathered, replace};
use super::shared::{Locked, Shared};
use crate::types::Timestamp;
use serde_json::{Map, Value, json};

/// More commands than this get an error each.
const MOST: usize = 50;

/// What a batch did.
pub(super) struct Ran {
    pub(super) body: Value,
    pub(super) tally: Tally,
    pub(super) entries: Vec<LogEntry>,
}

struct Run<'a> {
    shared: &'a Shared,
    heard: &'a Heard,
    known: &'a Known,
    now: Timestamp,
    gathered: Gathered,
    tally: Tally,
    entries: Vec<LogEntry>,
}

/// An error of one command: status is lost inside a batch.
struct Failed {
    code: String,
    description: String,
}

pub(super) fn run(shared: &Shared, state: &mut Locked, heard: &Heard, known: &Known) -> Ran {
    let mut run = Run {
        shared,
        heard,
        known,
        now: shared.config.clock.now(),
        gathered: Gathered::default(),
        tally: Tally::default(),
        entries: Vec::new(),
    };
    let halt = heard.params.iter().find(|(name, _)| name.eq_ignore_ascii_case("halt"));
    let halt = halt.is_some_and(|(_, value)| truthy(Some(value)));
    for (place, (key, command)) in heard.commands.iter().enumerate() {
        let Some(command) = command.as_str() else { continue };
        let failed = run.command(state, place, key, command).err();
        if let Some(failed) = failed {
            let error = json!({ "error": failed.code, "error_description": failed.description });
            run.gathered.errors.insert(key.clone(), error);
            if halt {
                break;
            }
        }
        if run.tally.too_long() {
            break;
        }
    }
    run.finish(state)
}

impl Run<'_> {
    fn command(&mut self, state: &mut Locked, place: usize, key: &str, command: &str) -> Result<(), Failed> {
        const TOO_LONG: Refusal = Refusal::new(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded");
        const BARRED: Refusal = Refusal::new(
            405,
            "ERROR_BATCH_METHOD_NOT_ALLOWED",
            "Method is not allowed for batch usage",
        );
        let refuse = |refusal: Refusal, state: &Locked| failed(&refusal, state);
        if place >= MOST {
            return Err(refuse(TOO_LONG, state));
        }
        let command = command.split('#').next().unwrap_or_default();
        let (method, query) = command.split_once('?').unwrap_or((command, ""));
        let mut params = params::query(query, state.portal.knobs.batch_variables);
        for value in params.values_mut() {
            replace(value, &self.gathered);
        }
        let params = own_params(&params);
        if ["batch", "download", "upload"].contains(&method) {
            return Err(refuse(BARRED, state));
        }
        self.struck(state, method, &params)?;
        let done = one(
            self.shared,
            state,
            self.known,
            method,
            &params,
            &mut self.tally,
            self.now,
        );
        let decision = match &done {
            Ok(done) => done.decision.clone(),
            Err(refusal) => Decision::Refused {
                code: refusal.code.to_owned(),
            },
        };
        let told = done.as_ref().map_or(Value::Null, |done| done.result.clone());
        self.enter(method, &params, decision, &told);
        let done = done.map_err(|refusal| failed(&refusal, state))?;
        let result = if state.portal.knobs.empty_maps_are_lists {
            php(done.result)
        } else {
            done.result
        };
        self.gathered.results.insert(key.to_owned(), result);
        let time = self.time(state, method);
        self.gathered.times.insert(key.to_owned(), time);
        Ok(())
    }

    /// Faults that aim inside batches.
    fn struck(&mut self, state: &mut Locked, method: &str, params: &Map<String, Value>) -> Result<(), Failed> {
        let identity = self.known.caller.to_string();
        let target = Target {
            method,
            identity: &identity,
            host: &self.shared.config.host,
            in_batch: true,
        };
        let strike = state.faults.strike(target, self.now);
        for deed in &strike.deeds {
            state.apply(deed, &self.heard.source, self.now);
        }
        let Some(Action::Answer { code, status, .. }) = strike.action else {
            return Ok(());
        };
        self.enter(method, params, Decision::Fault { name: "answer" }, &Value::Null);
        let description = super::errors::described(&code, status);
        Err(Failed {
            description: description.to_owned(),
            code,
        })
    }

    fn enter(&mut self, method: &str, params: &Map<String, Value>, decision: Decision, told: &Value) {
        self.entries.push(LogEntry {
            at: self.heard.at,
            method: method.to_owned(),
            identity: self.known.caller.to_string(),
            params: redacted(&Value::Object(params.clone())),
            decision,
            status: None,
            answer: redacted(told),
            level: 0,
            faults: Vec::new(),
            batched: true,
        });
    }

    /// The `time` of one command, with what its method has cost so far.
    fn time(&self, state: &mut Locked, method: &str) -> Value {
        let (counted, reset) = state.operating.told(&self.known.payer, method, self.now);
        let here = Some(self.tally.of(method)).filter(|sum| *sum > 100).unwrap_or(0);
        let timing = Timing {
            // Its own time, not that of the commands before it or of a slow way to the portal.
            start: self.now,
            finish: self.now,
            cost: self.shared.cost(method),
            operating: counted + here,
            reset: reset.or((here > 0).then_some(self.now + std::time::Duration::from_secs(600))),
        };
        timing.block(state.portal.knobs.operating_told)
    }

    fn finish(mut self, state: &mut Locked) -> Ran {
        let weight = u64::from(state.portal.knobs.batch_weight);
        let own = self.tally.total() * weight / 100;
        if own > 0 {
            self.tally.add("batch", own);
        }
        self.tally.settle(state, &self.known.payer, self.now);
        let (operating, reset) = state.operating.told(&self.known.payer, "batch", self.now);
        let timing = Timing {
            start: self.heard.at,
            finish: self.now,
            cost: self.tally.total(),
            operating,
            reset,
        };
        // Whatever the switches say, a batch of numbered commands has always been printed as lists.
        let result = php(json!({
            "result": self.gathered.results,
            "result_error": self.gathered.errors,
            "result_total": {},
            "result_next": {},
            "result_time": self.gathered.times,
        }));
        let time = timing.block(state.portal.knobs.operating_told);
        Ran {
            body: json!({ "result": result, "time": time }),
            tally: self.tally,
            entries: self.entries,
        }
    }
}

fn failed(refusal: &Refusal, state: &Locked) -> Failed {
    let (_, body) = refusal.body(&state.portal.knobs);
    Failed {
        code: refusal.code.to_owned(),
        description: body["error_description"].as_str().unwrap_or_default().to_owned(),
    }
}
