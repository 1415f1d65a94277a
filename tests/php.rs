//! The emulator's event bodies against PHP itself: the same nested values through `http_build_query` there and here.

use crate::support::{must, root, tool};
use imbot::portal::http_build_query;
use serde_json::{Value, json};
use std::process::Command;

/// Nested values of every kind that an event may hold.
fn values() -> Vec<Value> {
    vec![
        json!({ "a": 1, "b": "two", "c": true, "d": false }),
        json!({ "n": null, "e": [], "o": {}, "s": "" }),
        json!({ "l": [1, null, 3, [], [null], { "x": null }] }),
        json!({ "deep": { "deeper": { "deepest": [[["x"]]] } } }),
        json!({ "f": [0.1, 2.5, 1.0, -1.5, -0.0, 0.333_333_333_333_333_3] }),
        json!({ "large": [1e14, 1e15, 1e25, 1.5e25, -1e25, 1e100] }),
        json!({ "small": [1e-4, 1e-5, 1.25e-5, 1e-100] }),
        json!({ "edge": [99_999_999_999_999.0, 999_999_999_999_999.0, 123_456_789_012_345_680.0] }),
        json!({ "round": [0.123_456_789_012_345_67, 9.999_999_999_999_999, 1234.5, 100.0] }),
        json!({ "i": [0, -1, i64::MAX, i64::MIN] }),
        json!({ "beyond": [9_223_372_036_854_775_808_u64, u64::MAX] }),
        json!({ "signs": "a b&c=d%e+f~g-h_i.j/k?l#m[n]{o}\"p'q<r>s\\t|u^v`w:x;y,z!$*()@" }),
        json!({ "lines": "one\r\ntwo\ttab\u{0}nul\u{7f}" }),
        json!({ "unicode": "äöüß Привет 你好 🙂 \u{200b}" }),
        json!({ "a b": { "c[d]": { "e&f": "g" } }, "~k": 1, "ü": 2 }),
        json!({ "1": "one", "0": "zero", "list": { "0": "a", "1": "b" } }),
        json!({ "gap": { "0": "a", "2": "c", "10": "k" } }),
        json!(["bare", "list", { "with": "map" }]),
        json!({ "keyboard": [{ "TEXT": "Yes", "COMMAND": "x" }, { "TYPE": "NEWLINE" }] }),
        json!({ "text": "[USER=456]Bot[/USER] $result[a] %41 +", "date": "2026-02-26T09:26:03+03:00" }),
        json!({ "bools": { "t": [true, [false]], "f": { "x": false } } }),
        json!({ "": "empty key", "nested": { "": { "": 1 } } }),
        json!({ "zero": ["0", 0, "", "null", "false"] }),
        json!({ "exponents": [1e0, 1e1, 1e5, 1e13, 1.1e13, 123_456_789.123_456_79, 5e-324, 1.797e308] }),
    ]
}

#[test]
fn event_bodies_are_what_php_writes() {
    let Some(php) = tool("php") else { return };
    let values = values();
    assert!(values.len() >= 20);
    let script = "foreach (json_decode(stream_get_contents(STDIN), true) as $v) echo http_build_query($v), \"\\n\";";
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), Value::from(values.clone()).to_string()).expect("written");
    let input = std::fs::File::open(file.path()).expect("readable");
    // -n: without the machine's php.ini, so with the `precision` that PHP has built in.
    let said = must(
        Command::new(php)
            .args(["-n", "-r", script])
            .current_dir(root())
            .stdin(input),
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), values.len(), "{said}");
    for (value, line) in values.iter().zip(lines) {
        assert_eq!(http_build_query(value), line, "{value}");
    }
}
