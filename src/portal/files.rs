//! Files in chats and the one-time links to them. Owns the bytes; decodes and serves nothing.

use super::model::File;
use std::collections::{BTreeMap, HashMap};

/// All files and links.
#[derive(Default)]
pub(super) struct Files {
    files: BTreeMap<i64, File>,
    links: HashMap<String, Link>,
    made: u64,
}

struct Link {
    file: i64,
    used: bool,
}

/// What following a link gives.
#[derive(Debug)]
pub(super) enum Followed<'a> {
    Unknown,
    Used,
    File(&'a File),
}

impl Files {
    /// Stores a file under the next id.
    pub(super) fn add(&mut self, mut file: File) -> i64 {
        let id = self.files.keys().next_back().map_or(138, |last| last + 1);
        file.id = id;
        self.files.insert(id, file);
        id
    }

    pub(super) fn get(&self, id: i64) -> Option<&File> {
        self.files.get(&id)
    }

    /// A new link to a file; works once.
    pub(super) fn link(&mut self, kind: &str, file: i64) -> String {
        self.made += 1;
        let token = format!(
            "{kind}|{}",
            super::apps::token("download", kind, self.made.cast_signed())
        );
        self.links.insert(token.clone(), Link { file, used: false });
        token
    }

    pub(super) fn follow(&mut self, token: &str) -> Followed<'_> {
        let Some(link) = self.links.get_mut(token) else {
            return Followed::Unknown;
        };
        if std::mem::replace(&mut link.used, true) {
            return Followed::Used;
        }
        self.files.get(&link.file).map_or(Followed::Unknown, Followed::File)
    }
}
