//! The deliverer's loop: wakes up when something may leave or has ended, and keeps one outlet a portal. Owns the tasks
//! under way; what leaves is `pass`, what an answer means is `settle`.

use super::meter::Meters;
use super::outlet::Outlet;
use super::park::Decided;
use super::pass::Pass;
use super::piece::Piece;
use super::request::{Ended, Request, Sender};
use super::view::{Order, Orders, PortalView};
use crate::identity::{Identities, Site};
use crate::lifecycle::Stop;
use crate::rest::{AskError, Client, Errand, Errands};
use crate::store::{Activity, Store, StoreError};
use crate::types::{Clock, PortalId, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

/// Poll even without a signal: a lost wake-up must only cost time.
pub(super) const POLL: Duration = Duration::from_secs(5);
/// Requests in flight at one portal: a hanging portal ties up no more than this.
pub(super) const IN_FLIGHT: usize = 8;

/// Rules of the queue (`[deliver]` of the settings).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// How long a doubtful call holds back its dialog.
    pub(crate) hold: Duration,
    /// Whether calls without a deduplication key are repeated after an unknown outcome.
    pub(crate) repeat_unknown: bool,
}

/// The tasks under way, and whose they are.
#[derive(Debug, Default)]
pub(super) struct Running {
    set: JoinSet<Ended>,
    whose: HashMap<Id, (PortalId, bool)>,
}

impl Running {
    pub(super) fn request(&mut self, sender: Arc<Sender>, request: Request) {
        let portal = request.site.id;
        let span = tracing::info_span!("request", portal = %request.site.name, together = request.pieces.len());
        let work = async move { sender.carry_out(request).await };
        let task = self.set.spawn(tracing::Instrument::instrument(work, span));
        self.whose.insert(task.id(), (portal, true));
    }

    /// Work that sends nothing.
    pub(super) fn settle(&mut self, portal: PortalId, work: impl Future<Output = Ended> + Send + 'static) {
        let task = self.set.spawn(work);
        self.whose.insert(task.id(), (portal, false));
    }
}

/// The deliverer: reads the outbox, speaks to portals, settles.
pub(crate) struct Deliver {
    store: Store,
    clock: Clock,
    sender: Arc<Sender>,
    pub(super) outlets: BTreeMap<PortalId, Outlet>,
    turn: usize,
    activity: watch::Sender<Activity>,
    errands: Errands,
    orders: Orders,
}

