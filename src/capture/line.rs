//! The manifest: one JSON line for each capture, oldest first. Lines of files that are gone are passed over by who reads.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// Its name in the folder.
pub(crate) const MANIFEST: &str = "manifest.jsonl";

/// One capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The file beside the manifest; `.json` is JSON, `.form` everything else.
    pub(crate) file: String,
    /// When it came, RFC 3339.
    pub(crate) received: String,
    /// What the request said.
    pub(crate) content_type: String,
    /// Whose event it is, where that was proven.
    pub(crate) portal: Option<String>,
    pub(crate) event: Option<String>,
    /// `accepted`, `quarantined`, `duplicate`, `ignored`, `installation`, `refused`; `dead_letter` where it was made from one.
    pub(crate) outcome: String,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Of the file.
    pub(crate) bytes: u64,
    /// For pruning: unix milliseconds.
    pub(crate) received_ms: i64,
}

/// The captures of a folder that are there, oldest first. No manifest: none.
///
/// # Errors
/// The manifest is there and cannot be read.
pub(crate) fn lines(folder: &Path) -> io::Result<Vec<Line>> {
    let text = match fs::read_to_string(folder.join(MANIFEST)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // A line that a crash has cut is no line.
    let read = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    Ok(read
        .filter(|line| is_plain(&line.file) && folder.join(&line.file).is_file())
        .collect())
}

/// Removes one capture; `false`: there is none of this name.
///
/// # Errors
/// It is there and cannot be removed.
pub(crate) fn drop_file(folder: &Path, name: &str) -> io::Result<bool> {
    if !is_plain(name) {
        return Ok(false);
    }
    match fs::remove_file(folder.join(name)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a file has the name of a capture, `20260226T092640Z-0000001-accepted.form`: nothing else in the folder is touched.
pub(super) fn is_plain(name: &str) -> bool {
    let known = name.strip_suffix(".form").or_else(|| name.strip_suffix(".json"));
    let Some(stem) = known else { return false };
    let mut parts = stem.splitn(3, '-');
    let (moment, number, outcome) = (parts.next(), parts.next(), parts.next());
    moment.is_some_and(|moment| moment.ends_with('Z') && moment.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        && number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        && outcome.is_some_and(|outcome| outcome.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}
