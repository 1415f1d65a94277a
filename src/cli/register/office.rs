//! What `register` asks of portals and of whoever has the store, in typed questions. Decides nothing; a credential never
//! comes here.

use super::compare::Seen;
use super::targets::Target;
use super::words::{FOREIGN, Problem};
use crate::cli::beside::{Beside, Trouble};
use crate::cli::doctor::probe::{self, Way};
use crate::cli::exit;
use crate::method::{BotInfo, BotListReply, BotReply, CommandListReply};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a call may wait for the portal's budget.
const WAIT: Duration = Duration::from_secs(120);
/// What a call may take once it may leave: the client's longest, and some.
const SENDING: Duration = Duration::from_secs(90);
/// An owner has at most 100 bots; a page holds 50.
const PAGES: usize = 4;

/// A portal has such a bot, or not.
pub(super) enum Look {
    There(Box<Seen>),
    New,
}

/// The way to the portals.
pub(super) struct Office<'a> {
    pub(super) beside: &'a Beside,
}

impl Office<'_> {
    /// The bots that are served.
    pub(super) async fn served(&self) -> Result<Value, Problem> {
        self.beside.get("/api/v1/bots").await.map_err(|trouble| match trouble {
            // No route, so no JSON with a reason.
            Trouble::Refused { ref reason, .. } if reason.is_empty() => {
                let text = format!("{trouble}: it is too old for `imbot register`; update and restart it");
                Problem::new(exit::REFUSED, text)
            }
            trouble => Problem::of_call("the bots served now", &trouble),
        })
    }

    /// The bot as its portal has it.
    pub(super) async fn look(&self, target: &Target<'_>) -> Result<Look, Problem> {
        let params = match target.id {
            Some(id) => json!({ "botId": id }),
            None => json!({ "code": target.code }),
        };
        let found: BotReply = match self.call(target, "imbot.v2.Bot.get", params).await {
            Ok(found) => found,
            Err(problem) if problem.code == "BOT_NOT_FOUND" && target.by_code => return Ok(Look::New),
            Err(problem) => return Err(problem),
        };
        // Who does not own a bot sees its short form.
        if found.bot.event_mode.is_none() {
            let text = format!("{}: bot {} is not ours: {FOREIGN}", target.name(), found.bot.id);
            return Err(Problem::new(exit::IDENTITY, text));
        }
        let id = found.bot.id;
        let listed: CommandListReply = self
            .call(target, "imbot.v2.Command.list", json!({ "botId": id }))
            .await?;
        let user = found.users.into_iter().find(|user| user.id == id);
        Ok(Look::There(Box::new(Seen {
            bot: found.bot,
            user: user.unwrap_or_default(),
            commands: listed.commands,
        })))
    }

    /// All bots of this bot's owner.
    pub(super) async fn owned(&self, target: &Target<'_>) -> Result<Vec<BotInfo>, Problem> {
        let mut found = Vec::new();
        for page in 0..PAGES {
            let params = json!({ "limit": 50, "offset": page * 50 });
            let reply: BotListReply = self.call(target, "imbot.v2.Bot.list", params).await?;
            let more = reply.has_next_page && !reply.bots.is_empty();
            found.extend(reply.bots);
            if !more {
                break;
            }
        }
        Ok(found)
    }

    /// A REST call as this bot. All that `register` calls may be repeated.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        target: &Target<'_>,
        method: &str,
        params: Value,
    ) -> Result<T, Problem> {
        let mut order = json!({
            "portal": target.portal, "method": method, "params": params, "repeatable": true,
            "timeoutMs": u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX),
        });
        match target.id {
            Some(id) => order["bot"] = json!(id),
            None => order["code"] = json!(target.code),
        }
        let path = "/api/v1/call";
        let answer = self.beside.ask(Method::POST, path, Some(&order), WAIT + SENDING).await;
        let answer = answer.map_err(|trouble| Problem::of_call(&target.name(), &trouble))?;
        serde_json::from_value(answer["result"].clone()).map_err(|error| {
            let text = format!(
                "{}: the portal's answer to {method} cannot be read: {error}",
                target.name()
            );
            Problem::new(exit::REFUSED, text)
        })
    }

    /// Keeps the number of a new bot: from then on the door can check its events.
    pub(super) async fn learn(&self, target: &Target<'_>, bot: i64) -> Result<(), Problem> {
        let body = json!({ "portal": target.portal, "code": target.code, "bot": bot });
        self.tell(target, "/api/v1/bots/learn", &body).await
    }

    /// Keeps what was set of the fields that cannot be read; null: not set any more.
    pub(super) async fn keep(&self, target: &Target<'_>, bot: i64, set: &Value) -> Result<(), Problem> {
        let body = json!({ "portal": target.portal, "bot": bot, "set": set });
        self.tell(target, "/api/v1/bots/applied", &body).await
    }

    /// The bot is gone from its portal.
    pub(super) async fn forget(&self, target: &Target<'_>, bot: i64) -> Result<(), Problem> {
        let body = json!({ "portal": target.portal, "bot": bot });
        self.tell(target, "/api/v1/bots/forget", &body).await
    }

    /// Whether what the portal posts would reach the running server: a probe goes the way that events go.
    pub(super) async fn way_is_open(&self, target: &Target<'_>, url: &str) -> Result<(), Problem> {
        let closed = |why: String| {
            let text = format!(
                "{}: it stays in fetch mode, in which no event is lost: {why}",
                target.name()
            );
            Problem::new(exit::REFUSED, text)
        };
        if matches!(self.beside, Beside::Alone(_)) {
            let why = "no server is running that would take what the portal posts; start it, then run this again";
            return Err(closed(why.to_owned()));
        }
        let tried = probe::round_trip(self.beside, url, &Way::default()).await;
        tried.map_err(|stray| {
            closed(format!(
                "what the portal posts to {url} would not arrive ({}: {}); {} `imbot doctor` checks the whole way",
                stray.kind.name, stray.detail, stray.kind.remedy
            ))
        })
    }

    /// Lets the server switch how the bot's events come: it sees to it that none is lost meanwhile.
    pub(super) async fn switch(&self, target: &Target<'_>, bot: i64, mode: &str) -> Result<(), Problem> {
        let body = json!({ "portal": target.portal, "bot": bot, "mode": mode });
        let path = "/api/v1/event-mode";
        let asked = self.beside.ask(Method::POST, path, Some(&body), WAIT + SENDING).await;
        match asked {
            Ok(_) => Ok(()),
            Err(Trouble::Refused { reason, .. }) if reason.is_empty() => {
                let text = format!(
                    "{}: its event mode stays as it is: the running server is too old to switch it to {mode}; update and restart \
                     the server, then run this again",
                    target.name()
                );
                Err(Problem::new(exit::REFUSED, text))
            }
            Err(trouble) => Err(Problem::of_call(&target.name(), &trouble)),
        }
    }

    async fn tell(&self, target: &Target<'_>, path: &str, body: &Value) -> Result<(), Problem> {
        let told = self.beside.post(path, body).await;
        told.map(drop)
            .map_err(|trouble| Problem::of_call(&target.name(), &trouble))
    }
}
