//! Shapes that PHP gives to JSON: an empty map as `[]`, a value or `false`. Owns how they are read; knows no method.

use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// A value, or `false` where the portal has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OrFalse<T> {
    /// `false`: there is none.
    #[default]
    No,
    /// The value.
    Is(T),
}

impl<T> OrFalse<T> {
    /// The value, if there is one.
    pub const fn get(&self) -> Option<&T> {
        match self {
            Self::No => None,
            Self::Is(value) => Some(value),
        }
    }
}

impl<T: Serialize> Serialize for OrFalse<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::No => serializer.serialize_bool(false),
            Self::Is(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for OrFalse<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match unlisted(Value::deserialize(deserializer)?) {
            Value::Bool(false) => Ok(Self::No),
            value => serde_json::from_value(value).map(Self::Is).map_err(D::Error::custom),
        }
    }
}

/// PHP cannot tell an empty map from an empty list and writes `[]` for both.
fn unlisted(value: Value) -> Value {
    match value {
        Value::Array(entries) if entries.is_empty() => Value::Object(Map::new()),
        value => value,
    }
}

/// A map that may arrive as `[]` or `null`.
pub(super) fn map<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    match unlisted(Value::deserialize(deserializer)?) {
        Value::Null => Ok(T::default()),
        value => serde_json::from_value(value).map_err(D::Error::custom),
    }
}

/// A map that may be absent or `null`, or arrive as `[]`.
pub(super) fn some_map<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    match unlisted(Value::deserialize(deserializer)?) {
        Value::Null => Ok(None),
        value => serde_json::from_value(value).map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Default, Deserialize, Serialize)]
    #[serde(default)]
    struct Shapes {
        #[serde(deserialize_with = "map")]
        map: BTreeMap<String, i64>,
        #[serde(deserialize_with = "some_map")]
        some: Option<Map<String, Value>>,
        phones: OrFalse<Map<String, Value>>,
        idle: OrFalse<String>,
    }

    #[test]
    fn an_empty_list_is_an_empty_map() {
        let read: Shapes = serde_json::from_value(json!({ "map": [], "some": [], "phones": [], "idle": "x" })).unwrap();
        assert_eq!(read.map, BTreeMap::new());
        assert_eq!(read.some, Some(Map::new()));
        assert_eq!(read.phones, OrFalse::Is(Map::new()));
        assert_eq!(read.idle.get().map(String::as_str), Some("x"));
        assert!(serde_json::from_value::<Shapes>(json!({ "map": [1] })).is_err());
    }

    #[test]
    fn false_and_null_are_nothing_and_come_back() {
        let json = json!({ "map": { "a": 1 }, "some": null, "phones": false, "idle": false });
        let read: Shapes = serde_json::from_value(json.clone()).unwrap();
        assert_eq!((read.idle.get(), &read.some), (None, &None));
        assert_eq!(serde_json::to_value(&read).unwrap(), json);
    }
}
