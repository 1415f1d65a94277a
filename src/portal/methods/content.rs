//! What may stand in a message: text, attachment, keyboard. Checks and normalizes `fields`; stores nothing.

use super::super::answer::Refusal;
use super::Call;
use crate::types::Draft;
use serde_json::{Map, Value};

const EMPTY: Refusal = Refusal::method("EMPTY_MESSAGE", "Message is empty");
const WRONG_TYPE: Refusal = Refusal::method("EMPTY_MESSAGE", "Wrong message type");
const OVERSIZE: Refusal = Refusal::method("ATTACH_OVERSIZE", "Attach is too big");
const ATTACH: Refusal = Refusal::method("ATTACH_ERROR", "Incorrect attach params");
const KEYBOARD: Refusal = Refusal::method("KEYBOARD_ERROR", "Incorrect keyboard params");

/// The longest serialized attachment, in characters.
const MAX_ATTACH: usize = 60_000;

/// Checked content.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) text: String,
    pub(super) attach: Option<Value>,
    pub(super) keyboard: Vec<Value>,
}

impl Content {
    /// The content of a call by this bot. `may_be_blank`: something else than text is posted too.
    pub(super) fn of(call: &Call<'_>, bot: i64, may_be_blank: bool) -> Result<Self, Refusal> {
        let text = match call.field("message") {
            Some(Value::String(text)) => cut(trim(text)),
            None | Some(Value::Null) => String::new(),
            Some(_) => return Err(WRONG_TYPE),
        };
        let attach = attach(call.field("attach"))?;
        if text.is_empty() && attach.is_none() && !may_be_blank {
            return Err(EMPTY);
        }
        let keyboard = keyboard(call.field("keyboard"), bot)?;
        Ok(Self { text, attach, keyboard })
    }
}

/// What PHP's `trim` takes away.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\0', '\x0B'])
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(Draft::MAX_CHARS) {
        Some((end, _)) => format!("{} (...)", &text[..end]),
        None => text.to_owned(),
    }
}

/// `[block, …]` or `{"BLOCKS": [block, …], …}`; a block is an object with one key.
fn attach(value: Option<&Value>) -> Result<Option<Value>, Refusal> {
    let value = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    if value.to_string().chars().count() > MAX_ATTACH {
        return Err(OVERSIZE);
    }
    let blocks = match value {
        Value::Array(blocks) => blocks,
        Value::Object(whole) => whole.get("BLOCKS").and_then(Value::as_array).ok_or(ATTACH)?,
        _ => return Err(ATTACH),
    };
    let sound = |block: &Value| block.as_object().is_some_and(|block| block.len() == 1);
    if !blocks.iter().all(sound) {
        return Err(ATTACH);
    }
    Ok((!blocks.is_empty()).then(|| value.clone()))
}

/// `[button, …]`, `{"BUTTONS": [button, …]}` or either as JSON text; `"N"` and empty mean none.
fn keyboard(value: Option<&Value>, bot: i64) -> Result<Vec<Value>, Refusal> {
    let parsed;
    let value = match value {
        None | Some(Value::Null | Value::Bool(false)) => return Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() || text == "N" => return Ok(Vec::new()),
        Some(Value::String(text)) => {
            parsed = serde_json::from_str::<Value>(text).map_err(|_| KEYBOARD)?;
            &parsed
        }
        Some(value) => value,
    };
    let buttons = match value {
        Value::Array(buttons) => buttons,
        Value::Object(whole) => whole.get("BUTTONS").and_then(Value::as_array).ok_or(KEYBOARD)?,
        _ => return Err(KEYBOARD),
    };
    buttons.iter().map(|button| normal(button, bot)).collect()
}

fn normal(button: &Value, bot: i64) -> Result<Value, Refusal> {
    let mut button = button.as_object().ok_or(KEYBOARD)?.clone();
    let has = |button: &Map<String, Value>, name: &str| match button.get(name) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(_)) => true,
        _ => false,
    };
    if button.get("TYPE").and_then(Value::as_str) == Some("NEWLINE") {
        return Ok(Value::Object(button));
    }
    let acts = ["LINK", "COMMAND", "APP_ID"].iter().any(|name| has(&button, name));
    let acts = acts || (has(&button, "ACTION") && has(&button, "ACTION_VALUE"));
    if !has(&button, "TEXT") || !acts {
        return Err(KEYBOARD);
    }
    if let Some(Value::String(command)) = button.get("COMMAND") {
        let bare = command.strip_prefix('/').unwrap_or(command).to_owned();
        button.insert("COMMAND".to_owned(), Value::from(bare));
    }
    // Whatever the caller wrote there, the buttons belong to the bot that sends them.
    button.insert("BOT_ID".to_owned(), Value::from(bot));
    Ok(Value::Object(button))
}
