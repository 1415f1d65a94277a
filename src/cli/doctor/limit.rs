//! `--live`: what the portal does when its request counter is full, and whether it counts as `[[portal]] plan` says. Asks for
//! the revision beyond the budget until it is refused or plainly never will be, then sees imbot go on. Changes nothing.

use super::finding;
use super::live::status;
use super::portal::kind_of;
use super::report::Report;
use crate::cli::beside::{Beside, Trouble};
use crate::telemetry::Stopwatch;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Requests under way at once: the deliverer has two places more.
const TOGETHER: u32 = 6;
/// Everything else that calls this portal waits meanwhile, so it ends before the questions of handlers do (30 s).
const LONGEST: Duration = Duration::from_secs(20);
/// A request that had no answer by then tells nothing about the counter.
const BUDGET_MS: u64 = 10_000;
/// After the refusal: for as long as the portal may have asked to be left alone.
const GOES_ON_MS: u64 = 60_000;
/// More than the server waits for budget and for the portal.
const PATIENCE: Duration = Duration::from_secs(120);

/// What asking beyond the budget has come to.
struct Filled {
    /// Requests that the portal took.
    taken: u32,
    took: Duration,
    /// How full its counter was at most at the end, by the server's own count of everything that it sends.
    counted: u32,
    /// The answer that ended it; none: nothing was refused.
    end: Option<Trouble>,
}

pub(super) async fn check(report: &mut Report, beside: &Beside, portal: &str, (burst, rate): (u32, f64)) {
    let of = ("limits", portal);
    let before = status(beside, portal).await;
    let budget = &before["budget"];
    if !budget["refusedUntil"].is_null() {
        let until = budget["refusedUntil"].as_str().unwrap_or_default();
        return report.found(of, &finding::LIMIT_REACHED, &format!("nothing leaves before {until}"));
    }
    let gates = before["gates"].as_array().map_or(0, Vec::len);
    let facts = format!(
        "{} of {} requests free, {gates} methods out of time",
        budget["free"], budget["of"]
    );
    let filled = fill(beside, portal, (burst, rate)).await;
    let Filled { taken, took, .. } = filled;
    let sent = format!("{taken} requests in {:.1} s", took.as_secs_f64());
    let Some(end) = filled.end else {
        let said = if f64::from(taken) > allowed((burst, rate), took) {
            "no refusal: the portal has a larger plan than configured, or no limit"
        } else {
            "no refusal, but its answers come too slowly to fill its counter"
        };
        return report.fine(of, &format!("{facts}; {sent}, {said}"));
    };
    match shape(&end) {
        Shape::Limit(said) => {
            let refused = format!("refused after {sent}: {said}");
            let went_on = match goes_on(beside, portal).await {
                Ok(waited) => format!("imbot waited {:.1} s and went on", waited.as_secs_f64()),
                Err(trouble) => return report.found(of, kind_of(&trouble), &format!("{refused}; then {trouble}")),
            };
            let most = filled.counted.saturating_add(TOGETHER).min(burst);
            if sooner(most, burst) {
                let said = format!("{refused}, its counter at {most} of {burst} at most; {went_on}");
                return report.found(of, &finding::LIMIT_SOONER, &said);
            }
            report.fine(of, &format!("{facts}; {refused}; {went_on}"));
        }
        Shape::Other(said) => {
            let said = format!("after {sent}: {said}, which is not taken for a limit");
            report.found(of, &finding::LIMIT_UNREADABLE, &said);
        }
        Shape::Failed if taken == 0 => report.skipped(of, &format!("{facts}; {end}")),
        Shape::Untold => report.skipped(of, &format!("{facts}; after {sent}: {end}")),
        Shape::Failed => report.found(of, kind_of(&end), &format!("after {sent}: {end}")),
    }
}

/// What a portal of this plan takes in this time at most.
fn allowed((burst, rate): (u32, f64), took: Duration) -> f64 {
    f64::from(burst) + rate * (took.as_secs_f64() + 1.0)
}

/// Less than three quarters of what the plan promises.
fn sooner(most: u32, burst: u32) -> bool {
    u64::from(most) * 4 < u64::from(burst) * 3
}

/// What the answer that ended it is.
#[derive(Debug, PartialEq, Eq)]
enum Shape {
    /// A refusal that imbot waits after: status, code and pause.
    Limit(String),
    /// An answer that means something else to imbot.
    Other(String),
    /// Somebody else was refused first, or the method's time was over: nothing is known of the counter.
    Untold,
    /// No answer, or the portal may not be asked.
    Failed,
}

fn shape(trouble: &Trouble) -> Shape {
    let Trouble::Refused { reason, body, .. } = trouble else {
        return Shape::Failed;
    };
    let status = body["status"].as_u64().unwrap_or(0);
    let code = match body["code"].as_str().unwrap_or_default() {
        "no_json" => "without JSON",
        code => code,
    };
    let said = format!("HTTP {status} {code}");
    match body["class"].as_str() {
        Some("limit") => {
            let pause = body["retryAfterSeconds"].as_u64();
            let pause = pause.map_or_else(String::new, |seconds| format!(", Retry-After {seconds} s"));
            Shape::Limit(said + &pause)
        }
        Some("operating_time") => Shape::Untold,
        Some(_) if status > 0 => Shape::Other(said),
        None if reason == "no_budget" => Shape::Untold,
        _ => Shape::Failed,
    }
}

