//! Every method of the catalogue on state built by REST calls: keys and JSON types of the documented answer, effects
//! visible in later reads, different answers to different input; and every system error by its name.

use super::*;
use std::collections::BTreeSet;

const METHODS: &str = include_str!("../../../tests/catalogue/methods.json");
const ERRORS: &str = include_str!("../../../tests/catalogue/system_errors.json");

/// A portal to which everything came by REST: a fetch bot, a supervisor, a group with people in it.
pub(super) struct World {
    pub(super) portal: Portal,
    /// The access token of the application that calls; without one the webhook does.
    token: Option<String>,
    pub(super) bot: i64,
    pub(super) watcher: i64,
    pub(super) chat: i64,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::of(false).await
    }

    async fn of(app: bool) -> Self {
        let portal = start(PortalConfig {
            burst: 200,
            control: Some(([127, 0, 0, 1], 0).into()),
            ..config()
        })
        .await;
        portal.add_user(1, "Klaus Weber");
        portal.add_user(28, "John Smith");
        let token = app.then(|| portal.tokens("local.desk", 1).unwrap().0.expose().to_owned());
        let mut world = Self {
            portal,
            token,
            bot: 0,
            watcher: 0,
            chat: 0,
        };
        world.bot = world.registered("desk_bot", "bot").await;
        world.watcher = world.registered("watcher", "supervisor").await;
        let fields = json!({ "title": "Room", "userIds": [1, 27, world.watcher], "color": "mint" });
        let made = world.call("Chat.add", json!({ "fields": fields })).await;
        world.chat = made["chat"]["id"].as_i64().unwrap();
        world
    }

    async fn registered(&self, code: &str, kind: &str) -> i64 {
        let fields = json!({ "code": code, "botToken": "rest-token", "type": kind, "properties": { "name": code } });
        let answer = self.plain("imbot.v2.Bot.register", json!({ "fields": fields })).await;
        answer.result()["bot"]["id"].as_i64().unwrap()
    }

    /// A call under the identity of this world, its parameters as they are.
    async fn plain(&self, method: &str, params: Value) -> Answer {
        match &self.token {
            Some(token) => oauth(&self.portal, token, method, params).await,
            None => webhook(&self.portal, method, &params).await,
        }
    }

    async fn asked(&self, bot: i64, method: &str, mut params: Value) -> Answer {
        params["botId"] = bot.into();
        params["botToken"] = "rest-token".into();
        self.plain(&full(method), params).await
    }

    pub(super) async fn call(&self, method: &str, params: Value) -> Value {
        self.asked(self.bot, method, params).await.result()
    }

    async fn watch(&self, method: &str, params: Value) -> Value {
        self.asked(self.watcher, method, params).await.result()
    }

    pub(super) async fn refused(&self, method: &str, params: Value) -> String {
        self.asked(self.bot, method, params).await.refused().1
    }

    pub(super) fn dialog(&self) -> String {
        format!("chat{}", self.chat)
    }

    async fn sent(&self, text: &str) -> i64 {
        let params = json!({ "dialogId": self.dialog(), "fields": { "message": text } });
        self.call("Chat.Message.send", params).await["id"].as_i64().unwrap()
    }
}

fn full(method: &str) -> String {
    let known = method.starts_with("im.") || method.starts_with("imbot.") || method.starts_with("imopenlines.");
    if known {
        method.to_owned()
    } else {
        format!("imbot.v2.{method}")
    }
}

