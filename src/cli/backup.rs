//! `imbot backup` and `imbot restore`: the copy is made by whoever has the store, and fetched here; a restore takes an empty
//! folder only. The key never travels.

use super::beside::{Common, Place, failed, with};
use super::exit;
use super::output::{complain, print};
use crate::app::App;
use crate::settings::Environment;
use crate::store::{self, BackupError, OpenError};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A store of some gigabytes takes its time.
const PATIENCE: Duration = Duration::from_secs(3600);

/// `imbot backup` and `imbot restore`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of the backup: a new or empty one to write, or the one to read.
    dir: PathBuf,
    #[command(flatten)]
    common: Common,
}

pub(super) fn backup(app: &App, arguments: &Arguments, environment: &Environment) -> u8 {
    let place = match Place::of(app, &arguments.common, environment) {
        Ok(place) => place,
        Err(code) => return code,
    };
    let folder = match new_folder(&arguments.dir) {
        Ok(folder) => folder,
        Err(error) => {
            complain(&format!("{}: {error}", arguments.dir.display()));
            return exit::REFUSED;
        }
    };
    with(&place, async |beside| {
        let asked = beside.ask(Method::POST, "/api/v1/backup", None, PATIENCE);
        let made = asked.await.map_err(|trouble| failed(&trouble))?;
        let copy = made["file"].as_str().map(PathBuf::from).unwrap_or_default();
        let fetched = fetch(&copy, &folder);
        // Also one that could not be fetched: the store folder is not its place.
        let _ = fs::remove_file(&copy);
        let file = fetched.map_err(|error| {
            complain(&format!("{error}; run this as the user of the server, or as root"));
            exit::REFUSED
        })?;
        Ok(tell(arguments, &file, &made))
    })
}

/// Made for its owner's eyes only; one that is there must be empty.
fn new_folder(dir: &Path) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    if fs::read_dir(dir)?.next().is_some() {
        return Err(io::Error::other("not empty: a backup goes into a folder of its own"));
    }
    Ok(dir.to_owned())
}

fn fetch(copy: &Path, folder: &Path) -> Result<PathBuf, String> {
    let said = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut from = File::open(copy).map_err(|error| said(copy, &error))?;
    let file = folder.join(store::FILE);
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(&file);
    let copied = made.and_then(|mut to| {
        io::copy(&mut from, &mut to)?;
        to.sync_all()?;
        File::open(folder)?.sync_all()
    });
    copied.map_err(|error| said(&file, &error))?;
    store::look_at(&file).map_err(|error| error.to_string())?;
    Ok(file)
}

fn tell(arguments: &Arguments, file: &Path, made: &Value) -> u8 {
    if arguments.common.json {
        return print(&format!(
            "{:#}\n",
            json!({ "file": file, "bytes": made["bytes"], "schema": made["schema"] })
        ));
    }
    print(&format!(
        "{} ({} bytes, schema {}). The key is not in it: keep the file `key` of the store folder, or [store] key, elsewhere.\n",
        file.display(),
        made["bytes"],
        made["schema"]
    ))
}

pub(super) fn restore(app: &App, arguments: &Arguments, environment: &Environment) -> u8 {
    let place = match Place::of(app, &arguments.common, environment) {
        Ok(place) => place,
        Err(code) => return code,
    };
    match store::restore(&arguments.dir, place.folder()) {
        Ok(restored) if arguments.common.json => print(&format!(
            "{:#}\n",
            json!({ "file": restored.file, "bytes": restored.bytes, "schema": restored.schema })
        )),
        Ok(restored) => print(&format!(
            "{} ({} bytes, schema {}). Events handled since that backup run again; the portal shows repeated messages once.\n",
            restored.file.display(),
            restored.bytes,
            restored.schema
        )),
        Err(error) => {
            complain(&error.to_string());
            match error {
                BackupError::Open(OpenError::Locked { .. }) => exit::BUSY,
                BackupError::Sqlite { .. } => exit::STORE_FAILED,
                _ => exit::REFUSED,
            }
        }
    }
}
