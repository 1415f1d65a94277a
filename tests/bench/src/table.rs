//! What is printed: the tables, the aims beside them, and what makes a figure doubtful. Computes nothing but shares and
//! differences.

use crate::run::{Mode, Samples};
use crate::sample::{DISTURBED, Replies, Sample, ratio, spread};
use crate::stages::Stages;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

/// A generator above this share of its core may be the limit, and a server below it was not.
const FULL: f64 = 0.9;

/// Everything.
pub(crate) fn whole(samples: &Samples, stages: &Stages) -> String {
    let parts = [
        speed(samples),
        cost(samples),
        by_stage(samples, stages),
        aims(samples),
        bursts(samples),
        notes(samples),
    ];
    parts.join("\n\n")
}

fn median(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    spread(samples, figure).median
}

/// The faster of the two reference servers.
fn reference(samples: &Samples) -> Vec<Sample> {
    let (current, multi) = (samples.of(Mode::BareCurrent), samples.of(Mode::BareMulti));
    if median(&current, Sample::rate) >= median(&multi, Sample::rate) {
        current
    } else {
        multi
    }
}

fn of_bare(samples: &Samples, mode: Mode) -> f64 {
    ratio(
        median(&samples.of(mode), Sample::rate),
        median(&reference(samples), Sample::rate),
    )
}

fn cpu(samples: &Samples, mode: Mode) -> f64 {
    median(&samples.of(mode), Sample::cpu_per_event)
}

pub(crate) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(head);
    table
}

