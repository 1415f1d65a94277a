//! Every metric name, label and log setting of the program. Imports `types` only; knows no room's inner life.
//!
//! Labels come from small fixed sets: names of the configuration and of the code, never a word of a stranger.
#![expect(clippy::disallowed_macros, reason = "the one file in which metric names are spelled")]

mod line;
mod log;

pub(crate) use log::{LogFormat, flush_logs, log_to_stderr};

use crate::types::Timestamp;
use metrics::{Counter, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Seconds from half a millisecond to ten: what an answer to Bitrix24 and a REST call may take.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Seconds up to an hour: lags and waits.
const LONG_SECONDS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// Measures a duration in real time, for histograms only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "histograms measure real time, whatever clock the tests use"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Real time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder for this process, once; later calls return the same handle.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let mut builder = PrometheusBuilder::new();
    for name in [
        "imbot_webhook_ack_seconds",
        "imbot_handler_seconds",
        "imbot_rest_seconds",
        "imbot_store_sync_seconds",
    ] {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.into()), &SECONDS)?;
    }
    for name in [
        "imbot_event_lag_seconds",
        "imbot_event_to_reply_seconds",
        "imbot_rest_limiter_wait_seconds",
    ] {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.into()), &LONG_SECONDS)?;
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    // A second recorder (another test of this process won the race) is dropped; both handles then read the first.
    if metrics::set_global_recorder(recorder).is_ok() {
        let _ = RECORDER.set(handle.clone());
        begin();
        gauge!("imbot_build_info", "version" => env!("CARGO_PKG_VERSION"), "commit" => option_env!("IMBOT_COMMIT").unwrap_or("unknown")).set(1.0);
    }
    Ok(RECORDER.get().cloned().unwrap_or(handle))
}

/// Series that an alarm or a dashboard reads are there from the start: without its first value, the step to 1 is unseen.
fn begin() {
    for outcome in ["accepted", "duplicate", "ignored", "quarantined"] {
        counter!("imbot_webhook_requests_total", "outcome" => outcome, "reason" => "").absolute(0);
    }
    for reason in ["full", "busy", "draining", "storage_failed", "bad_token"] {
        counter!("imbot_webhook_requests_total", "outcome" => "rejected", "reason" => reason).absolute(0);
    }
    config_reload_failed(false);
}

/// A portal is served (again): its series begin, so that a first gap or a first parked identity is seen as a change.
pub(crate) fn portal_served(portal: &str) {
    static SERVED: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let mut served = SERVED.lock().unwrap_or_else(PoisonError::into_inner);
    // Once: after a reload the portal may be parked, which must not look mended.
    if !served.get_or_insert_default().insert(portal.to_owned()) {
        return;
    }
    for reason in GAPS {
        counter!("imbot_gap_events_total", "portal" => label(portal), "reason" => reason).absolute(0);
    }
    for reason in PARKS {
        identity_parked(portal, reason, false);
    }
}

/// Why an identity can be refused: fault classes, and the token of an application.
const PARKS: [&str; 5] = ["identity", "expired_token", "bot", "bot_gone", "application"];

/// Why an authentic event can be refused.
const GAPS: [&str; 4] = ["full", "busy", "draining", "storage_failed"];

/// Whether the last SIGHUP found a configuration that cannot be used.
pub(crate) fn config_reload_failed(failed: bool) {
    gauge!("imbot_config_reload_failed").set(if failed { 1.0 } else { 0.0 });
}

/// Portals that have a label of their own: an application may be installed on any number.
const PORTALS: usize = 200;

/// The name of a portal as a label; beyond two hundred it is `other`.
fn label(portal: &str) -> String {
    static KNOWN: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if known.contains(portal) || (known.len() < PORTALS && known.insert(portal.to_owned())) {
        portal.to_owned()
    } else {
        "other".to_owned()
    }
}

/// What became of an installation at the door: `accepted`, `waiting`, `unproven`, `expired` …; from a fixed set.
pub(crate) fn installation(outcome: &'static str) {
    counter!("imbot_installations_total", "outcome" => outcome).increment(1);
}

