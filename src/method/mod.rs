//! Typed REST methods: name, parameters, reply, errors, whether a repeat does harm. Imports `types`; never sends.
//!
//! Names and fields are Bitrix24's own. The bot's number and every credential are added when a call is sent. A setter
//! never fails: what the portal would refuse, cut or ignore is kept as a [`Refused`], and [`Method::check`] tells it
//! before anything is queued. (In a handler `?` means "try again later", and a wrong parameter stays wrong.)
//!
//! # All methods
//! R = a read: [`Read`]. Repeat = what happens when a call is sent again because nobody knows its outcome.
//!
//! | type | method | reply | R | repeat |
//! | --- | --- | --- | --- | --- |
//! | [`BotRegister`] | `imbot.v2.Bot.register` | [`BotReply`] | | harmless |
//! | [`BotUpdate`] | `imbot.v2.Bot.update` | [`BotReply`] | | harmless; never with a new token |
//! | [`BotGet`] | `imbot.v2.Bot.get` | [`BotReply`] | R | harmless |
//! | [`BotList`] | `imbot.v2.Bot.list` | [`BotListReply`] | R | harmless |
//! | [`BotUnregister`] | `imbot.v2.Bot.unregister` | [`Done`] | | harmless |
//! | [`ChatAdd`] | `imbot.v2.Chat.add` | [`ChatAddReply`] | | never |
//! | [`ChatGet`] | `imbot.v2.Chat.get` | [`ChatReply`] | R | harmless |
//! | [`ChatUpdate`] | `imbot.v2.Chat.update` | [`Done`] | | harmless |
//! | [`ChatUserAdd`] | `imbot.v2.Chat.User.add` | [`Done`] | | harmless |
//! | [`ChatUserDelete`] | `imbot.v2.Chat.User.delete` | [`Done`] | | harmless |
//! | [`ChatUserList`] | `imbot.v2.Chat.User.list` | list of [`UserInfo`] | R | harmless |
//! | [`ChatLeave`] | `imbot.v2.Chat.leave` | [`Done`] | | harmless |
//! | [`ChatManagerAdd`] | `imbot.v2.Chat.Manager.add` | [`Done`] | | harmless |
//! | [`ChatManagerDelete`] | `imbot.v2.Chat.Manager.delete` | [`Done`] | | harmless |
//! | [`ChatSetOwner`] | `imbot.v2.Chat.setOwner` | [`Done`] | | harmless |
//! | [`MessageSend`] | `imbot.v2.Chat.Message.send` | [`MessageSendReply`] | | by template id; never as system message |
//! | [`MessageUpdate`] | `imbot.v2.Chat.Message.update` | [`Done`] | | harmless |
//! | [`MessageDelete`] | `imbot.v2.Chat.Message.delete` | [`Done`] | | harmless |
//! | [`MessageRead`] | `imbot.v2.Chat.Message.read` | [`MessageReadReply`] | | harmless |
//! | [`MessageGet`] | `imbot.v2.Chat.Message.get` | [`MessageReply`] | R | harmless |
//! | [`MessageGetContext`] | `imbot.v2.Chat.Message.getContext` | [`MessageContextReply`] | R | harmless |
//! | [`ReactionAdd`] | `imbot.v2.Chat.Message.Reaction.add` | [`Done`] | | harmless |
//! | [`ReactionDelete`] | `imbot.v2.Chat.Message.Reaction.delete` | [`Done`] | | harmless |
//! | [`CommandRegister`] | `imbot.v2.Command.register` | [`CommandReply`] | | harmless |
//! | [`CommandUpdate`] | `imbot.v2.Command.update` | [`CommandReply`] | | harmless |
//! | [`CommandList`] | `imbot.v2.Command.list` | [`CommandListReply`] | R | harmless |
//! | [`CommandUnregister`] | `imbot.v2.Command.unregister` | [`Done`] | | harmless |
//! | [`CommandAnswer`] | `imbot.v2.Command.answer` | [`Done`] | | never |
//! | [`InputActionNotify`] | `imbot.v2.Chat.InputAction.notify` | [`Done`] | | harmless |
//! | [`TextFieldEnabled`] | `imbot.v2.Chat.TextField.enabled` | [`Done`] | | harmless |
//! | [`EventGet`] | `imbot.v2.Event.get` | [`EventsReply`] | | harmless; deletes what it confirms |
//! | [`FileUpload`] | `imbot.v2.File.upload` | [`FileUploadReply`] | | never |
//! | [`FileDownload`] | `imbot.v2.File.download` | [`FileDownloadReply`] | R | harmless |
//! | [`RevisionGet`] | `imbot.v2.Revision.get` | [`RevisionReply`] | R | harmless |
//! | [`UserEventSubscribe`] | `im.v2.Event.subscribe` | `bool` | | harmless |
//! | [`UserEventUnsubscribe`] | `im.v2.Event.unsubscribe` | `bool` | | harmless |
//! | [`UserEventGet`] | `im.v2.Event.get` | [`EventsReply`] | | harmless; deletes what it confirms |
//! | [`UserFileUpload`] | `im.v2.File.upload` | [`FileUploadReply`] | | never |
//! | [`UserFileDownload`] | `im.v2.File.download` | [`FileDownloadReply`] | R | harmless |
//! | [`OldChatUserList`] (deprecated) | `imbot.chat.user.list` | list of numbers | R | harmless |
//! | [`SessionOperator`] | `imopenlines.bot.session.operator` | `bool` | | harmless |
//! | [`SessionTransfer`] | `imopenlines.bot.session.transfer` | `bool` | | harmless |
//! | [`SessionFinish`] | `imopenlines.bot.session.finish` | `bool` | | harmless |
//! | [`SessionMessageSend`] | `imopenlines.bot.session.message.send` | `bool` | | never |
//! | [`BotSendContext`] | `im.v2.Chat.Bot.sendContext` | [`Done`] | | never |
//!
//! # Errors
//! [`ErrorCode`] names every code, [`ErrorClass`] says what kind of failure it is, [`CallError`] why a call brought no reply.

