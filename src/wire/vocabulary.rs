//! Form keys that are known beforehand, in the order they are sent: a body is kept with a number in place of each, and
//! the next key is found by a look at the one that should come. Owns how such a packed body is written; knows no key itself.
//!
//! A packed body is a row of pairs between `&`. A pair begins with the number of its key (one byte from 0x80, or two from
//! 0xF0), which stands for the key and its `=`, or with [`LITERAL`] and is written out. In all that is written out a byte
//! from 0x80 stands for its upper-case escape, one of [`SHORT`] below 0x20 for another escape, every other for itself.
//! Bodies with such bytes of their own are not packed, so what comes back is the same to the byte.

use crate::types::is_credential;
use memchr::{memchr, memchr2};
use std::collections::HashMap;

/// A pair whose key is written out.
const LITERAL: u8 = 0x01;
/// Numbers up to here take one byte.
const ONE_BYTE: usize = 0x70;
const FIRST: u8 = 0x80;
const FIRST_OF_TWO: u8 = 0xf0;
/// The most keys there is room for.
const MOST: usize = ONE_BYTE + 16 * 256;

/// Below 0x80, what PHP escapes: 0x02 stands for the first of them. Stored bodies rely on their order.
const SHORT: &[u8] = b"[]:/+@,=&\"'()\n\r?!#%;{}|<>";
const FIRST_SHORT: u8 = 0x02;

/// What the digits of an escape in capitals add to its value; [`NO_DIGIT`]: it is none.
const DIGITS: [[u16; 256]; 2] = {
    let mut values = [[NO_DIGIT; 256]; 2];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789ABCDEF"[value as usize] as usize;
        values[0][digit] = value << 4;
        values[1][digit] = value;
        value += 1;
    }
    values
};
const NO_DIGIT: u16 = 0x100;

/// The byte that stands for an escaped one, 0: none does.
const PACKED: [u8; 256] = {
    let mut packed = [0; 256];
    let mut at = 0x80;
    while at < packed.len() {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let byte = at as u8;
        packed[at] = byte;
        at += 1;
    }
    at = 0;
    while at < SHORT.len() {
        #[expect(clippy::cast_possible_truncation, reason = "fewer than thirty")]
        let place = at as u8;
        packed[SHORT[at] as usize] = FIRST_SHORT + place;
        at += 1;
    }
    packed
};

/// Keys of form bodies that are known beforehand. Their order is part of stored bodies: new ones are appended.
pub struct Vocabulary {
    keys: Vec<Key>,
    /// Numbers by the [`mark`] of their keys. What is looked for is a stranger's, what is found is ours: no seed is needed.
    numbers: Vec<Vec<usize>>,
}

struct Key {
    /// As PHP writes it, with its `=`.
    text: Box<[u8]>,
    /// Keys of one object have the same.
    group: usize,
    /// The innermost name.
    name: Box<str>,
    /// Groups above it.
    depth: usize,
    /// It is a credential's, or below one.
    credential: bool,
}

impl Vocabulary {
    /// Of keys in their readable form, `data[chat][id]`, in the order they are mostly sent.
    #[must_use]
    pub fn new(keys: &[&str]) -> Self {
        let mut groups = HashMap::new();
        let mut vocabulary = Self {
            keys: Vec::with_capacity(keys.len()),
            numbers: vec![Vec::new(); 256],
        };
        for key in &keys[..keys.len().min(MOST)] {
            let (object, name) = key.rsplit_once('[').unwrap_or(("", key));
            let next = groups.len();
            let group = *groups.entry(object).or_insert(next);
            let text = key.replace('[', "%5B").replace(']', "%5D") + "=";
            let text: Box<[u8]> = text.into_bytes().into();
            vocabulary.numbers[usize::from(mark(&text))].push(vocabulary.keys.len());
            vocabulary.keys.push(Key {
                text,
                group,
                name: name.trim_end_matches(']').into(),
                depth: key.matches('[').count(),
                credential: key.split(['[', ']']).any(is_credential),
            });
        }
        vocabulary
    }

    /// The key of this number and its `=`, as bytes of a body.
    fn text(&self, number: usize) -> &[u8] {
        self.keys.get(number).map_or(&[], |key| &key.text)
    }

    /// The key that `rest` of a body begins with, if it is one of the few that should come next.
    #[inline]
    fn next(&self, expected: usize, rest: &[u8]) -> Option<usize> {
        let few = self.keys.get(expected..)?.iter().take(3);
        let ahead = few.into_iter().position(|key| rest.starts_with(&key.text))?;
        Some(expected + ahead)
    }

