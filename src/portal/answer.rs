//! What the portal answers: the envelope of a success with its `time`, the body of an error, a page of HTML, all as
//! PHP would print them. Owns shapes only; never decides.

use super::fault::Shape;
use super::knobs::Knobs;
use crate::types::Timestamp;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

/// An error answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) description: &'static str,
    /// A method refused, not the portal around it.
    pub(super) by_method: bool,
}

impl Refusal {
    pub(super) const fn new(status: u16, code: &'static str, description: &'static str) -> Self {
        Self {
            status,
            code,
            description,
            by_method: false,
        }
    }

    /// An error of a method: 400, whatever it is about.
    pub(super) const fn method(code: &'static str, description: &'static str) -> Self {
        Self {
            by_method: true,
            ..Self::new(400, code, description)
        }
    }

    /// `{"error", "error_description"}` and the status, as this portal writes them.
    pub(super) fn body(&self, knobs: &Knobs) -> (u16, Value) {
        const FORBIDDEN: [&str; 4] = [
            "ACCESS_DENIED",
            "BOT_OWNERSHIP_ERROR",
            "BOT_TYPE_NOT_ALLOWED",
            "MESSAGE_ACCESS_DENIED",
        ];
        let forbidden = self.by_method && knobs.forbidden_is_403 && FORBIDDEN.contains(&self.code);
        let status = if forbidden { 403 } else { self.status };
        let description = if self.by_method && knobs.description_suffix {
            format!("{} ({}).", self.description, self.code)
        } else {
            self.description.to_owned()
        };
        let body = json!({ "error": self.code, "error_description": description });
        (status, body)
    }
}

/// An answer before it goes out, so that a fault can still spoil it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) media: String,
    pub(super) body: Vec<u8>,
    pub(super) headers: Vec<(String, String)>,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json; charset=utf-8", body.to_string())
    }

    /// A page.
    pub(super) fn html(status: u16, title: &str) -> Self {
        let page =
            format!("<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
        Self::text(status, "text/html; charset=utf-8", page)
    }

    pub(super) fn text(status: u16, media: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            media: media.to_owned(),
            body: body.into(),
            headers: Vec::new(),
        }
    }

    /// An error in the shape that a portal, or the web server before it, gives.
    pub(super) fn error(status: u16, code: &str, description: &str, shape: Shape) -> Self {
        match shape {
            Shape::Json => Self::json(status, &json!({ "error": code, "error_description": description })),
            Shape::Html => Self::html(status, description),
        }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The answer as HTTP; a body of its own kind may take the place of the bytes.
    pub(super) fn respond(self, body: Option<Body>) -> Response<Body> {
        let mut response = Response::new(body.unwrap_or_else(|| Body::from(self.body)));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [(header::CONTENT_TYPE.as_str().to_owned(), self.media)];
        for (name, value) in headers.into_iter().chain(self.headers) {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// How long a request took, and what has been counted for its method.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) start: Timestamp,
    pub(super) finish: Timestamp,
    /// In milliseconds.
    pub(super) cost: u64,
    pub(super) operating: u64,
    pub(super) reset: Option<Timestamp>,
}

impl Timing {
    /// The `time` block.
    pub(super) fn block(&self, told: bool) -> Value {
        let seconds = |at: Timestamp| at.0 as f64 / 1000.0;
        let processing = self.cost as f64 / 1000.0;
        let duration = (seconds(self.finish) - seconds(self.start)).max(processing);
        let mut block = json!({
            "start": seconds(self.start),
            "finish": seconds(self.finish),
            "duration": duration,
            "processing": processing,
            "date_start": iso(self.start),
            "date_finish": iso(self.finish),
        });
        if told {
            // PHP prints a float without a fraction as a whole number.
            block["operating"] = match self.operating {
                0 => json!(0),
                counted => json!(counted as f64 / 1000.0),
            };
            if let Some(reset) = self.reset {
                block["operating_reset_at"] = json!(reset.unix_seconds());
            }
        }
        block
    }
}

/// A success.
pub(super) fn success(result: Value, timing: &Timing, knobs: &Knobs) -> Value {
    let result = if knobs.empty_maps_are_lists {
        php(result)
    } else {
        result
    };
    json!({ "result": result, "time": timing.block(knobs.operating_told) })
}

/// As PHP prints arrays: an empty map is `[]`, a map with the keys 0 to n-1 is a list.
pub(super) fn php(value: Value) -> Value {
    match value {
        Value::Object(entries) => numbered(entries.into_iter().map(|(key, value)| (key, php(value))).collect()),
        Value::Array(items) => items.into_iter().map(php).collect(),
        other => other,
    }
}

fn numbered(mut entries: Map<String, Value>) -> Value {
    let is_list = (0..entries.len()).all(|index| entries.contains_key(&index.to_string()));
    if !is_list {
        return Value::Object(entries);
    }
    (0..entries.len())
        .filter_map(|index| entries.remove(&index.to_string()))
        .collect()
}

/// The same as XML, for who asks for it.
pub(super) fn xml(value: &Value) -> String {
    fn write(out: &mut String, name: &str, value: &Value) {
        // Only names that XML allows; a list's items and odd keys are `item`.
        let sound = |first: char| first.is_ascii_alphabetic() || first == '_';
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let name = if plain && name.starts_with(sound) { name } else { "item" };
        out.push_str(&format!("<{name}>"));
        match value {
            Value::Null => {}
            Value::Bool(value) => out.push_str(if *value { "1" } else { "0" }),
            Value::Number(number) => out.push_str(&number.to_string()),
            Value::String(text) => {
                let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                out.push_str(&text);
            }
            Value::Array(items) => items.iter().for_each(|item| write(out, "item", item)),
            Value::Object(entries) => entries.iter().for_each(|(key, item)| write(out, key, item)),
        }
        out.push_str(&format!("</{name}>"));
    }
    let mut out = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_owned();
    write(&mut out, "response", value);
    out
}

/// ISO 8601 with an offset, as Bitrix24 writes dates: `2026-02-26T09:26:03+00:00`.
pub(super) fn iso(at: Timestamp) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(at.unix_seconds());
    let moment = moment.unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (date, time) = (moment.date(), moment.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}+00:00",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_with_an_offset() {
        assert_eq!(iso(Timestamp(1_772_097_963_999)), "2026-02-26T09:26:03+00:00");
        assert_eq!(iso(Timestamp(0)), "1970-01-01T00:00:00+00:00");
    }

    #[test]
    fn php_prints_maps_with_numbers_as_lists() {
        let printed = php(json!({ "a": {}, "b": { "1": "y", "0": "x" }, "c": { "1": "y" }, "d": [{}] }));
        assert_eq!(
            printed,
            json!({ "a": [], "b": ["x", "y"], "c": { "1": "y" }, "d": [[]] })
        );
    }

    #[test]
    fn xml_escapes_and_names_its_items() {
        let text = xml(&json!({ "a": ["<&>", true], "1": null }));
        assert!(text.ends_with("<response><item></item><a><item>&lt;&amp;&gt;</item><item>1</item></a></response>"));
    }
}
