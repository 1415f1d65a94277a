//! What happened, one struct an event, and the trait by which a handler names the event it wants.

use super::Event;
use super::entities::{BotRef, Chat, Message, User};
use super::free::FreeForm;
use super::name::Known;
use super::other::Other;
use super::settled::{self, CallSettled};
use serde::Serialize;

/// The content of an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Data {
    /// A message for the bot.
    MessageAdd(MessageAdd),
    /// A message was edited.
    MessageUpdate(MessageUpdate),
    /// A message was deleted.
    MessageDelete(MessageDelete),
    /// The bot was added to a chat, or a private chat with it was opened.
    JoinChat(JoinChat),
    /// The bot was removed from the portal.
    BotDelete(BotDelete),
    /// The bot was opened with a context.
    ContextGet(ContextGet),
    /// A command of the bot was used.
    CommandAdd(CommandAdd),
    /// A reaction to a message of the bot.
    ReactionChange(ReactionChange),
    /// A call of the bot has ended; an event of imbot's own.
    CallSettled(CallSettled),
    /// Everything else: application events, the first bot API, names we do not know.
    Other(Other),
}

/// `ONIMBOTV2MESSAGEADD`: a message for the bot. In group chats a plain bot sees only messages that mention it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MessageAdd {
    /// The bot it is for.
    pub bot: BotRef,
    /// The message.
    pub message: Message,
    /// Where it was written.
    pub chat: Option<Chat>,
    /// Its author; absent for the system.
    pub user: Option<User>,
    /// The portal's default language, not the user's.
    pub language: String,
}

/// `ONIMBOTV2MESSAGEUPDATE`: a message was edited. May come before the event of the message itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MessageUpdate {
    /// The bot it is for.
    pub bot: BotRef,
    /// The message as it is now.
    pub message: Message,
    /// Where it stands.
    pub chat: Option<Chat>,
    /// Its author.
    pub user: Option<User>,
    /// The portal's default language.
    pub language: String,
}

/// `ONIMBOTV2MESSAGEDELETE`: a message was deleted; only its number is left.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MessageDelete {
    /// The bot it is for.
    pub bot: BotRef,
    /// The message that was.
    pub message_id: i64,
    /// Where it stood.
    pub chat: Option<Chat>,
    /// Who deleted it.
    pub user: Option<User>,
    /// The portal's default language.
    pub language: String,
}

/// `ONIMBOTV2JOINCHAT`: the bot was added to a chat, or a private chat with it was opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct JoinChat {
    /// The bot it is for.
    pub bot: BotRef,
    /// The dialog as the portal names it; in private chats `chat.dialog_id` is the one to answer to.
    pub dialog_id: String,
    /// The chat.
    pub chat: Option<Chat>,
    /// Who added the bot.
    pub user: Option<User>,
    /// The portal's default language.
    pub language: String,
}

/// `ONIMBOTV2DELETE`: the bot is gone, and its tokens perhaps with it. Clean up without calling back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BotDelete {
    /// The bot that was.
    pub bot: BotRef,
}

/// `ONIMBOTV2CONTEXTGET`: somebody opened the bot from a place that gave it a context. The user has confirmed
/// nothing yet, so no side effects.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ContextGet {
    /// The bot it is for.
    pub bot: BotRef,
    /// The dialog as the portal names it.
    pub dialog_id: String,
    /// What the place said. Texts only if the event came as a form.
    pub context: FreeForm,
    /// The chat.
    pub chat: Option<Chat>,
    /// Who opened it.
    pub user: User,
    /// The portal's default language.
    pub language: String,
}

/// `ONIMBOTV2COMMANDADD`: a command was typed, or a button pressed. One event a command.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CommandAdd {
    /// The bot it is for.
    pub bot: BotRef,
    /// The command.
    pub command: Command,
    /// The message it was typed in; of a button, the bot's own message that carries the button.
    pub message: Option<Message>,
    /// Where.
    pub chat: Option<Chat>,
    /// Who used it.
    pub user: Option<User>,
    /// The portal's default language.
    pub language: String,
}

/// A command as it was used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Command {
    /// Its number on the portal.
    pub id: i64,
    /// Its name with the slash.
    pub command: String,
    /// The text behind it.
    pub params: String,
    /// `textarea`, `keyboard` or `menu`.
    pub context: String,
}

