//! `imbot serve`: the server from the configuration until a stop signal. Owns start-up words and exit codes.

use super::output::complain;
use super::{exit, settings_for};
use crate::app::{App, Plan, Reloaded, Running, StartError};
use crate::lifecycle::{Asked, Signals, manager};
use crate::settings::{self, Ack, Environment, EventMode, Settings};
use crate::store::OpenError;
use crate::telemetry;
use crate::types::Clock;
use std::path::{Path, PathBuf};

/// `imbot serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file (else IMBOT_CONFIG, else `imbot.toml`).
    #[arg(long)]
    config: Option<PathBuf>,
    /// Accepts and stores events, but runs no handler and sends nothing: for maintenance and measurements.
    #[arg(long)]
    accept_only: bool,
}

/// Runs until SIGTERM or SIGINT; a second one cuts what still runs. SIGHUP reads the configuration again.
pub(super) fn run(app: &App, arguments: &Arguments, environment: &Environment) -> u8 {
    let settings = match settings_for(app, arguments.config.as_deref(), environment) {
        Ok(loaded) => loaded.settings,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("imbot-work")
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return exit::REFUSED;
        }
    };
    let server = Server {
        app,
        config: arguments.config.as_deref(),
        environment,
        dispatching: !arguments.accept_only,
    };
    let code = runtime.block_on(server.serve(settings));
    // A handler that blocks its thread must not hold up the exit; the store is closed already.
    runtime.shutdown_background();
    code
}

/// What stays the same from start to end.
struct Server<'a> {
    app: &'a App,
    config: Option<&'a Path>,
    environment: &'a Environment,
    dispatching: bool,
}

impl Server<'_> {
    async fn serve(&self, started: Settings) -> u8 {
        let mut signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                complain(&format!("cannot listen for signals: {error}"));
                return exit::REFUSED;
            }
        };
        let plan = Plan {
            settings: &started,
            bots: &self.app.bots,
            outbox: self.app.outbox(),
            clock: Clock::system(),
            observer: None,
            dispatching: self.dispatching,
        };
        let running = match Running::start(plan) {
            Ok(running) => running,
            Err(error) => return refused(&error),
        };
        announce(&started, &running, self.dispatching);
        tell_gaps(&running).await;
        running.watch();
        manager::ready();
        let mut now = started.clone();
        loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Reload => now = self.reload(&running, &started, now),
                    Asked::Stop => break,
                },
                () = running.store_failed() => {
                    tracing::error!("the store has failed: nothing is acknowledged any more; restart to read it again");
                    running.cut()();
                    return exit::STORE_FAILED;
                }
            }
        }
        manager::stopping();
        let cut = running.cut();
        tokio::spawn(async move {
            while signals.next().await != Asked::Stop {}
            tracing::warn!("asked to stop a second time: what still runs is cut; the store has it");
            cut();
        });
        running.stop().await;
        0
    }

    /// Reads the configuration again; returns the settings that are in effect then.
    fn reload(&self, running: &Running, started: &Settings, now: Settings) -> Settings {
        manager::reloading();
        let loaded = settings::load(self.config, &self.app.handlers(), self.environment);
        let reloaded = loaded.map_err(|error| error.to_string()).and_then(|loaded| {
            let done = running.reload(started, &now, &loaded.settings)?;
            Ok((loaded, done))
        });
        telemetry::config_reload_failed(reloaded.is_err());
        let settings = match reloaded {
            Ok((loaded, done)) => {
                tell_reload(&loaded.warnings, &done);
                loaded.settings
            }
            Err(error) => {
                tracing::error!(
                    "the configuration was read again and cannot be used; the one before stays in effect: {error}"
                );
                now
            }
        };
        manager::ready();
        settings
    }
}

fn tell_reload(warnings: &[String], done: &Reloaded) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let portals = if done.portals.is_empty() {
        "no portal has changed".to_owned()
    } else {
        format!("in effect now: portal {}", done.portals.join(", portal "))
    };
    tracing::info!("the configuration was read again; {portals}");
    if !done.waiting.is_empty() {
        tracing::warn!(
            "changed, but only a restart makes it count: {}",
            done.waiting.join(", ")
        );
    }
}

fn refused(error: &StartError) -> u8 {
    complain(&error.to_string());
    match error {
        StartError::Store(OpenError::Locked { .. }) => exit::BUSY,
        StartError::Store(_) => exit::STORE_FAILED,
        StartError::Listen(_) | StartError::Machine(_) => exit::REFUSED,
    }
}

/// Events that an earlier run had to refuse; Bitrix24 will not send them again, so somebody should know.
async fn tell_gaps(running: &Running) {
    for gap in running.store.gaps().await.unwrap_or_default() {
        let portal = running.store.portal_name(gap.portal).unwrap_or_default();
        tracing::warn!(
            portal,
            reason = gap.reason,
            count = gap.count,
            first = gap.first.rfc3339(),
            last = gap.last.rfc3339(),
            "{} events of {portal} were refused ({}) and will not come again",
            gap.count,
            gap.reason
        );
    }
}

/// Whether a bot that the configuration has no number of has got one.
fn is_numbered(running: &Running, portal: &str, code: &str) -> bool {
    let sites = running.identities.sites();
    let site = sites.iter().find(|site| site.name == portal);
    site.and_then(|site| site.numbered(code))
        .is_some_and(|number| number > 0)
}

fn announce(settings: &Settings, running: &Running, dispatching: bool) {
    let how = if running.inherited { " (inherited socket)" } else { "" };
    tracing::info!(
        "events: http://{}{}{how} · admin: http://{}",
        running.public,
        settings.server.path,
        running.admin
    );
    for portal in &settings.portals {
        if portal.allow_insecure {
            tracing::warn!(
                portal = portal.name,
                "portal {}: http and private addresses are allowed",
                portal.name
            );
        }
        for bot in &portal.bots {
            let url = match bot.event_mode {
                EventMode::Webhook => bot.event_url.as_deref().unwrap_or("not configured"),
                EventMode::Fetch => "none, its events are fetched",
            };
            tracing::info!(
                portal = portal.name,
                bot = bot.id,
                "portal {} ({}): bot {} {} is answered by {}; its event_url: {url}",
                portal.name,
                portal.domain,
                bot.called(),
                bot.code,
                bot.handler
            );
            if bot.id == 0 && !is_numbered(running, &portal.name, &bot.code) {
                tracing::warn!(
                    portal = portal.name,
                    "portal {}: bot {} has no number yet, so nothing reaches it: `imbot register --apply` makes it",
                    portal.name,
                    bot.code
                );
            }
        }
    }
    match settings.server.ack {
        Ack::Durable => {
            tracing::info!("ack = durable: 200 means on disk; a crash or a power cut loses no event");
        }
        Ack::Written => {
            tracing::warn!("ack = written: a power cut or a crash of the machine may lose acknowledged events");
        }
        Ack::Memory => {
            tracing::warn!("ack = memory: any crash may lose acknowledged events");
        }
    }
    if !dispatching {
        tracing::warn!("--accept-only: events are stored, no handler runs, nothing is sent");
    }
}
