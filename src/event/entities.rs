//! The objects inside an event: message, chat, user, bot, authorization. Plain data; owns their names and what may be
//! missing, reads nothing.

use super::free::FreeForm;
use crate::types::Secret;
use serde::Serialize;
use std::collections::BTreeMap;

/// An authorization block. Every field may be missing: a bot registered through a webhook gets no tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Auth {
    /// Acts as the user named by `user_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<Secret>,
    /// Renews the access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// Unix seconds at which the access token dies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// The access token's life in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<i64>,
    /// Permissions, for example `imbot`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    /// The portal's host, perhaps with a port. Never build an address from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The authorization server's address. Only compared with the configured one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_endpoint: Option<String>,
    /// The portal's REST address. Only compared with the configured one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_endpoint: Option<String>,
    /// Licence state of the application: L, F, D, T, P.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The portal's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// Whose tokens these are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<i64>,
    /// The application's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What proves that the event is the portal's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_token: Option<Secret>,
}

/// The bot an event is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BotRef {
    /// Its number, which is also its user id.
    pub id: i64,
    /// The code it was registered with.
    pub code: String,
    /// Tokens that act as the bot; none for a bot registered through a webhook.
    pub auth: Option<Auth>,
}

/// A message. Only its number is certain: the portal may send no more than that.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Message {
    /// Its number on the portal.
    pub id: i64,
    /// The chat's number (not the dialog).
    pub chat_id: Option<i64>,
    /// Who wrote it; 0 is the system.
    pub author_id: Option<i64>,
    /// ISO 8601 with offset.
    pub date: Option<String>,
    /// Text with BB code from strangers, at most 20,000 characters; empty for files alone.
    pub text: String,
    /// Written by the portal, not by a person.
    pub is_system: bool,
    /// The sender's own id of it, lower-case UUID.
    pub uuid: Option<String>,
    /// Where it was forwarded from.
    pub forward: Option<Forward>,
    /// Free-form extras under capital names: `ATTACH`, `KEYBOARD`, `IS_EDITED` … Always an object.
    pub params: FreeForm,
    /// Somebody else has seen it.
    pub viewed_by_others: bool,
    /// Undocumented, mostly empty.
    pub replaces: Vec<FreeForm>,
    /// Files by number, from `params`; names and links need a call.
    pub file_ids: Vec<i64>,
    /// The message it answers, from `params`.
    pub reply_id: Option<i64>,
}

/// Where a message was forwarded from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Forward {
    /// Context, for example `chat5/789`. Not a number.
    pub id: String,
    /// Its first author.
    pub user_id: Option<i64>,
    /// Its first chat.
    pub chat_id: Option<i64>,
    /// That chat's title.
    pub chat_title: Option<String>,
    /// That chat's type, open-ended.
    pub chat_type: String,
    /// When it was first written.
    pub date: Option<String>,
}

/// A chat. The portal may send no more than its number.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Chat {
    /// Its number.
    pub id: Option<i64>,
    /// What an answer is addressed to: `chat112`, in a private chat the other user's number as text.
    pub dialog_id: String,
    /// Title; empty in private chats.
    pub name: String,
    /// `private`, `chat`, `open`, `lines` … open-ended.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same as a letter: P, C, O, L … open-ended.
    pub message_type: String,
    /// Owner's user id; 0 = nobody.
    pub owner: Option<i64>,
    /// `#rrggbb`.
    pub color: Option<String>,
    /// Address of the picture.
    pub avatar: String,
    /// For people.
    pub description: String,
    /// With users from outside.
    pub extranet: bool,
    /// With guests of a collab.
    pub contains_collaber: bool,
    /// What it belongs to, for example `LINES`.
    pub entity_type: String,
    /// Which one.
    pub entity_id: String,
    /// Meaning depends on the type.
    pub entity_data1: String,
    /// Meaning depends on the type.
    pub entity_data2: String,
    /// Meaning depends on the type.
    pub entity_data3: String,
    /// `type`, `url`, `id`.
    pub entity_link: FreeForm,
    /// Folder of its files.
    pub disk_folder_id: Option<i64>,
    /// Who may do what, by name of the right.
    pub permissions: FreeForm,
    /// The chat it comments on; 0 = none.
    pub parent_chat_id: Option<i64>,
    /// The message it comments on; 0 = none.
    pub parent_message_id: Option<i64>,
    /// Just made.
    pub is_new: bool,
    /// Whether people may write; `None` if the portal did not say.
    pub text_field_enabled: Option<bool>,
    /// Its background.
    pub background_id: Option<String>,
    /// Newer portals only.
    pub has_manage_capability: Option<bool>,
}

/// A user of the portal or a guest of an open line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct User {
    /// Number on the portal.
    pub id: i64,
    /// Not dismissed; `None` if the portal did not say.
    pub active: Option<bool>,
    /// First and last name.
    pub name: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Position.
    pub work_position: String,
    /// `#rrggbb`.
    pub color: String,
    /// Address of the picture.
    pub avatar: String,
    /// M or F.
    pub gender: String,
    /// Day and month.
    pub birthday: String,
    /// From outside the company.
    pub extranet: bool,
    /// A bot.
    pub bot: bool,
    /// A guest of an open line.
    pub connector: bool,
    /// `default`, `bot`, `imconnector` …
    pub external_auth_id: String,
    /// `online`, `away` …
    pub status: String,
    /// Idle since.
    pub idle: Option<String>,
    /// Last seen.
    pub last_activity_date: Option<String>,
    /// Last seen on a phone.
    pub mobile_last_date: Option<String>,
    /// Last seen at a desk.
    pub desktop_last_date: Option<String>,
    /// Away until.
    pub absent: Option<String>,
    /// Departments by number.
    pub departments: Vec<i64>,
    /// Phones by kind.
    pub phones: Option<BTreeMap<String, String>>,
    /// `employee`, `extranet`, `bot` … open-ended.
    #[serde(rename = "type")]
    pub kind: String,
    /// Address.
    pub website: String,
    /// Address.
    pub email: String,
    /// Newer portals only.
    pub internal_account: Option<bool>,
    /// Newer portals only.
    pub intranet_user: Option<bool>,
}
