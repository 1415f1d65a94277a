//! The objects inside an event, field by field in the order a live portal writes them. Reads plain data only.

use super::answer::iso;
use super::form::{Node, map};
use super::state::{Chat, ChatKind, Message, User};
use serde_json::Value;

/// What every event says about the portal itself.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) domain: String,
    pub(super) client_endpoint: String,
    pub(super) server_endpoint: String,
    pub(super) member_id: String,
}

/// The tokens in an auth block of an application.
#[derive(Clone)]
pub(super) struct Tokens {
    pub(super) access_token: String,
    pub(super) refresh_token: String,
    pub(super) expires: i64,
    pub(super) scope: String,
    pub(super) user_id: i64,
    pub(super) client_id: String,
}

/// `data[bot]`; without tokens for a bot that a webhook registered.
pub(super) fn bot(site: &Site, id: i64, code: &str, tokens: Option<&Tokens>, application_token: &str) -> Node {
    let auth = tokens.map(|tokens| {
        let mut auth = opening(site, tokens);
        auth.extend(entries([
            ("refresh_token", tokens.refresh_token.as_str().into()),
            ("user_id", tokens.user_id.into()),
            ("client_id", tokens.client_id.as_str().into()),
            ("application_token", application_token.into()),
        ]));
        Node::Map(auth)
    });
    map([("id", id.into()), ("code", code.into()), ("auth", auth.into())])
}

/// The top-level `auth`: with the tokens of whose action it was, or just the names and the proof.
pub(super) fn auth(site: &Site, tokens: Option<&Tokens>, application_token: &str) -> Node {
    let Some(tokens) = tokens else {
        return map([
            ("domain", site.domain.as_str().into()),
            ("client_endpoint", site.client_endpoint.as_str().into()),
            ("server_endpoint", site.server_endpoint.as_str().into()),
            ("member_id", site.member_id.as_str().into()),
            ("application_token", application_token.into()),
        ]);
    };
    let mut auth = opening(site, tokens);
    auth.extend(entries([
        ("user_id", tokens.user_id.into()),
        ("refresh_token", tokens.refresh_token.as_str().into()),
        ("application_token", application_token.into()),
    ]));
    Node::Map(auth)
}

/// The fields that both auth blocks begin with.
fn opening(site: &Site, tokens: &Tokens) -> Vec<(String, Node)> {
    entries([
        ("access_token", tokens.access_token.as_str().into()),
        ("expires", tokens.expires.into()),
        ("expires_in", Node::Int(3600)),
        ("scope", tokens.scope.as_str().into()),
        ("domain", site.domain.as_str().into()),
        ("server_endpoint", site.server_endpoint.as_str().into()),
        ("status", "L".into()),
        ("client_endpoint", site.client_endpoint.as_str().into()),
        ("member_id", site.member_id.as_str().into()),
    ])
}

/// `data[message]`. Both spellings of the ids, as live portals send them.
pub(super) fn message(message: &Message) -> Node {
    map([
        ("id", message.id.into()),
        ("chatId", message.chat.into()),
        ("chat_id", message.chat.into()),
        ("authorId", message.author.into()),
        ("author_id", message.author.into()),
        ("date", iso(message.date).into()),
        ("text", message.text.as_str().into()),
        ("isSystem", message.system.into()),
        ("uuid", message.template.as_deref().into()),
        ("params", params(message)),
        ("viewedByOthers", message.viewed.into()),
    ])
}

fn params(message: &Message) -> Node {
    let keyboard = message.keyboard.iter().map(button).collect();
    let attach = message.attach.iter().map(Node::from).collect();
    map([
        ("REPLY_ID", message.reply_to.into()),
        ("IS_EDITED", message.edited.then_some("Y").into()),
        ("KEYBOARD", Node::List(keyboard)),
        ("ATTACH", Node::List(attach)),
    ])
}

/// A button with its fields in the usual order; what is not usual follows.
fn button(button: &Value) -> Node {
    const ORDER: [&str; 6] = ["BOT_ID", "TEXT", "LINK", "COMMAND", "COMMAND_PARAMS", "DISPLAY"];
    let mut fields: Vec<(String, Node)> = Vec::new();
    for (name, value) in button.as_object().into_iter().flatten() {
        fields.push((name.clone(), value.into()));
    }
    fields.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len()));
    Node::Map(fields)
}

/// `data[chat]` as this bot sees it: a private dialog is named after the other side.
pub(super) fn chat(chat: &Chat, bot: i64) -> Node {
    let (name, color, disk_folder, message_type, kind) = match &chat.kind {
        ChatKind::Private => ("", "#ab7761", None, "P", "private"),
        ChatKind::Group {
            name,
            color,
            disk_folder,
        } => (name.as_str(), color.as_str(), Some(*disk_folder), "C", "chat"),
    };
    map([
        ("avatar", "".into()),
        ("color", color.into()),
        ("description", "".into()),
        ("dialogId", chat.dialog_for(bot).into()),
        ("diskFolderId", disk_folder.into()),
        ("entityData1", "".into()),
        ("entityData2", "".into()),
        ("entityData3", "".into()),
        ("entityId", "".into()),
        ("entityType", "".into()),
        ("extranet", false.into()),
        ("containsCollaber", false.into()),
        ("id", chat.id.into()),
        ("parentChatId", Node::Int(0)),
        ("parentMessageId", Node::Int(0)),
        ("name", name.into()),
        ("owner", chat.owner.into()),
        ("messageType", message_type.into()),
        ("type", kind.into()),
        ("entityLink", map([("type", "".into()), ("url", "".into())])),
        ("permissions", permissions()),
        ("isNew", chat.is_new.into()),
        // Documented as Y/N; live portals send a boolean.
        ("textFieldEnabled", true.into()),
    ])
}

fn permissions() -> Node {
    map([
        ("manageUsersAdd", "member".into()),
        ("manageUsersDelete", "manager".into()),
        ("manageUi", "member".into()),
        ("manageSettings", "owner".into()),
        ("manageMessages", "member".into()),
        ("canPost", "member".into()),
    ])
}

/// `data[user]`. The online fields are always false in events.
pub(super) fn user(user: &User) -> Node {
    let name = format!("{} {}", user.first_name, user.last_name);
    let (external, kind) = if user.is_bot {
        ("bot", "bot")
    } else {
        ("default", "employee")
    };
    map([
        ("id", user.id.into()),
        ("active", true.into()),
        ("name", name.trim().into()),
        ("firstName", user.first_name.as_str().into()),
        ("lastName", user.last_name.as_str().into()),
        ("workPosition", user.work_position.as_str().into()),
        ("color", user.color.as_str().into()),
        ("avatar", "".into()),
        ("gender", user.gender.into()),
        ("birthday", "".into()),
        ("extranet", false.into()),
        ("bot", user.is_bot.into()),
        ("connector", false.into()),
        ("externalAuthId", external.into()),
        ("status", "online".into()),
        ("idle", false.into()),
        ("lastActivityDate", false.into()),
        ("mobileLastDate", false.into()),
        ("desktopLastDate", false.into()),
        ("absent", false.into()),
        (
            "departments",
            Node::List(user.departments.iter().map(|id| Node::Int(*id)).collect()),
        ),
        ("phones", false.into()),
        ("type", kind.into()),
        ("website", "".into()),
        ("email", user.email.as_str().into()),
    ])
}

fn entries<const N: usize>(list: [(&str, Node); N]) -> Vec<(String, Node)> {
    list.into_iter().map(|(key, node)| (key.to_owned(), node)).collect()
}
