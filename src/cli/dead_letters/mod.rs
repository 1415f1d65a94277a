//! `imbot dead-letters list|show`: how letters look to people. Takes plain JSON as the operator API gives it.

#[cfg(test)]
mod tests;

use super::text::{one_line, plain};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;
use std::fmt::Write as _;

/// A list of letters, `{"letters": […]}`, one line each.
pub(crate) fn table(list: &Value) -> String {
    let letters = list["letters"].as_array().map_or(&[][..], Vec::as_slice);
    if letters.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["ID", "QUEUE", "AT", "BOT", "DIALOG", "NAME", "REASON", "TRIES"]);
    for letter in letters {
        let bot = format!("{}/{}", cell(&letter["portal"]), cell(&letter["bot"]));
        table.add_row([
            cell(&letter["id"]),
            cell(&letter["queue"]),
            cell(&letter["at"]),
            bot,
            cell(&letter["dialog"]),
            cell(&letter["name"]),
            cell(&letter["reason"]),
            cell(&letter["attempts"]),
        ]);
    }
    let mut text = String::new();
    for line in table.lines() {
        let _ = writeln!(text, "{}", line.trim());
    }
    text
}

/// One letter with its body, which is the message itself: shown because somebody asked for just this one.
pub(crate) fn show(letter: &Value) -> String {
    let mut text = String::new();
    for key in [
        "id", "queue", "at", "portal", "bot", "dialog", "name", "reason", "detail", "attempts", "format",
    ] {
        if !letter[key].is_null() {
            let _ = writeln!(text, "{:<9} {}", format!("{key}:"), cell(&letter[key]));
        }
    }
    if let Some(body) = letter["body"].as_str() {
        let _ = writeln!(text, "\n{}", plain(&readable(body, letter["format"].as_str())));
    }
    text
}

/// JSON is indented; a form stays as it came, for `imbot replay` and `imbot decode` read that.
fn readable(body: &str, format: Option<&str>) -> String {
    match (format, serde_json::from_str::<Value>(body)) {
        (Some("json"), Ok(value)) => serde_json::to_string_pretty(&value).unwrap_or_else(|_| body.to_owned()),
        _ => body.to_owned(),
    }
}

/// A value in one line of a terminal: what a stranger chose cannot move the cursor.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => one_line(text),
        other => one_line(&other.to_string()),
    }
}
