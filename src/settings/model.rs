//! The settings as the rest of the program reads them: plain data, complete, already checked. Reads nothing itself.

use super::net::Net;
use crate::method::{Background, BotType, Color, Gender};
use crate::types::{Secret, SecretSource};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Everything `imbot.toml` and the environment say, with defaults filled in.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) server: Server,
    pub(crate) admin: Admin,
    pub(crate) store: StoreSettings,
    pub(crate) workers: Workers,
    pub(crate) deliver: Deliver,
    pub(crate) capture: CaptureSettings,
    pub(crate) portals: Vec<PortalSettings>,
    pub(crate) apps: Vec<AppSettings>,
}

/// The public address.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    /// Starts with `/`.
    pub(crate) path: String,
    pub(crate) max_body_bytes: usize,
    pub(crate) ack: Ack,
    /// Peers whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<Net>,
}

/// What a 200 promises. The store has the same three; the assembler maps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ack {
    /// The disk has the event.
    Durable,
    /// The page cache has it: a crash of the machine may lose it.
    Written,
    /// Nothing yet: a crash of the process may lose it.
    Memory,
}

/// The operator's address: probes, metrics, API.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) listen: SocketAddr,
    /// `None`: the server makes a random one.
    pub(crate) token: Option<Secret>,
}

/// The store folder and its bounds.
#[derive(Clone, Debug)]
pub(crate) struct StoreSettings {
    /// As written: relative to the working directory.
    pub(crate) path: PathBuf,
    pub(crate) max_bytes: u64,
    pub(crate) dedup_window: Duration,
    /// 32 bytes, as 64 hexadecimal digits; there whenever there is an application.
    pub(crate) key: Option<Secret>,
}

/// How handlers run.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    pub(crate) concurrency: usize,
    pub(crate) handler_timeout: Duration,
    pub(crate) max_attempts: u32,
    /// Pause before the second attempt, the third and so on; the last one repeats. Empty only with one attempt.
    pub(crate) retry: Vec<Duration>,
    pub(crate) hold: Duration,
}

/// How queued calls leave.
#[derive(Clone, Debug)]
pub(crate) struct Deliver {
    pub(crate) max_age: Duration,
    pub(crate) on_unknown: OnUnknown,
    pub(crate) answer_via: AnswerVia,
    pub(crate) hold: Duration,
}

/// A call without a deduplication key whose outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnUnknown {
    /// It becomes a dead letter.
    Stop,
    /// It is made again; the portal may carry it out twice.
    Repeat,
}

/// Which method carries `ctx.answer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerVia {
    /// The program chooses.
    Auto,
    /// `imbot.v2.Command.answer`.
    Answer,
    /// `imbot.v2.Chat.Message.send`.
    Send,
}

/// Bodies kept as files for a while.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CaptureSettings {
    pub(crate) enabled: bool,
    /// Default: `captures` in the store folder.
    pub(crate) path: PathBuf,
    pub(crate) keep: Keep,
    pub(crate) max_bytes: u64,
    pub(crate) max_files: usize,
    pub(crate) max_age: Duration,
    /// Counted from the start of the server.
    pub(crate) stop_after: Duration,
    pub(crate) redact_text: bool,
}

/// Which bodies are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// What was stored as an event, or put into quarantine.
    Accepted,
    /// What was refused, repeated or ignored as well.
    All,
}

/// One portal and the bots it has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PortalSettings {
    /// For people, metrics and `PORTAL/BOT` arguments; unique.
    pub(crate) name: String,
    /// Host, with a port where it has one, in lower case; unique.
    pub(crate) domain: String,
    pub(crate) member_id: Option<String>,
    pub(crate) plan: Plan,
    /// Ends with `/`; methods are appended to it.
    pub(crate) endpoint: Url,
    /// `…/rest/{user}/{code}/`, on the host of `endpoint`, with the final slash.
    pub(crate) incoming_webhook: Option<Secret>,
    pub(crate) application_token: Option<Secret>,
    /// http and private addresses are allowed.
    pub(crate) allow_insecure: bool,
    /// The name of the `[[app]]` that is installed there.
    pub(crate) app: Option<String>,
    /// At least one, but where the application has them; ids are unique within the portal.
    pub(crate) bots: Vec<BotSettings>,
}

