//! What the portal knows: users, chats, messages, bots, commands and what calls left behind. Owns the ids and who
//! belongs where; knows no HTTP and no JSON answer.

use super::apps::{App, Token};
use super::config::{BotSeed, Owner, PortalConfig};
use super::files::Files;
use super::knobs::Knobs;
use super::model::{Bot, Chat, ChatKind, Command, Message, User};
use super::payload::Site;
use super::queue::Queue;
use super::sender::Outgoing;
use super::standing::Standing;
use super::subscriptions::Row;
use crate::types::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Each bot has one subscription a kind of event; the first bot's begin here.
const FIRST_SUBSCRIPTION: i64 = 111;
/// Bots that register themselves get ids from here.
const FIRST_BOT: i64 = 601;

#[derive(Default)]
pub(super) struct State {
    pub(super) site: Site,
    pub(super) language: String,
    pub(super) knobs: Knobs,
    pub(super) standing: Standing,
    pub(super) users: BTreeMap<i64, User>,
    pub(super) chats: BTreeMap<i64, Chat>,
    pub(super) messages: BTreeMap<i64, Message>,
    pub(super) bots: BTreeMap<i64, Bot>,
    pub(super) commands: BTreeMap<i64, Command>,
    pub(super) apps: BTreeMap<String, App>,
    pub(super) templates: HashMap<String, Template>,
    pub(super) tokens: HashMap<String, Token>,
    pub(super) refreshes: HashMap<String, super::apps::Refresh>,
    pub(super) codes: HashMap<String, super::apps::Code>,
    pub(super) files: Files,
    pub(super) queue: Queue,
    /// How far somebody has read a chat: (chat, user) to message.
    pub(super) read: BTreeMap<(i64, i64), i64>,
    /// What bots say that they are doing: (chat, bot) to the message code (empty: typing) and its end.
    pub(super) busy: BTreeMap<(i64, i64), (String, Timestamp)>,
    /// Events that a call raised; the server sends them once the call is answered.
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) minted: u64,
    /// Subscriptions of applications that no bot has any more.
    pub(super) left_behind: Vec<Row>,
    /// Subscriptions of bots that somebody has removed by hand.
    pub(super) unbound: Vec<Row>,
    /// What bots did, until somebody takes it.
    pub(super) acts: std::collections::VecDeque<super::acts::Act>,
    grants: HashMap<(i64, i64), Timestamp>,
    private: HashMap<(i64, i64), i64>,
    next_chat: i64,
    next_message: i64,
    next_subscription: i64,
    pub(super) on_demand: bool,
}

/// A `templateId` seen before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    /// `None`: recorded, but its message is not stored (yet).
    pub(super) message: Option<i64>,
    pub(super) since: Timestamp,
}

impl State {
    pub(super) fn new(config: &PortalConfig) -> Self {
        let mut state = Self {
            site: Site::of(config),
            language: config.language.clone(),
            knobs: config.knobs.clone(),
            standing: Standing::new(config),
            next_chat: 501,
            next_message: config.first_message_id,
            next_subscription: FIRST_SUBSCRIPTION,
            on_demand: config.on_demand,
            ..Self::default()
        };
        state.user_on_demand(config.webhook_user);
        for (id, name) in &config.users {
            state.users.insert(*id, User::new(*id, name, false));
        }
        for app in &config.apps {
            state.add_app(app);
        }
        for seed in &config.bots {
            state.seed(seed, config.clock.now());
        }
        state
    }

    fn seed(&mut self, seed: &BotSeed, now: Timestamp) {
        self.users.insert(seed.id, User::new(seed.id, &seed.name, true));
        let subscription = self.subscribe();
        let mut bot = Bot::new(seed.id, &seed.code, seed.owner.clone(), subscription);
        bot.webhook_url.clone_from(&seed.webhook_url);
        bot.fetch = seed.fetches;
        if let Owner::App(app) = &seed.owner {
            self.app_of_bot(app);
            self.renew_token(app, &app.access_token, seed.id, now);
        }
        self.bots.insert(seed.id, bot);
        for command in &seed.commands {
            let id = command.id.unwrap_or_else(|| self.next_command());
            self.commands.insert(id, Command::new(id, seed.id, &command.name));
        }
    }

    /// Eight subscription ids in a row; the first of them.
    pub(super) fn subscribe(&mut self) -> i64 {
        self.next_subscription += 8;
        self.next_subscription - 8
    }

    pub(super) fn next_command(&self) -> i64 {
        self.commands.keys().next_back().map_or(71, |last| last + 1)
    }

    /// A user id nobody has, for a bot.
    pub(super) fn next_bot(&self) -> i64 {
        let free = |id: &i64| !self.users.contains_key(id);
        (FIRST_BOT..).find(free).unwrap_or(FIRST_BOT)
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

    pub(super) fn free_chat_id(&mut self) -> i64 {
        while self.chats.contains_key(&self.next_chat) {
            self.next_chat += 1;
        }
        self.next_chat
    }

    /// The chat that `dialog` means to a bot or user: `chatN`, or the number of the other side of a private chat.
    /// `None` where a strict portal denies access; unknown chats and users are made if the portal is on demand.
    pub(super) fn dialog(&mut self, who: i64, dialog: &str) -> Option<i64> {
        if let Some(group) = group_id(dialog) {
            if self.on_demand {
                self.group_on_demand(group, who, [who].into());
            }
            let chat = self.chats.get(&group)?;
            return (!chat.is_private()).then_some(group);
        }
        let other = number(dialog)?;
        if self.on_demand {
            self.user_on_demand(other);
        }
        let known = self.users.get(&other).is_some_and(|user| user.active);
        known.then(|| self.private_chat(who, other))
    }

    pub(super) fn inside(&self, chat: i64, who: i64) -> bool {
        self.chats.get(&chat).is_some_and(|chat| chat.members.contains(&who))
    }

    /// Stores a message under the next id.
    pub(super) fn store(&mut self, mut message: Message) -> i64 {
        message.id = self.next_message;
        self.next_message += 1;
        let id = message.id;
        self.busy.remove(&(message.chat, message.author));
        if let Some(chat) = self.chats.get_mut(&message.chat) {
            chat.is_new = false;
        }
        self.messages.insert(id, message);
        id
    }

    /// Allows the answer of a command for a while.
    pub(super) fn grant(&mut self, message: i64, command: i64, now: Timestamp) {
        self.grants.insert((message, command), now + self.knobs.grant_life);
    }

    pub(super) fn may_answer(&self, message: i64, command: i64, now: Timestamp) -> bool {
        let known = self.grants.get(&(message, command));
        known.map_or(self.on_demand, |expires| now < *expires)
    }

    /// Takes a bot off the portal with its commands; what it wrote stays.
    pub(super) fn remove_bot(&mut self, id: i64) {
        self.leave_behind(id);
        self.bots.remove(&id);
        self.commands.retain(|_, command| command.bot != id);
        self.queue.forget_bot(id);
        for chat in self.chats.values_mut().filter(|chat| !chat.is_private()) {
            chat.members.remove(&id);
            chat.managers.remove(&id);
        }
        if let Some(user) = self.users.get_mut(&id) {
            user.active = false;
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
