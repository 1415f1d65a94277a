//! `imbot replay`: its arguments, and where a body goes when none says. The posting is in `replay`.

use super::output::complain;
use super::replay::{ReplayOptions, default_target, replay};
use super::{exit, settings_for};
use crate::app::App;
use crate::settings::{Environment, PortalSettings, Settings};
use crate::types::Clock;
use std::path::PathBuf;
use url::Url;

/// Where `imbot dev` takes events.
const DEV: &str = "http://127.0.0.1:8080/webhook";

/// `imbot replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Captured bodies, posted in this order: files (`.json` as JSON, all others as forms), folders, or a manifest.jsonl.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where to. Default: the webhook of the configuration, else http://127.0.0.1:8080/webhook.
    #[arg(long)]
    to: Option<Url>,
    /// Puts the credentials of this configured portal in place of the body's; a capture has none of its own.
    #[arg(long = "as", value_name = "PORTAL")]
    as_portal: Option<String>,
    /// Fresh message ids and `ts`, so that nothing is a duplicate.
    #[arg(long)]
    again: bool,
    /// Bodies a second.
    #[arg(long)]
    rate: Option<f64>,
    /// Post to an address of another machine, too.
    #[arg(long)]
    send: bool,
    /// The configuration file.
    #[arg(long)]
    config: Option<PathBuf>,
}

pub(super) fn run(app: &App, arguments: Arguments, environment: &Environment) -> u8 {
    match resend(app, arguments, environment) {
        Ok(code) | Err(code) => code,
    }
}

fn resend(app: &App, arguments: Arguments, environment: &Environment) -> Result<u8, u8> {
    let Arguments {
        files,
        to,
        as_portal,
        again,
        rate,
        send,
        config,
    } = arguments;
    // A configuration is read only where it is needed, so that a body can be posted to `imbot dev` without one.
    let wanted = as_portal.is_some() || config.is_some();
    let settings = if wanted {
        Some(settings_for(app, config.as_deref(), environment)?.settings)
    } else {
        None
    };
    let as_portal = match (as_portal, &settings) {
        (Some(name), Some(settings)) => Some(portal_named(&name, settings)?),
        _ => None,
    };
    let to = to
        .or_else(|| settings.as_ref().and_then(default_target))
        .or_else(|| Url::parse(DEV).ok());
    let to = to.ok_or(exit::REFUSED)?;
    let options = ReplayOptions {
        files,
        to,
        as_portal,
        again,
        rate,
        send,
        clock: Clock::system(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            complain(&format!("cannot start: {error}"));
            exit::REFUSED
        })?;
    let summary = runtime
        .block_on(replay(options, &mut std::io::stdout().lock()))
        .map_err(|error| {
            complain(&error.to_string());
            exit::REFUSED
        })?;
    Ok(if summary.is_clean() { 0 } else { exit::REFUSED })
}

fn portal_named(name: &str, settings: &Settings) -> Result<PortalSettings, u8> {
    let known = settings.portals.iter().find(|portal| portal.name == name);
    known.cloned().ok_or_else(|| {
        let names: Vec<_> = settings.portals.iter().map(|portal| portal.name.as_str()).collect();
        complain(&format!(
            "--as {name}: there is no such portal; the configuration has {}",
            names.join(", ")
        ));
        2
    })
}
