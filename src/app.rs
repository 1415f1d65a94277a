//! `App`: bots and settings to a running process. The only place that wires rooms together; owns no rule of any.

use crate::deliver::{Deliver, PortalAccess, Rules};
use crate::dispatch::{AnswerVia, Bot, Dispatch, Roster, Served, Workers};
use crate::http::{self, Admin, BotPass, Door, Doors, Gate, Observer, PortalPass};
use crate::lifecycle::{self, Stop};
use crate::rest::Client;
use crate::settings::{self, BotSettings, OnUnknown, PortalSettings, Settings};
use crate::store::{self, Activity, Identity, Store};
use crate::telemetry;
use crate::types::{Clock, PortalId, Secret};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A program of bots. `App::new().bot(..).run()` is a whole `main`.
#[derive(Debug, Default)]
pub struct App {
    pub(crate) bots: Vec<Bot>,
}

impl App {
    /// A program without bots.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a bot. The configuration says which bot of which portal it answers for.
    #[must_use]
    pub fn bot(mut self, bot: Bot) -> Self {
        self.bots.push(bot);
        self
    }

    /// What cannot be right in the program itself: two bots of one name, two handlers for one event.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let mut mistakes: Vec<String> = self.bots.iter().flat_map(|bot| bot.mistakes().to_vec()).collect();
        for (at, bot) in self.bots.iter().enumerate() {
            if self.bots[..at].iter().any(|other| other.name() == bot.name()) {
                mistakes.push(format!("two bots are called `{}`: rename one", bot.name()));
            }
        }
        mistakes
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// An address cannot be had.
    #[error("{0}")]
    Listen(io::Error),
    /// The store cannot be opened.
    #[error("{0}")]
    Store(#[from] store::OpenError),
    /// No TLS, no recorder, no thread.
    #[error("cannot start: {0}")]
    Machine(String),
}

/// A running server.
pub(crate) struct Running {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) inherited: bool,
    pub(crate) store: Store,
    stop: Stop,
    door: JoinHandle<io::Result<()>>,
    engines: JoinSet<()>,
    dispatching: watch::Receiver<Activity>,
    delivering: watch::Receiver<Activity>,
}

/// What a server is made from.
pub(crate) struct Plan<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) bots: &'a [Bot],
    pub(crate) clock: Clock,
    pub(crate) observer: Option<Observer>,
    /// False: events are accepted and wait (`imbot serve --paused`).
    pub(crate) dispatching: bool,
}

impl Running {
    /// Opens the store and the sockets and starts the three processes that meet in the store: door, dispatch, deliver.
    pub(crate) fn start(plan: Plan<'_>) -> Result<Self, StartError> {
        let Plan {
            settings,
            bots,
            clock,
            observer,
            dispatching,
        } = plan;
        let client = Client::new().map_err(|error| StartError::Machine(error.to_string()))?;
        let doors = http::open(settings.server.listen, settings.admin.listen).map_err(StartError::Listen)?;
        let store = open_store(settings, &clock)?;
        let names: Vec<&str> = settings.portals.iter().map(|portal| portal.name.as_str()).collect();
        let ids = store
            .register_portals(&names)
            .map_err(|error| StartError::Machine(error.to_string()))?;
        let portals: Portals<'_> = ids.into_iter().zip(&settings.portals).collect();
        let stop = Stop::new();

        let (public, admin) = addresses(&doors).map_err(StartError::Listen)?;
        store.set_owner_note(&admin.to_string()).map_err(StartError::Listen)?;
        let inherited = doors.inherited;
        let rooms = (
            Arc::new(door(settings, &store, &portals, &clock, observer)),
            Arc::new(admin_of(settings, &store, &clock, &stop)?),
        );
        let door = open_doors(doors, settings.server.path.clone(), rooms, stop.clone())?;

        let max_age = settings.deliver.max_age;
        let dispatch = Dispatch::new(
            store.clone(),
            clock.clone(),
            roster(&portals, bots),
            workers(settings),
            max_age,
        );
        let repeat_unknown = settings.deliver.on_unknown == OnUnknown::Repeat;
        let rules = Rules {
            hold: settings.deliver.hold,
            repeat_unknown,
        };
        let deliver = Deliver::new(store.clone(), clock, client, rules, access(&portals));
        let (dispatching_seen, delivering) = (dispatch.activity(), deliver.activity());
        let mut engines = JoinSet::new();
        if dispatching {
            engines.spawn(dispatch.work(stop.clone()));
            engines.spawn(deliver.work(stop.clone()));
        }
        let dispatching = dispatching_seen;
        Ok(Self {
            public,
            admin,
            inherited,
            store,
            stop,
            door,
            engines,
            dispatching,
            delivering,
        })
    }

