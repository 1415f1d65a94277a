//! One command of a `batch`: a method and its parameters as a URL. Owns the encoding and what cannot be encoded; knows
//! nothing of budgets.
//!
//! Source: outbound rules, "batch". In the JSON body of a batch the command is a plain string, but a URL all the same:
//! every value is percent-encoded once.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The longest command in bytes: beyond it a call is better off alone.
const MAX_COMMAND: usize = 8 * 1024;
/// The most values in a command: PHP drops what comes after 1,000.
const MAX_VALUES: usize = 900;

/// Why a call must not go in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// It holds `null`, an empty list or an empty object, which a URL cannot say.
    Unsayable,
    /// It is over 8 KiB.
    TooLong,
    /// It has over 900 values.
    TooManyValues,
    /// It holds `<`: a portal's web filter may change it in a batch.
    Markup,
    /// A value looks like a reference to another command's result (`$result…`), and would be replaced by it.
    Reference,
}

/// The call as one command: `method?path[to]=value&…`. Values are percent-encoded once, booleans are `Y` and `N`, a
/// keyboard is one JSON text. Ask [`must_go_alone`] first: `null` and empty lists are left out.
///
/// ```
/// use imbot::method::{MessageSend, Method, batch_command};
/// let call = MessageSend::new("chat5", "50% & more").without_preview();
/// assert_eq!(
///     batch_command(MessageSend::NAME, &call.params()),
///     "imbot.v2.Chat.Message.send?dialogId=chat5&fields[message]=50%25%20%26%20more&fields[urlPreview]=N"
/// );
/// ```
#[must_use]
pub fn batch_command(name: &str, params: &Map<String, Value>) -> String {
    let mut command = name.to_owned();
    let mut separator = '?';
    each_value(params, &mut |path, value| {
        // Writing to a String cannot fail.
        let _ = write!(command, "{separator}{path}=");
        encode(&text(value), &mut command);
        separator = '&';
    });
    command
}

/// Whether the call must go alone, and why.
#[must_use]
pub fn must_go_alone(name: &str, params: &Map<String, Value>) -> Option<Alone> {
    let (mut values, mut markup, mut reference) = (0, false, false);
    each_value(params, &mut |_, value| {
        let text = text(value);
        values += 1;
        markup |= text.contains('<');
        reference |= refers(&text);
    });
    if params.values().any(unsayable) {
        Some(Alone::Unsayable)
    } else if reference {
        Some(Alone::Reference)
    } else if markup {
        Some(Alone::Markup)
    } else if values > MAX_VALUES {
        Some(Alone::TooManyValues)
    } else if batch_command(name, params).len() > MAX_COMMAND {
        Some(Alone::TooLong)
    } else {
        None
    }
}

/// Visits every value with its encoded path, in the order of the parameters.
fn each_value(params: &Map<String, Value>, visit: &mut dyn FnMut(&str, &Value)) {
    for (name, value) in params {
        let mut path = String::new();
        encode(name, &mut path);
        walk(&path, value, visit);
    }
}