/// The parameters with which a method is walked, on a fresh world; called twice with different input.
async fn calls(world: &World, method: &str) -> Vec<Value> {
    let dialog = world.dialog();
    let message = world.sent("walk me").await;
    let command = json!({ "fields": { "command": "walk", "title": { "en": "Walk" } } });
    let command = world.call("Command.register", command).await["command"]["id"].clone();
    let typed = world.portal.say(27, &dialog, "/walk far").await.unwrap().message_id;
    let file = json!({ "dialogId": dialog, "fields": { "name": "a.txt", "content": "SGVsbG8=" } });
    let file = world.call("File.upload", file).await["file"]["id"].clone();
    let short = method.trim_start_matches("imbot.v2.");
    let found = chat_calls(short, &dialog).or_else(|| message_calls(short, &dialog, message, typed));
    if let Some(found) = found {
        return found;
    }
    match short {
        "Command.register" => vec![
            json!({ "fields": { "command": "/one", "title": { "en": "One" } } }),
            json!({ "fields": { "command": "two", "hidden": "Y" } }),
        ],
        "Command.update" => vec![
            json!({ "commandId": command, "fields": { "common": true } }),
            json!({ "commandId": command, "fields": { "command": "run" } }),
        ],
        "Command.unregister" => vec![json!({ "commandId": command })],
        "Command.answer" => vec![json!({
            "commandId": command, "messageId": typed, "dialogId": dialog, "fields": { "message": "walked" },
        })],
        "Event.get" => vec![json!({ "limit": 1 }), json!({ "limit": 1000, "offset": 1002 })],
        "im.v2.Event.get" => vec![json!({}), json!({ "offset": 5000 })],
        "File.upload" | "im.v2.File.upload" => ["b.pdf", "c"]
            .map(|name| json!({ "dialogId": dialog, "fields": { "name": name, "content": "SGk=" } }))
            .to_vec(),
        "File.download" => vec![json!({ "fileId": file }); 2],
        "im.v2.File.download" => vec![json!({ "dialogId": dialog, "fileId": file }); 2],
        "imbot.chat.user.list" => vec![json!({
            "CHAT_ID": world.chat, "BOT_ID": world.bot, "CLIENT_ID": "rest-token",
        })],
        _ => vec![json!({ "dialogId": dialog })],
    }
}

fn chat_calls(short: &str, dialog: &str) -> Option<Vec<Value>> {
    Some(match short {
        "Bot.register" => ["a1", "a2"]
            .map(|code| json!({ "fields": { "code": code, "properties": { "name": code } } }))
            .to_vec(),
        "Bot.update" => vec![
            json!({ "fields": { "isHidden": true } }),
            json!({ "fields": { "properties": { "name": "New Name" } } }),
        ],
        "Bot.get" => vec![json!({}), json!({ "code": "watcher", "botId": 0 })],
        "Bot.list" => vec![json!({}), json!({ "limit": 1 })],
        "Chat.add" => vec![
            json!({ "fields": { "title": "One", "userIds": [1], "message": "Welcome" } }),
            json!({ "fields": { "title": "Two", "ownerId": 27 } }),
        ],
        "Chat.get" => vec![json!({ "dialogId": dialog }), json!({ "dialogId": "27" })],
        "Chat.update" => vec![json!({ "dialogId": dialog, "fields": { "title": "Renamed" } })],
        "Chat.User.add" => vec![json!({ "dialogId": dialog, "userIds": [28, 9999] })],
        "Chat.User.delete" => vec![json!({ "dialogId": dialog, "userId": 1 })],
        "Chat.User.list" => vec![json!({ "dialogId": dialog }), json!({ "dialogId": dialog, "limit": 1 })],
        "Chat.Manager.add" | "Chat.Manager.delete" => vec![json!({ "dialogId": dialog, "userIds": [27] })],
        "Chat.setOwner" => vec![json!({ "dialogId": dialog, "userId": 27 })],
        _ => return None,
    })
}

