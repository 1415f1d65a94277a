//! The documented errors of the methods, each provoked by what it is documented for.

use super::catalogue::World;
use super::*;

async fn each(world: &World, cases: &[(&str, Value, &str)]) {
    for (method, params, code) in cases {
        assert_eq!(world.refused(method, params.clone()).await, *code, "{method} {params}");
    }
}

fn register(fields: Value) -> Value {
    let mut all = json!({ "code": "new", "botToken": "t", "properties": { "name": "New" } });
    for (name, value) in fields.as_object().unwrap() {
        all[name] = value.clone();
    }
    json!({ "fields": all })
}

#[tokio::test]
async fn registering_is_checked_in_the_order_of_a_real_portal() {
    let world = World::new().await;
    let hook = |url: &str| register(json!({ "eventMode": "webhook", "webhookUrl": url }));
    let avatar = |content: &str| register(json!({ "properties": { "name": "N", "avatar": content } }));
    // A PNG header that says 5001 x 1.
    let large = "iVBORw0KGgoAAAANSUhEUgAAE4kAAAAB";
    for (params, code) in [
        (json!({ "fields": { "code": "" } }), "BOT_TOKEN_NOT_SPECIFIED"),
        (
            json!({ "fields": { "botToken": "t", "code": " " } }),
            "BOT_CODE_REQUIRED",
        ),
        (
            register(json!({ "properties": {}, "eventMode": "x" })),
            "BOT_PROPERTIES_REQUIRED",
        ),
        (
            register(json!({ "eventMode": "x", "type": "x" })),
            "BOT_INVALID_EVENT_MODE",
        ),
        (
            register(json!({ "eventMode": "webhook", "type": "x" })),
            "BOT_WEBHOOK_URL_REQUIRED",
        ),
        (
            register(json!({ "code": "echo", "type": "x" })),
            "BOT_CODE_ALREADY_TAKEN",
        ),
        (register(json!({ "type": "robot" })), "BOT_INVALID_TYPE"),
        (hook("ftp://bot.example.com/"), "BOT_INVALID_CALLBACK"),
        (hook("http://localhost/"), "BOT_INVALID_CALLBACK"),
        (
            register(json!({ "botToken": "x".repeat(41) })),
            "BOT_TOKEN_INVALID_LENGTH",
        ),
        (avatar("SGVsbG8="), "BOT_AVATAR_INCORRECT_TYPE"),
        (avatar(large), "BOT_AVATAR_INCORRECT_SIZE"),
    ] {
        let answer = webhook(&world.portal, "imbot.v2.Bot.register", &params).await;
        assert_eq!(answer.refused(), (400, code.to_owned()), "{params}");
    }
    let known = register(json!({ "code": "desk_bot", "botToken": "rest-token", "type": "robot" }));
    let known = webhook(&world.portal, "imbot.v2.Bot.register", &known).await.result();
    assert_eq!(
        (&known["bot"]["id"], &known["bot"]["type"]),
        (&json!(world.bot), &json!("bot")),
        "unchanged"
    );
}

#[tokio::test]
async fn a_hundred_bots_are_enough() {
    let portal = start(PortalConfig { burst: 250, ..config() }).await;
    for n in 0..=100 {
        let params = register(json!({ "code": format!("bot{n}") }));
        let answer = webhook(&portal, "imbot.v2.Bot.register", &params).await;
        if n < 100 {
            assert_eq!(answer.status, 200, "{n}");
        } else {
            assert_eq!(answer.refused().1, "BOT_LIMIT_EXCEEDED");
        }
    }
}

#[tokio::test]
async fn chats_refuse_who_may_not() {
    let world = World::new().await;
    let dialog = world.dialog();
    world.portal.add_chat(90, &[27, world.bot]);
    world.portal.add_chat(91, &[27]);
    let users = |dialog: &str| json!({ "dialogId": dialog, "userIds": [1], "userId": 1 });
    let cases = [
        ("Chat.get", json!({ "dialogId": "chat91" }), "ACCESS_DENIED"),
        ("Chat.get", json!({ "dialogId": "9999" }), "ACCESS_DENIED"),
        (
            "Chat.update",
            json!({ "dialogId": "27", "fields": { "title": "x" } }),
            "ACCESS_DENIED",
        ),
        ("Chat.User.add", users("chat90"), "ACCESS_DENIED"),
        ("Chat.User.delete", users("chat90"), "ACCESS_DENIED"),
        ("Chat.User.list", users("chat91"), "ACCESS_DENIED"),
        ("Chat.Manager.add", users("chat90"), "ACCESS_DENIED"),
        ("Chat.Manager.delete", users("chat90"), "ACCESS_DENIED"),
        ("Chat.Manager.add", json!({ "dialogId": dialog }), "EMPTY_USER_IDS"),
        (
            "Chat.Manager.delete",
            json!({ "dialogId": dialog, "userIds": [] }),
            "EMPTY_USER_IDS",
        ),
        ("Chat.setOwner", users("chat90"), "ACCESS_DENIED"),
        (
            "Chat.setOwner",
            json!({ "dialogId": dialog, "userId": 28 }),
            "ACCESS_DENIED",
        ),
        (
            "Chat.InputAction.notify",
            json!({ "dialogId": "chat91" }),
            "ACCESS_DENIED",
        ),
        (
            "Chat.TextField.enabled",
            json!({ "dialogId": "chat91" }),
            "ACCESS_DENIED",
        ),
    ];
    each(&world, &cases).await;
}

