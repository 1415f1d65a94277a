//! A JSON object in the making: values at dotted paths, and the first thing in it that a portal would refuse. Owns the
//! checks that many parameters share; knows no method.

use super::refused::{Reason, Refused};
use super::{Draft, Markup, is_credential};
use serde_json::{Map, Value};
use std::fmt;

/// An object under construction. A refusal is kept until somebody asks, so that building needs no `?`.
///
/// Why not a `Result` from each setter: in a handler `?` means "try again later", and a wrong parameter stays wrong.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Fields {
    map: Map<String, Value>,
    refused: Option<Refused>,
    dialog: Option<String>,
}

impl Fields {
    /// An object without fields.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Puts `value` at `path`; objects on the way are made.
    pub(crate) fn with(mut self, path: &str, value: impl Into<Value>) -> Self {
        put(&mut self.map, path, value.into());
        self
    }

    /// Refuses `field`. The first refusal is the one that is told.
    pub(crate) fn refuse(mut self, field: &str, reason: Reason) -> Self {
        self.refused.get_or_insert_with(|| Refused::new(field, reason));
        self
    }

    /// Refuses `field` unless `holds`.
    pub(crate) fn must(self, holds: bool, field: &str, reason: Reason) -> Self {
        if holds { self } else { self.refuse(field, reason) }
    }

    /// A text that must say something.
    pub(crate) fn filled(self, path: &str, text: &str) -> Self {
        self.must(!text.trim().is_empty(), path, Reason::Blank).with(path, text)
    }

    /// A text for a chat, at most [`Draft::MAX_CHARS`] long.
    pub(crate) fn words(self, path: &str, text: &Markup) -> Self {
        let (length, most) = (text.as_str().chars().count(), Draft::MAX_CHARS);
        self.must(length <= most, path, Reason::TooLong { length, most })
            .with(path, text.as_str())
    }

    /// A number within bounds, both included.
    pub(crate) fn number(self, path: &str, value: i64, least: i64, most: i64) -> Self {
        let holds = (least..=most).contains(&value);
        self.must(holds, path, Reason::OutOfRange { value, least, most })
            .with(path, value)
    }

    /// The number of a thing on the portal: 1 and more.
    pub(crate) fn id(self, path: &str, value: i64) -> Self {
        self.number(path, value, 1, i64::MAX)
    }

    /// Numbers of things on the portal, at least one.
    pub(crate) fn ids(mut self, path: &str, values: impl IntoIterator<Item = i64>) -> Self {
        let values: Vec<i64> = values.into_iter().collect();
        if let Some(value) = values.iter().copied().find(|value| *value < 1) {
            let (least, most) = (1, i64::MAX);
            self = self.refuse(path, Reason::OutOfRange { value, least, most });
        }
        self.must(!values.is_empty(), path, Reason::Empty).with(path, values)
    }

    /// `chatN`, or the number of the other user where `private` dialogs are allowed.
    pub(crate) fn dialog(self, path: &str, text: &str, private: bool) -> Self {
        let digits = |text: &str| !text.is_empty() && text.len() < 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        let group = text.strip_prefix("chat").is_some_and(digits);
        let (holds, form) = if private {
            (
                group || digits(text),
                "chat and a number (chat112), or the number of a user (27)",
            )
        } else {
            (group, "chat and a number (chat112); the method is for group chats")
        };
        self.must(holds, path, Reason::Form(form))
            .with(path, text)
            .in_dialog(text)
    }

    /// Keeps the order of this dialog, without naming it to the portal.
    pub(crate) fn in_dialog(mut self, text: &str) -> Self {
        self.dialog = Some(text.to_owned());
        self
    }

    /// The dialog whose order it keeps.
    pub(crate) fn order(&self) -> Option<&str> {
        self.dialog.as_deref()
    }

    /// `http://…`, `https://…`, or a path of the portal.
    pub(crate) fn address(self, path: &str, text: &str) -> Self {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let holds = match scheme.as_deref() {
            Some("http" | "https") => true,
            _ => text.starts_with('/'),
        };
        let form = Reason::Form("an http or https address, or a path of the portal that begins with /");
        self.must(holds, path, form).with(path, text)
    }

    /// `#RGB` or `#RRGGBB`.
    pub(crate) fn color(self, path: &str, text: &str) -> Self {
        let digits = text.strip_prefix('#').unwrap_or("");
        let holds = matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.must(holds, path, Reason::Form("a colour like #29619b"))
            .with(path, text)
    }

