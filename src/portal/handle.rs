//! The handle of a running portal: start, addresses, the log and what was posted. Other files of the room add to it
//! what people do (`people`, `bots`), faults (`switches`) and the curl line (`curl`).

use super::config::PortalConfig;
use super::error::PortalError;
use super::log::LogEntry;
use super::sender::{Delivery, client};
use super::server;
use super::shared::Shared;
use super::state::{ChatKind, Message, group_id, number};
use serde_json::Value;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running portal. Clones are handles of the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct Portal {
    shared: Arc<Shared>,
    address: SocketAddr,
    _running: Arc<DropGuard>,
}

/// A message as the portal keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct PostedMessage {
    /// Its id.
    pub id: i64,
    /// Its chat.
    pub chat_id: i64,
    /// Its author; 0 for a system message.
    pub author: i64,
    /// The bot that posted it, also where the author is 0; `None` for people.
    pub bot: Option<i64>,
    /// Its text, trimmed, and cut at 20,000 characters.
    pub text: String,
    /// Its buttons, each with the `BOT_ID` of its bot.
    pub keyboard: Vec<Value>,
    /// The `templateId` by which a repeat is recognised, if it counts as one.
    pub template: Option<String>,
    /// Whether it shows as a system message.
    pub system: bool,
    /// The message it replies to.
    pub reply_to: Option<i64>,
}

impl Portal {
    /// Starts a portal on the current tokio runtime.
    ///
    /// # Errors
    /// The address cannot be listened on, or the client that sends events cannot be built.
    pub async fn start(config: PortalConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(config, client()?));
        let stop = CancellationToken::new();
        tokio::spawn(server::accept(listener, Arc::clone(&shared), stop.clone()));
        Ok(Self {
            shared,
            address,
            _running: Arc::new(stop.drop_guard()),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The REST endpoint for OAuth identities: `http://ADDRESS/rest/`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}/rest/", self.address)
    }

    /// The REST endpoint of the incoming webhook, its secret included: `http://ADDRESS/rest/1/code/`.
    #[must_use]
    pub fn incoming_webhook(&self) -> String {
        let config = &self.shared.config;
        format!(
            "{}{}/{}/",
            self.endpoint(),
            config.webhook_user,
            config.webhook_code.expose()
        )
    }

    /// Sends this bot's events to another address from now on.
    ///
    /// # Errors
    /// There is no such bot.
    pub fn set_webhook_url(&self, bot_id: i64, url: &str) -> Result<(), PortalError> {
        let mut state = self.shared.state();
        let bot = state.portal.bots.get_mut(&bot_id);
        bot.ok_or(PortalError::UnknownBot(bot_id))?.webhook_url = Some(url.to_owned());
        Ok(())
    }

    /// The REST requests so far, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.state().log.iter().cloned().collect()
    }

    /// The REST requests from now on. A reader that falls far behind loses the oldest.
    #[must_use]
    pub fn live_log(&self) -> broadcast::Receiver<LogEntry> {
        self.shared.live.subscribe()
    }

    /// The events sent so far, oldest first (the last 10,000).
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.state().deliveries.iter().cloned().collect()
    }

    /// The messages of a dialog in the order they were posted: of the group `chatN`, or of all private chats of the
    /// user (or bot) with this number.
    #[must_use]
    pub fn messages(&self, dialog: &str) -> Vec<PostedMessage> {
        let state = self.shared.state();
        let chats = &state.portal.chats;
        let of_dialog = |message: &&Message| {
            let chat = chats.get(&message.chat);
            chat.is_some_and(|chat| match chat.kind {
                ChatKind::Group { .. } => group_id(dialog) == Some(chat.id),
                ChatKind::Private => number(dialog).is_some_and(|user| chat.members.contains(&user)),
            })
        };
        state
            .portal
            .messages
            .values()
            .filter(of_dialog)
            .map(PostedMessage::from)
            .collect()
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// The address only: the state holds access tokens.
impl fmt::Debug for Portal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Portal")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl From<&Message> for PostedMessage {
    fn from(message: &Message) -> Self {
        Self {
            id: message.id,
            chat_id: message.chat,
            author: message.author,
            bot: message.bot,
            text: message.text.clone(),
            keyboard: message.keyboard.clone(),
            template: message.template.clone(),
            system: message.system,
            reply_to: message.reply_to,
        }
    }
}
