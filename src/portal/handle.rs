//! The handle of a running portal: start, addresses, the log and what was posted. Other files of the room add to it
//! what people do (`people`, `bots`), faults (`switches`) and the curl line (`curl`).

use super::apps::{App, Code, token};
use super::config::PortalConfig;
use super::control;
use super::error::PortalError;
use super::log::LogEntry;
use super::model::Message;
use super::page;
use super::sender::{Delivery, client};
use super::server::{self, Face};
use super::shared::Shared;
use super::state::{group_id, number};
use crate::types::{Clock, Secret};
use serde_json::Value;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running portal. Clones are handles of the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct Portal {
    shared: Arc<Shared>,
    address: SocketAddr,
    control: Option<SocketAddr>,
    authorisation: Option<SocketAddr>,
    /// None in the handles of the control API and the page, which must not keep the portal alive.
    _running: Option<Arc<DropGuard>>,
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
    /// Its blocks, as the bot gave them.
    pub attach: Option<Value>,
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
        let authorisation = bound(config.authorisation).await?;
        let control = bound(config.control).await?;
        let ticking = config.ticking;
        let shared = Arc::new(Shared::new(config, client()?));
        shared.state().portal.standing.base = format!("http://{address}");
        if shared.config.tells_address {
            let server = local(authorisation.as_ref())?.map_or(format!("{address}/oauth"), |own| own.to_string());
            let site = &mut shared.state().portal.site;
            site.domain = address.to_string();
            site.client_endpoint = format!("http://{address}/rest/");
            site.server_endpoint = format!("http://{server}/rest/");
        }
        let stop = CancellationToken::new();
        let mut portal = Self {
            shared: Arc::clone(&shared),
            address,
            control: local(control.as_ref())?,
            authorisation: local(authorisation.as_ref())?,
            _running: None,
        };
        let mut face = Face {
            shared: Arc::clone(&shared),
            authorisation: false,
            page: shared.config.page.then(|| page::router(portal.clone())),
        };
        tokio::spawn(server::accept(listener, face.clone(), stop.clone()));
        if let Some(listener) = authorisation {
            (face.authorisation, face.page) = (true, None);
            tokio::spawn(server::accept(listener, face, stop.clone()));
        }
        if let Some(listener) = control {
            tokio::spawn(control::serve(listener, portal.clone(), stop.clone()));
        }
        if ticking {
            tokio::spawn(tick(shared.config.clock.clone(), stop.clone()));
        }
        portal._running = Some(Arc::new(stop.drop_guard()));
        Ok(portal)
    }

    /// Where the control API listens, if it does.
    #[must_use]
    pub fn control_address(&self) -> Option<SocketAddr> {
        self.control
    }

    /// Where the authorisation server listens by itself, if it does.
    #[must_use]
    pub fn authorisation_address(&self) -> Option<SocketAddr> {
        self.authorisation
    }

    /// The clock of everything timed.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.config.clock
    }

    /// The secret of an application, for its token requests.
    #[must_use]
    pub fn client_secret(&self, client_id: &str) -> Option<Secret> {
        let state = self.shared.state();
        state.portal.apps.get(client_id).map(|app| app.client_secret.clone())
    }

    pub(super) fn application(&self, client_id: &str) -> Option<App> {
        self.shared.state().portal.apps.get(client_id).cloned()
    }

    /// A code that an application can exchange for tokens of this user within 30 seconds.
    #[must_use]
    pub fn authorisation_code(&self, client_id: &str, user: i64) -> String {
        let expires = self.clock().now() + Duration::from_secs(30);
        let mut state = self.shared.state();
        state.portal.minted += 1;
        let code = token(&format!("code {}", state.portal.minted), client_id, user);
        let record = Code {
            client_id: client_id.to_owned(),
            user,
            expires,
        };
        state.portal.codes.insert(code.clone(), record);
        code
    }

    /// Tokens of an application for this user, as an installation gives them: access and refresh.
    ///
    /// # Errors
    /// The application is not installed.
    pub fn tokens(&self, client_id: &str, user: i64) -> Result<(Secret, Secret), PortalError> {
        let now = self.clock().now();
        let mut state = self.shared.state();
        let app = state.portal.apps.get(client_id).map(App::seed);
        let app = app.ok_or_else(|| PortalError::UnknownApplication(client_id.to_owned()))?;
        let tokens = state.portal.mint(&app, user, now);
        Ok((Secret::new(tokens.access_token), Secret::new(tokens.refresh_token)))
    }

    /// Every access and refresh token that was ever given, to look for them where none may be.
    #[must_use]
    pub fn live_tokens(&self) -> Vec<String> {
        let state = self.shared.state();
        let portal = &state.portal;
        portal.tokens.keys().chain(portal.refreshes.keys()).cloned().collect()
    }

    /// Everything as it was at the start: state, log, faults. The addresses stay.
    pub fn reset_all(&self) {
        self.shared.reset();
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

    /// The chat page: `http://ADDRESS/`. Only there if [`PortalConfig::page`] says so.
    #[must_use]
    pub fn page(&self) -> String {
        format!("http://{}/", self.address)
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
            let here = chat.is_some_and(|chat| match chat.is_private() {
                false => group_id(dialog) == Some(chat.id),
                true => number(dialog).is_some_and(|user| chat.members.contains(&user)),
            });
            here && !message.deleted
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

async fn bound(address: Option<SocketAddr>) -> io::Result<Option<TcpListener>> {
    match address {
        Some(address) => TcpListener::bind(address).await.map(Some),
        None => Ok(None),
    }
}

fn local(listener: Option<&TcpListener>) -> io::Result<Option<SocketAddr>> {
    listener.map(TcpListener::local_addr).transpose()
}

/// Moves a manual clock along with real time, until the portal stops.
async fn tick(clock: Clock, stop: CancellationToken) {
    let real = Clock::system();
    let mut last = real.now();
    // The timer only says when to look; how far to move, the real clock says.
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => {
                let now = real.now();
                clock.advance(now.since(last));
                last = now;
            }
        }
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
            attach: message.attach.clone(),
            template: message.template.clone(),
            system: message.system,
            reply_to: message.reply_to,
        }
    }
}