/// How old the refresh token of an installed portal is: at 180 days it is worth nothing.
pub(crate) fn refresh_token_age(portal: &str, age: Duration) {
    gauge!("imbot_refresh_token_age_seconds", "portal" => label(portal)).set(age.as_secs_f64());
}

/// One request at the door; `reason` is empty unless it was rejected or quarantined.
pub(crate) fn webhook_request(outcome: &'static str, reason: &'static str) {
    // Looked up once: nearly every request ends so.
    static ACCEPTED: LazyLock<Counter> =
        LazyLock::new(|| counter!("imbot_webhook_requests_total", "outcome" => "accepted", "reason" => ""));
    if outcome == "accepted" {
        return ACCEPTED.increment(1);
    }
    counter!("imbot_webhook_requests_total", "outcome" => outcome, "reason" => reason).increment(1);
}

/// From the request's headers to its answer.
pub(crate) fn webhook_ack(took: Duration) {
    // Looked up once: this runs for every event, after `install`.
    static ACK: LazyLock<Histogram> = LazyLock::new(|| histogram!("imbot_webhook_ack_seconds"));
    ACK.record(took.as_secs_f64());
}

/// An authentic event of this portal was accepted; `sent` is its `ts` in unix seconds.
pub(crate) fn event_arrived(portal: &str, now: Timestamp, sent: Option<i64>) {
    thread_local! {
        /// The portal and second last published by this thread: once a second is all that the gauge can tell.
        static PUBLISHED: RefCell<(String, i64)> = const { RefCell::new((String::new(), 0)) };
    }
    let second = now.unix_seconds();
    PUBLISHED.with_borrow_mut(|(last, at)| {
        if last != portal || *at != second {
            portal.clone_into(last);
            *at = second;
            #[expect(clippy::cast_precision_loss, reason = "a gauge of seconds")]
            gauge!("imbot_last_event_timestamp_seconds", "portal" => label(portal)).set(second as f64);
        }
    });
    if let Some(sent) = sent {
        let lag = now.since(Timestamp(sent.saturating_mul(1000)));
        static LAG: LazyLock<Histogram> = LazyLock::new(|| histogram!("imbot_event_lag_seconds"));
        LAG.record(lag.as_secs_f64());
    }
}

/// A handler ran: `done`, `failed`, `panicked` or `timed_out`.
pub(crate) fn handler_run(handler: &str, event: &'static str, outcome: &'static str, took: Duration) {
    counter!("imbot_handler_runs_total", "handler" => handler.to_owned(), "event" => event, "outcome" => outcome)
        .increment(1);
    histogram!("imbot_handler_seconds", "handler" => handler.to_owned(), "event" => event).record(took.as_secs_f64());
}

/// Captures begin: the first one that is missing is seen as a change.
pub(crate) fn captures_begin() {
    for reason in ["queue_full", "unreadable", "not_written"] {
        counter!("imbot_captures_total", "outcome" => "dropped", "reason" => reason).absolute(0);
    }
}

/// How long a change of a bot of this portal has been under way, the longest of a kind; 0: none is.
pub(crate) fn change_age(portal: &str, change: &'static str, age: Duration) {
    gauge!("imbot_change_seconds", "portal" => label(portal), "change" => change).set(age.as_secs_f64());
}

/// A body was captured (`kept`), or could not be (`dropped`); events are not affected.
pub(crate) fn capture(outcome: &'static str, reason: &'static str) {
    counter!("imbot_captures_total", "outcome" => outcome, "reason" => reason).increment(1);
}

/// The portal answered a call that an event had caused.
pub(crate) fn event_to_reply(took: Duration) {
    histogram!("imbot_event_to_reply_seconds").record(took.as_secs_f64());
}

/// One REST request; `method` must be a catalogued name or `other`, `outcome` a fault class or `ok`.
pub(crate) fn rest_request(method: &'static str, outcome: &'static str, took: Duration) {
    counter!("imbot_rest_requests_total", "method" => method, "outcome" => outcome).increment(1);
    histogram!("imbot_rest_seconds", "method" => method).record(took.as_secs_f64());
}

