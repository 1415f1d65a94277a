//! The event sender: posts form bodies to the bots' addresses, each once, whatever the answer. Builds none.

use super::event_fault::Sending;
use super::shared::Shared;
use super::spoil;
use crate::types::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// How many deliveries the portal remembers.
const KEPT: usize = 10_000;
/// A bot that answers later than this is not waited for. Not documented by Bitrix24.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first pause after a slow answer; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How long the sender leaves bots with slow handlers alone.
#[derive(Debug, Default)]
pub(super) struct Pauses(HashMap<i64, Pause>);

#[derive(Debug)]
struct Pause {
    until: Timestamp,
    length: Duration,
}

impl Pauses {
    /// When the bot may get its next event.
    pub(super) fn until(&self, bot: i64) -> Option<Timestamp> {
        self.0.get(&bot).map(|pause| pause.until)
    }

    /// A handler answered: slowly makes the pause longer, in time ends it.
    fn answered(&mut self, bot: i64, slow: bool, now: Timestamp) {
        if !slow {
            self.0.remove(&bot);
            return;
        }
        let before = self.0.get(&bot).map_or(Duration::ZERO, |pause| pause.length);
        let length = (before * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        let until = now + length;
        self.0.insert(bot, Pause { until, length });
    }
}

/// An event on its way.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) bot_id: i64,
    pub(super) event: &'static str,
    pub(super) url: Option<String>,
    pub(super) body: Vec<u8>,
}

/// An event that was sent, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The bot it was for.
    pub bot_id: i64,
    /// When it was sent.
    pub at: Timestamp,
    /// Its name, for example `ONIMBOTV2MESSAGEADD`.
    pub event: &'static str,
    /// Where it went; `None`: nowhere, the bot has no address.
    pub url: Option<String>,
    /// The form body, byte for byte.
    pub body: Vec<u8>,
    /// The status of the answer; `None`: no answer, or the bot has no address.
    pub status: Option<u16>,
    /// The body of the answer. A real portal does not read it.
    pub answer: String,
    /// How long the answer took, by the portal's clock.
    pub took: Duration,
}

/// What was said, and the events it raised: one for each bot that hears it, none if no bot does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The message.
    pub message_id: i64,
    /// The events, in the order they were sent.
    pub deliveries: Vec<Delivery>,
}

impl Sent {
    /// The status of the first event's answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.deliveries.first().and_then(|delivery| delivery.status)
    }

    /// The form body of the first event; empty if there was none. Post it again to make a duplicate.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.deliveries.first().map_or(&[], |delivery| delivery.body.as_slice())
    }
}

/// The client of the event sender. Follows no redirect, keeps no connection, reads no proxy settings.
pub(super) fn client() -> std::io::Result<reqwest::Client> {
    // Fails only if somebody installed a provider before: that one does as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent("Bitrix24 Webhook Engine")
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .timeout(PATIENCE)
        .no_proxy()
        .http1_only()
        .build()
        .map_err(std::io::Error::other)
}

impl Shared {
    /// Sends events one after another and records what came of each.
    pub(super) async fn deliver(&self, events: Vec<Outgoing>) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(events.len());
        for event in events {
            let mut sendings = Vec::new();
            {
                let mut state = self.state();
                let copies = state.portal.copies(&event);
                for event in std::iter::once(event).chain(copies) {
                    sendings.extend(state.event_faults.strike(event));
                }
            }
            for mut sending in sendings {
                sending.delay += self.state().delay();
                let delivery = self.send(sending).await;
                let mut state = self.state();
                if state.deliveries.len() >= KEPT {
                    state.deliveries.pop_front();
                }
                state.deliveries.push_back(delivery.clone());
                state.delivered += 1;
                drop(state);
                deliveries.push(delivery);
            }
        }
        deliveries
    }

    async fn send(&self, sending: Sending) -> Delivery {
        let clock = &self.config.clock;
        if !sending.delay.is_zero() {
            clock.sleep(sending.delay).await;
        }
        let bot = sending.event.bot_id;
        let until = self.state().pauses.until(bot);
        if let Some(until) = until {
            clock.sleep_until(until).await;
        }
        let start = clock.now();
        let (status, answer) = match &sending.event.url {
            Some(url) => self.post(url, &sending).await,
            None => (None, String::new()),
        };
        let took = clock.now().since(start);
        let mut state = self.state();
        let slow = took > state.portal.knobs.slow_handler;
        state.pauses.answered(bot, slow, clock.now());
        drop(state);
        let event = sending.event;
        Delivery {
            bot_id: bot,
            at: start,
            event: event.event,
            url: event.url,
            body: event.body,
            status,
            answer,
            took,
        }
    }

    async fn post(&self, url: &str, sending: &Sending) -> (Option<u16>, String) {
        let bytes = sending.event.body.clone();
        let body = match sending.pause {
            Some(pause) => reqwest::Body::wrap(spoil::Slow::new(bytes, pause, self.config.clock.clone())),
            None => reqwest::Body::from(bytes),
        };
        let request = self
            .client
            .post(url)
            .header("Content-Type", sending.media)
            .header("Accept-Encoding", "gzip")
            .header("Connection", "close")
            .body(body);
        match request.send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                (Some(status), answer.text().await.unwrap_or_default())
            }
            Err(_) => (None, String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_a_handler_is_slow_and_end_when_it_is_not() {
        let mut pauses = Pauses::default();
        let lengths: Vec<_> = (0..8)
            .map(|_| {
                pauses.answered(1, true, Timestamp(0));
                pauses.until(1).unwrap().0 / 1000
            })
            .collect();
        assert_eq!(lengths, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(pauses.until(2), None);
        pauses.answered(1, false, Timestamp(0));
        assert_eq!(pauses.until(1), None);
    }
}
