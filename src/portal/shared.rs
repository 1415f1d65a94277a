//! What the server and the handle share: configuration, the locked state, the log and the client that sends events.

use super::bucket::Buckets;
use super::config::PortalConfig;
use super::event::{Happening, Scene, body};
use super::fault::Faults;
use super::log::LogEntry;
use super::payload::Site;
use super::sender::{Delivery, Outgoing};
use super::state::State;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// How far a slow reader of the live log may fall behind before it loses lines.
const LIVE_LINES: usize = 4096;

pub(super) struct Shared {
    pub(super) config: PortalConfig,
    pub(super) site: Site,
    pub(super) client: reqwest::Client,
    pub(super) live: broadcast::Sender<LogEntry>,
    state: Mutex<Locked>,
}

/// Everything that changes.
pub(super) struct Locked {
    pub(super) portal: State,
    pub(super) buckets: Buckets,
    pub(super) faults: Faults,
    pub(super) log: VecDeque<LogEntry>,
    pub(super) deliveries: VecDeque<Delivery>,
}

impl Shared {
    pub(super) fn new(config: PortalConfig, client: reqwest::Client) -> Self {
        let site = Site {
            domain: config.host.clone(),
            client_endpoint: format!("https://{}/rest/", config.host),
            server_endpoint: "https://oauth.bitrix24.tech/rest/".to_owned(),
            member_id: config.member_id.clone(),
        };
        let state = Locked {
            portal: State::new(&config),
            buckets: Buckets::new(config.burst, config.rate, config.drain),
            faults: Faults::default(),
            log: VecDeque::new(),
            deliveries: VecDeque::new(),
        };
        Self {
            config,
            site,
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

    /// The event for one bot; `None` if there is no such bot.
    pub(super) fn compose(
        &self,
        state: &mut State,
        bot: i64,
        (chat, user): (Option<i64>, Option<i64>),
        happening: &Happening<'_>,
    ) -> Option<Outgoing> {
        let now = self.config.clock.now();
        let bot = state.bots.get(&bot)?.clone();
        let credentials = state.credentials(&bot.owner, bot.id, user, now);
        let scene = Scene {
            chat: chat.and_then(|id| state.chats.get(&id)),
            user: user.and_then(|id| state.users.get(&id)),
        };
        let head = (&self.site, self.config.language.as_str(), now.unix_seconds());
        Some(Outgoing {
            bot_id: bot.id,
            event: happening.event(),
            body: body(head, &bot, &credentials, &scene, happening),
            url: bot.webhook_url,
        })
    }

    /// The events by which other bots of a chat hear of a message that a bot posted there.
    pub(super) fn others_hear(&self, state: &mut Locked, posted: Option<i64>) -> Vec<Outgoing> {
        let state = &mut state.portal;
        let Some(message) = posted.and_then(|id| state.messages.get(&id)).cloned() else {
            return Vec::new();
        };
        let author = (message.author > 0).then_some(message.author);
        let mut out = Vec::new();
        for bot in state.hearers(&message) {
            let scene = (Some(message.chat), author);
            out.extend(self.compose(state, bot, scene, &Happening::MessageAdd(&message)));
        }
        out
    }

    /// Sends events in the background.
    pub(super) fn deliver_later(self: &Arc<Self>, events: Vec<Outgoing>) {
        if !events.is_empty() {
            let shared = Arc::clone(self);
            tokio::spawn(async move { shared.deliver(events).await });
        }
    }
}
