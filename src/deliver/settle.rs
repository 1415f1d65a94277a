//! One call to its end or its next try. Owns what each answer of the portal means for the queue; decides no pace.

use super::backoff;
use super::engine::{PortalAccess, Rules};
use crate::rest::{Class, Client, Credentials, Executed, Fault};
use crate::store::{ClaimedCall, DeadQueue, EXPIRED, Identity, Retry, Store, StoreError, Unknown};
use crate::telemetry;
use crate::types::{Clock, PortalId, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Who is parked, and until when: a bot, or the whole portal (`None`).
type Parked = HashMap<(PortalId, Option<i64>), Timestamp>;

/// Sends calls and settles them.
pub(super) struct Sender {
    store: Store,
    clock: Clock,
    client: Client,
    rules: Rules,
    parked: Mutex<Parked>,
}

impl Sender {
    pub(super) fn new(store: Store, clock: Clock, client: Client, rules: Rules) -> Self {
        Self {
            store,
            clock,
            client,
            rules,
            parked: Mutex::default(),
        }
    }

    /// One attempt. Returns the class of the fault, if any, for the portal's pace.
    pub(super) async fn deliver(
        &self,
        access: &PortalAccess,
        claimed: ClaimedCall,
    ) -> Result<Option<Class>, StoreError> {
        let now = self.clock.now();
        if now >= claimed.call.expires {
            self.bury(&claimed, DeadQueue::Calls, EXPIRED, "not sent within deliver.max_age")
                .await?;
            return Ok(None);
        }
        if let Some(until) = self.parked_until(&claimed, now) {
            self.store.retry_call(claimed.id, waiting(&claimed, until, now)).await?;
            return Ok(None);
        }
        let Some(credentials) = self.credentials(access, &claimed).await? else {
            let detail = "no bot_token with incoming_webhook, and no live token came with an event";
            self.bury(&claimed, DeadQueue::Calls, "no_identity", detail).await?;
            return Ok(None);
        };
        if claimed.call.unknown == Unknown::Stop {
            // Before the first byte leaves: after a crash this record is all that tells of the attempt.
            self.store.call_started(claimed.id).await?;
        }
        match self
            .client
            .call(&credentials, &claimed.call.method, &claimed.call.params)
            .await
        {
            Ok(_) => {
                self.delivered(access, &claimed).await?;
                Ok(None)
            }
            Err(fault) if fault.class == Class::Expired && claimed.call.identity == Identity::EventToken => {
                self.token_expired(&claimed, &credentials).await?;
                Ok(Some(fault.class))
            }
            Err(fault) => {
                self.failed(access, &claimed, &fault).await?;
                Ok(Some(fault.class))
            }
        }
    }

    async fn credentials(
        &self,
        access: &PortalAccess,
        claimed: &ClaimedCall,
    ) -> Result<Option<Credentials>, StoreError> {
        let call = &claimed.call;
        if call.identity == Identity::Webhook {
            return Ok(access.webhook(call.bot));
        }
        // The newest token seen for this bot lives longest; the call's own is the fallback.
        let newest = self.store.newest_token(call.portal, call.bot).await?;
        let token = newest.or_else(|| call.token.clone());
        Ok(token.map(|token| Credentials::Token {
            endpoint: access.endpoint.clone(),
            token,
        }))
    }

    /// An event's token lives an hour and cannot be refreshed: the newest one seen is tried, or there is none.
    async fn token_expired(&self, claimed: &ClaimedCall, used: &Credentials) -> Result<(), StoreError> {
        let newest = self.store.newest_token(claimed.call.portal, claimed.call.bot).await?;
        let another =
            newest.is_some_and(|newest| !matches!(used, Credentials::Token { token, .. } if *token == newest));
        if another {
            let now = self.clock.now();
            return self.store.retry_call(claimed.id, waiting(claimed, now, now)).await;
        }
        let detail = "the token that came with the event has expired, and no newer one was seen";
        self.bury(claimed, DeadQueue::Calls, "no_identity", detail).await
    }

    async fn delivered(&self, access: &PortalAccess, claimed: &ClaimedCall) -> Result<(), StoreError> {
        self.unpark(access, claimed);
        self.store.complete_call(claimed.id).await?;
        let took = self.clock.now().since(claimed.call.received);
        if claimed.call.event.is_some() {
            telemetry::event_to_reply(took);
        }
        tracing::info!(
            attempts = claimed.attempts + 1,
            event_to_reply_ms = took.as_millis(),
            "call {} delivered",
            claimed.id
        );
        Ok(())
    }

    async fn failed(&self, access: &PortalAccess, claimed: &ClaimedCall, fault: &Fault) -> Result<(), StoreError> {
        let doubtful = fault.executed == Executed::Unknown;
        if doubtful && claimed.call.unknown == Unknown::Stop && !self.rules.repeat_unknown {
            let detail = "the portal may have carried it out; it is not repeated (deliver.on_unknown)";
            return self.bury(claimed, DeadQueue::Unknown, &fault.code, detail).await;
        }
        if matches!(fault.class, Class::Identity | Class::Bot | Class::Expired) {
            self.park(access, claimed, fault);
        }
        let now = self.clock.now();
        match backoff::pause(fault.class, claimed.attempts, claimed.id.0) {
            Some(pause) => {
                let due = now + pause;
                let retry = if fault.class == Class::Sending {
                    let first_failed = claimed.first_failed.unwrap_or(now);
                    Retry {
                        due,
                        hold_until: first_failed + self.rules.hold,
                        first_failed,
                    }
                } else {
                    waiting(claimed, due, now)
                };
                tracing::warn!(
                    %fault, class = fault.class.label(), attempts = claimed.attempts + 1,
                    again_in_ms = pause.as_millis(), "call {} failed and is tried again", claimed.id
                );
                self.store.retry_call(claimed.id, retry).await
            }
            None if fault.class == Class::Sending => {
                let detail = "the portal has the message's id but no message, for over an hour";
                self.bury(claimed, DeadQueue::Unknown, &fault.code, detail).await
            }
            None => {
                self.bury(claimed, DeadQueue::Calls, &fault.code, &fault.to_string())
                    .await
            }
        }
    }

    async fn bury(
        &self,
        claimed: &ClaimedCall,
        queue: DeadQueue,
        reason: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        tracing::error!(
            reason,
            detail,
            "call {} went to the dead letters: see `imbot dead-letters list`",
            claimed.id
        );
        self.store.bury_call(claimed.id, queue, reason, detail).await
    }

    /// Stops a refused identity's calls for a while: hammering on cannot help, only an operator can.
    fn park(&self, access: &PortalAccess, claimed: &ClaimedCall, fault: &Fault) {
        let bot = (fault.class != Class::Identity).then_some(claimed.call.bot);
        let until = self.clock.now() + backoff::PARK;
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        if parked.insert((claimed.call.portal, bot), until).is_none() {
            tracing::error!(%fault, bot, "portal {} refuses our identity; its calls wait and are tried every {} s", access.name, backoff::PARK.as_secs());
        }
        telemetry::identity_parked(&access.name, fault.class.label(), true);
    }

    fn unpark(&self, access: &PortalAccess, claimed: &ClaimedCall) {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        for (bot, reasons) in [
            (None, &[Class::Identity][..]),
            (Some(claimed.call.bot), &[Class::Bot, Class::Expired][..]),
        ] {
            if parked.remove(&(claimed.call.portal, bot)).is_some() {
                for reason in reasons {
                    telemetry::identity_parked(&access.name, reason.label(), false);
                }
            }
        }
    }

    fn parked_until(&self, claimed: &ClaimedCall, now: Timestamp) -> Option<Timestamp> {
        let parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let portal = claimed.call.portal;
        let until = [None, Some(claimed.call.bot)]
            .into_iter()
            .filter_map(|bot| parked.get(&(portal, bot)))
            .max()?;
        (*until > now).then_some(*until)
    }
}

/// The next try of a call behind which its dialog waits, so that order is kept.
fn waiting(claimed: &ClaimedCall, due: Timestamp, now: Timestamp) -> Retry {
    let hold_until = claimed.call.expires.max(due) + Duration::from_secs(1);
    Retry {
        due: due.min(claimed.call.expires),
        hold_until,
        first_failed: claimed.first_failed.unwrap_or(now),
    }
}