    /// Returns when the store has failed: nothing can be acknowledged any more.
    pub(crate) async fn store_failed(&self) {
        // The sender lives as long as the store, so an error means the store is gone, which is a failure too.
        let _ = self.store.failed().wait_for(|failed| *failed).await;
    }

    /// Returns once nothing but `hanging` handlers is running and nothing is due.
    #[cfg(feature = "testing")]
    pub(crate) async fn settled(&mut self, hanging: usize, clock: &Clock) {
        loop {
            let now = clock.now();
            let dispatch = self
                .dispatching
                .borrow_and_update()
                .is_idle(hanging, self.store.events_generation(), now);
            let deliver = self
                .delivering
                .borrow_and_update()
                .is_idle(0, self.store.calls_generation(), now);
            if dispatch && deliver {
                return;
            }
            tokio::select! {
                changed = self.dispatching.changed() => if changed.is_err() { return },
                changed = self.delivering.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Stops in two stages: what runs may end within the drain, then it is cut. The store is closed cleanly.
    pub(crate) async fn stop(mut self) {
        self.stop.soft();
        let (handlers, calls) = (self.dispatching.borrow().running, self.delivering.borrow().running);
        tracing::info!(
            handlers,
            calls,
            "stopping: what runs may end within {} s",
            lifecycle::DRAIN.as_secs()
        );
        let stop = self.stop.clone();
        let deadline = tokio::spawn(async move {
            Clock::system().sleep(lifecycle::DRAIN).await;
            stop.hard();
        });
        let door = self.door;
        let door = tokio::task::spawn_blocking(move || door.join());
        while self.engines.join_next().await.is_some() {}
        if !matches!(door.await, Ok(Ok(Ok(())))) {
            tracing::error!("the door did not close cleanly");
        }
        deadline.abort();
        self.store.close().await;
    }

    /// Cuts running work at once, as a second stop signal asks.
    pub(crate) fn cut(&self) -> impl FnOnce() + Send + 'static {
        let stop = self.stop.clone();
        move || stop.hard()
    }
}

fn ack(settings: &Settings) -> store::Ack {
    match settings.server.ack {
        settings::Ack::Durable => store::Ack::Durable,
        settings::Ack::Written => store::Ack::Written,
        settings::Ack::Memory => store::Ack::Memory,
    }
}

/// Opens the store of these settings.
pub(crate) fn open_store(settings: &Settings, clock: &Clock) -> Result<Store, store::OpenError> {
    let options = store::Options {
        ack: ack(settings),
        max_bytes: settings.store.max_bytes,
        dedup_window: settings.store.dedup_window,
        clock: clock.clone(),
    };
    Store::open(&settings.store.path, options)
}

/// The portals of the settings with their numbers in the store.
type Portals<'a> = Vec<(PortalId, &'a PortalSettings)>;

fn door(settings: &Settings, store: &Store, portals: &Portals<'_>, clock: &Clock, observer: Option<Observer>) -> Door {
    let mut door = Door::new(
        store.clone(),
        gate(store, portals),
        clock.clone(),
        settings.server.max_body_bytes,
    );
    door.observer = observer;
    let proxies = settings.server.trusted_proxies.clone();
    door.trusted = Box::new(move |peer| proxies.iter().any(|net| net.contains(peer)));
    door
}

fn admin_of(settings: &Settings, store: &Store, clock: &Clock, stop: &Stop) -> Result<Admin, StartError> {
    Ok(Admin {
        store: store.clone(),
        clock: clock.clone(),
        metrics: telemetry::install().map_err(|error| StartError::Machine(error.to_string()))?,
        stop: stop.clone(),
        token: admin_token(settings)?,
        ack: ack(settings).as_str(),
    })
}

fn addresses(doors: &Doors) -> io::Result<(SocketAddr, SocketAddr)> {
    Ok((doors.public.local_addr()?, doors.admin.local_addr()?))
}

fn gate(store: &Store, portals: &Portals<'_>) -> Gate {
    let pass = |(id, portal): &(PortalId, &PortalSettings)| PortalPass {
        id: *id,
        name: portal.name.clone(),
        domain: portal.domain.clone(),
        member_id: portal.member_id.clone().or_else(|| store.pinned_member(*id)),
        token: portal.application_token.clone(),
        bots: portal.bots.iter().map(|bot| (bot.id, bot_pass(portal, bot))).collect(),
    };
    Gate::new(portals.iter().map(pass).collect())
}

fn bot_pass(portal: &PortalSettings, bot: &BotSettings) -> BotPass {
    BotPass {
        token: bot.expected_token(),
        keeps_event_token: identity(portal, bot) == Identity::EventToken,
    }
}

/// A bot with a token of its own speaks through the incoming webhook; one without, by the token of its events.
fn identity(portal: &PortalSettings, bot: &BotSettings) -> Identity {
    if portal.incoming_webhook.is_some() && bot.bot_token.is_some() {
        Identity::Webhook
    } else {
        Identity::EventToken
    }
}

fn roster(portals: &Portals<'_>, bots: &[Bot]) -> Roster {
    let programs: HashMap<&str, Arc<Bot>> = bots.iter().map(|bot| (bot.name(), Arc::new(bot.clone()))).collect();
    let mut roster = Roster::new();
    for (id, portal) in portals {
        for bot in &portal.bots {
            // The settings were refused if they named a handler the program does not have.
            if let Some(handler) = programs.get(bot.handler.as_str()) {
                let served = Served {
                    portal: portal.name.clone(),
                    handler: Arc::clone(handler),
                    identity: identity(portal, bot),
                };
                roster.insert((*id, bot.id), served);
            }
        }
    }
    roster
}

fn workers(settings: &Settings) -> Workers {
    let workers = &settings.workers;
    Workers {
        concurrency: workers.concurrency,
        timeout: workers.handler_timeout,
        max_attempts: workers.max_attempts,
        retry: workers.retry.clone(),
        hold: workers.hold,
        answer_via: match settings.deliver.answer_via {
            settings::AnswerVia::Auto => AnswerVia::Auto,
            settings::AnswerVia::Answer => AnswerVia::Answer,
            settings::AnswerVia::Send => AnswerVia::Send,
        },
    }
}

fn access(portals: &Portals<'_>) -> Vec<(PortalId, PortalAccess)> {
    let access = |portal: &PortalSettings| PortalAccess {
        name: portal.name.clone(),
        endpoint: portal.endpoint.to_string(),
        incoming_webhook: portal.incoming_webhook.clone(),
        bot_tokens: portal
            .bots
            .iter()
            .filter_map(|bot| Some((bot.id, bot.bot_token.clone()?)))
            .collect(),
        burst: portal.plan.burst,
        rate: portal.plan.rate,
    };
    portals.iter().map(|(id, portal)| (*id, access(portal))).collect()
}

/// Configured, or random and kept beside the store for local commands.
fn admin_token(settings: &Settings) -> Result<Secret, StartError> {
    if let Some(token) = &settings.admin.token {
        return Ok(token.clone());
    }
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|error| StartError::Machine(error.to_string()))?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    write_private(&settings.store.path.join(ADMIN_TOKEN), &token).map_err(StartError::Listen)?;
    Ok(Secret::new(token))
}