/// As text, with all columns but the first to the right.
pub(crate) fn text(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn speed(samples: &Samples) -> String {
    let mut table = table(&[
        "", "runs", "events/s", "least", "most", "of bare", "p50 ms", "p99 ms", "p99.9 ms", "max ms",
    ]);
    for mode in Mode::ALL {
        let of = samples.of(mode);
        let rate = spread(&of, Sample::rate);
        let mut row = vec![mode.name().to_owned(), of.len().to_string()];
        row.extend([rate.median, rate.min, rate.max].map(|rate| format!("{rate:.0}")));
        row.push(format!("{:.2}", of_bare(samples, mode)));
        let latencies = [
            median(&of, |sample| sample.latency().p50),
            median(&of, |sample| sample.latency().p99),
            median(&of, |sample| sample.latency().p999),
            median(&of, |sample| sample.latency().max),
        ];
        row.extend(latencies.map(|millis| format!("{millis:.2}")));
        table.add_row(row);
    }
    text(table)
}

fn cost(samples: &Samples) -> String {
    let mut table = table(&[
        "",
        "CPU us/event",
        "of bare, by CPU",
        "server %",
        "load %",
        "others %",
        "idle MiB",
        "end MiB",
    ]);
    for mode in Mode::ALL {
        let of = samples.of(mode);
        let cpu = cpu(samples, mode);
        let by_cpu = ratio(median(&reference(samples), Sample::cpu_per_event), cpu);
        let mut row = vec![mode.name().to_owned(), format!("{cpu:.1}"), format!("{by_cpu:.2}")];
        row.extend([0, 1, 2].map(|share| format!("{:.0}", 100.0 * median(&of, |sample| sample.shares()[share]))));
        row.push(format!("{:.1}", median(&of, |sample| mib(sample.idle_kib))));
        row.push(format!("{:.1}", median(&of, |sample| mib(sample.end_kib))));
        table.add_row(row);
    }
    text(table)
}

fn by_stage(samples: &Samples, stages: &Stages) -> String {
    let http = median(&reference(samples), Sample::cpu_per_event);
    let (memory, durable) = (cpu(samples, Mode::Memory), cpu(samples, Mode::Durable));
    let log = durable - cpu(samples, Mode::DurableQuiet);
    let insert = memory - http - stages.door() - log;
    let mut table = table(&["stage", "CPU us/event", "how it was got"]);
    let mut row = |stage: &str, micros: f64, how: &str| {
        table.add_row([stage.to_owned(), format!("{micros:.1}"), how.to_owned()]);
    };
    row("http: receive, answer", http, "bare axum");
    row("parse", stages.parse, "in a loop");
    row("label: bot, dialog, key", stages.label, "in a loop");
    row("verify", stages.verify, "in a loop, the gate's look-ups and comparison");
    row("cut credentials", stages.cut, "in a loop");
    row("pack the body", stages.pack, "in a loop");
    row("log line", log, "durable less durable with IMBOT_LOG=warn");
    row("hand over, insert, metrics, limits", insert, "memory less all above");
    row(
        "commit and sync before the 200",
        durable - memory,
        "durable less memory",
    );
    row("= accepted, durable", durable, "measured");
    let rest = cpu(samples, Mode::Whole) - durable;
    row("claim, handle, complete, call, settle", rest, "whole path less durable");
    row("of that: read again as an Event", stages.normalize, "in a loop");
    row("= answered", cpu(samples, Mode::Whole), "measured");
    text(table)
}

fn aims(samples: &Samples) -> String {
    let (durable, memory) = (samples.of(Mode::Durable), samples.of(Mode::Memory));
    let of_others = [&durable, &memory, &reference(samples)].map(|of| median(of, Sample::others));
    let disturbed = of_others.iter().any(|others| *others > DISTURBED);
    let mut lines = Vec::new();
    let mut aim = |what: &str, value: f64, (word, limit): (&str, f64), steady: bool| {
        let met = if word == "at least" {
            value >= limit
        } else {
            value <= limit
        };
        let verdict = if met { "met" } else { "MISSED" };
        let but = if steady || !disturbed {
            ""
        } else {
            ", but the machine was not quiet"
        };
        lines.push(format!("- {what}: {value:.2} (aim: {word} {limit}): {verdict}{but}"));
    };
    aim(
        "durable, of bare axum",
        of_bare(samples, Mode::Durable),
        ("at least", 0.18),
        false,
    );
    aim(
        "durable, p99 ms",
        median(&durable, |sample| sample.answer.p99),
        ("at most", 25.0),
        false,
    );
    aim(
        "memory, of bare axum",
        of_bare(samples, Mode::Memory),
        ("at least", 0.30),
        false,
    );
    aim(
        "idle, MiB",
        median(&durable, |sample| mib(sample.idle_kib)),
        ("at most", 64.0),
        true,
    );
    if let Some(fill) = samples.fill() {
        aim(
            &format!("{} pending, MiB", fill.pending),
            mib(fill.kib),
            ("at most", 128.0),
            true,
        );
    }
    lines.join("\n")
}

fn bursts(samples: &Samples) -> String {
    let whole = samples.of(Mode::Whole);
    let with = whole.iter().filter(|sample| sample.reply.is_some());
    let of = |figure: fn(&Replies) -> f64| median(&whole, |sample| sample.reply.as_ref().map_or(0.0, figure));
    let burst = with
        .filter_map(|sample| sample.reply.as_ref())
        .map(|reply| reply.burst)
        .max();
    let (accepted, answered) = (of(|reply| reply.burst_accepted), of(|reply| reply.burst_answered));
    format!(
        "{} events at once: all on disk after {accepted:.1} s, all answered after {answered:.1} s",
        burst.unwrap_or_default()
    )
}

/// What a reader must know before believing a figure.
fn notes(samples: &Samples) -> String {
    let mut lines = Vec::new();
    for mode in Mode::ALL {
        let of = samples.of(mode);
        let [server, load, others] = [0, 1, 2].map(|share| median(&of, |sample| sample.shares()[share]));
        if load > FULL && server < FULL {
            lines.push(format!(
                "- {}: the load's core was full and the server's was not: the server can do more",
                mode.name()
            ));
        }
        if others > DISTURBED {
            let percent = 100.0 * others;
            lines.push(format!(
                "- {}: other programs took {percent:.0} % of the server's core; run it again on a quiet machine",
                mode.name()
            ));
        }
        let refused: u64 = of.iter().map(|sample| sample.refused).sum();
        if refused > 0 {
            lines.push(format!(
                "- {}: {refused} requests were refused; they are in no figure",
                mode.name()
            ));
        }
    }
    if lines.is_empty() {
        "nothing makes these figures doubtful".to_owned()
    } else {
        lines.join("\n")
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
