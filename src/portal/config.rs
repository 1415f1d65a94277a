//! What an emulated portal starts with: its names, its limits and its bots. Plain data, checked nowhere else.

use super::knobs::{Knobs, Profile};
use crate::types::{Clock, Secret};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What a portal starts with. [`PortalConfig::new`] gives a complete one; change what the case needs.
///
/// ```
/// use imbot::portal::{BotSeed, PortalConfig};
/// use imbot::types::Clock;
///
/// let config = PortalConfig {
///     bots: vec![BotSeed::webhook(456, "echo", "a-bot-token").command("help")],
///     ..PortalConfig::new(Clock::system())
/// };
/// assert_eq!(config.burst, 50);
/// ```
#[derive(Clone, Debug)]
pub struct PortalConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The clock of everything timed: the request counter, dates, expiry, faults.
    pub clock: Clock,
    /// The portal's name in `auth[domain]`. Nothing is ever looked up under it.
    pub host: String,
    /// 32 hex digits that name the portal in every event.
    pub member_id: String,
    /// The user whose incoming webhook this is.
    pub webhook_user: i64,
    /// The secret path segment of the incoming webhook.
    pub webhook_code: Secret,
    /// `data[language]` of events.
    pub language: String,
    /// The request counter refuses at this height (Bitrix24: 50; Enterprise 250).
    pub burst: u32,
    /// The request counter falls by this each second (Bitrix24: 2; Enterprise 5).
    pub rate: u32,
    /// How it falls.
    pub drain: Drain,
    /// Makes unknown chats, users and command grants when a REST call names them, so that events which something
    /// else sent (a pasted curl line, a load generator) can be answered. A strict portal refuses such calls.
    pub on_demand: bool,
    /// The first message gets this id. A portal that restarts beside a server with memory needs ids never used before.
    pub first_message_id: i64,
    /// How many requests the log keeps; the oldest go first.
    pub log_limit: usize,
    /// The bots that are registered from the start.
    pub bots: Vec<BotSeed>,
    /// The users who are known from the start, with their names.
    pub users: Vec<(i64, String)>,
    /// OAuth applications that are installed from the start, beside those of the bots.
    pub apps: Vec<AppConfig>,
    /// The rights of the incoming webhook, separated by commas.
    pub webhook_scope: String,
    /// The switches for what differs between portals; [`profile`](Self::profile) sets them all.
    pub knobs: Knobs,
    /// A method is blocked above this much operating time in ten minutes. `None`: 480 s on the plans that Bitrix24
    /// sells (a [`burst`](Self::burst) of at most 250), no limit beyond, as on a self-hosted portal.
    pub operating_limit: Option<Duration>,
    /// What a call of these methods costs in operating time; every other costs 80 ms.
    pub costs: Vec<(String, Duration)>,
    /// Webhook calls over plain HTTP are refused. Everything here is plain HTTP, so this is for that error alone.
    pub tls_required: bool,
    /// Where the control API listens; `None`: nowhere.
    pub control: Option<SocketAddr>,
    /// Where the authorisation server listens by itself; it is always under `/oauth/` of the portal's address too.
    pub authorisation: Option<SocketAddr>,
    /// The authorisation server's name in events and tokens. Nothing is ever looked up under it.
    pub authorisation_host: String,
    /// The chat page at the portal's address. Its `/_desk/` can do all that the control API can, for browsers that were
    /// led there by nobody else.
    pub page: bool,
    /// What a bot's library makes of an event body, for the page to show; `None`: it shows what was sent.
    pub normalize: Option<fn(&[u8]) -> String>,
    /// Tells applications the address at which it really listens, instead of [`host`](Self::host), and the authorisation
    /// server's own one: for a program that believes only what `app.info` says.
    pub tells_address: bool,
    /// A manual clock moves on by itself with real time, so that it can be moved ahead as well.
    pub ticking: bool,
}

