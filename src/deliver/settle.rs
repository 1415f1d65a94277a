//! What becomes of each piece of a request after its answer: calls in the store, errands to who asked. Decides no pace.

use super::answer::reply_to;
use super::piece::{Piece, What, Who};
use super::request::{Ended, Note, Sender, stuck};
use super::verdict::{Verdict, judge};
use crate::identity::{Renewal, Site};
use crate::rest::{AskError, Class, Credentials, Executed, Fault, Reply};
use crate::store::{ClaimedCall, DeadQueue, EXPIRED, Identity, Retry, StoreError, Unknown};
use crate::telemetry;
use crate::types::Timestamp;
use std::time::Duration;

/// The next step of a piece whose answer is known.
enum Step {
    Done(Reply),
    Failed(Fault, Verdict),
}

impl Sender {
    /// Settles all pieces of a request, side by side.
    pub(super) async fn settle(
        &self,
        site: &Site,
        ready: Vec<(Piece, Credentials)>,
        outcomes: Vec<Result<Reply, Fault>>,
        shared: bool,
        ended: &mut Ended,
    ) {
        let mut renewal = None;
        let mut ends = Vec::new();
        for ((piece, credentials), outcome) in ready.into_iter().zip(outcomes) {
            match &outcome {
                Ok(reply) => {
                    let note = Note::Ran(piece.method().to_owned(), reply.operating, reply.seconds);
                    ended.notes.push(note);
                }
                Err(fault) if fault.class == Class::OperatingTime => {
                    ended.notes.push(Note::Shut(piece.method().to_owned()));
                }
                Err(_) => {}
            }
            let fault = outcome.as_ref().err();
            let outdated = fault.is_some_and(|fault| self.is_outdated(&piece, fault, &credentials));
            let piece = match piece.what {
                What::Call(claimed) => {
                    let step = match outcome {
                        Ok(reply) => Step::Done(reply),
                        Err(fault) if outdated => Step::Failed(fault, Verdict::Again),
                        Err(fault) => {
                            let verdict = judge(&fault, &claimed, self.rules, piece.renewed, shared);
                            Step::Failed(fault, verdict)
                        }
                    };
                    if matches!(step, Step::Failed(_, Verdict::Renew)) && renewal.is_none() {
                        renewal = self.renew(&piece.who, claimed.call.bot, &credentials).await;
                    }
                    ends.push((claimed, step));
                    continue;
                }
                What::Probe(probe) => {
                    let answer = self.probed(&probe, outcome, &credentials).await;
                    ended.notes.push(Note::Probed(probe, answer));
                    continue;
                }
                What::Errand(_) => piece,
            };
            if let Some(back) = self.answer(piece, outcome, &credentials, ended).await {
                ended.notes.push(Note::Back(back));
            }
        }
        self.end_calls(site, ends, renewal.as_ref(), ended).await;
    }

    /// Every call's end is waited for at once, so that they share a commit.
    async fn end_calls(
        &self,
        site: &Site,
        ends: Vec<(Box<ClaimedCall>, Step)>,
        renewal: Option<&Renewal>,
        ended: &mut Ended,
    ) {
        let mut all = Vec::with_capacity(ends.len());
        for (claimed, step) in ends {
            all.push(async move {
                let mut notes = Vec::new();
                let result = match step {
                    Step::Done(reply) => self.delivered(&claimed, &reply, &mut notes).await,
                    Step::Failed(fault, verdict) => {
                        self.failed(site, &claimed, &fault, verdict, renewal, &mut notes).await
                    }
                };
                (claimed, result, notes)
            });
        }
        for (claimed, result, notes) in join_all(all).await {
            let doubted = notes.iter().any(|note| matches!(note, Note::Doubt(..)));
            ended.notes.extend(notes);
            match result {
                Ok(()) | Err(StoreError::Gone) if doubted => {}
                Ok(()) | Err(StoreError::Gone) => ended.free.push(claimed.call.lane),
                Err(error) => stuck(&Piece::call(*claimed, false), &error),
            }
        }
    }

    async fn delivered(&self, claimed: &ClaimedCall, reply: &Reply, notes: &mut Vec<Note>) -> Result<(), StoreError> {
        notes.push(Note::Settled(claimed.id));
        self.store.complete_call(claimed.id, &reply.result).await?;
        let took = self.clock.now().since(claimed.call.received);
        if claimed.call.event.is_some() {
            telemetry::event_to_reply(took);
        }
        let made = reply.result.get("id").and_then(serde_json::Value::as_i64);
        tracing::info!(
            ledger = "done", call_id = claimed.id.0, bot = claimed.call.bot, dialog = %claimed.call.dialog,
            method = %claimed.call.method, made, attempts = claimed.attempts + 1,
            event_to_reply_ms = took.as_millis(), "call {} delivered", claimed.id
        );
        Ok(())
    }

