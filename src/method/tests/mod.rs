//! The catalogue of methods against the types, in both directions, and each limit.

mod catalogue;
mod errors;
mod page;
mod refusals;
mod results;
mod samples;

use serde_json::Value;

/// The documented methods, byte for byte as the documentation gave them.
fn documented() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../tests/catalogue/methods.json")).unwrap()
}

/// The documented method of this name.
fn documentation(name: &str) -> Value {
    let mut all = documented().into_iter();
    all.find(|method| method["name"] == name)
        .unwrap_or_else(|| panic!("{name} is not documented"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is a text"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is a list"))
}

/// The value at a dotted path.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}