#[tokio::test]
async fn bots_refuse_wrong_changes_and_the_old_list_has_codes_of_its_own() {
    let world = World::new().await;
    world.portal.add_chat(90, &[27, world.bot]);
    world.portal.add_chat(91, &[27]);
    let cases = [
        (
            "Bot.update",
            json!({ "fields": { "eventMode": "x" } }),
            "BOT_INVALID_EVENT_MODE",
        ),
        (
            "Bot.update",
            json!({ "fields": { "eventMode": "webhook", "webhookUrl": "http://nodot/" } }),
            "BOT_INVALID_CALLBACK",
        ),
        ("imbot.chat.user.list", json!({}), "CHAT_ID_EMPTY"),
        (
            "imbot.chat.user.list",
            json!({ "CHAT_ID": 90, "BOT_ID": 7, "CLIENT_ID": "t" }),
            "BOT_ID_ERROR",
        ),
        (
            "imbot.chat.user.list",
            json!({ "CHAT_ID": 90, "BOT_ID": 456, "CLIENT_ID": "t" }),
            "APP_ID_ERROR",
        ),
        (
            "imbot.chat.user.list",
            json!({ "CHAT_ID": 91, "BOT_ID": world.bot, "CLIENT_ID": "rest-token" }),
            "ACCESS_ERROR",
        ),
    ];
    each(&world, &cases).await;
    let nobody = webhook(&world.portal, "imbot.v2.Bot.get", &json!({ "botToken": "t" })).await;
    assert_eq!(nobody.refused().1, "PARAMS_REQUIRED");
}

#[tokio::test]
async fn messages_refuse_what_may_not_be() {
    let world = World::new().await;
    let dialog = world.dialog();
    let theirs = world.portal.say(27, &dialog, "theirs").await.unwrap().message_id;
    let system = json!({ "dialogId": dialog, "fields": { "message": "note", "system": "Y" } });
    let system = world.call("Chat.Message.send", system).await["id"].clone();
    let own = json!({ "dialogId": dialog, "fields": { "message": "own" } });
    let own = world.call("Chat.Message.send", own).await["id"].clone();
    let forwards: serde_json::Map<String, Value> = (0..101).map(|n| (n.to_string(), json!(1))).collect();
    let attach = json!([{ "MESSAGE": "x".repeat(60_001) }]);
    let send = |fields: Value| json!({ "dialogId": dialog, "fields": fields });
    let update = |fields: Value| json!({ "messageId": own, "fields": fields });
    let secret = world.portal.say(27, "456", "not for you").await.unwrap().message_id;
    let cases = [
        (
            "Chat.Message.send",
            send(json!({ "forwardIds": forwards })),
            "TOO_MANY_MESSAGES",
        ),
        (
            "Chat.Message.send",
            send(json!({ "attach": attach })),
            "ATTACH_OVERSIZE",
        ),
        (
            "Chat.Message.update",
            json!({ "messageId": theirs, "fields": {} }),
            "ACCESS_DENIED",
        ),
        (
            "Chat.Message.update",
            json!({ "messageId": system, "fields": {} }),
            "ACCESS_DENIED",
        ),
        (
            "Chat.Message.update",
            update(json!({ "attach": attach })),
            "ATTACH_OVERSIZE",
        ),
        ("Chat.Message.update", update(json!({ "attach": [{}] })), "ATTACH_ERROR"),
        ("Chat.Message.delete", json!({ "messageId": secret }), "ACCESS_DENIED"),
        ("Chat.Message.delete", json!({ "messageId": 5 }), "ACCESS_DENIED"),
    ];
    each(&world, &cases).await;
}

