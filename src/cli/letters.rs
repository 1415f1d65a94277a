//! `imbot dead-letters` and `imbot health`: asks the running server that owns the store, else reads the store itself.

use super::dead_letters::{FetchError, fetch, show, table};
use super::output::{complain, print};
use super::{exit, settings_for};
use crate::app::{ADMIN_TOKEN, App, open_store};
use crate::http::{queue_named, summary, whole};
use crate::settings::{Environment, Settings};
use crate::store::{self, DeadLetter};
use crate::types::{Clock, Secret};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use url::Url;

/// `imbot dead-letters`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Arguments {
    /// Lists them, newest first.
    List {
        /// `events`, `calls`, `unknown` or `quarantine`; without it all four.
        #[arg(long)]
        queue: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        common: Common,
    },
    /// Shows one with its body.
    Show {
        /// The number in the list.
        id: i64,
        #[command(flatten)]
        common: Common,
    },
}

/// What both take.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// The configuration file.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The store folder, without a configuration (for example of `imbot dev --data DIR`).
    #[arg(long, conflicts_with = "config")]
    data: Option<PathBuf>,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// Where the letters are.
struct Source {
    folder: PathBuf,
    settings: Option<Settings>,
}

pub(super) fn run(app: &App, arguments: &Arguments, environment: &Environment) -> u8 {
    let (common, path) = match arguments {
        Arguments::List { queue, limit, common } => {
            if queue.as_deref().is_some_and(|queue| queue_named(queue).is_none()) {
                complain("--queue: must be events, calls, unknown or quarantine");
                return 2;
            }
            let queue = queue
                .as_ref()
                .map_or_else(String::new, |queue| format!("queue={queue}&"));
            (common, format!("/api/v1/dead-letters?{queue}limit={limit}"))
        }
        Arguments::Show { id, common } => (common, format!("/api/v1/dead-letters/{id}")),
    };
    let source = match source(app, common, environment) {
        Ok(source) => source,
        Err(code) => return code,
    };
    match blocking(ask(&source, arguments, &path)) {
        Ok(value) if common.json => print(&format!("{value:#}\n")),
        Ok(value) if matches!(arguments, Arguments::List { .. }) => print(&table(&value)),
        Ok(value) => print(&show(&value)),
        Err(code) => code,
    }
}

fn source(app: &App, common: &Common, environment: &Environment) -> Result<Source, u8> {
    if let Some(folder) = &common.data {
        return Ok(Source {
            folder: folder.clone(),
            settings: None,
        });
    }
    let settings = settings_for(app, common.config.as_deref(), environment)?.settings;
    Ok(Source {
        folder: settings.store.path.clone(),
        settings: Some(settings),
    })
}

fn blocking<T>(work: impl Future<Output = Result<T, u8>>) -> Result<T, u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            complain(&format!("cannot start: {error}"));
            exit::REFUSED
        })?;
    runtime.block_on(work)
}

async fn ask(source: &Source, arguments: &Arguments, path: &str) -> Result<Value, u8> {
    if !source.folder.exists() {
        complain(&format!(
            "{}: there is no store in this folder",
            source.folder.display()
        ));
        return Err(exit::REFUSED);
    }
    let Some(owner) = store::owner(&source.folder) else {
        return read(source, arguments).await;
    };
    let (Some(admin), Some(token)) = (owner.admin, admin_token(source)) else {
        complain("the store belongs to a running server that has no admin address yet; try again in a moment");
        return Err(exit::BUSY);
    };
    let base = Url::parse(&format!("http://{admin}/")).map_err(|_| {
        complain(&format!(
            "the lock file names an admin address that cannot be read: {admin}"
        ));
        exit::BUSY
    })?;
    fetch(&base, &token, path).await.map_err(|error| {
        complain(&error.to_string());
        if matches!(error, FetchError::NoAnswer(_)) {
            exit::BUSY
        } else {
            exit::REFUSED
        }
    })
}

fn admin_token(source: &Source) -> Option<Secret> {
    let configured = source
        .settings
        .as_ref()
        .and_then(|settings| settings.admin.token.clone());
    configured.or_else(|| {
        std::fs::read_to_string(source.folder.join(ADMIN_TOKEN))
            .ok()
            .map(Secret::new)
    })
}

/// Without an owner the store is opened here; the lock keeps a server from starting meanwhile.
async fn read(source: &Source, arguments: &Arguments) -> Result<Value, u8> {
    let store = match &source.settings {
        Some(settings) => open_store(settings, &Clock::system()),
        None => store::Store::open(&source.folder, store::Options::new(Clock::system())),
    };
    let store = store.map_err(|error| {
        complain(&error.to_string());
        exit::BUSY
    })?;
    let answer = match arguments {
        Arguments::List { queue, limit, .. } => {
            let letters = store.dead_letters(queue.as_deref().and_then(queue_named), *limit).await;
            letters.map(|letters| listed(&letters, &store))
        }
        Arguments::Show { id, .. } => match store.dead_letter(*id).await {
            Ok(Some(letter)) => Ok(whole(&letter, &store)),
            Ok(None) => {
                complain(&format!("there is no dead letter {id}"));
                return Err(exit::REFUSED);
            }
            Err(error) => Err(error),
        },
    };
    store.close().await;
    answer.map_err(|error| {
        complain(&error.to_string());
        exit::STORE_FAILED
    })
}

fn listed(letters: &[DeadLetter], store: &store::Store) -> Value {
    let letters: Vec<_> = letters.iter().map(|letter| summary(letter, store)).collect();
    json!({ "letters": letters })
}

/// `imbot health`: exit 0 if the server of this configuration answers `/readyz` with 200.
pub(super) fn health(app: &App, config: Option<&Path>, environment: &Environment) -> u8 {
    let settings = match settings_for(app, config, environment) {
        Ok(loaded) => loaded.settings,
        Err(code) => return code,
    };
    let base = format!("http://{}/", settings.admin.listen);
    let asked = blocking(async {
        let base = Url::parse(&base).map_err(|_| exit::CONFIG)?;
        fetch(&base, &Secret::new(""), "/readyz").await.map_err(|error| {
            complain(&format!("not ready: {error}"));
            exit::REFUSED
        })
    });
    match asked {
        Ok(answer) => print(&format!("{answer}\n")),
        Err(code) => code,
    }
}
