//! What people do on the portal: write, press a button, react, invite. Each changes the state, raises the events of
//! the bots that hear of it and sends them. Never answers a bot's call.

use super::Portal;
use super::error::PortalError;
use super::event::Happening;
use super::model::{Chat, ChatKind, Command, File, Message, Session, User};
use super::sender::{Delivery, Outgoing, Sent};
use super::state::{State, group_id, number};
use crate::types::Timestamp;
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

    /// Adds a group chat with a name and tells its number. The first member owns it.
    #[must_use]
    pub fn add_group(&self, name: &str, members: &[i64]) -> i64 {
        let owner = members.first().copied().unwrap_or_default();
        let mut state = self.shared().state();
        let id = state.portal.free_chat_id();
        let chat = state
            .portal
            .group_on_demand(id, owner, members.iter().copied().collect());
        if let ChatKind::Group { name: own, .. } = &mut chat.kind {
            name.clone_into(own);
        }
        id
    }

    /// Gives the group chat `chatID` a title.
    ///
    /// # Errors
    /// There is no such group.
    pub fn name_chat(&self, id: i64, title: &str) -> Result<(), PortalError> {
        let mut state = self.shared().state();
        match state.portal.chats.get_mut(&id).map(|chat| &mut chat.kind) {
            Some(ChatKind::Group { name, .. }) => title.clone_into(name),
            _ => return Err(PortalError::UnknownDialog(format!("chat{id}"))),
        }
        Ok(())
    }

    /// A user puts a file into a dialog, with a text that may be empty.
    ///
    /// # Errors
    /// As [`say`](Self::say).
    pub async fn upload(
        &self,
        user_id: i64,
        dialog: &str,
        (name, bytes): (&str, Vec<u8>),
        text: &str,
    ) -> Result<Sent, PortalError> {
        let (message_id, events) = {
            let now = self.shared().config.clock.now();
            let mut state = self.shared().state();
            let chat = state.portal.enter(user_id, dialog)?;
            let file = state.portal.files.add(File {
                id: 0,
                chat,
                author: user_id,
                date: now,
                name: name.to_owned(),
                bytes,
            });
            let message = Message {
                files: vec![file],
                ..Message::new(chat, user_id, text, now)
            };
            let message_id = state.portal.store(message);
            (message_id, state.portal.raise_message(message_id, now))
        };
        let deliveries = self.shared().deliver(events).await;
        Ok(Sent { message_id, deliveries })
    }

    /// Opens a line: a chat of a guest from outside with a bot of type `openline`, or any other, which
    /// supports lines from then on. The bot hears everything until it hands the guest over.
    ///
    /// # Errors
    /// There is no such bot.
    pub async fn open_line(&self, guest: i64, bot_id: i64, chat_id: i64) -> Result<Vec<Delivery>, PortalError> {
        let event = {
            let now = self.shared().config.clock.now();
            let mut state = self.shared().state();
            let state = &mut state.portal;
            let bot = state.bots.get_mut(&bot_id).ok_or(PortalError::UnknownBot(bot_id))?;
            bot.open_line = true;
            let user = state.users.entry(guest);
            let user = user.or_insert_with(|| User::new(guest, &format!("Guest {guest}"), false));
            user.connector = true;
            user.departments.clear();
            let name = format!("{} - Open line", user.name());
            let kind = ChatKind::Lines {
                name,
                guest,
                session: Session::Bot,
            };
            let mut chat = Chat::new(chat_id, kind, 0, [guest, bot_id].into());
            chat.created = now;
            state.chats.insert(chat_id, chat);
            state.compose(bot_id, (Some(chat_id), Some(guest)), &Happening::JoinChat, now)
        };
        Ok(self.shared().deliver(event.into_iter().collect()).await)
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
            (message_id, state.portal.raise_message(message_id, now))
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
            let now = self.shared().config.clock.now();
            state.portal.pressed(user_id, &message, pressed, now)?
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
            let now = self.shared().config.clock.now();
            state
                .portal
                .tell_hearers(&message, &Happening::MessageUpdate(&message), now)
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
            let now = self.shared().config.clock.now();
            state
                .portal
                .tell_hearers(&message, &Happening::MessageDelete(message_id), now)
        };
        Ok(self.shared().deliver(events).await)
    }

    /// A user sets (or takes back) a reaction, for example `like`. The bot that wrote the message hears of it.
    ///
    /// # Errors
    /// There is no such message.
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
            state.react(message_id, user_id, reaction, added);
            let now = self.shared().config.clock.now();
            let event = state.raise_reaction(user_id, &message, (reaction, added), now);
            event.into_iter().collect()
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
        let now = self.shared().config.clock.now();
        let event = state.compose(bot, (Some(chat), Some(user)), happening, now);
        Ok(event.into_iter().collect())
    }
}

impl State {
    /// The chat that `dialog` means to a user, who is in it from now on.
    pub(super) fn enter(&mut self, user: i64, dialog: &str) -> Result<i64, PortalError> {
        let unknown = || PortalError::UnknownDialog(dialog.to_owned());
        self.user_on_demand(user);
        if let Some(group) = group_id(dialog) {
            let members = self.bots.keys().copied().collect();
            let chat = self.group_on_demand(group, user, members);
            if chat.is_private() {
                return Err(unknown());
            }
            chat.members.insert(user);
            return Ok(group);
        }
        let bot = number(dialog).filter(|bot| self.bots.contains_key(bot));
        bot.map(|bot| self.private_chat(bot, user)).ok_or_else(unknown)
    }

    /// The event of a pressed command button.
    pub(super) fn pressed(
        &mut self,
        user: i64,
        message: &Message,
        button: &Value,
        now: Timestamp,
    ) -> Result<Vec<Outgoing>, PortalError> {
        let unknown = || PortalError::UnknownButton {
            message: message.id,
            button: button["TEXT"].as_str().unwrap_or_default().to_owned(),
        };
        let name = button["COMMAND"].as_str().ok_or_else(unknown)?;
        let params = button["COMMAND_PARAMS"].as_str().unwrap_or_default();
        let bot = message.bot.ok_or_else(unknown)?;
        let command = self.command_named(bot, name)?;
        self.user_on_demand(user);
        let event = self.raise_command(user, message, &command, (params, "keyboard"), now);
        Ok(event.into_iter().collect())
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
}
