//! The arena a body is read into, and the view of it. Owns structure and lookup; reads no bytes, knows no event.

use super::percent;
use crate::types::is_credential;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

/// How a body was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/x-www-form-urlencoded` with PHP brackets.
    Form,
    /// JSON.
    Json,
}

/// No entry.
pub(super) const NONE: u32 = u32::MAX;
pub(super) const ROOT: u32 = 0;
/// Up to here siblings are compared one by one; beyond, a map is built. The largest object of a real event has 28.
const LINEAR: u32 = 32;

/// What stands at a place of the tree.
#[derive(Clone)]
pub(super) enum Value<'a> {
    Object,
    /// A JSON array; its items have no names.
    List,
    /// A form value, not decoded yet.
    Raw(&'a [u8]),
    Text(Cow<'a, str>),
    Number(serde_json::Number),
    Bool(bool),
    Null,
}

pub(super) struct Entry<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Value<'a>,
    first: u32,
    last: u32,
    next: u32,
    count: u32,
    /// What an empty bracket pair appends to; counted along, because looking for the largest index would be quadratic.
    next_index: u64,
    /// The [`mark`] of its own name: other marks are other names.
    mark: u8,
    /// One bit for the mark of each child: a name whose bit is not set is new, and nobody has to look for it. Not one large
    /// number, which would have to stand at places that the allocator must look for.
    marks: [u64; 2],
    /// This name, or one above it, is a credential's.
    pub(super) credential: bool,
}

/// A body as a tree: objects, lists and scalars in the order they came. Borrows the body.
pub struct Tree<'a> {
    pub(super) body: &'a [u8],
    pub(super) format: Format,
    entries: Vec<Entry<'a>>,
    /// Children by name of the entries that have more than [`LINEAR`]. Seeded at random by the standard library.
    indexes: HashMap<u32, HashMap<Cow<'a, str>, u32>>,
    pub(super) ignored: usize,
    /// Where in a form the values of credentials and of ignored pairs stand, in order.
    pub(super) cuts: Vec<Range<usize>>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(body: &'a [u8], format: Format, capacity: usize) -> Self {
        let mut entries = Vec::with_capacity(capacity + 1);
        entries.push(Entry::new(Cow::Borrowed(""), Value::Object, false));
        Self {
            body,
            format,
            entries,
            indexes: HashMap::new(),
            ignored: 0,
            cuts: Vec::new(),
        }
    }

    /// The whole body: always an object, never empty.
    #[must_use]
    pub fn root(&self) -> Node<'_, 'a> {
        Node { tree: self, at: ROOT }
    }

    /// How the body was written.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Form pairs left out for their key: too long, too deep, unclosed, empty or not UTF-8.
    #[must_use]
    pub fn ignored_pairs(&self) -> usize {
        self.ignored
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entry(&self, at: u32) -> &Entry<'a> {
        &self.entries[at as usize]
    }

    pub(super) fn entry_mut(&mut self, at: u32) -> &mut Entry<'a> {
        &mut self.entries[at as usize]
    }

    /// The child of `parent` with this name. Items of a list are found by their place.
    pub(super) fn find(&self, parent: u32, name: &str) -> Option<u32> {
        let entry = self.entry(parent);
        if matches!(entry.value, Value::List) {
            let place = array_index(name)?;
            return self.children(parent).nth(usize::try_from(place).ok()?);
        }
        if entry.count > LINEAR {
            return self.indexes.get(&parent)?.get(name).copied();
        }
        let mark = mark(name);
        if entry.marks[half(mark)] & 1 << (mark % 64) == 0 {
            return None;
        }
        self.children(parent).find(|child| {
            let child = self.entry(*child);
            child.mark == mark && child.name == name
        })
    }

    fn children(&self, parent: u32) -> impl Iterator<Item = u32> {
        let first = self.entry(parent).first;
        std::iter::successors((first != NONE).then_some(first), |at| {
            let next = self.entry(*at).next;
            (next != NONE).then_some(next)
        })
    }

    /// Appends a child; the caller has made sure that the name is new (list items: that it is empty).
    pub(super) fn add(&mut self, parent: u32, name: Cow<'a, str>, value: Value<'a>) -> u32 {
        let credential = self.entry(parent).credential || is_credential(&name);
        // Entries are bounded by the pair limit times the depth limit and by the body, far below u32.
        let at = u32::try_from(self.entries.len()).unwrap_or(NONE - 1);
        if self.entry(parent).count >= LINEAR && !matches!(self.entry(parent).value, Value::List) {
            self.index(parent, name.clone(), at);
        }
        let (index, mark) = (array_index(&name), mark(&name));
        let mut entry = Entry::new(name, value, credential);
        entry.mark = mark;
        self.entries.push(entry);
        let parent = self.entry_mut(parent);
        parent.count += 1;
        parent.marks[half(mark)] |= 1 << (mark % 64);
        if let Some(index) = index {
            parent.next_index = parent.next_index.max(index.saturating_add(1));
        }
        let last = std::mem::replace(&mut parent.last, at);
        if last == NONE {
            parent.first = at;
        } else {
            self.entry_mut(last).next = at;
        }
        at
    }

    fn index(&mut self, parent: u32, name: Cow<'a, str>, at: u32) {
        if !self.indexes.contains_key(&parent) {
            let all = self
                .children(parent)
                .map(|child| (self.entry(child).name.clone(), child))
                .collect();
            self.indexes.insert(parent, all);
        }
        if let Some(index) = self.indexes.get_mut(&parent) {
            index.insert(name, at);
        }
    }

    /// Puts another value in a place; what stood below it is gone.
    pub(super) fn replace(&mut self, at: u32, value: Value<'a>) {
        if self.entry(at).count > LINEAR {
            self.indexes.remove(&at);
        }
        let entry = self.entry_mut(at);
        entry.value = value;
        entry.first = NONE;
        entry.last = NONE;
        entry.count = 0;
        entry.next_index = 0;
        entry.marks = [0; 2];
    }

    /// The name an empty bracket pair stands for.
    pub(super) fn next_name(&self, parent: u32) -> Cow<'a, str> {
        Cow::Owned(self.entry(parent).next_index.to_string())
    }
}

