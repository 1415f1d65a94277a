//! Carrying a request out: every check in the order of a real portal, then the method, then the answer and the log.
//! Nothing waits in here, so a caller who hangs up changes nothing.

use super::access::{Caller, authorise};
use super::acts::{self, Subject};
use super::answer::{Answer, Refusal, Timing, success, xml};
use super::batch;
use super::heard::Heard;
use super::log::{Decision, LogEntry, redacted};
use super::methods::{Call, Done, Method};
use super::shared::{Locked, Shared};
use super::standing::has_right;
use crate::types::Timestamp;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The cloud ends a request after this long, in milliseconds.
const LONGEST: u64 = 60_000;

/// What becomes of a request.
pub(super) enum Outcome {
    Answer(Answer),
    /// The connection ends without an answer.
    Cut,
}

/// A caller whom the portal knows.
pub(super) struct Known {
    pub(super) caller: Caller,
    /// Under which its operating time is counted.
    pub(super) payer: String,
}

/// What one HTTP request spent on each method, in milliseconds.
#[derive(Default)]
pub(super) struct Tally(Vec<(String, u64)>);

impl Tally {
    pub(super) fn add(&mut self, method: &str, cost: u64) {
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(method)) {
            Some((_, sum)) => *sum += cost,
            None => self.0.push((method.to_owned(), cost)),
        }
    }

    pub(super) fn of(&self, method: &str) -> u64 {
        let mut known = self.0.iter();
        known
            .find(|(known, _)| known.eq_ignore_ascii_case(method))
            .map_or(0, |(_, sum)| *sum)
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|(_, sum)| sum).sum()
    }

    /// Counts it all for who pays.
    pub(super) fn settle(&self, state: &mut Locked, payer: &str, now: Timestamp) {
        for (method, sum) in &self.0 {
            state.operating.add(payer, method, *sum, now);
        }
    }

    /// Over the time that the cloud gives a request.
    pub(super) fn too_long(&self) -> bool {
        self.total() > LONGEST
    }
}

/// What was found out about one request.
struct Verdict {
    answer: Answer,
    decision: Decision,
    told: Value,
    identity: String,
    inner: Vec<LogEntry>,
    cut: bool,
}

/// Carries a request out and logs it.
pub(super) fn carry_out(shared: &Arc<Shared>, heard: &Heard, answered: bool) -> Outcome {
    let (verdict, events, level) = {
        let mut state = shared.state();
        let verdict = judge(shared, &mut state, heard);
        let events = std::mem::take(&mut state.portal.outgoing);
        let level = state.buckets.level(&heard.source);
        (verdict, events, level)
    };
    let status = (answered && !verdict.cut).then_some(verdict.answer.status);
    for entry in verdict.inner {
        shared.log(entry);
    }
    shared.log(LogEntry {
        answer: redacted(&verdict.told),
        level,
        ..heard.entry(&verdict.identity, verdict.decision, status)
    });
    shared.deliver_later(events);
    if verdict.cut {
        Outcome::Cut
    } else {
        Outcome::Answer(verdict.answer)
    }
}

fn judge(shared: &Shared, state: &mut Locked, heard: &Heard) -> Verdict {
    let now = shared.config.clock.now();
    if let Some(host) = state
        .portal
        .standing
        .renamed_to
        .clone()
        .filter(|host| *host != heard.host)
    {
        return moved(&host, heard);
    }
    let caller = match around(shared, state, heard, now) {
        Ok(caller) => caller,
        Err(refusal) => return refused(state, heard, None, &refusal),
    };
    if heard.route.method.eq_ignore_ascii_case("batch") {
        return batched(shared, state, heard, &caller);
    }
    let mut tally = Tally::default();
    let params = own_params(&heard.params);
    let done = one(shared, state, &caller, &heard.route.method, &params, &mut tally, now);
    let (told, reset) = settle(state, &caller, &heard.route.method, &tally, now);
    let timing = Timing {
        start: heard.at,
        finish: now,
        cost: tally.total(),
        operating: told,
        reset,
    };
    match done {
        Ok(done) => {
            let body = success(done.result, &timing, &state.portal.knobs);
            Verdict {
                answer: written(heard, 200, &body),
                decision: done.decision,
                told: body["result"].clone(),
                identity: caller.caller.to_string(),
                inner: Vec::new(),
                cut: tally.too_long() && !state.portal.knobs.gateway_timeout,
            }
            .or_timeout(&tally)
        }
        Err(refusal) => refused(state, heard, Some(&caller), &refusal),
    }
}

impl Verdict {
    /// 504 where the request took longer than the cloud allows; what was done stays done.
    fn or_timeout(mut self, tally: &Tally) -> Self {
        if tally.too_long() {
            self.answer = Answer::html(504, "504 Gateway Time-out");
        }
        self
    }
}

fn settle(state: &mut Locked, caller: &Known, method: &str, tally: &Tally, now: Timestamp) -> (u64, Option<Timestamp>) {
    tally.settle(state, &caller.payer, now);
    state.operating.told(&caller.payer, method, now)
}

