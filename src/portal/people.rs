//! What people do on the portal: write, press a button, react, invite. Each changes the state, raises the events of
//! the bots that hear of it and sends them. Never answers a bot's call.

use super::Portal;
use super::error::PortalError;
use super::event::Happening;
use super::sender::{Delivery, Outgoing, Sent};
use super::shared::Locked;
use super::state::{ChatKind, Command, Message, State, User, group_id, number};
use serde_json::Value;
use std::collections::BTreeSet;

impl Portal {
    /// Adds or renames a user. Users who say something are there by themselves, as `User 27`.
    pub fn add_user(&self, id: i64, name: &str) {
        let user = User::new(id, name, false);
        self.shared().state().portal.users.insert(id, user);
    }

    /// Adds a group chat `chatID`, or members to it. The first member owns it.
    pub fn add_chat(&self, id: i64, members: &[i64]) {
        let owner = members.first().copied().unwrap_or_default();
        let mut state = self.shared().state();
        let chat = state.portal.group_on_demand(id, owner, BTreeSet::new());
        chat.members.extend(members);
    }

    /// A user writes `text` to the dialog: to a bot (`"456"`) or in a group (`"chat5"`). User and chat are made if
    /// they are new; a new group holds the user and every bot. Bots hear it in private and where they are mentioned
    /// (`[USER=456]…`); a message that starts with a bot's slash command raises that instead.
    ///
    /// # Errors
    /// The dialog is neither a bot nor a group.
    pub async fn say(&self, user_id: i64, dialog: &str, text: &str) -> Result<Sent, PortalError> {
        let (message_id, events) = {
            let mut state = self.shared().state();
            let chat = state.portal.enter(user_id, dialog)?;
            let now = self.shared().config.clock.now();
            let message_id = state.portal.store(Message::new(chat, user_id, text, now));
            (message_id, self.raised_by(&mut state, message_id))
        };
        let deliveries = self.shared().deliver(events).await;
        Ok(Sent { message_id, deliveries })
    }

    /// A user presses a command button of a bot's message.
    ///
    /// # Errors
    /// There is no such message, no such button on it, or the bot has no such command.
    pub async fn press(&self, user_id: i64, message_id: i64, button: &str) -> Result<Sent, PortalError> {
        let events = {
            let mut state = self.shared().state();
            let message = state.portal.message(message_id)?;
            let pressed = message.keyboard.iter().find(|candidate| candidate["TEXT"] == button);
            let unknown = || PortalError::UnknownButton {
                message: message_id,
                button: button.to_owned(),
            };
            let pressed = pressed.ok_or_else(unknown)?;
            let name = pressed["COMMAND"].as_str().ok_or_else(unknown)?;
            let params = pressed["COMMAND_PARAMS"].as_str().unwrap_or_default();
            let bot = message.bot.ok_or_else(unknown)?;
            let command = state.portal.command_named(bot, name)?;
            state.portal.user_on_demand(user_id);
            let event = self.command(&mut state.portal, user_id, &message, &command, (params, "keyboard"));
            event.into_iter().collect()
        };
        let deliveries = self.shared().deliver(events).await;
        Ok(Sent { message_id, deliveries })
    }

    /// A user changes the text of a message.
    ///
    /// # Errors
    /// There is no such message.
    pub async fn edit(&self, message_id: i64, text: &str) -> Result<Vec<Delivery>, PortalError> {
        let events = {
            let mut state = self.shared().state();
            let message = state.portal.messages.get_mut(&message_id);
            let message = message.ok_or(PortalError::UnknownMessage(message_id))?;
            text.clone_into(&mut message.text);
            message.edited = true;
            let message = message.clone();
            self.to_hearers(&mut state.portal, &message, &Happening::MessageUpdate(&message))
        };
        Ok(self.shared().deliver(events).await)
    }

    /// A user deletes a message.
    ///
    /// # Errors
    /// There is no such message.
    pub async fn delete_message(&self, message_id: i64) -> Result<Vec<Delivery>, PortalError> {
        let events = {
            let mut state = self.shared().state();
            let message = state.portal.messages.remove(&message_id);
            let message = message.ok_or(PortalError::UnknownMessage(message_id))?;
            self.to_hearers(&mut state.portal, &message, &Happening::MessageDelete(message_id))
        };
        Ok(self.shared().deliver(events).await)
    }

    /// A user sets (or takes back) a reaction, for example `like`, on a bot's message.
    ///
    /// # Errors
    /// There is no such message, or no bot wrote it.
    pub async fn react(
        &self,
        user_id: i64,
        message_id: i64,
        reaction: &str,
        added: bool,
    ) -> Result<Vec<Delivery>, PortalError> {
        let events = {
            let mut state = self.shared().state();
            let state = &mut state.portal;
            state.user_on_demand(user_id);
            let message = state.messages.get_mut(&message_id);
            let message = message.ok_or(PortalError::UnknownMessage(message_id))?;
            message.viewed = true;
            let message = message.clone();
            let bot = message.bot.ok_or(PortalError::UnknownMessage(message_id))?;
            let happening = Happening::ReactionChange {
                reaction,
                added,
                message: &message,
            };
            let scene = (Some(message.chat), Some(user_id));
            self.shared()
                .compose(state, bot, scene, &happening)
                .into_iter()
                .collect()
        };
        Ok(self.shared().deliver(events).await)
    }

    /// A user brings a bot into a dialog: into `chatN`, or opens its private chat (`dialog` is then the bot's id).
    ///
    /// # Errors
    /// There is no such bot or dialog.
    pub async fn join(&self, user_id: i64, bot_id: i64, dialog: &str) -> Result<Vec<Delivery>, PortalError> {
        let events = self.in_dialog(user_id, bot_id, dialog, &Happening::JoinChat)?;
        Ok(self.shared().deliver(events).await)
    }

