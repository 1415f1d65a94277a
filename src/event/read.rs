//! The objects inside an event: names of fields, their aliases, and what each becomes. Reads through `wire`'s scalars.

use super::data::Command;
use super::entities::{Auth, BotRef, Chat, Forward, Message, User};
use super::free::FreeForm;
use super::required::message_chat;
use crate::types::Secret;
use crate::wire::Node;

pub(super) fn bot(id: i64, fields: Fields<'_, '_>) -> BotRef {
    BotRef {
        id,
        code: fields.text("code"),
        auth: fields.auth("auth"),
    }
}

pub(super) fn command(fields: Fields<'_, '_>) -> Command {
    Command {
        id: fields.int("id").unwrap_or_default(),
        command: fields.text("command"),
        params: fields.text("params"),
        context: fields.text("context"),
    }
}

pub(super) fn message(node: Node<'_, '_>) -> Message {
    let fields = Fields(Some(node));
    let params = fields.below("params");
    Message {
        id: fields.int("id").unwrap_or_default(),
        chat_id: message_chat(node),
        author_id: fields.int("authorId").or_else(|| fields.int("author_id")),
        date: fields.option("date"),
        text: fields.text("text"),
        is_system: fields.is("isSystem"),
        uuid: fields.option("uuid"),
        forward: node.get("forward").filter(|forward| !forward.is_empty()).map(forward),
        viewed_by_others: fields.is("viewedByOthers"),
        replaces: fields.get("replaces").map_or_else(Vec::new, |list| {
            list.items()
                .into_iter()
                .map(|item| FreeForm::from(item.to_json()))
                .collect()
        }),
        file_ids: file_ids(params),
        reply_id: params
            .int("REPLY_ID")
            .or_else(|| params.int("replyId"))
            .filter(|id| *id > 0),
        params: fields.map("params"),
    }
}

/// `FILE_ID`, a list or one number; some portals send `files[..][id]` instead.
fn file_ids(params: Fields<'_, '_>) -> Vec<i64> {
    let mut ids = params.get("FILE_ID").map_or_else(Vec::new, Node::ints);
    if ids.is_empty() {
        let files = params.get("files").map_or_else(Vec::new, Node::items);
        ids = files.into_iter().filter_map(|file| file.get("id")?.int()).collect();
    }
    ids.retain(|id| *id > 0);
    ids
}

fn forward(node: Node<'_, '_>) -> Forward {
    let fields = Fields(Some(node));
    Forward {
        id: fields.text("id"),
        user_id: fields.int("userId"),
        chat_id: fields.int("chatId"),
        chat_title: fields.option("chatTitle"),
        chat_type: fields.text("chatType"),
        date: fields.option("date"),
    }
}

pub(super) fn chat(node: Node<'_, '_>) -> Chat {
    let fields = Fields(Some(node));
    Chat {
        id: fields.int("id"),
        dialog_id: fields.text("dialogId"),
        name: fields.text("name"),
        kind: fields.text("type"),
        message_type: fields.text("messageType"),
        owner: fields.int("owner"),
        color: fields.option("color"),
        avatar: fields.text("avatar"),
        description: fields.text("description"),
        extranet: fields.is("extranet"),
        contains_collaber: fields.is("containsCollaber"),
        entity_type: fields.text("entityType"),
        entity_id: fields.text("entityId"),
        entity_data1: fields.text("entityData1"),
        entity_data2: fields.text("entityData2"),
        entity_data3: fields.text("entityData3"),
        entity_link: fields.map("entityLink"),
        disk_folder_id: fields.int("diskFolderId"),
        permissions: fields.map("permissions"),
        parent_chat_id: fields.int("parentChatId"),
        parent_message_id: fields.int("parentMessageId"),
        is_new: fields.is("isNew"),
        text_field_enabled: fields.flag("textFieldEnabled"),
        background_id: fields.option("backgroundId"),
        has_manage_capability: fields.flag("hasManageCapability"),
    }
}

/// A user without a number is nobody.
pub(super) fn user(node: Node<'_, '_>) -> Option<User> {
    let fields = Fields(Some(node));
    let or_false = |name: &str| fields.get(name).and_then(Node::or_false);
    Some(User {
        id: fields.int("id")?,
        active: fields.flag("active"),
        name: fields.text("name"),
        first_name: fields.text("firstName"),
        last_name: fields.text("lastName"),
        work_position: fields.text("workPosition"),
        color: fields.text("color"),
        avatar: fields.text("avatar"),
        gender: fields.text("gender"),
        birthday: fields.text("birthday"),
        extranet: fields.is("extranet"),
        bot: fields.is("bot"),
        connector: fields.is("connector"),
        external_auth_id: fields.text("externalAuthId"),
        status: fields.text("status"),
        idle: or_false("idle"),
        last_activity_date: or_false("lastActivityDate"),
        mobile_last_date: or_false("mobileLastDate"),
        desktop_last_date: or_false("desktopLastDate"),
        absent: or_false("absent"),
        departments: fields.get("departments").map_or_else(Vec::new, Node::ints),
        phones: fields.get("phones").and_then(Node::text_map),
        kind: fields.text("type"),
        website: fields.text("website"),
        email: fields.text("email"),
        internal_account: fields.flag("internalAccount"),
        intranet_user: fields.flag("intranetUser"),
    })
}

/// The fields of an object that may not be there: then each of them is what its absence means.
#[derive(Clone, Copy)]
pub(super) struct Fields<'t, 'a>(pub(super) Option<Node<'t, 'a>>);

impl<'t, 'a> Fields<'t, 'a> {
    pub(super) fn get(self, name: &str) -> Option<Node<'t, 'a>> {
        self.0?.get(name)
    }

    pub(super) fn below(self, name: &str) -> Self {
        Self(self.get(name))
    }

    pub(super) fn text(self, name: &str) -> String {
        self.get(name).and_then(Node::text).unwrap_or_default().into_owned()
    }

    pub(super) fn option(self, name: &str) -> Option<String> {
        self.get(name)?.text_or_none()
    }

    fn secret(self, name: &str) -> Option<Secret> {
        self.option(name).map(Secret::new)
    }

    pub(super) fn int(self, name: &str) -> Option<i64> {
        self.get(name)?.int()
    }

    fn flag(self, name: &str) -> Option<bool> {
        self.get(name)?.flag()
    }

    fn is(self, name: &str) -> bool {
        self.flag(name).unwrap_or_default()
    }

    /// Always an object: PHP writes an empty one as a list.
    fn map(self, name: &str) -> FreeForm {
        self.get(name)
            .map(|map| serde_json::Value::Object(map.to_json_map()))
            .map(FreeForm::from)
            .unwrap_or_default()
    }

    pub(super) fn auth(self, name: &str) -> Option<Auth> {
        let fields = Self(Some(self.get(name).filter(|auth| !auth.is_empty())?));
        Some(Auth {
            access_token: fields.secret("access_token"),
            refresh_token: fields.secret("refresh_token"),
            expires: fields.int("expires"),
            expires_in: fields.int("expires_in"),
            scope: fields.get("scope").map_or_else(Vec::new, Node::string_list),
            domain: fields.option("domain"),
            server_endpoint: fields.option("server_endpoint"),
            client_endpoint: fields.option("client_endpoint"),
            status: fields.option("status"),
            member_id: fields.option("member_id"),
            user_id: fields.int("user_id"),
            client_id: fields.option("client_id"),
            application_token: fields.secret("application_token"),
        })
    }
}
