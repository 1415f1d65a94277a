//! What the portal knows: users, chats, messages, bots, commands and what calls left behind. Owns the ids and who
//! belongs where; knows no HTTP and no JSON answer.

use super::config::{AppSeed, Owner, PortalConfig};
use crate::types::{Secret, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// How long a command may be answered. Not documented; a day is generous.
const GRANT_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Each bot has one subscription a kind of event; the first bot's begin here.
const FIRST_SUBSCRIPTION: i64 = 111;

#[derive(Default)]
pub(super) struct State {
    pub(super) users: BTreeMap<i64, User>,
    pub(super) chats: BTreeMap<i64, Chat>,
    pub(super) messages: BTreeMap<i64, Message>,
    pub(super) bots: BTreeMap<i64, Bot>,
    pub(super) commands: BTreeMap<i64, Command>,
    pub(super) templates: HashMap<String, Template>,
    pub(super) tokens: HashMap<String, Token>,
    grants: HashMap<(i64, i64), Timestamp>,
    private: HashMap<(i64, i64), i64>,
    next_chat: i64,
    next_message: i64,
    pub(super) on_demand: bool,
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) work_position: String,
    pub(super) color: String,
    pub(super) gender: &'static str,
    pub(super) departments: Vec<i64>,
    pub(super) email: String,
    pub(super) is_bot: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Chat {
    pub(super) id: i64,
    pub(super) kind: ChatKind,
    pub(super) owner: i64,
    pub(super) is_new: bool,
    pub(super) members: BTreeSet<i64>,
}

#[derive(Clone, Debug)]
pub(super) enum ChatKind {
    Private,
    Group {
        name: String,
        color: String,
        disk_folder: i64,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: i64,
    pub(super) chat: i64,
    /// 0 for a system message.
    pub(super) author: i64,
    /// The bot that posted it, also where the author is 0.
    pub(super) bot: Option<i64>,
    pub(super) date: Timestamp,
    pub(super) text: String,
    pub(super) keyboard: Vec<Value>,
    pub(super) attach: Option<Value>,
    pub(super) template: Option<String>,
    pub(super) system: bool,
    pub(super) reply_to: Option<i64>,
    pub(super) edited: bool,
    pub(super) viewed: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Bot {
    pub(super) id: i64,
    pub(super) code: String,
    pub(super) owner: Owner,
    pub(super) webhook_url: Option<String>,
    pub(super) first_subscription: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) id: i64,
    pub(super) bot: i64,
    /// Without its slash.
    pub(super) name: String,
}

/// A `templateId` seen before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    /// `None`: recorded, but its message is not stored (yet).
    pub(super) message: Option<i64>,
    pub(super) since: Timestamp,
}

/// An access token of an application: whom it acts as, and until when.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) client_id: String,
    pub(super) user: i64,
    pub(super) expires: Timestamp,
}

impl State {
    pub(super) fn new(config: &PortalConfig) -> Self {
        let mut state = Self {
            next_chat: 501,
            next_message: config.first_message_id,
            on_demand: config.on_demand,
            ..Self::default()
        };
        state.user_on_demand(config.webhook_user);
        for (place, seed) in (0_i64..).zip(&config.bots) {
            state.users.insert(seed.id, User::new(seed.id, &seed.name, true));
            let bot = Bot {
                id: seed.id,
                code: seed.code.clone(),
                owner: seed.owner.clone(),
                webhook_url: seed.webhook_url.clone(),
                first_subscription: FIRST_SUBSCRIPTION + 8 * place,
            };
            if let Owner::App(app) = &seed.owner {
                state.renew_token(app, &app.access_token, seed.id, config.clock.now());
            }
            state.bots.insert(seed.id, bot);
            for command in &seed.commands {
                let next = state.commands.keys().next_back().map_or(71, |last| last + 1);
                let id = command.id.unwrap_or(next);
                let (bot, name) = (seed.id, command.name.clone());
                state.commands.insert(id, Command { id, bot, name });
            }
        }
        state
    }

    /// Makes the token good for an hour from now.
    pub(super) fn renew_token(&mut self, app: &AppSeed, token: &Secret, user: i64, now: Timestamp) {
        let record = Token {
            client_id: app.client_id.clone(),
            user,
            expires: now + Duration::from_secs(3600),
        };
        self.tokens.insert(token.expose().to_owned(), record);
    }

