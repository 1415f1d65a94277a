//! Every documented parameter has its setter, at its path, of its type, in JSON and in a batch.

use super::super::*;
use super::samples::{Sample, samples};
use super::{at, documentation, documented, list, text};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Beside the documented 40: what an open-line bot cannot do without, and a tool for trying contexts.
const BESIDE: [&str; 5] = [
    "imopenlines.bot.session.operator",
    "imopenlines.bot.session.transfer",
    "imopenlines.bot.session.finish",
    "imopenlines.bot.session.message.send",
    "im.v2.Chat.Bot.sendContext",
];

/// The call as it is sent: with the bot's number and token.
fn addressed(sample: &Sample) -> Value {
    let mut params = sample.params.clone();
    sample.entry.address.put_bot(&mut params, 456);
    sample.entry.address.put_token(&mut params, "tok");
    Value::Object(params)
}

/// Documented parameters of a method for which `calls` hold no value of the documented type.
fn uncovered(method: &Value, calls: &[Value]) -> Vec<String> {
    list(&method["params"])
        .iter()
        .filter(|param| {
            let values = calls.iter().filter_map(|call| at(call, text(&param["path"])));
            let mut fitting = values.filter(|value| fits(value, text(&param["type"])));
            fitting.next().is_none()
        })
        .map(|param| format!("{} {}", text(&method["name"]), text(&param["path"])))
        .collect()
}

fn fits(value: &Value, kind: &str) -> bool {
    match kind {
        "string" | "file" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "string|null" => value.is_string() || value.is_null(),
        "integer[]" => value.as_array().is_some_and(|all| all.iter().all(Value::is_i64)),
        "array|object" | "array|object|string" | "array|object|\"N\"" => value.is_array() || value.is_object(),
        "object" | "object {lang: text}" | "object {uuid: messageId}" => value.is_object(),
        other => panic!("a new type in the documentation: {other}"),
    }
}

fn by_method() -> BTreeMap<&'static str, Vec<Sample>> {
    let mut all: BTreeMap<_, Vec<Sample>> = BTreeMap::new();
    for sample in samples() {
        all.entry(sample.entry.name).or_default().push(sample);
    }
    all
}

#[test]
fn the_list_holds_the_documented_methods_and_five_more() {
    let documented = documented();
    let names: Vec<&str> = documented.iter().map(|method| text(&method["name"])).collect();
    assert_eq!(names.len(), 40);
    let listed: BTreeSet<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
    assert_eq!(listed, names.into_iter().chain(BESIDE).collect());
    let sampled: BTreeSet<&str> = by_method().into_keys().collect();
    assert_eq!(sampled, listed, "every method has a sample");
}

#[test]
fn every_setter_writes_what_the_portal_reads() {
    for sample in samples() {
        assert_eq!(Value::Object(sample.params), sample.expected, "{}", sample.entry.name);
        assert_eq!(sample.refused, None, "{}", sample.entry.name);
    }
}

#[test]
fn every_documented_parameter_can_be_set_and_no_other() {
    let all = by_method();
    for method in documented() {
        let name = text(&method["name"]);
        let calls: Vec<Value> = all[name].iter().map(addressed).collect();
        assert_eq!(uncovered(&method, &calls), Vec::<String>::new());

        let paths: BTreeSet<&str> = list(&method["params"])
            .iter()
            .map(|param| text(&param["path"]))
            .collect();
        let inner = |path: &str| paths.iter().any(|other| other.starts_with(&format!("{path}.")));
        let leaves: BTreeSet<&str> = paths.iter().copied().filter(|path| !inner(path)).collect();
        let entry = all[name][0].entry;
        let placed = entry.address.bot_path().into_iter().chain(entry.address.token_path());
        assert_eq!(
            entry.params.iter().copied().chain(placed).collect::<BTreeSet<_>>(),
            leaves,
            "{name}"
        );
    }
}

#[test]
fn a_setter_that_is_missing_is_noticed() {
    let all = by_method();
    for method in documented() {
        let calls: Vec<Value> = all[text(&method["name"])].iter().map(addressed).collect();
        for param in list(&method["params"]) {
            let path = text(&param["path"]);
            let without: Vec<Value> = calls.iter().map(|call| removed(call, path)).collect();
            assert!(!uncovered(&method, &without).is_empty(), "{} {path}", method["name"]);
        }
    }
}

