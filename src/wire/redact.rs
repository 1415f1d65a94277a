//! The same body with words in place of its credentials: what a capture keeps. Reads any bytes, also those that no decoder
//! takes, and never changes another byte. Owns the words; where a credential can stand is in the files below.

mod form;
mod json;
mod lexical;
#[cfg(test)]
mod tests;

use super::{Limits, parse};
use crate::types::{REDACTED, is_credential};
use lexical::Text;
use memchr::memmem;
use std::ops::Range;

/// How much goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Texts and names of people go as well, by the names of their fields.
    pub texts: bool,
}

/// The body with `IMBOT_REDACTED_<field>` for the value of each credential (see `types::is_credential`), at any depth, in
/// any spelling of its key; also for tokens in addresses (`auth=`, `/rest/1/code/`), in JSON or forms within a value, and
/// for a second place where the same token stands. The top-level `application_token` is the only one called
/// `application_token`, so that one replacement by hand brings it back.
///
/// A body that is read reads to the same tree but for those values. `None`: it cannot be read, and texts are to go too.
#[must_use]
pub fn redact(body: &[u8], content_type_is_json: bool, redaction: Redaction) -> Option<Vec<u8>> {
    let readable = parse(body, content_type_is_json, &Limits::default()).is_ok();
    if redaction.texts && !readable {
        return None;
    }
    let mut spans = Spans::new(body, Task::Redact(redaction));
    let is_json = looks_json(body);
    if is_json {
        json::walk(&mut spans);
    } else {
        form::walk(&mut spans);
    }
    // Raw quotes are in no encoded form: something else stands where a form should.
    if !readable || (!is_json && body.contains(&b'"')) {
        lexical::scan(&Text::of(body, 0..body.len()), &mut spans);
    }
    spans.second_places(is_json);
    Some(spans.written())
}

/// The words put where credentials were cut out, see [`cut_credentials`](super::cut_credentials): so a stored body becomes
/// one that can be posted again with the credentials of a portal.
#[must_use]
pub fn mark_cuts(body: &[u8]) -> Vec<u8> {
    let mut spans = Spans::new(body, Task::Mark);
    if looks_json(body) {
        json::walk(&mut spans);
    } else {
        form::walk(&mut spans);
    }
    spans.written()
}

/// As [`parse`] decides it.
pub(crate) fn looks_json(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Redact(Redaction),
    /// Only empty places, left by a cut.
    Mark,
}

/// What a field's name says of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    Credential(String),
    /// Words of a person.
    Words(String),
    Other,
}

/// Where something else is to be written.
struct Span {
    place: Range<usize>,
    text: String,
}

/// Tokens of which further places are looked for: more are in no event, and looking is work for each.
const SOUGHT: usize = 64;

struct Spans<'a> {
    body: &'a [u8],
    task: Task,
    found: Vec<Span>,
    /// The tokens that went, to be found elsewhere.
    tokens: Vec<(Vec<u8>, String)>,
}

impl<'a> Spans<'a> {
    fn new(body: &'a [u8], task: Task) -> Self {
        Self {
            body,
            task,
            found: Vec::new(),
            tokens: Vec::new(),
        }
    }

    /// What the decoded name of a field means here.
    fn held(&self, name: &str) -> Held {
        if let Some(word) = lexical::words(name.as_bytes()).find(|word| names_credential(word)) {
            return Held::Credential(field(word));
        }
        match self.task {
            Task::Redact(Redaction { texts: true }) if is_text(name) => Held::Words(field(name.as_bytes())),
            _ => Held::Other,
        }
    }

    /// Whether what people wrote goes, too.
    fn takes_texts(&self) -> bool {
        self.task == Task::Redact(Redaction { texts: true })
    }

    /// Writes `text` there.
    fn put(&mut self, place: Range<usize>, text: String) {
        self.found.push(Span { place, text });
    }

    /// A token that went, decoded.
    fn gone(&mut self, token: &[u8], field: &str) {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.~-".contains(byte);
        // Shorter ones, and numbers, stand in too many other things.
        let telling = token.len() >= 12 && token.iter().all(plain) && token.iter().any(u8::is_ascii_alphabetic);
        if telling && self.tokens.len() < SOUGHT && self.tokens.iter().all(|(known, _)| known != token) {
            self.tokens.push((token.to_vec(), field.to_owned()));
        }
    }

    /// Finds the tokens that went wherever else they stand.
    fn second_places(&mut self, is_json: bool) {
        let tokens = std::mem::take(&mut self.tokens);
        let raw = Text::of(self.body, 0..self.body.len());
        let decoded = (!is_json).then(|| raw.percent(true)).flatten();
        for text in [Some(raw), decoded].into_iter().flatten() {
            for (token, field) in &tokens {
                for start in memmem::find_iter(text.bytes(), token) {
                    self.put(text.place(start..start + token.len()), placeholder(field));
                }
            }
        }
    }

    /// The body with everything in its place. Where spans meet, the first and longest counts for all.
    fn written(mut self) -> Vec<u8> {
        self.found.sort_by(|a, b| {
            let (a, b) = (&a.place, &b.place);
            a.start.cmp(&b.start).then(b.end.cmp(&a.end))
        });
        let mut written = Vec::with_capacity(self.body.len());
        let mut from = 0;
        for span in &self.found {
            if span.place.start < from {
                from = from.max(span.place.end);
                continue;
            }
            written.extend_from_slice(&self.body[from..span.place.start]);
            written.extend_from_slice(span.text.as_bytes());
            from = span.place.end;
        }
        written.extend_from_slice(&self.body[from..]);
        written
    }
}

fn placeholder(field: &str) -> String {
    format!("{REDACTED}{field}")
}

/// The field's name as part of a placeholder: it needs no encoding anywhere. `application_token` is kept for the one that
/// proves the sender.
fn field(name: &[u8]) -> String {
    let plain = name
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .take(64)
        .map(|byte| char::from(*byte));
    let name: String = plain.collect();
    if name == PROOF[1] {
        format!("nested_{name}")
    } else {
        name
    }
}

/// Where the token stands that proves the sender.
const PROOF: [&str; 2] = ["auth", "application_token"];

/// What a bot is asked about (ONIMBOTV2CONTEXTGET): anything of the page where a person stood. A command's `context` is
/// another thing, a word of Bitrix24's own.
const CONTEXT: [&str; 2] = ["data", "context"];

fn names_credential(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(is_credential)
}

/// Whether fields of this name hold what people wrote, or who they are.
fn is_text(name: &str) -> bool {
    const NAMES: [&str; 30] = [
        "text",
        "message",
        "messageoriginal",
        "name",
        "firstname",
        "lastname",
        "secondname",
        "fullname",
        "nickname",
        "login",
        "title",
        "chattitle",
        "subject",
        "description",
        "workposition",
        "email",
        "website",
        "birthday",
        "phones",
        "phone",
        "personalmobile",
        "personalphone",
        "workphone",
        "innerphone",
        "commandparams",
        "params",
        "value",
        "html",
        "caption",
        "urlpreview",
    ];
    let folded: String = name
        .chars()
        .filter(|letter| !matches!(letter, '_' | '-'))
        .flat_map(char::to_lowercase)
        .take(32)
        .collect();
    NAMES.contains(&folded.as_str())
}
