//! A bot gets a new token: planned on disk, told to the portal, done. In between nobody knows which token the portal
//! has, so the bot's calls wait and events are good with either; one question with each token settles it, also after a
//! crash. No token leaves this process but to the portal and into the file that the configuration names.

use super::changes::{Changes, Key};
use super::identities::Identities;
use super::site::SiteBot;
use super::unchanged::Unchanged;
use super::written::rewrite;
use crate::rest::{AskError, Class, Executed, TokenChange};
use crate::store::{Rotation, StoreError};
use crate::types::{PortalId, Secret, SecretSource, Timestamp};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// How long events under the token before are good: they may be on their way.
const OVERLAP: Duration = Duration::from_secs(600);
/// A new token is this many random bytes, written as twice as many hexadecimal digits: the longest that Bitrix24 takes.
const RANDOM: usize = 20;
const UPDATE: &str = "imbot.v2.Bot.update";
/// Refused to anybody but the bot's owner, without consequences. `Bot.get` tells a stranger the short form instead.
const QUESTION: &str = "imbot.v2.Command.list";

/// Which token the portal has.
enum Found {
    New,
    Old,
    /// The one that is configured now, which is neither.
    Configured,
    /// Another one than we know.
    Neither,
}

impl Changes {
    /// Gives a bot (by code or number) a new token. In a task of its own: a caller who gives up leaves nothing half done.
    ///
    /// # Errors
    /// [`Unchanged`] says why not; the token before stays.
    pub(crate) async fn rotate(&self, portal: PortalId, bot: &str) -> Result<Value, Unchanged> {
        let bot = self.0.identities.bot_called(portal, bot).ok_or_else(|| no_bot(bot))?;
        let changes = self.clone();
        let task = tokio::spawn(async move {
            let _busy = changes.take((portal, bot)).ok_or(Unchanged::Busy)?;
            changes.rotate_alone((portal, bot)).await
        });
        task.await.unwrap_or(Err(Unchanged::Broke))
    }

    async fn rotate_alone(&self, key: Key) -> Result<Value, Unchanged> {
        let identities = &self.0.identities;
        let mut bot = identities.bot(key).ok_or_else(|| no_bot(&key.1.to_string()))?;
        if bot.is_held() {
            // One that was begun before is brought to its end first.
            if !self.settle(key).await? {
                return Ok(identities.rotation_of(key, false));
            }
            bot = identities.bot(key).ok_or_else(|| no_bot(&key.1.to_string()))?;
        }
        let (Some(old), Some(configured), true) = (
            bot.token().cloned(),
            bot.bot_token.clone(),
            identities
                .site(key.0)
                .is_some_and(|site| site.incoming_webhook.is_some()),
        ) else {
            return Err(Unchanged::NoToken);
        };
        let (now, before) = (identities.0.clock.now(), bot.rotation.clone());
        let planned = Rotation {
            old: old.clone(),
            new: self.fresh()?,
            configured: before.as_ref().map_or(configured, |before| before.configured.clone()),
            former: before
                .as_ref()
                .map(|before| still_good(before, now))
                .unwrap_or_default(),
            planned: now,
            done: None,
        };
        identities.keep_rotation(key, Some(planned.clone())).await?;
        let change = TokenChange {
            token: old,
            to: Some(planned.new.clone()),
        };
        let told = self
            .ask(key, UPDATE, json!({ "botId": key.1, "fields": {} }), Some(change))
            .await;
        match told {
            Ok(_) => self.rotated(key).await,
            Err(AskError::Stopping) => Ok(identities.rotation_of(key, false)),
            // It may have been carried out, by this request or by one that somebody on the way repeated.
            Err(AskError::Fault(fault)) if fault.executed == Executed::Unknown || fault.class == Class::Bot => {
                match self.asked(key, &planned).await {
                    Ok(Found::New) => self.rotated(key).await,
                    Ok(Found::Old | Found::Configured) => self.back(key, before, Unchanged::NotDone).await,
                    Ok(Found::Neither) if fault.executed == Executed::No => {
                        self.back(key, before, Unchanged::Refused(fault)).await
                    }
                    Ok(Found::Neither) | Err(_) => {
                        self.failed(key);
                        Ok(identities.rotation_of(key, false))
                    }
                }
            }
            Err(AskError::Fault(fault)) => self.back(key, before, Unchanged::Refused(fault)).await,
            Err(error) => self.back(key, before, Unchanged::Unasked(error)).await,
        }
    }

