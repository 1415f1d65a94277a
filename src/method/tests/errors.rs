//! Every documented code has its variant and its class.

use super::super::{ErrorClass, ErrorCode};
use super::{documented, list, text};
use serde_json::Value;
use std::collections::BTreeSet;

fn system() -> Value {
    serde_json::from_str(include_str!("../../../tests/catalogue/system_errors.json")).unwrap()
}

fn named(code: &str) -> ErrorCode {
    let read = ErrorCode::from(code);
    assert!(!matches!(read, ErrorCode::Other(_)), "{code} has no variant");
    assert_eq!(read.as_str(), code);
    read
}

#[test]
fn every_code_of_a_method_has_its_variant_and_class() {
    let mut codes = BTreeSet::new();
    for method in documented() {
        for error in list(&method["errors"]) {
            let code = text(&error["code"]);
            codes.insert(code.to_owned());
            let class = named(code).class().map(ErrorClass::as_str);
            assert_eq!(class, error["class"].as_str(), "{code} of {}", method["name"]);
        }
    }
    assert_eq!(codes.len(), 60);
}

#[test]
fn every_system_code_has_its_variant_and_class() {
    let system = system();
    assert_eq!(list(&system["system"]).len(), 29);
    for error in list(&system["system"]) {
        let code = text(&error["code"]);
        let class = named(code).class_said(text(&error["message"])).map(ErrorClass::as_str);
        assert_eq!(class, error["class"].as_str(), "{code}");
    }
}

#[test]
fn every_code_of_the_authorisation_server_has_its_variant_and_class() {
    let system = system();
    assert_eq!(list(&system["oauth"]).len(), 9);
    for error in list(&system["oauth"]) {
        for code in text(&error["code"]).split(" / ") {
            let class = named(code).class_at_auth_server().map(ErrorClass::as_str);
            assert_eq!(class, error["class"].as_str(), "{code}");
        }
    }
}

#[test]
fn no_variant_is_without_a_source() {
    let system = system();
    let lists = [&system["system"], &system["oauth"]];
    let general = lists.into_iter().flat_map(|errors| list(errors).iter());
    let methods = documented();
    let special = methods.iter().flat_map(|method| list(&method["errors"]).iter());
    let documented: BTreeSet<&str> = general
        .chain(special)
        .flat_map(|error| text(&error["code"]).split(" / "))
        .collect();
    // Of the documentation's pages on open lines and on the context of a bot.
    let beside = ["WRONG_CHAT", "USER_ID_EMPTY", "BOT_CONTEXT_ERROR"];
    let known: BTreeSet<&str> = ErrorCode::ALL.iter().map(ErrorCode::as_str).collect();
    assert_eq!(known, documented.into_iter().chain(beside).collect());
}