/// An OAuth application, whose portals come by installation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AppSettings {
    /// For people and for `[[portal]] app`; unique.
    pub(crate) name: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) install: Install,
    /// `https://{host}` each, at least one.
    pub(crate) auth_servers: Vec<String>,
    /// http and private addresses are allowed for its portals: the emulator.
    pub(crate) allow_insecure: bool,
    /// The budget of portals that are not listed.
    pub(crate) plan: Plan,
    /// The bots of portals that do not list their own.
    pub(crate) bots: Vec<AppBot>,
}

/// Who may install an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Install {
    /// A listed portal; any other waits for `imbot portals accept`.
    Ask,
    /// Only a `[[portal]]` that names it.
    Listed,
    /// Any portal that proves itself.
    Open,
}

/// A bot of an application: known by its code, or by a number where that is the same everywhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AppBot {
    pub(crate) id: Option<i64>,
    /// Empty if not given.
    pub(crate) code: String,
    pub(crate) handler: String,
    pub(crate) event_url: Option<String>,
    pub(crate) event_mode: EventMode,
    pub(crate) wishes: Wishes,
}

/// How a bot's events come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum EventMode {
    /// The portal posts them.
    #[default]
    Webhook,
    /// They are fetched from the portal's queue.
    Fetch,
}

/// The portal's REST budget: a bucket of `burst` calls that refills at `rate` a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) burst: u32,
    pub(crate) rate: f64,
}

impl Plan {
    /// Every plan but Enterprise.
    pub(crate) const STANDARD: Self = Self { burst: 50, rate: 2.0 };
    /// The Enterprise plan.
    pub(crate) const ENTERPRISE: Self = Self { burst: 250, rate: 5.0 };
}

/// One bot of a portal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BotSettings {
    /// 0: not known to the configuration; `imbot register` learns it by the code.
    pub(crate) id: i64,
    /// Empty if not given; never where the number is not known.
    pub(crate) code: String,
    /// A name the program knows.
    pub(crate) handler: String,
    pub(crate) bot_token: Option<Secret>,
    /// Where `bot_token` was written.
    pub(crate) token_source: SecretSource,
    pub(crate) application_token: Option<Secret>,
    pub(crate) event_url: Option<String>,
    pub(crate) event_mode: EventMode,
    pub(crate) wishes: Wishes,
}

/// What a bot shall be at its portal, for `imbot register`. `None`: as the program says, else as it is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wishes {
    /// `event_mode` is written, not the default.
    pub(crate) mode_given: bool,
    pub(crate) kind: Option<BotType>,
    pub(crate) hidden: Option<bool>,
    pub(crate) reactions: Option<bool>,
    pub(crate) openline: Option<bool>,
    pub(crate) background: Option<Background>,
    pub(crate) profile: ProfileSettings,
}

/// How people see a bot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ProfileSettings {
    pub(crate) name: Option<String>,
    pub(crate) last_name: Option<String>,
    pub(crate) work_position: Option<String>,
    pub(crate) gender: Option<Gender>,
    pub(crate) color: Option<Color>,
    /// A file; a relative path began at the configuration's folder.
    pub(crate) avatar: Option<PathBuf>,
}

impl BotSettings {
    /// As people call it: the number, else the code.
    pub(crate) fn called(&self) -> String {
        if self.id == 0 {
            self.code.clone()
        } else {
            self.id.to_string()
        }
    }

    /// The `application_token` that proves an event to be for this bot; `None`: the portal's own token does.
    ///
    /// For a webhook-registered bot the portal sends `custom` + botToken, cut to 50 characters (wire rules 2.2).
    pub(crate) fn expected_token(&self) -> Option<Secret> {
        let derived = || Some(self.bot_token.as_ref()?.proof_of_bot());
        self.application_token.clone().or_else(derived)
    }
}
