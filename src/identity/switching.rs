//! A bot's events come another way: posted to the door, or fetched from the portal's queue. Both ways are open until what
//! was on the old one has come; what comes both ways is one event by its key. Each state is on disk before its step.

use super::changes::{Changes, Key};
use super::identities::Identities;
use super::site::SiteBot;
use super::unchanged::Unchanged;
use crate::rest::{AskError, Executed};
use crate::store::{StoreError, Switching};
use crate::types::{PortalId, SecretSource, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// How long both ways are open at least once the portal has been told.
pub(super) const OVERLAP: Duration = Duration::from_secs(900);
const UPDATE: &str = "imbot.v2.Bot.update";

impl Changes {
    /// Has a bot's events (by code or number) come the other way from now on. Asked again for the same it changes nothing.
    /// That its address is reached is for the caller to make sure. In a task of its own, as a rotation.
    ///
    /// # Errors
    /// [`Unchanged`] says why not; events come as before.
    pub(crate) async fn switch(&self, portal: PortalId, bot: &str, fetch: bool) -> Result<Value, Unchanged> {
        let number = self.0.identities.bot_called(portal, bot);
        let number = number.ok_or_else(|| Unchanged::NoBot(bot.to_owned()))?;
        let changes = self.clone();
        let task = tokio::spawn(async move {
            let _busy = changes.take((portal, number)).ok_or(Unchanged::Busy)?;
            changes.switch_alone((portal, number), fetch).await
        });
        task.await.unwrap_or(Err(Unchanged::Broke))
    }

    async fn switch_alone(&self, key: Key, fetch: bool) -> Result<Value, Unchanged> {
        let identities = &self.0.identities;
        let bot = identities.bot(key).ok_or_else(|| Unchanged::NoBot(key.1.to_string()))?;
        let before = bot.switching;
        if before.is_some_and(|before| before.fetch == fetch && before.told.is_some()) {
            return Ok(identities.mode_of(key));
        }
        if !fetch && bot.event_url.is_none() {
            return Err(Unchanged::NoAddress);
        }
        let both = Switching {
            fetch,
            began: identities.0.clock.now(),
            told: None,
            finished: None,
        };
        identities.keep_switching(key, Some(both)).await?;
        match self.tell(key).await {
            Ok(()) => Ok(identities.mode_of(key)),
            Err(Unchanged::Unasked(AskError::Stopping)) => Ok(identities.mode_of(key)),
            Err(Unchanged::Refused(fault)) if fault.executed == Executed::Unknown => {
                let pause = self.failed(key);
                tracing::warn!(
                    bot = key.1, %fault, again_in_s = pause.as_secs(),
                    "nobody knows whether the portal switched bot {}: both ways are open, and it is told again", key.1
                );
                Ok(identities.mode_of(key))
            }
            Err(why) => {
                identities.keep_switching(key, before).await?;
                Err(why)
            }
        }
    }

    /// Tells the portal where the events shall go. Saying it twice does no harm.
    async fn tell(&self, key: Key) -> Result<(), Unchanged> {
        let identities = &self.0.identities;
        let Some((bot, switching)) = identities.bot(key).and_then(|bot| Some((bot.clone(), bot.switching?))) else {
            return Ok(());
        };
        let fields = if switching.fetch {
            json!({ "eventMode": "fetch" })
        } else {
            let url = bot.event_url.ok_or(Unchanged::NoAddress)?;
            json!({ "eventMode": "webhook", "webhookUrl": url })
        };
        let params = json!({ "botId": key.1, "fields": fields });
        match self.ask(key, UPDATE, params, None).await {
            Ok(_) => {}
            Err(AskError::Fault(fault)) => return Err(Unchanged::Refused(fault)),
            Err(error) => return Err(Unchanged::Unasked(error)),
        }
        let told = Switching {
            told: Some(identities.0.clock.now()),
            ..switching
        };
        identities.keep_switching(key, Some(told)).await?;
        tracing::info!(
            portal = identities.name(key.0),
            bot = key.1,
            fetch = switching.fetch,
            "the portal was told how events of bot {} shall come; both ways are open for {} minutes or more",
            key.1,
            OVERLAP.as_secs() / 60
        );
        Ok(())
    }

    /// The same as a step of its own, after a crash or an unknown outcome.
    pub(super) async fn tell_by_itself(&self, key: Key) -> Result<(), String> {
        self.tell(key).await.map_err(|why| why.to_string())
    }

    /// Events were fetched so far, and the configuration says otherwise: what does the portal do?
    pub(super) async fn verify(&self, key: Key) -> Result<(), String> {
        let identities = &self.0.identities;
        let answer = self.ask(key, "imbot.v2.Bot.get", json!({ "botId": key.1 }), None).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let posted = answer["bot"]["eventMode"] == "webhook";
        let now = identities.0.clock.now();
        let found = Switching {
            fetch: !posted,
            began: now,
            told: Some(now),
            finished: (!posted).then_some(now),
        };
        let kept = identities.keep_switching(key, Some(found)).await;
        kept.map_err(|error| error.to_string())
    }
}

impl Identities {
    /// On disk first, then in use.
    async fn keep_switching(&self, key: Key, switching: Option<Switching>) -> Result<(), StoreError> {
        self.0.store.keep_switching(key, switching).await?;
        {
            let mut kept = self.kept();
            kept.dry.remove(&key);
            match switching {
                Some(switching) => drop(kept.switchings.insert(key, switching)),
                None => drop(kept.switchings.remove(&key)),
            }
        }
        self.change_bot(key, |bot| bot.switching = switching);
        Ok(())
    }

    /// Puts on disk what was assumed while the configuration was read.
    pub(super) async fn save_assumed(&self, key: Key) -> Result<(), String> {
        let assumed = self.kept().switchings.get(&key).copied();
        let saved = self.0.store.keep_switching(key, assumed).await;
        saved.map_err(|error| error.to_string())?;
        self.kept().unsaved.remove(&key);
        Ok(())
    }

    /// Only the new way is used from now on.
    pub(super) async fn finish_switch(&self, key: Key) -> Result<(), String> {
        let Some(switching) = self.bot(key).and_then(|bot| bot.switching) else {
            return Ok(());
        };
        let finished = Switching {
            finished: Some(self.0.clock.now()),
            ..switching
        };
        let kept = self.keep_switching(key, Some(finished)).await;
        kept.map_err(|error| error.to_string())?;
        let how = if switching.fetch { "fetched" } else { "posted" };
        tracing::info!(bot = key.1, "the switch of bot {} is over: its events are {how}", key.1);
        Ok(())
    }

    /// Polls of a bot have found nothing since then, two or more in a row. Where its events are to be posted, and have
    /// been for long enough, it is not polled any more.
    pub(crate) fn polled_dry(&self, portal: PortalId, bot: i64, since: Timestamp) {
        let key = (portal, bot);
        let switching = self.bot(key).and_then(|bot| bot.switching);
        let Some(Switching {
            fetch: false,
            told: Some(told),
            finished: None,
            ..
        }) = switching
        else {
            return;
        };
        if since >= told && self.0.clock.now() >= told + OVERLAP && self.kept().dry.insert(key) {
            // Wakes who carries changes on.
            self.change_bot(key, |_| {});
        }
    }

    /// The way of a bot's events as the operator's API shows it.
    pub(crate) fn mode_of(&self, key: Key) -> Value {
        let Some(bot) = self.bot(key) else { return Value::Null };
        let mut view = bot.mode_view();
        view["bot"] = key.1.into();
        view["portal"] = self.name(key.0).into();
        view
    }
}

fn mode(fetch: bool) -> &'static str {
    if fetch { "fetch" } else { "webhook" }
}

