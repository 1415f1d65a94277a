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

#[cfg(test)]
mod tests {
    use crate::wire::{Limits, Tree, parse};
    use serde_json::json;

    fn tree(body: &[u8]) -> Tree<'_> {
        parse(body, false, &Limits::default()).unwrap()
    }

    #[test]
    fn integers_are_decimal_and_within_64_bits() {
        let one = |value: &str| format!("v={value}");
        for (value, int) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("27", Some(27)),
            ("-5", Some(-5)),
            ("%32%37", Some(27)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("007", None),
            ("+7", None),
            ("%2B7", None),
            ("0x1F", None),
            ("1.0", None),
            ("--1", None),
            ("-", None),
            ("1 ", None),
            ("", None),
            ("%D9%A1", None),
        ] {
            assert_eq!(
                tree(one(value).as_bytes()).root().get("v").unwrap().int(),
                int,
                "{value}"
            );
        }
    }

    #[test]
    fn flags_and_texts_accept_what_php_writes() {
        let one = |value: &str| format!("v={value}");
        for (value, flag) in [
            ("1", Some(true)),
            ("Y", Some(true)),
            ("YES", Some(true)),
            ("true", Some(true)),
            ("0", Some(false)),
            ("n", Some(false)),
            ("", None),
            ("2", None),
        ] {
            assert_eq!(
                tree(one(value).as_bytes()).root().get("v").unwrap().flag(),
                flag,
                "{value}"
            );
        }
        for (value, text) in [
            ("", None),
            ("0", None),
            ("false", None),
            ("N", None),
            ("1", Some("1")),
            ("2026-01-01", Some("2026-01-01")),
        ] {
            assert_eq!(
                tree(one(value).as_bytes())
                    .root()
                    .get("v")
                    .unwrap()
                    .or_false()
                    .as_deref(),
                text,
                "{value}"
            );
        }
    }

    #[test]
    fn json_scalars_keep_their_kinds() {
        let tree =
            tree(br#"{"i":7,"big":12345678901234567890123,"t":true,"n":null,"s":"7","f":1.5,"o":{},"l":["a","b"]}"#);
        let at = |name: &str| tree.root().get(name).unwrap();
        assert_eq!(
            (
                at("i").int(),
                at("s").int(),
                at("big").int(),
                at("f").int(),
                at("t").int()
            ),
            (Some(7), Some(7), None, None, None)
        );
        assert_eq!(
            (at("i").text().unwrap(), at("f").text().unwrap()),
            ("7".into(), "1.5".into())
        );
        assert_eq!((at("t").text(), at("n").text(), at("o").text()), (None, None, None));
        assert_eq!((at("i").string(), at("s").string()), (None, Some("7".into())));
        assert_eq!(
            (at("t").flag(), at("i").flag(), at("n").or_false()),
            (Some(true), None, None)
        );
        assert_eq!(at("l").get("1").unwrap().text().unwrap(), "b");
        assert!(at("n").is_null() && at("l").is_array() && at("o").is_container() && at("s").is_scalar());
        assert_eq!(
            at("l").to_json_map(),
            json!({"0": "a", "1": "b"}).as_object().unwrap().clone()
        );
    }

    #[test]
    fn lists_of_integers_and_words() {
        let tree = tree(b"a[10]=3&a[9]=2&a[x]=9&a[11]=y&b=5&c=0&d=&s=im,imbot+x&e[0]=im&p[w]=%2B49&q=0");
        let at = |name: &str| tree.root().get(name).unwrap();
        assert_eq!(at("a").ints(), [2, 3]);
        assert_eq!(
            (at("b").ints(), at("c").ints(), at("d").ints()),
            (vec![5], vec![], vec![])
        );
        assert_eq!(
            (at("s").string_list(), at("e").string_list()),
            (vec!["im".into(), "imbot".into(), "x".into()], vec!["im".to_owned()])
        );
        assert_eq!(at("p").text_map().unwrap()["w"], "+49");
        assert_eq!(at("q").text_map(), None);
    }
}
