//! What the server and the handle share: configuration, the locked state, the log and the client that sends events.

use super::bucket::Buckets;
use super::config::PortalConfig;
use super::event_fault::EventFaults;
use super::fault::Faults;
use super::log::LogEntry;
use super::operating::Operating;
use super::sender::{Delivery, Outgoing, Pauses};
use super::state::State;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;

/// How far a slow reader of the live log may fall behind before it loses lines.
const LIVE_LINES: usize = 4096;

pub(super) struct Shared {
    pub(super) config: PortalConfig,
    pub(super) client: reqwest::Client,
    pub(super) live: broadcast::Sender<LogEntry>,
    state: Mutex<Locked>,
}

/// Everything that changes.
pub(super) struct Locked {
    pub(super) portal: State,
    pub(super) buckets: Buckets,
    pub(super) operating: Operating,
    pub(super) faults: Faults,
    pub(super) event_faults: EventFaults,
    pub(super) pauses: Pauses,
    pub(super) log: VecDeque<LogEntry>,
    pub(super) deliveries: VecDeque<Delivery>,
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
            log: VecDeque::new(),
            deliveries: VecDeque::new(),
        }
    }
}

impl Shared {
    pub(super) fn new(config: PortalConfig, client: reqwest::Client) -> Self {
        let state = Locked::new(&config);
        Self {
            config,
            client,
            live: broadcast::Sender::new(LIVE_LINES),
            state: Mutex::new(state),
        }
    }

    /// The state. A panic under the lock fails its own test; the others need not fail with it.
    pub(super) fn state(&self) -> MutexGuard<'_, Locked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn log(&self, entry: LogEntry) {
        let mut state = self.state();
        if state.log.len() >= self.config.log_limit {
            state.log.pop_front();
        }
        state.log.push_back(entry.clone());
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
        *state = Locked::new(&self.config);
        state.portal.standing.base = base;
    }

    /// Sends events in the background.
    pub(super) fn deliver_later(self: &Arc<Self>, events: Vec<Outgoing>) {
        if !events.is_empty() {
            let shared = Arc::clone(self);
            tokio::spawn(async move { shared.deliver(events).await });
        }
    }
}
