//! `imbot dead-letters list|show`: how letters look to people, and how they are fetched from a running server. Takes
//! plain JSON as the operator API gives it; never opens the store.

#[cfg(test)]
mod tests;

use super::text::{one_line, plain};
use crate::types::Secret;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;
use url::Url;

/// What a running server may take to answer before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than any page of letters; a server that sends more is not imbot.
const LONGEST_ANSWER: usize = 64 << 20;

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

/// Why a running server gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// It holds the store but does not answer: exit code 75.
    #[error("{0} did not answer within 5 s; is it stuck? Its log and `imbot health` tell more")]
    NoAnswer(String),
    /// Nobody listens, or the connection broke.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, &'static str),
    /// It answered and refused.
    #[error("{address} refused: {status}{hint}")]
    Refused {
        address: String,
        status: u16,
        hint: &'static str,
    },
    /// What answers is not imbot.
    #[error("{0} answered something that is not imbot's JSON; is it the [admin] address?")]
    Foreign(String),
}

/// Gets `path` (with its query) from the operator API at `base`, for example `http://127.0.0.1:9090`.
///
/// # Errors
/// See [`FetchError`]; none of them contains the token.
pub(crate) async fn fetch(base: &Url, token: &Secret, path: &str) -> Result<Value, FetchError> {
    let address = base.as_str().trim_end_matches('/').to_owned();
    let failed = |error: reqwest::Error| {
        if error.is_timeout() {
            FetchError::NoAnswer(address.clone())
        } else {
            FetchError::Unreachable(
                address.clone(),
                if error.is_connect() {
                    "nobody listens there"
                } else {
                    "the connection broke"
                },
            )
        }
    };
    let target = base.join(path).map_err(|_| FetchError::Foreign(address.clone()))?;
    let client = super::client::client(PATIENCE).map_err(failed)?;
    let mut response = client
        .get(target)
        .bearer_auth(token.expose())
        .send()
        .await
        .map_err(failed)?;
    let status = response.status();
    if !status.is_success() {
        let hint = match status.as_u16() {
            401 | 403 => ": the admin token is not the one it runs with",
            404 => ": there is no such letter, or the server is of another version",
            503 => ": it is starting or stopping",
            _ => "",
        };
        return Err(FetchError::Refused {
            address,
            status: status.as_u16(),
            hint,
        });
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST_ANSWER {
            return Err(FetchError::Foreign(address));
        }
    }
    serde_json::from_slice(&body).map_err(|_| FetchError::Foreign(address))
}
