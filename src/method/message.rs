//! `imbot.v2.Chat.Message.*`: say, edit, delete, read. Owns their parameters; never sends.

use super::call::{method, something_changes};
use super::reply::{Done, MessageContextReply, MessageReadReply, MessageReply, MessageSendReply};
use super::{Reason, Refused, Repeat};
use crate::types::{Attachment, Draft, Fields, Keyboard, Markup, TemplateId};
use serde_json::{Map, Value};

/// The most messages one call forwards. Source: Bitrix24 documentation, TOO_MANY_MESSAGES.
const MAX_FORWARDS: usize = 100;

/// `imbot.v2.Chat.Message.send`: says something in a dialog that the bot is in.
///
/// At most 20,000 characters of text and 60,000 of attachment (as JSON); 100 forwarded messages. A blank text is refused
/// unless an attachment or forwarded messages go with it.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/messages/chat-message-send.html)
///
/// ```no_run
/// use imbot::method::MessageSend;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(MessageSend::new("chat5", "Hello").reply_to(789).without_preview())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct MessageSend(Fields);

impl MessageSend {
    /// A message to `chatN` or to the user with a number.
    pub fn new(dialog_id: impl AsRef<str>, draft: impl Into<Draft>) -> Self {
        Self(spoken(
            Fields::new().dialog("dialogId", dialog_id.as_ref(), true),
            &draft.into(),
        ))
    }

    /// Only forwarded messages.
    pub fn forwarding<K: Into<String>>(
        dialog_id: impl AsRef<str>,
        messages: impl IntoIterator<Item = (K, i64)>,
    ) -> Self {
        Self::new(dialog_id, Draft::default()).forwards(messages)
    }

    /// As an answer to a message of the same dialog.
    pub fn reply_to(self, message_id: i64) -> Self {
        Self(self.0.id("fields.replyId", message_id))
    }

    /// Together with forwarded messages, at most 100: a key of your choice (a UUID) for each, under which the reply tells
    /// the new message's number.
    pub fn forwards<K: Into<String>>(self, messages: impl IntoIterator<Item = (K, i64)>) -> Self {
        let messages: Map<String, Value> = messages.into_iter().map(|(key, id)| (key.into(), id.into())).collect();
        let (count, most, path) = (messages.len(), MAX_FORWARDS, "fields.forwardIds");
        let fields = self.0.must(count > 0, path, Reason::Empty);
        let fields = fields.must(count <= most, path, Reason::TooMany { count, most });
        let known = messages.values().all(|id| id.as_i64().is_some_and(|id| id > 0));
        let form = Reason::Form("a key and a message number above 0 for each message");
        Self(fields.must(known, path, form).with(path, messages))
    }

    /// Without an author. It cannot be edited, and a portal does not recognise it when it is sent twice. Revision 33.
    pub fn system(self) -> Self {
        Self(self.0.with("fields.system", true))
    }

    /// Links in it get no preview. Default: they do.
    pub fn without_preview(self) -> Self {
        Self(self.0.with("fields.urlPreview", false))
    }

    /// The id by which a portal recognises a repeat. Made for you when the call is queued through a `Ctx`.
    pub fn template_id(self, id: &TemplateId) -> Self {
        Self(self.0.with("fields.templateId", id.as_str()))
    }

    /// Not shown to the client of an open line. Named in the change log only (revision 33).
    pub fn skip_connector(self) -> Self {
        Self(self.0.with("fields.skipConnector", true))
    }

    /// Shown to the client of an open line without a sound. Named in the change log only (revision 33).
    pub fn silent_connector(self) -> Self {
        Self(self.0.with("fields.silentConnector", true))
    }
}

/// Adds a draft's text, attachment and keyboard, and what is refused in them.
pub(super) fn spoken(fields: Fields, draft: &Draft) -> Fields {
    let fields = match draft.check() {
        Ok(()) => fields,
        Err(refused) => fields.carry(refused.inside("fields")),
    };
    match draft.fields() {
        Value::Object(parts) => parts.into_iter().fold(fields, |fields, (name, part)| {
            fields.with(&format!("fields.{name}"), part)
        }),
        _ => fields,
    }
}

/// Refuses a call that would show nothing: EMPTY_MESSAGE.
pub(super) fn says_something(fields: &Fields) -> Result<(), Refused> {
    let text = fields.str("fields.message").is_some_and(|text| !text.trim().is_empty());
    let other = fields.get("fields.attach").or_else(|| fields.get("fields.forwardIds"));
    if text || other.is_some() {
        Ok(())
    } else {
        Err(Refused::new("fields.message", Reason::Blank))
    }
}

method!(MessageSend: "imbot.v2.Chat.Message.send", ByTemplate, BOT, [
    "dialogId", "fields.message", "fields.attach", "fields.keyboard", "fields.system", "fields.urlPreview",
    "fields.replyId", "fields.templateId", "fields.forwardIds", "fields.skipConnector", "fields.silentConnector",
] -> MessageSendReply; whole = says_something; repeat = |fields| match fields.get("fields.system") {
    Some(_) => Repeat::Never,
    None => Repeat::ByTemplate,
});

