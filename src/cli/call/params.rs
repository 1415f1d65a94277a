//! The parameters of `imbot call`: read as they were given, held against what the catalogue knows of the method. Sends
//! nothing.

use crate::cli::output;
use crate::method::{CATALOGUE, Entry, Repeat};
use crate::settings::nearest;
use crate::types::TemplateId;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The parameters as JSON text, `@FILE` or `-`; `None` = none.
pub(super) fn read(given: Option<&str>) -> Result<Map<String, Value>, String> {
    let text = match given {
        None => return Ok(Map::new()),
        Some(file) if file == "-" || file.starts_with('@') => {
            let file = file.strip_prefix('@').unwrap_or(file);
            let bytes = output::read(Path::new(file)).map_err(|error| format!("{file}: {error}"))?;
            String::from_utf8(bytes).map_err(|_| format!("{file}: not UTF-8"))?
        }
        Some(text) => text.to_owned(),
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(params)) => Ok(params),
        Ok(_) => Err("the parameters must be a JSON object, for example '{\"dialogId\": \"chat5\"}'".to_owned()),
        Err(error) => Err(format!("the parameters are no JSON: {error}")),
    }
}

/// A method's name that the catalogue does not have, and the nearest that it has.
pub(super) fn uncatalogued(method: &str) -> String {
    let near = nearest(method, CATALOGUE.iter().map(|entry| entry.name));
    let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
    format!("note: {method} is not in the catalogue{near}: sent unchecked, and not repeated")
}

/// Every parameter that the method does not have, each in a sentence.
pub(super) fn unknown(entry: &Entry, params: &Map<String, Value>) -> Vec<String> {
    let address = [entry.address.bot_path(), entry.address.token_path()];
    let known: Vec<&str> = entry
        .params
        .iter()
        .copied()
        .chain(address.into_iter().flatten())
        .collect();
    let mut wrong = Vec::new();
    look(entry.name, &known, "", params, &mut wrong);
    wrong
}

fn look(method: &str, known: &[&str], inside: &str, params: &Map<String, Value>, wrong: &mut Vec<String>) {
    for (name, value) in params {
        let path = format!("{inside}{name}");
        if known.contains(&path.as_str()) {
            // What lies deeper is its own affair.
            continue;
        }
        let deeper = format!("{path}.");
        if known.iter().any(|known| known.starts_with(&deeper)) {
            match value {
                Value::Object(inner) => look(method, known, &deeper, inner, wrong),
                _ => wrong.push(format!("{path} must be an object")),
            }
            continue;
        }
        wrong.push(format!("{method} has no parameter {path}{}", hint(known, inside, name)));
    }
}

/// The nearest name at this place, or the place where the name belongs.
fn hint(known: &[&str], inside: &str, name: &str) -> String {
    let here = known
        .iter()
        .filter_map(|known| known.strip_prefix(inside)?.split('.').next());
    if let Some(near) = nearest(name, here) {
        return format!(": did you mean {inside}{near}?");
    }
    let elsewhere = known.iter().find(|known| known.rsplit('.').next() == Some(name));
    elsewhere.map_or_else(String::new, |known| format!(": did you mean {known}?"))
}

/// Whether the call may be tried again without harm. A message gets a template id for that, by which the portal
/// recognises a repeat, unless it is to go as it is.
pub(super) fn repeatable(entry: Option<&Entry>, params: &mut Map<String, Value>, raw: bool) -> Result<bool, String> {
    match entry.map(|entry| entry.repeat) {
        Some(Repeat::Harmless) => Ok(true),
        None | Some(Repeat::Never) => Ok(false),
        Some(Repeat::ByTemplate) => {
            let Some(fields) = params.get_mut("fields").and_then(Value::as_object_mut) else {
                return Ok(false);
            };
            if fields.contains_key("system") {
                return Ok(false);
            }
            if !raw && !fields.contains_key("templateId") {
                let mut random = [0_u8; 16];
                getrandom::fill(&mut random).map_err(|error| error.to_string())?;
                let id = TemplateId::derive(&random, b"imbot call", 0, 0);
                fields.insert("templateId".to_owned(), json!(id.as_str()));
            }
            Ok(fields.contains_key("templateId"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::find;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            _ => panic!("an object"),
        }
    }

    #[test]
    fn an_unknown_parameter_is_named_with_the_nearest() {
        for (method, params, expected) in [
            (
                "imbot.v2.Chat.Message.send",
                json!({ "dialogid": "1" }),
                "dialogid: did you mean dialogId?",
            ),
            (
                "imbot.v2.Chat.Message.send",
                json!({ "dialogId": "1", "fields": { "mesage": "x" } }),
                "fields.mesage: did you mean fields.message?",
            ),
            (
                "imbot.v2.Chat.Message.send",
                json!({ "message": "x" }),
                "no parameter message: did you mean fields.message?",
            ),
            (
                "imbot.v2.Chat.Message.send",
                json!({ "fields": "x" }),
                "fields must be an object",
            ),
            (
                "imbot.v2.Revision.get",
                json!({ "colour": 1 }),
                "has no parameter colour",
            ),
        ] {
            let wrong = unknown(find(method).unwrap(), &object(params));
            assert_eq!(wrong.len(), 1, "{wrong:?}");
            assert!(wrong[0].contains(expected), "{} has no {expected}", wrong[0]);
        }
    }

    #[test]
    fn what_the_catalogue_knows_passes_with_whatever_is_in_it() {
        let params = object(json!({
            "botId": 7, "botToken": "t", "dialogId": "chat1",
            "fields": { "message": "x", "keyboard": { "BUTTONS": [{ "ANY": 1 }] } },
        }));
        assert_eq!(
            unknown(find("imbot.v2.Chat.Message.send").unwrap(), &params),
            Vec::<String>::new()
        );
    }

    #[test]
    fn only_what_does_no_harm_is_repeated() {
        let send = find("imbot.v2.Chat.Message.send");
        let mut plain = object(json!({ "fields": { "message": "x" } }));
        assert!(repeatable(send, &mut plain, false).unwrap());
        assert_eq!(plain["fields"]["templateId"].as_str().unwrap().len(), 36);
        let mut raw = object(json!({ "fields": { "message": "x" } }));
        assert!(!repeatable(send, &mut raw, true).unwrap());
        assert!(raw["fields"].get("templateId").is_none());
        let mut system = object(json!({ "fields": { "message": "x", "system": true } }));
        assert!(!repeatable(send, &mut system, false).unwrap());
        for (method, expected) in [
            ("imbot.v2.Chat.add", false),
            ("imbot.v2.Bot.get", true),
            ("crm.deal.add", false),
        ] {
            assert_eq!(
                repeatable(find(method), &mut Map::new(), false),
                Ok(expected),
                "{method}"
            );
        }
    }

    #[test]
    fn parameters_are_an_object() {
        assert_eq!(read(None), Ok(Map::new()));
        assert_eq!(read(Some("{\"a\":1}")), Ok(object(json!({ "a": 1 }))));
        for wrong in ["[1]", "x", "@/nowhere.json"] {
            assert!(read(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_uncatalogued_method_is_named_with_the_nearest() {
        assert!(uncatalogued("imbot.v2.Chat.Mesage.send").contains("did you mean imbot.v2.Chat.Message.send?"));
        assert!(!uncatalogued("crm.deal.list").contains("did you mean"));
    }
}
