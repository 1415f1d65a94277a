//! What others ask the store to do: each verb hands its operation to the writer and waits for the commit.

use super::inbox::weight;
#[cfg(test)]
use super::records::NewCall;
use super::records::{Completion, DeadQueue, Enqueued, NewEvent, Retry, STORE_FULL};
use super::writer::{Change, Op};
use super::{Ack, Portal, ROOM_KIB, Store, StoreError, unpoisoned};
use crate::types::{CallId, EventId, PortalId};
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

    /// Queues calls that no event caused, in this order.
    #[cfg(test)]
    pub(crate) async fn queue_calls(&self, calls: Vec<NewCall>) -> Result<(), StoreError> {
        self.change(Change::QueueCalls(calls)).await
    }

    /// Records that an attempt is about to be made; wait for it before making a call with `Unknown::Stop`.
    pub(crate) async fn call_started(&self, id: CallId) -> Result<(), StoreError> {
        self.change(Change::CallStarted(id)).await
    }

    /// The portal has carried it out.
    pub(crate) async fn complete_call(&self, id: CallId) -> Result<(), StoreError> {
        self.change(Change::CompleteCall(id)).await
    }

    /// Leaves a call for a later attempt. The attempt before is known not to have been carried out, or may be repeated.
    pub(crate) async fn retry_call(&self, id: CallId, retry: Retry) -> Result<(), StoreError> {
        self.change(Change::RetryCall(id, retry)).await
    }

    /// Gives a call up. Counts as one more attempt, unless the reason is [`EXPIRED`](super::EXPIRED).
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

    async fn send(&self, op: Op) -> Result<(), StoreError> {
        self.0.ops.send(op).await.map_err(|_| self.silent())
    }

    /// Why the writer did not answer.
    fn silent(&self) -> StoreError {
        if *self.0.shared.failed.borrow() {
            StoreError::Failed
        } else {
            StoreError::Closed
        }
    }
}
