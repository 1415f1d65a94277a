//! Every method with every parameter set through its builder, beside the JSON that must come of it.

#![expect(deprecated, reason = "the old method is in the catalogue too")]

use super::super::*;
use crate::types::{Attachment, Block, Button, Draft, Keyboard, Secret, TemplateId};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// One call as built, and as it must look.
pub(super) struct Sample {
    pub(super) entry: Entry,
    pub(super) repeat: Repeat,
    pub(super) refused: Option<Refused>,
    pub(super) dialog: Option<String>,
    pub(super) params: Map<String, Value>,
    pub(super) expected: Value,
    /// Reads a `result` into the reply's type and writes it again.
    pub(super) reply: fn(Value) -> Result<Value, String>,
}

fn sample<M: Method<Reply: Serialize>>(call: M, expected: Value) -> Sample {
    Sample {
        entry: *find(M::NAME).unwrap_or_else(|| panic!("{} is in no list", M::NAME)),
        repeat: call.repeat(),
        refused: call.check().err(),
        dialog: call.dialog().map(str::to_owned),
        params: call.params(),
        expected,
        reply: |result| {
            let reply: M::Reply = serde_json::from_value(result).map_err(|error| error.to_string())?;
            serde_json::to_value(reply).map_err(|error| error.to_string())
        },
    }
}