/// `ONIMBOTV2REACTIONCHANGE`: a reaction to a message of the bot came or went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReactionChange {
    /// The bot it is for.
    pub bot: BotRef,
    /// Its code, for example `like`; open-ended.
    pub reaction: String,
    /// `add` or `delete`; open-ended.
    pub action: String,
    /// The bot's own message.
    pub message: Option<Message>,
    /// Where.
    pub chat: Option<Chat>,
    /// Who reacted.
    pub user: Option<User>,
    /// The portal's default language.
    pub language: String,
}

/// What a handler takes: the event it is for is known from this type.
pub trait FromEvent: Sized + Send + 'static {
    /// The event's name in capitals; `*` for [`Other`].
    const NAME: &'static str;

    /// The content, if `event` is of this kind.
    fn take(event: Event) -> Option<Self>;
}

macro_rules! from_event {
    ($($data:ident: $name:expr;)*) => {$(
        impl FromEvent for $data {
            const NAME: &'static str = $name;

            fn take(event: Event) -> Option<Self> {
                match event.data {
                    Data::$data(data) => Some(data),
                    _ => None,
                }
            }
        }
    )*};
}

from_event! {
    MessageAdd: Known::MessageAdd.name();
    MessageUpdate: Known::MessageUpdate.name();
    MessageDelete: Known::MessageDelete.name();
    JoinChat: Known::JoinChat.name();
    BotDelete: Known::BotDelete.name();
    ContextGet: Known::ContextGet.name();
    CommandAdd: Known::CommandAdd.name();
    ReactionChange: Known::ReactionChange.name();
    CallSettled: settled::NAME;
    Other: "*";
}

impl Data {
    /// The bot it is for, of the events that have types.
    #[must_use]
    pub fn bot(&self) -> Option<&BotRef> {
        match self {
            Self::MessageAdd(data) => Some(&data.bot),
            Self::MessageUpdate(data) => Some(&data.bot),
            Self::MessageDelete(data) => Some(&data.bot),
            Self::JoinChat(data) => Some(&data.bot),
            Self::BotDelete(data) => Some(&data.bot),
            Self::ContextGet(data) => Some(&data.bot),
            Self::CommandAdd(data) => Some(&data.bot),
            Self::ReactionChange(data) => Some(&data.bot),
            Self::CallSettled(data) => Some(&data.bot),
            Self::Other(_) => None,
        }
    }

    /// Who acted, of the events that have types.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::MessageAdd(data) => data.user.as_ref(),
            Self::MessageUpdate(data) => data.user.as_ref(),
            Self::MessageDelete(data) => data.user.as_ref(),
            Self::JoinChat(data) => data.user.as_ref(),
            Self::ContextGet(data) => Some(&data.user),
            Self::CommandAdd(data) => data.user.as_ref(),
            Self::ReactionChange(data) => data.user.as_ref(),
            Self::BotDelete(_) | Self::CallSettled(_) | Self::Other(_) => None,
        }
    }

    /// The chat, of the events that have types.
    #[must_use]
    pub fn chat(&self) -> Option<&Chat> {
        match self {
            Self::MessageAdd(data) => data.chat.as_ref(),
            Self::MessageUpdate(data) => data.chat.as_ref(),
            Self::MessageDelete(data) => data.chat.as_ref(),
            Self::JoinChat(data) => data.chat.as_ref(),
            Self::ContextGet(data) => data.chat.as_ref(),
            Self::CommandAdd(data) => data.chat.as_ref(),
            Self::ReactionChange(data) => data.chat.as_ref(),
            Self::BotDelete(_) | Self::CallSettled(_) | Self::Other(_) => None,
        }
    }

    /// The message, of the events that have one.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::MessageAdd(data) => Some(&data.message),
            Self::MessageUpdate(data) => Some(&data.message),
            Self::CommandAdd(data) => data.message.as_ref(),
            Self::ReactionChange(data) => data.message.as_ref(),
            _ => None,
        }
    }

    /// `chat.dialogId`, else `dialogId`, else `chat` and the chat's number, else empty.
    pub(super) fn dialog(&self) -> String {
        let chat = self.chat();
        let own = match self {
            Self::JoinChat(data) => data.dialog_id.as_str(),
            Self::ContextGet(data) => data.dialog_id.as_str(),
            Self::CallSettled(data) => data.dialog_id.as_str(),
            _ => "",
        };
        let known = chat
            .map(|chat| chat.dialog_id.as_str())
            .filter(|dialog| !dialog.is_empty())
            .unwrap_or(own);
        if !known.is_empty() {
            return known.to_owned();
        }
        let number = self
            .message()
            .and_then(|message| message.chat_id)
            .or(chat.and_then(|chat| chat.id));
        number
            .filter(|id| *id > 0)
            .map_or_else(String::new, |id| format!("chat{id}"))
    }
}
