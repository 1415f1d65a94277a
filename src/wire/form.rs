//! PHP-bracket forms into the arena: pairs, keys, and what a repeated key means. Reads keys, never values.

use super::percent;
use super::trail::{Plain, Step, Trail};
use super::tree::{Format, ROOT, Tree, Value};
use super::vocabulary::{Fate, Met};
use super::{Limits, Refused, Selection};
use crate::types::is_credential_name;
use memchr::{memchr, memchr2};
use std::borrow::Cow;
use std::ops::Range;

/// Root keys of which a second one would change whom or what we believe.
pub(super) const ONCE_AT_ROOT: [&str; 3] = ["event", "auth", "data"];
/// The same under `auth`.
pub(super) const ONCE_UNDER_AUTH: [&str; 2] = ["application_token", "member_id"];

/// `wanted`: of the values below the second level only these are put into the tree; `None`: all.
pub(super) fn read<'a>(body: &'a [u8], limits: &Limits, wanted: Option<&Selection>) -> Result<Tree<'a>, Refused> {
    // They never occur raw in an encoded body; editors and replay tools add them.
    let end = body
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
        .map_or(0, |last| last + 1);
    let most = if wanted.is_some() { ENOUGH } else { limits.max_pairs };
    let mut reader = Reader {
        body: &body[..end],
        limits,
        wanted,
        last: None,
        left_out: 0,
        tree: Tree::new(body, Format::Form, (end / 36).min(most)),
        trail: Trail::default(),
        names: Vec::new(),
    };
    reader.run()?;
    Ok(reader.tree)
}

/// Entries that a tree of wanted values has room for at first.
const ENOUGH: usize = 47;

