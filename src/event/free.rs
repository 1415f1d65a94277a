//! Free-form data: what a portal, an application or a user put in without a fixed shape. Hides credentials whenever
//! it is printed or serialized.

use crate::types::{is_credential, revealing};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use std::fmt;

/// JSON data whose shape nobody promised. In a form body all leaves are text; in JSON they keep their types.
#[derive(Clone, PartialEq)]
pub struct FreeForm(Value);

impl FreeForm {
    /// The field of this name, if this is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// All of it, credentials included.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// Whether it is an object or a list without content, or null.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        }
    }
}

impl Default for FreeForm {
    fn default() -> Self {
        Self(Value::Object(serde_json::Map::new()))
    }
}

impl From<Value> for FreeForm {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl fmt::Debug for FreeForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_string(self) {
            Ok(text) => f.write_str(&text),
            Err(_) => f.write_str("FreeForm"),
        }
    }
}

impl Serialize for FreeForm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if revealing() {
            return self.0.serialize(serializer);
        }
        Redacted(&self.0).serialize(serializer)
    }
}

/// The value with `***` for whatever stands under a credential's name.
struct Redacted<'a>(&'a Value);

impl Serialize for Redacted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Self(item))?;
                }
                list.end()
            }
            Value::Object(fields) => {
                let mut object = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    // An empty value was cut out before and hides nothing.
                    if is_credential(name) && value != "" {
                        object.serialize_entry(name, "***")?;
                    } else {
                        object.serialize_entry(name, &Self(value))?;
                    }
                }
                object.end()
            }
            leaf => leaf.serialize(serializer),
        }
    }
}
