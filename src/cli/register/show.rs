//! What `register` found and did: a table for people, JSON for programs. Computes nothing.

use super::Report;
use super::compare::{Row, Step, There, word};
use crate::cli::text::one_line;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The longest value in a table.
const WIDEST: usize = 60;

pub(super) fn json(reports: &[Report], drift: usize) -> Value {
    let bots: Vec<Value> = reports.iter().map(of_bot).collect();
    json!({ "bots": bots, "differences": drift })
}

fn of_bot(report: &Report) -> Value {
    let rows: Vec<Value> = report.rows.iter().map(of_row).collect();
    json!({
        "portal": report.portal, "code": report.code, "id": report.id, "fields": rows,
        "problem": report.problem.as_ref().map(|problem| &problem.text),
    })
}

fn of_row(row: &Row) -> Value {
    let (there, last_set) = match &row.there {
        There::Is(value) => (value.clone(), Value::Null),
        There::Last(value, at) => (Value::Null, json!({ "value": value, "at": at })),
        There::Never | There::Missing => (Value::Null, Value::Null),
    };
    json!({
        "field": row.name(),
        "portal": there,
        "readable": !matches!(row.there, There::Last(..) | There::Never),
        "lastSet": last_set,
        "wanted": row.wanted,
        "origin": row.origin.map(super::wish::Origin::as_str),
        "action": action(row),
        "done": row.done,
    })
}

/// A word for programs.
fn action(row: &Row) -> &'static str {
    match row.step {
        Step::Same => "none",
        Step::Register | Step::Command => "register",
        Step::Learn => "learn",
        Step::Field(_) | Step::Avatar | Step::Url | Step::Flag(_) | Step::Text(..) => "set",
        Step::Mode(_) => "switch",
        Step::Fixed => "unregister_and_register",
        Step::StrayCommand(_) | Step::StrayBot(_) => "prune",
    }
}

/// The differences, and for each bot how much is as it was last set.
pub(super) fn table(reports: &[Report], apply: bool) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["BOT", "FIELD", "AT THE PORTAL", "WANTED", "FROM", "WHAT"]);
    let (mut rows, mut text) = (0, String::new());
    for report in reports {
        for row in report.rows.iter().filter(|row| row.step != Step::Same) {
            rows += 1;
            table.add_row(cells(report, row, apply));
        }
    }
    if rows > 0 {
        for line in table.lines() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", line.trim());
        }
    }
    for report in reports.iter().filter(|report| report.problem.is_none()) {
        let _ = writeln!(text, "{}", last_line(report));
    }
    text
}

fn cells(report: &Report, row: &Row, apply: bool) -> [String; 6] {
    let wanted = match (&row.wanted, row.is_stray()) {
        (Some(value), _) => shown(value),
        (None, true) => "-".to_owned(),
        (None, false) => "nothing".to_owned(),
    };
    [
        one_line(&report.name),
        one_line(&row.name()),
        there(&row.there),
        wanted,
        row.origin.map_or("-", super::wish::Origin::as_str).to_owned(),
        what(row, apply),
    ]
}

fn there(there: &There) -> String {
    match there {
        There::Is(value) => shown(value),
        There::Last(value, at) if at.is_empty() => format!("not readable, last set to {}", cut(value)),
        There::Last(value, at) => format!("not readable, last set {}: {}", day(at), cut(value)),
        There::Never => "not readable, never set by register".to_owned(),
        There::Missing => "not there".to_owned(),
    }
}

fn what(row: &Row, apply: bool) -> String {
    let to_do = match &row.step {
        Step::Same => "as last set",
        Step::Register | Step::Command => "register",
        Step::Learn => "keep its number",
        Step::Field(_) | Step::Avatar | Step::Url | Step::Flag(_) => "set",
        Step::Text(..) if row.wanted.is_none() => "remove",
        Step::Text(..) => "set",
        Step::Mode(mode) => return done(row, apply, &format!("switch to {}", word(*mode))),
        Step::Fixed => return "needs unregister and register".to_owned(),
        Step::StrayCommand(_) | Step::StrayBot(_) if row.done => "removed",
        Step::StrayCommand(_) | Step::StrayBot(_) => return "only the portal has it (--prune removes it)".to_owned(),
    };
    done(row, apply, to_do)
}

fn done(row: &Row, apply: bool, to_do: &str) -> String {
    match (row.done, apply) {
        (true, _) => format!("done: {to_do}"),
        (false, true) => format!("NOT DONE: {to_do}"),
        (false, false) => to_do.to_owned(),
    }
}

fn last_line(report: &Report) -> String {
    let same: Vec<&Row> = report.rows.iter().filter(|row| row.step == Step::Same).collect();
    let dates: Vec<&str> = same
        .iter()
        .filter_map(|row| match &row.there {
            There::Last(_, at) => Some(day(at)),
            _ => None,
        })
        .collect();
    let open = report
        .rows
        .iter()
        .any(|row| row.step != Step::Same && !row.done && !row.is_stray());
    let state = if open { "differs" } else { "is as wanted" };
    let id = report.id.map_or_else(|| "new".to_owned(), |id| format!("bot {id}"));
    let mut text = format!("{} ({id}): {state}", one_line(&report.name));
    if let (Some(first), Some(last)) = (dates.iter().min(), dates.iter().max()) {
        let when = if first == last {
            (*first).to_owned()
        } else {
            format!("{first} to {last}")
        };
        let fields = if same.len() == 1 { "field" } else { "fields" };
        let _ = write!(
            text,
            "; {} {fields} not readable, last set {when} (--force sets again)",
            same.len()
        );
    }
    text
}

/// The day of an RFC 3339 time.
fn day(at: &str) -> &str {
    at.get(..10).unwrap_or(at)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => cut(text),
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    let line = one_line(text);
    if line.chars().count() <= WIDEST {
        return line;
    }
    line.chars().take(WIDEST - 1).chain(['…']).collect()
}