fn walk(path: &str, value: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    let deeper = |name: &str| {
        let mut path = format!("{path}[");
        encode(name, &mut path);
        path + "]"
    };
    match value {
        Value::Null => {}
        // Documented for keyboards: as one text it costs one value instead of hundreds.
        Value::Array(_) | Value::Object(_) if path == "fields[keyboard]" => visit(path, value),
        Value::Array(entries) => {
            for (at, entry) in entries.iter().enumerate() {
                walk(&deeper(&at.to_string()), entry, visit);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                walk(&deeper(name), field, visit);
            }
        }
        value => visit(path, value),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Bool(true) => "Y".to_owned(),
        Value::Bool(false) => "N".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn unsayable(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(entries) => entries.is_empty() || entries.iter().any(unsayable),
        Value::Object(fields) => fields.is_empty() || fields.values().any(unsayable),
        _ => false,
    }
}

/// Whether the portal would put another command's result in place of this text. It looks at the decoded value, in any
/// case, so percent-encoding does not help.
fn refers(text: &str) -> bool {
    let starts = |rest: &str, word: &str| {
        rest.get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    text.split('$').skip(1).any(|rest| {
        ["result", "next", "total", "time", "error"]
            .into_iter()
            .any(|word| starts(rest, word))
    })
}

/// Everything but letters, digits and `-._~` as `%XX`.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => panic!("an object"),
        }
    }

    #[test]
    fn values_are_encoded_once_and_nested_in_brackets() {
        let params = map(json!({
            "botId": 456,
            "fields": { "message": "a&b=c #1 %2B+\n👍 [x]", "system": true, "attach": [{ "GRID": [{ "NAME": "ä" }] }] },
            "userIds": [4, 5],
            "score": 1.5,
        }));
        let command = batch_command("m", &params);
        let (name, query) = command.split_once('?').unwrap();
        let mut pairs: Vec<&str> = query.split('&').collect();
        pairs.sort_unstable();
        assert_eq!(name, "m");
        assert_eq!(
            pairs,
            [
                "botId=456",
                "fields[attach][0][GRID][0][NAME]=%C3%A4",
                "fields[message]=a%26b%3Dc%20%231%20%252B%2B%0A%F0%9F%91%8D%20%5Bx%5D",
                "fields[system]=Y",
                "score=1.5",
                "userIds[0]=4",
                "userIds[1]=5",
            ]
        );
        assert_eq!(
            batch_command("imbot.v2.Revision.get", &Map::new()),
            "imbot.v2.Revision.get"
        );
    }

    #[test]
    fn a_keyboard_is_one_json_text() {
        let params = map(json!({ "fields": { "keyboard": [{ "TEXT": "Go" }, { "TYPE": "NEWLINE" }] } }));
        assert_eq!(
            batch_command("m", &params),
            "m?fields[keyboard]=%5B%7B%22TEXT%22%3A%22Go%22%7D%2C%7B%22TYPE%22%3A%22NEWLINE%22%7D%5D"
        );
        let removed = map(json!({ "fields": { "keyboard": "N" } }));
        assert_eq!(batch_command("m", &removed), "m?fields[keyboard]=N");
    }

    #[test]
    fn what_a_batch_would_change_goes_alone() {
        for (value, why) in [
            (json!(null), Alone::Unsayable),
            (json!([]), Alone::Unsayable),
            (json!({ "title": { "fr": null } }), Alone::Unsayable),
            (json!("see $result[c1][id]"), Alone::Reference),
            (json!({ "deep": ["$ReSuLt"] }), Alone::Reference),
            (json!("$$error"), Alone::Reference),
            (json!("$next"), Alone::Reference),
            (json!("$total"), Alone::Reference),
            (json!("$timeout"), Alone::Reference),
            (json!("1 < 2"), Alone::Markup),
            (json!("x".repeat(MAX_COMMAND)), Alone::TooLong),
            (json!(vec![1; MAX_VALUES + 1]), Alone::TooManyValues),
        ] {
            let params = map(json!({ "fields": { "message": value } }));
            assert_eq!(must_go_alone("m", &params), Some(why), "{value}");
        }
        for value in [
            json!("5 $ for 3 results"),
            json!("$"),
            json!("$res"),
            json!(vec![1; MAX_VALUES / 4]),
        ] {
            let params = map(json!({ "fields": { "message": value } }));
            assert_eq!(must_go_alone("m", &params), None, "{value}");
        }
    }

    #[test]
    fn a_keyboard_with_a_reference_in_it_goes_alone_too() {
        let params = map(json!({ "fields": { "keyboard": [{ "TEXT": "$result[c0]" }] } }));
        assert_eq!(must_go_alone("m", &params), Some(Alone::Reference));
    }
}
