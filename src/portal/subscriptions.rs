//! The event subscriptions of applications: eight rows for each bot whose events are posted, and rows that stayed behind
//! when an application with several bots changed one of them. Owns the rows; sends nothing.

use super::config::Owner;
use super::sender::Outgoing;
use super::state::State;

/// What a bot is subscribed to, in the order of its subscription ids.
const EVENTS: [&str; 8] = [
    "ONIMBOTV2MESSAGEADD",
    "ONIMBOTV2MESSAGEUPDATE",
    "ONIMBOTV2MESSAGEDELETE",
    "ONIMBOTV2JOINCHAT",
    "ONIMBOTV2DELETE",
    "ONIMBOTV2CONTEXTGET",
    "ONIMBOTV2COMMANDADD",
    "ONIMBOTV2REACTIONCHANGE",
];

/// A row that no bot has any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    client_id: String,
    pub(super) event: &'static str,
    /// Where its events go.
    pub(super) handler: String,
}

impl State {
    /// The rows of an application: those of its bots, then those that stayed behind.
    pub(super) fn subscriptions(&self, client_id: &str) -> Vec<Row> {
        let of_bots = self.bots.keys().flat_map(|bot| self.rows_of(*bot));
        let all = of_bots.chain(self.left_behind.iter().cloned());
        all.filter(|row| row.client_id == client_id).collect()
    }

    /// A bot's own rows; none for a bot of a webhook, whose subscriptions nobody can list, nor for one that fetches.
    fn rows_of(&self, bot: i64) -> Vec<Row> {
        let bot = self.bots.get(&bot).filter(|bot| !bot.fetch);
        let Some((Owner::App(app), Some(url))) = bot.map(|bot| (&bot.owner, &bot.webhook_url)) else {
            return Vec::new();
        };
        let of_event = |event| Row {
            client_id: app.client_id.clone(),
            event,
            handler: url.clone(),
        };
        let rows = EVENTS.into_iter().map(of_event);
        rows.filter(|row| !self.unbound.contains(row)).collect()
    }

    /// Whether somebody has removed the row by which a bot would hear of this event.
    pub(super) fn is_deaf(&self, bot: i64, event: &str) -> bool {
        let bot = self.bots.get(&bot);
        let Some((Owner::App(app), Some(url))) = bot.map(|bot| (&bot.owner, &bot.webhook_url)) else {
            return false;
        };
        let mut unbound = self.unbound.iter();
        unbound.any(|row| row.event == event && row.client_id == app.client_id && row.handler == *url)
    }

    /// Removes the rows of an application for this event and address, also such as a bot needs; how many there were.
    pub(super) fn unbind(&mut self, client_id: &str, event: &str, handler: &str) -> usize {
        let meant = |row: &Row| row.event.eq_ignore_ascii_case(event) && row.handler == handler;
        let rows = self.subscriptions(client_id).into_iter().filter(meant);
        let rows: Vec<Row> = rows.collect();
        self.left_behind.retain(|row| !rows.contains(row));
        for bot in Vec::from_iter(self.bots.keys().copied()) {
            let own = self.rows_of(bot).into_iter().filter(|row| rows.contains(row));
            let own: Vec<Row> = own.collect();
            self.unbound.extend(own);
        }
        rows.len()
    }

    /// Whether other bots belong to the same application.
    pub(super) fn shares_application(&self, bot: i64) -> bool {
        let Some(owner) = self.bots.get(&bot).map(|bot| &bot.owner) else {
            return false;
        };
        let text = owner.text();
        let mut others = self.bots.values().filter(|other| other.id != bot);
        matches!(owner, Owner::App(_)) && others.any(|other| other.owner.text() == text)
    }

    /// A bot is about to change or go: where other bots may need its rows a portal leaves them, else they go.
    pub(super) fn leave_behind(&mut self, bot: i64) {
        if self.shares_application(bot) {
            let fresh = self.rows_of(bot).into_iter();
            let fresh: Vec<Row> = fresh.filter(|row| !self.left_behind.contains(row)).collect();
            self.left_behind.extend(fresh);
        } else if let Some(Owner::App(app)) = self.bots.get(&bot).map(|bot| &bot.owner) {
            let gone = app.client_id.clone();
            self.left_behind.retain(|row| row.client_id != gone);
        }
    }

    /// A bot was told where its events go: it has its rows there, and they are not left behind.
    pub(super) fn take_up(&mut self, bot: i64) {
        if let Some(url) = self.bots.get(&bot).and_then(|bot| bot.webhook_url.clone()) {
            self.unbound.retain(|row| row.handler != url);
        }
        let own = self.rows_of(bot);
        self.left_behind.retain(|row| !own.contains(row));
    }

    /// An application that is gone has no rows.
    pub(super) fn forget_rows(&mut self, client_id: &str) {
        self.left_behind.retain(|row| row.client_id != client_id);
        self.unbound.retain(|row| row.client_id != client_id);
    }

    /// The same event for the addresses that were left behind: a portal posts to each row.
    pub(super) fn copies(&self, event: &Outgoing) -> Vec<Outgoing> {
        let owner = self.bots.get(&event.bot_id).map(|bot| &bot.owner);
        let Some(Owner::App(app)) = owner else {
            return Vec::new();
        };
        let rows = self.left_behind.iter();
        let rows = rows.filter(|row| row.client_id == app.client_id && row.event == event.event);
        rows.map(|row| Outgoing {
            url: Some(row.handler.clone()),
            ..event.clone()
        })
        .collect()
    }
}
