//! `imbot.v2.Chat.User.*` and `imbot.v2.Chat.Manager.*`: who is in a group chat, and as what. Owns their parameters.

use super::call::method;
use super::entity::UserInfo;
use super::reply::Done;
use super::values::Direction;
use crate::types::Fields;

/// Declares a method that takes a group chat and a list of users.
macro_rules! of_users {
    ($(#[$meta:meta])* $type:ident, $name:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[must_use]
        pub struct $type(Fields);

        impl $type {
            /// The group chat (`chatN`) and the users, at least one.
            pub fn new(dialog_id: impl AsRef<str>, user_ids: impl IntoIterator<Item = i64>) -> Self {
                let fields = Fields::new().dialog("dialogId", dialog_id.as_ref(), false);
                Self(fields.ids("userIds", user_ids))
            }
        }

        method!($type: $name, Harmless, BOT, ["dialogId", "userIds"] -> Done);
    };
}

of_users! {
    /// `imbot.v2.Chat.User.add`: adds people to a group chat; unknown and inactive ones are skipped without a word. The
    /// bot must be an administrator of the chat.
    /// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/chats/chat-user-add.html)
    ///
    /// ```no_run
    /// use imbot::method::ChatUserAdd;
    /// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
    /// ctx.call(ChatUserAdd::new("chat5", [1, 2, 3]))?;
    /// # Ok(())
    /// # }
    /// ```
    ChatUserAdd, "imbot.v2.Chat.User.add"
}

of_users! {
    /// `imbot.v2.Chat.Manager.add`: makes people managers of a group chat; who is not in it is skipped without a word. The
    /// bot must own the chat.
    /// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/chats/chat-manager-add.html)
    ///
    /// ```no_run
    /// use imbot::method::ChatManagerAdd;
    /// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
    /// ctx.call(ChatManagerAdd::new("chat5", [4, 5]))?;
    /// # Ok(())
    /// # }
    /// ```
    ChatManagerAdd, "imbot.v2.Chat.Manager.add"
}

of_users! {
    /// `imbot.v2.Chat.Manager.delete`: takes the manager's role away. The bot must own the chat.
    /// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/chats/chat-manager-delete.html)
    ///
    /// ```no_run
    /// use imbot::method::ChatManagerDelete;
    /// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
    /// ctx.call(ChatManagerDelete::new("chat5", [4, 5]))?;
    /// # Ok(())
    /// # }
    /// ```
    ChatManagerDelete, "imbot.v2.Chat.Manager.delete"
}

/// `imbot.v2.Chat.User.delete`: takes one person out of a group chat; also fine if the person is not in it. The bot must
/// be an administrator of the chat.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/chats/chat-user-delete.html)
///
/// ```no_run
/// use imbot::method::ChatUserDelete;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(ChatUserDelete::new("chat5", 1))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct ChatUserDelete(Fields);

impl ChatUserDelete {
    /// The group chat (`chatN`) and the person.
    pub fn new(dialog_id: impl AsRef<str>, user_id: i64) -> Self {
        let fields = Fields::new().dialog("dialogId", dialog_id.as_ref(), false);
        Self(fields.id("userId", user_id))
    }
}

method!(ChatUserDelete: "imbot.v2.Chat.User.delete", Harmless, BOT, ["dialogId", "userId"] -> Done);

/// `imbot.v2.Chat.User.list`: the people in a group chat. At most 200: there is no way to a next page.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/chats/chat-user-list.html)
///
/// ```
/// use imbot::method::{ChatUserList, Direction};
/// let call = ChatUserList::new("chat5").by_last_message(Direction::Descending).limit(200);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct ChatUserList(Fields);

impl ChatUserList {
    /// The people of this group chat (`chatN`), 50 of them.
    pub fn new(dialog_id: impl AsRef<str>) -> Self {
        Self(Fields::new().dialog("dialogId", dialog_id.as_ref(), false))
    }

    /// In the order in which they came.
    pub fn by_id(self, direction: Direction) -> Self {
        Self(self.0.with("order.id", direction))
    }

    /// In the order of their newest messages.
    pub fn by_last_message(self, direction: Direction) -> Self {
        Self(self.0.with("order.lastSendMessageId", direction))
    }

    /// In the order of their user numbers.
    pub fn by_user(self, direction: Direction) -> Self {
        Self(self.0.with("order.userId", direction))
    }

    /// So many, 1 to 200. Default: 50.
    pub fn limit(self, limit: i64) -> Self {
        Self(self.0.number("limit", limit, 1, 200))
    }
}

method!(ChatUserList: "imbot.v2.Chat.User.list", Harmless, BOT, [
    "dialogId", "order.id", "order.lastSendMessageId", "order.userId", "limit",
] -> Vec<UserInfo>, Read);

/// `imbot.chat.user.list` of the old API: the user numbers of a chat's people.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/outdated/chats/imbot-chat-user-list.html)
///
/// ```
/// #![allow(deprecated, reason = "old bots have nothing else")]
/// use imbot::method::OldChatUserList;
/// let call = OldChatUserList::new(2725);
/// ```
#[deprecated(note = "Bitrix24 no longer develops imbot.chat.user.list: use ChatUserList (imbot.v2.Chat.User.list)")]
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct OldChatUserList(Fields);

#[expect(deprecated, reason = "kept for bots of version 1")]
mod old {
    use super::{Fields, OldChatUserList, method};

    impl OldChatUserList {
        /// The people of the chat with this number, which is no dialog id: 5, not `chat5`.
        pub fn new(chat_id: i64) -> Self {
            Self(Fields::new().id("CHAT_ID", chat_id))
        }
    }

    method!(OldChatUserList: "imbot.chat.user.list", Harmless, VERSION_1, ["CHAT_ID"] -> Vec<i64>, Read);
}