/// `imbot.v2.Chat.Message.update`: edits a message of the bot. What is not given stays. A system message has no author
/// and cannot be edited.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/messages/chat-message-update.html)
///
/// ```no_run
/// use imbot::method::MessageUpdate;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(MessageUpdate::new(789).text("Paid").without_keyboard())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct MessageUpdate(Fields);

impl MessageUpdate {
    /// The message to edit; nothing changed yet.
    pub fn new(message_id: i64) -> Self {
        Self(Fields::new().id("messageId", message_id))
    }

    /// Another text, at most 20,000 characters.
    pub fn text(self, text: impl Into<Markup>) -> Self {
        Self(self.0.words("fields.message", &text.into()))
    }

    /// Another attachment.
    pub fn attachment(self, attachment: &Attachment) -> Self {
        let path = "fields.attach";
        let fields = match attachment.check() {
            Ok(()) => self.0,
            Err(refused) => self.0.carry(refused.inside(path)),
        };
        Self(fields.with(path, attachment.json()))
    }

    /// Other buttons.
    pub fn keyboard(self, keyboard: &Keyboard) -> Self {
        let path = "fields.keyboard";
        let fields = match keyboard.check() {
            Ok(()) => self.0,
            Err(refused) => self.0.carry(refused.inside(path)),
        };
        Self(fields.with(path, keyboard.json_of_update()))
    }

    /// No buttons.
    pub fn without_keyboard(self) -> Self {
        self.keyboard(&Keyboard::new())
    }

    /// Keeps the order of this dialog: the portal finds the message by its number and is not told.
    pub fn in_dialog(self, dialog_id: impl AsRef<str>) -> Self {
        Self(self.0.in_dialog(dialog_id.as_ref()))
    }

    /// Whether links in it get a preview. Default: they do.
    pub fn preview(self, shown: bool) -> Self {
        // A letter here, a boolean in a send: the documentation says so of each.
        Self(self.0.with("fields.urlPreview", if shown { "Y" } else { "N" }))
    }
}

method!(MessageUpdate: "imbot.v2.Chat.Message.update", Harmless, BOT, [
    "messageId", "fields.message", "fields.attach", "fields.keyboard", "fields.urlPreview",
] -> Done; whole = something_changes);

/// `imbot.v2.Chat.Message.delete`: deletes a message of the bot, or any message where the bot is an administrator.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/messages/chat-message-delete.html)
///
/// ```no_run
/// use imbot::method::MessageDelete;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(MessageDelete::new(789).complete())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct MessageDelete(Fields);

impl MessageDelete {
    /// The message to delete; a trace of it stays.
    pub fn new(message_id: i64) -> Self {
        Self(Fields::new().id("messageId", message_id))
    }

    /// Keeps the order of this dialog: the portal finds the message by its number and is not told.
    pub fn in_dialog(self, dialog_id: impl AsRef<str>) -> Self {
        Self(self.0.in_dialog(dialog_id.as_ref()))
    }

    /// Without a trace. Again: ACCESS_DENIED, which means done.
    pub fn complete(self) -> Self {
        Self(self.0.with("complete", true))
    }
}

method!(MessageDelete: "imbot.v2.Chat.Message.delete", Harmless, BOT, ["messageId", "complete"] -> Done);

/// `imbot.v2.Chat.Message.read`: marks a dialog as read by the bot, whole or up to a message.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/messages/chat-message-read.html)
///
/// ```no_run
/// use imbot::method::MessageRead;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(MessageRead::new("chat5").up_to(789))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct MessageRead(Fields);

impl MessageRead {
    /// The whole dialog.
    pub fn new(dialog_id: impl AsRef<str>) -> Self {
        Self(Fields::new().dialog("dialogId", dialog_id.as_ref(), true))
    }

    /// Up to this message.
    pub fn up_to(self, message_id: i64) -> Self {
        Self(self.0.id("messageId", message_id))
    }
}

method!(MessageRead: "imbot.v2.Chat.Message.read", Harmless, BOT, ["dialogId", "messageId"] -> MessageReadReply);

/// `imbot.v2.Chat.Message.get`: one message. Supervisor and personal bots only.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/messages/chat-message-get.html)
///
/// ```
/// use imbot::method::MessageGet;
/// let call = MessageGet::new(789);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct MessageGet(Fields);

impl MessageGet {
    /// The message with this number.
    pub fn new(message_id: i64) -> Self {
        Self(Fields::new().id("messageId", message_id))
    }
}

method!(MessageGet: "imbot.v2.Chat.Message.get", Harmless, BOT, ["messageId"] -> MessageReply, Read);

/// `imbot.v2.Chat.Message.getContext`: the messages around one message. Supervisor and personal bots only.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/messages/chat-message-get-context.html)
///
/// ```
/// use imbot::method::MessageGetContext;
/// let call = MessageGetContext::new(789).range(20);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct MessageGetContext(Fields);

impl MessageGetContext {
    /// 50 messages on each side of this one.
    pub fn new(message_id: i64) -> Self {
        Self(Fields::new().id("messageId", message_id))
    }

    /// So many messages on each side, 1 to 50. Default: 50.
    pub fn range(self, messages: i64) -> Self {
        Self(self.0.number("range", messages, 1, 50))
    }
}

method!(MessageGetContext: "imbot.v2.Chat.Message.getContext", Harmless, BOT, ["messageId", "range"]
    -> MessageContextReply, Read);