/// All of them; a method has several where its parameters exclude each other.
pub(super) fn samples() -> Vec<Sample> {
    [
        bots(),
        chats(),
        people(),
        messages(),
        edits(),
        commands(),
        around(),
        files(),
        openlines(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn bots() -> Vec<Sample> {
    let picture = b"\x89PNG";
    let profile = json!({
        "name": "Ann", "lastName": "Bee", "workPosition": "Helper", "color": "lightBlue", "gender": "F",
        "avatar": "iVBORw==",
    });
    vec![
        sample(
            BotRegister::new("support_bot", "Ann")
                .token(&Secret::new("tok"))
                .last_name("Bee")
                .work_position("Helper")
                .color(Color::LightBlue)
                .gender(Gender::Female)
                .avatar(picture)
                .kind(BotType::Supervisor)
                .webhook_url("https://bots.example.com/webhook")
                .hidden(true)
                .reactions(false)
                .openlines(true)
                .background(Background::Teal),
            json!({ "fields": {
                "code": "support_bot", "botToken": "tok", "properties": profile, "type": "supervisor",
                "eventMode": "webhook", "webhookUrl": "https://bots.example.com/webhook", "isHidden": true,
                "isReactionsEnabled": false, "isSupportOpenline": true, "backgroundId": "teal",
            } }),
        ),
        sample(
            BotUpdate::new()
                .name("Ann")
                .new_token(&Secret::new("new"))
                .last_name("Bee")
                .work_position("Helper")
                .color(Color::LightBlue)
                .gender(Gender::Female)
                .avatar(picture)
                .webhook_url("http://a.b/")
                .event_mode(EventMode::Fetch)
                .hidden(false)
                .reactions(true)
                .openlines(false)
                .background(Background::Frost),
            json!({ "fields": {
                "botToken": "new", "properties": profile, "eventMode": "fetch", "webhookUrl": "http://a.b/",
                "isHidden": false, "isReactionsEnabled": true, "isSupportOpenline": false, "backgroundId": "frost",
            } }),
        ),
        sample(
            BotUpdate::new().without_background(),
            json!({ "fields": { "backgroundId": null } }),
        ),
        sample(BotGet::by_id(456), json!({ "botId": 456 })),
        sample(BotGet::by_code("support_bot"), json!({ "code": "support_bot" })),
        sample(
            BotList::new().kind(BotType::Openline).limit(10).offset(20),
            json!({ "filter": { "type": "openline" }, "limit": 10, "offset": 20 }),
        ),
        sample(BotUnregister::new(), json!({})),
    ]
}

fn chats() -> Vec<Sample> {
    vec![
        sample(
            ChatAdd::new()
                .title("Order")
                .description("12")
                .color(Color::Mint)
                .avatar(b"GIF")
                .users([1, 2])
                .owner(3)
                .message("Hi [b]"),
            json!({ "fields": {
                "title": "Order", "description": "12", "color": "mint", "avatar": "R0lG", "userIds": [1, 2],
                "ownerId": 3, "message": "Hi [\u{200B}b]",
            } }),
        ),
        sample(ChatGet::new("chat5"), json!({ "dialogId": "chat5" })),
        sample(
            ChatUpdate::new("chat5")
                .title("Order")
                .description("12")
                .color(Color::Azure)
                .avatar(b"GIF"),
            json!({ "dialogId": "chat5", "fields": {
                "title": "Order", "description": "12", "color": "azure", "avatar": "R0lG",
            } }),
        ),
        sample(ChatLeave::new("chat5"), json!({ "dialogId": "chat5" })),
        sample(
            ChatSetOwner::new("chat5", 1),
            json!({ "dialogId": "chat5", "userId": 1 }),
        ),
    ]
}

fn people() -> Vec<Sample> {
    let users = json!({ "dialogId": "chat5", "userIds": [4, 5] });
    vec![
        sample(ChatUserAdd::new("chat5", [4, 5]), users.clone()),
        sample(
            ChatUserDelete::new("chat5", 4),
            json!({ "dialogId": "chat5", "userId": 4 }),
        ),
        sample(
            ChatUserList::new("chat5")
                .by_id(Direction::Ascending)
                .by_last_message(Direction::Descending)
                .by_user(Direction::Ascending)
                .limit(200),
            json!({
                "dialogId": "chat5", "limit": 200,
                "order": { "id": "ASC", "lastSendMessageId": "DESC", "userId": "ASC" },
            }),
        ),
        sample(ChatManagerAdd::new("chat5", [4, 5]), users.clone()),
        sample(ChatManagerDelete::new("chat5", [4, 5]), users),
        sample(OldChatUserList::new(2725), json!({ "CHAT_ID": 2725 })),
    ]
}

fn keyboard() -> Keyboard {
    Keyboard::new().button(Button::link("Open", "https://example.com/?a=1&b=2"))
}

fn draft() -> Draft {
    Draft::new("Hi & bye")
        .attachment(Attachment::new().block(Block::message("more")))
        .keyboard(keyboard())
}

fn messages() -> Vec<Sample> {
    let buttons = json!([{ "TEXT": "Open", "DISPLAY": "LINE", "LINK": "https://example.com/?a=1&b=2" }]);
    let template = TemplateId::derive(b"salt", b"event", 1, 0);
    vec![
        sample(
            MessageSend::new("chat5", draft())
                .system()
                .without_preview()
                .reply_to(7)
                .template_id(&template)
                .forwards([("u-1", 11), ("u-2", 12)])
                .skip_connector()
                .silent_connector(),
            json!({ "dialogId": "chat5", "fields": {
                "message": "Hi & bye", "attach": [{ "MESSAGE": "more" }], "keyboard": buttons, "system": true,
                "urlPreview": false, "replyId": 7, "templateId": template.as_str(),
                "forwardIds": { "u-1": 11, "u-2": 12 }, "skipConnector": true, "silentConnector": true,
            } }),
        ),
        sample(
            MessageSend::new("27", "Hi"),
            json!({ "dialogId": "27", "fields": { "message": "Hi" } }),
        ),
        sample(
            MessageSend::forwarding("27", [("u", 1)]),
            json!({ "dialogId": "27", "fields": { "forwardIds": { "u": 1 } } }),
        ),
    ]
}

fn edits() -> Vec<Sample> {
    let buttons = json!([{ "TEXT": "Open", "DISPLAY": "LINE", "LINK": "https://example.com/?a=1&b=2" }]);
    vec![
        sample(
            MessageUpdate::new(789)
                .text("Paid")
                .attachment(&Attachment::new().block(Block::message("more")))
                .keyboard(&keyboard().bot(456))
                .preview(true)
                .in_dialog("chat5"),
            json!({ "messageId": 789, "fields": {
                "message": "Paid", "attach": [{ "MESSAGE": "more" }], "urlPreview": "Y",
                "keyboard": { "BOT_ID": 456, "BUTTONS": buttons },
            } }),
        ),
        sample(
            MessageUpdate::new(789).without_keyboard().preview(false),
            json!({ "messageId": 789, "fields": { "keyboard": "N", "urlPreview": "N" } }),
        ),
        sample(
            MessageDelete::new(789).complete(),
            json!({ "messageId": 789, "complete": true }),
        ),
        sample(
            MessageRead::new("chat5").up_to(789),
            json!({ "dialogId": "chat5", "messageId": 789 }),
        ),
        sample(MessageGet::new(789), json!({ "messageId": 789 })),
        sample(
            MessageGetContext::new(789).range(20),
            json!({ "messageId": 789, "range": 20 }),
        ),
        sample(
            ReactionAdd::new(789, Reaction::RedHeart).in_dialog("27"),
            json!({ "messageId": 789, "reaction": "redHeart" }),
        ),
        sample(
            ReactionDelete::code(789, "brandNew"),
            json!({ "messageId": 789, "reaction": "brandNew" }),
        ),
    ]
}

fn commands() -> Vec<Sample> {
    let buttons = json!([{ "TEXT": "Open", "DISPLAY": "LINE", "LINK": "https://example.com/?a=1&b=2" }]);
    vec![
        sample(
            CommandRegister::new("/help")
                .title("en", "Show help")
                .title("de", "Hilfe")
                .params("en", "topic")
                .common(true)
                .hidden(false)
                .extranet(true),
            json!({ "fields": {
                "command": "help", "title": { "en": "Show help", "de": "Hilfe" }, "params": { "en": "topic" },
                "common": true, "hidden": false, "extranetSupport": true,
            } }),
        ),
        sample(
            CommandUpdate::new(42)
                .command("helper")
                .title("en", "Help")
                .without_title("fr")
                .params("en", "topic")
                .common(false)
                .hidden(true)
                .extranet(false),
            json!({ "commandId": 42, "fields": {
                "command": "helper", "title": { "en": "Help", "fr": null }, "params": { "en": "topic" },
                "common": false, "hidden": true, "extranetSupport": false,
            } }),
        ),
        sample(CommandList::new(), json!({})),
        sample(CommandUnregister::new(42), json!({ "commandId": 42 })),
        sample(
            CommandAnswer::new(42, 789, "chat5", draft()).system().without_preview(),
            json!({ "commandId": 42, "messageId": 789, "dialogId": "chat5", "fields": {
                "message": "Hi & bye", "attach": [{ "MESSAGE": "more" }], "keyboard": buttons, "system": true,
                "urlPreview": false,
            } }),
        ),
    ]
}

fn around() -> Vec<Sample> {
    let context = Map::from_iter([("order".to_owned(), json!(12))]);
    vec![
        sample(
            InputActionNotify::new("chat5")
                .action(AgentAction::Thinking)
                .seconds(30),
            json!({ "dialogId": "chat5", "statusMessageCode": "IMBOT_AGENT_ACTION_THINKING", "duration": 30 }),
        ),
        sample(
            TextFieldEnabled::new("chat5", false),
            json!({ "dialogId": "chat5", "enabled": false }),
        ),
        sample(
            EventGet::new().from(1000).limit(50).with_user_events(),
            json!({ "offset": 1000, "limit": 50, "withUserEvents": true }),
        ),
        sample(RevisionGet::new(), json!({})),
        sample(UserEventSubscribe::new(), json!({})),
        sample(UserEventUnsubscribe::new(), json!({})),
        sample(
            UserEventGet::new().from(2000).limit(50),
            json!({ "offset": 2000, "limit": 50 }),
        ),
        sample(
            BotSendContext::new("456", context),
            json!({ "dialogId": "456", "context": { "order": 12 } }),
        ),
    ]
}

fn files() -> Vec<Sample> {
    let file = json!({ "dialogId": "chat5", "fields": {
        "name": "report.pdf", "content": "SGVsbG8gV29ybGQh", "message": "Here it is",
    } });
    let bytes = b"Hello World!";
    vec![
        sample(
            FileUpload::new("chat5", "report.pdf", bytes).message("Here it is"),
            file.clone(),
        ),
        sample(FileDownload::new(138), json!({ "fileId": 138 })),
        sample(
            UserFileUpload::new("chat5", "report.pdf", bytes).message("Here it is"),
            file,
        ),
        sample(
            UserFileDownload::new("chat5", 138),
            json!({ "dialogId": "chat5", "fileId": 138 }),
        ),
    ]
}

fn openlines() -> Vec<Sample> {
    vec![
        sample(SessionOperator::new(112), json!({ "CHAT_ID": 112 })),
        sample(
            SessionTransfer::to_user(112, 12).leaving(),
            json!({ "CHAT_ID": 112, "USER_ID": 12, "LEAVE": "Y" }),
        ),
        sample(
            SessionTransfer::to_queue(112, 5),
            json!({ "CHAT_ID": 112, "QUEUE_ID": 5 }),
        ),
        sample(
            SessionTransfer::to(112, "queue5"),
            json!({ "CHAT_ID": 112, "TRANSFER_ID": "queue5" }),
        ),
        sample(SessionFinish::new(112), json!({ "CHAT_ID": 112 })),
        sample(
            SessionMessageSend::welcome(112),
            json!({ "CHAT_ID": 112, "NAME": "WELCOME" }),
        ),
        sample(
            SessionMessageSend::text(112, "Hi"),
            json!({ "CHAT_ID": 112, "NAME": "DEFAULT", "MESSAGE": "Hi" }),
        ),
    ]
}
