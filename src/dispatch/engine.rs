//! Which event runs when: claims from the store as workers get free. Owns the set of busy lanes, no event's fate.

use super::line::Typing;
use super::plan::Planner;
use super::run::Run;
use super::{Bot, Outbox};
use crate::identity::Identities;
use crate::lifecycle::Stop;
use crate::rest::{Client, Desk};
use crate::store::{Activity, ClaimedEvent, Identity, Store};
use crate::types::{Clock, Lane, PortalId, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Poll even without a signal: a lost wake-up must only cost time.
const POLL: Duration = Duration::from_secs(5);

/// A bot of a portal and the program that answers for it.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// The portal's configured name.
    pub(crate) portal: String,
    pub(crate) handler: Arc<Bot>,
    /// As whom its calls are made.
    pub(crate) identity: Identity,
    /// The portal's REST address.
    pub(crate) home: String,
}

/// The ways out of a handler beside the store.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    /// Questions go over it.
    pub(crate) desk: Desk,
    /// Files come over it.
    pub(crate) client: Client,
    /// The program's own calls; opened here.
    pub(crate) outbox: Outbox,
}

/// Who answers for which bot of which portal: the program's bots by name, and the portals served now.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    pub(crate) programs: HashMap<String, Arc<Bot>>,
    pub(crate) identities: Identities,
}

impl Roster {
    /// `None`: the portal is not served, or has no such bot.
    fn served(&self, portal: PortalId, bot: i64) -> Option<Served> {
        let site = self.identities.site(portal)?;
        // The settings were refused if they named a handler the program does not have.
        let handler = self.programs.get(&site.bots.get(&bot)?.handler)?;
        Some(Served {
            portal: site.name.clone(),
            handler: Arc::clone(handler),
            identity: site.identity(bot),
            home: site.endpoint.clone(),
        })
    }
}

/// Bounds and schedules of the worker pool (`[workers]` of the settings).
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    pub(crate) concurrency: usize,
    pub(crate) timeout: Duration,
    pub(crate) max_attempts: u32,
    /// Pause before the second attempt, the third, …; the last one repeats.
    pub(crate) retry: Vec<Duration>,
    pub(crate) hold: Duration,
    pub(crate) answer_via: AnswerVia,
}

/// Which method carries `ctx.answer` (`deliver.answer_via`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerVia {
    /// A message with a template id where the bot is known to be in the dialog, else the command's answer.
    Auto,
    /// `imbot.v2.Command.answer`.
    Answer,
    /// `imbot.v2.Chat.Message.send`, with the command's message as the one replied to.
    Send,
}

/// The dispatcher: reads the inbox, runs handlers, writes the outbox.
pub(crate) struct Dispatch {
    store: Store,
    clock: Clock,
    roster: Arc<Roster>,
    run: Arc<Run>,
    concurrency: usize,
    activity: watch::Sender<Activity>,
}

impl Dispatch {
    /// A dispatcher that has not begun.
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        roster: Roster,
        workers: Workers,
        call_age: Duration,
        ways: Ways,
    ) -> Self {
        let concurrency = workers.concurrency;
        let planner = Planner {
            clock: clock.clone(),
            salt: store.salt(),
            call_age,
        };
        let Ways { desk, client, outbox } = ways;
        outbox.open(store.clone(), planner.clone(), roster.identities.clone());
        let run = Run {
            store: store.clone(),
            clock: clock.clone(),
            workers,
            planner,
            desk,
            client,
            typing: Arc::new(Typing::default()),
        };
        let activity = watch::Sender::new(Activity::default());
        Self {
            store,
            clock,
            roster: Arc::new(roster),
            run: Arc::new(run),
            concurrency,
            activity,
        }
    }

    /// Where to watch it work.
    pub(crate) fn activity(&self) -> watch::Receiver<Activity> {
        self.activity.subscribe()
    }

    /// Works until the stop. Soft: nothing new is begun, running handlers end. Hard: they are cut; the store has the events.
    pub(crate) async fn work(self, stop: Stop) {
        let mut running: JoinSet<Lane> = JoinSet::new();
        let mut busy: HashSet<Lane> = HashSet::new();
        while !stop.is_soft() {
            // Register for the signal before looking, else an event that comes between is seen at the next poll only.
            let woken = self.store.events_ready().notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let next = self.start_ready(&mut running, &mut busy).await;
            let full = running.len() >= self.concurrency;
            tokio::select! {
                biased;
                () = stop.softened() => break,
                Some(ended) = running.join_next(), if !running.is_empty() => free(&mut busy, ended),
                () = &mut woken, if !full => {}
                () = self.clock.sleep_until(next), if !full => {}
            }
            while let Some(ended) = running.try_join_next() {
                free(&mut busy, ended);
            }
        }
        let drained = stop
            .unless_hard(async { while running.join_next().await.is_some() {} })
            .await;
        if drained.is_none() {
            tracing::warn!(
                cut = running.len(),
                "handlers were cut by the stop; their events run again at the next start"
            );
        }
    }

    /// Starts what can run now; returns when to look again.
    async fn start_ready(&self, running: &mut JoinSet<Lane>, busy: &mut HashSet<Lane>) -> Timestamp {
        loop {
            let (generation, now) = (self.store.events_generation(), self.clock.now());
            let free = self.concurrency.saturating_sub(running.len());
            let claim = match self.store.claim_events(busy, free, now).await {
                Ok(claim) => claim,
                Err(error) => {
                    // The store's own alarm stops the process; until then, do not spin.
                    tracing::error!(%error, "the inbox cannot be read");
                    return now + POLL;
                }
            };
            let found = claim.items.len();
            for event in claim.items {
                busy.insert(event.lane);
                self.start(event, running);
            }
            let next = claim.next_due.map_or(now + POLL, |due| due.min(now + POLL));
            let looked = (found < free).then_some((generation, next));
            self.activity.send_replace(Activity {
                looked,
                running: running.len(),
                ..Activity::default()
            });
            if found < free || free == 0 {
                return next;
            }
        }
    }

    fn start(&self, event: ClaimedEvent, running: &mut JoinSet<Lane>) {
        let (run, roster) = (Arc::clone(&self.run), Arc::clone(&self.roster));
        let span = tracing::info_span!(
            "event", inbox_id = event.id.0, portal = event.portal.0, bot = event.bot, dialog = %event.dialog, name = %event.name
        );
        running.spawn(tracing::Instrument::instrument(
            async move {
                let (lane, id) = (event.lane, event.id);
                let served = roster.served(event.portal, event.bot);
                if let Err(error) = run.event(event, served.as_ref()).await {
                    tracing::error!(inbox_id = id.0, %error, "event {id} could not be settled; it stays in the inbox");
                }
                lane
            },
            span,
        ));
    }
}

/// A worker has ended: its lane may run again.
fn free(busy: &mut HashSet<Lane>, ended: Result<Lane, tokio::task::JoinError>) {
    match ended {
        Ok(lane) => {
            busy.remove(&lane);
        }
        // Handlers run in tasks of their own, so only a mistake of ours ends here: keep the lane shut, shout, go on.
        Err(error) => tracing::error!(
            panicked = error.is_panic(),
            "a worker broke; its dialog waits for a restart"
        ),
    }
}