fn removed(call: &Value, path: &str) -> Value {
    let (inner, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut call = call.clone();
    let pointer = if inner.is_empty() {
        String::new()
    } else {
        format!("/{}", inner.replace('.', "/"))
    };
    if let Some(Value::Object(map)) = call.pointer_mut(&pointer) {
        map.remove(last);
    }
    call
}

#[test]
fn every_parameter_survives_a_batch() {
    for sample in samples() {
        let Value::Object(params) = addressed(&sample) else {
            panic!("an object")
        };
        let command = batch_command(sample.entry.name, &params);
        let (name, query) = command.split_once('?').unwrap_or((&command, ""));
        assert_eq!(name, sample.entry.name);
        assert!(!query.contains(['#', ' ', '+']), "{query}");
        let read: BTreeMap<String, String> = query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
        let mut expected = BTreeMap::new();
        flatten("", &Value::Object(params), &mut expected);
        assert_eq!(read, expected, "{}", sample.entry.name);
    }
}

/// `a[b]=c%20d` as ("a.b", "c d").
fn pair(pair: &str) -> (String, String) {
    let (path, value) = pair.split_once('=').unwrap();
    (path.replace('[', ".").replace(']', ""), percent_decoded(value))
}

fn percent_decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

fn flatten(path: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    let inside = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::Array(_) | Value::Object(_) if path == "fields.keyboard" => {
            out.insert(path.to_owned(), value.to_string());
        }
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| flatten(&inside(name), value, out)),
        Value::Array(all) => (0..)
            .zip(all)
            .for_each(|(at, value): (usize, _)| flatten(&inside(&at.to_string()), value, out)),
        Value::Null => {}
        Value::Bool(yes) => drop(out.insert(path.to_owned(), if *yes { "Y" } else { "N" }.to_owned())),
        Value::String(text) => drop(out.insert(path.to_owned(), text.clone())),
        Value::Number(number) => drop(out.insert(path.to_owned(), number.to_string())),
    }
}

#[test]
fn closed_sets_of_words_are_the_documented_ones() {
    fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> BTreeSet<&'static str> {
        all.iter().map(|one| word(*one)).collect()
    }
    for method in documented() {
        for param in list(&method["params"]) {
            let Some(allowed) = param["allowed"].as_array().filter(|_| param["type"] != "boolean") else {
                continue;
            };
            let known = match text(&param["name"]) {
                // Checked by form, not by word.
                "dialogId" | "templateId" => continue,
                "urlPreview" => BTreeSet::from(["Y", "N"]),
                "color" => words(Color::ALL, Color::as_str),
                "gender" => words(Gender::ALL, Gender::as_str),
                "type" if text(&param["path"]).starts_with("filter") => {
                    let listed = words(BotType::ALL, BotType::as_str);
                    listed.into_iter().filter(|word| *word != "network").collect()
                }
                "type" => words(BotType::ALL, BotType::as_str),
                "eventMode" => words(EventMode::ALL, EventMode::as_str),
                "backgroundId" => words(Background::ALL, Background::as_str),
                "statusMessageCode" => words(AgentAction::ALL, AgentAction::as_str),
                "reaction" => words(Reaction::ALL, Reaction::as_str),
                _ if text(&param["path"]).starts_with("order.") => words(Direction::ALL, Direction::as_str),
                other => panic!("a new set of words in the documentation: {other}"),
            };
            assert_eq!(
                known,
                allowed.iter().map(text).collect(),
                "{} {}",
                method["name"],
                param["path"]
            );
        }
    }
}

