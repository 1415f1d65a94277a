//! Percent decoding, once and never twice. Imports nothing, knows no keys.

use std::borrow::Cow;

/// Bytes that are looked through faster than a search is called.
const SHORT: usize = 24;

/// The value of two hexadecimal digits in either case.
fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    Some(digit(high)? << 4 | digit(low)?)
}

/// The byte an escape at `at` stands for; `None` if the `%` there is broken and stands for itself.
pub(super) fn escape(raw: &[u8], at: usize) -> Option<u8> {
    match raw.get(at..at + 3)? {
        [b'%', high, low] => hex(*high, *low),
        _ => None,
    }
}

/// `+` to space and escapes to bytes. Borrows when there is nothing to decode.
pub(super) fn decode(raw: &[u8]) -> Cow<'_, [u8]> {
    let coded = |byte: &u8| matches!(byte, b'%' | b'+');
    let start = if raw.len() < SHORT {
        raw.iter().position(coded)
    } else {
        memchr::memchr2(b'%', b'+', raw)
    };
    let Some(start) = start else {
        return Cow::Borrowed(raw);
    };
    let mut decoded = Vec::with_capacity(raw.len());
    decoded.extend_from_slice(&raw[..start]);
    let mut at = start;
    while at < raw.len() {
        match (raw[at], escape(raw, at)) {
            (b'+', _) => decoded.push(b' '),
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 2;
            }
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    Cow::Owned(decoded)
}

/// A value: bytes that are not UTF-8 become U+FFFD, so that a broken byte never costs an event.
pub(super) fn value(raw: &[u8]) -> Cow<'_, str> {
    match decode(raw) {
        Cow::Borrowed(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
        }
        Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(broken) => String::from_utf8_lossy(broken.as_bytes()).into_owned(),
        }),
    }
}

/// A part of a key: `None` if it is not UTF-8.
pub(super) fn name(raw: &[u8]) -> Option<Cow<'_, str>> {
    match decode(raw) {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once_in_either_case_and_keeps_broken_escapes() {
        for (raw, expected) in [
            ("a+b", "a b"),
            ("%5b%5B", "[["),
            ("%255B", "%5B"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%%41", "%A"),
            ("%+1", "% 1"),
            ("%D0%BF", "п"),
        ] {
            assert_eq!(value(raw.as_bytes()), expected, "{raw}");
        }
    }

    #[test]
    fn a_value_replaces_bad_bytes_and_a_name_refuses_them() {
        assert_eq!(value(b"a%FFb\xfe"), "a\u{fffd}b\u{fffd}");
        assert_eq!(name(b"a%FF"), None);
        assert_eq!(name(b"a\xff"), None);
    }

    #[test]
    fn what_needs_no_decoding_is_borrowed() {
        assert!(matches!(value(b"plain"), Cow::Borrowed("plain")));
        assert!(matches!(name(b"plain"), Some(Cow::Borrowed("plain"))));
    }
}
