//! `imbot serve`: the server from the configuration until a stop signal. Owns start-up words and exit codes.

use super::output::complain;
use super::{exit, settings_for};
use crate::app::{App, Plan, Running, StartError};
use crate::lifecycle;
use crate::settings::{Ack, Environment, Settings};
use crate::store::OpenError;
use crate::types::Clock;
use std::path::PathBuf;

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

/// Runs until SIGTERM or SIGINT; a second one cuts what still runs.
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
    let code = runtime.block_on(serve(app, &settings, !arguments.accept_only));
    // A handler that blocks its thread must not hold up the exit; the store is closed already.
    runtime.shutdown_background();
    code
}

async fn serve(app: &App, settings: &Settings, dispatching: bool) -> u8 {
    let plan = Plan {
        settings,
        bots: &app.bots,
        clock: Clock::system(),
        observer: None,
        dispatching,
    };
    let running = match Running::start(plan) {
        Ok(running) => running,
        Err(error) => return refused(&error),
    };
    announce(settings, &running, dispatching);
    tell_gaps(&running).await;
    tokio::select! {
        signal = lifecycle::stop_signal() => {
            if let Err(error) = signal {
                complain(&format!("cannot listen for signals: {error}"));
            }
            let cut = running.cut();
            tokio::spawn(async move {
                if lifecycle::stop_signal().await.is_ok() {
                    cut();
                }
            });
            running.stop().await;
            0
        }
        () = running.store_failed() => {
            tracing::error!("the store has failed: nothing is acknowledged any more; restart to read it again");
            running.cut()();
            exit::STORE_FAILED
        }
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
            let url = bot.event_url.as_deref().unwrap_or("not configured");
            tracing::info!(
                portal = portal.name,
                bot = bot.id,
                "portal {} ({}): bot {} {} is answered by {}; its event_url: {url}",
                portal.name,
                portal.domain,
                bot.id,
                bot.code,
                bot.handler
            );
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
