//! The request log: what every REST request asked and what became of it, with credentials cut out. Decides nothing.

use crate::types::{Timestamp, is_credential};
use serde_json::Value;

/// One REST request.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// When it came.
    pub at: Timestamp,
    /// The method as the path named it.
    pub method: String,
    /// Who called: `webhook 1`, `local.… as 456`, or `unknown`.
    pub identity: String,
    /// Its parameters, query and body together, credentials replaced by `***`.
    pub params: Value,
    /// What became of it.
    pub decision: Decision,
    /// The status of the answer; `None`: none was given.
    pub status: Option<u16>,
    /// The result or error it got, credentials replaced by `***`; null where a fault gave something else.
    pub answer: Value,
    /// The height of the request counter after it.
    pub level: u32,
    /// The faults that struck it.
    pub faults: Vec<&'static str>,
    /// It was a command inside a batch.
    pub batched: bool,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Carried out. With `ResetAfterExecution` in force the caller does not know; then `status` is `None`.
    Executed {
        /// The message it stored, if it did.
        message_id: Option<i64>,
    },
    /// A `templateId` seen before: the first message's id was returned, nothing was stored.
    Repeated {
        /// The first message.
        message_id: i64,
    },
    /// Refused with this error code; nothing was stored.
    Refused {
        /// The code in `error`.
        code: String,
    },
    /// Struck by a fault before anything was carried out; the name of the [`Action`](super::Action).
    Fault {
        /// The name of the action.
        name: &'static str,
    },
}

impl LogEntry {
    /// `fields.templateId` of a send.
    #[must_use]
    pub fn template_id(&self) -> Option<&str> {
        self.params["fields"]["templateId"].as_str()
    }

    /// `fields.message` of a send or a command answer.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.params["fields"]["message"].as_str()
    }
}

/// Longer text of a field `content` is told by its length: it is a file.
const LONG_CONTENT: usize = 1024;

/// The same parameters with each credential's value replaced, at any depth.
pub(super) fn redacted(params: &Value) -> Value {
    match params {
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| {
                let secret = is_credential(key) || matches!(key.as_str(), "auth" | "ap" | "token");
                let file = value
                    .as_str()
                    .filter(|text| key == "content" && text.len() > LONG_CONTENT);
                let value = match file {
                    _ if secret => Value::from("***"),
                    Some(text) => Value::from(format!("({} characters)", text.len())),
                    None => redacted(value),
                };
                (key.clone(), value)
            })
            .collect(),
        Value::Array(items) => items.iter().map(redacted).collect(),
        // Commands of a batch and links carry credentials inside their text.
        Value::String(text) if text.contains("oken=") => Value::from(without_tokens(text)),
        other => other.clone(),
    }
}

/// `a?botToken=x&b=1` as `a?botToken=***&b=1`.
fn without_tokens(text: &str) -> String {
    let mut pieces = text.split("oken=");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(['&', ' ', '#', '"']).unwrap_or(piece.len());
        out.push_str("oken=***");
        out.push_str(&piece[end..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn credentials_are_cut_out_at_any_depth_and_the_rest_stays() {
        let params = json!({
            "auth": "marker", "botToken": "marker", "botId": 1,
            "fields": { "message": "hi", "deep": [{ "access_token": { "x": "marker" } }] },
        });
        let logged = redacted(&params);
        assert!(!logged.to_string().contains("marker"));
        assert_eq!(logged["fields"]["message"], "hi");
        assert_eq!(logged["botId"], 1);
        let batch = redacted(&json!({ "cmd": { "a": "m?botToken=marker&botId=1" } }));
        assert_eq!(batch["cmd"]["a"], "m?botToken=***&botId=1");
        let file = redacted(&json!({ "fields": { "content": "x".repeat(2000) } }));
        assert_eq!(file["fields"]["content"], "(2000 characters)");
    }
}
