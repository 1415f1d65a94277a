//! Every method of the catalogue on state built by REST calls: keys and JSON types of the documented answer, some
//! effects in detail, and every documented error by its name. That each method has an effect is `effects`.

use super::*;

pub(super) const METHODS: &str = include_str!("../../../tests/catalogue/methods.json");
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

    pub(super) async fn of(app: bool) -> Self {
        Self::made(app, 200).await
    }

    async fn with_burst(burst: u32) -> Self {
        Self::made(false, burst).await
    }

    async fn made(app: bool, burst: u32) -> Self {
        let portal = start(PortalConfig {
            burst,
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

    pub(super) async fn registered(&self, code: &str, kind: &str) -> i64 {
        let fields = json!({ "code": code, "botToken": "rest-token", "type": kind, "properties": { "name": code } });
        let answer = self.plain("imbot.v2.Bot.register", json!({ "fields": fields })).await;
        answer.result()["bot"]["id"].as_i64().unwrap()
    }

    /// A call under the identity of this world, its parameters as they are.
    pub(super) async fn plain(&self, method: &str, params: Value) -> Answer {
        match &self.token {
            Some(token) => oauth(&self.portal, token, method, params).await,
            None => webhook(&self.portal, method, &params).await,
        }
    }

    pub(super) async fn asked(&self, bot: i64, method: &str, mut params: Value) -> Answer {
        params["botId"] = bot.into();
        params["botToken"] = "rest-token".into();
        self.plain(&full(method), params).await
    }

    pub(super) async fn call(&self, method: &str, params: Value) -> Value {
        self.asked(self.bot, method, params).await.result()
    }

    pub(super) async fn watch(&self, method: &str, params: Value) -> Value {
        self.asked(self.watcher, method, params).await.result()
    }

    pub(super) async fn refused(&self, method: &str, params: Value) -> String {
        self.asked(self.bot, method, params).await.refused().1
    }

    pub(super) fn dialog(&self) -> String {
        format!("chat{}", self.chat)
    }

    pub(super) async fn sent(&self, text: &str) -> i64 {
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

/// The values of an answer at a documented path; `None` for a key that is missing.
fn values<'a>(answer: &'a Value, path: &str) -> Vec<Option<&'a Value>> {
    let Some(rest) = path.strip_prefix("result[]") else {
        return at(answer, path);
    };
    let items = answer.as_array().unwrap().iter();
    items.flat_map(|item| at(item, &format!("r{rest}"))).collect()
}

fn optional(field: &Value) -> bool {
    let note = field["note"].as_str().unwrap_or_default();
    note.contains("may be absent") || note.contains("below REST revision 35")
}

/// What of an answer is not as documented.
pub(super) fn faults_of(answer: &Value, documented: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for field in documented.as_array().unwrap() {
        let (path, kind) = (field["path"].as_str().unwrap(), field["type"].as_str().unwrap());
        for value in values(answer, path) {
            let sound = match value {
                None => optional(field),
                Some(Value::Null) => field["nullable"] == true,
                Some(value) => fits(kind, value),
            };
            if !sound {
                faults.push(format!("{path}: {value:?} is no {kind}"));
            }
        }
    }
    faults
}

/// The documented paths, of those that are always there, at which none of the answers has anything: an empty list would
/// pass any test of its items.
pub(super) fn never_reached(answers: &[Value], documented: &Value) -> Vec<String> {
    let fields = documented.as_array().unwrap().iter().filter(|field| !optional(field));
    let paths = fields.map(|field| field["path"].as_str().unwrap());
    let reached = |path: &str| {
        answers
            .iter()
            .any(|answer| values(answer, path).iter().any(Option::is_some))
    };
    paths.filter(|path| !reached(path)).map(str::to_owned).collect()
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

/// Has the control API answer the next call of a method with this error, calls it, and gives the answer; the call after
/// it must be untouched by the error.
async fn provoked(world: &World, method: &str, url: &str, code: &str) -> Answer {
    let control = format!("http://{}/_mock/faults", world.portal.control_address().unwrap());
    let rule = json!({ "match": { "method": method }, "times": 1, "action": { "error": code } });
    let added = client().post(&control).body(rule.to_string()).send().await.unwrap();
    assert_eq!(added.status(), 200, "{code}");
    let ask = || async { Answer::of(client().post(url).json(&json!({})).send().await.unwrap()).await };
    let answer = ask().await;
    assert_eq!(answer.json()["error"], code, "{method}");
    let strikes = || {
        world
            .portal
            .log()
            .iter()
            .filter(|entry| !entry.faults.is_empty())
            .count()
    };
    let before = strikes();
    ask().await;
    assert_eq!(strikes(), before, "{method} {code}: once");
    answer
}

#[tokio::test]
async fn each_system_error_can_be_provoked_by_its_name() {
    let world = World::new().await;
    let listed: Value = serde_json::from_str(ERRORS).unwrap();
    let url = format!("{}{REVISION}", world.portal.incoming_webhook());
    let system = listed["system"].as_array().unwrap();
    assert_eq!(system.len(), 29);
    for error in system {
        let code = error["code"].as_str().unwrap();
        let answer = provoked(&world, REVISION, &url, code).await;
        if let Some(status) = error["http_status_docs"].as_u64() {
            assert_eq!(u64::from(answer.status), status, "{code}");
        }
    }
    let url = format!("http://{}/oauth/token/", world.portal.address());
    let oauth = listed["oauth"].as_array().unwrap().iter();
    // Two codes may stand in one row; rows in brackets are statuses without a code.
    let codes = oauth.flat_map(|error| error["code"].as_str().unwrap().split(" / "));
    let codes: Vec<&str> = codes.filter(|code| !code.starts_with('(')).collect();
    assert_eq!(codes.len(), 8);
    for code in codes {
        provoked(&world, "oauth.token", &url, code).await;
    }
}

#[tokio::test]
async fn each_documented_error_of_each_method_can_be_provoked_by_its_name() {
    let world = World::with_burst(10_000).await;
    let methods: Vec<Value> = serde_json::from_str(METHODS).unwrap();
    let mut provoked_codes = 0;
    for method in &methods {
        let name = method["name"].as_str().unwrap();
        let url = format!("{}{name}", world.portal.incoming_webhook());
        for error in method["errors"].as_array().unwrap() {
            provoked(&world, name, &url, error["code"].as_str().unwrap()).await;
            provoked_codes += 1;
        }
    }
    assert!(provoked_codes > 200, "{provoked_codes}");
}
