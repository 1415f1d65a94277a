//! JSON into the same arena, read by serde_json through a visitor. Owns the limits and the meaning of repeated keys.

use super::form::once;
use super::tree::{Format, ROOT, Tree, Value};
use super::{Limits, Refused};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

pub(super) fn read<'a>(body: &'a [u8], limits: &Limits) -> Result<Tree<'a>, Refused> {
    let mut reader = Reader {
        tree: Tree::new(body, Format::Json, (body.len() / 32).min(limits.max_pairs)),
        limits,
        values: 0,
        refused: None,
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let place = Place {
        reader: &mut reader,
        at: ROOT,
        depth: 0,
    };
    let done = place.deserialize(&mut json).and_then(|()| json.end());
    match (done, reader.refused) {
        (_, Some(refused)) => Err(refused),
        (Ok(()), None) => Ok(reader.tree),
        // Only the place: what serde_json says may quote the body.
        (Err(error), None) => Err(Refused::BadJson {
            line: error.line(),
            column: error.column(),
        }),
    }
}

struct Reader<'a, 'l> {
    tree: Tree<'a>,
    limits: &'l Limits,
    values: usize,
    /// Why reading stopped, where it was not the text's own fault.
    refused: Option<Refused>,
}

impl Reader<'_, '_> {
    fn refuse<E: Error>(&mut self, refused: Refused) -> E {
        self.refused = Some(refused);
        E::custom("refused")
    }
}

/// The entry that the next value belongs to, `depth` containers below the root.
struct Place<'r, 'a, 'l> {
    reader: &'r mut Reader<'a, 'l>,
    at: u32,
    depth: usize,
}

impl<'a, 'l> Place<'_, 'a, 'l> {
    fn scalar<E: Error>(self, value: Value<'a>) -> Result<(), E> {
        if self.at == ROOT {
            return Err(self.reader.refuse(Refused::NotAnObject));
        }
        self.reader.tree.replace(self.at, value);
        Ok(())
    }

    fn container<E: Error>(&mut self, value: Value<'a>) -> Result<(), E> {
        if self.at == ROOT && !matches!(value, Value::Object) {
            return Err(self.reader.refuse(Refused::NotAnObject));
        }
        if self.depth >= self.reader.limits.depth() {
            return Err(self.reader.refuse(Refused::TooDeep));
        }
        self.reader.tree.replace(self.at, value);
        Ok(())
    }

    fn below(&mut self, at: u32) -> Place<'_, 'a, 'l> {
        Place {
            reader: self.reader,
            at,
            depth: self.depth + 1,
        }
    }

    /// The entry of a key: new, or the one it replaces, with whether that one was a container.
    fn child<E: Error>(&mut self, name: Cow<'a, str>) -> Result<(u32, Option<bool>), E> {
        self.count()?;
        let tree = &mut self.reader.tree;
        match tree.find(self.at, &name) {
            None => Ok((tree.add(self.at, name, Value::Null), None)),
            Some(child) => match once(tree, self.at, &name) {
                Some(key) => Err(self.reader.refuse(Refused::RepeatedKey(key))),
                None => Ok((child, Some(tree.entry(child).is_container()))),
            },
        }
    }

    fn count<E: Error>(&mut self) -> Result<(), E> {
        self.reader.values += 1;
        if self.reader.values > self.reader.limits.max_pairs {
            return Err(self.reader.refuse(Refused::TooManyPairs));
        }
        Ok(())
    }
}

impl<'a> DeserializeSeed<'a> for Place<'_, 'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Place<'_, 'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.scalar(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'a str) -> Result<(), E> {
        self.scalar(Value::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.scalar(Value::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.container(Value::List)?;
        while let Some(()) = items.next_element_seed(Item { list: &mut self })? {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.container(Value::Object)?;
        while let Some(name) = fields.next_key_seed(Name)? {
            let (at, was_container) = self.child(name)?;
            fields.next_value_seed(self.below(at))?;
            let is_container = self.reader.tree.entry(at).is_container();
            if self.at == ROOT && was_container.is_some_and(|was| was != is_container) {
                return Err(self.reader.refuse(Refused::ConflictingKey));
            }
        }
        Ok(())
    }
}

/// The next item of a list; serde_json asks for it only if there is one.
struct Item<'p, 'r, 'a, 'l> {
    list: &'p mut Place<'r, 'a, 'l>,
}

impl<'a> DeserializeSeed<'a> for Item<'_, '_, 'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        self.list.count()?;
        let at = self.list.reader.tree.add(self.list.at, Cow::Borrowed(""), Value::Null);
        self.list.below(at).deserialize(deserializer)
    }
}

/// A key: borrowed unless it is written with escapes.
struct Name;

impl<'a> DeserializeSeed<'a> for Name {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Name {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'a str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