    /// A user opens a bot with a context, free JSON.
    ///
    /// # Errors
    /// There is no such bot.
    pub async fn context(&self, user_id: i64, bot_id: i64, context: &Value) -> Result<Vec<Delivery>, PortalError> {
        let happening = Happening::ContextGet(context);
        let events = self.in_dialog(user_id, bot_id, &bot_id.to_string(), &happening)?;
        Ok(self.shared().deliver(events).await)
    }

    /// The event of a message that raises one, or several where it names a command that several bots have.
    fn raised_by(&self, state: &mut Locked, message_id: i64) -> Vec<Outgoing> {
        let state = &mut state.portal;
        let Some(message) = state.messages.get(&message_id).cloned() else {
            return Vec::new();
        };
        if let Some((name, params)) = slash(&message.text) {
            let commands = state.commands_in(message.chat, name);
            if !commands.is_empty() {
                let raise = |command| self.command(state, message.author, &message, &command, (params, "textarea"));
                return commands.into_iter().filter_map(raise).collect();
            }
        }
        self.to_hearers(state, &message, &Happening::MessageAdd(&message))
    }

    fn to_hearers(&self, state: &mut State, message: &Message, happening: &Happening<'_>) -> Vec<Outgoing> {
        let scene = (Some(message.chat), Some(message.author));
        let hearers = state.hearers(message).into_iter();
        hearers
            .filter_map(|bot| self.shared().compose(state, bot, scene, happening))
            .collect()
    }

    /// The event of a slash command, and the right to answer it.
    pub(super) fn command(
        &self,
        state: &mut State,
        user: i64,
        message: &Message,
        command: &Command,
        (params, context): (&str, &str),
    ) -> Option<Outgoing> {
        state.grant(message.id, command.id, self.shared().config.clock.now());
        let happening = Happening::CommandAdd {
            command,
            params,
            context,
            message,
        };
        let scene = (Some(message.chat), Some(user));
        self.shared().compose(state, command.bot, scene, &happening)
    }

    fn in_dialog(
        &self,
        user: i64,
        bot: i64,
        dialog: &str,
        happening: &Happening<'_>,
    ) -> Result<Vec<Outgoing>, PortalError> {
        let mut state = self.shared().state();
        let state = &mut state.portal;
        if !state.bots.contains_key(&bot) {
            return Err(PortalError::UnknownBot(bot));
        }
        let chat = state.enter(user, dialog)?;
        if let Some(chat) = state.chats.get_mut(&chat) {
            chat.members.insert(bot);
        }
        let event = self.shared().compose(state, bot, (Some(chat), Some(user)), happening);
        Ok(event.into_iter().collect())
    }
}

/// `/help topic one` as `help` and `topic one`.
fn slash(text: &str) -> Option<(&str, &str)> {
    let typed = text.strip_prefix('/')?;
    let (name, params) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    (!name.is_empty()).then_some((name, params.trim()))
}

impl State {
    /// The chat that `dialog` means to a user, who is in it from now on.
    pub(super) fn enter(&mut self, user: i64, dialog: &str) -> Result<i64, PortalError> {
        let unknown = || PortalError::UnknownDialog(dialog.to_owned());
        self.user_on_demand(user);
        if let Some(group) = group_id(dialog) {
            let members = self.bots.keys().copied().collect();
            let chat = self.group_on_demand(group, user, members);
            if !matches!(chat.kind, ChatKind::Group { .. }) {
                return Err(unknown());
            }
            chat.members.insert(user);
            return Ok(group);
        }
        let bot = number(dialog).filter(|bot| self.bots.contains_key(bot));
        bot.map(|bot| self.private_chat(bot, user)).ok_or_else(unknown)
    }

    /// The bots that hear of a message: in private the bot, in a group those mentioned; never who posted it.
    pub(super) fn hearers(&self, message: &Message) -> Vec<i64> {
        let Some(chat) = self.chats.get(&message.chat) else {
            return Vec::new();
        };
        let text = message.text.to_lowercase();
        let private = matches!(chat.kind, ChatKind::Private);
        let hears = |bot: &i64| {
            let mark = format!("[user={bot}");
            let named = text.contains(&format!("{mark}]")) || text.contains(&format!("{mark} "));
            private || named || text.contains("[user=all]")
        };
        let others = chat.members.iter().filter(|id| self.bots.contains_key(id));
        let others = others.filter(|id| **id != message.author && Some(**id) != message.bot);
        others.copied().filter(hears).collect()
    }

    pub(super) fn message(&self, id: i64) -> Result<Message, PortalError> {
        self.messages.get(&id).cloned().ok_or(PortalError::UnknownMessage(id))
    }

    pub(super) fn command_named(&self, bot: i64, name: &str) -> Result<Command, PortalError> {
        let mut commands = self.commands.values();
        let found = commands.find(|command| command.bot == bot && command.name == name);
        found.cloned().ok_or_else(|| PortalError::UnknownCommand {
            bot,
            command: name.to_owned(),
        })
    }

    /// The commands of this name of the bots in a chat.
    fn commands_in(&self, chat: i64, name: &str) -> Vec<Command> {
        let inside = |bot: &i64| self.chats.get(&chat).is_some_and(|chat| chat.members.contains(bot));
        let commands = self.commands.values().filter(|command| command.name == name);
        commands.filter(|command| inside(&command.bot)).cloned().collect()
    }
}
