//! The objects inside REST answers: bot, user, chat, message, command, file, as their readers see them. Changes nothing.

use super::answer::iso;
use super::model::{Bot, Chat, Command, File, Message, User};
use super::payload::{face, forward, params, permissions, user as event_user};
use super::state::State;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A bot; `full`: with what only its owner sees.
pub(super) fn bot(state: &State, id: i64, full: bool) -> Value {
    let Some(bot) = state.bots.get(&id) else {
        return json!({ "id": id });
    };
    let mut view = json!({
        "id": bot.id,
        "code": bot.code,
        "type": bot.kind.name(),
        "isHidden": bot.hidden,
        "isSupportOpenline": bot.open_line,
        "isReactionsEnabled": bot.reactions,
        "backgroundId": bot.background,
        "language": state.language,
    });
    if full {
        counts(state, bot, &mut view);
    }
    view
}

fn counts(state: &State, bot: &Bot, view: &mut Value) {
    let chats = state.chats.values().filter(|chat| chat.members.contains(&bot.id));
    let people: BTreeSet<i64> = chats.clone().flat_map(|chat| chat.members.iter().copied()).collect();
    let own = state.messages.values().filter(|message| message.bot == Some(bot.id));
    let commands = state.commands.values().filter(|command| command.bot == bot.id);
    view["moduleId"] = json!("rest");
    view["eventMode"] = json!(if bot.fetch { "fetch" } else { "webhook" });
    view["countMessage"] = json!(own.count());
    view["countCommand"] = json!(commands.count());
    view["countChat"] = json!(chats.count());
    view["countUser"] = json!(people.iter().filter(|id| **id != bot.id).count());
}

pub(super) fn user(user: &User) -> Value {
    event_user(user).json()
}

/// The users of these ids, those that exist.
pub(super) fn users(state: &State, ids: impl IntoIterator<Item = i64>) -> Value {
    let known = ids.into_iter().filter_map(|id| state.users.get(&id));
    known.map(user).collect()
}

/// A chat as this member sees it.
pub(super) fn chat(state: &State, chat: &Chat, who: i64) -> Value {
    let face = face(chat);
    let messages = state.messages.values().filter(|message| message.chat == chat.id);
    let last = messages.clone().next_back().map(|message| message.id);
    let read = state.read.get(&(chat.id, who)).copied();
    json!({
        "id": chat.id,
        "dialogId": chat.dialog_for(who),
        "name": face.name,
        "description": chat.description,
        "type": face.kind,
        "messageType": face.message_type,
        "owner": chat.owner,
        "color": face.color,
        "avatar": chat.avatar,
        "extranet": false,
        "containsCollaber": false,
        "entityType": face.entity_type,
        "entityId": face.entity_id,
        "entityData1": "",
        "entityData2": "",
        "entityData3": "",
        "entityLink": { "type": face.entity_type, "url": "" },
        "diskFolderId": face.disk_folder,
        "role": chat.role_of(who),
        "permissions": permissions().json(),
        "muteList": [],
        "parentChatId": null,
        "parentMessageId": null,
        "isNew": chat.is_new,
        "textFieldEnabled": if chat.text_field { "Y" } else { "N" },
        "backgroundId": null,
        "dateCreate": iso(chat.created),
        "lastMessageId": last,
        "lastMessageViews": "{}",
        "lastId": read,
        "managerList": chat.managers,
        "markedId": null,
        "messageCount": messages.count(),
        "public": "",
        "unreadId": null,
        "userCounter": chat.members.len(),
    })
}

/// A message as this reader sees it.
pub(super) fn message(state: &State, message: &Message, reader: i64) -> Value {
    let read = state.read.get(&(message.chat, reader)).copied().unwrap_or(0);
    let unread = message.author != reader && message.id > read;
    json!({
        "id": message.id,
        "chatId": message.chat,
        "authorId": message.author,
        "date": iso(message.date),
        "text": message.text,
        "isSystem": message.system,
        "uuid": message.template.as_deref().unwrap_or_default(),
        "forward": forward(message).json(),
        "params": params(message).json(),
        "viewedByOthers": message.viewed,
        "unread": unread,
        "viewed": !unread,
    })
}

/// A command as register and update give it.
pub(super) fn command(command: &Command) -> Value {
    json!({
        "id": command.id,
        "botId": command.bot,
        "command": format!("/{}", command.name),
        "common": command.common,
        "hidden": command.hidden,
        "extranetSupport": command.extranet,
    })
}

/// A command as the list gives it, its texts in the portal's language.
pub(super) fn listed_command(state: &State, listed: &Command) -> Value {
    let text = |texts: &std::collections::BTreeMap<String, String>| {
        let text = texts.get(&state.language).or_else(|| texts.get("en"));
        text.or_else(|| texts.values().next()).cloned().unwrap_or_default()
    };
    let mut view = command(listed);
    view["title"] = json!(text(&listed.title));
    view["params"] = json!(text(&listed.params));
    view["category"] = json!(state.users.get(&listed.bot).map(User::name).unwrap_or_default());
    view["context"] = json!("");
    view
}

/// A file without the links that only im.v2 gives.
pub(super) fn file(state: &State, file: &File) -> Value {
    let extension = file.name.rsplit_once('.').map_or("", |(_, extension)| extension);
    json!({
        "id": file.id,
        "chatId": file.chat,
        "date": iso(file.date),
        "type": "file",
        "name": file.name,
        "extension": extension,
        "size": file.bytes.len(),
        "image": false,
        "authorId": file.author,
        "authorName": state.users.get(&file.author).map(User::name).unwrap_or_default(),
        "isTranscribable": false,
        "isVideoNote": false,
        "isVoiceNote": false,
    })
}