mod base64;
mod batch;
mod bot;
mod call;
mod catalogue;
mod chat;
mod codes;
mod command;
mod entity;
mod error;
mod event;
mod failure;
mod file;
mod lenient;
mod message;
mod openlines;
mod people;
mod reaction;
mod reply;
mod revision;
#[cfg(test)]
mod tests;
mod ui;
mod values;

pub use crate::types::{Reason, Refused};
pub use batch::{Alone, batch_command, must_go_alone};
pub use bot::{BotGet, BotList, BotRegister, BotUnregister, BotUpdate};
pub use call::{Address, Method, Read, Repeat};
pub use catalogue::{CATALOGUE, Entry, find, label};
pub use chat::{ChatAdd, ChatGet, ChatLeave, ChatSetOwner, ChatUpdate};
pub use codes::ErrorCode;
pub use command::{CommandAnswer, CommandList, CommandRegister, CommandUnregister, CommandUpdate};
pub use entity::{BotInfo, ChatInfo, CommandInfo, FileInfo, MessageInfo, UserInfo};
pub use error::ErrorClass;
pub use event::{EventGet, UserEventGet, UserEventSubscribe, UserEventUnsubscribe};
pub use failure::CallError;
pub use file::{FileDownload, FileUpload, UserFileDownload, UserFileUpload};
pub use lenient::OrFalse;
pub use message::{MessageDelete, MessageGet, MessageGetContext, MessageRead, MessageSend, MessageUpdate};
pub use openlines::{SessionFinish, SessionMessageSend, SessionOperator, SessionTransfer};
#[expect(deprecated, reason = "kept for bots of version 1")]
pub use people::OldChatUserList;
pub use people::{ChatManagerAdd, ChatManagerDelete, ChatUserAdd, ChatUserDelete, ChatUserList};
pub use reaction::{ReactionAdd, ReactionDelete};
pub use reply::{
    BotListReply, BotReply, ChatAddReply, ChatReply, CommandListReply, CommandReply, Done, EventsReply, FetchedEvent,
    FileDownloadReply, FileUploadReply, MessageContextReply, MessageReadReply, MessageReply, MessageSendReply,
    RevisionReply,
};
pub use revision::RevisionGet;
pub use ui::{BotSendContext, InputActionNotify, TextFieldEnabled};
pub use values::{AgentAction, Background, BotType, Color, Direction, EventMode, Gender, Reaction};
