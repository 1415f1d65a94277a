//! A tree into an event: which parts each event has. The parts themselves are read in `read`.

use super::Event;
use super::data::{
    BotDelete, CommandAdd, ContextGet, Data, JoinChat, MessageAdd, MessageDelete, MessageUpdate, ReactionChange,
};
use super::entities::{BotRef, Chat, Message, User};
use super::free::FreeForm;
use super::name::Known;
use super::other::Other;
use super::read::{self, Fields};
use super::required::{Envelope, Unusable, Usable, message};
use crate::wire::{Node, Tree};

impl Event {
    /// Reads an event. Unknown names and fields never fail; a body without its credentials reads as well, its tokens
    /// are then `None`.
    ///
    /// # Errors
    /// [`Unusable`] names the field without which it cannot be handled.
    pub fn from_tree(tree: &Tree<'_>) -> Result<Self, Unusable> {
        let envelope = Envelope::of(tree);
        let data = data(&envelope)?;
        let root = Fields(Some(tree.root()));
        Ok(Self {
            kind: envelope.kind,
            name: envelope.name(),
            event_handler_id: root.int("event_handler_id"),
            ts: envelope.ts,
            auth: root.auth("auth"),
            data,
        })
    }
}

/// The content of the event in this envelope.
pub(super) fn data(envelope: &Envelope<'_, '_>) -> Result<Data, Unusable> {
    Ok(match envelope.usable()? {
        Usable::Known { known, bot, data } => typed(known, bot, data),
        Usable::Other => Data::Other(Other {
            kind: envelope.kind,
            name: envelope.name(),
            ts: envelope.ts,
            data: envelope
                .data
                .map(|data| FreeForm::from(data.to_json()))
                .unwrap_or_default(),
            bot: envelope.bot(),
            dialog: envelope.dialog(),
        }),
    })
}

/// The data of an event that has types; `usable` has seen that what is required is there.
fn typed(known: Known, bot: i64, data: Node<'_, '_>) -> Data {
    let fields = Fields(Some(data));
    let parts = Parts {
        bot: read::bot(bot, fields.below("bot")),
        message: message(data).map(read::message),
        chat: data.get("chat").filter(|chat| chat.is_container()).map(read::chat),
        user: data.get("user").and_then(read::user),
        language: fields.text("language"),
    };
    match known {
        Known::MessageAdd => parts.message_add(),
        Known::MessageUpdate => parts.message_update(),
        Known::MessageDelete => parts.message_delete(fields),
        Known::JoinChat => parts.join_chat(fields),
        Known::BotDelete => Data::BotDelete(BotDelete { bot: parts.bot }),
        Known::ContextGet => parts.context_get(fields),
        Known::CommandAdd => parts.command_add(fields),
        Known::ReactionChange => parts.reaction_change(fields),
    }
}

/// What most events have in common.
struct Parts {
    bot: BotRef,
    message: Option<Message>,
    chat: Option<Chat>,
    user: Option<User>,
    language: String,
}

impl Parts {
    fn message_add(self) -> Data {
        Data::MessageAdd(MessageAdd {
            bot: self.bot,
            message: self.message.unwrap_or_default(),
            chat: self.chat,
            user: self.user,
            language: self.language,
        })
    }

    fn message_update(self) -> Data {
        Data::MessageUpdate(MessageUpdate {
            bot: self.bot,
            message: self.message.unwrap_or_default(),
            chat: self.chat,
            user: self.user,
            language: self.language,
        })
    }

    fn message_delete(self, fields: Fields<'_, '_>) -> Data {
        Data::MessageDelete(MessageDelete {
            bot: self.bot,
            message_id: fields.int("messageId").unwrap_or_default(),
            chat: self.chat,
            user: self.user,
            language: self.language,
        })
    }

    fn join_chat(self, fields: Fields<'_, '_>) -> Data {
        Data::JoinChat(JoinChat {
            bot: self.bot,
            dialog_id: fields
                .option("dialogId")
                .unwrap_or_else(|| fields.below("chat").text("dialogId")),
            chat: self.chat,
            user: self.user,
            language: self.language,
        })
    }

    fn context_get(self, fields: Fields<'_, '_>) -> Data {
        Data::ContextGet(ContextGet {
            bot: self.bot,
            dialog_id: fields.text("dialogId"),
            context: fields
                .get("context")
                .map(|context| FreeForm::from(context.to_json()))
                .unwrap_or_default(),
            chat: self.chat,
            user: self.user.unwrap_or_default(),
            language: self.language,
        })
    }

    fn command_add(self, fields: Fields<'_, '_>) -> Data {
        Data::CommandAdd(CommandAdd {
            bot: self.bot,
            command: read::command(fields.below("command")),
            message: self.message,
            chat: self.chat,
            user: self.user,
            language: self.language,
        })
    }

    fn reaction_change(self, fields: Fields<'_, '_>) -> Data {
        Data::ReactionChange(ReactionChange {
            bot: self.bot,
            reaction: fields.text("reaction"),
            action: fields.text("action"),
            message: self.message,
            chat: self.chat,
            user: self.user,
            language: self.language,
        })
    }
}
