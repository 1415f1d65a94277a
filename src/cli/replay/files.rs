//! Which bodies a replay posts: files, folders and manifests of captures. Reads them all before the first post.

use super::{ReplayError, ReplayOptions, body::Body, credentials};
use crate::capture::{self, MANIFEST};
use crate::types::REDACTED;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A body as it will be posted.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) file: PathBuf,
    pub(super) body: Body,
}

/// A file, and the content type it came with where a manifest knows it.
type Named = (PathBuf, Option<String>);

pub(super) fn read(options: &ReplayOptions) -> Result<Vec<Piece>, ReplayError> {
    let now = options.clock.now();
    let mut files = Vec::new();
    for path in &options.files {
        files.extend(named(path).map_err(|source| ReplayError::File {
            file: path.clone(),
            source,
        })?);
    }
    let mut pieces = Vec::with_capacity(files.len());
    for (number, (file, content_type)) in files.into_iter().enumerate() {
        let bytes = fs::read(&file).map_err(|source| ReplayError::File {
            file: file.clone(),
            source,
        })?;
        let mut body = Body::new(bytes, is_json(&file)).said_as(content_type);
        if options.again {
            // Milliseconds leave room for a million bodies in each, and stay within the ids that are understood.
            let id = now
                .0
                .saturating_mul(1_000_000)
                .saturating_add(i64::try_from(number).unwrap_or(0));
            body.freshen(id, now.unix_seconds());
        }
        match &options.as_portal {
            Some(portal) if !credentials::put(&mut body, portal) && is_redacted(&body) => {
                let portal = portal.name.clone();
                return Err(ReplayError::NoToken { file, portal });
            }
            None if is_redacted(&body) => return Err(ReplayError::Redacted { file }),
            _ => {}
        }
        pieces.push(Piece { file, body });
    }
    Ok(pieces)
}

/// Whether the token that proves the sender is missing: then the body would only be refused.
fn is_redacted(body: &Body) -> bool {
    let token = body.get(&["auth", "application_token"]);
    token.is_some_and(|token| token.starts_with(REDACTED))
}

fn is_json(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "json")
}

/// The files that a path stands for: itself; all captures of a manifest; all of a folder, in the order of its manifest if
/// it has one, else by name.
fn named(path: &Path) -> io::Result<Vec<Named>> {
    if path.file_name().is_some_and(|name| name == MANIFEST) {
        // A path without a folder lies in the working directory.
        return of_manifest(path.parent().unwrap_or(Path::new("")));
    }
    if !path.is_dir() {
        return Ok(vec![(path.to_path_buf(), None)]);
    }
    if path.join(MANIFEST).exists() {
        return of_manifest(path);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let known = file.extension().is_some_and(|end| end == "form" || end == "json");
        if known && !file.to_string_lossy().ends_with(".expected.json") {
            files.push((file, None));
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(io::Error::other("the folder has no .form or .json file"));
    }
    Ok(files)
}

fn of_manifest(folder: &Path) -> io::Result<Vec<Named>> {
    let lines = capture::lines(folder)?;
    if lines.is_empty() {
        return Err(io::Error::other("the manifest names no capture that is still there"));
    }
    let named = |line: capture::Line| (folder.join(line.file), Some(line.content_type));
    Ok(lines.into_iter().map(named).collect())
}
