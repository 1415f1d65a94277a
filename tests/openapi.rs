//! Holds openapi/imbot.yaml to the router, and its schemas to the captured events.

use crate::support::{root, text};
use serde_norway::Value;
use std::collections::BTreeSet;
use std::fs;

const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];

fn description() -> Value {
    serde_norway::from_str(&text("openapi/imbot.yaml")).expect("openapi/imbot.yaml is YAML")
}

#[test]
fn the_description_and_the_router_name_the_same_routes() {
    let description = description();
    let mut described = BTreeSet::new();
    for (path, operations) in description["paths"].as_mapping().expect("paths") {
        for (method, _) in operations.as_mapping().expect("operations") {
            let method = method.as_str().expect("a key");
            if METHODS.contains(&method) {
                described.insert((method.to_uppercase(), path.as_str().expect("a path").to_owned()));
            }
        }
    }
    let routed: BTreeSet<_> = imbot::testing::routes()
        .into_iter()
        .map(|(method, path)| (method.to_uppercase(), path.to_owned()))
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn the_description_and_the_door_name_the_same_reasons() {
    let described = &description()["components"]["schemas"]["Reason"]["enum"];
    let described: BTreeSet<_> = described
        .as_sequence()
        .expect("a list of reasons")
        .iter()
        .map(|reason| reason.as_str().expect("a word").to_owned())
        .collect();
    let given: BTreeSet<_> = imbot::testing::reasons().into_iter().map(str::to_owned).collect();
    assert_eq!(described, given);
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Mapping(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|inner| references(inner, found));
            }
            Value::Sequence(list) => list.iter().for_each(|inner| references(inner, found)),
            _ => {}
        }
    }
    let description = description();
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(found.len() > 50, "{} references", found.len());
    for reference in found {
        let path = reference
            .strip_prefix("#/")
            .unwrap_or_else(|| panic!("{reference} leads out of the file"));
        let target = path.split('/').fold(&description, |value, part| &value[part]);
        assert!(!target.is_null(), "{reference}");
    }
}

#[test]
fn every_typed_event_has_a_schema_that_is_offered_to_the_webhook() {
    let description = description();
    let schemas = &description["components"]["schemas"];
    let offered = serde_norway::to_string(&schemas["Event"]).expect("YAML");
    for event in [
        "ONIMBOTV2MESSAGEADD",
        "ONIMBOTV2MESSAGEUPDATE",
        "ONIMBOTV2MESSAGEDELETE",
        "ONIMBOTV2JOINCHAT",
        "ONIMBOTV2DELETE",
        "ONIMBOTV2CONTEXTGET",
        "ONIMBOTV2COMMANDADD",
        "ONIMBOTV2REACTIONCHANGE",
        "ONAPPINSTALL",
        "ONAPPUPDATE",
        "ONAPPUNINSTALL",
        "ONAPPTEST",
    ] {
        let own = &schemas[event]["allOf"][1]["properties"];
        assert_eq!(own["event"]["const"].as_str(), Some(event));
        assert!(own["data"].is_mapping(), "{event} describes its data");
        assert!(offered.contains(&format!("schemas/{event}")), "{event} is in Event");
    }
}

#[test]
fn the_fields_of_captured_events_are_described_and_the_required_ones_are_there() {
    let description = description();
    let schemas = &description["components"]["schemas"];
    let mut seen = 0;
    for entry in fs::read_dir(root().join("tests/captures/public")).expect("tests/captures/public") {
        let path = entry.expect("an entry").path();
        if !path.to_string_lossy().ends_with(".expected.json") {
            continue;
        }
        let event: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).expect("text")).expect("JSON");
        let name = event["event"].as_str().expect("a name");
        let data = &schemas[name]["allOf"][1]["properties"]["data"];
        // Version 1 and unknown events are free-form.
        let Some(described) = data["properties"].as_mapping() else {
            continue;
        };
        for field in event["data"].as_object().expect("data").keys() {
            assert!(
                described.contains_key(field.as_str()),
                "{}: {field} is not described",
                path.display()
            );
        }
        for required in data["required"]
            .as_sequence()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            assert!(
                !event["data"][required].is_null(),
                "{}: {required} is called required",
                path.display()
            );
        }
        seen += 1;
    }
    assert!(seen >= 30, "{seen} typed captures");
}