    /// Keeps a refusal made elsewhere.
    pub(crate) fn carry(mut self, refused: Refused) -> Self {
        self.refused.get_or_insert(refused);
        self
    }

    /// The value at `path`.
    pub(crate) fn get(&self, path: &str) -> Option<&Value> {
        let (first, rest) = path
            .split_once('.')
            .map_or((path, None), |(first, rest)| (first, Some(rest)));
        let value = self.map.get(first)?;
        rest.map_or(Some(value), |rest| {
            value.pointer(&format!("/{}", rest.replace('.', "/")))
        })
    }

    /// The text at `path`.
    pub(crate) fn str(&self, path: &str) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// The first refusal.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        self.refused.clone().map_or(Ok(()), Err)
    }

    /// The object as it stands.
    pub(crate) fn object(&self) -> &Map<String, Value> {
        &self.map
    }

    /// The object, by value.
    pub(crate) fn into_object(self) -> Map<String, Value> {
        self.map
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields")
            .field("map", &without_credentials(&self.map))
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

/// A copy fit to be seen: a new bot token is among the fields of `Bot.update`.
fn without_credentials(map: &Map<String, Value>) -> Map<String, Value> {
    let shown = |(name, value): (&String, &Value)| {
        let value = match value {
            _ if is_credential(name) => "***".into(),
            Value::Object(inner) => Value::Object(without_credentials(inner)),
            value => value.clone(),
        };
        (name.clone(), value)
    };
    map.iter().map(shown).collect()
}

/// Puts `value` at a dotted path; whatever stands in the way and is no object is replaced by one.
pub(crate) fn put(map: &mut Map<String, Value>, path: &str, value: Value) {
    let Some((first, rest)) = path.split_once('.') else {
        map.insert(path.to_owned(), value);
        return;
    };
    let inner = map.entry(first).or_insert_with(|| Value::Object(Map::new()));
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_land_at_their_paths() {
        let fields = Fields::new().with("a.b", 1).with("a.c", "x").with("d", true);
        assert_eq!(fields.get("a.b"), Some(&json!(1)));
        assert_eq!(fields.str("a.c"), Some("x"));
        assert_eq!(
            Value::Object(fields.into_object()),
            json!({ "a": { "b": 1, "c": "x" }, "d": true })
        );
    }

    #[test]
    fn the_first_refusal_is_told_with_its_path() {
        let inner = Fields::new().filled("NAME", " ").address("LINK", "ftp://x");
        let told = inner.check().unwrap_err().inside("fields.attach");
        let outer = Fields::new().carry(told).id("messageId", 0);
        assert_eq!(outer.check().unwrap_err().field(), "fields.attach.NAME");
    }

    #[test]
    fn a_token_is_not_seen() {
        let fields = Fields::new()
            .with("fields.botToken", "marker")
            .with("fields.code", "shown");
        let seen = format!("{fields:?}");
        assert!(!seen.contains("marker") && seen.contains("shown"), "{seen}");
    }

    #[test]
    fn addresses_colours_and_dialogs_have_a_form() {
        for address in ["https://example.com", "HTTP://example.com/a", "/crm/deal/5/"] {
            assert!(Fields::new().address("x", address).check().is_ok(), "{address}");
        }
        for address in [
            "",
            "javascript:alert(1)",
            "ftp://example.com",
            "example.com",
            "JAVASCRIPT://x",
        ] {
            assert!(Fields::new().address("x", address).check().is_err(), "{address}");
        }
        for (color, holds) in [
            ("#fff", true),
            ("#29619B", true),
            ("red", false),
            ("#12345", false),
            ("#ggg", false),
        ] {
            assert_eq!(Fields::new().color("x", color).check().is_ok(), holds, "{color}");
        }
        for (dialog, private, group) in [
            ("chat5", true, true),
            ("27", true, false),
            ("", false, false),
            ("chat", false, false),
            ("chat5x", false, false),
            ("-3", false, false),
            ("sg4", false, false),
        ] {
            assert_eq!(
                Fields::new().dialog("x", dialog, true).check().is_ok(),
                private,
                "{dialog}"
            );
            assert_eq!(
                Fields::new().dialog("x", dialog, false).check().is_ok(),
                group,
                "{dialog}"
            );
        }
    }
}
