//! How many messages a minute one standard portal gets when a thousand are queued: one by one, and in batches. The
//! portal counts requests as Bitrix24 does; what a message costs it to store is added as a delay in half of the rows.

use super::far::{Far, Front, Pace};
use super::{Bench, table, verdict};
use crate::Failed;
use crate::machine;
use crate::sample::ratio;
use imbot::portal::{Action, Rule};
use std::sync::Arc;
use std::time::{Duration, Instant};

const STANDARD: Pace = Pace {
    burst: 50,
    rate: 2.0,
    counted: true,
};
const SEND: &str = "imbot.v2.Chat.Message.send";
/// Batches are to be so many times as fast.
const AIM: f64 = 20.0;

struct Row {
    name: String,
    seconds: f64,
    per_minute: f64,
    requests: u64,
    refused: u64,
    cpu: f64,
}

/// All rows, as a table with the aim under it.
pub(super) async fn measure(bench: &Bench<'_>) -> Result<String, Failed> {
    let mut rows = Vec::new();
    for work in [0, bench.plan.work] {
        for single in [true, false] {
            let row = one(bench, single, Duration::from_millis(work)).await?;
            eprintln!("{}: {:.0} messages a minute", row.name, row.per_minute);
            rows.push(row);
        }
    }
    let times = |one: usize, batch: usize| match (rows.get(one), rows.get(batch)) {
        (Some(one), Some(batch)) => ratio(batch.per_minute, one.per_minute),
        _ => 0.0,
    };
    let (idle, working) = (times(0, 1), times(2, 3));
    let printed = rows.iter().map(|row| {
        let figures = [row.seconds, row.per_minute].map(|figure| format!("{figure:.1}"));
        let mut printed = vec![row.name.clone()];
        printed.extend(figures);
        printed.extend([
            row.requests.to_string(),
            row.refused.to_string(),
            format!("{:.0}", row.cpu),
        ]);
        printed
    });
    let head = ["", "seconds", "messages/min", "requests", "refused", "CPU us/message"];
    let table = table(&head, printed.collect());
    Ok(format!(
        "{} messages to one standard portal\n\n{table}\n\n- in batches, of one by one: {idle:.1} (aim: at least {AIM}): \
         {}\n- the same with {} ms of work for each message: {working:.1}",
        bench.plan.messages,
        verdict(idle >= AIM),
        bench.plan.work
    ))
}

async fn one(bench: &Bench<'_>, single: bool, work: Duration) -> Result<Row, Failed> {
    let messages = bench.plan.messages;
    let far = Arc::new(Far::start(0, STANDARD).await?);
    if !work.is_zero() {
        far.portal.fault(slow(SEND, work));
        // As if every batch were full: the last one of a queue is not, so this is no flattery.
        far.portal.fault(slow("batch", work * 50));
    }
    let front = Front::start(bench, std::slice::from_ref(far.as_ref()), STANDARD, true)?;
    let (before, begin) = (machine::cpu(front.server.pid())?, Instant::now());
    front.events(&far, messages, single).await?;
    let patience = Duration::from_secs(messages / 2 + 120);
    far.stored(messages, patience).await?;
    let cpu = machine::cpu(front.server.pid())?.saturating_sub(before);
    let seen = far.seen();
    let seconds = seen.last.map_or(0.0, |last| last.duration_since(begin).as_secs_f64());
    let count = f64::from(u32::try_from(messages)?);
    let way = if single { "one by one" } else { "in batches" };
    Ok(Row {
        name: format!("{way}, {} ms of work", work.as_millis()),
        seconds,
        per_minute: ratio(60.0 * count, seconds),
        requests: seen.requests,
        refused: seen.refused,
        cpu: ratio(cpu.as_secs_f64() * 1e6, count),
    })
}

fn slow(method: &str, time: Duration) -> Rule {
    Rule {
        method: Some(method.to_owned()),
        times: None,
        until: None,
        action: Action::Delay(time),
    }
}
