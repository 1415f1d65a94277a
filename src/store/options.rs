//! What the store is told and what it answers when it cannot: options, the ack modes, errors for people.

use crate::types::{Clock, Secret};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What an accepted event has survived when the store answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ack {
    /// Flushed to disk: survives a power cut.
    #[default]
    Durable,
    /// Written: survives the process, not the host.
    Written,
    /// Handed to the writer: survives nothing.
    Memory,
}

impl Ack {
    /// The setting's value, `durable`, `written` or `memory`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Written => "written",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Ack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Durable, Self::Written, Self::Memory]
            .into_iter()
            .find(|ack| ack.as_str() == text)
            .ok_or_else(|| "must be \"durable\", \"written\" or \"memory\"".to_owned())
    }
}

/// How a store is to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) ack: Ack,
    /// Beyond this many bytes in use, new events are refused.
    pub(crate) max_bytes: u64,
    /// For how long a key is remembered.
    pub(crate) dedup_window: Duration,
    pub(crate) clock: Clock,
    /// What tokens are sealed with, as 64 hexadecimal digits; `None`: a key of the folder's own.
    pub(crate) key: Option<Secret>,
}

impl Options {
    /// Durable, 2 GiB, 72 hours.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            ack: Ack::Durable,
            max_bytes: 2 << 30,
            dedup_window: Duration::from_secs(72 * 3600),
            clock,
            key: None,
        }
    }
}

/// Why a store folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Another process owns it.
    #[error(
        "the store folder {} is in use{}{}: stop that process, or give this one another folder",
        folder.display(),
        pid.map(|pid| format!(" by process {pid}")).unwrap_or_default(),
        admin.as_ref().map(|admin| format!(" (admin address {admin})")).unwrap_or_default()
    )]
    Locked {
        folder: PathBuf,
        pid: Option<u32>,
        /// The owner's admin address, once it has set one.
        admin: Option<String>,
    },
    /// A later version wrote it.
    #[error(
        "the store folder {} was written by a newer imbot (schema {found}, this one reads up to {known}): use imbot {needs} or later",
        folder.display()
    )]
    Newer {
        folder: PathBuf,
        found: i64,
        known: i64,
        /// The oldest version that reads it.
        needs: String,
    },
    /// The file system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("cannot open the store in {}: {source}", folder.display())]
    Sqlite { folder: PathBuf, source: rusqlite::Error },
}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// `max_bytes` is used up: no new events, everything else goes on. A gap is recorded.
    #[error("the store is full")]
    Full,
    /// A write, commit or flush failed: this process must not acknowledge anything any more.
    #[error("the store failed and takes no more writes")]
    Failed,
    /// After `close`.
    #[error("the store is closed")]
    Closed,
    /// The event or call is no longer in its queue. Nothing was changed.
    #[error("no such event or call in the store")]
    Gone,
    /// Reading failed.
    #[error("the store cannot be read: {0}")]
    Read(String),
}
