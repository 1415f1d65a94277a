//! What others ask the store: claims, dead letters, counts, wake-ups. Reads happen off the async threads.

use super::lanes::Want;
use super::moves::{Head, LeftOut};
use super::reader::Reader;
use super::records::{Backlog, Budget, Claim, ClaimedCall, ClaimedEvent, Counts, DeadLetter, DeadQueue, Gap, Waiting};
use super::{Store, StoreError, schema, unpoisoned};
use crate::types::{Lane, PortalId, Secret, Timestamp};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{Notify, watch};

impl Store {
    /// Events to be handled now: at most one a lane, none of a `busy` lane, nothing of who is paused, portals taking turns. They stay in the
    /// store; keep their lanes in `busy` until the call that ends the attempt has returned.
    pub(crate) async fn claim_events(
        &self,
        busy: &HashSet<Lane>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Claim<ClaimedEvent>, StoreError> {
        let want = Want {
            busy,
            except: &LeftOut::new(),
            limit,
            now: now.0,
        };
        let (heads, next_due) = {
            let mut lanes = unpoisoned(&self.0.shared.lanes[0]);
            let heads = lanes.claim(&want);
            let more = (heads.len() < limit).then(|| lanes.next_due(None, &want)).flatten();
            (heads, more.map(Timestamp))
        };
        if heads.is_empty() {
            return Ok(Claim {
                items: Vec::new(),
                next_due,
            });
        }
        let items = self.read(move |reader| reader.events(&heads)).await?;
        Ok(Claim { items, next_due })
    }

    /// Which calls of a portal could be made now, from memory: at most one a lane and none of a busy lane. `except`
    /// names portals and bots to leave out. [`read_calls`](Self::read_calls) brings them; they stay in the store. Keep
    /// the lanes of those you make in `busy` until the call that ends the attempt has returned.
    pub(crate) fn waiting_calls(
        &self,
        portal: PortalId,
        busy: &HashSet<Lane>,
        except: &LeftOut,
        limit: usize,
        now: Timestamp,
    ) -> Waiting {
        let want = Want {
            busy,
            except,
            limit,
            now: now.0,
        };
        let lanes = unpoisoned(&self.0.shared.lanes[1]);
        Waiting {
            heads: lanes.heads(portal.0, &want),
            next_due: lanes.next_due(Some(portal.0), &want).map(Timestamp),
        }
    }

    /// The calls of these heads. One that is gone by now was not to be made.
    pub(crate) async fn read_calls(&self, heads: Vec<Head>) -> Result<Vec<ClaimedCall>, StoreError> {
        self.read(move |reader| reader.calls(&heads)).await
    }

    /// No call of these lanes is [waiting](Self::waiting_calls) before that moment, unless the lane changes.
    pub(crate) fn shelve_calls(&self, lanes: &[Lane], until: Timestamp) {
        let mut index = unpoisoned(&self.0.shared.lanes[1]);
        for lane in lanes {
            index.shelve(*lane, until.0);
        }
    }

    /// Whether any call of the lane is in the outbox.
    pub(crate) fn has_calls(&self, lane: Lane) -> bool {
        unpoisoned(&self.0.shared.lanes[1]).has(lane)
    }

    /// What is known of the request counters of these REST hosts.
    pub(crate) async fn budgets(&self) -> Result<Vec<Budget>, StoreError> {
        self.read(|reader| reader.budgets()).await
    }

    /// The token that came last for a bot and is still kept, with an event or a call.
    pub(crate) async fn newest_token(&self, portal: PortalId, bot: i64) -> Result<Option<Secret>, StoreError> {
        self.read(move |reader| reader.newest_token(portal, bot)).await
    }

    /// What waits for each bot. Over a connection of its own: with a long backlog it takes a while, and claims go on.
    pub(crate) async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        let folder = self.0.folder.clone();
        let read = move || super::backlog::read(&schema::reader(&folder)?);
        match tokio::task::spawn_blocking(read).await {
            Ok(found) => found.map_err(|e| StoreError::Read(e.to_string())),
            Err(e) => Err(StoreError::Read(e.to_string())),
        }
    }

    /// Whether the bot was seen in this group, by an event or by a message it sent there, and not denied access since.
    pub(crate) async fn is_present(&self, portal: PortalId, bot: i64, dialog: &str) -> Result<bool, StoreError> {
        let dialog = dialog.to_owned();
        self.read(move |reader| reader.is_present(portal, bot, &dialog)).await
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

    /// The portal of this name.
    pub(crate) fn portal_named(&self, name: &str) -> Option<PortalId> {
        let portals = unpoisoned(&self.0.portals);
        portals.iter().find(|(_, known)| known.name == name).map(|(id, _)| *id)
    }

    /// Every portal there ever was in this folder, by number.
    pub(crate) fn portal_names(&self) -> Vec<(PortalId, String)> {
        let portals = unpoisoned(&self.0.portals);
        let mut all: Vec<_> = portals.iter().map(|(id, known)| (*id, known.name.clone())).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    /// The name a portal was registered under.
    pub(crate) fn portal_name(&self, portal: PortalId) -> Option<String> {
        unpoisoned(&self.0.portals).get(&portal).map(|known| known.name.clone())
    }

    /// Tells other processes, through the lock file, where this one listens for commands.
    pub(crate) fn set_owner_note(&self, admin: &str) -> std::io::Result<()> {
        self.0.lock.upgrade().map_or(Ok(()), |lock| lock.note(Some(admin)))
    }

    pub(super) async fn read<T: Send + 'static>(
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