impl PortalConfig {
    /// A standard-plan portal `demo.bitrix24.test` on a free port of this machine, without bots, strict.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            clock,
            host: "demo.bitrix24.test".to_owned(),
            member_id: "de300de300de300de300de300de300de".to_owned(),
            webhook_user: 1,
            webhook_code: Secret::new("demowebhookcode0"),
            language: "en".to_owned(),
            burst: 50,
            rate: 2,
            drain: Drain::Step,
            on_demand: false,
            first_message_id: 1001,
            log_limit: 100_000,
            bots: Vec::new(),
            users: Vec::new(),
            apps: Vec::new(),
            webhook_scope: "imbot,im,imopenlines".to_owned(),
            knobs: Knobs::default(),
            operating_limit: None,
            costs: vec![("imbot.v2.Chat.Message.send".to_owned(), Duration::from_millis(120))],
            tls_required: false,
            control: None,
            authorisation: None,
            authorisation_host: "oauth.bitrix24.tech".to_owned(),
            page: false,
            normalize: None,
            tells_address: false,
            ticking: false,
        }
    }

    /// The same portal with all its switches set by a profile.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.knobs = Knobs::of(profile);
        self
    }
}

/// How the request counter falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// By the whole rate after each full second, as documented: the stricter reading.
    Step,
    /// Evenly.
    Continuous,
}

/// A bot registered on the portal.
#[derive(Clone, Debug)]
pub struct BotSeed {
    /// Its id, which is also its user id.
    pub id: i64,
    /// Its code, unique on the portal.
    pub code: String,
    /// Its name in the chat.
    pub name: String,
    /// Who may speak for it.
    pub owner: Owner,
    /// Where its events go; `None`: they are built and recorded, not sent.
    pub webhook_url: Option<String>,
    /// Its events wait in the portal's queue until they are fetched.
    pub fetches: bool,
    /// Its slash commands.
    pub commands: Vec<CommandSeed>,
}

/// Who registered a bot, and so who may speak for it.
#[derive(Clone, Debug)]
pub enum Owner {
    /// An incoming webhook: calls carry this token as `botToken`, events carry no tokens at all.
    Webhook {
        /// The token bound to the bot.
        bot_token: Secret,
    },
    /// An OAuth application: calls carry an access token as `auth`, events carry tokens.
    App(AppSeed),
}

/// An installed OAuth application.
#[derive(Clone, Debug)]
pub struct AppSeed {
    /// `local.…`
    pub client_id: String,
    /// The bot's own access token: `data[bot][auth][access_token]`. Each event renews it for an hour.
    pub access_token: Secret,
    /// The token that proves events of this application.
    pub application_token: Secret,
    /// Its rights, separated by commas.
    pub scope: String,
}

/// An installed OAuth application whose bots register themselves.
#[derive(Clone, Debug)]
pub struct AppConfig {
    /// `local.…`
    pub client_id: String,
    /// The secret of token requests.
    pub client_secret: Secret,
    /// The token that proves events of this application.
    pub application_token: Secret,
    /// Its rights, separated by commas.
    pub scope: String,
    /// Where `ONAPPINSTALL` and `ONAPPUNINSTALL` go.
    pub handler_url: Option<String>,
}

/// A slash command.
#[derive(Clone, Debug)]
pub struct CommandSeed {
    /// Its id; `None` takes the next free one.
    pub id: Option<i64>,
    /// Its name without the slash.
    pub name: String,
}

impl BotSeed {
    /// A bot registered through the incoming webhook.
    #[must_use]
    pub fn webhook(id: i64, code: &str, bot_token: &str) -> Self {
        Self::new(
            id,
            code,
            Owner::Webhook {
                bot_token: Secret::new(bot_token),
            },
        )
    }

    /// A bot of an OAuth application with scope `imbot,im`.
    #[must_use]
    pub fn app(id: i64, code: &str, client_id: &str, access_token: &str, application_token: &str) -> Self {
        let app = AppSeed {
            client_id: client_id.to_owned(),
            access_token: Secret::new(access_token),
            application_token: Secret::new(application_token),
            scope: "imbot,im".to_owned(),
        };
        Self::new(id, code, Owner::App(app))
    }

    fn new(id: i64, code: &str, owner: Owner) -> Self {
        Self {
            id,
            code: code.to_owned(),
            name: code.to_owned(),
            owner,
            webhook_url: None,
            fetches: false,
            commands: Vec::new(),
        }
    }

    /// The same bot with its events sent to `url`.
    #[must_use]
    pub fn hooked(mut self, url: impl Into<String>) -> Self {
        self.webhook_url = Some(url.into());
        self
    }

    /// The same bot in fetch mode.
    #[must_use]
    pub fn fetching(mut self) -> Self {
        self.fetches = true;
        self
    }

    /// The same bot with one more slash command, named without its slash.
    #[must_use]
    pub fn command(mut self, name: &str) -> Self {
        self.commands.push(CommandSeed {
            id: None,
            name: name.trim_start_matches('/').to_owned(),
        });
        self
    }
}
