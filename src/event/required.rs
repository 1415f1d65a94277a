//! What an event must have to be handled, and where the few things stand that the door needs. Shared by `Label` and
//! `Event`, so that the two cannot disagree.

use super::name::{Kind, Known, shown};
use crate::wire::{Node, Tree};
use std::fmt;

/// An authentic event that nobody could handle; it is kept with its body for a person to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unusable {
    /// The field that is missing or unreadable, for example `data.message.id`.
    pub field: &'static str,
}

impl Unusable {
    pub(super) const fn of(field: &'static str) -> Self {
        Self { field }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the event has no readable {}", self.field)
    }
}

impl std::error::Error for Unusable {}

/// The envelope: what stands around the data.
pub(super) struct Envelope<'t, 'a> {
    /// In capitals, whole.
    pub(super) full_name: String,
    pub(super) kind: Kind,
    pub(super) known: Option<Known>,
    pub(super) ts: Option<i64>,
    pub(super) data: Option<Node<'t, 'a>>,
}

impl<'t, 'a> Envelope<'t, 'a> {
    pub(super) fn of(tree: &'t Tree<'a>) -> Self {
        let root = tree.root();
        let name = root.get("event").and_then(Node::string).unwrap_or_default();
        let full_name = name.to_ascii_uppercase();
        Self {
            kind: Kind::of(&full_name),
            known: Known::of(&full_name),
            full_name,
            ts: root.get("ts").and_then(Node::int),
            data: root.get("data").filter(|data| data.is_container()),
        }
    }

    pub(super) fn name(&self) -> String {
        shown(&self.full_name)
    }

    /// What the event is handled as.
    pub(super) fn usable(&self) -> Result<Usable<'t, 'a>, Unusable> {
        if self.full_name.is_empty() {
            return Err(Unusable::of("event"));
        }
        let Some(known) = self.known else {
            return Ok(Usable::Other);
        };
        let data = self.data.ok_or(Unusable::of("data"))?;
        let bot = id_of(data, "bot").ok_or(Unusable::of("data.bot.id"))?;
        match known {
            Known::MessageAdd | Known::MessageUpdate => {
                message(data).ok_or(Unusable::of("data.message.id"))?;
            }
            Known::MessageDelete => {
                data.get("messageId")
                    .and_then(Node::int)
                    .ok_or(Unusable::of("data.messageId"))?;
            }
            Known::JoinChat => {
                let own = data.get("dialogId").and_then(Node::text_or_none);
                own.or_else(|| chat_dialog(data)).ok_or(Unusable::of("data.dialogId"))?;
            }
            Known::ContextGet => {
                id_of(data, "user").ok_or(Unusable::of("data.user.id"))?;
            }
            Known::CommandAdd => {
                id_of(data, "command").ok_or(Unusable::of("data.command.id"))?;
            }
            Known::ReactionChange => {
                data.get("reaction")
                    .and_then(Node::text_or_none)
                    .ok_or(Unusable::of("data.reaction"))?;
            }
            Known::BotDelete => {}
        }
        Ok(Usable::Known { known, bot, data })
    }

    /// The bot the event names, usable or not.
    pub(super) fn bot(&self) -> Option<i64> {
        let data = self.data?;
        if self.kind == Kind::ImbotV1 {
            v1_bot(data)
        } else {
            id_of(data, "bot")
        }
    }

    /// `chat.dialogId`, else `dialogId`, else `chat` and the chat's number, else empty.
    pub(super) fn dialog(&self) -> String {
        let Some(data) = self.data else {
            return String::new();
        };
        let own = |path: &[&str]| data.path(path).and_then(Node::text_or_none);
        let second = match (self.known, self.kind) {
            (Some(Known::BotDelete), _) => return String::new(),
            (Some(Known::JoinChat | Known::ContextGet), _) | (None, Kind::ImbotV2) => own(&["dialogId"]),
            (None, Kind::ImbotV1) => own(&["PARAMS", "DIALOG_ID"]),
            _ => None,
        };
        chat_dialog(data).or(second).unwrap_or_else(|| {
            let has_message = !matches!(
                self.known,
                Some(Known::MessageDelete | Known::JoinChat | Known::ContextGet)
            );
            let message_chat = message(data).filter(|_| has_message).and_then(message_chat);
            let number = message_chat.or_else(|| id_of(data, "chat"));
            number
                .filter(|id| *id > 0)
                .map_or_else(String::new, |id| format!("chat{id}"))
        })
    }
}

/// An event that can be handled.
pub(super) enum Usable<'t, 'a> {
    Known { known: Known, bot: i64, data: Node<'t, 'a> },
    Other,
}

/// `data[name][id]`.
pub(super) fn id_of(data: Node<'_, '_>, name: &str) -> Option<i64> {
    data.get(name)?.get("id")?.int()
}

/// The message, if it has a number; without one it is no message.
pub(super) fn message<'t, 'a>(data: Node<'t, 'a>) -> Option<Node<'t, 'a>> {
    data.get("message")
        .filter(|message| message.get("id").and_then(Node::int).is_some())
}

/// `chatId`, in older revisions `chat_id`.
pub(super) fn message_chat(message: Node<'_, '_>) -> Option<i64> {
    let number = |name: &str| message.get(name).and_then(Node::int);
    number("chatId").or_else(|| number("chat_id"))
}

fn chat_dialog(data: Node<'_, '_>) -> Option<String> {
    data.path(&["chat", "dialogId"])?.text_or_none()
}

/// The first API keys its bots by number and may name several in one event: then it is for none of them.
fn v1_bot(data: Node<'_, '_>) -> Option<i64> {
    let mut bots = Vec::new();
    let number = |node: Node<'_, '_>, name: &str| node.get(name).and_then(Node::int);
    if let Some(list) = data.get("BOT") {
        bots.extend(
            list.children()
                .filter_map(|bot| number(bot, "BOT_ID").or_else(|| bot.name().parse().ok())),
        );
    } else if let Some(list) = data.get("COMMAND") {
        bots.extend(list.children().filter_map(|command| number(command, "BOT_ID")));
    } else {
        bots.extend(number(data, "BOT_ID"));
    }
    bots.dedup();
    match bots[..] {
        [bot] => Some(bot),
        _ => None,
    }
}
