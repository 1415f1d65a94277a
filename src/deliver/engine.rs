//! Which call leaves when: claims from the store what budget and order allow. Owns buckets and busy lanes.

use super::settle::Sender;
use crate::lifecycle::Stop;
use crate::rest::{Bucket, Class, Client, Credentials};
use crate::store::{Activity, ClaimedCall, Store};
use crate::telemetry;
use crate::types::{Clock, Lane, PortalId, Secret, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Poll even without a signal: a lost wake-up must only cost time.
const POLL: Duration = Duration::from_secs(5);
/// Requests in flight at one portal: a hanging portal ties up no more than this.
const IN_FLIGHT: usize = 8;

/// How a portal is reached and paced (from the settings).
#[derive(Clone, Debug)]
pub(crate) struct PortalAccess {
    /// The configured name.
    pub(crate) name: String,
    /// `https://{portal}/rest/`: where event tokens are used, whatever an event says.
    pub(crate) endpoint: String,
    pub(crate) incoming_webhook: Option<Secret>,
    /// Bot tokens by bot id, for calls through the webhook.
    pub(crate) bot_tokens: HashMap<i64, Secret>,
    pub(crate) burst: u32,
    pub(crate) rate: f64,
}

impl PortalAccess {
    /// The credentials of the webhook identity for this bot.
    pub(super) fn webhook(&self, bot: i64) -> Option<Credentials> {
        let url = self.incoming_webhook.clone()?;
        Some(Credentials::Webhook {
            url,
            bot_token: self.bot_tokens.get(&bot).cloned(),
        })
    }
}

/// Rules of the queue (`[deliver]` of the settings).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// How long a doubtful call holds back its dialog.
    pub(crate) hold: Duration,
    /// Whether calls without a deduplication key are repeated after an unknown outcome.
    pub(crate) repeat_unknown: bool,
}

struct Lanes {
    portal: PortalId,
    access: Arc<PortalAccess>,
    bucket: Bucket,
    in_flight: usize,
    /// Calls found ready while the bucket was empty, since when.
    waiting_since: Option<Timestamp>,
}

/// What a sending task brings back.
pub(super) struct Ended {
    pub(super) portal: PortalId,
    pub(super) lane: Lane,
    /// The class of the fault, if it failed.
    pub(super) fault: Option<Class>,
}

/// The deliverer: reads the outbox, speaks to portals, settles.
pub(crate) struct Deliver {
    store: Store,
    clock: Clock,
    sender: Arc<Sender>,
    portals: Vec<Lanes>,
    busy: HashSet<Lane>,
    turn: usize,
    activity: watch::Sender<Activity>,
}

