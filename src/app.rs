//! `App`: bots and settings to a running process. The only place that wires rooms together; owns no rule of any.

mod aside;
mod doors;
mod reload;
mod sites;
mod terms;
mod token;
mod watchdog;

pub(crate) use aside::Aside;
pub(crate) use reload::Reloaded;
pub(crate) use sites::identities;
pub(crate) use token::ADMIN_TOKEN;

use doors::{DoorThread, open_doors};
use terms::{ack, capture, rules, workers};

use crate::capture::Capture;
use crate::deliver::{Deliver, DeliverView};
use crate::dispatch::{Bot, Dispatch, Outbox, Roster, Ways};
use crate::fetch::Fetch;
use crate::http::{self, Admin, Door, Doors, Gate, Observer, Probes};
use crate::identity::{Changes, Identities};
use crate::lifecycle::{self, Stop};
use crate::rest::{Client, Desk};
use crate::settings::Settings;
use crate::store::{self, Activity, Store};
use crate::telemetry;
use crate::types::Clock;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A program of bots. `App::new().bot(..).run()` is a whole `main`.
#[derive(Debug, Default)]
pub struct App {
    pub(crate) bots: Vec<Bot>,
    pub(crate) outbox: Outbox,
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

    /// Queues calls that no event caused (reminders, notices), from any task; it waits until the server has started.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
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
    /// Errands on their way count as running.
    #[cfg_attr(
        not(feature = "testing"),
        expect(dead_code, reason = "only tests wait for everything to settle")
    )]
    desk: Desk,
    door: DoorThread,
    engines: JoinSet<()>,
    dispatching: watch::Receiver<Activity>,
    delivering: watch::Receiver<Activity>,
    #[cfg_attr(
        not(feature = "testing"),
        expect(dead_code, reason = "only tests wait for everything to settle")
    )]
    installing: watch::Receiver<Activity>,
    #[cfg_attr(
        not(feature = "testing"),
        expect(dead_code, reason = "only tests wait for everything to settle")
    )]
    fetching: watch::Receiver<Activity>,
    #[cfg_attr(
        not(feature = "testing"),
        expect(dead_code, reason = "only tests wait for everything to settle")
    )]
    changing: watch::Receiver<Activity>,
    pub(crate) identities: Identities,
    capture: Capture,
}

fn machine(error: impl std::fmt::Display) -> StartError {
    StartError::Machine(error.to_string())
}

/// What a server is made from.
pub(crate) struct Plan<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) bots: &'a [Bot],
    /// Opened when the server has started.
    pub(crate) outbox: Outbox,
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
            outbox,
            clock,
            observer,
            dispatching,
        } = plan;
        // Before anything counts, so that nothing is counted into the void.
        telemetry::install().map_err(machine)?;
        let client = Client::new().map_err(machine)?;
        let doors = http::open(settings.server.listen, settings.admin.listen).map_err(StartError::Listen)?;
        let store = open_store(settings, &clock)?;
        let identities = identities(settings, &store, &clock, &client).map_err(machine)?;
        let stop = Stop::new();

        let (desk, errands) = Desk::open();
        let (view, orders) = DeliverView::open();
        let ways = Ways {
            desk: desk.clone(),
            client: client.clone(),
            outbox,
        };
        let (public, admin) = addresses(&doors).map_err(StartError::Listen)?;
        store.set_owner_note(&admin.to_string()).map_err(StartError::Listen)?;
        let inherited = doors.inherited;
        let changes = Changes::new(identities.clone(), desk.clone(), token::random);
        let rooms = rooms(
            settings,
            (&store, &identities, &changes),
            (&clock, &stop),
            (&ways, &view),
            observer,
        )?;
        let capture = rooms.1.capture.clone();
        let door = open_doors(doors, settings.server.path.clone(), rooms, stop.clone())?;

        let dispatch = dispatch_of(settings, &store, &clock, roster(&identities, bots), ways);
        let (rules, known, ends) = (rules(settings), identities.clone(), (errands, orders));
        let deliver = Deliver::new(store.clone(), clock.clone(), client, rules, known, ends);
        let fetch = Fetch::new(store.clone(), clock, desk.clone(), identities.clone());
        let (fetching, changing) = (fetch.activity(), changes.activity());
        let (seen, delivering) = (dispatch.activity(), deliver.activity());
        let work = dispatching.then_some((dispatch, deliver, fetch, changes));
        let engines = engines(&identities, work, &stop);
        Ok(Self {
            public,
            admin,
            inherited,
            store,
            stop,
            desk,
            door,
            engines,
            dispatching: seen,
            delivering,
            installing: identities.activity(),
            fetching,
            changing,
            identities,
            capture,
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
            // First: what it has stored is seen by the look at the inbox.
            let served = *self.identities.changes().borrow();
            let fetching = *self.fetching.borrow_and_update();
            let dispatch = self
                .dispatching
                .borrow_and_update()
                .is_idle(hanging, self.store.events_generation(), now);
            let deliver =
                self.delivering
                    .borrow_and_update()
                    .is_idle(0, self.store.calls_generation() + self.desk.handed(), now);
            let install = self
                .installing
                .borrow_and_update()
                .is_idle(0, self.identities.generation(), now);
            // A poll that the deliverer holds back waits for the clock like it, and so does a question about a change.
            let held = self.delivering.borrow().held;
            let changing = *self.changing.borrow_and_update();
            let fetch = fetching.is_idle(fetching.running.min(held), served, now);
            let held = held.saturating_sub(fetching.running).min(changing.running);
            let change = changing.is_idle(held, served, now);
            if fetch && change && dispatch && deliver && install {
                return;
            }
            tokio::select! {
                changed = self.dispatching.changed() => if changed.is_err() { return },
                changed = self.delivering.changed() => if changed.is_err() { return },
                changed = self.fetching.changed() => if changed.is_err() { return },
                changed = self.installing.changed() => if changed.is_err() { return },
                changed = self.changing.changed() => if changed.is_err() { return },
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
        let door = self.door.thread;
        let door = tokio::task::spawn_blocking(move || door.join());
        while self.engines.join_next().await.is_some() {}
        if !matches!(door.await, Ok(Ok(Ok(())))) {
            tracing::error!("the door did not close cleanly");
        }
        deadline.abort();
        let capture = self.capture;
        // Waits for a disk, for a moment at most.
        let _ = tokio::task::spawn_blocking(move || capture.finish()).await;
        self.store.close().await;
    }

    /// Cuts running work at once, as a second stop signal asks.
    pub(crate) fn cut(&self) -> impl FnOnce() + Send + 'static {
        let stop = self.stop.clone();
        move || stop.hard()
    }
}