    pub(super) fn user_on_demand(&mut self, id: i64) {
        self.users
            .entry(id)
            .or_insert_with(|| User::new(id, &format!("User {id}"), false));
    }

    /// The private chat of two; made if there is none.
    pub(super) fn private_chat(&mut self, bot: i64, other: i64) -> i64 {
        let pair = (bot.min(other), bot.max(other));
        if let Some(chat) = self.private.get(&pair) {
            return *chat;
        }
        let id = self.free_chat_id();
        self.private.insert(pair, id);
        self.chats
            .insert(id, Chat::new(id, ChatKind::Private, bot, [bot, other].into()));
        id
    }

    /// A group chat of this id; made with these members if there is none.
    pub(super) fn group_on_demand(&mut self, id: i64, owner: i64, members: BTreeSet<i64>) -> &mut Chat {
        self.chats.entry(id).or_insert_with(|| {
            let kind = ChatKind::Group {
                name: format!("Chat {id}"),
                color: "#8d5a3b".to_owned(),
                disk_folder: 5000 + id,
            };
            Chat::new(id, kind, owner, members)
        })
    }

    fn free_chat_id(&mut self) -> i64 {
        while self.chats.contains_key(&self.next_chat) {
            self.next_chat += 1;
        }
        self.next_chat
    }

    /// The chat that `dialog` means to a bot: `chatN`, or the number of the other side of a private chat.
    /// `None` where a strict portal denies access; unknown chats and users are made if the portal is on demand.
    pub(super) fn dialog(&mut self, bot: i64, dialog: &str) -> Option<i64> {
        if let Some(group) = group_id(dialog) {
            if self.on_demand {
                self.group_on_demand(group, bot, [bot].into());
            }
            let chat = self.chats.get(&group)?;
            return matches!(chat.kind, ChatKind::Group { .. }).then_some(group);
        }
        let other = number(dialog)?;
        if self.on_demand {
            self.user_on_demand(other);
        }
        self.users.contains_key(&other).then(|| self.private_chat(bot, other))
    }

    /// Stores a message under the next id.
    pub(super) fn store(&mut self, mut message: Message) -> i64 {
        message.id = self.next_message;
        self.next_message += 1;
        let id = message.id;
        if let Some(chat) = self.chats.get_mut(&message.chat) {
            chat.is_new = false;
        }
        self.messages.insert(id, message);
        id
    }

    /// Allows the answer of a command for a day.
    pub(super) fn grant(&mut self, message: i64, command: i64, now: Timestamp) {
        self.grants.insert((message, command), now + GRANT_LIFE);
    }

    pub(super) fn may_answer(&self, message: i64, command: i64, now: Timestamp) -> bool {
        let known = self.grants.get(&(message, command));
        known.map_or(self.on_demand, |expires| now < *expires)
    }
}

impl User {
    pub(super) fn new(id: i64, name: &str, is_bot: bool) -> Self {
        let (first_name, last_name) = name.split_once(' ').unwrap_or((name, ""));
        Self {
            id,
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            work_position: String::new(),
            color: "#df532d".to_owned(),
            gender: "M",
            departments: vec![1],
            email: String::new(),
            is_bot,
        }
    }
}

impl Chat {
    fn new(id: i64, kind: ChatKind, owner: i64, members: BTreeSet<i64>) -> Self {
        Self {
            id,
            is_new: matches!(kind, ChatKind::Group { .. }),
            kind,
            owner,
            members,
        }
    }

    /// What the dialog is called from the bot's side.
    pub(super) fn dialog_for(&self, bot: i64) -> String {
        match self.kind {
            ChatKind::Group { .. } => format!("chat{}", self.id),
            ChatKind::Private => {
                let other = self.members.iter().find(|member| **member != bot);
                other.unwrap_or(&bot).to_string()
            }
        }
    }
}

impl Message {
    /// A plain message, not stored yet.
    pub(super) fn new(chat: i64, author: i64, text: &str, date: Timestamp) -> Self {
        Self {
            id: 0,
            chat,
            author,
            bot: None,
            date,
            text: text.to_owned(),
            keyboard: Vec::new(),
            attach: None,
            template: None,
            system: false,
            reply_to: None,
            edited: false,
            viewed: false,
        }
    }
}

/// `chat5` as 5.
pub(super) fn group_id(dialog: &str) -> Option<i64> {
    number(dialog.strip_prefix("chat")?)
}

/// Plain digits, above zero.
pub(super) fn number(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number > 0)
}