impl<'a> Entry<'a> {
    fn new(name: Cow<'a, str>, value: Value<'a>, credential: bool) -> Self {
        Self {
            name,
            value,
            first: NONE,
            last: NONE,
            next: NONE,
            count: 0,
            next_index: 0,
            mark: 0,
            marks: [0; 2],
            credential,
        }
    }

    pub(super) fn is_container(&self) -> bool {
        matches!(self.value, Value::Object | Value::List)
    }
}

/// A small number for a name, from its length and three of its bytes. Names that share one only cost a look.
fn mark(name: &str) -> u8 {
    let bytes = name.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return 0;
    };
    let middle = bytes[bytes.len() / 2];
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a mix of bytes, of which the low eight bits are taken"
    )]
    let length = bytes.len() as u8;
    let mixed = first.wrapping_mul(5).wrapping_add(last.wrapping_mul(11));
    mixed.wrapping_add(middle.wrapping_mul(23)).wrapping_add(length)
}

/// Where among the bits a mark's bit is.
fn half(mark: u8) -> usize {
    usize::from(mark / 64 % 2)
}

/// The place a PHP array key stands for: decimal digits without a leading zero, below 2^63.
pub(super) fn array_index(name: &str) -> Option<u64> {
    match name.as_bytes() {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => name.parse().ok().filter(|index| *index < 1 << 63),
        _ => None,
    }
}

/// Shape only: a tree holds credentials and people's words.
impl fmt::Debug for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("format", &self.format)
            .field("entries", &self.entries.len())
            .field("ignored", &self.ignored)
            .finish()
    }
}

/// A place in a [`Tree`].
#[derive(Clone, Copy)]
pub struct Node<'t, 'a> {
    pub(super) tree: &'t Tree<'a>,
    pub(super) at: u32,
}

impl<'t, 'a> Node<'t, 'a> {
    pub(super) fn value(self) -> &'t Value<'a> {
        &self.tree.entry(self.at).value
    }

    /// The child of this name.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Self> {
        let at = self.tree.find(self.at, name)?;
        Some(Self { tree: self.tree, at })
    }

    /// The descendant behind these names.
    #[must_use]
    pub fn path(self, names: &[&str]) -> Option<Self> {
        names.iter().try_fold(self, |node, name| node.get(name))
    }

    /// The name under which its parent holds it; empty for the root and for items of a JSON array.
    #[must_use]
    pub fn name(self) -> &'t str {
        &self.tree.entry(self.at).name
    }

    /// Children in the order they came.
    #[must_use]
    pub fn children(self) -> Children<'t, 'a> {
        Children {
            tree: self.tree,
            at: self.tree.entry(self.at).first,
            left: self.len(),
        }
    }

    /// How many children it has.
    #[must_use]
    pub fn len(self) -> usize {
        self.tree.entry(self.at).count as usize
    }

    /// Whether it has no child.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// An object or a list.
    #[must_use]
    pub fn is_container(self) -> bool {
        self.tree.entry(self.at).is_container()
    }

    /// A JSON array. Lists of a form are objects with numbers for names.
    #[must_use]
    pub fn is_array(self) -> bool {
        matches!(self.value(), Value::List)
    }

    /// Neither an object nor a list.
    #[must_use]
    pub fn is_scalar(self) -> bool {
        !self.is_container()
    }

    /// JSON `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self.value(), Value::Null)
    }

    /// The text, if it is a string on the wire (every scalar of a form is). Never made from a number: what compares
    /// credentials asks here.
    #[must_use]
    pub fn string(self) -> Option<Cow<'t, str>> {
        match self.value() {
            Value::Raw(raw) => Some(percent::value(raw)),
            Value::Text(text) => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }
}

impl fmt::Debug for Node<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("children", &self.len())
            .finish_non_exhaustive()
    }
}

/// The children of a [`Node`] in the order they came.
#[derive(Clone, Debug)]
pub struct Children<'t, 'a> {
    tree: &'t Tree<'a>,
    at: u32,
    left: usize,
}

impl<'t, 'a> Iterator for Children<'t, 'a> {
    type Item = Node<'t, 'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == NONE {
            return None;
        }
        let node = Node {
            tree: self.tree,
            at: self.at,
        };
        self.at = self.tree.entry(self.at).next;
        self.left = self.left.saturating_sub(1);
        Some(node)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}