    /// The number of a key that is given with its `=`.
    fn number(&self, key: &[u8]) -> Option<usize> {
        let alike = self.numbers.get(usize::from(mark(key)))?;
        alike.iter().copied().find(|number| self.text(*number) == key)
    }

    /// A form body in fewer bytes; `None` if it has to be kept as it is.
    #[must_use]
    pub fn pack(&self, body: &[u8]) -> Option<Vec<u8>> {
        // Without an end in between, so that the compiler takes many bytes at once.
        let odd = |odd: u8, byte: &u8| odd | (byte & 0x80) | u8::from(*byte < 0x20);
        if body.iter().fold(0, odd) != 0 {
            return None;
        }
        let mut packed = Vec::with_capacity(body.len() / 2);
        let (mut at, mut expected) = (0, 0);
        while at < body.len() {
            let rest = &body[at..];
            let known = self.next(expected, rest).or_else(|| {
                let equals = memchr(b'=', &rest[..rest.len().min(128)])?;
                self.number(&rest[..=equals])
            });
            if let Some(number) = known {
                push_number(number, &mut packed);
                at += self.text(number).len();
                expected = number + 1;
            } else {
                packed.push(LITERAL);
            }
            at += pack_text(&body[at..], &mut packed);
            if at < body.len() {
                packed.push(b'&');
                at += 1;
            }
        }
        Some(packed)
    }

    /// The body that was packed; `None` if this is none, or has keys of a later version.
    #[must_use]
    pub fn unpack(&self, packed: &[u8]) -> Option<Vec<u8>> {
        let mut body = Vec::with_capacity(packed.len() * 4);
        let mut at = 0;
        while at < packed.len() {
            let (number, text) = match (packed[at], packed.get(at + 1)) {
                (LITERAL, _) => (None, at + 1),
                (high @ FIRST_OF_TWO.., Some(low)) => {
                    let above = usize::from(high - FIRST_OF_TWO) << 8 | usize::from(*low);
                    (Some(ONE_BYTE + above), at + 2)
                }
                (byte @ FIRST..FIRST_OF_TWO, _) => (Some(usize::from(byte - FIRST)), at + 1),
                _ => return None,
            };
            if let Some(number) = number {
                body.extend_from_slice(&self.keys.get(number)?.text);
            }
            at = text;
            while let Some(byte) = packed.get(at) {
                at += 1;
                unpack_byte(*byte, &mut body)?;
                if *byte == b'&' {
                    break;
                }
            }
        }
        Some(body)
    }
}

/// What becomes of the value of a known key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    /// It goes into the tree.
    Taken,
    /// Nothing but going on behind it.
    Passed,
    /// It is a credential's, and not wanted.
    Cut,
}

/// A known key at its place in a body.
#[derive(Clone, Copy)]
pub(super) struct Met {
    pub(super) number: usize,
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    /// Behind its `=`.
    pub(super) end: usize,
}

/// Which values of a form below its second level are wanted in its tree: those of some names. Keys of a vocabulary are told
/// by their numbers.
pub struct Selection {
    vocabulary: &'static Vocabulary,
    fates: Vec<Fate>,
    names: &'static [&'static str],
    /// Lengths and first bytes of the names as bits: most other names are told by these.
    lengths: u64,
    firsts: u64,
}

impl Selection {
    /// Of these names.
    #[must_use]
    pub fn new(vocabulary: &'static Vocabulary, names: &'static [&'static str]) -> Self {
        let all = |bit: fn(&[u8]) -> u64| names.iter().fold(0, |all, name| all | bit(name.as_bytes()));
        let fate = |key: &Key| match key.depth > 1 && !names.contains(&&*key.name) {
            false => Fate::Taken,
            true if key.credential => Fate::Cut,
            true => Fate::Passed,
        };
        Self {
            vocabulary,
            fates: vocabulary.keys.iter().map(fate).collect(),
            names,
            lengths: all(length_bit),
            firsts: all(first_bit),
        }
    }

    /// Whether the value of this name is wanted.
    #[inline]
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.lengths & length_bit(name) != 0
            && self.firsts & first_bit(name) != 0
            && self.names.iter().any(|wanted| wanted.as_bytes() == name)
    }

    /// The number of a key that is given with its `=`.
    pub(super) fn number(&self, key: &[u8]) -> Option<usize> {
        self.vocabulary.number(key)
    }