/// How long a call that was ready waited for its portal's budget.
pub(crate) fn limiter_wait(waited: Duration) {
    histogram!("imbot_rest_limiter_wait_seconds").record(waited.as_secs_f64());
}

/// Requests this portal would still take at once.
pub(crate) fn portal_budget(portal: &str, tokens: f64) {
    gauge!("imbot_portal_budget", "portal" => label(portal)).set(tokens);
}

/// Seconds of operating time that a method of this portal has used within ten minutes, as the portal tells.
pub(crate) fn operating_seconds(portal: &str, method: &'static str, seconds: f64) {
    gauge!("imbot_operating_seconds", "portal" => portal.to_owned(), "method" => method).set(seconds);
}

/// Whether this portal is asked by single probes only, because it does not answer.
pub(crate) fn circuit_open(portal: &str, open: bool) {
    gauge!("imbot_circuit_open", "portal" => portal.to_owned()).set(if open { 1.0 } else { 0.0 });
}

/// Calls in one request.
pub(crate) fn batch_size(calls: usize) {
    #[expect(clippy::cast_precision_loss, reason = "at most fifty")]
    histogram!("imbot_rest_batch_size").record(calls as f64);
}

/// A portal's or bot's identity was refused and its calls wait (or no longer do).
pub(crate) fn identity_parked(portal: &str, reason: &'static str, parked: bool) {
    gauge!("imbot_identity_parked", "portal" => label(portal), "reason" => reason).set(if parked { 1.0 } else { 0.0 });
}

/// An event that was refused although it was authentic: the sender will not repeat it.
pub(crate) fn gap(portal: &str, reason: &'static str) {
    counter!("imbot_gap_events_total", "portal" => label(portal), "reason" => reason).increment(1);
}

/// One commit of the store, sync included.
pub(crate) fn store_sync(took: Duration) {
    histogram!("imbot_store_sync_seconds").record(took.as_secs_f64());
}

/// What the store holds, set at each scrape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels {
    /// Events since the store folder was made: accepted = done + ignored + dead + inbox.
    pub(crate) accepted: u64,
    pub(crate) done: u64,
    pub(crate) ignored: u64,
    pub(crate) dead: u64,
    pub(crate) inbox: u64,
    pub(crate) inbox_oldest: Duration,
    pub(crate) outbox: u64,
    pub(crate) outbox_oldest: Duration,
    /// `events`, `calls`, `unknown`, `quarantine`.
    pub(crate) letters: [u64; 4],
    pub(crate) bytes: u64,
}

/// Publishes the levels of the store.
#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
pub(crate) fn levels(levels: Levels) {
    // From the store, not counted here: so the sum holds at every scrape, whatever was killed in between.
    counter!("imbot_events_accepted_total").absolute(levels.accepted);
    for (outcome, count) in [
        ("done", levels.done),
        ("ignored", levels.ignored),
        ("dead", levels.dead),
    ] {
        counter!("imbot_events_settled_total", "outcome" => outcome).absolute(count);
    }
    gauge!("imbot_inbox_pending").set(levels.inbox as f64);
    gauge!("imbot_inbox_oldest_seconds").set(levels.inbox_oldest.as_secs_f64());
    gauge!("imbot_outbox_pending").set(levels.outbox as f64);
    gauge!("imbot_outbox_oldest_seconds").set(levels.outbox_oldest.as_secs_f64());
    for (queue, count) in ["events", "calls", "unknown", "quarantine"]
        .into_iter()
        .zip(levels.letters)
    {
        gauge!("imbot_dead_letters", "queue" => queue).set(count as f64);
    }
    counter!("imbot_log_lines_dropped_total").absolute(log::dropped());
    gauge!("imbot_unknown_calls").set(levels.letters[2] as f64);
    gauge!("imbot_store_bytes").set(levels.bytes as f64);
}
