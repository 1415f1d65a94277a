//! Values of a JSON text, broken or not: walked sign by sign with a stack of bounded depth, never by recursion.

use super::lexical::{self, Text};
use super::{CONTEXT, Held, PROOF, Spans, Task, placeholder};
use std::ops::Range;

/// Deeper than anything that is read; what is deeper still belongs to the last name.
const DEPTH: usize = 128;

/// An open object or list: what its present key means, and what the keys above it mean.
struct Open {
    name: String,
    held: Held,
}

pub(super) fn walk(spans: &mut Spans<'_>) {
    let body = spans.body;
    let mut stack: Vec<Open> = Vec::new();
    let mut deeper = 0_usize;
    let mut at = 0;
    while at < body.len() {
        match body[at] {
            b'"' => {
                let end = string_end(body, at);
                let colon = blank_end(body, end);
                if body.get(colon) == Some(&b':') && !stack.is_empty() {
                    key(spans, &mut stack, at..end);
                    at = colon + 1;
                } else {
                    leaf(spans, &stack, at..end);
                    at = end;
                }
            }
            b'{' | b'[' => {
                if stack.len() < DEPTH {
                    let held = stack.last().map_or(Held::Other, |open| open.held.clone());
                    let name = String::new();
                    stack.push(Open { name, held });
                } else {
                    deeper += 1;
                }
                at += 1;
            }
            b'}' | b']' => {
                if deeper > 0 {
                    deeper -= 1;
                } else {
                    stack.pop();
                }
                at += 1;
            }
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' => at += 1,
            _ => {
                let length = body[at..].iter().take_while(|byte| !ends_bare(**byte)).count();
                leaf(spans, &stack, at..at + length);
                at += length;
            }
        }
    }
}

/// A key of the innermost object.
fn key(spans: &mut Spans<'_>, stack: &mut [Open], place: Range<usize>) {
    let inner = Text::of(spans.body, inside(spans.body, &place));
    if spans.task != Task::Mark {
        lexical::scan(inner.unescaped().as_ref().unwrap_or(&inner), spans);
    }
    let name = String::from_utf8_lossy(inner.unescaped().as_ref().unwrap_or(&inner).bytes()).into_owned();
    let above = stack.len().checked_sub(2).map(|parent| &stack[parent]);
    let proof = stack.len() == 2 && above.is_some_and(|above| above.name == PROOF[0]) && name == PROOF[1];
    let held = match (above.map(|above| &above.held), spans.held(&name)) {
        _ if proof => Held::Credential(PROOF[1].to_owned()),
        // Everything below a credential's name is the credential.
        (Some(Held::Credential(field)), _) => Held::Credential(field.clone()),
        (_, Held::Other) if in_context(stack, &name) && spans.takes_texts() => Held::Words(CONTEXT[1].to_owned()),
        (_, held) => held,
    };
    if let Some(open) = stack.last_mut() {
        *open = Open { name, held };
    }
}

/// Whether a key of this name in the innermost object stands below what a bot was asked about, or is that.
fn in_context(stack: &[Open], name: &str) -> bool {
    let names = stack
        .iter()
        .rev()
        .skip(1)
        .rev()
        .map(|open| open.name.as_str())
        .chain([name]);
    names.take(CONTEXT.len()).eq(CONTEXT)
}

fn leaf(spans: &mut Spans<'_>, stack: &[Open], place: Range<usize>) {
    let body = spans.body;
    let quoted = body[place.start] == b'"';
    let inner = inside(body, &place);
    let is_empty = inner.is_empty() || (!quoted && &body[inner.clone()] == b"null");
    // A scalar under `auth` is an access token, as REST calls carry it.
    let bare_auth = stack.len() == 1 && stack[0].name == PROOF[0];
    match stack.last().map(|open| &open.held) {
        Some(Held::Credential(field)) if spans.task == Task::Mark => {
            spans.put(place, format!("\"{}\"", placeholder(field)));
        }
        Some(Held::Credential(_) | Held::Other) if is_empty || spans.task == Task::Mark => {}
        Some(Held::Credential(field)) => {
            let field = field.clone();
            gone(spans, place, inner, &field);
        }
        Some(Held::Words(field)) if quoted && !is_empty => spans.put(place, format!("\"{}\"", placeholder(field))),
        _ if bare_auth && !is_empty => gone(spans, place, inner, PROOF[0]),
        _ if quoted && spans.task != Task::Mark => {
            let raw = Text::of(body, inner);
            lexical::scan(raw.unescaped().as_ref().unwrap_or(&raw), spans);
        }
        _ => {}
    }
}

fn gone(spans: &mut Spans<'_>, place: Range<usize>, inner: Range<usize>, field: &str) {
    let raw = Text::of(spans.body, inner);
    let token = raw.unescaped().unwrap_or(raw);
    spans.gone(token.bytes(), field);
    spans.put(place, format!("\"{}\"", placeholder(field)));
}

/// A string without its quotes; what is no string stays.
fn inside(body: &[u8], place: &Range<usize>) -> Range<usize> {
    if body[place.start] != b'"' {
        return place.clone();
    }
    let closed = place.len() >= 2 && body[place.end - 1] == b'"';
    place.start + 1..if closed { place.end - 1 } else { place.end }
}

fn ends_bare(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']'
    )
}

fn blank_end(body: &[u8], mut at: usize) -> usize {
    while matches!(body.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// Behind the closing quote of the string that opens at `at`; the end of the body if nothing closes it.
fn string_end(body: &[u8], mut at: usize) -> usize {
    at += 1;
    while at < body.len() {
        match body[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    body.len()
}