impl Deliver {
    /// A deliverer that has not begun.
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        client: Client,
        rules: Rules,
        portals: Vec<(PortalId, PortalAccess)>,
    ) -> Self {
        let now = clock.now();
        let portals = portals
            .into_iter()
            .map(|(portal, access)| {
                let bucket = Bucket::new(access.burst, access.rate, now);
                Lanes {
                    portal,
                    access: Arc::new(access),
                    bucket,
                    in_flight: 0,
                    waiting_since: None,
                }
            })
            .collect();
        let sender = Arc::new(Sender::new(store.clone(), clock.clone(), client, rules));
        let activity = watch::Sender::new(Activity::default());
        Self {
            store,
            clock,
            sender,
            portals,
            busy: HashSet::new(),
            turn: 0,
            activity,
        }
    }

    /// Where to watch it work.
    pub(crate) fn activity(&self) -> watch::Receiver<Activity> {
        self.activity.subscribe()
    }

    /// Works until the stop. Soft: nothing new leaves, answers under way are awaited. Hard: they are cut.
    pub(crate) async fn work(mut self, stop: Stop) {
        let mut running: JoinSet<Ended> = JoinSet::new();
        while !stop.is_soft() {
            let store = self.store.clone();
            // Register for the signal before looking.
            let woken = store.calls_ready().notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let next = self.start_ready(&mut running).await;
            tokio::select! {
                biased;
                () = stop.softened() => break,
                Some(ended) = running.join_next(), if !running.is_empty() => self.ended(ended),
                () = &mut woken => {}
                () = self.clock.sleep_until(next) => {}
            }
            while let Some(ended) = running.try_join_next() {
                self.ended(ended);
            }
        }
        let drained = stop
            .unless_hard(async { while running.join_next().await.is_some() {} })
            .await;
        if drained.is_none() {
            tracing::warn!(cut = running.len(), "calls were cut by the stop; the outbox has them");
        }
    }

    /// Starts what may leave now; returns when to look again.
    async fn start_ready(&mut self, running: &mut JoinSet<Ended>) -> Timestamp {
        let (generation, now) = (self.store.calls_generation(), self.clock.now());
        let mut next = now + POLL;
        self.turn = self.turn.wrapping_add(1);
        for step in 0..self.portals.len() {
            // Another portal is first each time, so that none is always last to the disk.
            let at = (self.turn + step) % self.portals.len();
            match self.start_portal(at, now, running).await {
                Ok(due) => next = next.min(due),
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be read");
                    return now + POLL;
                }
            }
        }
        self.activity.send_replace(Activity {
            looked: Some((generation, next)),
            running: running.len(),
        });
        next
    }

    async fn start_portal(
        &mut self,
        at: usize,
        now: Timestamp,
        running: &mut JoinSet<Ended>,
    ) -> Result<Timestamp, crate::store::StoreError> {
        let lanes = &mut self.portals[at];
        let tokens = usize::try_from(lanes.bucket.tokens(now)).unwrap_or(usize::MAX);
        telemetry::portal_budget(&lanes.access.name, f64::from(lanes.bucket.tokens(now)));
        let free = tokens.min(IN_FLIGHT.saturating_sub(lanes.in_flight));
        // Ask for one even without a token: to know whether anything waits, and so when to come back.
        let claim = self
            .store
            .claim_calls(&[lanes.portal], &self.busy, free.max(1), now)
            .await?;
        let mut next = claim.next_due.unwrap_or(now + POLL);
        for call in claim.items {
            if lanes.in_flight >= IN_FLIGHT {
                break; // an answer will wake us
            }
            if lanes.bucket.tokens(now) == 0 {
                lanes.waiting_since.get_or_insert(now);
                next = next.min(lanes.bucket.ready_at(now));
                break;
            }
            lanes.bucket.take(now);
            lanes.in_flight += 1;
            telemetry::limiter_wait(
                lanes
                    .waiting_since
                    .take()
                    .map_or(Duration::ZERO, |since| now.since(since)),
            );
            self.busy.insert(call.call.lane);
            start(&self.sender, &lanes.access, call, running);
        }
        if lanes.in_flight < IN_FLIGHT && free > 0 && self.portals[at].bucket.tokens(now) == 0 {
            let ready = self.portals[at].bucket.ready_at(now);
            next = next.min(ready);
        }
        Ok(next)
    }

    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(
                    panicked = error.is_panic(),
                    "a sender broke; its dialog waits for a restart"
                );
                return;
            }
        };
        self.busy.remove(&ended.lane);
        let now = self.clock.now();
        if let Some(lanes) = self.portals.iter_mut().find(|lanes| lanes.portal == ended.portal) {
            lanes.in_flight = lanes.in_flight.saturating_sub(1);
            match ended.fault {
                Some(Class::Limit) => lanes.bucket.refused(now),
                None => lanes.bucket.succeeded(),
                Some(_) => {}
            }
        }
    }
}

fn start(sender: &Arc<Sender>, access: &Arc<PortalAccess>, call: ClaimedCall, running: &mut JoinSet<Ended>) {
    let (sender, access) = (Arc::clone(sender), Arc::clone(access));
    let span = tracing::info_span!(
        "call", call_id = call.id.0, portal = %access.name, bot = call.call.bot, dialog = %call.call.dialog,
        method = %call.call.method, inbox_id = call.call.event.map_or(0, |event| event.0)
    );
    running.spawn(tracing::Instrument::instrument(
        async move {
            let (portal, lane, id) = (call.call.portal, call.call.lane, call.id);
            let fault = match sender.deliver(&access, call).await {
                Ok(fault) => fault,
                Err(error) => {
                    tracing::error!(call_id = id.0, %error, "call {id} could not be settled; it stays in the outbox");
                    None
                }
            };
            Ended { portal, lane, fault }
        },
        span,
    ));
}
