//! The objects inside an event, field by field in the order a live portal writes them. Reads plain data only.

use super::answer::iso;
use super::config::PortalConfig;
use super::form::{Node, Style, map};
use super::model::{Chat, ChatKind, Forward, Message, User};
use serde_json::Value;

/// What every event says about the portal itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Site {
    pub(super) domain: String,
    pub(super) client_endpoint: String,
    pub(super) server_endpoint: String,
    pub(super) member_id: String,
    pub(super) style: Style,
}

impl Site {
    pub(super) fn of(config: &PortalConfig) -> Self {
        Self {
            domain: config.host.clone(),
            client_endpoint: format!("https://{}/rest/", config.host),
            server_endpoint: format!("https://{}/rest/", config.authorisation_host),
            member_id: config.member_id.clone(),
            style: Style {
                null_is_empty: config.knobs.null_is_empty,
                empty_is_key: config.knobs.empty_is_key,
            },
        }
    }
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
        ("forward", forward(message)),
        ("params", params(message)),
        ("viewedByOthers", message.viewed.into()),
    ])
}

/// `params` holds what there is and nothing else.
pub(super) fn params(message: &Message) -> Node {
    let mut params: Vec<(String, Node)> = Vec::new();
    let mut put = |name: &str, node: Node| params.push((name.to_owned(), node));
    if !message.files.is_empty() {
        put(
            "FILE_ID",
            Node::List(message.files.iter().map(|id| Node::Int(*id)).collect()),
        );
    }
    if let Some(id) = message.reply_to {
        put("REPLY_ID", id.into());
    }
    if message.edited {
        put("IS_EDITED", "Y".into());
    }
    if message.deleted {
        put("IS_DELETED", "Y".into());
    }
    if let Some(forward) = &message.forward {
        put("FORWARD_ID", forward.message.into());
        put("FORWARD_CONTEXT_ID", context_of(forward).into());
        put("FORWARD_USER_ID", forward.author.into());
    }
    if !message.url_preview {
        put("URL_PREVIEW", "N".into());
    }
    if !message.keyboard.is_empty() {
        put("KEYBOARD", Node::List(message.keyboard.iter().map(button).collect()));
    }
    if let Some(attach) = &message.attach {
        put("ATTACH", Node::List(vec![attach.into()]));
    }
    Node::Map(params)
}

/// `chat5/789`: where a forwarded message came from.
fn context_of(forward: &Forward) -> String {
    format!("chat{}/{}", forward.chat, forward.message)
}

/// `message.forward`; absent if it is none.
pub(super) fn forward(message: &Message) -> Node {
    let forward = message.forward.as_ref();
    forward
        .map(|forward| {
            map([
                ("id", context_of(forward).into()),
                ("userId", forward.author.into()),
                ("chatId", forward.chat.into()),
                ("date", iso(message.date).into()),
            ])
        })
        .into()
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
    let face = face(chat);
    map([
        ("avatar", chat.avatar.as_str().into()),
        ("color", face.color.into()),
        ("description", chat.description.as_str().into()),
        ("dialogId", chat.dialog_for(bot).into()),
        ("diskFolderId", face.disk_folder.into()),
        ("entityData1", "".into()),
        ("entityData2", "".into()),
        ("entityData3", "".into()),
        ("entityId", face.entity_id.into()),
        ("entityType", face.entity_type.into()),
        ("extranet", false.into()),
        ("containsCollaber", false.into()),
        ("id", chat.id.into()),
        ("parentChatId", Node::Int(0)),
        ("parentMessageId", Node::Int(0)),
        ("name", face.name.into()),
        ("owner", chat.owner.into()),
        ("messageType", face.message_type.into()),
        ("type", face.kind.into()),
        (
            "entityLink",
            map([("type", face.entity_type.into()), ("url", "".into())]),
        ),
        ("permissions", permissions()),
        ("isNew", chat.is_new.into()),
        // Documented as Y/N; live portals send a boolean.
        ("textFieldEnabled", chat.text_field.into()),
    ])
}

/// What differs between the kinds of chat.
pub(super) struct Face<'a> {
    pub(super) name: &'a str,
    pub(super) color: &'a str,
    pub(super) disk_folder: Option<i64>,
    pub(super) message_type: &'static str,
    pub(super) kind: &'static str,
    pub(super) entity_type: &'static str,
    pub(super) entity_id: String,
}

pub(super) fn face(chat: &Chat) -> Face<'_> {
    let plain = Face {
        name: "",
        color: "#ab7761",
        disk_folder: None,
        message_type: "P",
        kind: "private",
        entity_type: "",
        entity_id: String::new(),
    };
    match &chat.kind {
        ChatKind::Private => plain,
        ChatKind::Group {
            name,
            color,
            disk_folder,
        } => Face {
            name,
            color,
            disk_folder: Some(*disk_folder),
            message_type: "C",
            kind: "chat",
            ..plain
        },
        ChatKind::Lines { name, guest, .. } => Face {
            name,
            color: "#3e99ce",
            disk_folder: Some(0),
            message_type: "L",
            kind: "lines",
            entity_type: "LINES",
            entity_id: format!("livechat|1|{}|{guest}", chat.id),
        },
    }
}

pub(super) fn permissions() -> Node {
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
    let (external, kind) = if user.is_bot {
        ("bot", "bot")
    } else if user.connector {
        ("imconnector", "user")
    } else {
        ("default", "employee")
    };
    map([
        ("id", user.id.into()),
        ("active", user.active.into()),
        ("name", user.name().into()),
        ("firstName", user.first_name.as_str().into()),
        ("lastName", user.last_name.as_str().into()),
        ("workPosition", user.work_position.as_str().into()),
        ("color", user.color.as_str().into()),
        ("avatar", user.avatar.as_str().into()),
        ("gender", user.gender.as_str().into()),
        ("birthday", "".into()),
        ("extranet", false.into()),
        ("bot", user.is_bot.into()),
        ("connector", user.connector.into()),
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