fn message_calls(short: &str, dialog: &str, message: i64, typed: i64) -> Option<Vec<Value>> {
    Some(match short {
        "Chat.Message.send" => vec![
            json!({ "dialogId": dialog, "fields": { "message": "one" } }),
            json!({ "dialogId": dialog, "fields": { "forwardIds": { "u-1": message } } }),
        ],
        "Chat.Message.update" => vec![json!({ "messageId": message, "fields": { "message": "changed" } })],
        "Chat.Message.delete" => vec![json!({ "messageId": message })],
        "Chat.Message.read" => vec![
            json!({ "dialogId": dialog, "messageId": typed }),
            json!({ "dialogId": dialog }),
        ],
        "Chat.Message.get" => vec![json!({ "messageId": message }), json!({ "messageId": typed })],
        "Chat.Message.getContext" => vec![
            json!({ "messageId": message, "range": 1 }),
            json!({ "messageId": typed, "range": 2 }),
        ],
        "Chat.Message.Reaction.add" | "Chat.Message.Reaction.delete" => {
            vec![json!({ "messageId": typed, "reaction": "like" })]
        }
        _ => return None,
    })
}

/// Whether a value has a documented type; an empty map may have come as PHP's empty array.
fn fits(kind: &str, value: &Value) -> bool {
    let kind = kind.split(['(', '{']).next().unwrap_or(kind).trim();
    kind.split('|').any(|kind| match kind.trim() {
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "string" | "datetime" | "string Y" | "N" | "string with leading slash" => value.is_string(),
        "false" => *value == json!(false),
        "integer[]" => value.as_array().is_some_and(|items| items.iter().all(Value::is_i64)),
        "object" => value.is_object() || *value == json!([]),
        list if list.ends_with("[]") => value.is_array(),
        _ => value.is_object(),
    })
}

/// Every value at a path like `result.users[].id`; `None` for a key that is missing.
fn at<'a>(root: &'a Value, path: &str) -> Vec<Option<&'a Value>> {
    let mut found = vec![Some(root)];
    for part in path.split('.').skip(1) {
        let (name, list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        let step = |value: Option<&'a Value>| value.and_then(|value| value.get(name));
        found = found.into_iter().map(step).collect();
        if list {
            let items = |value: Option<&'a Value>| value.and_then(Value::as_array).into_iter().flatten().map(Some);
            found = found.into_iter().flat_map(items).collect();
        }
    }
    found
}

fn faults_of(answer: &Value, documented: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for field in documented.as_array().unwrap() {
        let (path, kind) = (field["path"].as_str().unwrap(), field["type"].as_str().unwrap());
        let note = field["note"].as_str().unwrap_or_default();
        let optional = note.contains("may be absent") || note.contains("below REST revision 35");
        let nullable = field["nullable"] == true;
        let values = match path.strip_prefix("result[]") {
            Some(rest) => answer
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|item| at(item, &format!("r{rest}")))
                .collect(),
            None => at(answer, path),
        };
        for value in values {
            let sound = match value {
                None => optional,
                Some(Value::Null) => nullable,
                Some(value) => fits(kind, value),
            };
            if !sound {
                faults.push(format!("{path}: {value:?} is no {kind}"));
            }
        }
    }
    faults
}

#[tokio::test]
async fn every_method_answers_as_documented_and_differently_to_different_input() {
    let methods: Vec<Value> = serde_json::from_str(METHODS).unwrap();
    assert_eq!(methods.len(), 40);
    let both = methods.iter().flat_map(|method| [(method, false), (method, true)]);
    for (method, app) in both {
        let name = method["name"].as_str().unwrap();
        let world = World::of(app).await;
        let reads = name.ends_with("Message.get") || name.ends_with("getContext");
        let bot = if reads { world.watcher } else { world.bot };
        if name == "im.v2.Event.get" {
            world.call("im.v2.Event.subscribe", json!({})).await;
        }
        let mut answers = BTreeSet::new();
        let asking = calls(&world, name).await;
        for params in &asking {
            let mut params = params.clone();
            if params.get("botId").is_none() {
                params["botId"] = bot.into();
            }
            params["botToken"] = "rest-token".into();
            if name.ends_with("Bot.register") {
                params["fields"]["botToken"] = "rest-token".into();
            }
            let answer = world.plain(name, params).await;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text);
            let faults = faults_of(&answer.result(), &method["result"]);
            assert!(faults.is_empty(), "{name}: {faults:#?}\n{}", answer.text);
            answers.insert(answer.result().to_string());
        }
        assert_eq!(answers.len(), asking.len(), "{name} answers all alike");
    }
}

