//! `imbot.v2.Chat.*` for chats themselves: make, look, change, leave, hand over. Owns their parameters; never sends.

use super::bot::avatar_field;
use super::call::{method, something_changes};
use super::reply::{ChatAddReply, ChatReply, Done};
use super::values::Color;
use crate::types::{Fields, Markup};

/// `imbot.v2.Chat.add`: makes a group chat, owned by the bot unless [`owner`](Self::owner) says otherwise. A repeat makes
/// a second one.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/chats/chat-add.html)
///
/// ```no_run
/// use imbot::method::{ChatAdd, Color};
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(ChatAdd::new().title("Order 12").color(Color::Mint).users([1, 2]).message("Welcome"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct ChatAdd(Fields);

impl ChatAdd {
    /// A chat without title and people.
    pub fn new() -> Self {
        Self::default()
    }

    /// The people in it, besides the bot.
    pub fn users(self, user_ids: impl IntoIterator<Item = i64>) -> Self {
        Self(self.0.ids("fields.userIds", user_ids))
    }

    /// Its owner. Default: the bot.
    pub fn owner(self, user_id: i64) -> Self {
        Self(self.0.id("fields.ownerId", user_id))
    }

    /// Its first message, at most 20,000 characters.
    pub fn message(self, text: impl Into<Markup>) -> Self {
        Self(self.0.words("fields.message", &text.into()))
    }
}

/// `imbot.v2.Chat.update`: changes title, description, colour and picture of a chat.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/chats/chat-update.html)
///
/// ```no_run
/// use imbot::method::ChatUpdate;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(ChatUpdate::new("chat5").title("Order 12, paid"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct ChatUpdate(Fields);

impl ChatUpdate {
    /// The chat of this dialog; nothing changed yet.
    pub fn new(dialog_id: impl AsRef<str>) -> Self {
        Self(Fields::new().dialog("dialogId", dialog_id.as_ref(), true))
    }
}

/// What making and changing a chat have in common.
macro_rules! looks {
    ($type:ident) => {
        impl $type {
            /// The title.
            pub fn title(self, title: &str) -> Self {
                Self(self.0.with("fields.title", title))
            }

            /// The description.
            pub fn description(self, description: &str) -> Self {
                Self(self.0.with("fields.description", description))
            }

            /// The colour. Default of a new chat: the portal's choice.
            pub fn color(self, color: Color) -> Self {
                Self(self.0.with("fields.color", color))
            }

            /// The picture: the bytes of an image file, at most 5000 x 5000 pixels.
            pub fn avatar(self, image: &[u8]) -> Self {
                Self(avatar_field(self.0, "fields.avatar", image))
            }
        }
    };
}
looks!(ChatAdd);
looks!(ChatUpdate);

method!(ChatAdd: "imbot.v2.Chat.add", Never, BOT, [
    "fields.title", "fields.description", "fields.color", "fields.avatar", "fields.userIds", "fields.ownerId",
    "fields.message",
] -> ChatAddReply);

method!(ChatUpdate: "imbot.v2.Chat.update", Harmless, BOT, [
    "dialogId", "fields.title", "fields.description", "fields.color", "fields.avatar",
] -> Done; whole = something_changes);

/// `imbot.v2.Chat.get`: a chat that the bot is in.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/chats/chat-get.html)
///
/// ```
/// use imbot::method::ChatGet;
/// let call = ChatGet::new("chat5");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct ChatGet(Fields);

impl ChatGet {
    /// The chat of this dialog.
    pub fn new(dialog_id: impl AsRef<str>) -> Self {
        Self(Fields::new().dialog("dialogId", dialog_id.as_ref(), true))
    }
}

method!(ChatGet: "imbot.v2.Chat.get", Harmless, BOT, ["dialogId"] -> ChatReply, Read);

/// `imbot.v2.Chat.leave`: takes the bot out of a group chat. Again: ACCESS_DENIED, which means done.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/chats/chat-leave.html)
///
/// ```no_run
/// use imbot::method::ChatLeave;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(ChatLeave::new("chat5"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct ChatLeave(Fields);

impl ChatLeave {
    /// The group chat to leave (`chatN`).
    pub fn new(dialog_id: impl AsRef<str>) -> Self {
        Self(Fields::new().dialog("dialogId", dialog_id.as_ref(), false))
    }
}

method!(ChatLeave: "imbot.v2.Chat.leave", Harmless, BOT, ["dialogId"] -> Done);

/// `imbot.v2.Chat.setOwner`: hands a group chat to another owner; only the owner may. Again: ACCESS_DENIED, which means
/// done.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/chats/chat-set-owner.html)
///
/// ```no_run
/// use imbot::method::ChatSetOwner;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(ChatSetOwner::new("chat5", 1))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct ChatSetOwner(Fields);

impl ChatSetOwner {
    /// The group chat (`chatN`) and its new owner.
    pub fn new(dialog_id: impl AsRef<str>, user_id: i64) -> Self {
        Self(
            Fields::new()
                .dialog("dialogId", dialog_id.as_ref(), false)
                .id("userId", user_id),
        )
    }
}

method!(ChatSetOwner: "imbot.v2.Chat.setOwner", Harmless, BOT, ["dialogId", "userId"] -> Done);
