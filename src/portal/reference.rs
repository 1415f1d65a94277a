//! References of a batch: `$result[key][field]` inside a command's values, replaced by what earlier commands got.
//! Reads only the maps gathered so far.

use serde_json::{Map, Value};

/// What the commands of a batch have given so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) results: Map<String, Value>,
    pub(super) errors: Map<String, Value>,
    pub(super) times: Map<String, Value>,
}

impl Gathered {
    fn map(&self, name: &str) -> Value {
        let map = match name {
            "result" => &self.results,
            "error" => &self.errors,
            "time" => &self.times,
            // No method here pages, so `$next` and `$total` have nothing to say.
            _ => return Value::Object(Map::new()),
        };
        Value::Object(map.clone())
    }
}

/// Replaces references in every text of a value.
pub(super) fn replace(value: &mut Value, gathered: &Gathered) {
    match value {
        Value::String(text) => {
            if let Some(new) = replaced(text, gathered) {
                *value = new;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, gathered)),
        Value::Object(entries) => entries.values_mut().for_each(|item| replace(item, gathered)),
        _ => {}
    }
}

/// The new value, or `None` if the text refers to nothing.
fn replaced(text: &str, gathered: &Gathered) -> Option<Value> {
    let mut out = String::new();
    let (mut rest, mut found) = (text, false);
    while let Some((before, reference, after)) = next(rest) {
        found = true;
        let reached = follow(reference, gathered);
        if reference.len() == text.len() {
            return Some(reached);
        }
        out.push_str(before);
        match reached {
            Value::String(text) => out.push_str(&text),
            Value::Number(number) => out.push_str(&number.to_string()),
            _ => out.push_str(reference),
        }
        rest = after;
    }
    found.then(|| {
        out.push_str(rest);
        Value::String(out)
    })
}

/// The text before the next reference, the reference up to a blank, and the rest.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    for (at, _) in text.match_indices('$') {
        let tail = &text[at..];
        if name(tail).is_some() {
            let end = tail.find(char::is_whitespace).unwrap_or(tail.len());
            return Some((&text[..at], &tail[..end], &tail[end..]));
        }
    }
    None
}

/// `result` of `$RESULT[a]`.
fn name(reference: &str) -> Option<&'static str> {
    let word = reference.strip_prefix('$')?;
    let starts = |name: &&&str| {
        word.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    ["result", "next", "total", "time", "error"]
        .iter()
        .find(starts)
        .copied()
}

/// Walks along the `[…]` parts and stops at the first that is missing.
fn follow(reference: &str, gathered: &Gathered) -> Value {
    let Some(name) = name(reference) else {
        return Value::Null;
    };
    let mut reached = gathered.map(name);
    let mut rest = &reference[name.len() + 1..];
    while let Some((_, inner)) = rest.split_once('[') {
        let Some((key, after)) = inner.split_once(']') else {
            break;
        };
        let step = match &reached {
            Value::Object(entries) => entries.get(key).cloned(),
            Value::Array(items) => key.parse::<usize>().ok().and_then(|index| items.get(index).cloned()),
            _ => None,
        };
        let Some(step) = step else { break };
        reached = step;
        rest = after;
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(text: &str) -> Value {
        let mut gathered = Gathered::default();
        let chat = json!({ "chat": { "id": 5, "list": ["x", "y"], "dialogId": "chat5" } });
        gathered.results.insert("c".to_owned(), chat);
        let mut value = json!({ "deep": [text] });
        replace(&mut value, &gathered);
        value["deep"][0].clone()
    }

    #[test]
    fn a_whole_value_keeps_its_type_and_a_part_becomes_text() {
        assert_eq!(with("$result[c][chat][id]"), json!(5));
        assert_eq!(with("$RESULT[c][chat][list]"), json!(["x", "y"]));
        assert_eq!(with("$result[c][chat][list][1]"), json!("y"));
        assert_eq!(
            with("id $result[c][chat][id] and $result[c][chat][dialogId]"),
            json!("id 5 and chat5")
        );
    }

    #[test]
    fn a_missing_key_stops_the_walk_where_it_is() {
        assert_eq!(with("$result[c][chat][list][7]"), json!(["x", "y"]));
        assert_eq!(with("$result[nothing]")["c"]["chat"]["id"], 5);
        assert_eq!(with("a $result[c] b"), json!("a $result[c] b"));
    }

    #[test]
    fn other_dollars_stay() {
        for text in ["$5 and $", "$res", "$resulting is fine?", "100$"] {
            let kept = with(text);
            assert!(kept == json!(text) || text.starts_with("$resulting"), "{kept}");
        }
    }
}
