//! PHP-bracket forms into the arena: pairs, keys, and what a repeated key means. Reads keys, never values.

use super::percent;
use super::tree::{Format, ROOT, Tree, Value};
use super::{Limits, Refused};
use crate::types::is_credential;
use memchr::{memchr, memchr2};
use std::borrow::Cow;
use std::ops::Range;

/// Root keys of which a second one would change whom or what we believe.
pub(super) const ONCE_AT_ROOT: [&str; 3] = ["event", "auth", "data"];
/// The same under `auth`.
pub(super) const ONCE_UNDER_AUTH: [&str; 2] = ["application_token", "member_id"];

/// `wanted`: of the values below the second level only those of these names are put into the tree; `None`: all.
pub(super) fn read<'a>(body: &'a [u8], limits: &Limits, wanted: Option<&[&str]>) -> Result<Tree<'a>, Refused> {
    // They never occur raw in an encoded body; editors and replay tools add them.
    let end = body
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
        .map_or(0, |last| last + 1);
    let mut reader = Reader {
        body: &body[..end],
        text: std::str::from_utf8(&body[..end]).ok(),
        limits,
        wanted: wanted.map(Wanted::of),
        left_out: 0,
        tree: Tree::new(body, Format::Form, (end / 36).min(limits.max_pairs)),
        prefix: &[],
        parent: ROOT,
        deep: false,
        names: Vec::new(),
    };
    reader.run()?;
    Ok(reader.tree)
}

/// Bytes that a plain name cannot hold.
const ENDS_NAME: [bool; 256] = {
    let mut ends = [false; 256];
    let mut at = 0;
    while at < b"%+[]=&".len() {
        ends[b"%+[]=&"[at] as usize] = true;
        at += 1;
    }
    ends
};

/// Names, and their lengths as bits: most names are told by their length and their first byte.
struct Wanted<'l> {
    names: &'l [&'l str],
    lengths: u64,
}

impl<'l> Wanted<'l> {
    fn of(names: &'l [&'l str]) -> Self {
        let lengths = names.iter().fold(0, |all, name| all | length_bit(name));
        Self { names, lengths }
    }

    fn has(&self, name: &str) -> bool {
        let alike = |wanted: &&str| wanted.as_bytes().first() == name.as_bytes().first() && *wanted == name;
        self.lengths & length_bit(name) != 0 && self.names.iter().any(alike)
    }
}

/// Names of 63 bytes and more share a bit.
fn length_bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

struct Reader<'a, 'l> {
    body: &'a [u8],
    /// The same, where all of it is UTF-8 (nearly always): then no name has to be checked by itself.
    text: Option<&'a str>,
    limits: &'l Limits,
    wanted: Option<Wanted<'l>>,
    /// Values that were not wanted.
    left_out: usize,
    tree: Tree<'a>,
    /// The last key up to the bracket that opens its last group, and the place it led to: PHP writes an object's
    /// fields one after the other, so the next key mostly begins with the same bytes.
    prefix: &'a [u8],
    parent: u32,
    /// Whether that place is below the second level.
    deep: bool,
    /// The parts of the key in hand, kept for their memory.
    names: Vec<Cow<'a, str>>,
}