    /// The key that `rest` of a body begins with, if it is one of those that should follow `last`, in the same object.
    #[inline]
    pub(super) fn next(&self, last: usize, rest: &[u8]) -> Option<Met> {
        let vocabulary = self.vocabulary;
        let number = vocabulary.next(last + 1, rest)?;
        let (key, before) = (vocabulary.keys.get(number)?, vocabulary.keys.get(last)?);
        let met = Met {
            number,
            name: &key.name,
            fate: *self.fates.get(number)?,
            end: key.text.len(),
        };
        (key.group == before.group).then_some(met)
    }
}

/// Names of 63 bytes and more share a bit.
fn length_bit(name: &[u8]) -> u64 {
    1 << name.len().min(63)
}

/// Letters of either case share a bit.
fn first_bit(name: &[u8]) -> u64 {
    name.first().map_or(0, |first| 1 << (first % 32))
}

/// A small number for a key, from its length and the bytes in which names of one object differ most.
fn mark(key: &[u8]) -> u8 {
    let from_end = |place: usize| {
        key.len()
            .checked_sub(place)
            .and_then(|at| key.get(at))
            .copied()
            .unwrap_or(0)
    };
    let length = (key.len() & 0xff) as u8;
    let mixed = from_end(5).wrapping_mul(5).wrapping_add(from_end(7).wrapping_mul(23));
    mixed
        .wrapping_add(from_end(9).wrapping_mul(11))
        .wrapping_add(length.wrapping_mul(3))
}

fn push_number(number: usize, packed: &mut Vec<u8>) {
    #[expect(clippy::cast_possible_truncation, reason = "there are at most MOST keys")]
    let byte = |part: usize| part as u8;
    match number.checked_sub(ONE_BYTE) {
        None => packed.push(FIRST + byte(number)),
        Some(above) => packed.extend([FIRST_OF_TWO + byte(above >> 8), byte(above & 0xff)]),
    }
}

/// Packs up to the next `&`; gives how many bytes of the body that took.
fn pack_text(text: &[u8], packed: &mut Vec<u8>) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let plain = memchr2(b'%', b'&', rest).unwrap_or(rest.len());
        packed.extend_from_slice(&rest[..plain]);
        at += plain;
        match pack_escapes(&rest[plain..], packed) {
            0 => return at,
            packed => at += packed,
        }
    }
}

/// Packs the escapes that `text` begins with, and blanks between them: most letters of most languages come as escapes.
fn pack_escapes(text: &[u8], packed: &mut Vec<u8>) -> usize {
    let mut rest = text;
    loop {
        if let Some((six, behind)) = rest.split_first_chunk()
            && let Some(two) = two_escapes(*six)
        {
            packed.extend_from_slice(&two);
            rest = behind;
            continue;
        }
        let (byte, behind) = match rest {
            [b'%', high, low, behind @ ..] => {
                let escaped = DIGITS[0][usize::from(*high)] | DIGITS[1][usize::from(*low)];
                match PACKED.get(usize::from(escaped)) {
                    Some(short @ 1..) => (*short, behind),
                    _ => (b'%', &rest[1..]),
                }
            }
            [byte @ (b'%' | b'+'), behind @ ..] => (*byte, behind),
            _ => return text.len() - rest.len(),
        };
        packed.push(byte);
        rest = behind;
    }
}

/// Two escapes of bytes from 0x80, which is how most letters come, at one time.
fn two_escapes(six: [u8; 6]) -> Option<[u8; 2]> {
    /// One in each byte that should be a digit.
    const ONES: u64 = 0x0101_0001_0100;
    let [a, b, c, d, e, f] = six;
    let word = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    if word & 0xff00_00ff != 0x2500_0025 {
        return None;
    }
    let digits = word & (ONES * 0xff);
    let values = (digits & (ONES * 15)) + ((digits >> 6) & ONES) * 9;
    // Only capitals and figures come back as the same digits.
    let letters = ((values + ONES * 6) >> 4) & ONES;
    let same = values + ONES * 0x30 + letters * 7 == digits && values & (ONES * 0xf0) == 0;
    let byte = |high: u32, low: u32| ((values >> high & 15) << 4 | (values >> low & 15)) as u8;
    let two = [byte(8, 16), byte(32, 40)];
    (same && two[0] & two[1] & 0x80 != 0).then_some(two)
}

