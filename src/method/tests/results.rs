//! Every documented field of a result is read and written again; what is documented nowhere is not.

use super::samples::samples;
use super::{documented, list, text};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

type Reread = fn(Value) -> Result<Value, String>;

fn rereaders() -> BTreeMap<&'static str, Reread> {
    samples()
        .into_iter()
        .map(|sample| (sample.entry.name, sample.reply))
        .collect()
}

/// How a result is made up from its documentation.
#[derive(Clone, Copy, PartialEq)]
enum Fill {
    /// Every field has a value.
    Full,
    /// `null` and `false` where they are documented, optional fields left out.
    Bare,
}

/// A result with every documented field; each leaf has a value of its own, so that swapped fields are noticed.
fn made_up(method: &Value, fill: Fill) -> Value {
    let mut root = json!({});
    for (number, field) in (1_i64..).zip(list(&method["result"])) {
        let path = text(&field["path"]);
        let note = field["note"].as_str().unwrap_or("");
        let optional = ["may be absent", "optional", "present only"]
            .iter()
            .any(|word| note.contains(word));
        if fill == Fill::Bare && optional {
            continue;
        }
        let value = match leaf(text(&field["type"]), number, fill) {
            _ if fill == Fill::Bare && field["nullable"] == json!(true) => Value::Null,
            value => value,
        };
        place(&mut root, path, value);
    }
    root["result"].take()
}

fn leaf(kind: &str, number: i64, fill: Fill) -> Value {
    match kind {
        "integer" => json!(number),
        "integer[]" => json!([number]),
        "boolean" => json!(true),
        "string|false" | "object|false" if fill == Fill::Bare => json!(false),
        "object|false" => json!({ "key": number }),
        "string" | "datetime" | "string|false" | "string Y|N" | "string (JSON text)" | "string with leading slash" => {
            json!(format!("text {number}"))
        }
        "object" if fill == Fill::Bare => json!({}),
        "object" | "object|string" | "object {uuid: integer}" => json!({ "key": number }),
        "Bot" | "Chat" | "Message" | "User" | "File" | "Command" => json!({}),
        list if list.ends_with("[]") => json!([]),
        other => panic!("a new type in the documentation: {other}"),
    }
}

/// Puts a value at `result.users[].id`; a list gets one entry.
fn place(root: &mut Value, path: &str, value: Value) {
    let mut spot = root;
    for part in path.split('.') {
        let (name, listed) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        if !spot.is_object() {
            *spot = json!({});
        }
        // An object that was only a placeholder gives way to its documented fields.
        spot.as_object_mut().unwrap().remove("key");
        spot = spot.as_object_mut().unwrap().entry(name).or_insert(Value::Null);
        if listed {
            if spot.as_array().is_none_or(Vec::is_empty) {
                *spot = json!([{}]);
            }
            spot = &mut spot[0];
        }
    }
    *spot = value;
}

/// The same, with an unknown field in every documented object.
fn with_strangers(method: &Value, result: &Value) -> Vec<Value> {
    let paths: Vec<&str> = list(&method["result"])
        .iter()
        .map(|field| text(&field["path"]))
        .collect();
    let mut parents: Vec<&str> = paths.iter().filter_map(|path| Some(path.rsplit_once('.')?.0)).collect();
    parents.sort_unstable();
    parents.dedup();
    let strange = |parent: &&str| {
        let mut wrapped = json!({ "result": result });
        place(&mut wrapped, &format!("{parent}.stranger"), json!(1));
        wrapped["result"].take()
    };
    parents.iter().map(strange).collect()
}

#[test]
fn every_example_comes_back_whole() {
    let rereaders = rereaders();
    for method in documented() {
        let name = text(&method["name"]);
        let result = &method["example_response"]["result"];
        assert_eq!(rereaders[name](result.clone()).as_ref(), Ok(result), "{name}");
    }
}

#[test]
fn every_documented_field_comes_back_full_and_bare() {
    let rereaders = rereaders();
    for method in documented() {
        let name = text(&method["name"]);
        for fill in [Fill::Full, Fill::Bare] {
            let result = made_up(&method, fill);
            assert_eq!(rereaders[name](result.clone()), Ok(result), "{name}");
        }
    }
}

#[test]
fn a_field_that_no_type_has_does_not_come_back() {
    // This is what makes the two tests above notice a field that is taken out of a type.
    let rereaders = rereaders();
    for method in documented() {
        let name = text(&method["name"]);
        for result in with_strangers(&method, &made_up(&method, Fill::Full)) {
            let again = rereaders[name](result.clone()).unwrap();
            assert_ne!(again, result, "{name}");
        }
    }
}

#[test]
fn a_made_up_result_holds_every_documented_path() {
    for method in documented() {
        let result = json!({ "result": made_up(&method, Fill::Full) });
        for field in list(&method["result"]) {
            let pointer = format!("/{}", text(&field["path"]).replace("[]", ".0").replace('.', "/"));
            assert!(result.pointer(&pointer).is_some(), "{} {pointer}", method["name"]);
        }
    }
}

#[test]
fn empty_maps_may_come_as_lists() {
    fn listed(value: &Value) -> Value {
        match value {
            Value::Object(map) if map.is_empty() => json!([]),
            Value::Object(map) => Value::Object(map.iter().map(|(key, value)| (key.clone(), listed(value))).collect()),
            Value::Array(all) => all.iter().map(listed).collect(),
            other => other.clone(),
        }
    }
    let rereaders = rereaders();
    let mut changed = 0;
    for method in documented() {
        let name = text(&method["name"]);
        for result in [
            made_up(&method, Fill::Bare),
            method["example_response"]["result"].clone(),
        ] {
            let php = listed(&result);
            changed += usize::from(php != result);
            assert_eq!(rereaders[name](php), Ok(result), "{name}");
        }
    }
    assert!(changed >= 5, "{changed} results have empty maps");
}

#[test]
fn the_methods_beside_the_documented_ones_answer_true() {
    let rereaders = rereaders();
    for name in ["operator", "transfer", "finish", "message.send"] {
        let name = format!("imopenlines.bot.session.{name}");
        assert_eq!(rereaders[name.as_str()](json!(true)), Ok(json!(true)));
    }
    let done = json!({ "result": true });
    assert_eq!(rereaders["im.v2.Chat.Bot.sendContext"](done.clone()), Ok(done));
}

#[test]
fn fields_that_an_older_portal_lacks_do_not_cost_the_reply() {
    let rereaders = rereaders();
    let bare = Map::from_iter([("chat".to_owned(), json!({ "id": 5 }))]);
    let again = rereaders["imbot.v2.Chat.get"](Value::Object(bare)).unwrap();
    assert_eq!(again["chat"]["id"], 5);
    assert!(
        rereaders["imbot.v2.Chat.get"](json!({})).is_err(),
        "a reply without its chat is none"
    );
}