/// Starts what works from the store; `None`: events are accepted and wait.
fn engines(identities: &Identities, work: Option<(Dispatch, Deliver, Fetch, Changes)>, stop: &Stop) -> JoinSet<()> {
    let mut engines = JoinSet::new();
    engines.spawn(identities.clone().work(stop.clone()));
    if let Some((dispatch, deliver, fetch, changes)) = work {
        engines.spawn(dispatch.work(stop.clone()));
        engines.spawn(deliver.work(stop.clone()));
        engines.spawn(fetch.work(stop.clone()));
        engines.spawn(changes.work(stop.clone()));
    }
    engines
}

/// Opens the store of these settings.
pub(crate) fn open_store(settings: &Settings, clock: &Clock) -> Result<Store, store::OpenError> {
    let options = store::Options {
        ack: ack(settings),
        max_bytes: settings.store.max_bytes,
        dedup_window: settings.store.dedup_window,
        clock: clock.clone(),
        key: settings.store.key.clone(),
    };
    Store::open(&settings.store.path, options)
}

fn dispatch_of(settings: &Settings, store: &Store, clock: &Clock, roster: Roster, ways: Ways) -> Dispatch {
    let (workers, max_age) = (workers(settings), settings.deliver.max_age);
    Dispatch::new(store.clone(), clock.clone(), roster, workers, max_age, ways)
}

/// What both addresses serve.
fn rooms(
    settings: &Settings,
    (store, identities, changes): (&Store, &Identities, &Changes),
    (clock, stop): (&Clock, &Stop),
    (ways, view): (&Ways, &DeliverView),
    observer: Option<Observer>,
) -> Result<(Arc<Door>, Arc<Admin>), StartError> {
    let capture = capture(settings).map_or_else(Capture::default, |terms| Capture::start(terms, clock));
    let ends = (ways, view, &capture);
    let admin = admin_of(settings, store, changes, identities, (clock, stop), ends)?;
    let mut door = door(settings, store, identities, clock, (observer, &capture));
    door.probes = Some(Arc::clone(&admin.probes));
    Ok((Arc::new(door), Arc::new(admin)))
}

fn door(
    settings: &Settings,
    store: &Store,
    identities: &Identities,
    clock: &Clock,
    (observer, capture): (Option<Observer>, &Capture),
) -> Door {
    let mut door = Door::new(
        store.clone(),
        Gate {
            identities: identities.clone(),
        },
        clock.clone(),
        settings.server.max_body_bytes,
    );
    door.observer = observer;
    door.capture = capture.clone();
    let proxies = settings.server.trusted_proxies.clone();
    door.trusted = Box::new(move |peer| proxies.iter().any(|net| net.contains(peer)));
    door
}

fn admin_of(
    settings: &Settings,
    store: &Store,
    changes: &Changes,
    identities: &Identities,
    (clock, stop): (&Clock, &Stop),
    (ways, deliver, capture): (&Ways, &DeliverView, &Capture),
) -> Result<Admin, StartError> {
    let token = token::admin_token(settings)?;
    Ok(Admin {
        store: store.clone(),
        identities: identities.clone(),
        changes: changes.clone(),
        desk: ways.desk.clone(),
        outbox: ways.outbox.clone(),
        deliver: deliver.clone(),
        max_age: settings.deliver.max_age,
        clock: clock.clone(),
        metrics: telemetry::install().map_err(|error| StartError::Machine(error.to_string()))?,
        stop: stop.clone(),
        probes: Arc::new(Probes::new(token.clone(), clock.clone())),
        token,
        ack: ack(settings).as_str(),
        capture: capture.clone(),
    })
}

fn addresses(doors: &Doors) -> io::Result<(SocketAddr, SocketAddr)> {
    Ok((doors.public.local_addr()?, doors.admin.local_addr()?))
}

fn roster(identities: &Identities, bots: &[Bot]) -> Roster {
    Roster {
        programs: bots
            .iter()
            .map(|bot| (bot.name().to_owned(), Arc::new(bot.clone())))
            .collect(),
        identities: identities.clone(),
    }
}
