//! One log line as JSON: time, level, the event's fields, target, the span it stands in. Owns the shape of the line and
//! its escaping; a line is written for each request, so it goes straight into the subscriber's buffer.

use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The lines that `tracing_subscriber`'s own JSON format writes (flattened, with the current span), without a serializer
/// between.
pub(super) struct Line;

impl<S> FormatEvent<S, JsonFields> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, JsonFields>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        to.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut to)?;
        to.write_str("\",\"level\":\"")?;
        to.write_str(event.metadata().level().as_str())?;
        to.write_char('"')?;
        let mut fields = Fields {
            to: to.by_ref(),
            written: Ok(()),
        };
        event.record(&mut fields);
        fields.written?;
        to.write_str(",\"target\":")?;
        string(&mut to, event.metadata().target())?;
        if let Some(span) = ctx.lookup_current() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            // A JSON object by itself; the name goes into it.
            let inner = fields.map_or("", |fields| fields.fields.trim_start_matches('{').trim_end_matches('}'));
            to.write_str(",\"span\":{")?;
            to.write_str(inner)?;
            if !inner.is_empty() {
                to.write_char(',')?;
            }
            to.write_str("\"name\":")?;
            string(&mut to, span.name())?;
            to.write_char('}')?;
        }
        to.write_str("}\n")
    }
}

/// Writes each field as `,"name":value`.
struct Fields<'w> {
    to: Writer<'w>,
    written: fmt::Result,
}

impl Fields<'_> {
    fn field(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.written.is_ok() {
            self.written = self.write(field, value);
        }
    }

    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) -> fmt::Result {
        let name = field.name();
        self.to.write_char(',')?;
        string(&mut self.to, name.strip_prefix("r#").unwrap_or(name))?;
        self.to.write_char(':')?;
        value(&mut self.to)
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, |to| string(to, value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, |to| write!(to, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, |to| write!(to, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, |to| write!(to, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON knows no infinity.
        self.field(field, |to| {
            if value.is_finite() {
                write!(to, "{value:?}")
            } else {
                to.write_str("null")
            }
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, |to| {
            to.write_char('"')?;
            write!(Escaped(to), "{value:?}")?;
            to.write_char('"')
        });
    }
}

fn string(to: &mut Writer<'_>, text: &str) -> fmt::Result {
    to.write_char('"')?;
    Escaped(to).write_str(text)?;
    to.write_char('"')
}

/// Text inside a JSON string.
struct Escaped<'t, 'w>(&'t mut Writer<'w>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut from = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            // Bytes that need an escape are ASCII, so these are borders of characters.
            self.0.write_str(&text[from..at])?;
            from = at + 1;
            match byte {
                b'"' => self.0.write_str("\\\""),
                b'\\' => self.0.write_str("\\\\"),
                b'\n' => self.0.write_str("\\n"),
                b'\r' => self.0.write_str("\\r"),
                b'\t' => self.0.write_str("\\t"),
                other => write!(self.0, "\\u{other:04x}"),
            }?;
        }
        self.0.write_str(&text[from..])
    }
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
