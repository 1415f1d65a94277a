//! A PHP array and how `http_build_query` writes it into a form body. Knows no event.
//! Written from PHP's behaviour; shares nothing with the decoder it is used to check.

use serde_json::Value;

/// A PHP value. A map keeps the order in which it was made, as PHP arrays do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// A map with its keys in this order.
pub(super) fn map<const N: usize>(entries: [(&str, Node); N]) -> Node {
    Node::Map(entries.into_iter().map(|(key, node)| (key.to_owned(), node)).collect())
}

/// The form body of a map: RFC 1738 encoding, brackets encoded too; null and empty arrays leave no trace.
pub(super) fn encode(root: &Node) -> String {
    let mut out = String::with_capacity(4096);
    if let Node::Map(entries) = root {
        for (key, node) in entries {
            write(&mut out, &escape(key), node);
        }
    }
    out
}

fn write(out: &mut String, key: &str, node: &Node) {
    match node {
        Node::Null => {}
        Node::Bool(true) => pair(out, key, "1"),
        Node::Bool(false) => pair(out, key, "0"),
        Node::Int(number) => pair(out, key, &number.to_string()),
        Node::Float(number) => pair(out, key, &escape(&php_float(*number))),
        Node::Text(text) => pair(out, key, &escape(text)),
        Node::List(items) => {
            for (index, item) in items.iter().enumerate() {
                write(out, &format!("{key}%5B{index}%5D"), item);
            }
        }
        Node::Map(entries) => {
            for (name, item) in entries {
                write(out, &format!("{key}%5B{}%5D", escape(name)), item);
            }
        }
    }
}

fn pair(out: &mut String, key: &str, value: &str) {
    if !out.is_empty() {
        out.push('&');
    }
    out.push_str(key);
    out.push('=');
    out.push_str(value);
}

/// PHP's `urlencode`: letters, digits and `-_.` stay, space is `+`, all else is `%XX` in capitals (`~` too).
fn escape(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    out
}

/// How `http_build_query` prints a float: `%.14G` in PHP's own reading of it (`precision` = 14).
fn php_float(number: f64) -> String {
    if number.is_nan() {
        return "NAN".to_owned();
    }
    let sign = if number.is_sign_negative() { "-" } else { "" };
    if number.is_infinite() {
        return format!("{sign}INF");
    }
    let scientific = format!("{:.13e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        kept => kept,
    };
    format!("{sign}{}", placed(digits, exponent))
}

/// The digits with their point, for a number `d.ddd × 10^exponent`.
fn placed(digits: &str, exponent: i32) -> String {
    if !(-4..14).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { "0" } else { rest };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{first}.{rest}E{sign}{}", exponent.unsigned_abs());
    }
    let Ok(whole) = usize::try_from(exponent + 1) else {
        return format!("0.{}{digits}", "0".repeat((-exponent - 1).unsigned_abs() as usize));
    };
    if whole == 0 {
        format!("0.{digits}")
    } else if digits.len() <= whole {
        format!("{digits:0<whole$}")
    } else {
        format!("{}.{}", &digits[..whole], &digits[whole..])
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Node {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<T: Into<Node>> From<Option<T>> for Node {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// JSON as PHP holds it after `json_decode`: a whole number beyond 64 bits becomes a float.
impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Int(whole),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(entries) => Self::Map(entries.iter().map(|(key, item)| (key.clone(), item.into())).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(value: Value) -> String {
        encode(&map([("v", Node::from(&value))]))
    }

    #[test]
    fn scalars_are_written_as_php_writes_them() {
        for (value, wire) in [
            (json!(true), "v=1"),
            (json!(false), "v=0"),
            (json!(456), "v=456"),
            (json!(2.5), "v=2.5"),
            (json!(1.0), "v=1"),
            (json!(1.0 / 3.0), "v=0.33333333333333"),
            (json!(1e25), "v=1.0E%2B25"),
            (json!(9_223_372_036_854_775_808_u64), "v=9.2233720368548E%2B18"),
            (json!(i64::MIN), "v=-9223372036854775808"),
            (json!(null), ""),
            (json!([]), ""),
            (json!({}), ""),
            (json!(""), "v="),
        ] {
            assert_eq!(one(value.clone()), wire, "{value}");
        }
    }

    #[test]
    fn floats_change_to_exponents_where_php_changes() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.01, "0.01"),
            (0.0001, "0.0001"),
            (0.00001, "1.0E-5"),
            (0.000_012_5, "1.25E-5"),
            (100.0, "100"),
            (1234.5, "1234.5"),
            (99_999_999_999_999.0, "99999999999999"),
            (1e14, "1.0E+14"),
            (123_456_789_012_345_680.0, "1.2345678901235E+17"),
            (1e-100, "1.0E-100"),
            (f64::NAN, "NAN"),
            (f64::INFINITY, "INF"),
            (f64::NEG_INFINITY, "-INF"),
        ] {
            assert_eq!(php_float(number), text, "{number}");
        }
    }

    #[test]
    fn a_null_in_a_list_leaves_a_gap() {
        assert_eq!(one(json!([1, null, 3])), "v%5B0%5D=1&v%5B2%5D=3");
        assert_eq!(one(json!([null, [], {}])), "");
    }

    #[test]
    fn keys_and_values_are_escaped_once() {
        assert_eq!(
            one(json!({ "a b[~]": "x&y=z%+ 1~-_.\r\n" })),
            "v%5Ba+b%5B%7E%5D%5D=x%26y%3Dz%25%2B+1%7E-_.%0D%0A"
        );
        assert_eq!(one(json!("äß🙂")), "v=%C3%A4%C3%9F%F0%9F%99%82");
    }
}
