//! `imbot dev`: the server with every bot of the program and an emulated portal in one process. A newcomer's first
//! command: prints what to paste, then a line for each event and each answer.

use super::exit;
use super::output::{complain, print, quoted};
use crate::app::{App, Plan, Running};
use crate::dispatch::Bot;
use crate::http::Seen;
use crate::lifecycle;
use crate::portal::{BotSeed, Decision, LogEntry, Portal, PortalConfig};
use crate::settings::{self, Environment, Settings};
use crate::types::Clock;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// The bots' ids at the emulated portal begin here.
const FIRST_BOT: i64 = 101;
const NAME: &str = "demo";

/// `imbot dev`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Keep the data in this folder (else a temporary one, gone at the end).
    #[arg(long)]
    data: Option<PathBuf>,
    /// Where events are taken; if it is in use, a free port is.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Probes and metrics; if it is in use, a free port is.
    #[arg(long, default_value = "127.0.0.1:9090")]
    admin: SocketAddr,
    /// The emulated portal; if it is in use, a free port is.
    #[arg(long, default_value = "127.0.0.1:8070")]
    portal: SocketAddr,
}

/// Runs until SIGTERM or SIGINT.
pub(super) fn run(app: &App, arguments: &Arguments) -> u8 {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return exit::REFUSED;
        }
    };
    let code = runtime.block_on(dev(app, arguments)).unwrap_or_else(|problem| {
        complain(&problem);
        exit::REFUSED
    });
    runtime.shutdown_background();
    code
}

async fn dev(app: &App, arguments: &Arguments) -> Result<u8, String> {
    if app.bots.is_empty() {
        return Err("this program has no bots: add one with App::new().bot(..)".to_owned());
    }
    let folder = Folder::new(arguments.data.clone())?;
    let clock = Clock::system();
    let listen = free(arguments.listen);
    let portal = start_portal(app, &clock, free(arguments.portal), listen).await?;
    let settings = settings(app, arguments, &folder, listen, &portal)?;
    let plan = Plan {
        settings: &settings,
        bots: &app.bots,
        clock,
        observer: Some(Box::new(|seen| {
            print(&event_line(seen));
        })),
        dispatching: true,
    };
    let running = Running::start(plan).map_err(|error| error.to_string())?;
    print(&welcome(&running, &portal, &folder)?);
    let mut requests = portal.live_log();
    let stop = lifecycle::stop_signal();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            signal = &mut stop => {
                signal.map_err(|error| format!("cannot listen for signals: {error}"))?;
                break;
            }
            () = running.store_failed() => return Ok(exit::STORE_FAILED),
            request = requests.recv() => if let Ok(request) = request {
                print(&request_line(&request));
            }
        }
    }
    running.stop().await;
    drop(folder);
    Ok(0)
}

/// The data folder, removed at the end unless it was named.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn new(named: Option<PathBuf>) -> Result<Self, String> {
        if let Some(path) = named {
            return Ok(Self { path, temporary: false });
        }
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|error| error.to_string())?;
        let name = random.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Ok(Self {
            path: std::env::temp_dir().join(format!("imbot-dev-{name}")),
            temporary: true,
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            // What is left behind is a temporary folder, which the system clears.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The address itself if nobody has it, else a free port beside it.
fn free(wanted: SocketAddr) -> SocketAddr {
    let bound = TcpListener::bind(wanted).or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    bound.and_then(|listener| listener.local_addr()).unwrap_or(wanted)
}

fn bots(app: &App) -> impl Iterator<Item = (i64, &Bot, String)> {
    (FIRST_BOT..)
        .zip(&app.bots)
        .map(|(id, bot)| (id, bot, format!("demo-token-of-{}", bot.name())))
}

async fn start_portal(app: &App, clock: &Clock, listen: SocketAddr, server: SocketAddr) -> Result<Portal, String> {
    let seed = |(id, bot, token): (i64, &Bot, String)| {
        let seed = BotSeed::webhook(id, bot.name(), &token).hooked(format!("http://{server}/webhook"));
        bot.commands()
            .iter()
            .fold(seed, |seed, (command, _)| seed.command(command))
    };
    let config = PortalConfig {
        listen,
        on_demand: true,
        // A store kept from an earlier run remembers its messages: ids start where no earlier run's ended.
        first_message_id: clock.now().0,
        bots: bots(app).map(seed).collect(),
        ..PortalConfig::new(clock.clone())
    };
    Portal::start(config)
        .await
        .map_err(|error| format!("the emulated portal cannot start on {listen}: {error}"))
}

/// The configuration that a person would write for this portal, read by the same reader.
fn settings(
    app: &App,
    arguments: &Arguments,
    folder: &Folder,
    listen: SocketAddr,
    portal: &Portal,
) -> Result<Settings, String> {
    let config = PortalConfig::new(Clock::system());
    let mut text = format!(
        "[server]\nlisten = \"{listen}\"\n[admin]\nlisten = \"{}\"\n[store]\npath = {}\n\
         [[portal]]\nname = \"{NAME}\"\ndomain = \"{}\"\nmember_id = \"{}\"\nendpoint = \"{}\"\n\
         incoming_webhook = \"{}\"\nallow_insecure = true\n",
        free(arguments.admin),
        quoted(&folder.path.display().to_string()),
        config.host,
        config.member_id,
        portal.endpoint(),
        portal.incoming_webhook(),
    );
    for (id, bot, token) in bots(app) {
        let name = quoted(bot.name());
        text.push_str(&format!(
            "[[portal.bot]]\nid = {id}\nhandler = {name}\nbot_token = {}\n",
            quoted(&token)
        ));
    }
    let loaded = settings::parse(&text, "imbot dev".as_ref(), &app.handlers(), &Environment::default());
    loaded
        .map(|loaded| loaded.settings)
        .map_err(|mistakes| mistakes.to_string())
}

fn welcome(running: &Running, portal: &Portal, folder: &Folder) -> Result<String, String> {
    let kept = if folder.temporary { "temporary" } else { "kept" };
    let curl = portal
        .curl(FIRST_BOT, &format!("http://{}/webhook", running.public))
        .map_err(|error| error.to_string())?;
    Ok(format!(
        "imbot dev\n  server  http://{}/webhook   (probes and metrics: http://{}/metrics)\n  portal  {}   (emulated: no account needed)\n  \
         data    {} ({kept})\n\nPaste this into another terminal, as often as you like:\n\n{curl}\n\nWhat happens (Ctrl-C ends):\n",
        running.public,
        running.admin,
        portal.endpoint(),
        folder.path.display(),
    ))
}

fn event_line(seen: Seen<'_>) -> String {
    let Seen {
        outcome,
        name,
        bot,
        dialog,
    } = seen;
    format!("event   {name}  bot {bot}  dialog {dialog}  {outcome}\n")
}

fn request_line(request: &LogEntry) -> String {
    let what = match &request.decision {
        Decision::Executed { message_id: Some(id) } => format!("shown as message {id}"),
        Decision::Executed { message_id: None } => "done".to_owned(),
        Decision::Repeated { message_id } => format!("already shown as message {message_id}"),
        Decision::Refused { code } => format!("refused: {code}"),
        Decision::Fault { name } => format!("fault: {name}"),
    };
    let dialog = request.params["dialogId"].as_str().unwrap_or("-");
    let text = request.text().unwrap_or_default();
    format!("answer  {}  dialog {dialog}  {text:?}  {what}\n", request.method)
}