impl SiteBot {
    /// As [`Identities::mode_of`].
    pub(crate) fn mode_view(&self) -> Value {
        let target = self.switching.map_or(self.fetches, |switching| switching.fetch);
        let (state, since) = match self.switching {
            None => ("as_configured", None),
            Some(Switching {
                finished: Some(since), ..
            }) => ("finished", Some(since)),
            Some(Switching { told: Some(since), .. }) => ("told", Some(since)),
            Some(Switching { began, .. }) => ("both", Some(began)),
        };
        json!({
            "mode": mode(target),
            "state": state,
            "since": since.map(Timestamp::rfc3339),
            "configured": mode(self.fetches),
            "polled": self.polls(),
        })
    }

    /// What of it differs from the configuration, a sentence each, with what to do.
    pub(crate) fn differences(&self, portal: &str, number: i64) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(rotation) = &self.rotation {
            let place = &self.token_source;
            if rotation.done.is_none() {
                found.push(format!(
                    "bot {number} of {portal}: its token is being changed and the portal has not said yet which one it has; \
                     its calls wait"
                ));
            } else if self.bot_token.as_ref() != Some(&rotation.new) {
                let how = match place {
                    SecretSource::File(_) => "make the file and its folder writable for imbot and reload",
                    _ => {
                        "write bot_token = { file = \"…\" } with the old token in that file and reload: imbot puts the new one there"
                    }
                };
                found.push(format!(
                    "bot {number} of {portal}: the stored token is used, not the configured one, which the portal does not \
                     know any more. It is to be changed in {place}: {how}"
                ));
            }
        }
        let agrees = self.switching.is_none_or(|switching| switching.fetch == self.fetches);
        if !agrees {
            found.push(format!(
                "bot {number} of {portal}: event_mode is {} in the configuration, and the portal has {}: `imbot register \
                 --apply` switches it, or change event_mode",
                mode(self.fetches),
                mode(!self.fetches)
            ));
        }
        found
    }
}
