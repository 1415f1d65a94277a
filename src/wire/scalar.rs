//! What PHP's scalars mean: each reading accepts every spelling Bitrix24 is known to send, and guesses nothing.

use super::percent;
use super::tree::{Node, Value, array_index};
use std::borrow::Cow;
use std::collections::BTreeMap;

impl<'t> Node<'t, '_> {
    /// Text for a field that is text: a string as it is, a JSON number's digits; nothing else has text.
    #[must_use]
    pub fn text(self) -> Option<Cow<'t, str>> {
        match self.value() {
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            _ => self.string(),
        }
    }

    /// Text for a field that may be null: empty is `None` as well.
    #[must_use]
    pub fn text_or_none(self) -> Option<String> {
        self.text().filter(|text| !text.is_empty()).map(Cow::into_owned)
    }

    /// An integer: a JSON integer, or `-?(0|[1-9][0-9]*)` in text, within 64 bits. `"0"` is 0, `""` is nothing.
    #[must_use]
    pub fn int(self) -> Option<i64> {
        match self.value() {
            Value::Raw(raw) => integer(&percent::decode(raw)),
            Value::Text(text) => integer(text.as_bytes()),
            Value::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// A yes or no: true/false, 1/0, Y/N, yes/no, in any case.
    #[must_use]
    pub fn flag(self) -> Option<bool> {
        if let Value::Bool(flag) = self.value() {
            return Some(*flag);
        }
        let text = self.text()?;
        let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        if is(["1", "y", "yes", "true"]) {
            Some(true)
        } else {
            is(["0", "n", "no", "false"]).then_some(false)
        }
    }

    /// Text or PHP's `false`: empty, `"0"`, `"N"` and `false` are `None`.
    #[must_use]
    pub fn or_false(self) -> Option<String> {
        self.text_or_none()
            .filter(|text| !matches!(text.as_str(), "0" | "false" | "N"))
    }

    /// A list of integers in the order of its numeric keys; a scalar is a list of one, but `""` and `"0"` are none.
    /// What is no integer is left out.
    #[must_use]
    pub fn ints(self) -> Vec<i64> {
        if self.is_scalar() {
            return self.int().filter(|one| *one != 0).into_iter().collect();
        }
        self.items().iter().filter_map(|item| item.int()).collect()
    }

    /// The items of a list: of a JSON array in order, of an object those with numeric keys, 9 before 10.
    #[must_use]
    pub fn items(self) -> Vec<Self> {
        if self.is_array() {
            return self.children().collect();
        }
        let mut items: Vec<_> = self
            .children()
            .filter_map(|item| Some((array_index(item.name())?, item)))
            .collect();
        items.sort_by_key(|(index, _)| *index);
        items.into_iter().map(|(_, item)| item).collect()
    }

    /// A list of words: split at commas and blanks, or the items of a list.
    #[must_use]
    pub fn string_list(self) -> Vec<String> {
        if self.is_container() {
            return self.items().iter().filter_map(|item| item.text_or_none()).collect();
        }
        let text = self.text().unwrap_or_default();
        text.split([',', ' ', '\t', '\r', '\n'])
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// An object of texts; `None` if it is empty or no object (PHP's `false`).
    #[must_use]
    pub fn text_map(self) -> Option<BTreeMap<String, String>> {
        if self.is_array() {
            return None;
        }
        let map: BTreeMap<_, _> = self
            .children()
            .filter_map(|field| Some((field.name().to_owned(), field.text()?.into_owned())))
            .collect();
        (!map.is_empty()).then_some(map)
    }

    /// The same as JSON data: leaves as received, an object whose keys are exactly 0..n-1 as a list.
    ///
    /// The only walk that recurses: as deep as the limits allow, not as the body wants.
    #[must_use]
    pub fn to_json(self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self.value() {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number) => Json::Number(number.clone()),
            Value::Raw(raw) => Json::String(percent::value(raw).into_owned()),
            Value::Text(text) => Json::String(text.clone().into_owned()),
            Value::List => Json::Array(self.children().map(Node::to_json).collect()),
            Value::Object if self.is_php_list() => Json::Array(self.items().into_iter().map(Node::to_json).collect()),
            Value::Object => Json::Object(self.to_json_map()),
        }
    }

    /// The same, always as an object: a list gives its places as names, a scalar gives nothing.
    #[must_use]
    pub fn to_json_map(self) -> serde_json::Map<String, serde_json::Value> {
        let place_or_name = |(place, child): (usize, Self)| {
            let name = if self.is_array() {
                place.to_string()
            } else {
                child.name().to_owned()
            };
            (name, child.to_json())
        };
        self.children().enumerate().map(place_or_name).collect()
    }

    fn is_php_list(self) -> bool {
        let count = self.len() as u64;
        // Names differ, so if all are below the count each place is taken once.
        count > 0
            && self
                .children()
                .all(|child| array_index(child.name()).is_some_and(|index| index < count))
    }
}

/// Reads `-?(0|[1-9][0-9]*)` within 64 bits.
fn integer(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-").unwrap_or(text) {
        [b'0'] | [b'1'..=b'9', ..] => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}
