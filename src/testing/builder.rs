//! What a stage is made from: bots, portals, settings. Owns the names and tokens that portals and settings share.

use super::stage::Stage;
use crate::app::App;
use crate::dispatch::Bot;
use crate::portal::{BotSeed, Knobs, Portal, PortalConfig};
use crate::settings::{self, Environment, Settings};
use crate::types::{Clock, Timestamp};
use std::fmt::Write as _;
use std::path::Path;

/// The bots' ids at each portal begin here, in the order in which they were added.
pub(super) const FIRST_BOT: i64 = 101;
/// 2026-02-26T09:26:40Z: where a manual clock starts.
const START: Timestamp = Timestamp(1_772_098_000_000);

/// What a stage is made from.
#[derive(Debug)]
pub struct StageBuilder {
    app: App,
    clock: Clock,
    extra: String,
    site: Site,
    /// The portals of a stage that is already there.
    shared: Vec<Portal>,
}

/// What all portals of a stage have in common.
#[derive(Debug)]
struct Site {
    portals: usize,
    /// Bots belong to an OAuth application, and the server knows no incoming webhook.
    by_event_token: bool,
    /// Bots fetch their events.
    fetching: bool,
    /// The configuration names the portal's `member_id`.
    member_known: bool,
    knobs: Knobs,
    /// The public address, where it must be known before the start.
    address: Option<std::net::SocketAddr>,
    /// Bots belong to an application that must be installed: its `install`, and whether the portals are listed.
    application: Option<(String, bool)>,
}

impl Default for StageBuilder {
    fn default() -> Self {
        Self {
            app: App::new(),
            clock: Clock::manual(START),
            extra: String::new(),
            shared: Vec::new(),
            site: Site {
                portals: 1,
                by_event_token: false,
                fetching: false,
                member_known: true,
                knobs: Knobs::default(),
                address: None,
                application: None,
            },
        }
    }
}

impl From<Bot> for StageBuilder {
    fn from(bot: Bot) -> Self {
        Self::default().bot(bot)
    }
}

/// All bots of a program.
impl From<App> for StageBuilder {
    fn from(app: App) -> Self {
        Self { app, ..Self::default() }
    }
}

impl StageBuilder {
    /// Adds a bot; at each portal it gets the next id, from 101.
    #[must_use]
    pub fn bot(mut self, bot: Bot) -> Self {
        self.app = self.app.bot(bot);
        self
    }

    /// So many portals instead of one. Each has all the bots.
    #[must_use]
    pub fn portals(mut self, count: usize) -> Self {
        self.site.portals = count;
        self
    }

    /// Bots of an OAuth application instead of an incoming webhook: the token that comes with an event is the only
    /// identity there is. The application is `local.stage`.
    #[must_use]
    pub fn by_event_token(mut self) -> Self {
        self.site.by_event_token = true;
        self
    }

    /// Bots in fetch mode: their events wait at the portal until they are polled, every 5 to 30 seconds.
    #[must_use]
    pub fn fetching(mut self) -> Self {
        self.site.fetching = true;
        self
    }

    /// The configuration names the door as each bot's `event_url`, so that the portals can be told.
    ///
    /// # Panics
    /// If no port is free: the test cannot go on.
    #[must_use]
    pub fn with_event_url(mut self) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        self.site.address = Some(free.unwrap_or_else(|error| panic!("no free port: {error}")));
        self
    }

    /// Bots of an OAuth application `local.stage` that each portal must install (`Portal::install`). `install` is `ask`,
    /// `listed` or `open`; `listed`: whether the portals stand in the configuration.
    #[must_use]
    pub fn by_application(mut self, install: &str, listed: bool) -> Self {
        self.site.by_event_token = true;
        self.site.application = Some((install.to_owned(), listed));
        self
    }

    /// A second server at the portals of another stage, with the same bots, on its clock: a replica beside it. Events go
    /// on to the first one; hand the second its own with [`Stage::post_form`].
    #[must_use]
    pub fn beside(mut self, first: &Stage) -> Self {
        self.clock = first.clock.clone();
        self.site.portals = first.portals.len();
        self.shared = first.portals.clone();
        self
    }

    /// Leaves `member_id` out of the configuration: the first one that proves itself is pinned.
    #[must_use]
    pub fn without_member_id(mut self) -> Self {
        self.site.member_known = false;
        self
    }

    /// Portals with other switches than the strict ones.
    #[must_use]
    pub fn knobs(mut self, knobs: Knobs) -> Self {
        self.site.knobs = knobs;
        self
    }

    /// Real time instead of a clock moved by hand.
    #[must_use]
    pub fn real_time(mut self) -> Self {
        self.clock = Clock::system();
        self
    }

    /// More lines for `imbot.toml`, as dotted keys: `workers.concurrency = 2`. Whole `[[portal]]` tables may follow them.
    #[must_use]
    pub fn config(mut self, lines: &str) -> Self {
        self.extra.push_str(lines);
        self.extra.push('\n');
        self
    }

    /// Starts portals and server.
    ///
    /// # Panics
    /// If something cannot start: the test cannot go on.
    pub async fn start(self) -> Stage {
        let Self {
            app,
            clock,
            extra,
            site,
            shared,
        } = self;
        assert_eq!(app.mistakes(), Vec::<String>::new(), "the bots contradict themselves");
        let folder = tempfile::Builder::new().prefix("imbot-stage-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let visiting = !shared.is_empty();
        let mut portals = shared;
        for number in portals.len()..site.portals {
            portals.push(site.portal(&app, &clock, number).await);
        }
        let settings = site.settings(&app, &portals, folder.path(), &extra);
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.unwrap_or_else(|error| panic!("no HTTP client: {error}"));
        let mut stage = Stage {
            app,
            portals,
            clock,
            settings,
            running: None,
            http,
            visiting,
            kills: 0,
            folder,
        };
        stage.go();
        stage
    }
}