#[test]
fn reads_repeats_and_batches_are_as_documented() {
    for method in documented() {
        let name = text(&method["name"]);
        let entry = find(name).unwrap();
        let idempotency = text(&method["idempotency"]);
        assert_eq!(
            entry.read,
            idempotency == "read" || idempotency.starts_with("read ("),
            "{name}"
        );
        let expected = match idempotency {
            some if some.contains("templateId") => Repeat::ByTemplate,
            none if none.starts_with("none") => Repeat::Never,
            _ => Repeat::Harmless,
        };
        assert_eq!(entry.repeat, expected, "{name}: {idempotency}");
        let batchable = text(&method["batchable"]);
        assert_eq!(
            entry.batch,
            batchable.starts_with("yes") || batchable.starts_with("only"),
            "{name}"
        );
    }
}

#[test]
fn a_repeat_is_judged_by_call_and_not_only_by_method() {
    assert_eq!(MessageSend::new("27", "x").repeat(), Repeat::ByTemplate);
    assert_eq!(MessageSend::new("27", "x").system().repeat(), Repeat::Never);
    assert_eq!(BotUpdate::new().name("x").repeat(), Repeat::Harmless);
    let rotation = BotUpdate::new().new_token(&crate::types::Secret::new("x"));
    assert_eq!(
        rotation.repeat(),
        Repeat::Never,
        "the old token is dead after the first"
    );
    for sample in samples() {
        assert!(
            sample.repeat == sample.entry.repeat || sample.repeat == Repeat::Never,
            "{}",
            sample.entry.name
        );
    }
}

#[test]
fn a_call_keeps_the_order_of_its_dialog() {
    for sample in samples() {
        let named = sample.expected.get("dialogId").map(|dialog| text(dialog).to_owned());
        let expected = match sample.entry.name {
            line if line.starts_with("imopenlines") => Some("chat112".to_owned()),
            _ => named,
        };
        let free = sample.expected.get("messageId").is_some() && expected.is_none();
        assert!(free || sample.dialog == expected, "{}", sample.entry.name);
    }
    assert_eq!(MessageUpdate::new(1).in_dialog("chat5").dialog(), Some("chat5"));
    assert_eq!(MessageDelete::new(1).in_dialog("chat5").dialog(), Some("chat5"));
    assert_eq!(ReactionAdd::new(1, Reaction::Like).in_dialog("27").dialog(), Some("27"));
}

#[test]
fn the_deprecated_method_is_the_documented_one() {
    let documented = documented();
    let old = documented.iter().filter(|method| method["deprecated"] == json!(true));
    let old: Vec<&str> = old.map(|method| text(&method["name"])).collect();
    assert_eq!(old, ["imbot.chat.user.list"]);
    let successor = documentation("imbot.v2.Chat.User.list");
    assert!(find(text(&successor["name"])).is_some_and(|entry| entry.read));
}

#[test]
fn the_list_in_the_documentation_names_every_type_method_and_kind() {
    let card = include_str!("../mod.rs");
    for entry in CATALOGUE {
        let row = card
            .lines()
            .find(|line| line.contains(&format!("| `{}` |", entry.name)));
        let cells: Vec<&str> = row
            .unwrap_or_else(|| panic!("{} has a row", entry.name))
            .split('|')
            .map(str::trim)
            .collect();
        assert_eq!(cells[4] == "R", entry.read, "{}", entry.name);
        let repeat = match entry.repeat {
            Repeat::Harmless => "harmless",
            Repeat::ByTemplate => "by template id",
            Repeat::Never => "never",
        };
        assert!(cells[5].starts_with(repeat), "{}", entry.name);
    }
    assert_eq!(
        card.lines().filter(|line| line.starts_with("//! | [`")).count(),
        CATALOGUE.len()
    );
}

#[test]
fn the_example_requests_are_made_of_known_parameters() {
    for method in documented() {
        let entry = find(text(&method["name"])).unwrap();
        let mut flat = BTreeMap::new();
        flatten("", &method["example_request"], &mut flat);
        for path in flat.keys() {
            let placed = entry.address.bot_path().into_iter().chain(entry.address.token_path());
            let mut known = entry.params.iter().copied().chain(placed);
            assert!(
                known.any(|known| path == known || path.starts_with(&format!("{known}."))),
                "{} {path}",
                entry.name
            );
        }
    }
    let empty: Map<String, Value> = Map::new();
    assert_eq!(RevisionGet::new().params(), empty);
}
