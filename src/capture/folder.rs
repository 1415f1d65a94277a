//! The folder of captures: files of 0600 in a folder of 0700, bounded in number, bytes and age, oldest removed first.
//! Knows the files that it finds there by their names and touches no other.

use super::line::{self, Line, MANIFEST, is_plain};
use super::{Fate, Taken, Terms};
use crate::types::Timestamp;
use crate::wire::{self, Redaction};
use std::collections::{HashSet, VecDeque};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Lines of removed files that the manifest may hold before it is written anew, beside as many as there are files.
const SPENT: usize = 64;

pub(super) struct Folder {
    terms: Terms,
    /// Oldest first.
    kept: VecDeque<Line>,
    /// Of all files of `kept`.
    bytes: u64,
    manifest_bytes: u64,
    /// Lines in the manifest whose files are gone.
    spent: usize,
    next: u64,
}

impl Folder {
    /// Makes the folder, or takes over what an earlier run has left there.
    pub(super) fn open(terms: &Terms, now: Timestamp) -> Result<Self, String> {
        let path = &terms.path;
        let told = |error: io::Error| format!("{}: {error}", path.display());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(told)?;
        let mode = fs::metadata(path).map_err(told)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.display();
            return Err(format!(
                "{path} may be read by others ({mode:o}): chmod 700 {path}, or name another folder"
            ));
        }
        let kept: VecDeque<Line> = line::lines(path).map_err(told)?.into();
        remove_strays(path, &kept).map_err(told)?;
        let number = |line: &Line| line.file.split('-').nth(1)?.parse::<u64>().ok();
        let mut folder = Self {
            terms: terms.clone(),
            bytes: kept.iter().map(|line| line.bytes).sum(),
            next: kept.iter().filter_map(number).max().unwrap_or(0) + 1,
            kept,
            manifest_bytes: 0,
            spent: 0,
        };
        folder.rewrite().map_err(told)?;
        folder.prune(now);
        Ok(folder)
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Of the files and the manifest.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes + self.manifest_bytes
    }

    /// Writes one; `false`: nobody can tell where in this body texts stand, and texts are to go.
    pub(super) fn keep(&mut self, taken: &Taken, fate: &Fate) -> io::Result<bool> {
        let says_json = wire::json_by_content_type(Some(&taken.content_type)) == Some(true);
        let redaction = Redaction {
            texts: self.terms.redact_text,
        };
        let Some(body) = wire::redact(&taken.body, says_json, redaction) else {
            return Ok(false);
        };
        let bytes = body.len() as u64;
        if bytes > self.terms.max_bytes {
            return Err(io::Error::other("the body alone is larger than capture.max_bytes"));
        }
        let line = Line {
            file: self.name(taken, fate, wire::looks_json(&taken.body)),
            received: taken.received.rfc3339(),
            content_type: taken.content_type.chars().take(200).collect(),
            portal: fate.portal.clone(),
            event: fate.event.clone(),
            outcome: fate.outcome.to_owned(),
            reason: fate.reason.map(str::to_owned),
            bytes,
            received_ms: taken.received.0,
        };
        let file = self.path(&line.file);
        let written = private(&file, true).and_then(|mut file| file.write_all(&body));
        let told = written.and_then(|()| self.tell(&line));
        if let Err(error) = told {
            // Half a body would look like one; if it cannot go now, it goes at the next start.
            let _ = fs::remove_file(&file);
            return Err(error);
        }
        self.bytes += bytes;
        self.kept.push_back(line);
        Ok(true)
    }

    /// Removes what is too old or too much.
    pub(super) fn prune(&mut self, now: Timestamp) {
        while let Some(oldest) = self.kept.front() {
            let old = now.since(Timestamp(oldest.received_ms)) >= self.terms.max_age;
            if !old && self.kept.len() <= self.terms.max_files && self.bytes() <= self.terms.max_bytes {
                break;
            }
            // One that cannot be removed is looked at again by the next start.
            let _ = fs::remove_file(self.path(&oldest.file));
            self.bytes = self.bytes.saturating_sub(oldest.bytes);
            self.kept.pop_front();
            self.spent += 1;
            if self.spent > SPENT.min(self.kept.len()) {
                // A manifest that cannot be written anew only stays longer than it need be.
                let _ = self.rewrite();
            }
        }
    }

    fn name(&mut self, taken: &Taken, fate: &Fate, json: bool) -> String {
        let moment: String = taken
            .received
            .rfc3339()
            .chars()
            .filter(|sign| !matches!(sign, '-' | ':'))
            .collect();
        // Without the fraction: the number keeps the order.
        let moment = moment.split(['.', 'Z']).next().unwrap_or_default().to_owned();
        let number = self.next;
        self.next += 1;
        let end = if json { "json" } else { "form" };
        format!("{moment}Z-{number:07}-{}.{end}", fate.outcome)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.terms.path.join(file)
    }

    fn tell(&mut self, line: &Line) -> io::Result<()> {
        let text = format!("{}\n", serde_json::to_string(line)?);
        let mut file = private(&self.path(MANIFEST), false)?;
        let before = file.metadata()?.len();
        if let Err(error) = file.write_all(text.as_bytes()) {
            // On a full disk a part of it may stand there, and the next line would be joined to it.
            let _ = file.set_len(before);
            return Err(error);
        }
        self.manifest_bytes += text.len() as u64;
        Ok(())
    }

    /// The manifest without the lines of what is gone.
    fn rewrite(&mut self) -> io::Result<()> {
        let mut text = String::new();
        for line in &self.kept {
            text.push_str(&serde_json::to_string(line)?);
            text.push('\n');
        }
        let new = self.path("manifest.new");
        let _ = fs::remove_file(&new);
        private(&new, true)?.write_all(text.as_bytes())?;
        fs::rename(&new, self.path(MANIFEST))?;
        self.manifest_bytes = text.len() as u64;
        self.spent = 0;
        Ok(())
    }
}

/// A file for this user alone: a new one, or one to append to.
fn private(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    if new {
        options.write(true).create_new(true);
    } else {
        options.append(true).create(true);
    }
    options.open(path)
}

/// Files that a crash has left without their line: nobody could tell how old they are.
fn remove_strays(path: &Path, kept: &VecDeque<Line>) -> io::Result<()> {
    let known: HashSet<&str> = kept.iter().map(|line| line.file.as_str()).collect();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(name) = name.to_str()
            && is_plain(name)
            && !known.contains(name)
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
