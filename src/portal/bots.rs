//! What happens to bots and applications themselves, and bare form bodies of events for load tests and replay.

use super::Portal;
use super::config::{AppConfig, AppSeed, Owner};
use super::error::PortalError;
use super::event::{Happening, install, uninstall, update};
use super::model::Message;
use super::sender::{Delivery, Outgoing};
use super::state::State;
use crate::types::Secret;

impl Portal {
    /// Removes a bot: its last event goes out, then every call for it is `BOT_NOT_FOUND`.
    ///
    /// # Errors
    /// There is no such bot.
    pub async fn delete_bot(&self, bot_id: i64) -> Result<Vec<Delivery>, PortalError> {
        let event = {
            let mut state = self.shared().state();
            let state = &mut state.portal;
            let actor = Some(self.shared().config.webhook_user);
            if !state.bots.contains_key(&bot_id) {
                return Err(PortalError::UnknownBot(bot_id));
            }
            let now = self.shared().config.clock.now();
            let event = state.compose(bot_id, (None, actor), &Happening::Delete, now);
            state.remove_bot(bot_id);
            event
        };
        Ok(self.shared().deliver(event.into_iter().collect()).await)
    }

    /// Sends `ONAPPINSTALL` of the bot's application, with the installer's tokens.
    ///
    /// # Errors
    /// There is no such bot, or a webhook registered it.
    pub async fn install(&self, bot_id: i64) -> Result<Vec<Delivery>, PortalError> {
        let (app, url) = application(&self.shared().state().portal, bot_id)?;
        Ok(self.shared().deliver(vec![self.installed(&app, bot_id, url)]).await)
    }

    /// Installs an application, new or again, and sends `ONAPPINSTALL` to its handler.
    pub async fn install_app(&self, app: AppConfig) -> Vec<Delivery> {
        self.shared().state().portal.add_app(&app);
        let seed = AppSeed {
            client_id: app.client_id,
            access_token: Secret::new(""),
            application_token: app.application_token,
            scope: app.scope,
        };
        self.shared()
            .deliver(vec![self.installed(&seed, 0, app.handler_url)])
            .await
    }

    fn installed(&self, app: &AppSeed, bot_id: i64, url: Option<String>) -> Outgoing {
        let config = &self.shared().config;
        let (now, installer) = (config.clock.now(), config.webhook_user);
        let mut state = self.shared().state();
        if let Some(app) = state.portal.apps.get_mut(&app.client_id) {
            app.active = true;
        }
        let tokens = state.portal.tokens_of(app, None, installer, now);
        let proof = app.application_token.expose();
        let site = &state.portal.site;
        Outgoing {
            bot_id,
            event: "ONAPPINSTALL",
            body: install(site, &config.language, now.unix_seconds(), &tokens, proof),
            url,
        }
    }

    /// Sends `ONAPPUPDATE` of the bot's application: new tokens and, from now on, this application token.
    ///
    /// # Errors
    /// There is no such bot, or a webhook registered it.
    pub async fn update_app(&self, bot_id: i64, application_token: &str) -> Result<Vec<Delivery>, PortalError> {
        let event = {
            let config = &self.shared().config;
            let (now, installer) = (config.clock.now(), config.webhook_user);
            let mut state = self.shared().state();
            let state = &mut state.portal;
            let (app, url) = application(state, bot_id)?;
            let fresh = Secret::new(application_token);
            if let Some(app) = state.apps.get_mut(&app.client_id) {
                app.application_token = fresh.clone();
            }
            for bot in state.bots.values_mut() {
                match &mut bot.owner {
                    Owner::App(own) if own.client_id == app.client_id => own.application_token = fresh.clone(),
                    _ => {}
                }
            }
            let tokens = state.mint(&app, installer, now);
            let (site, ts) = (&state.site, now.unix_seconds());
            Outgoing {
                bot_id,
                event: "ONAPPUPDATE",
                body: update(site, &config.language, ts, &tokens, application_token),
                url,
            }
        };
        Ok(self.shared().deliver(vec![event]).await)
    }

    /// Sends `ONAPPUNINSTALL` of the bot's application; its tokens are dead from then on.
    ///
    /// # Errors
    /// There is no such bot, or a webhook registered it.
    pub async fn uninstall(&self, bot_id: i64) -> Result<Vec<Delivery>, PortalError> {
        let event = {
            let config = &self.shared().config;
            let ts = config.clock.now().unix_seconds();
            let mut state = self.shared().state();
            let (app, url) = application(&state.portal, bot_id)?;
            if let Some(app) = state.portal.apps.get_mut(&app.client_id) {
                app.active = false;
            }
            state.portal.forget_rows(&app.client_id);
            let proof = app.application_token.expose();
            Outgoing {
                bot_id,
                event: "ONAPPUNINSTALL",
                body: uninstall(&state.portal.site, &config.language, ts, proof),
                url,
            }
        };
        Ok(self.shared().deliver(vec![event]).await)
    }

    /// The form body of a message to a bot in private, under an id of the caller's choice. Nothing is stored or sent.
    ///
    /// # Errors
    /// There is no such bot.
    pub fn message_event(
        &self,
        bot_id: i64,
        user_id: i64,
        message_id: i64,
        text: &str,
    ) -> Result<Vec<u8>, PortalError> {
        let mut state = self.shared().state();
        let state = &mut state.portal;
        let message = self.imagined(state, bot_id, user_id, message_id, text)?;
        let scene = (Some(message.chat), Some(user_id));
        let now = self.shared().config.clock.now();
        let event = state.compose(bot_id, scene, &Happening::MessageAdd(&message), now);
        event.map(|event| event.body).ok_or(PortalError::UnknownBot(bot_id))
    }

    /// The form body of a typed slash command (`name` without its slash) in private, under an id of the caller's
    /// choice. Nothing is stored or sent, but the command may be answered.
    ///
    /// # Errors
    /// There is no such bot or command.
    pub fn command_event(
        &self,
        bot_id: i64,
        user_id: i64,
        message_id: i64,
        (name, params): (&str, &str),
    ) -> Result<Vec<u8>, PortalError> {
        let mut state = self.shared().state();
        let state = &mut state.portal;
        let command = state.command_named(bot_id, name)?;
        let text = format!("/{name} {params}");
        let message = self.imagined(state, bot_id, user_id, message_id, text.trim())?;
        let now = self.shared().config.clock.now();
        let event = state.raise_command(user_id, &message, &command, (params, "textarea"), now);
        event.map(|event| event.body).ok_or(PortalError::UnknownBot(bot_id))
    }

    fn imagined(&self, state: &mut State, bot: i64, user: i64, id: i64, text: &str) -> Result<Message, PortalError> {
        if !state.bots.contains_key(&bot) {
            return Err(PortalError::UnknownBot(bot));
        }
        let chat = state.enter(user, &bot.to_string())?;
        Ok(Message {
            id,
            ..Message::new(chat, user, text, self.shared().config.clock.now())
        })
    }
}

fn application(state: &State, bot: i64) -> Result<(AppSeed, Option<String>), PortalError> {
    let found = state.bots.get(&bot).ok_or(PortalError::UnknownBot(bot))?;
    match &found.owner {
        Owner::App(app) => Ok((app.clone(), found.webhook_url.clone())),
        Owner::Webhook { .. } => Err(PortalError::NoApplication(bot)),
    }
}
