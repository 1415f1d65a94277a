//! What a REST request says: its parameters, read from query and body as PHP reads them. Judges none of them.
//! Its own reader of bracket keys, apart from the server under test.

use super::multipart;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// PHP's `max_input_nesting_level`: pairs with deeper keys are dropped.
const MAX_DEPTH: usize = 64;

/// The parameters of a request: the query, overridden by the body. `media` is the content type as sent.
/// A JSON body that cannot be read, or is no object, counts as no parameters, silently: the real one does the same.
pub(super) fn read(query: &str, media: &str, body: &[u8]) -> Map<String, Value> {
    let mut params = form(query.as_bytes());
    let whole_media = media;
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let from_body = match media.as_str() {
        "application/json" => match serde_json::from_slice(body) {
            Ok(Value::Object(entries)) => entries,
            _ => Map::new(),
        },
        "multipart/form-data" => tree(multipart::fields(whole_media, body)),
        _ => form(body),
    };
    params.extend(from_body);
    params
}

/// The variables of a query string, at most so many.
pub(super) fn query(text: &str, most: usize) -> Map<String, Value> {
    tree(pairs(text.as_bytes()).take(most))
}

/// The commands of a batch with their keys, in the order in which they were written: a map has lost it.
pub(super) fn commands(from_query: &str, media: &str, body: &[u8]) -> Vec<(String, Value)> {
    let kind = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let found = match kind.as_str() {
        "application/json" => serde_json::from_slice::<Outer>(body)
            .map(|outer| outer.0)
            .unwrap_or_default(),
        "multipart/form-data" => listed(multipart::fields(media, body)),
        _ => listed(pairs(body)),
    };
    if found.is_empty() {
        listed(pairs(from_query.as_bytes()))
    } else {
        found
    }
}

/// `cmd[key]=…` in order; `cmd[]` counts on.
fn listed(pairs: impl Iterator<Item = (String, String)>) -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> = Vec::new();
    for (key, value) in pairs {
        let Some(path) = path(&key) else { continue };
        let [base, name] = path[..] else { continue };
        if !base.eq_ignore_ascii_case("cmd") {
            continue;
        }
        let counted = found.iter().filter_map(|(key, _)| key.parse::<u64>().ok()).max();
        let name = match name {
            "" => counted.map_or(0, |last| last + 1).to_string(),
            name => name.to_owned(),
        };
        found.retain(|(key, _)| *key != name);
        found.push((name, Value::String(value)));
    }
    found
}

/// `{"cmd": …}` of a JSON body with the order of its keys.
struct Outer(Vec<(String, Value)>);

/// A map or list as pairs in their order.
struct Ordered(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Outer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Outer;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outer, A::Error> {
                let mut found = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key.eq_ignore_ascii_case("cmd") {
                        found = map.next_value::<Ordered>()?.0;
                    } else {
                        map.next_value::<Value>()?;
                    }
                }
                Ok(Outer(found))
            }
        }
        from.deserialize_map(Keys)
    }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Ordered;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map or a list")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut found = Vec::new();
                while let Some(pair) = map.next_entry::<String, Value>()? {
                    found.push(pair);
                }
                Ok(Ordered(found))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ordered, A::Error> {
                let mut found = Vec::new();
                while let Some(value) = list.next_element::<Value>()? {
                    found.push((found.len().to_string(), value));
                }
                Ok(Ordered(found))
            }
        }
        from.deserialize_any(Pairs)
    }
}

fn form(input: &[u8]) -> Map<String, Value> {
    tree(pairs(input))
}

fn pairs(input: &[u8]) -> impl Iterator<Item = (String, String)> {
    let pairs = input.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let key = decode(halves.next().unwrap_or_default());
        (key, decode(halves.next().unwrap_or_default()))
    })
}

fn tree(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut root = Map::new();
    for (key, value) in pairs {
        if let Some(path) = path(&key) {
            insert(&mut root, &path, value);
        }
    }
    root.into_iter().map(|(key, value)| (key, lists(value))).collect()
}

