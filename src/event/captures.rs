//! Every captured body through the decoder, compared by the captures' own rule, and the hostile ones without harm.

use super::{Event, Label};
use crate::types::{is_credential, reveal};
use crate::wire::{self, Limits};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/captures")
        .join(name)
}

/// The bodies of a folder by file name, with the content type of the manifest.
pub(super) fn bodies(name: &str) -> BTreeMap<String, (String, Vec<u8>)> {
    let manifest = fs::read_to_string(folder(name).join("MANIFEST.tsv")).unwrap();
    let lines = manifest
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let mut bodies: BTreeMap<_, _> = lines
        .map(|line| {
            let body = match line[0] {
                "x81_pairs_100000.form" => pairs_100000(),
                "x85_text_2mib.form" => text_2mib(),
                file => fs::read(folder(name).join(file)).unwrap(),
            };
            (line[0].to_owned(), (line[1].to_owned(), body))
        })
        .collect();
    assert!(bodies.len() >= 41, "the captures are complete");
    bodies.retain(|_, (content_type, _)| wire::json_by_content_type(Some(content_type)).is_some());
    bodies
}

pub(super) fn public(start: &str) -> Vec<u8> {
    let (_, body) = bodies("public")
        .into_iter()
        .find(|(name, _)| name.starts_with(start))
        .unwrap();
    body.1
}

fn first() -> Vec<u8> {
    fs::read(folder("public").join("01_message_add_private.form")).unwrap()
}

/// The equal of `x81`: a good event and 100,000 more pairs.
fn pairs_100000() -> Vec<u8> {
    let pairs = (1..=100_000).map(|at| format!("&data[x][k{at}]={at}"));
    first().into_iter().chain(pairs.flat_map(String::into_bytes)).collect()
}

/// The equal of `x85`: a good event with a text of 2 MiB.
fn text_2mib() -> Vec<u8> {
    let body = String::from_utf8(first()).unwrap();
    body.replace("%5Btext%5D=Hello", &format!("%5Btext%5D={}", "A".repeat(2 << 20)))
        .into_bytes()
}

fn decode(content_type: &str, body: &[u8]) -> Result<(Label, Event, Vec<u8>), String> {
    let json = wire::json_by_content_type(Some(content_type)).unwrap();
    let tree = wire::parse(body, json, &Limits::default()).map_err(|refused| refused.reason().to_owned())?;
    let label = Label::of(&tree);
    let event = Event::from_tree(&tree).map_err(|unusable| unusable.field.to_owned())?;
    Ok((label, event, wire::cut_credentials(&tree)))
}

/// The rule of `compare.py`.
fn differences(expected: &Value, actual: Option<&Value>, path: &str, found: &mut Vec<String>) {
    let actual = actual.unwrap_or(&Value::Null);
    let equal = match (expected, actual) {
        (Value::Null, actual) => actual.is_null(),
        (Value::String(text), Value::Null) => text.is_empty(),
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, value) in expected {
                differences(value, actual.get(name), &format!("{path}.{name}"), found);
            }
            !expected.is_empty() || actual.is_empty()
        }
        (Value::Array(expected), Value::Array(actual)) => {
            for (at, value) in expected.iter().enumerate() {
                differences(value, actual.get(at), &format!("{path}[{at}]"), found);
            }
            expected.len() == actual.len()
        }
        _ => expected == actual,
    };
    if !equal {
        found.push(format!("{path}: expected {expected}, got {actual}"));
    }
}

fn expected(file: &str) -> Value {
    let stem = file.rsplit_once('.').unwrap().0;
    serde_json::from_slice(&fs::read(folder("public").join(format!("{stem}.expected.json"))).unwrap()).unwrap()
}

fn compare(expected: &Value, event: &Event) -> Vec<String> {
    let mut found = Vec::new();
    differences(
        expected,
        Some(&reveal(|| serde_json::to_value(event).unwrap())),
        "$",
        &mut found,
    );
    found
}