impl Deliver {
    /// A deliverer that has not begun.
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        client: Client,
        rules: Rules,
        identities: Identities,
        (errands, orders): (Errands, Orders),
    ) -> Self {
        let sender = Arc::new(Sender {
            store: store.clone(),
            clock: clock.clone(),
            client,
            rules,
            identities,
        });
        Self {
            store,
            clock,
            sender,
            outlets: BTreeMap::new(),
            turn: 0,
            activity: watch::Sender::new(Activity::default()),
            errands,
            orders,
        }
    }

    /// Where to watch it work.
    pub(crate) fn activity(&self) -> watch::Receiver<Activity> {
        self.activity.subscribe()
    }

    /// Works until the stop. Soft: nothing new leaves, answers under way are awaited. Hard: they are cut.
    pub(crate) async fn work(mut self, stop: Stop) {
        match self.open().await {
            Ok(meters) => self.run(meters, stop).await,
            Err(error) => tracing::error!(%error, "the budgets cannot be read; nothing is sent"),
        }
    }

    /// Opens an outlet for each portal.
    pub(super) async fn open(&mut self) -> Result<Meters, StoreError> {
        let mut meters = Meters::load(&self.store).await?;
        self.serve(&mut meters).await;
        Ok(meters)
    }

    pub(super) async fn run(mut self, mut meters: Meters, stop: Stop) {
        let mut changes = self.sender.identities.changes();
        // What changed between `open` and this is seen by the first look.
        changes.mark_changed();
        let mut running = Running::default();
        while !stop.is_soft() {
            let store = self.store.clone();
            // Register for the signal before looking.
            let woken = store.calls_ready().notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            // Before every look: answers that keep coming in would keep the branch below from its turn.
            if changes.has_changed().is_ok_and(|changed| changed) {
                changes.mark_unchanged();
                self.serve(&mut meters).await;
                let now = self.clock.now();
                self.outlets.values_mut().for_each(|outlet| outlet.parks.ask_all(now));
            }
            while let Some(errand) = self.errands.try_next() {
                self.take(errand);
            }
            let next = self.start_ready(&mut running).await;
            tokio::select! {
                biased;
                () = stop.softened() => break,
                Some(ended) = running.set.join_next_with_id(), if !running.set.is_empty() => {
                    self.ended(ended, &mut running);
                }
                Some(order) = self.orders.0.recv() => self.obey(order),
                Some(errand) = self.errands.next() => self.take(errand),
                Ok(()) = changes.changed() => changes.mark_changed(),
                () = &mut woken => {}
                () = self.clock.sleep_until(next) => {}
            }
            while let Some(ended) = running.set.try_join_next_with_id() {
                self.ended(ended, &mut running);
            }
        }
        self.end(stop, running, meters).await;
    }

    /// Answers under way are awaited; the levels of the budgets are the last thing written.
    async fn end(self, stop: Stop, mut running: Running, meters: Meters) {
        let Self {
            store,
            clock,
            outlets,
            errands,
            ..
        } = self;
        // Whoever waits for an errand that has not left learns it now.
        drop((outlets, errands));
        let drained = stop
            .unless_hard(async { while running.set.join_next().await.is_some() {} })
            .await;
        if drained.is_none() {
            tracing::warn!(
                cut = running.set.len(),
                "calls were cut by the stop; the outbox has them"
            );
            running.set.shutdown().await;
        }
        if let Err(error) = meters.keep(&store, clock.now()).await {
            tracing::error!(%error, "the budgets could not be kept: the next start takes them for used up");
        }
    }

    /// Opens an outlet for each portal served now; closes those of portals that are not.
    async fn serve(&mut self, meters: &mut Meters) {
        let sites = self.sender.identities.sites();
        self.outlets.retain(|id, _| sites.iter().any(|site| site.id == *id));
        for site in sites {
            if let Some(outlet) = self.outlets.get_mut(&site.id) {
                outlet.site = site;
                continue;
            }
            let plan = (site.burst, site.rate);
            match meters.of(&self.store, &self.clock, &host(&site), plan).await {
                Ok(meter) => drop(self.outlets.insert(site.id, Outlet::new(site, meter))),
                Err(error) => tracing::error!(portal = %site.name, %error, "nothing is sent to portal {}", site.name),
            }
        }
    }

    fn take(&mut self, errand: Errand) {
        // As it is served now: who asks may have learned a bot's number a moment ago.
        let site = self.sender.identities.site(errand.portal);
        match self.outlets.get_mut(&errand.portal).zip(site) {
            Some((outlet, site)) => outlet.errands.push(Piece::errand(errand, &site)),
            // Who asked may have gone.
            None => drop(errand.answer.send(Err(AskError::NoIdentity))),
        }
    }

    fn obey(&mut self, order: Order) {
        let now = self.clock.now();
        match order {
            Order::Look(answer) => {
                let views: Vec<PortalView> = self.outlets.values_mut().map(|outlet| outlet.view(now)).collect();
                let _ = answer.send(views);
            }
            Order::Unpark { portal, bot, done } => {
                // Before the answer: whoever has it must not take what was seen before for the end of the work.
                self.activity.send_modify(|activity| activity.looked = None);
                let outlet = self.outlets.get_mut(&portal);
                let _ = done.send(outlet.map_or(0, |outlet| outlet.parks.unpark(bot)));
            }
        }
    }

    /// Starts what may leave now; returns when to look again.
    async fn start_ready(&mut self, running: &mut Running) -> Timestamp {
        let now = self.clock.now();
        let generation = self.store.calls_generation() + self.errands.taken();
        let mut next = now + POLL;
        self.turn = self.turn.wrapping_add(1);
        let (count, turn) = (self.outlets.len(), self.turn);
        // Another portal is first each time, so that none is always last to the disk or to a host's budget.
        let first = if count == 0 { 0 } else { turn % count };
        for half in [first..count, 0..first] {
            for outlet in self.outlets.values_mut().skip(half.start).take(half.len()) {
                let pass = Pass {
                    outlet,
                    sender: &self.sender,
                    running,
                    now,
                };
                match pass.look().await {
                    Ok(due) => next = next.min(due),
                    Err(error) => return unreadable(&error, now),
                }
            }
        }
        self.activity.send_replace(Activity {
            looked: Some((generation, next)),
            running: running.set.len(),
            held: self.outlets.values().map(|outlet| outlet.errands.len()).sum(),
        });
        next
    }

    fn ended(&mut self, ended: Result<(Id, Ended), JoinError>, running: &mut Running) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some((portal, request)) = running.whose.remove(&id) else {
            return;
        };
        let Some(outlet) = self.outlets.get_mut(&portal) else {
            return;
        };
        match ended {
            Ok((_, ended)) => {
                for decided in outlet.learn(ended, self.clock.now()) {
                    resolve(&self.sender, portal, decided, running);
                }
            }
            Err(error) => {
                outlet.in_flight = outlet.in_flight.saturating_sub(usize::from(request));
                tracing::error!(
                    panicked = error.is_panic(),
                    "a sender broke; its dialogs wait for a restart"
                );
            }
        }
    }
}

fn resolve(sender: &Arc<Sender>, portal: PortalId, decided: Decided, running: &mut Running) {
    let sound = decided.sound;
    for (claimed, fault) in decided.calls {
        let sender = Arc::clone(sender);
        running.settle(portal, async move { sender.resolve(claimed, fault, sound).await });
    }
}

fn unreadable(error: &StoreError, now: Timestamp) -> Timestamp {
    tracing::error!(%error, "the outbox cannot be read");
    now + POLL
}

/// The host that counts the portal's requests.
fn host(site: &Site) -> String {
    let address = site
        .incoming_webhook
        .as_ref()
        .map_or(site.endpoint.as_str(), |url| url.expose());
    let parsed = url::Url::parse(address).ok();
    let host = parsed.as_ref().and_then(|url| {
        let host = url.host_str()?;
        Some(url.port().map_or(host.to_owned(), |port| format!("{host}:{port}")))
    });
    host.unwrap_or_else(|| site.domain.clone())
}
