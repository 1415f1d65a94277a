//! Test helper: `http_build_query` of PHP, from JSON data, and what such data is once it has gone through a form.

use proptest::prelude::*;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// How brackets are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Brackets {
    Upper,
    Lower,
    Raw,
}

impl Brackets {
    pub(crate) const ALL: [Self; 3] = [Self::Upper, Self::Lower, Self::Raw];

    fn pair(self) -> (&'static str, &'static str) {
        match self {
            Self::Upper => ("%5B", "%5D"),
            Self::Lower => ("%5b", "%5d"),
            Self::Raw => ("[", "]"),
        }
    }
}

/// A form body as PHP writes it.
pub(crate) fn form(data: &Map<String, Value>, brackets: Brackets) -> String {
    let mut body = String::new();
    for (name, value) in data {
        write(&mut body, &escape(name), value, brackets);
    }
    body
}

fn write(body: &mut String, key: &str, value: &Value, brackets: Brackets) {
    let text = match value {
        Value::Null => return,
        Value::Bool(flag) => u8::from(*flag).to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => escape(text),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                write(body, &below(key, &at.to_string(), brackets), item, brackets);
            }
            return;
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                write(body, &below(key, &escape(name), brackets), field, brackets);
            }
            return;
        }
    };
    if !body.is_empty() {
        body.push('&');
    }
    let _ = write!(body, "{key}={text}");
}

fn below(key: &str, name: &str, brackets: Brackets) -> String {
    let (open, close) = brackets.pair();
    format!("{key}{open}{name}{close}")
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => escaped.push(char::from(byte)),
            b' ' => escaped.push('+'),
            _ => {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

/// What the data is after the way through a form: leaves are text, nulls and empty objects are gone, an object with the
/// keys 0..n-1 is a list.
pub(crate) fn after_form(value: &Value) -> Option<Value> {
    let fields: Map<String, Value> = match value {
        Value::Null => return None,
        Value::Bool(flag) => return Some(u8::from(*flag).to_string().into()),
        Value::Number(number) => return Some(number.to_string().into()),
        Value::String(text) => return Some(text.clone().into()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| Some((at.to_string(), after_form(item)?)))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(name, field)| Some((name.clone(), after_form(field)?)))
            .collect(),
    };
    if fields.is_empty() {
        return None;
    }
    let places: Option<Vec<Value>> = (0..fields.len())
        .map(|at| fields.get(&at.to_string()).cloned())
        .collect();
    Some(places.map_or(Value::Object(fields), Value::Array))
}

/// Names as people and PHP choose them, without brackets (a bracket inside a name is lost on the way).
pub(crate) fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z_]{1,12}",
        "[0-9]{1,3}",
        "[^\\[\\]]{1,6}",
        Just("event".to_owned()),
        Just("auth".to_owned()),
        Just("data".to_owned()),
    ]
}

/// Any data of some depth and breadth.
pub(crate) fn objects() -> impl Strategy<Value = Map<String, Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(names(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(names(), value, 1..8).prop_map(|fields| fields.into_iter().collect())
}
