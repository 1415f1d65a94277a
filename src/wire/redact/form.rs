//! Pairs of a form, whatever their keys look like: also those that the decoder leaves out.

use super::lexical::{self, Text};
use super::{CONTEXT, Held, PROOF, Spans, Task, placeholder};
use memchr::{memchr, memchr2};
use std::borrow::Cow;
use std::ops::Range;

/// A key encoded more often than this is no key of anybody.
const LAYERS: usize = 3;

pub(super) fn walk(spans: &mut Spans<'_>) {
    let body = spans.body;
    // As the decoder does it: editors add line breaks.
    let end = body
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
        .map_or(0, |last| last + 1);
    let mut start = 0;
    while start < end {
        if body[start] == b'&' {
            start += 1;
            continue;
        }
        let key_end = memchr2(b'=', b'&', &body[start..end]).map_or(end, |length| start + length);
        let value = if body.get(key_end) == Some(&b'=') && key_end < end {
            let length = memchr(b'&', &body[key_end + 1..end]).unwrap_or(end - key_end - 1);
            key_end + 1..key_end + 1 + length
        } else {
            key_end..key_end
        };
        let after = value.end + 1;
        pair(spans, start..key_end, value, body.get(key_end) == Some(&b'='));
        start = after;
    }
}

fn pair(spans: &mut Spans<'_>, key: Range<usize>, value: Range<usize>, has_value: bool) {
    let names = Text::of(spans.body, key);
    // A body that is no form may hold everything in what looks like a key.
    if spans.task != Task::Mark {
        lexical::scan(&names, spans);
    }
    if !has_value {
        return;
    }
    let held = held(spans, names);
    let is_empty = value.is_empty();
    match held {
        Held::Credential(field) if spans.task == Task::Mark => spans.put(value, placeholder(&field)),
        Held::Credential(field) if !is_empty => {
            let raw = Text::of(spans.body, value.clone());
            let decoded = raw.percent(true).unwrap_or(raw);
            spans.gone(decoded.bytes(), &field);
            spans.put(value, placeholder(&field));
        }
        Held::Words(field) if !is_empty => spans.put(value, placeholder(&field)),
        _ if spans.task != Task::Mark && !is_empty => {
            let raw = Text::of(spans.body, value);
            let decoded = raw.percent(true);
            lexical::scan(decoded.as_ref().unwrap_or(&raw), spans);
        }
        _ => {}
    }
}

/// What the key means in any of its encodings.
fn held(spans: &Spans<'_>, key: Text) -> Held {
    let mut first = Held::Other;
    let mut key = Some(key);
    for layer in 0..=LAYERS {
        let Some(text) = key else { break };
        let names = String::from_utf8_lossy(text.bytes());
        let parts: Vec<&str> = names.split(['[', ']']).filter(|part| !part.is_empty()).collect();
        if layer <= 1 && parts == PROOF {
            return Held::Credential(PROOF[1].to_owned());
        }
        match spans.held(&names) {
            Held::Credential(field) => return Held::Credential(field),
            _ if parts == ["auth"] => return Held::Credential("auth".to_owned()),
            _ => {}
        }
        if parts.starts_with(&CONTEXT) && spans.takes_texts() {
            first = Held::Words(CONTEXT[1].to_owned());
        } else if let Some(name) = leaf(&parts)
            && let Held::Words(field) = spans.held(&name)
        {
            first = Held::Words(field);
        }
        key = text.percent(layer == 0);
    }
    first
}

/// The name of the field: the last part that is no place in a list.
fn leaf<'p>(parts: &[&'p str]) -> Option<Cow<'p, str>> {
    let named = |part: &&&str| !part.bytes().all(|byte| byte.is_ascii_digit());
    parts.iter().rev().find(named).map(|part| Cow::Borrowed(*part))
}