/// The file of a random admin token, in the store folder.
pub(crate) const ADMIN_TOKEN: &str = "admin.token";

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    // A file left by an earlier run may have other rights: make it anew.
    let _ = std::fs::remove_file(path);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

/// The door on a runtime of its own, so that a handler that blocks its thread cannot slow an answer to Bitrix24.
fn open_doors(
    doors: Doors,
    path: String,
    (door, admin): (Arc<Door>, Arc<Admin>),
    stop: Stop,
) -> Result<JoinHandle<io::Result<()>>, StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("imbot-door")
        .build()
        .map_err(|error| StartError::Machine(error.to_string()))?;
    let serve = move || {
        let public = http::serve(doors.public, http::public_router(&path, door), stop.clone());
        let admin = http::serve(doors.admin, http::admin_router(admin), stop);
        // On worker threads, not on this one: the runtime's own are closer to its sockets.
        runtime.block_on(async {
            let (public, admin) = (tokio::spawn(public), tokio::spawn(admin));
            let (public, admin) = tokio::join!(public, admin);
            public.map_err(io::Error::other)??;
            admin.map_err(io::Error::other)?
        })
    };
    thread::Builder::new()
        .name("imbot-doors".to_owned())
        .spawn(serve)
        .map_err(|error| StartError::Machine(error.to_string()))
}