    /// The portal has the new token.
    async fn rotated(&self, key: Key) -> Result<Value, Unchanged> {
        self.0.identities.rotation_done(key).await?;
        let rewritten = self.align(key).await.unwrap_or_else(|why| {
            tracing::warn!(bot = key.1, "{why}");
            false
        });
        Ok(self.0.identities.rotation_of(key, rewritten))
    }

    /// The portal surely has the token before.
    async fn back(&self, key: Key, before: Option<Rotation>, why: Unchanged) -> Result<Value, Unchanged> {
        self.0.identities.keep_rotation(key, before).await?;
        Err(why)
    }

    fn fresh(&self) -> Result<Secret, Unchanged> {
        let mut random = [0_u8; RANDOM];
        (self.0.random)(&mut random).map_err(Unchanged::Random)?;
        Ok(Secret::new(
            random.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        ))
    }

    /// Asks which token the portal has.
    async fn asked(&self, key: Key, planned: &Rotation) -> Result<Found, AskError> {
        let configured = self.0.identities.bot(key).and_then(|bot| bot.bot_token);
        let other = configured.filter(|token| ![&planned.new, &planned.old].contains(&token));
        let mut tokens = vec![(planned.new.clone(), Found::New), (planned.old.clone(), Found::Old)];
        tokens.extend(other.map(|token| (token, Found::Configured)));
        for (token, found) in tokens {
            let change = TokenChange { token, to: None };
            match self.ask(key, QUESTION, json!({ "botId": key.1 }), Some(change)).await {
                Ok(_) => return Ok(found),
                Err(AskError::Fault(fault)) if fault.class == Class::Bot => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Found::Neither)
    }

    /// Finds out which token the portal has. False: it could not be asked, or has another one.
    async fn settle(&self, key: Key) -> Result<bool, Unchanged> {
        let planned = self.0.identities.bot(key).and_then(|bot| bot.rotation);
        let Some(planned) = planned.filter(|planned| planned.done.is_none()) else {
            return Ok(true);
        };
        match self.asked(key, &planned).await {
            Ok(Found::New) => {
                self.rotated(key).await?;
                Ok(true)
            }
            Ok(Found::Old) => {
                // Where an earlier change is still known, its token is the one that was found.
                let earlier = (planned.old != planned.configured).then(|| Rotation {
                    old: planned.configured.clone(),
                    new: planned.old.clone(),
                    done: Some(planned.planned),
                    ..planned
                });
                self.0.identities.keep_rotation(key, earlier).await?;
                Ok(true)
            }
            Ok(Found::Configured) => {
                self.0.identities.keep_rotation(key, None).await?;
                Ok(true)
            }
            Ok(Found::Neither) => {
                tracing::error!(
                    bot = key.1,
                    "the portal knows bot {} by neither the old nor the new token: write the one it has into the configuration \
                     and reload; its calls wait",
                    key.1
                );
                Ok(false)
            }
            Err(error) => {
                tracing::warn!(bot = key.1, %error, "nobody knows yet which token the portal has for bot {}", key.1);
                Ok(false)
            }
        }
    }

    /// The same as a step of its own.
    pub(super) async fn settle_by_itself(&self, key: Key) -> Result<(), String> {
        match self.settle(key).await {
            Ok(true) => {
                tracing::info!(
                    bot = key.1,
                    "it is settled which token the portal has for bot {}",
                    key.1
                );
                Ok(())
            }
            Ok(false) => Err("which token the portal has is not known; calls of the bot wait".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Forgets tokens whose time is over, and the whole change once the configuration has the token in use.
    pub(super) async fn tidy(&self, key: Key) -> Result<(), String> {
        let identities = &self.0.identities;
        let Some(bot) = identities.bot(key) else { return Ok(()) };
        let Some(rotation) = bot.rotation.clone() else {
            return Ok(());
        };
        let former = still_good(&rotation, identities.0.clock.now());
        let agreed = former.is_empty() && bot.bot_token.as_ref() == Some(&rotation.new);
        let next = (!agreed).then_some(Rotation { former, ..rotation });
        let kept = identities.keep_rotation(key, next).await;
        kept.map_err(|error| error.to_string())
    }

    /// Whether the token in use is still to be written into the file that the configuration names.
    pub(super) fn may_align(&self, bot: &SiteBot, rotation: &Rotation) -> bool {
        let old = bot
            .bot_token
            .as_ref()
            .is_some_and(|token| *token == rotation.configured || *token == rotation.old);
        let waits = matches!(&bot.token_source, SecretSource::File(_)) && old && rotation.new != rotation.old;
        waits && !bot.unwritable
    }

    /// Writes the token in use into the file that the configuration names, if that still holds the one before. True: it
    /// was written.
    pub(super) async fn align(&self, key: Key) -> Result<bool, String> {
        let Some(bot) = self.0.identities.bot(key) else {
            return Ok(false);
        };
        let (Some(rotation), SecretSource::File(path)) = (bot.rotation.clone(), bot.token_source.clone()) else {
            return Ok(false);
        };
        if rotation.done.is_none() || !self.may_align(&bot, &rotation) {
            return Ok(false);
        }
        let (file, new) = (path.clone(), rotation.new.clone());
        let before = [rotation.configured.clone(), rotation.old.clone()];
        let written = tokio::task::spawn_blocking(move || rewrite(&file, &before, &new)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        match written {
            Ok(true) => {
                self.0.identities.configured_anew(key, &rotation.new);
                Ok(true)
            }
            // Somebody has written another one: theirs to say which is right, at the next reload.
            Ok(false) => {
                self.0.identities.unwritable(key);
                Ok(false)
            }
            Err(error) => {
                self.0.identities.unwritable(key);
                Err(format!(
                    "the new token of bot {} could not be written into {}: {error}; make the file and its folder writable \
                     for imbot and reload (SIGHUP). The stored token is used",
                    key.1,
                    path.display()
                ))
            }
        }
    }
}

impl Identities {
    pub(super) fn bot(&self, (portal, bot): Key) -> Option<SiteBot> {
        self.site(portal)?.bots.get(&bot).cloned()
    }

    /// On disk first, then in use.
    async fn keep_rotation(&self, key: Key, rotation: Option<Rotation>) -> Result<(), StoreError> {
        self.0.store.keep_rotation(key, rotation.clone()).await?;
        match &rotation {
            Some(rotation) => drop(self.kept().rotations.insert(key, rotation.clone())),
            None => drop(self.kept().rotations.remove(&key)),
        }
        self.change_bot(key, |bot| bot.rotation = rotation);
        Ok(())
    }

    async fn rotation_done(&self, key: Key) -> Result<(), StoreError> {
        let Some(mut rotation) = self.bot(key).and_then(|bot| bot.rotation) else {
            return Ok(());
        };
        let now = self.0.clock.now();
        rotation.former.push((rotation.old.clone(), now + OVERLAP));
        rotation.done = Some(now);
        self.keep_rotation(key, Some(rotation)).await?;
        tracing::info!(
            portal = self.name(key.0),
            bot = key.1,
            "bot {} has a new token; events under the one before are taken for {} minutes",
            key.1,
            OVERLAP.as_secs() / 60
        );
        Ok(())
    }

    pub(super) fn change_bot(&self, (portal, bot): Key, change: impl FnOnce(&mut SiteBot)) {
        self.0.table.change(portal, |site| {
            if let Some(bot) = site.bots.get_mut(&bot) {
                change(bot);
            }
        });
    }

    /// The configuration names this token from now on.
    fn configured_anew(&self, key: Key, token: &Secret) {
        self.change_bot(key, |bot| {
            let before = bot.bot_token.replace(token.clone());
            let derived = before.map(|before| before.proof_of_bot());
            if bot.event_token == derived {
                bot.event_token = Some(token.proof_of_bot());
            }
        });
    }

    /// Not tried again before the configuration is read again.
    fn unwritable(&self, key: Key) {
        self.change_bot(key, |bot| bot.unwritable = true);
    }

    /// The change of a bot's token as the operator's API shows it; null: there is none. Shows no token.
    pub(crate) fn rotation_of(&self, key: Key, rewritten: bool) -> Value {
        let Some(bot) = self.bot(key) else { return Value::Null };
        let mut view = bot.token_view();
        if !view.is_null() {
            view["bot"] = key.1.into();
            view["portal"] = self.name(key.0).into();
            view["rewritten"] = rewritten.into();
        }
        view
    }
}

impl SiteBot {
    /// As [`Identities::rotation_of`].
    pub(crate) fn token_view(&self) -> Value {
        let Some(rotation) = &self.rotation else {
            return Value::Null;
        };
        let last = rotation.former.iter().map(|(_, until)| *until).max();
        json!({
            "state": if rotation.done.is_some() { "done" } else { "planned" },
            "since": rotation.done.unwrap_or(rotation.planned).rfc3339(),
            "agrees": self.bot_token.as_ref() == Some(&rotation.new),
            "place": self.token_source.to_string(),
            "oldUntil": last.map(Timestamp::rfc3339),
        })
    }
}

fn no_bot(name: &str) -> Unchanged {
    Unchanged::NoBot(name.to_owned())
}

fn still_good(rotation: &Rotation, now: Timestamp) -> Vec<(Secret, Timestamp)> {
    let former = rotation.former.iter();
    former.filter(|(_, until)| now < *until).cloned().collect()
}