fn domain(number: usize) -> String {
    format!("p{number}.bitrix24.test")
}

fn member(number: usize) -> String {
    format!("{number:032x}")
}

fn application_token(number: usize) -> String {
    format!("stage-application-{number}")
}

fn bot_token(number: usize, bot: &Bot) -> String {
    format!("stage-token-{number}-{}", bot.name())
}

impl Site {
    async fn portal(&self, app: &App, clock: &Clock, number: usize) -> Portal {
        let seed = |(id, bot): (i64, &Bot)| {
            let token = bot_token(number, bot);
            let seed = if self.by_event_token {
                BotSeed::app(id, bot.name(), "local.stage", &token, &application_token(number))
            } else {
                BotSeed::webhook(id, bot.name(), &token)
            };
            let seed = if self.fetching { seed.fetching() } else { seed };
            bot.commands().fold(seed, |seed, command| seed.command(command.name()))
        };
        let config = PortalConfig {
            host: domain(number),
            member_id: member(number),
            on_demand: true,
            knobs: self.knobs.clone(),
            tells_address: self.application.is_some(),
            authorisation: self.application.as_ref().map(|_| ([127, 0, 0, 1], 0).into()),
            bots: (FIRST_BOT..).zip(&app.bots).map(seed).collect(),
            ..PortalConfig::new(clock.clone())
        };
        let portal = Portal::start(config).await;
        portal.unwrap_or_else(|error| panic!("portal {number} cannot start: {error}"))
    }

    fn settings(&self, app: &App, portals: &[Portal], folder: &Path, extra: &str) -> Settings {
        let store = folder.join("store").display().to_string();
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let listen = self.address.unwrap_or(any);
        let mut text =
            format!("server.listen = \"{listen}\"\nadmin.listen = \"127.0.0.1:0\"\nstore.path = {store:?}\n{extra}");
        if let Some((install, listed)) = &self.application {
            text.push_str(&self.application(app, portals, install));
            if !listed {
                return parsed(app, &text);
            }
        }
        // Writing to a String cannot fail.
        for (number, portal) in portals.iter().enumerate() {
            let (host, endpoint) = (domain(number), portal.endpoint());
            let _ = write!(
                text,
                "[[portal]]\nname = \"p{number}\"\ndomain = \"{host}\"\nendpoint = \"{endpoint}\"\nallow_insecure = true\n"
            );
            if self.member_known {
                let _ = writeln!(text, "member_id = \"{}\"", member(number));
            }
            if self.application.is_some() {
                let _ = writeln!(text, "app = \"desk\"");
                continue;
            }
            let _ = if self.by_event_token {
                writeln!(text, "application_token = \"{}\"", application_token(number))
            } else {
                writeln!(text, "incoming_webhook = \"{}\"", portal.incoming_webhook())
            };
            for (id, bot) in (FIRST_BOT..).zip(&app.bots) {
                let _ = write!(text, "[[portal.bot]]\nid = {id}\nhandler = \"{}\"\n", bot.name());
                if !self.by_event_token {
                    let _ = writeln!(text, "bot_token = \"{}\"", bot_token(number, bot));
                }
                if let Some(address) = self.address {
                    let _ = writeln!(text, "event_url = \"http://{address}/webhook\"");
                }
                if self.fetching {
                    text.push_str("event_mode = \"fetch\"\n");
                }
            }
        }
        parsed(app, &text)
    }

    /// The `[[app]]` and the key that it needs.
    fn application(&self, app: &App, portals: &[Portal], install: &str) -> String {
        let secret = portals[0].client_secret("local.stage");
        let secret = secret.unwrap_or_else(|| panic!("a stage needs a bot"));
        let servers: Vec<String> = portals
            .iter()
            .filter_map(|portal| Some(format!("\"http://{}\"", portal.authorisation_address()?)))
            .collect();
        let mut text = format!(
            "store.key = \"{}\"\n[[app]]\nname = \"desk\"\nclient_id = \"local.stage\"\nclient_secret = \"{}\"\n\
             install = \"{install}\"\nallow_insecure = true\nauth_servers = [{}]\n",
            "5a".repeat(32),
            secret.expose(),
            servers.join(", ")
        );
        for bot in &app.bots {
            let _ = write!(text, "[[app.bot]]\ncode = \"{0}\"\nhandler = \"{0}\"\n", bot.name());
        }
        text
    }
}

fn parsed(app: &App, text: &str) -> Settings {
    let names: Vec<&str> = app.bots.iter().map(Bot::name).collect();
    let loaded = settings::parse(text, "stage.toml".as_ref(), &names, &Environment::default());
    loaded.unwrap_or_else(|mistakes| panic!("{mistakes}")).settings
}