#[tokio::test]
async fn changes_of_bots_and_chats_are_seen_in_later_reads() {
    let world = World::new().await;
    let dialog = world.dialog();
    world
        .call(
            "Bot.update",
            json!({ "fields": { "isHidden": "Y", "properties": { "name": "Ann Bot" } } }),
        )
        .await;
    let bot = world.call("Bot.get", json!({})).await;
    assert_eq!(
        (&bot["bot"]["isHidden"], &bot["users"][0]["name"]),
        (&json!(true), &json!("Ann Bot"))
    );
    world
        .call(
            "Chat.update",
            json!({ "dialogId": dialog, "fields": { "title": "New", "color": "azure" } }),
        )
        .await;
    world
        .call("Chat.User.add", json!({ "dialogId": dialog, "userIds": [28] }))
        .await;
    world
        .call("Chat.Manager.add", json!({ "dialogId": dialog, "userIds": [28] }))
        .await;
    world
        .call(
            "Chat.TextField.enabled",
            json!({ "dialogId": dialog, "enabled": false }),
        )
        .await;
    let chat = world.call("Chat.get", json!({ "dialogId": dialog })).await;
    for (field, value) in [
        ("name", json!("New")),
        ("color", json!("#29619b")),
        ("managerList", json!([28])),
        ("textFieldEnabled", json!("N")),
        ("role", json!("owner")),
        ("userCounter", json!(5)),
    ] {
        assert_eq!(chat["chat"][field], value, "{field}");
    }
}

#[tokio::test]
async fn people_leave_chats_and_bots_leave_the_portal() {
    let world = World::new().await;
    let dialog = world.dialog();
    let user = json!({ "dialogId": dialog, "userIds": [28] });
    world.call("Chat.User.add", user.clone()).await;
    world.call("Chat.Manager.add", user).await;
    world
        .call("Chat.Manager.delete", json!({ "dialogId": dialog, "userIds": [28] }))
        .await;
    world
        .call("Chat.User.delete", json!({ "dialogId": dialog, "userId": 28 }))
        .await;
    world
        .call("Chat.setOwner", json!({ "dialogId": dialog, "userId": 27 }))
        .await;
    assert_eq!(
        world
            .refused("Chat.setOwner", json!({ "dialogId": dialog, "userId": 1 }))
            .await,
        "ACCESS_DENIED"
    );
    let chat = world.call("Chat.get", json!({ "dialogId": dialog })).await;
    assert_eq!(
        (&chat["chat"]["owner"], &chat["chat"]["managerList"]),
        (&json!(27), &json!([]))
    );
    world.call("Chat.leave", json!({ "dialogId": dialog })).await;
    assert_eq!(
        world.refused("Chat.leave", json!({ "dialogId": dialog })).await,
        "ACCESS_DENIED"
    );
    world.call("Bot.unregister", json!({})).await;
    assert_eq!(world.refused("Bot.get", json!({})).await, "BOT_NOT_FOUND");
}