/// Takes the credentials out of an expectation; gives their values.
fn take_credentials(value: &mut Value, taken: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| take_credentials(item, taken)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if is_credential(name) {
                    taken.extend(field.as_str().map(str::to_owned));
                    *field = Value::String(String::new());
                } else {
                    take_credentials(field, taken);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_public_capture_decodes_as_expected_and_agrees_with_its_label() {
    for (file, (content_type, body)) in bodies("public") {
        let (label, event, _) = decode(&content_type, &body).unwrap();
        assert_eq!(compare(&expected(&file), &event), Vec::<String>::new(), "{file}");
        assert_eq!(label.usable, Ok(()), "{file}");
        assert_eq!(
            (label.kind, &label.name, label.bot, label.ts),
            (event.kind, &event.name, event.bot_id(), event.ts),
            "{file}"
        );
        assert_eq!(label.dialog, event.dialog().unwrap_or_default(), "{file}");
        assert!(label.key.is_some(), "{file}");
    }
}

#[test]
fn a_kept_body_says_the_same_without_any_credential() {
    for (file, (content_type, body)) in bodies("public") {
        let mut expected = expected(&file);
        let mut credentials = Vec::new();
        take_credentials(&mut expected, &mut credentials);
        assert!(!credentials.is_empty(), "{file}");
        let (label, _, kept) = decode(&content_type, &body).unwrap();
        let text = String::from_utf8_lossy(&kept);
        assert!(
            credentials.iter().all(|credential| !text.contains(credential)),
            "{file}"
        );
        let (label_of_kept, event, _) = decode(&content_type, &kept).unwrap();
        assert_eq!(compare(&expected, &event), Vec::<String>::new(), "{file}");
        assert_eq!(label.key, label_of_kept.key, "{file}");
        assert_eq!(label_of_kept.token, None, "{file}");
    }
}

#[test]
fn what_is_printed_shows_no_credential() {
    for (file, (content_type, body)) in bodies("public") {
        let mut credentials = Vec::new();
        take_credentials(&mut expected(&file), &mut credentials);
        let (label, event, _) = decode(&content_type, &body).unwrap();
        let printed = format!("{label:?} {event:?} {}", serde_json::to_string(&event).unwrap());
        assert!(
            credentials.iter().all(|credential| !printed.contains(credential)),
            "{file}"
        );
    }
}

#[test]
fn different_captures_have_different_keys_and_the_same_message_has_one() {
    let mut keys: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
    for (file, (content_type, body)) in bodies("public") {
        let (label, _, _) = decode(&content_type, &body).unwrap();
        keys.entry(label.key.unwrap().into_bytes())
            .or_default()
            .push(file[..2].to_owned());
    }
    let shared: Vec<_> = keys.into_values().filter(|files| files.len() > 1).collect();
    // One message as a form, as JSON with types and as JSON of strings; one command as a form and as JSON.
    assert_eq!(shared, [vec!["01", "36", "39"], vec!["26", "37"]]);
}

/// The expectation is a JSON body of the same event, with native types and all nulls spelled out.
#[test]
fn a_form_and_its_expectation_as_json_have_the_same_key() {
    for (file, (content_type, body)) in bodies("public") {
        let json = serde_json::to_vec(&expected(&file)).unwrap();
        let (one, _, _) = decode(&content_type, &body).unwrap();
        let (other, event, _) = decode("application/json", &json).unwrap();
        assert_eq!(compare(&expected(&file), &event), Vec::<String>::new(), "{file}");
        assert_eq!(
            (one.key, one.dialog, one.bot),
            (other.key, other.dialog, other.bot),
            "{file}"
        );
    }
}

/// What the decoder itself says to the hostile bodies; all others are good events, to be judged by their token or bot.
const HOSTILE: [(&str, &str); 26] = [
    ("x01", "empty"),
    ("x03", "event"),
    ("x05", "event"),
    ("x07", "data"),
    ("x09", "data.bot.id"),
    ("x11", "conflicting_key"),
    ("x13", "not_an_object"),
    ("x15", "event"),
    ("x30", "repeated_key"),
    ("x81", "too_many_pairs"),
    ("x111", "data.message.id"),
    ("x113", "data.message.id"),
    ("x115", "data.message.id"),
    ("x117", "data.message.id"),
    ("x141", "not_an_object"),
    ("x143", "repeated_key"),
    ("x145", "not_an_object"),
    ("x147", "data.message.id"),
    ("x149", "bad_json"),
    ("x151", "bad_json"),
    ("x153", "data.bot.id"),
    ("x155", "data.bot.id"),
    ("x157", "bad_json"),
    // No known event any more, so only the generic handler would see them.
    ("x107", ""),
    ("x109", ""),
    ("x44", ""),
];

#[test]
fn hostile_bodies_get_what_the_manifest_allows() {
    for (file, (content_type, body)) in bodies("hostile") {
        let start = file.split('_').next().unwrap();
        let expected = HOSTILE
            .iter()
            .find(|(name, _)| *name == start)
            .map_or("", |(_, reason)| *reason);
        let reason = decode(&content_type, &body).err().unwrap_or_default();
        assert_eq!(reason, expected, "{file}");
    }
}

#[test]
fn hostile_details() {
    let hostile = bodies("hostile");
    let event = |start: &str| {
        let (_, (content_type, body)) = hostile.iter().find(|(file, _)| file.starts_with(start)).unwrap();
        decode(content_type, body).unwrap()
    };
    assert!(event("x101").1.data.message().unwrap().text.contains('\u{fffd}'));
    assert_eq!(event("x109").0.name.len(), 64);
    assert_eq!(event("x107").0.name, "ONIMBOTV2MESSAGEADD?");
    assert!(matches!(event("x107").1.data, super::Data::Other(_)));
    assert_eq!(event("x85").1.data.message().unwrap().text.len(), 2 << 20);
    assert_eq!(event("x36").1.auth, None);
    assert_eq!(event("x38").1.auth, None);
}
