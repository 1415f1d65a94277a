//! What goes on by itself: bodies at the install door are looked into, tokens nobody uses are renewed, renames are
//! noted. Nothing here is in a request's way.

use super::identities::Identities;
use super::proof::{self, Proof};
use crate::lifecycle::Stop;
use crate::rest::{Moved, endpoint};
use crate::store::{Activity, Format, Installation, Knock, StoreError};
use crate::telemetry;
use crate::types::{Secret, Timestamp};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use url::Url;

/// A body at the install door is gone after this long: so is the access token in it.
const KNOCK_LIFE: Duration = Duration::from_secs(3600);
/// Pauses while the authorisation server is in trouble: 5 s, 10 s … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Look even when nothing is due: a lost wake-up must only cost time.
const POLL: Duration = Duration::from_secs(3600);

/// When each body that could not be proven yet is tried again, and how often it was.
type Patience = HashMap<i64, (u32, Timestamp)>;

impl Identities {
    /// Keeps a body of the install door until it has been looked into. `Full`: as many wait as may.
    ///
    /// # Errors
    /// The store does not take it.
    pub(crate) async fn knock(&self, format: Format, body: Vec<u8>) -> Result<(), StoreError> {
        self.0.store.knock(format, body).await?;
        self.0.knocks.fetch_add(1, Ordering::Release);
        self.0.knocked.notify_one();
        Ok(())
    }

    /// Whether any application is configured: else there is no install door.
    pub(crate) fn has_applications(&self) -> bool {
        !self.0.applications.is_empty()
    }

    /// Where to watch it work.
    pub(crate) fn activity(&self) -> watch::Receiver<Activity> {
        self.0.activity.subscribe()
    }

    /// Grows with each body at the install door.
    #[cfg(feature = "testing")]
    pub(crate) fn generation(&self) -> u64 {
        self.0.knocks.load(Ordering::Acquire)
    }

    /// Works until the stop.
    pub(crate) async fn work(self, stop: Stop) {
        let mut moves = {
            let mut moves = self.0.moves.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            moves.take()
        };
        let mut patience = Patience::new();
        while !stop.is_soft() {
            let seen = self.0.knocks.load(Ordering::Acquire);
            // Cut by a stop it loses nothing: what waits is on disk, and a renewal ends in a task of its own.
            let next = tokio::select! {
                biased;
                () = stop.softened() => break,
                next = self.round(&mut patience) => next,
            };
            self.0.activity.send_replace(Activity {
                looked: Some((seen, next)),
                running: 0,
                ..Activity::default()
            });
            tokio::select! {
                biased;
                () = stop.softened() => break,
                () = self.0.knocked.notified() => {}
                moved = heard(&mut moves) => self.moved(&moved).await,
                () = self.0.clock.sleep_until(next) => {}
            }
        }
    }

    /// Everything that is due; when to look again.
    async fn round(&self, patience: &mut Patience) -> Timestamp {
        let now = self.0.clock.now();
        let due = async {
            let knocks = self.look_into_all(patience, now).await?;
            Ok::<_, StoreError>([knocks, self.renew_idle(now).await?, self.erase(now).await?])
        };
        match due.await {
            Ok(due) => due.into_iter().flatten().fold(now + POLL, Timestamp::min),
            Err(error) => {
                tracing::error!(%error, "installations cannot be looked after");
                now + Duration::from_secs(60)
            }
        }
    }

    async fn look_into_all(&self, patience: &mut Patience, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        if !self.has_applications() {
            return Ok(None);
        }
        let knocks = self.0.store.knocks().await?;
        patience.retain(|id, _| knocks.iter().any(|knock| knock.id == *id));
        let mut next: Option<Timestamp> = None;
        for knock in knocks {
            let waits = patience.get(&knock.id).map(|(_, due)| *due).filter(|due| now < *due);
            let due = match waits {
                Some(due) if now.since(knock.at) < KNOCK_LIFE => Some(due),
                _ => self.look_into(&knock, patience).await?,
            };
            next = match (next, due) {
                (Some(next), Some(due)) => Some(next.min(due)),
                (next, due) => next.or(due),
            };
        }
        Ok(next)
    }

