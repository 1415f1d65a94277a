//! The far end of the whole path: an emulated portal beside the generator, and which event each message there answers.
//! Owns how many events are under way.

use crate::Failed;
use crate::body::{BOT_ID, BOT_TOKEN, MEMBER_ID, number_in};
use crate::sample::{self, Latency, micros};
use imbot::portal::{BotSeed, Decision, LogEntry, Portal, PortalConfig};
use imbot::types::Clock;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{sleep, timeout};

/// The portal never refuses for its request counter: it is not what is measured.
pub(crate) const NO_LIMIT: u32 = 10_000_000;
/// All answers to a burst must be there after this.
const BURST_TIME: Duration = Duration::from_secs(90);

/// Where imbot's calls go, given the portal's address.
pub(crate) fn incoming_webhook(address: SocketAddr) -> String {
    format!("http://{address}/rest/1/demowebhookcode0/")
}

/// Replies as they come in.
pub(crate) struct Replies {
    seen: Rc<Seen>,
    window: usize,
    /// Kept: the portal stops when its last handle is dropped.
    _portal: Portal,
}

struct Seen {
    /// One permit for each event that may still be sent.
    room: Semaphore,
    sent: RefCell<HashMap<u64, Instant>>,
    answered: Cell<u64>,
    /// A reply makes no room for another event: a burst is so many and no more.
    bursting: Cell<bool>,
    measuring: Cell<bool>,
    latencies: RefCell<Vec<u32>>,
}

impl Replies {
    /// Starts the portal at this address.
    pub(crate) async fn at(listen: SocketAddr, window: usize) -> Result<Self, Failed> {
        let portal = Portal::start(PortalConfig {
            listen,
            member_id: MEMBER_ID.to_owned(),
            burst: NO_LIMIT,
            rate: NO_LIMIT,
            on_demand: true,
            log_limit: 1_000,
            // What is measured is imbot: no operating time slows the sending down.
            costs: Vec::new(),
            bots: vec![BotSeed::webhook(BOT_ID, "bench", BOT_TOKEN)],
            ..PortalConfig::new(Clock::system())
        })
        .await?;
        let seen = Rc::new(Seen {
            room: Semaphore::new(window),
            sent: RefCell::default(),
            answered: Cell::new(0),
            bursting: Cell::new(false),
            measuring: Cell::new(false),
            latencies: RefCell::default(),
        });
        tokio::task::spawn_local(watch(portal.live_log(), Rc::clone(&seen)));
        Ok(Self {
            seen,
            window,
            _portal: portal,
        })
    }

    /// Waits until another event may be under way.
    pub(crate) async fn may_send(&self) -> Option<()> {
        self.seen.room.acquire().await.ok()?.forget();
        Some(())
    }

    /// An event leaves.
    pub(crate) fn sent(&self, number: u64, at: Instant) {
        self.seen.sent.borrow_mut().insert(number, at);
    }

    /// Whether replies belong to the window.
    pub(crate) fn measure(&self, on: bool) {
        self.seen.measuring.set(on);
    }

    /// What the window saw; then lets the events under way end and sends a burst.
    pub(crate) async fn summary(&self, burst: u64, accepted: &Cell<u64>) -> Result<sample::Replies, Failed> {
        let latencies = self.seen.latencies.take();
        let mut summary = sample::Replies {
            events: latencies.len() as u64,
            latency: Latency::of(latencies),
            burst,
            ..sample::Replies::default()
        };
        // No new events: the room is taken until those under way have ended.
        let all = u32::try_from(self.window)?;
        timeout(BURST_TIME, self.seen.room.acquire_many(all))
            .await
            .map_err(|_| "events were never answered")??
            .forget();
        let (begin, from, answered) = (Instant::now(), accepted.get(), self.seen.answered.get());
        self.seen.bursting.set(true);
        self.seen.room.add_permits(usize::try_from(burst)?);
        while self.seen.answered.get() < answered + burst {
            if accepted.get() < from + burst {
                summary.burst_accepted = begin.elapsed().as_secs_f64();
            }
            if begin.elapsed() > BURST_TIME {
                let missing = answered + burst - self.seen.answered.get();
                return Err(format!(
                    "{missing} of {burst} events had no reply after {} s",
                    BURST_TIME.as_secs()
                )
                .into());
            }
            sleep(Duration::from_millis(2)).await;
        }
        summary.burst_answered = begin.elapsed().as_secs_f64();
        Ok(summary)
    }
}

async fn watch(mut log: Receiver<LogEntry>, seen: Rc<Seen>) {
    loop {
        match log.recv().await {
            Ok(entry) => seen.entry(&entry),
            // The generator and the portal are one thread; to fall behind means replies cannot be told apart any more.
            Err(RecvError::Lagged(lost)) => eprintln!("bench: {lost} replies were not seen; the figures are wrong"),
            Err(RecvError::Closed) => return,
        }
    }
}

impl Seen {
    fn entry(&self, entry: &LogEntry) {
        let posted = matches!(entry.decision, Decision::Executed { message_id: Some(_) });
        let number = entry.text().filter(|_| posted).and_then(number_in);
        let Some(sent) = number.and_then(|number| self.sent.borrow_mut().remove(&number)) else {
            eprintln!(
                "bench: the portal got a call that answers no event: {} {:?}",
                entry.method, entry.decision
            );
            return;
        };
        self.answered.set(self.answered.get() + 1);
        if self.measuring.get() {
            self.latencies.borrow_mut().push(micros(sent.elapsed()));
        }
        if !self.bursting.get() {
            self.room.add_permits(1);
        }
    }
}
