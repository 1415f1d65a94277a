//! The REST methods this portal has, one file each. May change the state; knows no HTTP.

mod content;
mod send;

mod command;

use super::access::Caller;
use super::answer::Refusal;
use super::log::Decision;
use super::state::State;
use crate::types::Timestamp;
use serde_json::{Map, Value, json};

/// The REST methods. A portal finds them in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Send,
    CommandAnswer,
    Revision,
}

impl Method {
    const ALL: [(&'static str, Self); 3] = [
        ("imbot.v2.Chat.Message.send", Self::Send),
        ("imbot.v2.Command.answer", Self::CommandAnswer),
        ("imbot.v2.Revision.get", Self::Revision),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        let mut known = Self::ALL.iter();
        known
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, method)| *method)
    }

    /// Carries the call out.
    pub(super) fn call(self, call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
        match self {
            Self::Send => send::call(call, state),
            Self::CommandAnswer => command::call(call, state),
            Self::Revision => Ok(Done::quiet(
                json!({ "rest": 36, "web": 130, "mobile": 23, "desktop": 6 }),
            )),
        }
    }
}

/// A call whose caller is known.
pub(super) struct Call<'a> {
    pub(super) caller: &'a Caller,
    pub(super) params: &'a Map<String, Value>,
    pub(super) now: Timestamp,
}

impl Call<'_> {
    /// A field of `fields`; nothing if that is no object.
    fn field(&self, name: &str) -> Option<&Value> {
        self.params.get("fields").and_then(|fields| fields.get(name))
    }

    /// `dialogId` as text, whether it came as text or as a number.
    fn dialog(&self) -> String {
        match self.params.get("dialogId") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }
}

/// A call that was carried out.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) result: Value,
    pub(super) decision: Decision,
    /// A message that other bots in its chat may hear of.
    pub(super) posted: Option<i64>,
}

impl Done {
    fn quiet(result: Value) -> Self {
        Self {
            result,
            decision: Decision::Executed { message_id: None },
            posted: None,
        }
    }

    fn posted(result: Value, message: i64) -> Self {
        Self {
            result,
            decision: Decision::Executed {
                message_id: Some(message),
            },
            posted: Some(message),
        }
    }
}