impl<'a> Reader<'a, '_> {
    fn run(&mut self) -> Result<(), Refused> {
        let mut at = 0;
        let mut pairs = 0;
        while at < self.body.len() {
            if self.body[at] == b'&' {
                at += 1;
                continue;
            }
            pairs += 1;
            if pairs > self.limits.max_pairs {
                return Err(Refused::TooManyPairs);
            }
            at = self.pair(at)?;
        }
        Ok(())
    }

    /// Reads the pair that begins at `start`; returns where it ends.
    fn pair(&mut self, start: usize) -> Result<usize, Refused> {
        if let Some((name, key_end)) = self.sibling(start) {
            let value = self.value(key_end);
            if !(self.deep && self.passes_over(self.parent, name, &value)) {
                self.leaf(self.parent, Cow::Borrowed(name), value.clone())?;
            }
            return Ok(value.end);
        }
        let key_end = memchr2(b'=', b'&', &self.body[start..]).map_or(self.body.len(), |length| start + length);
        let value = self.value(key_end);
        let mut names = std::mem::take(&mut self.names);
        let last_group = split(&self.body[start..key_end], self.limits, &mut names);
        let deep = names.len() > 2;
        if let Some(last_group) = last_group {
            let (leaf, parents) = names.split_last_mut().unzip();
            // An empty group leads to another place each time.
            let same_again = parents
                .as_deref()
                .is_some_and(|parents: &[Cow<'_, str>]| parents.iter().all(|name| !name.is_empty()));
            let parent = parents.map_or(Ok(ROOT), |parents| self.descend(parents))?;
            if let Some(leaf) = leaf {
                let name = self.named(parent, std::mem::take(leaf));
                if !(deep && self.passes_over(parent, &name, &value)) {
                    self.leaf(parent, name, value.clone())?;
                }
            }
            if last_group > 0 && same_again {
                self.prefix = &self.body[start..start + last_group];
                self.parent = parent;
                self.deep = deep;
            }
        } else {
            self.tree.ignored += 1;
            self.cut(value.clone());
        }
        names.clear();
        self.names = names;
        Ok(value.end)
    }

    /// The common case: the key is the last prefix, a plain name and a closing bracket.
    fn sibling(&self, start: usize) -> Option<(&'a str, usize)> {
        if self.prefix.is_empty() || !self.body[start..].starts_with(self.prefix) {
            return None;
        }
        let from = start + self.prefix.len();
        let to = from
            + self.body[from..]
                .iter()
                .take_while(|byte| !ENDS_NAME[usize::from(**byte)])
                .count();
        let key_end = match self.body.get(to)? {
            b']' => to + 1,
            b'%' if percent::escape(self.body, to) == Some(b']') => to + 3,
            _ => return None,
        };
        let ends = matches!(self.body.get(key_end), None | Some(b'=' | b'&'));
        let name = match self.text {
            Some(text) => text.get(from..to)?,
            None => std::str::from_utf8(&self.body[from..to]).ok()?,
        };
        (ends && !name.is_empty() && key_end - start <= self.limits.max_key_bytes).then_some((name, key_end))
    }

    /// Where the value of a key that ends at `key_end` stands.
    fn value(&self, key_end: usize) -> Range<usize> {
        if self.body.get(key_end) == Some(&b'=') {
            let from = key_end + 1;
            from..memchr(b'&', &self.body[from..]).map_or(self.body.len(), |length| from + length)
        } else {
            key_end..key_end
        }
    }

    fn named(&self, parent: u32, name: Cow<'a, str>) -> Cow<'a, str> {
        // Only a group can be empty here, never the base.
        if name.is_empty() {
            self.tree.next_name(parent)
        } else {
            name
        }
    }

    /// Goes down through objects, making those that are missing.
    fn descend(&mut self, names: &mut [Cow<'a, str>]) -> Result<u32, Refused> {
        let mut at = ROOT;
        for name in names {
            let name = self.named(at, std::mem::take(name));
            at = match self.tree.find(at, &name) {
                // A body of empty groups would make an entry of each two bytes.
                None if self.tree.len() + self.left_out >= self.limits.max_entries() => {
                    return Err(Refused::TooManyPairs);
                }
                None => self.tree.add(at, name, Value::Object),
                Some(child) if self.tree.entry(child).is_container() => child,
                Some(_) if at == ROOT || self.once(at, &name).is_some() => return Err(Refused::ConflictingKey),
                Some(child) => {
                    self.tree.replace(child, Value::Object);
                    child
                }
            };
        }
        Ok(at)
    }

    /// Leaves out a value that is not wanted. A credential is cut all the same.
    fn passes_over(&mut self, parent: u32, name: &str, value: &Range<usize>) -> bool {
        if self.wanted.as_ref().is_none_or(|wanted| wanted.has(name)) {
            return false;
        }
        self.left_out += 1;
        if self.tree.entry(parent).credential || is_credential(name) {
            self.cut(value.clone());
        }
        true
    }

    fn leaf(&mut self, parent: u32, name: Cow<'a, str>, value: Range<usize>) -> Result<(), Refused> {
        let raw = Value::Raw(&self.body[value.clone()]);
        let child = match self.tree.find(parent, &name) {
            None => self.tree.add(parent, name, raw),
            Some(child) => {
                let once = self.once(parent, &name);
                if self.tree.entry(child).is_container() && (parent == ROOT || once.is_some()) {
                    return Err(Refused::ConflictingKey);
                }
                match once {
                    Some(key) => return Err(Refused::RepeatedKey(key)),
                    None => self.replace(child, raw),
                }
                child
            }
        };
        if self.tree.entry(child).credential {
            self.cut(value);
        }
        Ok(())
    }

    fn replace(&mut self, child: u32, value: Value<'a>) {
        // The remembered parent may stand below the place that now becomes a scalar.
        if self.tree.entry(child).is_container() {
            self.prefix = &[];
        }
        self.tree.replace(child, value);
    }

    fn once(&self, parent: u32, name: &str) -> Option<&'static str> {
        once(&self.tree, parent, name)
    }

    fn cut(&mut self, value: Range<usize>) {
        if !value.is_empty() {
            self.tree.cuts.push(value);
        }
    }
}

/// Which of the keys that may come only once this is, if it is one.
pub(super) fn once(tree: &Tree<'_>, parent: u32, name: &str) -> Option<&'static str> {
    if parent == ROOT {
        return ONCE_AT_ROOT.into_iter().find(|key| *key == name);
    }
    let key = ONCE_UNDER_AUTH.into_iter().find(|key| *key == name)?;
    (tree.find(ROOT, "auth") == Some(parent)).then_some(key)
}

/// Splits a key into its base and groups, decoded. Gives where the last group's name begins (0 if there is no
/// group), or `None` if the pair is to be ignored.
fn split<'a>(key: &'a [u8], limits: &Limits, names: &mut Vec<Cow<'a, str>>) -> Option<usize> {
    if key.is_empty() || decoded_length(key, limits.max_key_bytes) > limits.max_key_bytes {
        return None;
    }
    let (base_end, mut next) = bracket(key, 0, b'[').unwrap_or((key.len(), key.len()));
    if base_end == 0 {
        return None;
    }
    names.push(percent::name(&key[..base_end])?);
    let mut last_group = 0;
    while next < key.len() || base_end < key.len() {
        if names.len() > limits.depth() {
            return None;
        }
        let (end, after) = bracket(key, next, b']')?;
        names.push(percent::name(&key[next..end])?);
        last_group = next;
        match opens(key, after) {
            Some(inside) => next = inside,
            None => {
                // What follows a group without being one is ignored, as PHP does; it must still be UTF-8.
                percent::name(&key[after..])?;
                break;
            }
        }
    }
    Some(last_group)
}

/// The first bracket of this kind, raw or encoded: where it begins and where it ends.
fn bracket(key: &[u8], from: usize, kind: u8) -> Option<(usize, usize)> {
    let mut at = from;
    while at < key.len() {
        match key[at] {
            byte if byte == kind => return Some((at, at + 1)),
            b'%' => match percent::escape(key, at) {
                Some(byte) if byte == kind => return Some((at, at + 3)),
                Some(_) => at += 3,
                None => at += 1,
            },
            _ => at += 1,
        }
    }
    None
}

/// The end of an opening bracket that stands exactly here.
fn opens(key: &[u8], at: usize) -> Option<usize> {
    match key.get(at)? {
        b'[' => Some(at + 1),
        b'%' if percent::escape(key, at) == Some(b'[') => Some(at + 3),
        _ => None,
    }
}

/// Bytes after decoding; counted only if the raw key is too long already.
fn decoded_length(key: &[u8], enough: usize) -> usize {
    if key.len() <= enough {
        key.len()
    } else {
        percent::decode(key).len()
    }
}