    async fn failed(
        &self,
        site: &Site,
        claimed: &ClaimedCall,
        fault: &Fault,
        verdict: Verdict,
        renewal: Option<&Renewal>,
        notes: &mut Vec<Note>,
    ) -> Result<(), StoreError> {
        note_failure(site, claimed, fault);
        let park = |of_bot| Note::Park {
            bot: claimed.call.bot,
            of_bot,
            label: fault.class.label(),
            reason: fault.code.clone(),
        };
        let now = self.clock.now();
        match verdict {
            Verdict::Again => self.release(claimed).await,
            Verdict::Alone => {
                notes.push(Note::Alone(claimed.id));
                self.release(claimed).await
            }
            Verdict::Renew => self.renewed(claimed, fault, renewal, notes).await,
            Verdict::Later(pause) => {
                self.store
                    .retry_call(claimed.id, waiting(claimed, now + pause, now))
                    .await
            }
            Verdict::Held(pause) => {
                let first_failed = claimed.first_failed.unwrap_or(now);
                let retry = Retry {
                    due: now + pause,
                    hold_until: first_failed + self.rules.hold,
                    first_failed,
                };
                self.store.retry_call(claimed.id, retry).await
            }
            Verdict::ParkIdentity | Verdict::ParkBot => {
                notes.push(park(verdict == Verdict::ParkBot));
                self.release(claimed).await
            }
            Verdict::Doubt => {
                notes.push(Note::Doubt(Box::new(claimed.clone()), fault.clone()));
                Ok(())
            }
            Verdict::FallBack => {
                notes.push(Note::Settled(claimed.id));
                self.fall_back(claimed, fault).await
            }
            Verdict::Bury(queue, detail) => {
                notes.push(Note::Settled(claimed.id));
                let said = fault.to_string();
                let detail = if detail.is_empty() { &said } else { detail };
                self.bury(claimed, queue, &fault.code, detail).await
            }
        }
    }

    /// The other way that was planned with the call, once; without one it is over.
    async fn fall_back(&self, claimed: &ClaimedCall, fault: &Fault) -> Result<(), StoreError> {
        if self.store.fall_back_call(claimed.id).await? {
            return Ok(());
        }
        self.bury(claimed, DeadQueue::Calls, &fault.code, &fault.to_string())
            .await
    }

    /// What the attempt to get newer credentials means for a call.
    async fn renewed(
        &self,
        claimed: &ClaimedCall,
        fault: &Fault,
        renewal: Option<&Renewal>,
        notes: &mut Vec<Note>,
    ) -> Result<(), StoreError> {
        match renewal {
            Some(Renewal::Again) => {
                notes.push(Note::Renewed(claimed.id));
                self.release(claimed).await
            }
            Some(Renewal::Later(pause)) => {
                notes.push(Note::Rest(*pause));
                self.release(claimed).await
            }
            // The next event of this bot brings a new token; this call's is gone.
            Some(Renewal::Refused(why)) if claimed.call.identity == Identity::EventToken => {
                notes.push(Note::Settled(claimed.id));
                self.bury(claimed, DeadQueue::Calls, "no_identity", why).await
            }
            Some(Renewal::Refused(why)) => {
                tracing::error!(bot = claimed.call.bot, why, "the identity cannot be renewed");
                notes.push(Note::Park {
                    bot: claimed.call.bot,
                    of_bot: false,
                    label: fault.class.label(),
                    reason: why.clone(),
                });
                self.release(claimed).await
            }
            None => {
                let now = self.clock.now();
                let due = now + Duration::from_secs(1);
                self.store.retry_call(claimed.id, waiting(claimed, due, now)).await
            }
        }
    }

    pub(super) async fn renew(&self, who: &Who, bot: i64, used: &Credentials) -> Option<Renewal> {
        match self.identities.expired(who.portal, bot, used).await {
            Ok(renewal) => Some(renewal),
            Err(error) => {
                tracing::error!(%error, "the credentials could not be looked up");
                None
            }
        }
    }

