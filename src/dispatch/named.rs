//! Calls by a method's name, as JSON: what the typed methods check is checked here as far as the catalogue knows it.

use super::queued::{Call, holds_token};
use crate::method::{self, Address, Entry, Method, Repeat};
use crate::types::{Draft, TemplateId};
use serde_json::{Map, Value};

/// The longest name of a method, in bytes.
const MAX_NAME: usize = 100;

/// A method of any name with its parameters.
#[derive(Clone, Debug)]
pub(crate) struct NamedCall {
    pub(crate) method: String,
    /// Without credentials; the bot's number is added.
    pub(crate) params: Map<String, Value>,
    /// Whoever asked to hear of its end.
    pub(crate) tag: Option<String>,
}

impl NamedCall {
    /// Checks it. A method outside the catalogue goes unchecked, and is never repeated after an unknown outcome.
    pub(super) fn checked(self) -> Result<Call, String> {
        let Self { method, params, tag } = self;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
        if method.is_empty() || method.len() > MAX_NAME || !method.bytes().all(plain) {
            return Err("a method's name has 1 to 100 letters, digits, dots and underscores".to_owned());
        }
        if holds_token(&params) {
            return Err(format!(
                "{method}: credentials are added when the call is sent; leave them out"
            ));
        }
        let entry = method::find(&method);
        if let Some(entry) = entry {
            known(entry, &params)?;
        }
        shape(&method, &params)?;
        let dialog = params.get("dialogId").and_then(Value::as_str).map(str::to_owned);
        Ok(Call {
            repeat: entry.map_or(Repeat::Never, |entry| repeat(entry, &params)),
            address: entry.map_or(Address::USER, |entry| entry.address),
            method,
            dialog,
            params,
            step: 0,
            part: 0,
            tag,
            fallback: None,
        })
    }
}

/// A system message is not recognised when it comes twice.
fn repeat(entry: &Entry, params: &Map<String, Value>) -> Repeat {
    let system = params.get("fields").and_then(|fields| fields.get("system"));
    let system = system.is_some_and(|system| *system != Value::Bool(false) && system != "N");
    if system && entry.name == method::MessageSend::NAME {
        Repeat::Never
    } else {
        entry.repeat
    }
}

/// Refuses a parameter that the method does not have: the portal would ignore it without a word.
fn known(entry: &Entry, params: &Map<String, Value>) -> Result<(), String> {
    let own = entry.address.bot_path();
    let has = |path: &str| {
        let below = |known: &str| {
            known
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        own == Some(path) || entry.params.iter().any(|known| below(known))
    };
    for (name, value) in params {
        let fields = value.as_object().filter(|_| name == "fields");
        let inside = fields.into_iter().flatten().map(|(field, _)| format!("fields.{field}"));
        if let Some(path) = std::iter::once(name.clone()).chain(inside).find(|path| !has(path)) {
            return Err(format!("{} has no parameter {path}", entry.name));
        }
    }
    Ok(())
}

/// Refuses what the portal would cut or ignore.
fn shape(method: &str, params: &Map<String, Value>) -> Result<(), String> {
    let field = |name: &str| {
        params
            .get("fields")
            .and_then(|fields| fields.get(name))
            .and_then(Value::as_str)
    };
    let (length, most) = (
        field("message").map_or(0, |text| text.chars().count()),
        Draft::MAX_CHARS,
    );
    if length > most {
        return Err(format!(
            "{method}: fields.message has {length} characters; the portal cuts it at {most}"
        ));
    }
    if field("templateId").is_some_and(|id| !TemplateId::is_one(id)) {
        let form = "a lower-case UUID of version 4: others are ignored, and a repeat would be shown twice";
        return Err(format!("{method}: fields.templateId must be {form}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(method: &str, params: Value) -> Result<Call, String> {
        let Value::Object(params) = params else {
            panic!("an object")
        };
        let call = NamedCall {
            method: method.to_owned(),
            params,
            tag: None,
        };
        call.checked()
    }

    const SEND: &str = "imbot.v2.Chat.Message.send";

    #[test]
    fn a_catalogued_call_takes_its_place_and_kind_from_the_catalogue() {
        let call = checked(SEND, json!({ "dialogId": "chat5", "fields": { "message": "x" } })).unwrap();
        assert_eq!(
            (call.repeat, call.dialog.as_deref()),
            (Repeat::ByTemplate, Some("chat5"))
        );
        for (system, repeat) in [
            (json!(true), Repeat::Never),
            (json!("Y"), Repeat::Never),
            (json!(false), Repeat::ByTemplate),
        ] {
            let call = checked(
                SEND,
                json!({ "dialogId": "chat5", "fields": { "message": "x", "system": system } }),
            );
            assert_eq!(call.unwrap().repeat, repeat);
        }
        assert_eq!(
            checked("crm.deal.get", json!({ "id": 7 })).unwrap().repeat,
            Repeat::Never
        );
    }

    #[test]
    fn what_the_portal_would_ignore_cut_or_must_not_have_is_refused() {
        let long = "x".repeat(20_001);
        for (method, params, said) in [
            (SEND, json!({ "dialogID": "27" }), "no parameter dialogID"),
            (SEND, json!({ "fields": { "text": "x" } }), "no parameter fields.text"),
            (SEND, json!({ "fields": { "message": long } }), "20001 characters"),
            (SEND, json!({ "fields": { "templateId": "ABC" } }), "templateId"),
            (SEND, json!({ "botToken": "x" }), "credentials"),
            ("crm.deal.get", json!({ "auth_id": "x" }), "credentials"),
            ("", json!({}), "name"),
            ("a/b", json!({}), "name"),
        ] {
            let refused = checked(method, params).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
        checked(
            SEND,
            json!({ "botId": 7, "dialogId": "27", "fields": { "message": "x", "forwardIds": { "k": 1 } } }),
        )
        .unwrap();
    }
}
