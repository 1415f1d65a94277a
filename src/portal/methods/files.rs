//! Files: uploading one with its message, and one-time links to it, as a bot and as a user. Serves no bytes.

use super::super::answer::Refusal;
use super::super::model::{File, Message};
use super::super::state::State;
use super::super::views;
use super::content::{cut, trim};
use super::{Call, DENIED, Done, base64};
use serde_json::{Value, json};

const EMPTY: Refusal = Refusal::method("FILE_EMPTY", "File name or content is empty");
const TOO_LARGE: Refusal = Refusal::method("FILE_TOO_LARGE", "File is too large");
const INVALID: Refusal = Refusal::method("FILE_INVALID_CONTENT", "File content is not valid base64");
const NOT_FOUND: Refusal = Refusal::method("FILE_NOT_FOUND", "File not found");
const NO_ACCESS: Refusal = Refusal::method("FILE_ACCESS_ERROR", "No access to the file");
const NO_CHAT: Refusal = Refusal::method("CHAT_NOT_FOUND", "Chat not found");

/// 100 MB in base64, in characters.
const LONGEST: usize = 139_810_133;

pub(super) fn upload(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (bot, chat) = call.bot_and_chat(state)?;
    let file = stored(call, state, chat, bot)?;
    Ok(post(call, state, file, Some(bot), |_, view| view))
}

pub(super) fn upload_as_user(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (user, chat) = user_chat(call, state, NO_CHAT)?;
    let file = stored(call, state, chat, user)?;
    Ok(post(call, state, file, None, with_links))
}

fn user_chat(call: &Call<'_>, state: &mut State, unknown: Refusal) -> Result<(i64, i64), Refusal> {
    let user = call.caller.user();
    let chat = state.dialog(user, &call.dialog()).ok_or(unknown)?;
    state.inside(chat, user).then_some((user, chat)).ok_or(DENIED)
}

fn stored(call: &Call<'_>, state: &mut State, chat: i64, author: i64) -> Result<i64, Refusal> {
    let filled = |name: &str| call.text(name).filter(|text| !text.trim().is_empty()).ok_or(EMPTY);
    let (name, content) = (filled("name")?, filled("content")?);
    if content.len() > LONGEST {
        return Err(TOO_LARGE);
    }
    let bytes = base64::decode(content).ok_or(INVALID)?;
    Ok(state.files.add(File {
        id: 0,
        chat,
        author,
        date: call.now,
        name: name.to_owned(),
        bytes,
    }))
}

/// The message of a new file, and the answer about both.
fn post(
    call: &Call<'_>,
    state: &mut State,
    file: i64,
    bot: Option<i64>,
    dressed: impl Fn(&State, Value) -> Value,
) -> Done {
    let Some(stored) = state.files.get(file) else {
        return Done::yes();
    };
    let (chat, author) = (stored.chat, stored.author);
    let view = dressed(state, views::file(state, stored));
    let text = cut(trim(call.text("message").unwrap_or_default()));
    let message = Message {
        bot,
        files: vec![file],
        ..Message::new(chat, author, &text, call.now)
    };
    let message = state.store(message);
    let dialog = state.chats.get(&chat).map(|chat| chat.dialog_for(author));
    let result = json!({ "file": view, "messageId": message, "chatId": chat, "dialogId": dialog });
    Done::posted(result, message, state, call.now)
}

/// What only im.v2 tells about a file.
fn with_links(state: &State, mut view: Value) -> Value {
    let (id, name) = (view["id"].clone(), view["name"].clone());
    let base = &state.site.client_endpoint.trim_end_matches("/rest/");
    let url = format!("{base}/bitrix/services/main/ajax.php?action=disk.api.file.download&fileId={id}");
    let chat = view["chatId"].clone();
    view["status"] = json!("done");
    view["progress"] = json!(100);
    view["urlPreview"] = json!("");
    view["urlShow"] = json!(url);
    view["urlDownload"] = json!(url);
    view["viewerAttrs"] = json!({
        "viewer": "", "viewerType": "unknown", "src": url, "objectId": id.to_string(),
        "viewerGroupBy": chat.to_string(), "imChatId": chat, "title": name,
        "actions": "[{\"type\":\"download\"}]",
    });
    view["mediaUrl"] = json!({ "preview": { "250": "" } });
    view
}

pub(super) fn download(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = call.bot(state)?;
    let file = state
        .files
        .get(call.int("fileId").unwrap_or_default())
        .ok_or(NOT_FOUND)?;
    if !state.inside(file.chat, bot) {
        return Err(NO_ACCESS);
    }
    let id = file.id;
    Ok(link(state, "imbot", id))
}

pub(super) fn download_as_user(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (_, chat) = user_chat(call, state, DENIED)?;
    let file = state.files.get(call.int("fileId").unwrap_or_default());
    let id = file.filter(|file| file.chat == chat).ok_or(NOT_FOUND)?.id;
    Ok(link(state, "im", id))
}

fn link(state: &mut State, kind: &str, file: i64) -> Done {
    let token = state.files.link(kind, file).replace('|', "%7C");
    let url = format!("{}/rest/download.json?token={token}", state.standing.base);
    Done::quiet(json!({ "downloadUrl": url }))
}
