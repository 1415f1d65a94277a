//! One owner per store folder: the lock file, with the owner's pid and admin address for those who come second.
//! The lock is the kernel's, so it ends with the process however that ends.

use super::OpenError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

const FILE: &str = "lock";

/// The held lock; let go when dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

/// Who holds a folder, as far as its lock file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: Option<u32>,
    /// The admin address that commands beside the server talk to.
    pub(crate) admin: Option<String>,
}

impl Lock {
    /// Takes the folder, or says who has it.
    pub(super) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(FILE);
        let io = |what, source| OpenError::Io {
            what,
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| io("open the lock file", e))?;
        let mut patience = 50;
        while let Err(refused) = file.try_lock() {
            if let TryLockError::Error(e) = refused {
                return Err(io("lock", e));
            }
            let owner = read(&mut file).unwrap_or_default();
            if owner.pid != Some(std::process::id()) || patience == 0 {
                return Err(OpenError::Locked {
                    folder: folder.to_owned(),
                    pid: owner.pid,
                    admin: owner.admin,
                });
            }
            // Our own, let go a moment ago: a process that we were just starting shares it until it runs its program.
            patience -= 1;
            std::thread::sleep(Duration::from_millis(10));
        }
        let lock = Self(file);
        lock.note(None).map_err(|e| io("write the lock file", e))?;
        Ok(lock)
    }

    /// Writes the pid, and the admin address once there is one.
    pub(super) fn note(&self, admin: Option<&str>) -> io::Result<()> {
        let mut text = format!("pid {}\n", std::process::id());
        if let Some(admin) = admin {
            text.push_str("admin ");
            text.push_str(admin);
            text.push('\n');
        }
        let mut file = &self.0;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())
    }
}

/// The process that has `folder` open now, if there is one.
pub(crate) fn owner(folder: &Path) -> Option<Owner> {
    let mut file = File::open(folder.join(FILE)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read(&mut file).ok(),
        _ => None,
    }
}

fn read(file: &mut File) -> io::Result<Owner> {
    let mut text = String::new();
    file.rewind()?;
    file.take(4096).read_to_string(&mut text)?;
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(Owner {
        pid: value("pid").and_then(|pid| pid.parse().ok()),
        admin: value("admin").map(str::to_owned),
    })
}
