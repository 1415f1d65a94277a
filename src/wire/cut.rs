//! The same body without its credentials: what the store keeps. Owns where a credential's value stands in JSON;
//! for forms it uses what reading found. Never changes another byte.

use super::tree::{Format, Tree};
use crate::types::is_credential;

/// The body of `tree` with the value of each credential (see `types::is_credential`) removed, at any depth and with
/// all that stands below such a name; in JSON it becomes `""`. Values of ignored pairs go too: nobody reads them.
///
/// The result reads to the same tree except for the credentials.
#[must_use]
pub fn cut_credentials(tree: &Tree<'_>) -> Vec<u8> {
    match tree.format {
        Format::Form => form(tree),
        Format::Json => json(tree.body),
    }
}

fn form(tree: &Tree<'_>) -> Vec<u8> {
    let mut kept = Vec::with_capacity(tree.body.len());
    let mut from = 0;
    for cut in &tree.cuts {
        kept.extend_from_slice(&tree.body[from..cut.start]);
        from = cut.end;
    }
    kept.extend_from_slice(&tree.body[from..]);
    kept
}

/// Walks text that has been read as JSON before, so that a string followed by a colon is a key.
fn json(body: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(body.len());
    let mut from = 0;
    let mut at = 0;
    while at < body.len() {
        if body[at] != b'"' {
            at += 1;
            continue;
        }
        let end = string_end(body, at);
        let colon = blank_end(body, end);
        if body.get(colon) != Some(&b':') || !names_credential(&body[at..end]) {
            at = end;
            continue;
        }
        let value = blank_end(body, colon + 1);
        at = value_end(body, value);
        kept.extend_from_slice(&body[from..value]);
        kept.extend_from_slice(b"\"\"");
        from = at;
    }
    kept.extend_from_slice(&body[from..]);
    kept
}

/// Whether a key, quotes included, is a credential's name. Escapes count as what they stand for.
fn names_credential(quoted: &[u8]) -> bool {
    let name = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if name.contains(&b'\\') {
        return serde_json::from_slice::<String>(quoted).is_ok_and(|name| is_credential(&name));
    }
    std::str::from_utf8(name).is_ok_and(is_credential)
}

fn blank_end(body: &[u8], mut at: usize) -> usize {
    while matches!(body.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// Behind the closing quote of the string that opens at `at`.
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

/// Behind the value that begins at `at`, whatever is nested in it.
fn value_end(body: &[u8], mut at: usize) -> usize {
    let mut open = 0_usize;
    while at < body.len() {
        match body[at] {
            b'"' => at = string_end(body, at),
            b'{' | b'[' => {
                open += 1;
                at += 1;
                continue;
            }
            b'}' | b']' if open > 0 => {
                open -= 1;
                at += 1;
            }
            b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' if open == 0 => return at,
            _ => {
                at += 1;
                continue;
            }
        }
        if open == 0 {
            return at;
        }
    }
    body.len()
}
