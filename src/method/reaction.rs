//! `imbot.v2.Chat.Message.Reaction.*`: what the bot feels about a message. Owns their parameters.

use super::call::method;
use super::reply::Done;
use super::values::Reaction;
use crate::types::Fields;

/// Declares a method that takes a message and a reaction.
macro_rules! reaction {
    ($(#[$meta:meta])* $type:ident, $name:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[must_use]
        pub struct $type(Fields);

        impl $type {
            /// The message and the reaction.
            pub fn new(message_id: i64, reaction: Reaction) -> Self {
                Self::code(message_id, reaction.as_str())
            }

            /// The message and a reaction by its code, for those that [`Reaction`] does not know yet.
            pub fn code(message_id: i64, reaction: &str) -> Self {
                Self(Fields::new().id("messageId", message_id).filled("reaction", reaction))
            }

            /// Keeps the order of this dialog: the portal finds the message by its number and is not told.
            pub fn in_dialog(self, dialog_id: impl AsRef<str>) -> Self {
                Self(self.0.in_dialog(dialog_id.as_ref()))
            }
        }

        method!($type: $name, Harmless, BOT, ["messageId", "reaction"] -> Done);
    };
}

reaction! {
    /// `imbot.v2.Chat.Message.Reaction.add`: puts a reaction on a message. Again: REACTION_ALREADY_SET, which means done.
    /// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/messages/chat-message-reaction-add.html)
    ///
    /// ```no_run
    /// use imbot::method::{Reaction, ReactionAdd};
    /// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
    /// ctx.call(ReactionAdd::new(789, Reaction::Handshake))?;
    /// # Ok(())
    /// # }
    /// ```
    ReactionAdd, "imbot.v2.Chat.Message.Reaction.add"
}

reaction! {
    /// `imbot.v2.Chat.Message.Reaction.delete`: takes the bot's reaction off a message.
    /// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/messages/chat-message-reaction-delete.html)
    ///
    /// ```no_run
    /// use imbot::method::{Reaction, ReactionDelete};
    /// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
    /// ctx.call(ReactionDelete::new(789, Reaction::Handshake))?;
    /// # Ok(())
    /// # }
    /// ```
    ReactionDelete, "imbot.v2.Chat.Message.Reaction.delete"
}
