//! Copies of the store: taken while it works, as of one moment and without the key; put back into an empty folder only.
//! Never changes the store it copies.

use super::lock::Lock;
use super::{OpenError, Store, schema};
use rusqlite::{Connection, OpenFlags};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How the copies made for a download begin; one that a crash left is removed at the next start.
const COPY: &str = "copy-";

/// A copy that was made or put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backup {
    /// The database file.
    pub(crate) file: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) schema: i64,
}

/// Why there is no copy. For people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    /// The file system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// SQLite refused.
    #[error("cannot copy the store to {}: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    /// Not a store, or a broken one.
    #[error("{}: this is no whole backup of imbot ({why}); nothing was changed", path.display())]
    Broken { path: PathBuf, why: String },
    /// Something would be overwritten.
    #[error("{} is not empty: a backup is put back into an empty store only; name another [store] path, or move this folder away", .0.display())]
    NotEmpty(PathBuf),
    /// Somebody owns the folder, or a later version made the backup.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Store {
    /// Copies the store as it is now to `file`, which must not exist yet. Events go on coming in meanwhile; those after
    /// the beginning are not in it. The key is not in it either, so its tokens cannot be read without the key file.
    ///
    /// # Errors
    /// The disk, mostly. What was begun is removed.
    pub(crate) async fn copy_to(&self, file: PathBuf) -> Result<Backup, BackupError> {
        let folder = self.0.folder.clone();
        let path = file.clone();
        let made = tokio::task::spawn_blocking(move || copy(&folder, &file)).await;
        made.map_err(|error| BackupError::Io {
            what: "copy the store to",
            path,
            source: io::Error::other(error),
        })?
    }

    /// The same, to a new file in the store's own folder, for somebody who fetches and removes it.
    pub(crate) async fn copy_here(&self) -> Result<Backup, BackupError> {
        // One at a time is enough; a copy that nobody fetched must not stay.
        tidy(&self.0.folder);
        let mut random = [0_u8; 8];
        let name = getrandom::fill(&mut random).map(|()| random.map(|byte| format!("{byte:02x}")).concat());
        let name = format!("{COPY}{}.db", name.unwrap_or_default());
        self.copy_to(self.0.folder.join(name)).await
    }
}

fn copy(folder: &Path, file: &Path) -> Result<Backup, BackupError> {
    let conn = schema::reader(folder).map_err(|source| sqlite(file, source))?;
    copied(&conn, file)
}

/// SQLite's own way: consistent, compact, and nobody waits for it.
fn copied(conn: &Connection, file: &Path) -> Result<Backup, BackupError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let made = made.map_err(|source| io_error("create", file, source))?;
    let done = conn
        .execute("VACUUM INTO ?1", [file.to_string_lossy()])
        .map_err(|source| sqlite(file, source))
        .and_then(|_| made.sync_all().map_err(|source| io_error("flush", file, source)))
        .and_then(|()| look_at(file));
    if done.is_err() {
        // Half a backup is worse than none.
        let _ = fs::remove_file(file);
    }
    done
}

/// A copy of the store as it was before its tables are changed, kept beside it: `imbot restore` takes it.
pub(super) fn before_change(folder: &Path, conn: &Connection, found: i64) -> Result<PathBuf, OpenError> {
    let kept = folder.join(format!("before-schema-{}", found + 1));
    let failed = |source| OpenError::Io {
        what: "keep a copy of the store before its tables change, in",
        path: kept.clone(),
        source,
    };
    // One from an attempt that was cut off tells nothing that the store does not.
    let _ = fs::remove_dir_all(&kept);
    schema::folder(&kept)?;
    let made = copied(conn, &kept.join(schema::FILE)).and_then(|_| settle(&kept));
    made.map_err(|error| failed(io::Error::other(error.to_string())))?;
    Ok(kept)
}

/// Puts the backup in `from` (a folder) into the store folder, which must hold no store. A key that is there already
/// stays: with it the tokens of the backup can be read.
///
/// # Errors
/// The folder is in use or not empty, the backup is broken or of a later version.
pub(crate) fn restore(from: &Path, folder: &Path) -> Result<Backup, BackupError> {
    let source = from.join(schema::FILE);
    let found = look_at(&source)?;
    schema::folder(folder)?;
    let _lock = Lock::take(folder)?;
    let target = folder.join(schema::FILE);
    if target.exists() {
        return Err(BackupError::NotEmpty(folder.to_owned()));
    }
    let fresh = folder.join("imbot.db.new");
    let put = || -> io::Result<()> {
        let _ = fs::remove_file(&fresh);
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&fresh)?;
        io::copy(&mut File::open(&source)?, &mut file)?;
        file.sync_all()?;
        fs::rename(&fresh, &target)
    };
    put().map_err(|error| io_error("write", &fresh, error))?;
    settle(folder)?;
    Ok(Backup { file: target, ..found })
}

/// What a database file is, if it is a whole store of a version that we can read.
pub(crate) fn look_at(file: &Path) -> Result<Backup, BackupError> {
    let bytes = fs::metadata(file)
        .map_err(|source| io_error("read", file, source))?
        .len();
    let broken = |why: String| BackupError::Broken {
        path: file.to_owned(),
        why,
    };
    let look = || -> rusqlite::Result<(i64, Option<OpenError>, String)> {
        let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let schema: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let newer = (schema > schema::VERSION).then(|| schema::newer(file, &conn, schema));
        let verdict = conn.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        Ok((schema, newer, verdict))
    };
    let (schema, newer, verdict) = look().map_err(|error| broken(error.to_string()))?;
    match newer {
        Some(newer) => Err(newer.into()),
        None if schema == 0 => Err(broken("it has no tables of imbot".to_owned())),
        None if verdict != "ok" => Err(broken(verdict)),
        None => Ok(Backup {
            file: file.to_owned(),
            bytes,
            schema,
        }),
    }
}

/// Removes copies for a download that a crash left behind.
pub(super) fn tidy(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(COPY) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes new names in a folder survive a power cut.
fn settle(folder: &Path) -> Result<(), BackupError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| io_error("flush", folder, source))
}

fn sqlite(file: &Path, source: rusqlite::Error) -> BackupError {
    BackupError::Sqlite {
        path: file.to_owned(),
        source,
    }
}

fn io_error(what: &'static str, path: &Path, source: io::Error) -> BackupError {
    BackupError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}
