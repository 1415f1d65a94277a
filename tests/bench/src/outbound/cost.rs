//! What a call costs imbot in CPU time, beside a loop around reqwest that sends the same requests, eight at a time, and
//! reads the answers. The calls lie in the store before the clock starts, so that the door and the handlers do not count.

use super::far::{FIRST, Far, Front, Pace};
use super::{Bench, table};
use crate::Failed;
use crate::body::{BOT_ID, BOT_TOKEN};
use crate::machine::{self, Pins};
use crate::sample::ratio;
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Requests in flight, as imbot has at one portal.
const IN_FLIGHT: u64 = 8;
/// Nothing leaves, so that calls pile up.
const HELD: Pace = Pace {
    burst: 1,
    rate: 0.000_001,
    counted: false,
};
const FREE: Pace = Pace {
    burst: crate::replies::NO_LIMIT,
    rate: 1_000_000.0,
    counted: false,
};
/// Short of tokens all the time, so that everything leaves in batches.
const SCARCE: Pace = Pace {
    burst: 100,
    rate: 50.0,
    counted: false,
};
const PATIENCE: Duration = Duration::from_secs(300);

/// The loop (a child of the benchmark).
#[derive(Debug, clap::Args)]
pub(crate) struct BareCalls {
    /// The incoming webhook.
    #[arg(long)]
    webhook: String,
    #[arg(long)]
    calls: u64,
}

/// Sends its calls and ends, having said how much CPU time that took, in microseconds.
pub(crate) fn bare_calls(plan: &BareCalls) -> Result<(), Failed> {
    // The client wants one, although nothing here is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let before = machine::cpu(std::process::id())?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("{}imbot.v2.Chat.Message.send", plan.webhook);
        let mut loops = JoinSet::new();
        for first in 0..IN_FLIGHT {
            let (client, url, calls) = (client.clone(), url.clone(), plan.calls);
            loops.spawn(async move {
                for number in (first..calls).step_by(8) {
                    let answer = client.post(&url).json(&message(number)).send().await?;
                    let answer: Value = answer.json().await?;
                    if answer["result"]["id"].is_null() {
                        return Err("the portal refused a message".into());
                    }
                }
                Ok::<(), Failed>(())
            });
        }
        while let Some(done) = loops.join_next().await {
            done??;
        }
        Ok::<(), Failed>(())
    })?;
    let took = machine::cpu(std::process::id())?.saturating_sub(before);
    println!("{}", took.as_micros());
    Ok(())
}

/// As long as the bot's messages are.
fn message(number: u64) -> Value {
    json!({
        "botId": BOT_ID,
        "botToken": BOT_TOKEN,
        "dialogId": (10_000 + number % 80_000).to_string(),
        "fields": {
            "message": format!("event {}{}", FIRST + number, " привет".repeat(50)),
            "templateId": format!("{number:08x}-0000-4000-8000-000000000000"),
        },
    })
}

/// The rows, as a table.
pub(super) async fn measure(bench: &Bench<'_>) -> Result<String, Failed> {
    let bare = bare(bench).await?;
    let single = queued(bench, FREE, true).await?;
    let batches = queued(bench, SCARCE, false).await?;
    let row = |name: &str, (cpu, requests): (f64, u64)| {
        let times = format!("{:.2}", ratio(cpu, bare.0));
        vec![name.to_owned(), format!("{cpu:.0}"), times, requests.to_string()]
    };
    let rows = vec![
        row("reqwest in a loop", bare),
        row("imbot, one by one", single),
        row("imbot, in batches", batches),
    ];
    let table = table(&["", "CPU us/call", "of bare", "requests"], rows);
    Ok(format!(
        "CPU time for each of {} queued calls\n\n{table}",
        bench.plan.calls
    ))
}

async fn bare(bench: &Bench<'_>) -> Result<(f64, u64), Failed> {
    let far = Far::start(0, FREE).await?;
    let mut command = bench.pins.command(Pins::SERVER, &std::env::current_exe()?);
    command.args(["bare-calls", "--webhook", &far.portal.incoming_webhook()]);
    command.arg("--calls").arg(bench.plan.calls.to_string());
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    // The portal lives on this thread, so it must not wait here.
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let micros: f64 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    let calls = f64::from(u32::try_from(bench.plan.calls)?);
    far.stored(bench.plan.calls, PATIENCE).await?;
    Ok((ratio(micros, calls), far.seen().requests))
}

async fn queued(bench: &Bench<'_>, pace: Pace, single: bool) -> Result<(f64, u64), Failed> {
    let calls = bench.plan.calls;
    let far = Arc::new(Far::start(0, FREE).await?);
    let portals = std::slice::from_ref(far.as_ref());
    let held = Front::start(bench, portals, HELD, true)?;
    held.events(&far, calls, single).await?;
    let begin = Instant::now();
    // The first call may leave before the budget is gone.
    while held.metric("imbot_inbox_pending")? > 0.0 {
        if begin.elapsed() > PATIENCE {
            return Err("the handlers did not end".into());
        }
        sleep(Duration::from_millis(100)).await;
    }
    held.server.kill();
    let already = far.seen();
    let front = Front::start(bench, portals, pace, false)?;
    far.stored(calls, PATIENCE).await?;
    // The last answers must be settled too.
    while front.metric("imbot_outbox_pending")? > 0.0 && begin.elapsed() < PATIENCE {
        sleep(Duration::from_millis(20)).await;
    }
    let cpu = machine::cpu(front.server.pid())?;
    let sent = f64::from(u32::try_from(calls - already.messages)?);
    let requests = far.seen().requests - already.requests;
    Ok((ratio(cpu.as_secs_f64() * 1e6, sent), requests))
}
