//! One server with its emulated portals, started and stopped by a test. Owns the temporary folder.

use crate::app::{App, Plan, Running};
use crate::dispatch::Bot;
use crate::portal::{BotSeed, Portal, PortalConfig, PortalError};
use crate::settings::{self, Environment, Settings};
use crate::types::{Clock, Timestamp};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// The bots' ids at each portal begin here, in the order in which they were added.
const FIRST_BOT: i64 = 101;
/// 2026-02-26T09:26:40Z: where a manual clock starts.
const START: Timestamp = Timestamp(1_772_098_000_000);

/// What a stage is made from.
#[derive(Debug)]
pub struct StageBuilder {
    app: App,
    portals: usize,
    clock: Clock,
    extra: String,
}

/// A running server, its portals, and time in the test's hand.
pub struct Stage {
    app: App,
    portals: Vec<Portal>,
    clock: Clock,
    settings: Settings,
    running: Option<Running>,
    http: reqwest::Client,
    // Dropped last: the store lives in it.
    folder: TempDir,
}

/// The door's answer to a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The body of the answer.
    pub body: String,
    /// `accepted`, `duplicate`, `ignored` or `quarantined`; empty when refused.
    pub outcome: String,
}

/// A dead letter, as a test wants to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// `events`, `calls`, `unknown` or `quarantine`.
    pub queue: String,
    /// Event name or REST method.
    pub name: String,
    /// The short reason.
    pub reason: String,
    /// Attempts made.
    pub attempts: u32,
}

/// The store's own count of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Stored at the door (duplicates and quarantined ones are not).
    pub accepted: u64,
    /// Handled.
    pub done: u64,
    /// Settled by rule, without a handler.
    pub ignored: u64,
    /// Given up.
    pub dead: u64,
    /// Waiting or running.
    pub pending: u64,
    /// Calls waiting or under way.
    pub calls: u64,
}

