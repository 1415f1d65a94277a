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

/// The same parameters with each credential's value replaced, at any depth.
pub(super) fn redacted(params: &Value) -> Value {
    match params {
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| {
                let secret = is_credential(key) || matches!(key.as_str(), "auth" | "ap" | "token");
                let value = if secret { Value::from("***") } else { redacted(value) };
                (key.clone(), value)
            })
            .collect(),
        Value::Array(items) => items.iter().map(redacted).collect(),
        other => other.clone(),
    }
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
    }
}
