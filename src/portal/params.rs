//! What a REST request says: its parameters, read from query and body as PHP reads them. Judges none of them.
//! Its own reader of bracket keys, apart from the server under test.

use serde_json::{Map, Value};

/// PHP's `max_input_nesting_level`: pairs with deeper keys are dropped.
const MAX_DEPTH: usize = 64;

/// The parameters of a request: the query, overridden by the body. `media` is the content type as sent.
/// A JSON body that cannot be read, or is no object, counts as no parameters, silently: the real one does the same.
pub(super) fn read(query: &str, media: &str, body: &[u8]) -> Map<String, Value> {
    let mut params = form(query.as_bytes());
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let from_body = match media.as_str() {
        "application/json" => match serde_json::from_slice(body) {
            Ok(Value::Object(entries)) => entries,
            _ => Map::new(),
        },
        // Files come only with methods that do not exist here yet.
        "multipart/form-data" => Map::new(),
        _ => form(body),
    };
    params.extend(from_body);
    params
}

fn form(input: &[u8]) -> Map<String, Value> {
    let mut root = Map::new();
    for pair in input.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let key = decode(halves.next().unwrap_or_default());
        let value = decode(halves.next().unwrap_or_default());
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
    fn odd_keys_do_no_harm() {
        let deep = format!("a{}=1", "[b]".repeat(100_000));
        assert_eq!(read("", "", &deep), json!({}));
        assert_eq!(
            read("", "", "[x]=1&a[=2&=3&&b&c=%zz&c2=%4&d[e]f=1&g=1&g[h]=2"),
            json!({ "b": "", "c": "%zz", "c2": "%4", "d": { "e": "1" }, "g": { "h": "2" } })
        );
    }
}