fn decode(input: &[u8]) -> String {
    let digit = |at: usize| input.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(input.len());
    let mut at = 0;
    while let Some(byte) = input.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `a[b][]` as `["a", "b", ""]`; `None` for a key that PHP would not make an array of, or too deep.
fn path(key: &str) -> Option<Vec<&str>> {
    let (base, mut rest) = match key.find('[') {
        Some(at) => key.split_at(at),
        None => (key, ""),
    };
    if base.is_empty() {
        return None;
    }
    let mut path = vec![base];
    while let Some(inner) = rest.strip_prefix('[') {
        let (segment, after) = inner.split_once(']')?;
        path.push(segment);
        rest = after;
    }
    (path.len() <= MAX_DEPTH).then_some(path)
}

/// Sets the value at the path; a scalar in the way is replaced, as the last one wins.
fn insert(map: &mut Map<String, Value>, path: &[&str], value: String) {
    let Some((segment, deeper)) = path.split_first() else {
        return;
    };
    let key = if segment.is_empty() {
        next_index(map)
    } else {
        (*segment).to_owned()
    };
    if deeper.is_empty() {
        map.insert(key, Value::String(value));
        return;
    }
    let slot = map.entry(key).or_insert(Value::Null);
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    if let Value::Object(inner) = slot {
        insert(inner, deeper, value);
    }
}

fn next_index(map: &Map<String, Value>) -> String {
    let highest = map.keys().filter_map(|key| key.parse::<u64>().ok()).max();
    highest.map_or(0, |index| index.saturating_add(1)).to_string()
}

/// A map whose keys are exactly 0..n-1 is a list.
fn lists(value: Value) -> Value {
    let Value::Object(mut entries) = value else {
        return value;
    };
    let is_list = !entries.is_empty() && (0..entries.len()).all(|index| entries.contains_key(&index.to_string()));
    if !is_list {
        return entries.into_iter().map(|(key, item)| (key, lists(item))).collect();
    }
    (0..entries.len())
        .filter_map(|index| entries.remove(&index.to_string()))
        .map(lists)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(query: &str, media: &str, body: &str) -> Value {
        Value::Object(super::read(query, media, body.as_bytes()))
    }

    #[test]
    fn a_body_overrides_the_query_key_by_key() {
        assert_eq!(
            read("botId=1&x=2", "application/json; charset=utf-8", r#"{"botId":3}"#),
            json!({ "botId": 3, "x": "2" })
        );
        assert_eq!(
            read("botId=1&x=2", "application/x-www-form-urlencoded", "botId=3"),
            json!({ "botId": "3", "x": "2" })
        );
    }

    #[test]
    fn bad_json_counts_as_no_parameters_without_complaint() {
        for body in ["{", "[1]", "\"x\"", "botId=1", ""] {
            assert_eq!(read("a=1", "application/json", body), json!({ "a": "1" }), "{body}");
        }
    }

    #[test]
    fn brackets_make_maps_and_lists() {
        assert_eq!(
            read(
                "",
                "",
                "f%5Bk%5D[0][T]=a+b%26c&f[k][1][T]=%F0%9F%99%82&f[m]=x&n[]=1&n[]=2&p[1]=y"
            ),
            json!({
                "f": { "k": [{ "T": "a b&c" }, { "T": "🙂" }], "m": "x" },
                "n": ["1", "2"],
                "p": { "1": "y" },
            })
        );
    }

    #[test]
    fn commands_keep_their_order_in_every_shape() {
        let keys = |media: &str, body: &str| -> Vec<String> {
            let found = commands("cmd[q]=x", media, body.as_bytes());
            found.into_iter().map(|(key, _)| key).collect()
        };
        let json = "application/json; charset=utf-8";
        assert_eq!(
            keys(json, r#"{"halt":0,"CMD":{"b":"x","a":"y","10":1}}"#),
            ["b", "a", "10"]
        );
        assert_eq!(keys(json, r#"{"cmd":["x","y"]}"#), ["0", "1"]);
        assert_eq!(keys("", "cmd[b]=x&cmd[]=y&cmd[a]=z&cmd[]=w"), ["b", "0", "a", "1"]);
        for nothing in ["{", "[]", r#"{"cmd":"x"}"#] {
            assert_eq!(keys(json, nothing), ["q"], "{nothing}");
        }
    }

    #[test]
    fn odd_keys_do_no_harm() {
        let deep = format!("a{}=1", "[b]".repeat(100_000));
        assert_eq!(read("", "", &deep), json!({}));
        assert_eq!(
            read("", "", "[x]=1&a[=2&=3&&b&c=%zz&c2=%4&d[e]f=1&g=1&g[h]=2"),
            json!({ "b": "", "c": "%zz", "c2": "%4", "d": { "e": "1" }, "g": { "h": "2" } })
        );
    }
}