    /// Nobody to be for this call.
    pub(super) async fn without_identity(&self, piece: Piece, ended: &mut Ended) {
        match &piece.what {
            What::Call(claimed) if claimed.call.identity == Identity::App => {
                ended.notes.push(Note::Park {
                    bot: claimed.call.bot,
                    of_bot: false,
                    label: Class::Identity.label(),
                    reason: "not installed".to_owned(),
                });
                ended.free.extend(piece.lane());
            }
            What::Call(claimed) => {
                let detail = "no bot_token with incoming_webhook, and no live token came with an event";
                ended.notes.push(Note::Settled(claimed.id));
                match self.bury(claimed, DeadQueue::Calls, "no_identity", detail).await {
                    Ok(()) | Err(StoreError::Gone) => ended.free.extend(piece.lane()),
                    Err(error) => stuck(&piece, &error),
                }
            }
            What::Errand(_) => reply_to(piece, Err(AskError::NoIdentity)),
            What::Probe(probe) => {
                let fault = Fault::coded("no_identity", "", 401);
                ended.notes.push(Note::Probed(probe.clone(), Err(fault)));
            }
        }
    }

    /// It did not leave after all.
    pub(super) async fn unsent(&self, piece: Piece, ended: &mut Ended) {
        match &piece.what {
            What::Call(claimed) => match self.release(claimed).await {
                Ok(()) | Err(StoreError::Gone) => ended.free.extend(piece.lane()),
                Err(error) => stuck(&piece, &error),
            },
            What::Errand(_) => ended.notes.push(Note::Back(piece)),
            What::Probe(probe) => {
                let fault = Fault::coded("QUERY_LIMIT_EXCEEDED", "", 503);
                ended.notes.push(Note::Probed(probe.clone(), Err(fault)));
            }
        }
    }

    /// Too old to be sent.
    pub(super) async fn expire(&self, claimed: ClaimedCall) -> Ended {
        let piece = Piece::call(claimed, false);
        let mut ended = Ended {
            request: false,
            ..Ended::new(piece.who)
        };
        if let What::Call(claimed) = &piece.what {
            ended.notes.push(Note::Settled(claimed.id));
            let detail = "not sent within deliver.max_age";
            match self.bury(claimed, DeadQueue::Calls, EXPIRED, detail).await {
                Ok(()) | Err(StoreError::Gone) => ended.free.extend(piece.lane()),
                Err(error) => stuck(&piece, &error),
            }
        }
        ended
    }

    /// A doubted call whose identity was found good (it is buried) or refused (it waits).
    pub(super) async fn resolve(&self, claimed: ClaimedCall, fault: Fault, sound: bool) -> Ended {
        let piece = Piece::call(claimed, false);
        let mut ended = Ended {
            request: false,
            ..Ended::new(piece.who)
        };
        if let What::Call(claimed) = &piece.what {
            let done = if sound {
                ended.notes.push(Note::Settled(claimed.id));
                self.bury(claimed, DeadQueue::Calls, &fault.code, &fault.to_string())
                    .await
            } else {
                self.release(claimed).await
            };
            match done {
                Ok(()) | Err(StoreError::Gone) => ended.free.extend(piece.lane()),
                Err(error) => stuck(&piece, &error),
            }
        }
        ended
    }

    /// Surely not carried out, and ready again at once. Where a record of the attempt was made, it is taken back.
    async fn release(&self, claimed: &ClaimedCall) -> Result<(), StoreError> {
        if claimed.call.unknown == Unknown::Repeat {
            return Ok(());
        }
        let now = self.clock.now();
        self.store.retry_call(claimed.id, waiting(claimed, now, now)).await
    }

    async fn bury(
        &self,
        claimed: &ClaimedCall,
        queue: DeadQueue,
        reason: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        tracing::error!(
            reason, detail, call_id = claimed.id.0, bot = claimed.call.bot, dialog = %claimed.call.dialog,
            method = %claimed.call.method, "call {} went to the dead letters: see `imbot dead-letters list`", claimed.id
        );
        self.store.bury_call(claimed.id, queue, reason, detail).await
    }
}

/// The call's line in the ledger.
fn note_failure(site: &Site, claimed: &ClaimedCall, fault: &Fault) {
    let ledger = if fault.executed == Executed::Unknown {
        "unknown"
    } else {
        "failed"
    };
    tracing::warn!(
        ledger, %fault, class = fault.class.label(), call_id = claimed.id.0, portal = %site.name,
        bot = claimed.call.bot, dialog = %claimed.call.dialog, method = %claimed.call.method,
        attempts = claimed.attempts + 1, "call {} failed", claimed.id
    );
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

/// All of them at once, on this task.
async fn join_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, done) in futures.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            match future.as_mut().poll(context) {
                std::task::Poll::Ready(value) => *done = Some(value),
                std::task::Poll::Pending => pending = true,
            }
        }
        if pending {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    done.into_iter().flatten().collect()
}
