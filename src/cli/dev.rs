//! `imbot dev`: the server with every bot of the program and an emulated portal in one process. A newcomer's first
//! command: prints where the chat page is and what to paste, then a line for each event and each call.

use super::desk::{self, Registered};
use super::exit;
use super::output::{complain, print, quoted};
use crate::app::{App, Plan, Running};
use crate::http::Seen;
use crate::lifecycle;
use crate::portal::{Portal, PortalConfig};
use crate::settings::{self, Environment, Settings};
use crate::types::Clock;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// The people at the emulated portal.
const PEOPLE: [(i64, &str); 3] = [(27, "Ann Lee"), (28, "Ben Kim"), (29, "Chloe Roux")];
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
    /// The emulated portal with its chat page; if it is in use, a free port is.
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
    let portal = start_portal(&clock, free(arguments.portal)).await?;
    let bots = desk::register(&portal, &app.bots, &format!("http://{listen}/webhook")).await?;
    furnish(&portal, &bots);
    let settings = settings(app, arguments, &folder, (listen, &portal, &bots))?;
    let plan = Plan {
        settings: &settings,
        bots: &app.bots,
        outbox: app.outbox(),
        clock,
        observer: Some(Box::new(|seen| {
            print(&event_line(seen));
        })),
        dispatching: true,
    };
    let running = Running::start(plan).map_err(|error| error.to_string())?;
    print(&welcome(&running, &portal, &bots, &folder)?);
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
                print(&desk::call_line(&request));
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

async fn start_portal(clock: &Clock, listen: SocketAddr) -> Result<Portal, String> {
    let config = PortalConfig {
        listen,
        on_demand: true,
        // A store kept from an earlier run remembers its messages: ids start where no earlier run's ended.
        first_message_id: clock.now().0,
        users: PEOPLE.map(|(id, name)| (id, name.to_owned())).into(),
        page: true,
        normalize: Some(desk::normalized),
        ..PortalConfig::new(clock.clone())
    };
    Portal::start(config)
        .await
        .map_err(|error| format!("the emulated portal cannot start on {listen}: {error}"))
}

/// A group with everybody in it. Private dialogs need no furniture: the page shows one with each bot.
fn furnish(portal: &Portal, bots: &[Registered]) {
    let people = PEOPLE.iter().map(|(id, _)| *id);
    let members: Vec<i64> = people.chain(bots.iter().map(|bot| bot.id)).collect();
    let _ = portal.add_group("Team", &members);
}

/// The configuration that a person would write for this portal, read by the same reader.
fn settings(
    app: &App,
    arguments: &Arguments,
    folder: &Folder,
    (listen, portal, bots): (SocketAddr, &Portal, &[Registered]),
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
    for Registered { name, id, token } in bots {
        text.push_str(&format!(
            "[[portal.bot]]\nid = {id}\nhandler = {}\nbot_token = {}\n",
            quoted(name),
            quoted(token.expose())
        ));
    }
    let loaded = settings::parse(&text, "imbot dev".as_ref(), &app.handlers(), &Environment::default());
    loaded
        .map(|loaded| loaded.settings)
        .map_err(|mistakes| mistakes.to_string())
}

fn welcome(running: &Running, portal: &Portal, bots: &[Registered], folder: &Folder) -> Result<String, String> {
    let kept = if folder.temporary { "temporary" } else { "kept" };
    let first = bots.first().map_or(0, |bot| bot.id);
    let curl = portal
        .curl(first, &format!("http://{}/webhook", running.public))
        .map_err(|error| error.to_string())?;
    Ok(format!(
        "imbot dev\n\n  open    {}   (the chat: write to your bots, see what they get and do)\n\n  \
         server  http://{}/webhook   (probes and metrics: http://{}/metrics)\n  portal  {}   (emulated: no account needed)\n  \
         data    {} ({kept})\n\nWithout a browser, paste this into another terminal, as often as you like:\n\n{curl}\n\n\
         What happens (Ctrl-C ends):\n",
        portal.page(),
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
