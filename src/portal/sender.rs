//! The event sender: posts form bodies to the bots' addresses, each once, whatever the answer. Builds none.

use super::shared::Shared;
use std::time::Duration;

/// How many deliveries the portal remembers.
const KEPT: usize = 10_000;
/// A bot that answers later than this is not waited for. Not documented by Bitrix24.
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// Its name, for example `ONIMBOTV2MESSAGEADD`.
    pub event: &'static str,
    /// The form body, byte for byte.
    pub body: Vec<u8>,
    /// The status of the answer; `None`: no answer, or the bot has no address.
    pub status: Option<u16>,
    /// The body of the answer. A real portal does not read it.
    pub answer: String,
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
            let (status, answer) = match &event.url {
                Some(url) => self.post(url, event.body.clone()).await,
                None => (None, String::new()),
            };
            deliveries.push(Delivery {
                bot_id: event.bot_id,
                event: event.event,
                body: event.body,
                status,
                answer,
            });
        }
        let mut state = self.state();
        state.deliveries.extend(deliveries.iter().cloned());
        let surplus = state.deliveries.len().saturating_sub(KEPT);
        state.deliveries.drain(..surplus);
        drop(state);
        deliveries
    }

    async fn post(&self, url: &str, body: Vec<u8>) -> (Option<u16>, String) {
        let request = self
            .client
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
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