/// Everything before the method itself, from the request counter to the rights.
fn around(shared: &Shared, state: &mut Locked, heard: &Heard, now: Timestamp) -> Result<Known, Refusal> {
    const TOO_MANY: Refusal = Refusal::new(503, "QUERY_LIMIT_EXCEEDED", "Too many requests");
    const INSECURE: Refusal = Refusal::new(400, "INVALID_REQUEST", "Https required.");
    let _ = shared;
    if !state.buckets.admit(&heard.source, now) {
        if state.portal.knobs.refusals_count {
            state.buckets.raise(&heard.source);
        }
        let status = state.portal.knobs.limit_status;
        return Err(Refusal { status, ..TOO_MANY });
    }
    if state.portal.standing.tls_required && heard.route.webhook.is_some() {
        return Err(INSECURE);
    }
    if state.portal.standing.deleted {
        let status = state.portal.knobs.deleted_status;
        return Err(Refusal::new(status, "PORTAL_DELETED", "Portal was deleted"));
    }
    let method = &heard.route.method;
    if !method.eq_ignore_ascii_case("batch") && Method::named(method).is_none() {
        return Err(NO_METHOD);
    }
    let caller = authorise(&state.portal, &heard.route, heard.bearer.as_deref(), &heard.params, now)?;
    let payer = match &caller {
        Caller::Webhook { user } => format!("webhook {user}"),
        Caller::App { client_id, .. } => client_id.clone(),
    };
    Ok(Known { caller, payer })
}

const NO_METHOD: Refusal = Refusal::new(404, "ERROR_METHOD_NOT_FOUND", "Method not found!");
const BLOCKED: Refusal = Refusal::new(
    429,
    "OPERATION_TIME_LIMIT",
    "Method is blocked due to operation time limit.",
);

/// One call of a method, alone or inside a batch.
pub(super) fn one(
    shared: &Shared,
    state: &mut Locked,
    known: &Known,
    method: &str,
    params: &Map<String, Value>,
    tally: &mut Tally,
    now: Timestamp,
) -> Result<Done, Refusal> {
    let method = Method::named(method).ok_or(NO_METHOD)?;
    if !has_right(known.caller.scope(&state.portal), method.right) {
        let description = "The request requires higher privileges than provided by the webhook token";
        let status = state.portal.knobs.scope_status;
        return Err(Refusal::new(status, "insufficient_scope", description));
    }
    if !state.operating.open(&known.payer, method.name, now) {
        return Err(BLOCKED);
    }
    let call = Call {
        caller: &known.caller,
        params,
        now,
    };
    let subject = Subject::of(&state.portal, method.name, params);
    let done = method.call(&call, &mut state.portal)?;
    if let Some(subject) = subject {
        acts::note(&mut state.portal, subject, method.name, params, &done.decision, now);
    }
    tally.add(method.name, shared.cost(method.name));
    Ok(done)
}

/// The parameters that a method gets: the portal keeps some for itself.
pub(super) fn own_params(params: &Map<String, Value>) -> Map<String, Value> {
    let kept = ["auth", "access_token", "token", "state", "start"];
    let own = params.iter().filter(|(name, _)| !kept.contains(&name.as_str()));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn batched(shared: &Shared, state: &mut Locked, heard: &Heard, caller: &Known) -> Verdict {
    let ran = batch::run(shared, state, heard, caller);
    let cut = ran.tally.too_long() && !state.portal.knobs.gateway_timeout;
    Verdict {
        answer: written(heard, 200, &ran.body),
        decision: Decision::Executed { message_id: None },
        told: ran.body["result"].clone(),
        identity: caller.caller.to_string(),
        inner: ran.entries,
        cut,
    }
    .or_timeout(&ran.tally)
}

fn refused(state: &Locked, heard: &Heard, caller: Option<&Known>, refusal: &Refusal) -> Verdict {
    let knobs = &state.portal.knobs;
    let (status, body) = refusal.body(knobs);
    let limited = refusal.code == "QUERY_LIMIT_EXCEEDED";
    let mut answer = if limited && knobs.limit_page {
        Answer::html(status, "503 Service Temporarily Unavailable")
    } else {
        written(heard, status, &body)
    };
    if let Some(seconds) = knobs.retry_after.filter(|_| limited) {
        answer = answer.with("Retry-After", seconds.to_string());
    }
    let identity = match caller {
        Some(known) => known.caller.to_string(),
        None => heard.identity(&state.portal),
    };
    Verdict {
        answer,
        decision: Decision::Refused {
            code: refusal.code.to_owned(),
        },
        told: body,
        identity,
        inner: Vec::new(),
        cut: false,
    }
}

/// A renamed portal sends everybody on and does nothing.
fn moved(host: &str, heard: &Heard) -> Verdict {
    Verdict {
        answer: Answer::html(302, "302 Found").with("Location", format!("http://{host}{}", heard.path)),
        decision: Decision::Refused { code: "302".to_owned() },
        told: Value::Null,
        identity: "unknown".to_owned(),
        inner: Vec::new(),
        cut: false,
    }
}

fn written(heard: &Heard, status: u16, body: &Value) -> Answer {
    if heard.route.xml {
        return Answer::text(status, "application/xml; charset=utf-8", xml(body));
    }
    Answer::json(status, body)
}
