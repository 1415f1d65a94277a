//! The things that replies are made of: bots, users, chats, messages, files, commands. Owns their fields as `imbot.v2`
//! writes them to JSON; a field that this version does not know is ignored, one that is missing gets its empty value.

use super::lenient::{OrFalse, map, some_map};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A bot. Other applications see the short form, which ends with `language`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BotInfo {
    /// Its number, which is its user number too.
    pub id: i64,
    /// The code it was registered with.
    pub code: String,
    /// `bot`, `supervisor`, `personal`, `openline` …
    #[serde(rename = "type")]
    pub kind: String,
    /// Hidden in the list of bots.
    pub is_hidden: bool,
    /// May serve open lines.
    pub is_support_openline: bool,
    /// People may put reactions on its messages.
    pub is_reactions_enabled: bool,
    /// The background of its private dialogs.
    pub background_id: Option<String>,
    /// Two letters.
    pub language: String,
    /// Who made it: `rest` for a bot of an application. From here on only for the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_id: Option<String>,
    /// `fetch` or `webhook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_mode: Option<String>,
    /// Messages it has sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_message: Option<i64>,
    /// Commands it has been given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_command: Option<i64>,
    /// Chats it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_chat: Option<i64>,
    /// Users it has talked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_user: Option<i64>,
    /// On portals below revision 35 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
}

/// A user, which a bot is too. Most fields may be missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct UserInfo {
    /// The user's number.
    pub id: i64,
    /// Not dismissed.
    pub active: bool,
    /// The full name.
    pub name: String,
    /// The first name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// The position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_position: Option<String>,
    /// The colour, as `#rrggbb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// The address of the picture, or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// `M` or `F`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// Day and month, `15-03`, or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthday: Option<String>,
    /// From outside the company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extranet: Option<bool>,
    /// A bot.
    pub bot: bool,
    /// Somebody behind an open line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector: Option<bool>,
    /// `default`, `bot`, `imconnector` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_auth_id: Option<String>,
    /// `online`, `away` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Idle since, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<OrFalse<String>>,
    /// Last seen, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity_date: Option<OrFalse<String>>,
    /// Last seen on a phone, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobile_last_date: Option<OrFalse<String>>,
    /// Last seen in the desktop application, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desktop_last_date: Option<OrFalse<String>>,
    /// Absent until, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent: Option<OrFalse<String>>,
    /// The departments' numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub departments: Option<Vec<i64>>,
    /// Phone numbers by kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phones: Option<OrFalse<Map<String, Value>>>,
    /// `employee`, `bot`, `extranet` …
    #[serde(rename = "type")]
    pub kind: String,
    /// The website.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// The mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// A chat.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChatInfo {
    /// Its number.
    pub id: i64,
    /// `chatN`, or the number of the other user.
    pub dialog_id: String,
    /// The title.
    pub name: String,
    /// The description, or empty.
    pub description: String,
    /// `chat`, `open`, `private`, `lines` …
    #[serde(rename = "type")]
    pub kind: String,
    /// The old letter for its type: `C`, `O`, `P`, `L`.
    pub message_type: String,
    /// The owner's user number.
    pub owner: i64,
    /// The colour, as `#rrggbb`.
    pub color: Option<String>,
    /// The address of the picture, or empty.
    pub avatar: String,
    /// Somebody from outside the company is in it.
    pub extranet: bool,
    /// A guest of a collaboration is in it.
    pub contains_collaber: bool,
    /// What it belongs to (`LINES`, `TASKS` …), or empty.
    pub entity_type: String,
    /// Which one it belongs to, or empty.
    pub entity_id: String,
    /// More about that.
    pub entity_data1: String,
    /// More about that.
    pub entity_data2: String,
    /// More about that.
    pub entity_data3: String,
    /// A link to it; may be empty.
    #[serde(deserialize_with = "map")]
    pub entity_link: Map<String, Value>,
    /// The number of its folder on Drive.
    pub disk_folder_id: Option<i64>,
    /// The bot's part in it: `owner`, `manager`, `member`, `guest`.
    pub role: String,
    /// Who may do what; may be empty.
    #[serde(deserialize_with = "map")]
    pub permissions: Map<String, Value>,
    /// Users who muted it.
    pub mute_list: Vec<i64>,
    /// The chat it hangs on.
    pub parent_chat_id: Option<i64>,
    /// The message it hangs on.
    pub parent_message_id: Option<i64>,
    /// Just made.
    pub is_new: bool,
    /// `Y` or `N`: whether people can write.
    pub text_field_enabled: String,
    /// Its background.
    pub background_id: Option<String>,
    /// Made at, ISO 8601.
    pub date_create: Option<String>,
    /// The newest message.
    pub last_message_id: Option<i64>,
    /// Who has seen it, as JSON text.
    pub last_message_views: String,
    /// The newest message that the bot has read.
    pub last_id: Option<i64>,
    /// Its managers' user numbers.
    pub manager_list: Vec<i64>,
    /// A message that is marked.
    pub marked_id: Option<i64>,
    /// Messages in it.
    pub message_count: i64,
    /// Its public link: an object, or an empty text.
    pub public: Value,
    /// The first unread message.
    pub unread_id: Option<i64>,
    /// People in it.
    pub user_counter: i64,
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MessageInfo {
    /// Its number.
    pub id: i64,
    /// Its chat's number.
    pub chat_id: i64,
    /// Its author's user number; 0 for a system message.
    pub author_id: i64,
    /// Written at, ISO 8601.
    pub date: Option<String>,
    /// Its text in BB code.
    pub text: String,
    /// Written by nobody.
    pub is_system: bool,
    /// The id by which a repeated send is recognised, or empty.
    pub uuid: String,
    /// Where it was forwarded from.
    #[serde(deserialize_with = "some_map")]
    pub forward: Option<Map<String, Value>>,
    /// Attachment, keyboard and the rest; may be empty.
    #[serde(deserialize_with = "map")]
    pub params: Map<String, Value>,
    /// Somebody else has seen it.
    pub viewed_by_others: bool,
    /// The bot has not read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<bool>,
    /// The bot has seen it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viewed: Option<bool>,
}

