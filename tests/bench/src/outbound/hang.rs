//! How long the bots of two portals take to reply while a third portal hangs, beside the same with all three well. Events
//! come in steadily at all three.

use super::far::{Far, Front, Pace};
use super::{Bench, table, verdict};
use crate::Failed;
use crate::machine;
use crate::sample::{Latency, ratio};
use imbot::portal::{Action, Rule};
use std::sync::Arc;
use std::time::Duration;

/// Budgets are not what is measured here.
const UNCOUNTED: Pace = Pace {
    burst: crate::replies::NO_LIMIT,
    rate: 1_000_000.0,
    counted: false,
};
/// The others' 99th percentile may be so much worse.
const AIM: f64 = 1.1;
/// After the last event.
const END: Duration = Duration::from_secs(10);

/// Both, side by side, as a table with the aim under it.
pub(super) async fn measure(bench: &Bench<'_>) -> Result<String, Failed> {
    let (mut well, mut hanging) = (Vec::new(), Vec::new());
    for round in 1..=bench.plan.rounds {
        for (hangs, into) in [(false, &mut well), (true, &mut hanging)] {
            machine::wait_for_quiet(10)?;
            let latency = one(bench, hangs).await?;
            let state = if hangs { "one hangs" } else { "all well" };
            eprintln!("round {round}: {state}: p99 {:.2} ms", latency.p99);
            into.push(latency);
        }
    }
    let row = |name: &str, of: &[Latency]| {
        let figures: [fn(&Latency) -> f64; 4] = [|l| l.p50, |l| l.p99, |l| l.p999, |l| l.max];
        let mut row = vec![name.to_owned()];
        row.extend(figures.map(|figure| format!("{:.2}", middle(of, figure))));
        row
    };
    let rows = vec![row("all three portals well", &well), row("one portal hangs", &hanging)];
    let table = table(&["", "p50 ms", "p99 ms", "p99.9 ms", "max ms"], rows);
    let worse = ratio(middle(&hanging, |l| l.p99), middle(&well, |l| l.p99));
    Ok(format!(
        "Event to reply at two portals, {} events a second at each of three, {} rounds of {} s\n\n{table}\n\n- p99 while \
         one hangs, of p99 with all well: {worse:.2} (aim: at most {AIM}): {}",
        bench.plan.rate,
        bench.plan.rounds,
        bench.plan.seconds,
        verdict(worse <= AIM)
    ))
}

async fn one(bench: &Bench<'_>, hangs: bool) -> Result<Latency, Failed> {
    let mut portals = Vec::new();
    for number in 0..3 {
        portals.push(Far::start(number, UNCOUNTED).await?);
    }
    if hangs && let Some(first) = portals.first() {
        first.portal.fault(Rule {
            method: None,
            times: None,
            until: None,
            action: Action::Hang,
        });
    }
    let front = Front::start(bench, &portals, UNCOUNTED, true)?;
    let portals: Vec<_> = portals.into_iter().map(Arc::new).collect();
    let time = Duration::from_secs_f64(bench.plan.seconds);
    let [first, second, third] = portals.as_slice() else {
        return Err("three portals were started".into());
    };
    tokio::try_join!(
        front.steadily(first, bench.plan.rate, time),
        front.steadily(second, bench.plan.rate, time),
        front.steadily(third, bench.plan.rate, time),
    )?;
    let mut latencies = Vec::new();
    for far in [second, third] {
        let sent = far.sent_so_far();
        far.stored(sent, END).await?;
        latencies.append(&mut far.seen().latencies);
    }
    Ok(Latency::of(latencies))
}

fn middle(of: &[Latency], figure: fn(&Latency) -> f64) -> f64 {
    let mut figures: Vec<f64> = of.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
