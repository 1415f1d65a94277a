//! `imbot status`: what the operator API tells of each portal and bot, as a table. Computes nothing.

use super::beside::{Common, Place, failed, with};
use super::output::print;
use super::text::one_line;
use crate::app::App;
use crate::settings::Environment;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;
use std::fmt::Write as _;

/// `imbot status`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(app: &App, arguments: &Arguments, environment: &Environment) -> u8 {
    let place = match Place::of(app, &arguments.common, environment) {
        Ok(place) => place,
        Err(code) => return code,
    };
    with(&place, async |beside| {
        let server = matches!(beside, super::beside::Beside::Server(_));
        let mut answer = beside.get("/api/v1/status").await.map_err(|trouble| failed(&trouble))?;
        answer["server"] = server.into();
        Ok(if arguments.common.json {
            print(&format!("{answer:#}\n"))
        } else {
            print(&look(&answer))
        })
    })
}

/// For people.
fn look(status: &Value) -> String {
    let mut text = String::new();
    let state = match (status["server"] == true, status["delivering"] == true) {
        (true, true) => "running",
        (true, false) => "accepting only: no handler runs, nothing is sent",
        (false, _) => "not running (what follows is what the store holds)",
    };
    let (events, calls, dead) = (&status["events"], &status["calls"], &status["deadLetters"]);
    let _ = writeln!(text, "server   {state}");
    let _ = writeln!(
        text,
        "events   {} pending, {} done, {} ignored, {} dead of {} accepted",
        events["pending"], events["done"], events["ignored"], events["dead"], events["accepted"]
    );
    let _ = writeln!(
        text,
        "calls    {} pending, {} delivered",
        calls["pending"], calls["delivered"]
    );
    let _ = writeln!(
        text,
        "letters  {} events, {} calls, {} unknown, {} quarantine",
        dead["events"], dead["calls"], dead["unknown"], dead["quarantine"]
    );
    text.push_str(&capture(&status["capture"]));
    for portal in list(&status["portals"]) {
        text.push('\n');
        text.push_str(&of_portal(portal));
    }
    text
}

/// Empty without `[capture]`.
fn capture(capture: &Value) -> String {
    if capture.is_null() {
        return String::new();
    }
    let state = match (&capture["trouble"], capture["on"] == true) {
        (Value::Null, true) => format!(
            "ON until {}: {} bodies go",
            cell(&capture["until"]),
            cell(&capture["keep"])
        ),
        (Value::Null, false) => format!("over since {}: there are", cell(&capture["until"])),
        (trouble, _) => format!("nothing is captured: {}; there are", cell(trouble)),
    };
    let to = if capture["on"] == true { "to" } else { "files in" };
    let (folder, dropped) = (cell(&capture["folder"]), &capture["dropped"]);
    format!(
        "capture  {state} {to} {folder} ({} files, {} bytes; {dropped} dropped)\n",
        capture["files"], capture["bytes"]
    )
}

fn of_portal(portal: &Value) -> String {
    let mut text = format!("portal {}{}\n", cell(&portal["name"]), state(portal));
    let _ = writeln!(text, "  last event  {}", or(&portal["lastEvent"], "never"));
    if let Some(budget) = portal["budget"].as_object() {
        let refused = match &budget["refusedUntil"] {
            Value::Null => String::new(),
            until => format!(", refused by the portal: nothing leaves before {}", cell(until)),
        };
        let _ = writeln!(
            text,
            "  budget      {} of {} requests free, {} under way, {} commands wait{refused}",
            budget["free"], budget["of"], portal["underWay"], portal["waitingErrands"]
        );
    }
    if !portal["circuitOpenUntil"].is_null() {
        let _ = writeln!(
            text,
            "  circuit     open: it does not answer; next try {}",
            cell(&portal["circuitOpenUntil"])
        );
    }
    for gate in list(&portal["gates"]) {
        let (method, until) = (cell(&gate["method"]), cell(&gate["until"]));
        let _ = writeln!(
            text,
            "  gate        {method} ({}) has used up its time until {until}",
            cell(&gate["identity"])
        );
    }
    for parked in list(&portal["parked"]) {
        let whom = match &parked["bot"] {
            Value::Null => String::new(),
            bot => format!(" of bot {bot}"),
        };
        let (identity, reason) = (cell(&parked["identity"]), cell(&parked["reason"]));
        let (since, again) = (cell(&parked["since"]), cell(&parked["triedAgain"]));
        let _ = writeln!(
            text,
            "  parked      {identity}{whom}: {reason} since {since}; tried again {again}"
        );
    }
    if !portal["installation"].is_null() {
        let _ = writeln!(
            text,
            "  parked      its installation: {}",
            cell(&portal["installation"])
        );
    }
    for gap in list(&portal["gaps"]) {
        let (first, last) = (cell(&gap["first"]), cell(&gap["last"]));
        let _ = writeln!(
            text,
            "  gap         {} events lost: {} ({first} to {last})",
            gap["events"],
            cell(&gap["reason"])
        );
    }
    text.push_str(&bots(portal));
    text
}

