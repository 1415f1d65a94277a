//! The store folder as the disk sees it: whether it can be written, whether there is room, how long a flush takes.
//! Writes one small file of its own and removes it; opens no store.

use super::finding::{self, Kind};
use super::report::Report;
use crate::telemetry::Stopwatch;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// What must fit in beside what is there.
const ROOM: usize = 1 << 20;
/// Flushes that are measured; the one in the middle counts.
const FLUSHES: usize = 15;
/// A flush above this makes answers slow: one of a hundred is to take less than 0.1 s.
const SLOW: Duration = Duration::from_millis(50);

/// Checks the folder; false: a store in it cannot be used now.
pub(super) fn check(report: &mut Report, folder: &Path) -> bool {
    let named = folder.display().to_string();
    let of = ("store", named.as_str());
    let file = folder.join(format!("doctor-{}.tmp", std::process::id()));
    let tried = tried(&file);
    // Nothing to remove is as good.
    let _ = fs::remove_file(&file);
    match tried {
        Ok(flush) if flush > SLOW => {
            report.found(
                of,
                &finding::STORE_SLOW,
                &format!("a flush takes {} ms", flush.as_millis()),
            );
        }
        Ok(flush) => report.fine(of, &format!("a flush takes {:.1} ms", flush.as_secs_f64() * 1000.0)),
        Err(error) => {
            report.found(of, kind(&error), &error.to_string());
            return false;
        }
    }
    true
}

fn kind(error: &io::Error) -> &'static Kind {
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => &finding::STORE_READ_ONLY,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => &finding::DISK_FULL,
        _ => &finding::STORE_FAILED,
    }
}

/// Writes, and measures the flush of 4 KiB.
fn tried(path: &Path) -> io::Result<Duration> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // Bytes that no file system leaves out.
    file.write_all(&vec![0x5a; ROOM])?;
    file.sync_all()?;
    let mut took = (0..FLUSHES).map(|_| flush(&mut file)).collect::<io::Result<Vec<_>>>()?;
    took.sort_unstable();
    Ok(took[FLUSHES / 2])
}

fn flush(file: &mut File) -> io::Result<Duration> {
    file.write_all(&[0x5a; 4096])?;
    let watch = Stopwatch::start();
    file.sync_data()?;
    Ok(watch.elapsed())
}
