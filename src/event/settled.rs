//! How a queued call ended, as an event of our own: who asked with `then` hears of it in the dialog where it asked.
//! Owns how it is read; the store writes it in the commit that ends the call.

use super::data::Data;
use super::name::Kind;
use super::{BotRef, Event, Unusable};
use crate::method::{CallError, Method};
use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// Its name, beside those of Bitrix24.
pub(super) const NAME: &str = "IMBOTCALLSETTLED";

/// A call that was queued with [`then`](crate::Queued::then) has ended. Comes once for each call, in the dialog where the
/// call was queued and in its order, after any restart.
///
/// ```
/// use imbot::{CallSettled, Ctx, MessageAdd, Outcome, Then as _};
/// use imbot::method::{MessageSend, MessageUpdate};
///
/// async fn count(ctx: Ctx, heard: MessageAdd) -> Outcome {
///     ctx.call(MessageSend::new(ctx.dialog_id().unwrap_or_default(), "Counting…")).then("counting")
/// }
///
/// async fn settled(ctx: Ctx, settled: CallSettled) -> Outcome {
///     if settled.tag == "counting"
///         && let Ok(sent) = settled.reply::<MessageSend>()
///         && let Some(id) = sent.id
///     {
///         ctx.call(MessageUpdate::new(id).text("Three."))?;
///     }
///     Ok(())
/// }
/// # let _ = imbot::Bot::new("counter").on(count).on(settled);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CallSettled {
    /// The bot that made it.
    pub bot: BotRef,
    /// The number of the call in the outbox.
    pub call_id: i64,
    /// The author's word for it.
    pub tag: String,
    /// The REST method; of an answer that took another way, the one that was made in the end.
    pub method: String,
    /// The dialog in which this event comes; may be empty.
    pub dialog_id: String,
    /// What the portal answered, without credentials and one-time links; or why there is no answer.
    pub result: Result<Value, CallError>,
}

impl CallSettled {
    /// The reply as the type of method `M`.
    ///
    /// # Errors
    /// Why the call failed; `Unreadable` if it was a call of another method, or the reply is not of this type.
    pub fn reply<M: Method>(&self) -> Result<M::Reply, CallError> {
        let result = self.result.as_ref().map_err(Clone::clone)?;
        if self.method != M::NAME {
            let (found, asked) = (&self.method, M::NAME);
            return Err(CallError::Unreadable(format!("it is one of {found}, not of {asked}")));
        }
        M::Reply::deserialize(result).map_err(|error| CallError::Unreadable(error.to_string()))
    }

    /// Why the call failed, if it did.
    #[must_use]
    pub fn error(&self) -> Option<&CallError> {
        self.result.as_ref().err()
    }
}

/// `bot, callId, tag, method, dialogId`, and `result` or `error`.
impl Serialize for CallSettled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("bot", &self.bot)?;
        map.serialize_entry("callId", &self.call_id)?;
        map.serialize_entry("tag", &self.tag)?;
        map.serialize_entry("method", &self.method)?;
        map.serialize_entry("dialogId", &self.dialog_id)?;
        match &self.result {
            Ok(result) => map.serialize_entry("result", result)?,
            Err(error) => map.serialize_entry("error", &error.to_string())?,
        }
        map.end()
    }
}

#[derive(Deserialize)]
struct Told {
    ts: Option<i64>,
    data: Stored,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    bot: StoredBot,
    call_id: i64,
    tag: String,
    method: String,
    #[serde(default)]
    dialog_id: String,
    result: Option<Value>,
    cut: Option<usize>,
    error: Option<StoredError>,
}

#[derive(Deserialize)]
struct StoredBot {
    id: i64,
}

#[derive(Deserialize)]
struct StoredError {
    code: String,
    unknown: bool,
}

impl Event {
    /// Reads what the store wrote when a tagged call ended. Never for a body from outside.
    ///
    /// # Errors
    /// It is not of that form.
    pub(crate) fn from_settled(body: &[u8]) -> Result<Self, Unusable> {
        let told: Told = serde_json::from_slice(body).map_err(|_| Unusable::of("data"))?;
        let stored = told.data;
        let result = match (stored.error, stored.cut) {
            (Some(error), _) => Err(CallError::of(&error.code, error.unknown)),
            (None, Some(bytes)) => Err(CallError::Unreadable(format!(
                "{bytes} bytes are too many to hand back"
            ))),
            (None, None) => Ok(stored.result.unwrap_or_default()),
        };
        let bot = BotRef {
            id: stored.bot.id,
            ..BotRef::default()
        };
        Ok(Self {
            kind: Kind::Other,
            name: NAME.to_owned(),
            event_handler_id: None,
            ts: told.ts,
            auth: None,
            data: Data::CallSettled(CallSettled {
                bot,
                call_id: stored.call_id,
                tag: stored.tag,
                method: stored.method,
                dialog_id: stored.dialog_id,
                result,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{ChatAdd, ErrorCode, MessageSend};
    use serde_json::json;

    fn settled(end: (&str, Value)) -> CallSettled {
        let mut data =
            json!({ "bot": { "id": 7 }, "callId": 5, "tag": "sent", "method": MessageSend::NAME, "dialogId": "27" });
        data[end.0] = end.1;
        let body = json!({ "event": NAME, "ts": 1, "data": data }).to_string();
        match Event::from_settled(body.as_bytes()).unwrap().data {
            Data::CallSettled(settled) => settled,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_result_is_read_as_the_reply_of_its_method_and_no_other() {
        let settled = settled(("result", json!({ "id": 12, "uuidMap": [] })));
        assert_eq!(settled.reply::<MessageSend>().unwrap().id, Some(12));
        assert!(matches!(settled.reply::<ChatAdd>(), Err(CallError::Unreadable(_))));
        let whole = serde_json::to_value(&settled).unwrap();
        assert_eq!((&whole["callId"], &whole["result"]["id"]), (&json!(5), &json!(12)));
    }

    #[test]
    fn an_error_tells_its_code_and_whether_it_may_be_done() {
        let denied = settled(("error", json!({ "code": "ACCESS_DENIED", "unknown": false })));
        assert_eq!(denied.error(), Some(&CallError::Portal(ErrorCode::AccessDenied)));
        assert_eq!(denied.reply::<MessageSend>().err().as_ref(), denied.error());
        let lost = settled(("error", json!({ "code": "timeout", "unknown": true })));
        assert!(matches!(lost.error(), Some(CallError::Unknown(_))));
        assert!(matches!(
            settled(("cut", json!(9))).error(),
            Some(CallError::Unreadable(_))
        ));
    }

    #[test]
    fn a_body_that_is_none_of_ours_is_unusable() {
        assert!(Event::from_settled(b"event=IMBOTCALLSETTLED").is_err());
        assert!(Event::from_settled(b"{}").is_err());
    }
}