/// A change of a bot that is under way, and what differs from the configuration.
fn changes(bot: &Value) -> String {
    let mut text = String::new();
    let (mode, id) = (&bot["eventMode"], cell(&bot["id"]));
    if matches!(mode["state"].as_str(), Some("both" | "told")) {
        let _ = writeln!(
            text,
            "  bot {id} is being switched to {} since {}: both ways are open",
            cell(&mode["mode"]),
            cell(&mode["since"])
        );
    }
    for difference in list(&bot["differences"]) {
        let _ = writeln!(text, "  {}", cell(difference));
    }
    text
}

fn state(party: &Value) -> &'static str {
    match (party["paused"] == true, party["served"] == false) {
        (true, _) => "  PAUSED",
        (false, true) => "  not served any more",
        (false, false) => "",
    }
}

fn bots(portal: &Value) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([
        " BOT", "HANDLER", "IDENTITY", "STATE", "EVENTS", "OLDEST", "CALLS", "OLDEST",
    ]);
    for bot in list(&portal["bots"]) {
        let state = match (bot["paused"] == true, &bot["parked"]) {
            (true, _) => "paused".to_owned(),
            (false, Value::Null) => "ok".to_owned(),
            (false, reason) => format!("parked: {}", cell(reason)),
        };
        table.add_row([
            format!(" {}", cell(&bot["id"])),
            or(&bot["handler"], "-"),
            or(&bot["identity"], "-"),
            state,
            cell(&bot["events"]),
            age(&bot["oldestEventSeconds"]),
            cell(&bot["calls"]),
            age(&bot["oldestCallSeconds"]),
        ]);
    }
    let lines = table.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.chain(list(&portal["bots"]).iter().map(changes)).collect()
}

fn age(seconds: &Value) -> String {
    match seconds.as_u64() {
        None => "-".to_owned(),
        Some(seconds @ ..120) => format!("{seconds} s"),
        Some(seconds @ ..7_200) => format!("{} min", seconds / 60),
        Some(seconds) => format!("{} h", seconds / 3_600),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[][..], Vec::as_slice)
}

fn or(value: &Value, nothing: &str) -> String {
    if value.is_null() {
        nothing.to_owned()
    } else {
        cell(value)
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => one_line(text),
        other => one_line(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_an_operator_asks_for_is_in_the_table() {
        let text = look(&json!({
            "server": true, "delivering": true,
            "events": { "accepted": 9, "done": 5, "ignored": 1, "dead": 1, "pending": 2 },
            "calls": { "delivered": 4, "pending": 1 },
            "deadLetters": { "events": 1, "calls": 0, "unknown": 2, "quarantine": 0 },
            "capture": { "on": true, "keep": "all", "until": "U", "folder": "F", "files": 3, "bytes": 4, "dropped": 5, "trouble": null },
            "portals": [{
                "name": "acme", "served": true, "paused": true, "lastEvent": "2026-02-26T09:26:40Z",
                "budget": { "host": "acme.example", "free": 3, "of": 50, "refusedUntil": "R" },
                "circuitOpenUntil": "C", "underWay": 2, "waitingErrands": 1,
                "gates": [{ "identity": "webhook", "method": "m", "until": "G" }],
                "parked": [{ "identity": "webhook", "bot": 7, "reason": "BOT_OWNERSHIP_ERROR", "since": "S", "triedAgain": "T" }],
                "gaps": [{ "reason": "store_full", "events": 3, "first": "F", "last": "L" }],
                "bots": [{
                    "id": 7, "handler": "echo", "identity": "webhook", "parked": "BOT_OWNERSHIP_ERROR", "paused": false,
                    "events": 2, "oldestEventSeconds": 61, "calls": 1, "oldestCallSeconds": 7200,
                }],
            }],
        }));
        assert_eq!(
            text,
            "server   running
events   2 pending, 5 done, 1 ignored, 1 dead of 9 accepted
calls    1 pending, 4 delivered
letters  1 events, 0 calls, 2 unknown, 0 quarantine
capture  ON until U: all bodies go to F (3 files, 4 bytes; 5 dropped)

portal acme  PAUSED
  last event  2026-02-26T09:26:40Z
  budget      3 of 50 requests free, 2 under way, 1 commands wait, refused by the portal: nothing leaves before R
  circuit     open: it does not answer; next try C
  gate        m (webhook) has used up its time until G
  parked      webhook of bot 7: BOT_OWNERSHIP_ERROR since S; tried again T
  gap         3 events lost: store_full (F to L)
  BOT  HANDLER  IDENTITY  STATE                        EVENTS  OLDEST  CALLS  OLDEST
  7    echo     webhook   parked: BOT_OWNERSHIP_ERROR  2       61 s    1      2 h
"
        );
    }
}