struct Reader<'a, 'l> {
    body: &'a [u8],
    limits: &'l Limits,
    wanted: Option<&'l Selection>,
    /// The number of the last pair's key, if it is known and its object is in the tree.
    last: Option<usize>,
    /// Values that were not wanted.
    left_out: usize,
    tree: Tree<'a>,
    trail: Trail<'a>,
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
        let rest = &self.body[start..];
        if let (Some(wanted), Some(last)) = (self.wanted, self.last)
            && let Some(met) = wanted.next(last, rest)
            && met.end <= self.limits.max_key_bytes
        {
            return self.known(start, &met);
        }
        match self.trail.read(rest, self.limits) {
            Some(key) => self.plain(start, &key),
            None => self.any(start),
        }
    }

    /// A key that is known, in the object of the last one.
    fn known(&mut self, start: usize, key: &Met) -> Result<usize, Refused> {
        let value = start + key.end..self.value_end(start + key.end);
        let end = value.end;
        self.last = Some(key.number);
        match (key.fate, self.trail.last()) {
            (Fate::Passed, _) => self.left_out += 1,
            (Fate::Cut, _) => {
                self.left_out += 1;
                self.cut(value);
            }
            (Fate::Taken, Some(object)) => self.leaf(object.node, Cow::Borrowed(key.name), value)?,
            (Fate::Taken, None) => return self.any(start),
        }
        Ok(end)
    }

    /// The common case. It reads as [`any`](Self::any) would.
    fn plain(&mut self, start: usize, key: &Plain) -> Result<usize, Refused> {
        let rest = &self.body[start..];
        let mut place = 0;
        while let Some((name, end)) = self.trail.next(rest, place) {
            let above = self.trail.last().map_or(ROOT, |step| step.node);
            let node = self.down(above, ascii(name))?;
            let credential = self.tree.entry(node).credential;
            self.trail.step(rest, Step { end, node, credential });
            place += 1;
        }
        let value = self.value(start + key.end);
        let name = &rest[key.name.clone()];
        let (parent, credential) = self
            .trail
            .last()
            .map_or((ROOT, false), |step| (step.node, step.credential));
        if !(self.trail.depth() > 1 && self.passes_over(credential, name, &value)) {
            self.leaf(parent, ascii(name), value.clone())?;
        }
        self.last = self
            .wanted
            .filter(|_| self.trail.depth() > 0)
            .and_then(|wanted| wanted.number(rest.get(..=key.end)?));
        Ok(value.end)
    }

    /// A pair with any key: names are decoded, and places among them chosen as PHP does.
    fn any(&mut self, start: usize) -> Result<usize, Refused> {
        self.last = None;
        let key_end = memchr2(b'=', b'&', &self.body[start..]).map_or(self.body.len(), |length| start + length);
        let value = self.value(key_end);
        let mut names = std::mem::take(&mut self.names);
        let taken = split(&self.body[start..key_end], self.limits, &mut names);
        let deep = names.len() > 2;
        if let (Some(()), Some((leaf, parents))) = (taken, names.split_last_mut()) {
            let parent = self.descend(parents)?;
            let name = self.named(parent, std::mem::take(leaf));
            let credential = self.tree.entry(parent).credential;
            if !(deep && self.passes_over(credential, name.as_bytes(), &value)) {
                self.leaf(parent, name, value.clone())?;
            }
        } else {
            self.tree.ignored += 1;
            self.cut(value.clone());
        }
        names.clear();
        self.names = names;
        Ok(value.end)
    }

    /// Where the value of a key that ends at `key_end` stands.
    fn value(&self, key_end: usize) -> Range<usize> {
        if self.body.get(key_end) == Some(&b'=') {
            key_end + 1..self.value_end(key_end + 1)
        } else {
            key_end..key_end
        }
    }

    fn value_end(&self, from: usize) -> usize {
        memchr(b'&', &self.body[from..]).map_or(self.body.len(), |length| from + length)
    }

    fn named(&self, parent: u32, name: Cow<'a, str>) -> Cow<'a, str> {
        // Only a group can be empty here, never the base.
        if name.is_empty() {
            self.tree.next_name(parent)
        } else {
            name
        }
    }

    fn descend(&mut self, names: &mut [Cow<'a, str>]) -> Result<u32, Refused> {
        let mut at = ROOT;
        for name in names {
            let name = self.named(at, std::mem::take(name));
            at = self.down(at, name)?;
        }
        Ok(at)
    }

    /// Goes down to an object, making it if it is missing.
    fn down(&mut self, at: u32, name: Cow<'a, str>) -> Result<u32, Refused> {
        match self.tree.find(at, &name) {
            // A body of empty groups would make an entry of each two bytes.
            None if self.tree.len() + self.left_out >= self.limits.max_entries() => Err(Refused::TooManyPairs),
            None => Ok(self.tree.add(at, name, Value::Object)),
            Some(child) if self.tree.entry(child).is_container() => Ok(child),
            Some(_) if at == ROOT || self.once(at, &name).is_some() => Err(Refused::ConflictingKey),
            Some(child) => {
                self.tree.replace(child, Value::Object);
                Ok(child)
            }
        }
    }

    /// Leaves out a value that is not wanted. A credential, or what stands below one, is cut all the same.
    #[inline]
    fn passes_over(&mut self, below_credential: bool, name: &[u8], value: &Range<usize>) -> bool {
        if self.wanted.is_none_or(|wanted| wanted.has(name)) {
            return false;
        }
        self.left_out += 1;
        if below_credential || is_credential_name(name) {
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
                    None => self.tree.replace(child, raw),
                }
                child
            }
        };
        if self.tree.entry(child).credential {
            self.cut(value);
        }
        Ok(())
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

/// A name that is known to be ASCII.
fn ascii(name: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(name).map_or_else(|_| String::from_utf8_lossy(name), Cow::Borrowed)
}

/// Splits a key into its base and groups, decoded; `None` if the pair is to be ignored.
fn split<'a>(key: &'a [u8], limits: &Limits, names: &mut Vec<Cow<'a, str>>) -> Option<()> {
    if key.is_empty() || decoded_length(key, limits.max_key_bytes) > limits.max_key_bytes {
        return None;
    }
    let (base_end, mut next) = bracket(key, 0, b'[').unwrap_or((key.len(), key.len()));
    if base_end == 0 {
        return None;
    }
    names.push(percent::name(&key[..base_end])?);
    while next < key.len() || base_end < key.len() {
        if names.len() > limits.depth() {
            return None;
        }
        let (end, after) = bracket(key, next, b']')?;
        names.push(percent::name(&key[next..end])?);
        match opens(key, after) {
            Some(inside) => next = inside,
            None => {
                // What follows a group without being one is ignored, as PHP does; it must still be UTF-8.
                percent::name(&key[after..])?;
                break;
            }
        }
    }
    Some(())
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