    /// Looks into one body; `Some`: it stays, and when it is tried again.
    async fn look_into(&self, knock: &Knock, patience: &mut Patience) -> Result<Option<Timestamp>, StoreError> {
        let now = self.0.clock.now();
        let outcome = if now.since(knock.at) >= KNOCK_LIFE {
            "expired"
        } else {
            let claim = knock.body.as_ref().and_then(|body| proof::claim(body, knock.format));
            let proof = match &claim {
                Some(claim) => self.prove(claim).await,
                None => Proof::Unproven("incomplete"),
            };
            match proof {
                Proof::Proven(kept, application) => self.admit(*kept, application).await?,
                Proof::Unproven(outcome) => outcome,
                Proof::Unanswered => {
                    let (tries, due) = patience.entry(knock.id).or_insert((0, now));
                    let pause = Duration::from_secs(5) * (1 << (*tries).min(6));
                    (*tries, *due) = (*tries + 1, now + pause.min(LONGEST_PAUSE));
                    return Ok(Some((*due).min(knock.at + KNOCK_LIFE)));
                }
            }
        };
        telemetry::installation(outcome);
        if !matches!(outcome, "accepted" | "replaced" | "waiting") {
            tracing::warn!(outcome, "a body at the install door was dropped: {outcome}");
        }
        self.0.store.answered(knock.id).await?;
        Ok(None)
    }

    /// A portal answers at another host: calls go there from now on. What an installation says is stored; what an
    /// operator wrote is theirs to correct.
    pub(super) async fn moved(&self, moved: &Moved) {
        for site in self.sites() {
            let endpoint = Url::parse(&site.endpoint).ok();
            let Some(renamed) = endpoint.and_then(|url| rehosted(&url, moved)) else {
                continue;
            };
            let webhook = site.incoming_webhook.as_ref().and_then(|webhook| {
                let url = Url::parse(webhook.expose()).ok()?;
                Some(Secret::new(rehosted(&url, moved)?.to_string()))
            });
            if site.configured {
                tracing::warn!(
                    portal = site.name,
                    "the portal was renamed: set domain = \"{to}\" (and endpoint and incoming_webhook, where they are \
                     written) in its [[portal]]; until then each start asks at {from} first",
                    to = moved.to,
                    from = moved.from
                );
            } else if let Some(holding) = self.holding(site.id) {
                let _alone = holding.alone().await;
                let kept = Installation {
                    domain: moved.to.clone(),
                    endpoint: renamed.to_string(),
                    ..holding.kept()
                };
                if let Err(error) = self.0.store.keep_installation(site.id, kept.clone()).await {
                    tracing::error!(%error, portal = site.name, "the portal's new address could not be stored");
                }
                holding.keep(kept);
                tracing::info!(portal = site.name, domain = moved.to, "the portal was renamed");
            }
            self.0.table.change(site.id, |site| {
                site.endpoint = renamed.to_string();
                if !site.configured {
                    site.domain.clone_from(&moved.to);
                }
                site.incoming_webhook = webhook.or_else(|| site.incoming_webhook.take());
            });
            if let Some(site) = self.site(site.id) {
                self.let_call(&site);
            }
        }
    }
}

/// The same address at the new host; `None`: it was not at the old one.
fn rehosted(url: &Url, moved: &Moved) -> Option<Url> {
    if endpoint::authority(url) != moved.from {
        return None;
    }
    let text = format!("{}://{}{}", url.scheme(), moved.to, url.path());
    Url::parse(&text).ok()
}

/// The next rename; without a channel never.
async fn heard(moves: &mut Option<mpsc::Receiver<Moved>>) -> Moved {
    if let Some(receiver) = moves
        && let Some(moved) = receiver.recv().await
    {
        return moved;
    }
    std::future::pending().await
}