fn unpack_byte(byte: u8, body: &mut Vec<u8>) -> Option<()> {
    let escaped = match byte {
        0x20..0x80 => {
            body.push(byte);
            return Some(());
        }
        0x80.. => byte,
        _ => *SHORT.get(usize::from(byte.checked_sub(FIRST_SHORT)?))?,
    };
    let digit = |nibble: u8| b"0123456789ABCDEF"[usize::from(nibble)];
    body.extend([b'%', digit(escaped >> 4), digit(escaped & 15)]);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::encode::{self, Brackets};
    use proptest::prelude::*;

    const KEYS: [&str; 6] = ["event", "data[a][b]", "data[a][c]", "data[d]", "ts", "data[a][e]"];

    fn vocabulary() -> Vocabulary {
        Vocabulary::new(&KEYS)
    }

    #[test]
    fn a_packed_body_is_small_and_comes_back() {
        let body = b"event=X&data%5Ba%5D%5Bb%5D=%D0%BF%D1%80+1%2F2&data%5Bz%5D=%7e&ts=1";
        let packed = vocabulary().pack(body).unwrap();
        assert_eq!(packed, b"\x80X&\x81\xd0\xbf\xd1\x80+1\x052&\x01data\x02z\x03=%7e&\x841");
        assert_eq!(vocabulary().unpack(&packed).unwrap(), body);
    }

    #[test]
    fn two_escapes_are_what_one_and_one_are() {
        let one = |high: u8, low: u8| {
            let escaped = DIGITS[0][usize::from(high)] | DIGITS[1][usize::from(low)];
            u8::try_from(escaped).ok().filter(|byte| *byte >= 0x80)
        };
        for high in 0..=255 {
            for low in 0..=255 {
                let both = one(high, low).map(|byte| [byte, 0xd0]);
                assert_eq!(
                    two_escapes([b'%', high, low, b'%', b'D', b'0']),
                    both,
                    "{high:x} {low:x}"
                );
                let both = one(high, low).map(|byte| [0xbf, byte]);
                assert_eq!(
                    two_escapes([b'%', b'B', b'F', b'%', high, low]),
                    both,
                    "{high:x} {low:x}"
                );
            }
        }
        for other in [*b"&D0%BF", *b"%D0&BF", *b"%D0%41", *b"%41%D0"] {
            assert_eq!(two_escapes(other), None);
        }
    }

    #[test]
    fn there_is_room_for_thousands_of_keys() {
        let keys: Vec<String> = (0..5000).map(|number| format!("k{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let vocabulary = Vocabulary::new(&keys);
        for number in [0, 111, 112, 367, 368, 4207, 4208, 4999] {
            let body = format!("k{number}=1&k{number}=");
            let packed = vocabulary.pack(body.as_bytes()).unwrap();
            assert_eq!(vocabulary.unpack(&packed).unwrap(), body.as_bytes());
            let most = if number < MOST { 6 } else { body.len() + 2 };
            assert!(packed.len() <= most, "{number}");
        }
    }

    #[test]
    fn what_has_bytes_of_its_own_is_not_packed() {
        for body in ["ts=\u{e4}", "ts=1\r\n", "\u{1}", "ts=\u{7f}\u{1f}"] {
            assert_eq!(vocabulary().pack(body.as_bytes()), None, "{body:?}");
        }
    }

    #[test]
    fn what_nobody_packed_is_told() {
        for packed in [
            &b"ts=1"[..],
            b"\x85",
            b"\x8f=1",
            b"\xf0",
            b"\xff\xff",
            b"\x80\x01",
            b"\x80\x1f",
            b"\x80&\x1e",
        ] {
            let known = vocabulary().unpack(packed).is_some();
            assert_eq!(known, packed == b"\x85", "{packed:x?}");
        }
    }

    proptest! {
        #[test]
        fn any_form_comes_back_to_the_byte(body in "(event|data|ts|a|b|c|d|e|\\[|\\]|%5B|%5D|%5b|=|&|\\+|%|%0A|%D0|%d0|%7F|1|~){0,60}") {
            let packed = vocabulary().pack(body.as_bytes()).unwrap();
            prop_assert_eq!(vocabulary().unpack(&packed).unwrap(), body.as_bytes());
        }

        #[test]
        fn what_php_encodes_comes_back_to_the_byte(data in encode::objects()) {
            for brackets in Brackets::ALL {
                let body = encode::form(&data, brackets);
                let packed = vocabulary().pack(body.as_bytes()).unwrap();
                prop_assert_eq!(vocabulary().unpack(&packed).unwrap(), body.as_bytes());
            }
        }

        #[test]
        fn any_bytes_at_all_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = vocabulary().unpack(&bytes);
            if let Some(packed) = vocabulary().pack(&bytes) {
                prop_assert_eq!(vocabulary().unpack(&packed).unwrap(), bytes);
            }
        }
    }
}
