//! The things a portal knows: users, chats, messages, bots, commands, files. Plain data with what can be said of one
//! of them alone; `state` owns the collections.

use super::config::Owner;
use crate::types::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) work_position: String,
    pub(super) color: String,
    pub(super) gender: String,
    pub(super) avatar: String,
    pub(super) departments: Vec<i64>,
    pub(super) email: String,
    pub(super) active: bool,
    /// A guest of an open line.
    pub(super) connector: bool,
    pub(super) is_bot: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Chat {
    pub(super) id: i64,
    pub(super) kind: ChatKind,
    pub(super) owner: i64,
    pub(super) is_new: bool,
    pub(super) members: BTreeSet<i64>,
    pub(super) managers: BTreeSet<i64>,
    pub(super) description: String,
    pub(super) avatar: String,
    pub(super) text_field: bool,
    pub(super) created: Timestamp,
}

#[derive(Clone, Debug)]
pub(super) enum ChatKind {
    Private,
    Group {
        name: String,
        color: String,
        disk_folder: i64,
    },
    /// An open line: a guest, the line's bot, operators later.
    Lines {
        name: String,
        guest: i64,
        session: Session,
    },
}

/// Who serves an open line at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Session {
    Bot,
    /// Waiting for an operator, or served by this one.
    Operator(Option<i64>),
    Closed,
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
    pub(super) deleted: bool,
    pub(super) viewed: bool,
    pub(super) url_preview: bool,
    pub(super) files: Vec<i64>,
    pub(super) forward: Option<Forward>,
    /// Who put which reaction.
    pub(super) reactions: BTreeMap<String, BTreeSet<i64>>,
}

/// Where a forwarded message came from.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    pub(super) message: i64,
    pub(super) chat: i64,
    pub(super) author: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Bot {
    pub(super) id: i64,
    pub(super) code: String,
    pub(super) owner: Owner,
    pub(super) kind: BotKind,
    /// Events wait in the queue instead of being sent.
    pub(super) fetch: bool,
    pub(super) webhook_url: Option<String>,
    /// When `fetch` was changed, and the address before.
    pub(super) changed: Option<(Timestamp, Option<String>)>,
    pub(super) first_subscription: i64,
    pub(super) hidden: bool,
    pub(super) reactions: bool,
    pub(super) open_line: bool,
    pub(super) background: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BotKind {
    Bot,
    Supervisor,
    Personal,
    OpenLine,
    Network,
}

#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) id: i64,
    pub(super) bot: i64,
    /// Without its slash.
    pub(super) name: String,
    pub(super) title: BTreeMap<String, String>,
    pub(super) params: BTreeMap<String, String>,
    /// Works in chats without the bot as well.
    pub(super) common: bool,
    pub(super) hidden: bool,
    pub(super) extranet: bool,
}

#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) id: i64,
    pub(super) chat: i64,
    pub(super) author: i64,
    pub(super) date: Timestamp,
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
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
            gender: "M".to_owned(),
            avatar: String::new(),
            departments: vec![1],
            email: String::new(),
            active: true,
            connector: false,
            is_bot,
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }
}

impl Chat {
    pub(super) fn new(id: i64, kind: ChatKind, owner: i64, members: BTreeSet<i64>) -> Self {
        Self {
            id,
            is_new: matches!(kind, ChatKind::Group { .. }),
            kind,
            owner,
            members,
            managers: BTreeSet::new(),
            description: String::new(),
            avatar: String::new(),
            text_field: true,
            created: Timestamp(0),
        }
    }

    pub(super) fn is_private(&self) -> bool {
        matches!(self.kind, ChatKind::Private)
    }

    /// What the dialog is called from the bot's side.
    pub(super) fn dialog_for(&self, bot: i64) -> String {
        if !self.is_private() {
            return format!("chat{}", self.id);
        }
        let other = self.members.iter().find(|member| **member != bot);
        other.unwrap_or(&bot).to_string()
    }

    pub(super) fn role_of(&self, user: i64) -> &'static str {
        if self.owner == user {
            "owner"
        } else if self.managers.contains(&user) {
            "manager"
        } else if self.members.contains(&user) {
            "member"
        } else {
            "guest"
        }
    }

    /// May add and remove people, and delete what others wrote.
    pub(super) fn manages(&self, user: i64) -> bool {
        matches!(self.role_of(user), "owner" | "manager")
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
            deleted: false,
            viewed: false,
            url_preview: true,
            files: Vec::new(),
            forward: None,
            reactions: BTreeMap::new(),
        }
    }
}

impl Bot {
    /// A bot of type `bot` with the usual flags, its events sent.
    pub(super) fn new(id: i64, code: &str, owner: Owner, first_subscription: i64) -> Self {
        Self {
            id,
            code: code.to_owned(),
            owner,
            kind: BotKind::Bot,
            fetch: false,
            webhook_url: None,
            changed: None,
            first_subscription,
            hidden: false,
            reactions: true,
            open_line: false,
            background: None,
        }
    }

    /// Whether its events go both ways, because its mode was changed not longer ago than this.
    pub(super) fn both_ways(&self, so_long: Duration, now: Timestamp) -> bool {
        self.changed.as_ref().is_some_and(|(at, _)| now.since(*at) < so_long)
    }

    /// Where its events are posted, or were before its mode was changed.
    pub(super) fn address(self) -> Option<String> {
        let before = self.changed.and_then(|(_, before)| before);
        self.webhook_url.or(before)
    }
}

impl BotKind {
    const ALL: [(&'static str, Self); 5] = [
        ("bot", Self::Bot),
        ("supervisor", Self::Supervisor),
        ("personal", Self::Personal),
        ("openline", Self::OpenLine),
        ("network", Self::Network),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        let mut known = Self::ALL.iter();
        known.find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    pub(super) fn name(self) -> &'static str {
        let mut known = Self::ALL.iter();
        known.find(|(_, kind)| *kind == self).map_or("bot", |(name, _)| name)
    }

    /// Hears everything in its chats and may read messages.
    pub(super) fn hears_all(self) -> bool {
        matches!(self, Self::Supervisor | Self::Personal)
    }
}

impl Command {
    /// A command usable in the bot's own chats.
    pub(super) fn new(id: i64, bot: i64, name: &str) -> Self {
        Self {
            id,
            bot,
            name: name.to_owned(),
            title: BTreeMap::new(),
            params: BTreeMap::new(),
            common: false,
            hidden: false,
            extranet: false,
        }
    }
}