/// The answer that tells most: a limit, else one of the portal's, else whatever there is.
fn telling(troubles: Vec<Trouble>) -> Option<Trouble> {
    let rank = |trouble: &Trouble| match shape(trouble) {
        Shape::Limit(_) => 0,
        Shape::Other(_) => 1,
        Shape::Failed => 2,
        Shape::Untold => 3,
    };
    troubles.into_iter().min_by_key(rank)
}

/// Asks until the portal refuses, or has taken half as much again as its plan allows.
async fn fill(beside: &Beside, portal: &str, (burst, rate): (u32, f64)) -> Filled {
    let watch = Stopwatch::start();
    let (mut taken, mut counted, mut end) = (0, 0, None);
    while end.is_none() && watch.elapsed() < LONGEST {
        let most = allowed((burst, rate), watch.elapsed()) + f64::from(burst / 2);
        if f64::from(taken) > most {
            break;
        }
        counted = number(&status(beside, portal).await["budget"]["counted"]);
        let ask = || async { ask(beside, portal, (true, BUDGET_MS)).await.err() };
        let all: [_; TOGETHER as usize] = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask()).into();
        taken += TOGETHER;
        let troubles: Vec<Trouble> = all.into_iter().flatten().collect();
        taken -= u32::try_from(troubles.len()).unwrap_or(TOGETHER);
        end = telling(troubles);
    }
    Filled {
        taken,
        took: watch.elapsed(),
        counted,
        end,
    }
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
}

/// How long a usual call waited after the refusal, until it was answered.
async fn goes_on(beside: &Beside, portal: &str) -> Result<Duration, Trouble> {
    let watch = Stopwatch::start();
    ask(beside, portal, (false, GOES_ON_MS)).await?;
    Ok(watch.elapsed())
}

async fn ask(beside: &Beside, portal: &str, (over_budget, timeout_ms): (bool, u64)) -> Result<Value, Trouble> {
    let order = json!({
        "portal": portal, "method": "imbot.v2.Revision.get", "overBudget": over_budget, "timeoutMs": timeout_ms,
    });
    beside.ask(Method::POST, "/api/v1/call", Some(&order), PATIENCE).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: &str, body: Value) -> Trouble {
        let (reason, detail) = (reason.to_owned(), String::new());
        Trouble::Refused { reason, detail, body }
    }

    fn answered(class: &str, code: &str, status: u16) -> Trouble {
        refused("any", json!({ "class": class, "code": code, "status": status }))
    }

    #[test]
    fn a_refusal_is_told_by_status_code_and_pause() {
        let limit = |words: &str| Shape::Limit(words.to_owned());
        for (class, code, status, expected) in [
            (
                "limit",
                "QUERY_LIMIT_EXCEEDED",
                503,
                limit("HTTP 503 QUERY_LIMIT_EXCEEDED"),
            ),
            ("limit", "no_json", 429, limit("HTTP 429 without JSON")),
            (
                "access",
                "no_json",
                403,
                Shape::Other("HTTP 403 without JSON".to_owned()),
            ),
            (
                "identity",
                "OVERLOAD_LIMIT",
                503,
                Shape::Other("HTTP 503 OVERLOAD_LIMIT".to_owned()),
            ),
            ("operating_time", "OPERATION_TIME_LIMIT", 429, Shape::Untold),
            ("transient", "timeout", 0, Shape::Failed),
        ] {
            assert_eq!(shape(&answered(class, code, status)), expected);
        }
        let paused = refused(
            "no_budget",
            json!({ "class": "limit", "code": "X", "status": 503, "retryAfterSeconds": 7 }),
        );
        assert_eq!(shape(&paused), limit("HTTP 503 X, Retry-After 7 s"));
        assert_eq!(shape(&refused("no_budget", json!({}))), Shape::Untold);
        assert_eq!(shape(&refused("parked", json!({}))), Shape::Failed);
    }

    #[test]
    fn of_answers_that_come_together_the_refusal_counts() {
        let told = telling(vec![
            refused("no_budget", json!({})),
            answered("transient", "timeout", 0),
            answered("limit", "QUERY_LIMIT_EXCEEDED", 503),
            answered("access", "no_json", 403),
        ]);
        assert!(matches!(told.as_ref().map(shape), Some(Shape::Limit(_))), "{told:?}");
        assert!(telling(Vec::new()).is_none());
    }

    #[test]
    fn a_quarter_less_than_the_plan_is_clearly_sooner() {
        for (most, burst, expected) in [(37, 50, true), (38, 50, false), (50, 50, false), (187, 250, true)] {
            assert_eq!(sooner(most, burst), expected, "{most} of {burst}");
        }
    }
}