#[tokio::test]
async fn changes_of_messages_are_seen_in_later_reads() {
    let world = World::new().await;
    let id = world.sent("first").await;
    world
        .call(
            "Chat.Message.update",
            json!({ "messageId": id, "fields": { "message": "second" } }),
        )
        .await;
    let read = world.watch("Chat.Message.get", json!({ "messageId": id })).await;
    assert_eq!(
        (&read["message"]["text"], &read["user"]["id"]),
        (&json!("second"), &json!(world.bot))
    );
    assert_eq!(read["message"]["params"]["IS_EDITED"], "Y");
    let like = json!({ "messageId": id, "reaction": "like" });
    world.call("Chat.Message.Reaction.add", like.clone()).await;
    assert_eq!(
        world.refused("Chat.Message.Reaction.add", like.clone()).await,
        "REACTION_ALREADY_SET"
    );
    world.call("Chat.Message.Reaction.delete", like.clone()).await;
    world.call("Chat.Message.Reaction.add", like).await;
    let seen = world
        .watch("Chat.Message.read", json!({ "dialogId": world.dialog() }))
        .await;
    assert_eq!(seen["viewedMessages"].as_array().unwrap().last(), Some(&json!(id)));
    assert_eq!(seen["counter"], 0);
    world
        .call("Chat.Message.delete", json!({ "messageId": id, "complete": "Y" }))
        .await;
    assert_eq!(
        world.refused("Chat.Message.delete", json!({ "messageId": id })).await,
        "ACCESS_DENIED"
    );
    assert_eq!(
        world.refused("Chat.Message.get", json!({ "messageId": id })).await,
        "BOT_TYPE_NOT_ALLOWED"
    );
}

#[tokio::test]
async fn changes_of_commands_and_files_are_seen_in_later_reads() {
    let world = World::new().await;
    let fields =
        json!({ "command": "/find", "title": { "en": "Find", "de": "Suche" }, "params": { "en": "text", "fr": "x" } });
    let made = world.call("Command.register", json!({ "fields": fields })).await;
    let again = world
        .call(
            "Command.register",
            json!({ "command": "find", "title": { "en": "Other" } }),
        )
        .await;
    assert_eq!(made, again, "the flat form finds the command of this name");
    let id = made["command"]["id"].clone();
    world
        .call(
            "Command.update",
            json!({ "commandId": id, "fields": { "title": { "en": null } } }),
        )
        .await;
    let listed = world.call("Command.list", json!({})).await;
    assert_eq!(
        (&listed["commands"][0]["title"], &listed["commands"][0]["params"]),
        (&json!("Suche"), &json!(""))
    );
    world.call("Command.unregister", json!({ "commandId": id })).await;
    assert_eq!(
        world.refused("Command.unregister", json!({ "commandId": id })).await,
        "COMMAND_NOT_FOUND"
    );
    let file = json!({ "dialogId": world.dialog(), "fields": { "name": "a.txt", "content": "SGVsbG8=" } });
    let file = world.call("File.upload", file).await;
    assert_eq!(
        (&file["file"]["size"], &file["file"]["extension"]),
        (&json!(5), &json!("txt"))
    );
    let link = world
        .call("File.download", json!({ "fileId": file["file"]["id"] }))
        .await;
    let link = link["downloadUrl"].as_str().unwrap().to_owned();
    let got = client().get(&link).send().await.unwrap();
    assert_eq!(got.bytes().await.unwrap(), "Hello");
    assert_eq!(
        client().get(&link).send().await.unwrap().status(),
        403,
        "a link works once"
    );
    assert!(!format!("{:?}", world.portal.log()).contains("token=imbot"));
}

#[tokio::test]
async fn each_system_error_can_be_provoked_by_its_name() {
    let world = World::new().await;
    let control = format!("http://{}/_mock/faults", world.portal.control_address().unwrap());
    let listed: Value = serde_json::from_str(ERRORS).unwrap();
    let listed = listed["system"].as_array().unwrap();
    assert_eq!(listed.len(), 29);
    for error in listed {
        let code = error["code"].as_str().unwrap();
        let rule = json!({ "match": { "method": REVISION }, "times": 1, "action": { "error": code } });
        let added = client().post(&control).body(rule.to_string()).send().await.unwrap();
        assert_eq!(added.status(), 200, "{code}");
        let answer = webhook(&world.portal, REVISION, &json!({})).await;
        assert_eq!(answer.json()["error"], code);
        if let Some(status) = error["http_status_docs"].as_u64() {
            assert_eq!(u64::from(answer.status), status, "{code}");
        }
        assert_eq!(webhook(&world.portal, REVISION, &json!({})).await.status, 200, "once");
    }
}
