//! What an answer of the portal says: its result and time, or its error. Reads JSON; never sends, judges no consequence.
//!
//! Source: outbound rules, "Answer envelope".

use super::fault::Fault;
use super::operating::Operated;
use crate::types::Timestamp;
use serde_json::Value;

/// The answer to a call that was carried out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    /// What `result` holds.
    pub(crate) result: Value,
    /// The method's operating time; `None` where the portal counts none.
    pub(crate) operating: Option<Operated>,
    /// How long the portal worked on it, in seconds, as it says.
    pub(crate) seconds: Option<f64>,
}

impl Reply {
    /// A result and the `time` object that came with it, if any.
    pub(super) fn new(result: Value, time: Option<&Value>) -> Self {
        let time = |name: &str| number(time?.get(name)?);
        let reset_at = time("operating_reset_at").map(from_seconds);
        let operating = time("operating").map(|seconds| Operated { seconds, reset_at });
        let seconds = time("duration").or_else(|| time("processing"));
        Self {
            result,
            operating,
            seconds,
        }
    }
}

/// Numbers come as numbers, mostly: integers where a float was promised, and perhaps as text.
fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

fn from_seconds(seconds: f64) -> Timestamp {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast saturates, and no such time is to come"
    )]
    let millis = (seconds * 1000.0) as i64;
    Timestamp(millis)
}

/// The body of an answer with this HTTP status.
pub(super) fn judge(status: u16, text: &[u8]) -> Result<Reply, Fault> {
    let Ok(Value::Object(mut answer)) = serde_json::from_slice::<Value>(text) else {
        return Err(Fault::unreadable(status));
    };
    // An error may come with HTTP 200.
    if let Some(fault) = error_of(&answer, status) {
        return Err(fault);
    }
    match answer.remove("result") {
        Some(result) if status < 300 => Ok(Reply::new(result, answer.get("time"))),
        _ => Err(Fault::unreadable(status)),
    }
}

/// The error that an answer, or the entry of one command, tells of.
pub(super) fn error_of(answer: &serde_json::Map<String, Value>, status: u16) -> Option<Fault> {
    let code = answer.get("error")?.as_str()?;
    let description = answer.get("error_description").and_then(Value::as_str);
    Some(Fault::coded(code, description.unwrap_or_default(), status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::{Class, Executed};
    use serde_json::json;

    #[test]
    fn an_answer_is_its_result_or_its_error() {
        let reply = judge(200, br#"{"result":{"id":5},"time":{}}"#).unwrap();
        assert_eq!((reply.result, reply.operating), (json!({ "id": 5 }), None));
        let error = judge(200, br#"{"error":"EMPTY_MESSAGE","error_description":"x"}"#).unwrap_err();
        assert_eq!((error.class, error.status), (Class::Invalid, 200));
        assert_eq!(judge(503, b"<html>busy</html>").unwrap_err().class, Class::Limit);
        assert_eq!(judge(200, br#"{"result":"#).unwrap_err().executed, Executed::Unknown);
        assert_eq!(judge(500, br#"{"result":true}"#).unwrap_err().class, Class::Transient);
    }

    #[test]
    fn the_time_tells_what_was_used_and_when_it_is_forgotten() {
        let time = json!({
            "start": 1_772_097_963, "duration": 0.25, "processing": 0.2,
            "operating": 1.5, "operating_reset_at": 1_772_098_563,
        });
        let reply = Reply::new(json!(true), Some(&time));
        let operated = Operated {
            seconds: 1.5,
            reset_at: Some(Timestamp(1_772_098_563_000)),
        };
        assert_eq!((reply.operating, reply.seconds), (Some(operated), Some(0.25)));
        for nonsense in [json!([]), json!({ "operating": -1, "duration": "?" }), json!("x")] {
            let reply = Reply::new(json!(true), Some(&nonsense));
            assert_eq!((reply.operating, reply.seconds), (None, None), "{nonsense}");
        }
        let text = Reply::new(
            json!(true),
            Some(&json!({ "operating": "2.5", "operating_reset_at": "7" })),
        );
        let reset_at = Some(Timestamp(7000));
        assert_eq!(text.operating, Some(Operated { seconds: 2.5, reset_at }));
    }
}