impl Default for StageBuilder {
    fn default() -> Self {
        Self {
            app: App::new(),
            portals: 1,
            clock: Clock::manual(START),
            extra: String::new(),
        }
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
        self.portals = count;
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
            portals,
            clock,
            extra,
        } = self;
        assert_eq!(app.mistakes(), Vec::<String>::new(), "the bots contradict themselves");
        let folder = tempfile::Builder::new().prefix("imbot-stage-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let mut running = Vec::new();
        for number in 0..portals {
            running.push(portal(&app, &clock, number).await);
        }
        let settings = settings(&app, &running, folder.path(), &extra);
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.unwrap_or_else(|error| panic!("no HTTP client: {error}"));
        let mut stage = Stage {
            app,
            portals: running,
            clock,
            settings,
            running: None,
            http,
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

fn bot_token(number: usize, bot: &Bot) -> String {
    format!("stage-token-{number}-{}", bot.name())
}

async fn portal(app: &App, clock: &Clock, number: usize) -> Portal {
    let seed = |(id, bot): (i64, &Bot)| {
        let seed = BotSeed::webhook(id, bot.name(), &bot_token(number, bot));
        bot.commands()
            .iter()
            .fold(seed, |seed, (command, _)| seed.command(command))
    };
    let config = PortalConfig {
        host: domain(number),
        member_id: member(number),
        on_demand: true,
        bots: (FIRST_BOT..).zip(&app.bots).map(seed).collect(),
        ..PortalConfig::new(clock.clone())
    };
    Portal::start(config)
        .await
        .unwrap_or_else(|error| panic!("portal {number} cannot start: {error}"))
}

fn settings(app: &App, portals: &[Portal], folder: &Path, extra: &str) -> Settings {
    let store = folder.join("store");
    let mut text = format!(
        "server.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\nstore.path = {:?}\n{extra}",
        store.display().to_string()
    );
    for (number, portal) in portals.iter().enumerate() {
        let (host, member, webhook) = (domain(number), member(number), portal.incoming_webhook());
        let _ = write!(
            text,
            "[[portal]]\nname = \"p{number}\"\ndomain = \"{host}\"\nmember_id = \"{member}\"\nendpoint = \"{}\"\n\
             incoming_webhook = \"{webhook}\"\nallow_insecure = true\n",
            portal.endpoint()
        );
        for (id, bot) in (FIRST_BOT..).zip(&app.bots) {
            let (name, token) = (bot.name(), bot_token(number, bot));
            let _ = write!(
                text,
                "[[portal.bot]]\nid = {id}\nhandler = \"{name}\"\nbot_token = \"{token}\"\n"
            );
        }
    }
    let names: Vec<&str> = app.bots.iter().map(Bot::name).collect();
    let loaded = settings::parse(&text, "stage.toml".as_ref(), &names, &Environment::default());
    loaded.unwrap_or_else(|mistakes| panic!("{mistakes}")).settings
}

impl Stage {
    /// A stage with one portal and a manual clock.
    #[must_use]
    pub fn builder() -> StageBuilder {
        StageBuilder::default()
    }

    fn go(&mut self) {
        let plan = Plan {
            settings: &self.settings,
            bots: &self.app.bots,
            clock: self.clock.clone(),
            observer: None,
            dispatching: true,
        };
        let running = Running::start(plan).unwrap_or_else(|error| panic!("the server cannot start: {error}"));
        for portal in &self.portals {
            for (id, _) in (FIRST_BOT..).zip(&self.app.bots) {
                let url = format!("http://{}/webhook", running.public);
                portal
                    .set_webhook_url(id, &url)
                    .unwrap_or_else(|error: PortalError| panic!("{error}"));
            }
        }
        self.running = Some(running);
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().unwrap_or_else(|| panic!("the server is stopped"))
    }

    /// The first portal.
    #[must_use]
    pub fn portal(&self) -> &Portal {
        self.portal_at(0)
    }

    /// Portal `number`, from 0.
    #[must_use]
    pub fn portal_at(&self, number: usize) -> &Portal {
        &self.portals[number]
    }

    /// The store's folder.
    #[must_use]
    pub fn store_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("store")
    }

    /// `http://…` of the admin address, and its token.
    ///
    /// # Panics
    /// If the server is stopped or its token file is gone.
    pub fn admin(&mut self) -> (String, String) {
        let address = format!("http://{}", self.running().admin);
        let token = std::fs::read_to_string(self.store_folder().join(crate::app::ADMIN_TOKEN));
        (address, token.unwrap_or_else(|error| panic!("no admin token: {error}")))
    }

    /// `http://…/webhook` of the public address.
    pub fn webhook(&mut self) -> String {
        format!("http://{}/webhook", self.running().public)
    }

    /// Posts a body to the door.
    ///
    /// # Panics
    /// If the door does not answer.
    pub async fn post(&mut self, body: impl Into<Vec<u8>>, content_type: &str) -> Answered {
        let url = self.webhook();
        let request = self
            .http
            .post(url)
            .header("content-type", content_type)
            .header("x-imbot-ask", "outcome");
        let response = request
            .body(body.into())
            .send()
            .await
            .unwrap_or_else(|error| panic!("no answer: {error}"));
        let status = response.status().as_u16();
        let outcome = response
            .headers()
            .get("x-imbot-outcome")
            .and_then(|value| value.to_str().ok());
        let outcome = outcome.unwrap_or_default().to_owned();
        let body = response.text().await.unwrap_or_default();
        Answered { status, body, outcome }
    }

    /// Posts a form body.
    pub async fn post_form(&mut self, body: impl Into<Vec<u8>>) -> Answered {
        self.post(body, "application/x-www-form-urlencoded").await
    }

    /// Returns when nothing is running and nothing is due.
    pub async fn settle(&mut self) {
        self.running().settled().await;
    }

    /// Moves time on in steps of a second, letting everything settle in between.
    pub async fn pass(&mut self, time: Duration) {
        let mut left = time;
        self.settle().await;
        while !left.is_zero() {
            let step = left.min(Duration::from_secs(1));
            self.clock.advance(step);
            left -= step;
            self.settle().await;
        }
    }

    /// The clock of server and portals.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Stops the server cleanly and starts it again on the same store.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.go();
    }

    /// Stops the server; [`restart`](Self::restart) starts it again.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// The store's count of events and calls.
    ///
    /// # Panics
    /// If the store has failed.
    pub async fn totals(&mut self) -> Totals {
        let counts = self
            .running()
            .store
            .counts()
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        Totals {
            accepted: counts.accepted,
            done: counts.done,
            ignored: counts.ignored,
            dead: counts.dead,
            pending: counts.pending_events,
            calls: counts.pending_calls,
        }
    }

    /// All dead letters, newest first.
    ///
    /// # Panics
    /// If the store has failed.
    pub async fn dead_letters(&mut self) -> Vec<Letter> {
        let letters = self
            .running()
            .store
            .dead_letters(None, 1_000)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let letter = |letter: crate::store::DeadLetter| Letter {
            queue: letter.queue.as_str().to_owned(),
            name: letter.name,
            reason: letter.reason,
            attempts: letter.attempts,
        };
        letters.into_iter().map(letter).collect()
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("portals", &self.portals.len())
            .field("folder", &self.folder.path())
            .finish()
    }
}
