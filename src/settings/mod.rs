//! Configuration: file and environment once at start; every mistake reported at once. Imports `types`, and of
//! `rest` the endpoint rule; reads no clock, opens no network, and never puts a secret into an error.

mod apps;
mod bots;
mod capture;
mod environment;
mod fields;
mod keys;
mod model;
mod nearest;
mod net;
mod portals;
mod report;
mod rules;
mod schema;
mod secrets;
mod sections;
#[cfg(test)]
mod tests;
mod urls;
mod values;

pub(crate) use environment::Environment;
#[cfg(test)]
pub(crate) use keys::SECTIONS as KEYS;
pub(crate) use model::{
    Ack, AnswerVia, AppBot, AppSettings, BotSettings, EventMode, Install, Keep, OnUnknown, PortalSettings, Settings,
    Wishes,
};
pub(crate) use nearest::nearest;
pub(crate) use report::Mistakes;
pub(crate) use schema::schema;

use fields::{Fields, Overrides};
use report::{Place, Report, Wrong};
use secrets::Vault;
use sections::Sources;
use std::io;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// Settings that can be used, and what is probably not meant in them.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) settings: Settings,
    /// One sentence each, with file and line.
    pub(crate) warnings: Vec<String>,
}

/// Why there are no settings. Says what to do; contains no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// Nobody named a file, and the usual place has none.
    #[error(
        "no configuration: --config is not given, IMBOT_CONFIG is not set, and there is no {DEFAULT_FILE} in this folder\n    \
         help: `imbot dev` needs none; `imbot config example > {DEFAULT_FILE}` writes one to start from"
    )]
    NotFound,
    /// The named file cannot be read.
    #[error("{}: the configuration cannot be read: {source} (named by {named_by})", file.display())]
    Unreadable {
        file: PathBuf,
        /// What named it: `--config`, `IMBOT_CONFIG` or the usual place.
        named_by: &'static str,
        source: io::Error,
    },
    /// The file was read and is not right.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
}

/// Where the configuration is looked for last.
const DEFAULT_FILE: &str = "imbot.toml";

/// The configuration file: `config` (of `--config`), else `IMBOT_CONFIG`, else `imbot.toml` in the working directory.
///
/// # Errors
/// [`SettingsError::NotFound`] if nothing is named and the usual place is empty.
pub(crate) fn locate(config: Option<&Path>, environment: &Environment) -> Result<PathBuf, SettingsError> {
    named(config, environment).map(|(file, _)| file)
}

fn named(config: Option<&Path>, environment: &Environment) -> Result<(PathBuf, &'static str), SettingsError> {
    if let Some(file) = config {
        return Ok((file.to_owned(), "--config"));
    }
    if let Some(file) = environment.get("IMBOT_CONFIG") {
        return Ok((file.into(), "IMBOT_CONFIG"));
    }
    let file = PathBuf::from(DEFAULT_FILE);
    if file.exists() {
        return Ok((file, "the working directory"));
    }
    Err(SettingsError::NotFound)
}

/// Finds, reads and checks the configuration. `handlers` are the names of the program's bots.
///
/// # Errors
/// No file, an unreadable one, or all mistakes in it.
pub(crate) fn load(
    config: Option<&Path>,
    handlers: &[&str],
    environment: &Environment,
) -> Result<Loaded, SettingsError> {
    let (file, named_by) = named(config, environment)?;
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(parse(&text, &file, handlers, environment)?),
        Err(source) => Err(SettingsError::Unreadable { file, named_by, source }),
    }
}

/// Checks the text of a configuration; `file` is what mistakes name, and where relative secret files start.
///
/// # Errors
/// All mistakes, in the order of the file.
pub(crate) fn parse(text: &str, file: &Path, handlers: &[&str], environment: &Environment) -> Result<Loaded, Mistakes> {
    let document = document(text, file)?;
    let mut report = Report::new(file, text);
    let overrides = Overrides::read(environment, &mut report);
    let vault = Vault {
        environment,
        folder: file.parent().unwrap_or(Path::new("")),
    };
    let sources = Sources {
        document: &document,
        overrides: &overrides,
        vault: &vault,
        handlers,
    };
    let settings = read(sources, &mut report);
    let warnings = report.finish()?;
    Ok(Loaded { settings, warnings })
}

/// The tables of the file, or everything that keeps it from being TOML.
fn document<'a>(text: &'a str, file: &Path) -> Result<DeTable<'a>, Mistakes> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut report = Report::new(file, text);
    for error in errors {
        // Only the message: the error's own display quotes the line, which may hold a secret.
        let place = error.span().map_or(Place::Whole, |span| Place::File(span.start));
        let wrong = Wrong::new(
            format!("not TOML: {}", error.message()),
            "correct the line; the meaning is checked once the whole file reads as TOML",
        );
        report.mistake(&place, wrong);
    }
    report.finish()?;
    Ok(document.into_inner())
}

fn read<'a>(sources: Sources<'a>, report: &mut Report<'a>) -> Settings {
    let mut root = Fields::of_table("", Place::Whole, sources.document, report);
    root.refuse_unknown(&keys::ROOT);
    let server = sections::server(sources, report);
    let (store, has_key) = sections::store(sources, report);
    let apps = apps::drafts(sources, report);
    let portals = portals::drafts(sources, report);
    apps::check(&apps, &portals, has_key, report);
    Settings {
        admin: sections::admin(sources, report, server.listen),
        server,
        capture: capture::read(sources, report, &store.path),
        store,
        workers: sections::workers(sources, report),
        deliver: sections::deliver(sources, report),
        portals: portals.into_iter().map(portals::PortalDraft::settings).collect(),
        apps: apps.into_iter().map(apps::AppDraft::settings).collect(),
    }
}
