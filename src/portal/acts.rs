//! What bots did that people on the portal can notice, in order, each as it stood at its moment. Other calls are told
//! by their parameters; reads are not told. Changes nothing that bots can see.

use super::access::whole;
use super::handle::{Portal, PostedMessage};
use super::log::{Decision, redacted};
use super::model::{Chat, ChatKind, Message, User};
use super::state::State;
use crate::types::Timestamp;
use serde_json::{Map, Value};

/// So many are kept; the oldest go first.
const KEPT: usize = 100_000;

/// Something that a bot did.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// The bot's id, 0 where the call names none.
    pub bot: i64,
    /// Its name in the chat.
    pub name: String,
    /// Where: the other side of a private chat, the title of a group, the guest of an open line; empty where the call
    /// names no dialog.
    pub place: String,
    /// What.
    pub deed: ActKind,
}

/// The kinds of [`Act`].
#[derive(Clone, Debug, PartialEq)]
pub enum ActKind {
    /// Posted a message: as itself, as a command's answer, into an open line, with files of these names.
    Said(PostedMessage, Vec<String>),
    /// Changed a message, which had this text before.
    Edited(PostedMessage, String),
    /// Deleted a message that had this text.
    Deleted(String),
    /// Put a reaction on a message of this text.
    Reacted(String, String),
    /// Took a reaction back from a message of this text.
    TookBack(String, String),
    /// Showed that it is busy, with this status if any.
    Typed(Option<String>),
    /// Marked what stands there as read.
    Read,
    /// Gave the guest of an open line to an operator (this one, or any), or ended the session.
    HandedOver(Option<i64>),
    /// Ended the session of an open line.
    Finished,
    /// Anything else that changes something: method and parameters, without credentials and `botId`.
    Called(&'static str, Value),
}

/// What a call is about, looked up before it changes anything.
pub(super) struct Subject {
    bot: i64,
    name: String,
    place: String,
    text: String,
}

impl Subject {
    /// `None`: the method only reads, and nobody notices.
    pub(super) fn of(state: &State, method: &str, params: &Map<String, Value>) -> Option<Self> {
        const QUIET: [&str; 6] = [".get", ".list", ".getContext", "File.download", "app.info", "scribe"];
        if QUIET.iter().any(|end| method.ends_with(end)) {
            return None;
        }
        let int = |name: &str| params.get(name).and_then(whole);
        let message = int("messageId").and_then(|id| state.messages.get(&id));
        let line = int("CHAT_ID");
        let bot = int("botId").or_else(|| int("BOT_ID")).or_else(|| {
            let chat = state.chats.get(&line?)?;
            chat.members.iter().copied().find(|id| state.bots.contains_key(id))
        });
        let bot = bot.unwrap_or_default();
        let dialog = match params.get("dialogId") {
            Some(Value::String(dialog)) => dialog.clone(),
            Some(Value::Number(dialog)) => dialog.to_string(),
            _ => String::new(),
        };
        let chat = message.map(|message| message.chat).or(line);
        Some(Self {
            bot,
            name: state.users.get(&bot).map(User::name).unwrap_or_default(),
            place: match chat.and_then(|id| state.chats.get(&id)) {
                Some(chat) if dialog.is_empty() => place(state, chat, bot),
                _ => named(state, &dialog),
            },
            text: message.map(|message| message.text.clone()).unwrap_or_default(),
        })
    }
}

/// The name of a dialog as the bot calls it.
fn named(state: &State, dialog: &str) -> String {
    if let Some(chat) = super::state::group_id(dialog).and_then(|id| state.chats.get(&id)) {
        return place(state, chat, 0);
    }
    let user = super::state::number(dialog).and_then(|id| state.users.get(&id));
    user.map_or_else(|| dialog.to_owned(), User::name)
}

fn place(state: &State, chat: &Chat, bot: i64) -> String {
    let user = |id: &i64| state.users.get(id).map(User::name).unwrap_or_default();
    match &chat.kind {
        ChatKind::Group { name, .. } => name.clone(),
        ChatKind::Lines { guest, .. } => user(guest),
        ChatKind::Private => {
            let other = chat.members.iter().find(|member| **member != bot);
            other.map(user).unwrap_or_default()
        }
    }
}

/// Notes a call that was carried out.
pub(super) fn note(
    state: &mut State,
    subject: Subject,
    method: &'static str,
    params: &Map<String, Value>,
    decision: &Decision,
    now: Timestamp,
) {
    let posted = match decision {
        Decision::Executed { message_id } => message_id.and_then(|id| state.messages.get(&id)),
        _ => return,
    };
    let word = |name: &str| params.get(name).and_then(Value::as_str).map(str::to_owned);
    let reaction = || word("reaction").unwrap_or_default();
    let deed = match (posted, method.rsplit('.').next().unwrap_or_default()) {
        (Some(message), _) => ActKind::Said(message.into(), files(state, message)),
        (None, "update") if method.contains(".Message.") => match edited(state, params) {
            Some(message) => ActKind::Edited(message.into(), subject.text),
            None => return,
        },
        (None, "delete") if method.ends_with(".Message.delete") => ActKind::Deleted(subject.text),
        (None, "add") if method.ends_with(".Reaction.add") => ActKind::Reacted(reaction(), subject.text),
        (None, "delete") if method.ends_with(".Reaction.delete") => ActKind::TookBack(reaction(), subject.text),
        (None, "notify") => ActKind::Typed(word("statusMessageCode")),
        (None, "read") => ActKind::Read,
        (None, "operator") => ActKind::HandedOver(None),
        (None, "transfer") => ActKind::HandedOver(params.get("USER_ID").or(params.get("TRANSFER_ID")).and_then(whole)),
        (None, "finish") => ActKind::Finished,
        _ => ActKind::Called(method, bare(params)),
    };
    if state.acts.len() >= KEPT {
        state.acts.pop_front();
    }
    state.acts.push_back(Act {
        at: now,
        bot: subject.bot,
        name: subject.name,
        place: subject.place,
        deed,
    });
}

fn edited<'a>(state: &'a State, params: &Map<String, Value>) -> Option<&'a Message> {
    state.messages.get(&params.get("messageId").and_then(whole)?)
}

fn files(state: &State, message: &Message) -> Vec<String> {
    let known = message.files.iter().filter_map(|id| state.files.get(*id));
    known.map(|file| file.name.clone()).collect()
}

fn bare(params: &Map<String, Value>) -> Value {
    let told = params
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "botId" | "botToken" | "CLIENT_ID"));
    let told = told.map(|(name, value)| (name.clone(), value.clone())).collect();
    redacted(&Value::Object(told))
}

impl Portal {
    /// What bots did since the last call of this function, oldest first (the last 100,000): every call that was carried
    /// out and changed something, also where its caller was told nothing. Repeats that a `templateId` caught are not
    /// in it.
    #[must_use]
    pub fn take_acts(&self) -> Vec<Act> {
        self.shared().state().portal.acts.drain(..).collect()
    }
}
