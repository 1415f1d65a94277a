//! One log line as JSON: time, level, the event's fields, target, the span it stands in. Owns the shape of the line and
//! its escaping; a line is written for each request, so it goes straight into the subscriber's buffer.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The lines that `tracing_subscriber`'s own JSON format writes (flattened, with the current span), without a serializer
/// between.
pub(super) struct Line;

/// Room for a line at first; the line of an event has about 250 bytes.
const ROOM: usize = 512;

impl<S> FormatEvent<S, JsonFields> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, JsonFields>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        // In a string of its own: each piece would cost more than itself on its way through the writer.
        let mut line = String::with_capacity(ROOM);
        line.push_str("{\"timestamp\":\"");
        now(&mut line);
        line.push_str("\",\"level\":\"");
        line.push_str(event.metadata().level().as_str());
        line.push('"');
        event.record(&mut Fields { to: &mut line });
        line.push_str(",\"target\":");
        string(&mut line, event.metadata().target());
        if let Some(span) = ctx.lookup_current() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            // A JSON object by itself; the name goes into it.
            let inner = fields.map_or("", |fields| fields.fields.trim_start_matches('{').trim_end_matches('}'));
            line.push_str(",\"span\":{");
            line.push_str(inner);
            if !inner.is_empty() {
                line.push(',');
            }
            line.push_str("\"name\":");
            string(&mut line, span.name());
            line.push('}');
        }
        line.push_str("}\n");
        to.write_str(&line)
    }
}

/// Writes the time of day as RFC 3339 with microseconds, in UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "a log line says when it was written, whatever clock the tests use"
)]
fn now(to: &mut String) {
    thread_local! {
        /// The second last written by this thread, up to its point.
        static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != since.as_secs() {
            *second = since.as_secs();
            text.clear();
            let moment = i64::try_from(*second).ok();
            let moment = moment.and_then(|second| OffsetDateTime::from_unix_timestamp(second).ok());
            let written = moment.and_then(|moment| moment.format(&Rfc3339).ok());
            text.push_str(written.unwrap_or_default().trim_end_matches('Z'));
        }
        to.push_str(text);
    });
    to.push('.');
    let mut micros = since.subsec_micros();
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit += (micros % 10) as u8;
        micros /= 10;
    }
    to.extend(digits.map(char::from));
    to.push('Z');
}

/// Writes each field as `,"name":value`.
struct Fields<'l> {
    to: &'l mut String,
}

impl Fields<'_> {
    fn named(&mut self, field: &Field) -> &mut String {
        let name = field.name();
        self.to.push(',');
        string(self.to, name.strip_prefix("r#").unwrap_or(name));
        self.to.push(':');
        self.to
    }

    fn shown(&mut self, field: &Field, value: impl fmt::Display) {
        // Writing into a string does not fail.
        let _ = write!(self.named(field), "{value}");
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        string(self.named(field), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.named(field).push_str(itoa::Buffer::new().format(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.named(field).push_str(itoa::Buffer::new().format(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.shown(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON knows no infinity.
        if value.is_finite() {
            self.shown(field, format_args!("{value:?}"));
        } else {
            self.shown(field, "null");
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let to = self.named(field);
        to.push('"');
        let _ = write!(Escaped(to), "{value:?}");
        to.push('"');
    }
}

fn string(to: &mut String, text: &str) {
    to.push('"');
    escape(to, text);
    to.push('"');
}

/// Text inside a JSON string.
struct Escaped<'t>(&'t mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.0, text);
        Ok(())
    }
}

/// Bytes that cannot stand in a JSON string. They are ASCII, so they are borders of characters.
const ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut at = 0;
    while at < 0x20 {
        escaped[at] = true;
        at += 1;
    }
    escaped[b'"' as usize] = true;
    escaped[b'\\' as usize] = true;
    escaped
};

fn escape(to: &mut String, mut text: &str) {
    while let Some(at) = text.bytes().position(|byte| ESCAPED[usize::from(byte)]) {
        let (plain, rest) = text.split_at(at);
        to.push_str(plain);
        let mut rest = rest.chars();
        match rest.next() {
            Some('"') => to.push_str("\\\""),
            Some('\\') => to.push_str("\\\\"),
            Some('\n') => to.push_str("\\n"),
            Some('\r') => to.push_str("\\r"),
            Some('\t') => to.push_str("\\t"),
            other => {
                let _ = write!(to, "\\u{:04x}", other.map_or(0, u32::from));
            }
        }
        text = rest.as_str();
    }
    to.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Buffer {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn speak() {
        tracing::info!("plain");
        tracing::warn!(
            count = 3_u64,
            less = -4_i64,
            half = 0.5,
            endless = f64::INFINITY,
            yes = true,
            r#type = "a word",
            shown = %"d\"is\\played",
            debugged = ?Some("x\ny"),
            long = 7_u128,
            "said {} and \t\r\u{1}\u{7f} ü 💬",
            "\"quoted\""
        );
        let outer = tracing::info_span!("outer", portal = "acme", number = 5);
        let _outer = outer.enter();
        tracing::error!(error = %io::Error::other("br{oken}"), "inside");
        let bare = tracing::info_span!("bare");
        let _bare = bare.enter();
        tracing::info!("in a span without fields");
    }

    fn lines(buffer: &Buffer) -> Vec<Value> {
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let parsed = |line: &str| {
            let mut value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(value["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
            value["timestamp"] = Value::Null;
            value
        };
        text.lines().map(parsed).collect()
    }

    #[test]
    fn lines_say_what_the_librarys_json_says() {
        let (ours, theirs) = (Buffer::default(), Buffer::default());
        let subscriber = tracing_subscriber::fmt()
            .with_writer(ours.clone())
            .fmt_fields(JsonFields::new())
            .event_format(Line)
            .finish();
        tracing::subscriber::with_default(subscriber, speak);
        let subscriber = tracing_subscriber::fmt()
            .with_writer(theirs.clone())
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .finish();
        tracing::subscriber::with_default(subscriber, speak);
        let (ours, theirs) = (lines(&ours), lines(&theirs));
        assert_eq!(ours.len(), 4);
        assert_eq!(ours, theirs);
    }
}