#[tokio::test]
async fn messages_out_of_reach_are_refused() {
    let world = World::new().await;
    let dialog = world.dialog();
    let theirs = world.portal.say(27, &dialog, "theirs").await.unwrap().message_id;
    let secret = world.portal.say(27, "456", "not for you").await.unwrap().message_id;
    let cases = [
        (
            "Chat.Message.read",
            json!({ "dialogId": dialog, "messageId": secret }),
            "MESSAGE_NOT_FOUND",
        ),
        (
            "Chat.Message.Reaction.add",
            json!({ "messageId": secret, "reaction": "like" }),
            "ACCESS_DENIED",
        ),
        (
            "Chat.Message.Reaction.add",
            json!({ "messageId": theirs, "reaction": "love" }),
            "REACTION_NOT_FOUND",
        ),
        (
            "Chat.Message.Reaction.delete",
            json!({ "messageId": theirs, "reaction": "" }),
            "REACTION_NOT_FOUND",
        ),
        (
            "Chat.Message.getContext",
            json!({ "messageId": theirs }),
            "BOT_TYPE_NOT_ALLOWED",
        ),
    ];
    each(&world, &cases).await;
    for (message, code) in [(5, "MESSAGE_NOT_FOUND"), (secret, "MESSAGE_ACCESS_DENIED")] {
        let params = json!({ "botId": world.watcher, "botToken": "rest-token", "messageId": message });
        let answer = webhook(&world.portal, "imbot.v2.Chat.Message.getContext", &params).await;
        assert_eq!(answer.refused().1, code);
    }
}

#[tokio::test]
async fn commands_refuse_what_may_not_be() {
    let world = World::new().await;
    let dialog = world.dialog();
    let titled = |command: Value| json!({ "fields": { "command": command, "title": { "en": "T" } } });
    let one = world.call("Command.register", titled(json!("one"))).await["command"]["id"].clone();
    world.call("Command.register", titled(json!("two"))).await;
    let rename = |name: Value| json!({ "commandId": one, "fields": { "command": name } });
    let cases = [
        ("Command.register", json!({ "fields": {} }), "COMMAND_REQUIRED"),
        ("Command.register", titled(json!(["x"])), "COMMAND_NAME_INVALID"),
        (
            "Command.register",
            json!({ "fields": { "command": "x" } }),
            "COMMAND_TITLE_REQUIRED",
        ),
        ("Command.update", rename(json!("")), "COMMAND_NAME_EMPTY"),
        ("Command.update", rename(json!(5)), "COMMAND_NAME_INVALID"),
        ("Command.update", rename(json!("/two")), "COMMAND_ALREADY_EXISTS"),
        (
            "Command.update",
            json!({ "commandId": 71, "fields": {} }),
            "COMMAND_NOT_FOUND",
        ),
        (
            "Command.answer",
            json!({ "commandId": one, "messageId": 1, "dialogId": dialog }),
            "COMMAND_ANSWER_FAILED",
        ),
    ];
    each(&world, &cases).await;
}

#[tokio::test]
async fn files_refuse_what_may_not_be() {
    let world = World::new().await;
    let dialog = world.dialog();
    let file = |fields: Value| json!({ "dialogId": dialog, "fields": fields });
    let sound = file(json!({ "name": "a", "content": "SGk=" }));
    let id = world.call("File.upload", sound.clone()).await["file"]["id"].clone();
    let long = "A".repeat(139_810_134);
    let cases = [
        ("File.upload", file(json!({ "name": "a" })), "FILE_EMPTY"),
        (
            "File.upload",
            file(json!({ "name": "a", "content": "data:;base64,SGk=" })),
            "FILE_INVALID_CONTENT",
        ),
        (
            "File.upload",
            file(json!({ "name": "a", "content": long })),
            "FILE_TOO_LARGE",
        ),
        ("File.download", json!({ "fileId": 7 }), "FILE_NOT_FOUND"),
        (
            "im.v2.File.upload",
            with(sound.clone(), "/dialogId", "chat999".into()),
            "CHAT_NOT_FOUND",
        ),
        (
            "im.v2.File.download",
            json!({ "dialogId": dialog, "fileId": 7 }),
            "FILE_NOT_FOUND",
        ),
        (
            "im.v2.File.download",
            json!({ "dialogId": "chat999", "fileId": 7 }),
            "ACCESS_DENIED",
        ),
    ];
    each(&world, &cases).await;
    world.call("Chat.leave", json!({ "dialogId": dialog })).await;
    assert_eq!(
        world.refused("File.download", json!({ "fileId": id })).await,
        "FILE_ACCESS_ERROR"
    );
}

#[tokio::test]
async fn a_context_sent_by_rest_reaches_the_bot() {
    let world = World::new().await;
    let params = json!({ "dialogId": world.bot.to_string(), "context": { "task": 5 } });
    world.call("im.v2.Chat.Bot.sendContext", params).await;
    let page = world.call("Event.get", json!({})).await;
    assert_eq!(page["events"][0]["type"], "ONIMBOTV2CONTEXTGET");
    assert_eq!(page["events"][0]["data"]["context"], json!({ "task": 5 }));
}
