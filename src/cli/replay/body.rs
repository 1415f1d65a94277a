//! A captured body in which single values can be replaced: all other bytes stay as they are, down to the spelling of
//! the keys. Shares no code with the decoder, which it helps to test.

use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ops::Range;
use url::form_urlencoded;

/// A body and how it is written.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    json: bool,
    /// As it was sent, where that is known.
    said: Option<String>,
}

impl Body {
    /// `json`: by the file's name, as the content type of a request would say it.
    pub(super) fn new(bytes: Vec<u8>, json: bool) -> Self {
        Self {
            bytes,
            json,
            said: None,
        }
    }

    /// Sent with this content type, if a request can carry it.
    pub(super) fn said_as(mut self, content_type: Option<String>) -> Self {
        self.said =
            content_type.filter(|said| !said.is_empty() && said.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        self
    }

    /// Writes `value` over each of these words, wherever it stands.
    pub(super) fn replace_word(&mut self, word: &str, value: &str) {
        if memchr::memmem::find(&self.bytes, word.as_bytes()).is_none() {
            return;
        }
        let quoted = quoted(value);
        let written = if self.json {
            quoted.trim_matches('"').to_owned()
        } else {
            encoded(value)
        };
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut from = 0;
        for start in memchr::memmem::find_iter(&self.bytes, word.as_bytes()) {
            bytes.extend_from_slice(&self.bytes[from..start]);
            bytes.extend_from_slice(written.as_bytes());
            from = start + word.len();
        }
        bytes.extend_from_slice(&self.bytes[from..]);
        self.bytes = bytes;
    }

    /// What the request says about it.
    pub(super) fn content_type(&self) -> &str {
        if let Some(said) = &self.said {
            said
        } else if self.json {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        }
    }

    /// A new message id and time where the body has them; every other id stays.
    pub(super) fn freshen(&mut self, id: i64, unix_seconds: i64) {
        self.replace(&["data", "message", "id"], &id.to_string());
        self.replace(&["ts"], &unix_seconds.to_string());
    }

    /// The value at `path` as text; `None` if there is none or the body cannot be read.
    pub(super) fn get(&self, path: &[&str]) -> Option<String> {
        let span = self.spans(path).pop()?;
        let raw = std::str::from_utf8(&self.bytes[span]).ok()?;
        if self.json {
            let value: serde_json::Value = serde_json::from_str(raw).ok()?;
            return Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        decoded(raw.as_bytes())
    }

    /// Puts `value` where `path` has a value; says whether it has one.
    pub(super) fn replace(&mut self, path: &[&str], value: &str) -> bool {
        // From the back, so that earlier spans stay where they are.
        let spans = self.spans(path);
        for span in spans.iter().rev() {
            let written = self.written(span, value);
            self.bytes.splice(span.clone(), written.into_bytes());
        }
        !spans.is_empty()
    }

    /// Puts `value` at `path` (an object and a key in it), adding the key if only the object is there. A form has
    /// every object.
    pub(super) fn put(&mut self, [object, key]: [&str; 2], value: &str) {
        if self.replace(&[object, key], value) {
            return;
        }
        if !self.json {
            // After the last pair that counts: captures may end with a line break.
            let end = self.bytes.trim_ascii_end().len();
            let joint = if end == 0 { "" } else { "&" };
            let pair = format!("{joint}{object}%5B{key}%5D={}", encoded(value));
            self.bytes.splice(end..end, pair.into_bytes());
        } else if let Some(span) = self.spans(&[object]).pop()
            && self.bytes[span.start] == b'{'
        {
            let empty = self.bytes[span.start + 1..span.end - 1].trim_ascii().is_empty();
            let pair = format!("{}:{}{}", quoted(key), quoted(value), if empty { "" } else { "," });
            self.bytes.splice(span.start + 1..=span.start, pair.into_bytes());
        }
    }

    /// Makes the value at `path` count as absent: `null`, or an empty value in a form.
    pub(super) fn clear(&mut self, path: &[&str]) {
        let absent = if self.json { "null" } else { "" };
        for span in self.spans(path).into_iter().rev() {
            self.bytes.splice(span, absent.bytes());
        }
    }

    fn written(&self, span: &Range<usize>, value: &str) -> String {
        if !self.json {
            return encoded(value);
        }
        // A number stays a number.
        match self.bytes[span.start] {
            b'0'..=b'9' | b'-' if value.parse::<i64>().is_ok() => value.to_owned(),
            _ => quoted(value),
        }
    }

    fn spans(&self, path: &[&str]) -> Vec<Range<usize>> {
        if self.json {
            json_span(&self.bytes, path).into_iter().collect()
        } else {
            form_spans(&self.bytes, path)
        }
    }
}

/// Where the values of all pairs with this key are. A key is compared decoded, as `data[message][id]`.
fn form_spans(bytes: &[u8], path: &[&str]) -> Vec<Range<usize>> {
    let mut wanted = String::new();
    for (depth, part) in path.iter().enumerate() {
        wanted.push_str(&if depth == 0 {
            (*part).to_owned()
        } else {
            format!("[{part}]")
        });
    }
    let mut spans = Vec::new();
    let mut start = 0;
    for pair in bytes.split(|byte| *byte == b'&') {
        let after = start + pair.len();
        // A line break at the end of the file is no part of the last value.
        let end = if after == bytes.len() {
            start + pair.trim_ascii_end().len()
        } else {
            after
        };
        if let Some(equals) = pair.iter().position(|byte| *byte == b'=')
            && decoded(&pair[..equals]).is_some_and(|key| key == wanted)
        {
            spans.push(start + equals + 1..end);
        }
        start = after + 1;
    }
    spans
}

/// Where the value at `path` is; `None` if it is absent or the body is not JSON of objects down to there.
fn json_span(bytes: &[u8], path: &[&str]) -> Option<Range<usize>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut part = text;
    for key in path {
        let object: BTreeMap<String, &RawValue> = serde_json::from_str(part).ok()?;
        part = object.get(*key)?.get();
    }
    // Raw values borrow from `text`, so their distance is their offset.
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    Some(start..start + part.len())
}

/// One key or value of a form, decoded.
fn decoded(raw: &[u8]) -> Option<String> {
    // The parser would take `=` for a separator; inside one part it can only be itself.
    let raw: Vec<u8> = raw.split(|byte| *byte == b'=').collect::<Vec<_>>().join(&b"%3D"[..]);
    Some(
        form_urlencoded::parse(&raw)
            .next()
            .map(|(part, _)| part.into_owned())
            .unwrap_or_default(),
    )
}

fn encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Body {
        Body::new(text.into(), false)
    }

