//! One server with its emulated portals, started and stopped by a test. Owns the temporary folder.

use super::builder::{FIRST_BOT, StageBuilder};
use crate::app::{App, Plan, Running};
use crate::portal::{Portal, PortalError};
use crate::settings::Settings;
use crate::types::Clock;
use std::time::Duration;
use tempfile::TempDir;

/// Real time that a test waits for what needs none.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A running server, its portals, and time in the test's hand.
pub struct Stage {
    pub(super) app: App,
    pub(super) portals: Vec<Portal>,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) running: Option<Running>,
    pub(super) http: reqwest::Client,
    /// The portals are another stage's: their events stay there.
    pub(super) visiting: bool,
    pub(super) kills: u32,
    // Dropped last: the store lives in it.
    pub(super) folder: TempDir,
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

impl Stage {
    /// A stage with one portal and a manual clock.
    #[must_use]
    pub fn builder() -> StageBuilder {
        StageBuilder::default()
    }

    pub(super) fn go(&mut self) {
        let plan = Plan {
            settings: &self.settings,
            bots: &self.app.bots,
            outbox: self.app.outbox(),
            clock: self.clock.clone(),
            observer: None,
            dispatching: true,
        };
        let running = Running::start(plan).unwrap_or_else(|error| panic!("the server cannot start: {error}"));
        for portal in self.portals.iter().filter(|_| !self.visiting) {
            for (id, _) in (FIRST_BOT..).zip(&self.app.bots) {
                let url = format!("http://{}/webhook", running.public);
                portal
                    .set_webhook_url(id, &url)
                    .unwrap_or_else(|error: PortalError| panic!("{error}"));
            }
        }
        self.running = Some(running);
    }

    pub(super) fn running(&mut self) -> &mut Running {
        self.running.as_mut().unwrap_or_else(|| panic!("the server is stopped"))
    }

    /// The program's own calls.
    #[must_use]
    pub fn outbox(&self) -> crate::dispatch::Outbox {
        self.app.outbox()
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
        self.settings.store.path.clone()
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
        self.settle_but(0).await;
    }

    /// Returns when only `hanging` handlers are running and nothing else can start: for handlers that wait for the
    /// test. There must be a worker to spare.
    ///
    /// # Panics
    /// If that does not come within half a minute of real time: the test would hang.
    pub async fn settle_but(&mut self, hanging: usize) {
        let clock = self.clock.clone();
        let settled = tokio::time::timeout(PATIENCE, self.running().settled(hanging, &clock)).await;
        assert!(
            settled.is_ok(),
            "half a minute, and something still runs: a handler that waits for the test, or a call that the portal never answers"
        );
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

    /// Ends the server as `kill -9` does, and starts it again on what it had committed: nothing is finished, nothing is
    /// closed, what runs is gone. Calls that the dying server still makes do not arrive.
    ///
    /// # Panics
    /// If the store cannot be copied.
    pub async fn kill(&mut self) {
        let Some(running) = self.running.take() else {
            panic!("the server is stopped: `restart` starts it");
        };
        self.portals.iter().for_each(|portal| portal.cut_off(true));
        self.kills += 1;
        let left = self.folder.path().join(format!("store-{}", self.kills));
        let copied = running.store.copy_as_killed(&left).await;
        copied.unwrap_or_else(|error| panic!("the store cannot be copied: {error}"));
        running.cut()();
        running.stop().await;
        self.portals.iter().for_each(|portal| portal.cut_off(false));
        self.settings.store.path = left;
        self.go();
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
