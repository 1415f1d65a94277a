//! What `result` holds after success, one type for each shape. Owns the shapes; knows no method.

use super::entity::{BotInfo, ChatInfo, CommandInfo, FileInfo, MessageInfo, UserInfo};
use super::lenient::map;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `{"result": true}`: most writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Whether it was done; a portal that did not do it gives an error instead.
    pub result: bool,
}

/// A bot, with the users it mentions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BotReply {
    /// The bot.
    pub bot: BotInfo,
    /// The bot as a user, and others.
    #[serde(default)]
    pub users: Vec<UserInfo>,
}

/// A page of bots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BotListReply {
    /// The bots.
    pub bots: Vec<BotInfo>,
    /// The bots as users, and others.
    #[serde(default)]
    pub users: Vec<UserInfo>,
    /// There may be more; the next page may still be empty.
    #[serde(default)]
    pub has_next_page: bool,
}

/// A new chat, with the people in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatAddReply {
    /// The chat.
    pub chat: ChatInfo,
    /// The people.
    #[serde(default)]
    pub users: Vec<UserInfo>,
}

/// A chat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatReply {
    /// The chat.
    pub chat: ChatInfo,
}

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageSendReply {
    /// The message's number; `None` for a call that only forwards.
    pub id: Option<i64>,
    /// The number of each forwarded message by the key that was given for it.
    #[serde(default, deserialize_with = "map")]
    pub uuid_map: BTreeMap<String, i64>,
}

/// How far a chat is read now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageReadReply {
    /// The chat's number.
    pub chat_id: i64,
    /// The newest message that is read.
    pub last_id: i64,
    /// Messages that are left unread.
    #[serde(default)]
    pub counter: i64,
    /// The messages that this call marked.
    #[serde(default)]
    pub viewed_messages: Vec<i64>,
}

/// A message, with its author.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageReply {
    /// The message.
    pub message: MessageInfo,
    /// Its author.
    pub user: UserInfo,
}

/// The messages around one message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageContextReply {
    /// Oldest first.
    pub messages: Vec<MessageInfo>,
    /// Their authors.
    #[serde(default)]
    pub users: Vec<UserInfo>,
    /// There are older ones.
    #[serde(default)]
    pub has_prev_page: bool,
    /// There are newer ones.
    #[serde(default)]
    pub has_next_page: bool,
}

/// A slash command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandReply {
    /// The command.
    pub command: CommandInfo,
}

/// All slash commands of a bot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandListReply {
    /// The commands.
    pub commands: Vec<CommandInfo>,
}

/// Events from the portal's queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventsReply {
    /// The events, oldest first.
    pub events: Vec<FetchedEvent>,
    /// What to pass as `offset` next time. With no events some portals echo the offset, 0 if none was given: never
    /// overwrite a kept offset with 0.
    pub next_offset: i64,
    /// The page was full.
    #[serde(default)]
    pub has_more: bool,
}

/// One event of the portal's queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchedEvent {
    /// Its number; grows, with gaps.
    pub event_id: i64,
    /// `ONIMBOTV2MESSAGEADD` …
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, ISO 8601.
    #[serde(default)]
    pub date: String,
    /// The same as in a webhook event, as typed JSON and without `auth`.
    #[serde(default, deserialize_with = "map")]
    pub data: Map<String, Value>,
}

/// A file that was uploaded, and the message that shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileUploadReply {
    /// The file.
    pub file: FileInfo,
    /// The message's number.
    pub message_id: i64,
    /// The chat's number.
    #[serde(default)]
    pub chat_id: i64,
    /// The dialog.
    #[serde(default)]
    pub dialog_id: String,
}

/// A link to a file, good for one download. It holds a token, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileDownloadReply {
    /// The address. Never log it.
    pub download_url: String,
}

impl std::fmt::Debug for FileDownloadReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileDownloadReply")
            .field("download_url", &"***")
            .finish()
    }
}

/// The revisions of a portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionReply {
    /// Of its REST API: 33 and more have `Revision.get`, 36 is the newest known.
    pub rest: i64,
    /// Of the web client.
    #[serde(default)]
    pub web: i64,
    /// Of the phone client.
    #[serde(default)]
    pub mobile: i64,
    /// Of the desktop client.
    #[serde(default)]
    pub desktop: i64,
}