    fn json(text: &str) -> Body {
        Body::new(text.into(), true)
    }

    fn text(body: &Body) -> &str {
        std::str::from_utf8(&body.bytes).unwrap()
    }

    #[test]
    fn fresh_ids_change_two_values_and_not_a_byte_more() {
        let mut body =
            form("event=E&data%5Bmessage%5D%5Bid%5D=1&data[message][chatId]=1&data%5bcommand%5d%5bid%5d=1&ts=5\n");
        body.freshen(77, 99);
        assert_eq!(
            text(&body),
            "event=E&data%5Bmessage%5D%5Bid%5D=77&data[message][chatId]=1&data%5bcommand%5d%5bid%5d=1&ts=99\n"
        );
        let mut body = json("{ \"data\" : {\"message\":{\"id\": \"1\", \"n\":1e400}, \"id\":1},\"ts\":5 }\n");
        body.freshen(77, 99);
        assert_eq!(
            text(&body),
            "{ \"data\" : {\"message\":{\"id\": \"77\", \"n\":1e400}, \"id\":1},\"ts\":99 }\n"
        );
    }

    #[test]
    fn a_body_without_those_values_or_without_sense_stays_as_it_is() {
        for (bytes, is_json) in [
            (&b"event=E&data[messageId]=5"[..], false),
            (b"&&==&%zz=&\xff\xfe=\xff", false),
            (b"", false),
            (b"[1,2]", true),
            (b"{\"data\":5", true),
            (b"\xff", true),
        ] {
            let mut body = Body::new(bytes.into(), is_json);
            body.freshen(77, 99);
            assert_eq!(body.bytes, bytes);
        }
    }

    #[test]
    fn a_missing_key_is_added_to_its_object() {
        let mut body = form("event=E\r\n");
        body.put(["auth", "domain"], "a b");
        assert_eq!(text(&body), "event=E&auth%5Bdomain%5D=a+b\r\n");
        let mut body = json("{\"auth\":{ }}");
        body.put(["auth", "domain"], "x");
        body.put(["auth", "member_id"], "y\"");
        assert_eq!(text(&body), "{\"auth\":{\"member_id\":\"y\\\"\",\"domain\":\"x\" }}");
        let mut body = json("{\"auth\":[]}");
        body.put(["auth", "domain"], "x");
        assert_eq!(text(&body), "{\"auth\":[]}", "a list has no keys");
    }

    #[test]
    fn values_are_read_and_cleared() {
        let mut body = form("a%5Bb%5D=1&a[b]=x%26y");
        assert_eq!(body.get(&["a", "b"]).as_deref(), Some("x&y"), "the last one wins");
        body.clear(&["a", "b"]);
        assert_eq!(text(&body), "a%5Bb%5D=&a[b]=");
        let mut body = json("{\"a\":{\"b\":461}}");
        assert_eq!(body.get(&["a", "b"]).as_deref(), Some("461"));
        body.clear(&["a", "b"]);
        assert_eq!(text(&body), "{\"a\":{\"b\":null}}");
    }
}