/// A file in a chat.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FileInfo {
    /// Its number on Drive.
    pub id: i64,
    /// The chat's number.
    pub chat_id: i64,
    /// Uploaded at, ISO 8601.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// `file`, `image`, `video`, `audio`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its name.
    pub name: String,
    /// Its extension, without a dot.
    pub extension: String,
    /// Bytes.
    pub size: i64,
    /// Width and height of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<OrFalse<Map<String, Value>>>,
    /// Who uploaded it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_id: Option<i64>,
    /// The name of who uploaded it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_name: Option<String>,
    /// Speech that the portal can write down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_transcribable: Option<bool>,
    /// A round video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_video_note: Option<bool>,
    /// A spoken message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_voice_note: Option<bool>,
    /// `done` and others. From here on for `im.v2.File.upload` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<i64>,
    /// The address of a preview, or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_preview: Option<String>,
    /// The address to look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_show: Option<String>,
    /// The address to download it as a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_download: Option<String>,
    /// For the viewer of the web client.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "some_map")]
    pub viewer_attrs: Option<Map<String, Value>>,
    /// Previews by size.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "some_map")]
    pub media_url: Option<Map<String, Value>>,
}

/// A slash command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CommandInfo {
    /// Its number.
    pub id: i64,
    /// The bot it belongs to.
    pub bot_id: i64,
    /// Its name, with the slash.
    pub command: String,
    /// Usable in every chat.
    pub common: bool,
    /// Not in the list that people see.
    pub hidden: bool,
    /// Usable by people from outside the company.
    pub extranet_support: bool,
    /// What it does, in the caller's language. From here on for `imbot.v2.Command.list` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it takes, in the caller's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<String>,
    /// The name of its bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Where it is offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}
