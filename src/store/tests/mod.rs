//! The store on a real disk, with a clock that tests move. Here: what the tests share.

mod changes;
mod claims;
mod counts;
mod crash;
mod endings;
mod entering;
mod installs;
mod letters;
mod owner;
mod pauses;
mod secrets;
mod twins;
mod upgrade;
mod urgency;

use super::*;
use crate::types::{CallId, Clock, EventId, Lane, PortalId, Priority, Timestamp};
use serde_json::json;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// A store in a folder of its own with portals `a` and `b`.
struct Shop {
    dir: TempDir,
    clock: Clock,
    options: Options,
    store: Store,
    a: PortalId,
    b: PortalId,
}

fn shop() -> Shop {
    shop_with(|_| {})
}

fn shop_with(change: impl FnOnce(&mut Options)) -> Shop {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(1_700_000_000_000));
    let mut options = Options::new(clock.clone());
    change(&mut options);
    let store = Store::open(dir.path(), options.clone()).unwrap();
    let portals = store.register_portals(&["a", "b"]).unwrap();
    Shop {
        dir,
        clock,
        options,
        store,
        a: portals[0],
        b: portals[1],
    }
}

impl Shop {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn event(&self, portal: PortalId, dialog: &str, key: Option<&str>) -> NewEvent {
        NewEvent {
            portal,
            bot: 456,
            lane: Lane::of(portal, 456, dialog),
            dialog: dialog.to_owned(),
            name: "ONIMBOTV2MESSAGEADD".to_owned(),
            key: key.map(|key| key.as_bytes().to_vec().into()),
            received: self.now(),
            format: Format::Form,
            body: b"event=ONIMBOTV2MESSAGEADD".to_vec(),
            token: None,
            quarantine: None,
        }
    }

    async fn put(&self, portal: PortalId, dialog: &str) -> EventId {
        match self.store.enqueue(self.event(portal, dialog, None)).await.unwrap() {
            Enqueued::Stored(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn call(&self, portal: PortalId, dialog: &str, text: &str) -> NewCall {
        NewCall {
            portal,
            bot: 456,
            lane: Lane::of(portal, 456, dialog),
            dialog: dialog.to_owned(),
            method: "imbot.v2.Chat.Message.send".to_owned(),
            params: format!("{{\"text\":\"{text}\"}}"),
            template: None,
            identity: Identity::Webhook,
            token: None,
            unknown: Unknown::Repeat,
            priority: Priority::Interactive,
            event: None,
            received: self.now(),
            expires: self.now() + Duration::from_secs(3600),
            ties: Ties::default(),
        }
    }

    async fn claim(&self, limit: usize) -> Vec<ClaimedEvent> {
        self.claim_but(&[], limit).await
    }

    async fn claim_but(&self, busy: &[Lane], limit: usize) -> Vec<ClaimedEvent> {
        let busy = busy.iter().copied().collect();
        self.store.claim_events(&busy, limit, self.now()).await.unwrap().items
    }

    async fn calls(&self, limit: usize) -> Vec<ClaimedCall> {
        let (busy, except) = (HashSet::new(), HashSet::new());
        let waiting =
            [self.a, self.b].map(|portal| self.store.waiting_calls(portal, &busy, &except, limit, self.now()));
        let heads = waiting.into_iter().flat_map(|waiting| waiting.heads).flatten();
        self.store.read_calls(heads.take(limit).collect()).await.unwrap()
    }

    async fn done(&self, id: EventId, calls: Vec<NewCall>) {
        self.store.complete_event(end(id, calls)).await.unwrap();
    }

    fn retry(&self, due: u64, hold: u64) -> Retry {
        Retry {
            due: self.now() + Duration::from_secs(due),
            hold_until: self.now() + Duration::from_secs(hold),
            first_failed: self.now(),
        }
    }

    async fn reopen(self) -> Self {
        self.store.close().await;
        let store = Store::open(self.dir.path(), self.options.clone()).unwrap();
        Self { store, ..self }
    }

    /// The folder as a crash at this moment would leave it: copied while the store is open.
    fn crashed(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(self.dir.path(), dir.path());
        let store = Store::open(dir.path(), self.options.clone()).unwrap();
        Self {
            dir,
            clock: self.clock.clone(),
            options: self.options.clone(),
            store,
            a: self.a,
            b: self.b,
        }
    }
}

fn keyless(calls: Vec<NewCall>) -> Vec<KeyedCall> {
    calls.into_iter().map(|call| KeyedCall { key: None, call }).collect()
}

fn end(id: EventId, calls: Vec<NewCall>) -> Completion {
    Completion {
        id,
        settled: Settled::Done,
        calls,
        memory: Memory::Keep,
        present: false,
    }
}

/// The database before its log, as a crash could not take one without the other.
fn copy(from: &Path, to: &Path) {
    for name in ["key", "imbot.db", "imbot.db-wal"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// Which files of a folder hold these bytes.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let content = fs::read(file.path()).unwrap();
        if content.windows(bytes.len()).any(|window| window == bytes) {
            found.push(file.file_name().into_string().unwrap());
        }
    }
    found
}

fn ids(events: &[ClaimedEvent]) -> Vec<i64> {
    events.iter().map(|event| event.id.0).collect()
}
