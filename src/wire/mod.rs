//! Bytes to tree: PHP-bracket forms and JSON, and the scalars PHP writes into them ("1", "0", "Y").
//! Imports `types` only. Knows no event, and never grows faster than the body it reads.
//!
//! A stranger writes these bytes, so: linear time, one arena instead of nested boxes (building, walking and freeing
//! a tree never recurse), hard limits on pairs, key length and depth, and siblings found through a seeded map once
//! there are many. Values stay borrowed and undecoded until somebody asks for them.
//!
//! Accepted differences from PHP: dots and spaces in a root name stay, a key that is not UTF-8 is left out.

mod cut;
mod form;
mod json;
mod percent;
mod redact;
mod scalar;
mod trail;
mod tree;
mod vocabulary;

pub use cut::cut_credentials;
pub(crate) use redact::looks_json;
pub use redact::{Redaction, mark_cuts, redact};
pub use tree::{Children, Format, Node, Tree};
pub use vocabulary::{Selection, Vocabulary};

use std::fmt;

/// How much of a body is believed. The size of the body itself is the HTTP door's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Non-empty pairs of a form, or values of a JSON document; more refuse the body. 8,192.
    pub max_pairs: usize,
    /// Bytes of a decoded form key; a pair with a longer one is ignored and counted. 2,048.
    pub max_key_bytes: usize,
    /// Bracket groups of a form key (a deeper pair is ignored), or nesting of JSON (deeper is refused). 64, at most 100.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pairs: 8_192,
            max_key_bytes: 2_048,
            max_depth: 64,
        }
    }
}

impl Limits {
    /// The depth in force: what later walks a typed value may recurse this far, so no setting lifts it much.
    fn depth(&self) -> usize {
        self.max_depth.min(100)
    }

    /// Entries of a form's arena, objects included: real events have less than two for each pair.
    fn max_entries(&self) -> usize {
        self.max_pairs.saturating_mul(8)
    }
}

/// Why a body was not read. Holds nothing of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// No pair, no key.
    Empty,
    /// More than [`Limits::max_pairs`].
    TooManyPairs,
    /// JSON nested deeper than [`Limits::max_depth`].
    TooDeep,
    /// Not JSON although it says or looks so; the place where reading stopped.
    BadJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON, but not an object.
    NotAnObject,
    /// A key that decides about authenticity came twice: one of the two would be a forgery.
    RepeatedKey(&'static str),
    /// A root key came as a value and as an object.
    ConflictingKey,
}

impl Refused {
    /// A short fixed word for counters and logs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooManyPairs => "too_many_pairs",
            Self::TooDeep => "too_deep",
            Self::BadJson { .. } => "bad_json",
            Self::NotAnObject => "not_an_object",
            Self::RepeatedKey(_) => "repeated_key",
            Self::ConflictingKey => "conflicting_key",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the body is empty; expected a form or a JSON object"),
            Self::TooManyPairs => f.write_str("the body has too many keys; no event of Bitrix24 is that large"),
            Self::TooDeep => f.write_str("the JSON is nested too deep"),
            Self::BadJson { line, column } => write!(f, "the JSON is broken at line {line}, column {column}"),
            Self::NotAnObject => f.write_str("the JSON is not an object"),
            Self::RepeatedKey(key) => write!(f, "the key {key} came twice; send it once"),
            Self::ConflictingKey => f.write_str("a key came both as a value and as an object"),
        }
    }
}

impl std::error::Error for Refused {}

/// Reads a body. It is JSON if `content_type_is_json`, or if its first non-blank byte is `{` or `[`; else a form.
///
/// # Errors
/// [`Refused`] if nothing of it may be believed. A form with some bad pairs is read without them, see
/// [`Tree::ignored_pairs`].
pub fn parse<'a>(body: &'a [u8], content_type_is_json: bool, limits: &Limits) -> Result<Tree<'a>, Refused> {
    read(body, content_type_is_json, limits, None)
}

/// The same for who needs little of a long form: of the values below its second level the tree has only those that are
/// `wanted`. What is refused and what [`cut_credentials`] cuts is the same as of the whole.
///
/// # Errors
/// As of [`parse`].
pub fn parse_for<'a>(
    body: &'a [u8],
    content_type_is_json: bool,
    limits: &Limits,
    wanted: &Selection,
) -> Result<Tree<'a>, Refused> {
    // Values left out are counted as if each were new, so a whole tree may be had where this one is refused.
    read(body, content_type_is_json, limits, Some(wanted)).or_else(|_| parse(body, content_type_is_json, limits))
}

fn read<'a>(
    body: &'a [u8],
    content_type_is_json: bool,
    limits: &Limits,
    wanted: Option<&Selection>,
) -> Result<Tree<'a>, Refused> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let tree = match first {
        None => return Err(Refused::Empty),
        Some(b'{' | b'[') => json::read(body, limits)?,
        Some(_) if content_type_is_json => json::read(body, limits)?,
        Some(_) => form::read(body, limits, wanted)?,
    };
    if tree.root().is_empty() {
        return Err(Refused::Empty);
    }
    Ok(tree)
}

/// What a content type says: `Some(true)` JSON, `Some(false)` a form or nothing at all (the body decides),
/// `None` something that is not read here.
#[must_use]
pub fn json_by_content_type(content_type: Option<&str>) -> Option<bool> {
    let media = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    match media.to_ascii_lowercase().as_str() {
        "" | "application/x-www-form-urlencoded" => Some(false),
        "application/json" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod encode;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
