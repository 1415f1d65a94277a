//! Credentials in running text: addresses, forms and JSON that stand within a value, and bodies that no decoder reads.
//! Owns the text that remembers where each of its bytes came from. Looks at each byte a fixed number of times.

use super::{Spans, field, names_credential, placeholder};
use crate::wire::percent;
use std::ops::Range;

/// A body may be encoded within a value, and that value within another one.
const LAYERS: usize = 3;
/// Signs between a name and its value.
const BETWEEN: usize = 8;

/// Decoded bytes, and where in the body each began.
pub(super) struct Text {
    bytes: Vec<u8>,
    /// One more than bytes: the end.
    at: Vec<u32>,
}

impl Text {
    /// The bytes of a part of the body as they are. Bodies are far below 4 GiB.
    pub(super) fn of(body: &[u8], part: Range<usize>) -> Self {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self {
            bytes: body[part.clone()].to_vec(),
            at: (part.start..=part.end).map(offset).collect(),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where in the body these bytes stand.
    pub(super) fn place(&self, part: Range<usize>) -> Range<usize> {
        self.at[part.start] as usize..self.at[part.end] as usize
    }

    /// Percent-decoded once; `None` if there is nothing to decode. `plus`: `+` is a blank.
    pub(super) fn percent(&self, plus: bool) -> Option<Self> {
        self.decoded(|bytes, at| match bytes[at] {
            b'%' => percent::escape(bytes, at).map(|byte| (byte, 3)),
            b'+' if plus => Some((b' ', 1)),
            _ => None,
        })
    }

    /// Without the backslashes of a JSON string; `None` if there is none. An escape beyond ASCII stays as it is.
    pub(super) fn unescaped(&self) -> Option<Self> {
        self.decoded(|bytes, at| {
            if bytes[at] != b'\\' {
                return None;
            }
            match bytes.get(at + 1)? {
                b'u' => {
                    let digits = std::str::from_utf8(bytes.get(at + 2..at + 6)?).ok()?;
                    let byte = u8::from_str_radix(digits, 16).ok()?;
                    byte.is_ascii().then_some((byte, 6))
                }
                b'n' | b'r' | b't' | b'b' | b'f' => Some((b' ', 2)),
                byte => Some((*byte, 2)),
            }
        })
    }

    fn decoded(&self, escape: impl Fn(&[u8], usize) -> Option<(u8, usize)>) -> Option<Self> {
        let mut decoded = Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            at: Vec::with_capacity(self.at.len()),
        };
        let (mut at, mut changed) = (0, false);
        while at < self.bytes.len() {
            decoded.at.push(self.at[at]);
            match escape(&self.bytes, at) {
                Some((byte, length)) => {
                    decoded.bytes.push(byte);
                    at += length;
                    changed = true;
                }
                None => {
                    decoded.bytes.push(self.bytes[at]);
                    at += 1;
                }
            }
        }
        decoded.at.push(self.at[self.bytes.len()]);
        changed.then_some(decoded)
    }
}

/// Runs of the signs that names are made of.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !is_of_word(*byte)).filter(|word| !word.is_empty())
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Looks for credentials in a text and in what is encoded in it.
pub(super) fn scan(text: &Text, spans: &mut Spans<'_>) {
    look(text, spans);
    let mut layer = text.percent(false);
    for _ in 1..LAYERS {
        let Some(text) = layer else { return };
        look(&text, spans);
        layer = text.percent(false);
    }
}

fn look(text: &Text, spans: &mut Spans<'_>) {
    let bytes = text.bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is_of_word(bytes[at]) {
            at += 1;
            continue;
        }
        let end = run(bytes, at, is_of_word);
        let word = &bytes[at..end];
        let found = if word.eq_ignore_ascii_case(b"auth") && bytes.get(end) == Some(&b'=') {
            Some((
                end + 1..run(bytes, end + 1, |byte| !ends_value(byte)),
                "auth".to_owned(),
            ))
        } else if names_credential(word) {
            value(bytes, end).map(|value| (value, field(word)))
        } else {
            webhook(bytes, at..end).map(|code| (code, "webhook_code".to_owned()))
        };
        match found {
            Some((value, field)) if !value.is_empty() && !is_empty_word(&bytes[value.clone()]) => {
                at = value.end;
                spans.gone(&bytes[value.clone()], &field);
                spans.put(text.place(value), placeholder(&field));
            }
            _ => at = end,
        }
    }
}

/// The value behind a name that ends at `from`: `=x`, `": "x"`, `] = x`, `=>'x'`.
fn value(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let at = skip(bytes, from, BETWEEN, |byte| {
        byte.is_ascii_whitespace() || b"\"'\\]".contains(&byte)
    });
    let sign = skip(bytes, at, 3, |byte| b"=:>".contains(&byte));
    if sign == at {
        return None;
    }
    let start = skip(bytes, sign, BETWEEN, |byte| {
        byte.is_ascii_whitespace() || b"\"'\\[{(".contains(&byte)
    });
    let quote = bytes[sign..start].last().copied().filter(|byte| b"\"'".contains(byte));
    let end = match quote {
        Some(quote) => run(bytes, start, |byte| byte != quote && byte != b'\\'),
        None => run(bytes, start, |byte| !ends_value(byte)),
    };
    Some(start..end)
}

/// The code of an incoming webhook: behind `/rest/` and a number.
fn webhook(bytes: &[u8], number: Range<usize>) -> Option<Range<usize>> {
    if !bytes[number.clone()].iter().all(u8::is_ascii_digit) || !bytes[..number.start].ends_with(b"/rest/") {
        return None;
    }
    let start = number.end + 1;
    let end = run(bytes, start, is_of_word);
    (bytes.get(number.end) == Some(&b'/') && end >= start + 8).then_some(start..end)
}

fn ends_value(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte.is_ascii_control() || b"&,;}\")]'<>\\#".contains(&byte)
}

fn is_empty_word(value: &[u8]) -> bool {
    matches!(value, b"null" | b"true" | b"false")
}

fn skip(bytes: &[u8], from: usize, most: usize, skipped: impl Fn(u8) -> bool) -> usize {
    let signs = bytes.get(from..).unwrap_or_default().iter().take(most);
    from + signs.take_while(|byte| skipped(**byte)).count()
}

/// The end of the run that begins at `from`.
fn run(bytes: &[u8], from: usize, inside: impl Fn(u8) -> bool) -> usize {
    skip(bytes, from, usize::MAX, inside)
}
