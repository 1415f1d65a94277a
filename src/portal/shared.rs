//! What the server and the handle share: configuration, the locked state, the log and the client that sends events.

use super::bucket::Buckets;
use super::config::PortalConfig;
use super::event_fault::EventFaults;
use super::fault::Faults;
use super::knobs::Dice;
use super::log::LogEntry;
use super::operating::Operating;
use super::sender::{Delivery, Outgoing, Pauses};
use super::state::State;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// How far a slow reader of the live log may fall behind before it loses lines.
const LIVE_LINES: usize = 4096;

pub(super) struct Shared {
    pub(super) config: PortalConfig,
    pub(super) client: reqwest::Client,
    pub(super) live: broadcast::Sender<LogEntry>,
    /// Steps on when the state may have changed. Only the chat page listens.
    pub(super) changes: watch::Sender<u64>,
    state: Mutex<Locked>,
}

/// The locked state. Who may have changed it says so when it is let go.
pub(super) struct Held<'a> {
    state: MutexGuard<'a, Locked>,
    changes: &'a watch::Sender<u64>,
    touched: bool,
}

impl Deref for Held<'_> {
    type Target = Locked;

    fn deref(&self) -> &Locked {
        &self.state
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Locked {
        self.touched = true;
        &mut self.state
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.touched && self.changes.receiver_count() > 0 {
            self.changes.send_modify(|step| *step = step.wrapping_add(1));
        }
    }
}

/// Everything that changes.
pub(super) struct Locked {
    pub(super) portal: State,
    pub(super) buckets: Buckets,
    pub(super) operating: Operating,
    pub(super) faults: Faults,
    pub(super) event_faults: EventFaults,
    pub(super) pauses: Pauses,
    pub(super) delays: Dice,
    pub(super) log: VecDeque<LogEntry>,
    /// How many entries the log has ever had: the number of its last one.
    pub(super) logged: u64,
    pub(super) deliveries: VecDeque<Delivery>,
    /// How many events were ever sent: the number of the last one.
    pub(super) delivered: u64,
}

/// The largest request counter of a plan that Bitrix24 sells.
const ENTERPRISE: u32 = 250;

impl Locked {
    fn new(config: &PortalConfig) -> Self {
        let sold = (config.burst <= ENTERPRISE).then_some(Duration::from_secs(480));
        let drain = config.knobs.drain.unwrap_or(config.drain);
        Self {
            portal: State::new(config),
            buckets: Buckets::new(config.burst, config.rate, drain),
            operating: Operating::new(config.operating_limit.or(sold), config.knobs.release),
            faults: Faults::new(0),
            event_faults: EventFaults::default(),
            pauses: Pauses::default(),
            delays: Dice(0),
            log: VecDeque::new(),
            logged: 0,
            deliveries: VecDeque::new(),
            delivered: 0,
        }
    }

    /// How long the next event waits before it is posted.
    pub(super) fn delay(&mut self) -> Duration {
        let most = self.portal.knobs.event_delay;
        if most.is_zero() {
            return most;
        }
        most.mul_f64(self.delays.share())
    }
}

impl Shared {
    pub(super) fn new(config: PortalConfig, client: reqwest::Client) -> Self {
        let state = Locked::new(&config);
        Self {
            config,
            client,
            live: broadcast::Sender::new(LIVE_LINES),
            changes: watch::Sender::new(0),
            state: Mutex::new(state),
        }
    }

    /// The state. A panic under the lock fails its own test; the others need not fail with it.
    pub(super) fn state(&self) -> Held<'_> {
        Held {
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            changes: &self.changes,
            touched: false,
        }
    }

    pub(super) fn log(&self, entry: LogEntry) {
        let mut state = self.state();
        if state.log.len() >= self.config.log_limit {
            state.log.pop_front();
        }
        state.log.push_back(entry.clone());
        state.logged += 1;
        drop(state);
        // Nobody listening is fine.
        let _ = self.live.send(entry);
    }

    /// What a call of a method costs, in milliseconds.
    pub(super) fn cost(&self, method: &str) -> u64 {
        let own = self
            .config
            .costs
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(method));
        own.map_or(80, |(_, cost)| u64::try_from(cost.as_millis()).unwrap_or(u64::MAX))
    }

    /// Everything as it was at the start; the address stays.
    pub(super) fn reset(&self) {
        let mut state = self.state();
        let base = std::mem::take(&mut state.portal.standing.base);
        let (logged, delivered) = (state.logged, state.delivered);
        let site = std::mem::take(&mut state.portal.site);
        *state = Locked::new(&self.config);
        // Numbers are never given twice, so who watches sees that everything is new.
        (state.logged, state.delivered) = (logged, delivered);
        state.portal.standing.base = base;
        if self.config.tells_address {
            state.portal.site = site;
        }
    }

    /// Sends events in the background.
    pub(super) fn deliver_later(self: &Arc<Self>, events: Vec<Outgoing>) {
        if !events.is_empty() {
            let shared = Arc::clone(self);
            tokio::spawn(async move { shared.deliver(events).await });
        }
    }
}
