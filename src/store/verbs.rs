//! What others ask the store to do: each verb hands its operation to the writer and waits for the commit.

use super::endings::Kept;
use super::inbox::weight;
use super::records::{Budget, Completion, DeadQueue, Enqueued, KeyedCall, NewEvent, Queueing, Retry, STORE_FULL};
use super::writer::{Change, Op};
use super::{Ack, Portal, ROOM_KIB, Store, StoreError, unpoisoned};
use crate::types::{CallId, EventId, PortalId};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

impl Store {
    /// Stores an event, once. When this returns it has survived what the ack mode says. Waits while the writer has
    /// its hands full; dropping the future before it returns may leave the event stored.
    pub(crate) async fn enqueue(&self, event: NewEvent) -> Result<Enqueued, StoreError> {
        let inner = &self.0;
        let kib = usize::try_from(weight(&event) / 1024 + 1)
            .unwrap_or(ROOM_KIB)
            .min(ROOM_KIB);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let room = Arc::clone(&inner.room).acquire_many_owned(kib).await;
        let room = room.map_err(|_| StoreError::Closed)?;
        if inner.ack == Ack::Memory {
            if *inner.shared.failed.borrow() {
                return Err(StoreError::Failed);
            }
            if inner.shared.used.load(Ordering::Relaxed) >= inner.limits.max_bytes {
                self.record_gap(event.portal, STORE_FULL).await?;
                return Err(StoreError::Full);
            }
            let reply = None;
            self.send(Op::Enqueue { event, reply, room }).await?;
            return Ok(Enqueued::Taken);
        }
        let (reply, answer) = oneshot::channel();
        let reply = Some(reply);
        self.send(Op::Enqueue { event, reply, room }).await?;
        answer.await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Ends an event: one commit takes it out, queues its calls in their order, and changes its memory.
    pub(crate) async fn complete_event(&self, end: Completion) -> Result<(), StoreError> {
        self.change(Change::CompleteEvent(Box::new(end))).await
    }

    /// Leaves an event for a later attempt.
    pub(crate) async fn retry_event(&self, id: EventId, retry: Retry) -> Result<(), StoreError> {
        self.change(Change::RetryEvent(id, retry)).await
    }

    /// Gives an event up: it becomes a dead letter of queue `events`. Counts as one more attempt.
    pub(crate) async fn bury_event(&self, id: EventId, reason: &str, detail: &str) -> Result<(), StoreError> {
        self.change(Change::BuryEvent(id, reason.to_owned(), detail.to_owned()))
            .await
    }

    /// Queues calls that no event caused, in this order and in one commit. One answer a call, in their order. A call
    /// whose key is known is not queued again.
    ///
    /// # Errors
    /// `Full`: then none of them was queued.
    pub(crate) async fn queue_calls(&self, calls: Vec<KeyedCall>) -> Result<Vec<Queueing>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Op::Queue { calls, reply }).await?;
        answer.await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Records that an attempt is about to be made; wait for it before making a call with `Unknown::Stop`.
    pub(crate) async fn call_started(&self, id: CallId) -> Result<(), StoreError> {
        self.change(Change::CallStarted(id)).await
    }

    /// The portal has carried it out, and `result` is its answer: whoever asked to hear of it gets that as an event,
    /// without credentials and one-time links.
    pub(crate) async fn complete_call(&self, id: CallId, result: &Value) -> Result<(), StoreError> {
        self.change(Change::CompleteCall(id, Kept::of(result))).await
    }

    /// The portal denied access to it: a call that has a fallback becomes that, once, and is ready at once. False: it has
    /// none, and nothing was changed.
    pub(crate) async fn fall_back_call(&self, id: CallId) -> Result<bool, StoreError> {
        match self.change(Change::FallBackCall(id)).await {
            Ok(()) => Ok(true),
            Err(StoreError::Gone) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Leaves a call for a later attempt. The attempt before is known not to have been carried out, or may be repeated.
    pub(crate) async fn retry_call(&self, id: CallId, retry: Retry) -> Result<(), StoreError> {
        self.change(Change::RetryCall(id, retry)).await
    }

    /// Gives a call up, and with it the parts of its text behind it (`earlier_part_failed`); whoever asked to hear of
    /// them gets an event. Counts as one more attempt, unless the reason is [`EXPIRED`](super::EXPIRED).
    pub(crate) async fn bury_call(
        &self,
        id: CallId,
        queue: DeadQueue,
        reason: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        self.change(Change::BuryCall(id, queue, reason.to_owned(), detail.to_owned()))
            .await
    }

    /// Keeps what is known of the request counters of REST hosts, replacing what was known of each.
    pub(crate) async fn keep_budgets(&self, budgets: Vec<Budget>) -> Result<(), StoreError> {
        self.change(Change::Budgets(budgets)).await
    }

    /// Counts an event that was refused and will not come again.
    pub(crate) async fn record_gap(&self, portal: PortalId, reason: &str) -> Result<(), StoreError> {
        self.change(Change::Gap(portal, reason.to_owned())).await
    }

    /// Binds a portal to its `member_id`, for good.
    pub(crate) async fn pin_member(&self, portal: PortalId, member: &str) -> Result<(), StoreError> {
        self.change(Change::PinMember(portal, member.to_owned())).await?;
        if let Some(known) = unpoisoned(&self.0.portals).get_mut(&portal) {
            known.member = Some(member.to_owned());
        }
        Ok(())
    }

    /// Numbers of the portals of these names; a name keeps its number for the life of the folder. For the start of
    /// the program: blocks for one commit.
    pub(crate) fn register_portals(&self, names: &[&str]) -> Result<Vec<PortalId>, StoreError> {
        let (reply, answer) = std::sync::mpsc::channel();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let op = Op::Portals(names.clone(), reply);
        self.0.ops.try_send(op).map_err(|_| self.silent())?;
        let ids = answer.recv().map_err(|_| self.silent())?;
        let mut known = unpoisoned(&self.0.portals);
        for (id, name) in ids.iter().zip(names) {
            known.entry(*id).or_insert(Portal { name, member: None });
        }
        Ok(ids)
    }

    /// Writes everything taken so far, empties the log into the database and lets the folder go. Later verbs answer
    /// `Closed`.
    pub(crate) async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.0.ops.send(Op::Stop(reply)).await.is_ok() {
            // The writer answers when it is done, or is already gone.
            let _ = done.await;
        }
    }

    pub(super) async fn change(&self, change: Change) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Op::Change { change, reply }).await?;
        answer.await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Hands all in before it waits for the first, so that they share a commit.
    pub(super) async fn change_all(&self, changes: Vec<Change>) -> Vec<Result<(), StoreError>> {
        let mut waiting = Vec::with_capacity(changes.len());
        for change in changes {
            let (reply, answer) = oneshot::channel();
            let sent = self.send(Op::Change { change, reply }).await;
            waiting.push(sent.map(|()| answer));
        }
        let mut answers = Vec::with_capacity(waiting.len());
        for sent in waiting {
            answers.push(match sent {
                Ok(answer) => answer.await.unwrap_or_else(|_| Err(self.silent())),
                Err(error) => Err(error),
            });
        }
        answers
    }

    pub(super) async fn send(&self, op: Op) -> Result<(), StoreError> {
        self.0.ops.send(op).await.map_err(|_| self.silent())
    }

    /// Why the writer did not answer.
    pub(super) fn silent(&self) -> StoreError {
        if *self.0.shared.failed.borrow() {
            StoreError::Failed
        } else {
            StoreError::Closed
        }
    }
}
