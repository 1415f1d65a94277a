//! What others ask the store: claims, dead letters, counts, wake-ups. Reads happen off the async threads.

use super::lanes::{Head, Want};
use super::reader::Reader;
use super::records::{Claim, ClaimedCall, ClaimedEvent, Counts, DeadLetter, DeadQueue, Gap};
use super::{Store, StoreError, schema, unpoisoned};
use crate::types::{Lane, PortalId, Secret, Timestamp};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{Notify, watch};

impl Store {
    /// Events to be handled now: at most one a lane, none of a `busy` lane, portals taking turns. They stay in the
    /// store; keep their lanes in `busy` until the call that ends the attempt has returned.
    pub(crate) async fn claim_events(
        &self,
        busy: &HashSet<Lane>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Claim<ClaimedEvent>, StoreError> {
        let want = want(None, busy, limit, now);
        let (heads, next_due) = self.next(0, &want);
        if heads.is_empty() {
            return Ok(Claim {
                items: Vec::new(),
                next_due,
            });
        }
        let items = self.read(move |reader| reader.events(&heads)).await?;
        Ok(Claim { items, next_due })
    }

    /// Calls of these portals to be made now; otherwise as [`claim_events`](Self::claim_events).
    pub(crate) async fn claim_calls(
        &self,
        portals: &[PortalId],
        busy: &HashSet<Lane>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Claim<ClaimedCall>, StoreError> {
        let want = want(Some(portals), busy, limit, now);
        let (heads, next_due) = self.next(1, &want);
        if heads.is_empty() {
            return Ok(Claim {
                items: Vec::new(),
                next_due,
            });
        }
        let items = self.read(move |reader| reader.calls(&heads)).await?;
        Ok(Claim { items, next_due })
    }

    /// From memory: who is next, and if that is not all that was asked for, when there will be more.
    fn next(&self, queue: usize, want: &Want) -> (Vec<Head>, Option<Timestamp>) {
        let mut lanes = unpoisoned(&self.0.shared.lanes[queue]);
        let heads = lanes.claim(want);
        let more = if heads.len() < want.limit {
            lanes.next_due(want)
        } else {
            None
        };
        (heads, more.map(Timestamp))
    }

    /// The token that came last for a bot and is still kept, with an event or a call.
    pub(crate) async fn newest_token(&self, portal: PortalId, bot: i64) -> Result<Option<Secret>, StoreError> {
        self.read(move |reader| reader.newest_token(portal, bot)).await
    }

    /// The newest dead letters first.
    pub(crate) async fn dead_letters(
        &self,
        queue: Option<DeadQueue>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.read(move |reader| reader.dead_letters(queue, limit)).await
    }

    /// One dead letter.
    pub(crate) async fn dead_letter(&self, id: i64) -> Result<Option<DeadLetter>, StoreError> {
        self.read(move |reader| reader.dead_letter(id)).await
    }

    /// What was refused and will not come again.
    pub(crate) async fn gaps(&self) -> Result<Vec<Gap>, StoreError> {
        self.read(|reader| reader.gaps()).await
    }

    /// As of the last commit. Cheap: two look-ups and two file sizes.
    pub(crate) async fn counts(&self) -> Result<Counts, StoreError> {
        let tally = *unpoisoned(&self.0.shared.tally);
        let folder = self.0.folder.clone();
        let ([oldest_event, oldest_call], bytes) = self
            .read(move |reader| Ok((reader.oldest()?, schema::bytes(&folder))))
            .await?;
        Ok(Counts {
            accepted: tally.accepted.unsigned_abs(),
            done: tally.done.unsigned_abs(),
            ignored: tally.ignored.unsigned_abs(),
            dead: tally.dead.unsigned_abs(),
            pending_events: tally.events.unsigned_abs(),
            pending_calls: tally.calls.unsigned_abs(),
            delivered: tally.delivered.unsigned_abs(),
            oldest_event,
            oldest_call,
            letters: tally.letters.map(i64::unsigned_abs),
            bytes,
        })
    }

    /// Rings after a commit that changed the inbox. For one waiter, which registers before it looks.
    pub(crate) fn events_ready(&self) -> &Notify {
        &self.0.shared.ready[0]
    }

    /// Rings after a commit that changed the outbox. For one waiter, which registers before it looks.
    pub(crate) fn calls_ready(&self) -> &Notify {
        &self.0.shared.ready[1]
    }

    /// Grows with each commit that changes the inbox, before the replies of that commit.
    pub(crate) fn events_generation(&self) -> u64 {
        self.0.shared.generation[0].load(Ordering::Acquire)
    }

    /// Grows with each commit that changes the outbox, before the replies of that commit.
    pub(crate) fn calls_generation(&self) -> u64 {
        self.0.shared.generation[1].load(Ordering::Acquire)
    }

    /// Turns true when the store has failed for good: be no longer ready, and end with a code of its own.
    pub(crate) fn failed(&self) -> watch::Receiver<bool> {
        self.0.shared.failed.subscribe()
    }

    /// The folder's own random bytes, made with it.
    pub(crate) fn salt(&self) -> [u8; 16] {
        self.0.salt
    }

    /// The `member_id` a portal is bound to.
    pub(crate) fn pinned_member(&self, portal: PortalId) -> Option<String> {
        unpoisoned(&self.0.portals).get(&portal)?.member.clone()
    }

    /// The name a portal was registered under.
    pub(crate) fn portal_name(&self, portal: PortalId) -> Option<String> {
        unpoisoned(&self.0.portals).get(&portal).map(|known| known.name.clone())
    }

    /// Tells other processes, through the lock file, where this one listens for commands.
    pub(crate) fn set_owner_note(&self, admin: &str) -> std::io::Result<()> {
        self.0.lock.upgrade().map_or(Ok(()), |lock| lock.note(Some(admin)))
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reader = Arc::clone(&self.0.reader);
        let found = tokio::task::spawn_blocking(move || read(&mut unpoisoned(&reader))).await;
        match found {
            Ok(found) => found.map_err(|e| StoreError::Read(e.to_string())),
            Err(e) => Err(StoreError::Read(e.to_string())),
        }
    }
}

fn want(portals: Option<&[PortalId]>, busy: &HashSet<Lane>, limit: usize, now: Timestamp) -> Want {
    Want {
        portals: portals.map(|portals| portals.iter().map(|portal| portal.0).collect()),
        busy: busy.clone(),
        limit,
        now: now.0,
    }
}
