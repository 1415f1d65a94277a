//! What each method of the catalogue does: on state built by REST calls, with the documented keys and types, its effect
//! visible in a later read, another effect for other values. The catalogue is walked, so a new method fails until its
//! effect is written here.

use super::catalogue::{METHODS, World, faults_of, never_reached};
use super::*;
use crate::portal::{ActKind, Knobs};
use std::collections::BTreeSet;

/// What a later read showed, and what it should show.
type Seen = Vec<(Value, Value)>;

/// One method under way on a world of its own.
struct Walk<'a> {
    world: &'a World,
    method: &'a Value,
    answers: Vec<Value>,
}

impl Walk<'_> {
    /// Calls the method and holds its answer to the catalogue.
    async fn ask(&mut self, params: Value) -> Value {
        self.ask_as(self.world.bot, params).await
    }

    async fn ask_as(&mut self, bot: i64, params: Value) -> Value {
        let name = self.method["name"].as_str().unwrap();
        let answer = self.world.asked(bot, name, params).await.result();
        let faults = faults_of(&answer, &self.method["result"]);
        assert!(faults.is_empty(), "{name}: {faults:#?}\n{answer}");
        self.answers.push(answer.clone());
        answer
    }

    fn dialog(&self) -> String {
        self.world.dialog()
    }
}

/// `values[].name` of a list.
fn each(list: &Value, name: &str) -> Value {
    list.as_array().unwrap().iter().map(|item| item[name].clone()).collect()
}

impl World {
    async fn room(&self, title: &str, users: &[i64]) -> String {
        let fields = json!({ "title": title, "userIds": users });
        let made = self.call("Chat.add", json!({ "fields": fields })).await;
        made["chat"]["dialogId"].as_str().unwrap().to_owned()
    }

    async fn chat_field(&self, dialog: &str, field: &str) -> Value {
        self.call("Chat.get", json!({ "dialogId": dialog })).await["chat"][field].clone()
    }

    /// The members as the watcher sees them.
    async fn members(&self, dialog: &str) -> Value {
        each(&self.watch("Chat.User.list", json!({ "dialogId": dialog })).await, "id")
    }

    async fn text_of(&self, message: &Value) -> Value {
        self.watch("Chat.Message.get", json!({ "messageId": message })).await["message"]["text"].clone()
    }

    async fn supervisors(&self) -> Value {
        let all = self
            .call("Bot.list", json!({ "filter": { "type": "supervisor" } }))
            .await;
        each(&all["bots"], "code")
    }

    async fn commands(&self) -> Value {
        each(&self.call("Command.list", json!({})).await["commands"], "command")
    }

    async fn command(&self, name: &str) -> Value {
        let fields = json!({ "command": name, "title": { "en": name } });
        self.call("Command.register", json!({ "fields": fields })).await["command"]["id"].clone()
    }

    async fn file(&self, name: &str, content: &str) -> Value {
        let params = json!({ "dialogId": self.dialog(), "fields": { "name": name, "content": content } });
        self.call("File.upload", params).await["file"]["id"].clone()
    }

    /// What lies behind a link.
    async fn behind(&self, link: &Value) -> Value {
        let answer = client().get(link.as_str().unwrap()).send().await.unwrap();
        answer.text().await.unwrap().into()
    }

    /// The watcher calls the bot by name.
    async fn mentioned(&self, text: &str) {
        let message = format!("[USER={}]Desk[/USER] {text}", self.bot);
        let params = json!({ "dialogId": self.dialog(), "fields": { "message": message } });
        self.watch("Chat.Message.send", params).await;
    }

    /// The last words of the messages on a page of events.
    fn heard_in(page: &Value) -> Value {
        let texts = page["events"].as_array().unwrap().iter();
        let texts = texts.filter_map(|event| event["data"]["message"]["text"].as_str());
        texts.map(|text| text.rsplit(' ').next().unwrap_or_default()).collect()
    }
}

async fn bots(walk: &mut Walk<'_>, short: &str) -> Option<Seen> {
    let world = walk.world;
    let mut seen = Vec::new();
    match short {
        "Bot.register" => {
            for code in ["a1", "a2"] {
                let fields = json!({ "code": code, "botToken": "rest-token", "properties": { "name": code } });
                let id = walk.ask(json!({ "fields": fields })).await["bot"]["id"]
                    .as_i64()
                    .unwrap();
                let read = world.asked(id, "Bot.get", json!({})).await.result();
                seen.push((read["bot"]["code"].clone(), json!(code)));
            }
        }
        "Bot.update" => {
            for name in ["One", "Two"] {
                walk.ask(json!({ "fields": { "properties": { "name": name } } })).await;
                let read = world.call("Bot.get", json!({})).await;
                seen.push((read["users"][0]["name"].clone(), json!(name)));
            }
        }
        "Bot.get" => {
            for (bot, code) in [(world.bot, "desk_bot"), (world.watcher, "watcher")] {
                let read = walk.ask_as(bot, json!({})).await;
                seen.push((read["bot"]["code"].clone(), json!(code)));
            }
        }
        "Bot.list" => {
            let filter = json!({ "filter": { "type": "supervisor" } });
            seen.push((
                each(&walk.ask(filter.clone()).await["bots"], "code"),
                json!(["watcher"]),
            ));
            world.registered("second", "supervisor").await;
            seen.push((
                each(&walk.ask(filter).await["bots"], "code"),
                json!(["watcher", "second"]),
            ));
        }
        "Bot.unregister" => {
            let first = world.registered("first", "supervisor").await;
            let second = world.registered("second", "supervisor").await;
            walk.ask_as(first, json!({})).await;
            seen.push((world.supervisors().await, json!(["watcher", "second"])));
            walk.ask_as(second, json!({})).await;
            seen.push((world.supervisors().await, json!(["watcher"])));
        }
        _ => return None,
    }
    Some(seen)
}

async fn chats(walk: &mut Walk<'_>, short: &str) -> Option<Seen> {
    let world = walk.world;
    let dialog = walk.dialog();
    let mut seen = Vec::new();
    match short {
        "Chat.add" => {
            for title in ["One", "Two"] {
                let made = walk.ask(json!({ "fields": { "title": title, "userIds": [27] } })).await;
                let made = made["chat"]["dialogId"].as_str().unwrap().to_owned();
                seen.push((world.chat_field(&made, "name").await, json!(title)));
            }
        }
        "Chat.get" => {
            let other = world.room("Other", &[1]).await;
            for (dialog, title) in [(dialog, "Room"), (other, "Other")] {
                let read = walk.ask(json!({ "dialogId": dialog })).await;
                seen.push((read["chat"]["name"].clone(), json!(title)));
            }
        }
        "Chat.update" => {
            for title in ["One", "Two"] {
                walk.ask(json!({ "dialogId": dialog, "fields": { "title": title } }))
                    .await;
                seen.push((world.chat_field(&dialog, "name").await, json!(title)));
            }
        }
        "Chat.leave" => {
            let other = world.room("Other", &[28, world.watcher]).await;
            for (dialog, left) in [(dialog, vec![1, 27]), (other, vec![28])] {
                walk.ask(json!({ "dialogId": dialog })).await;
                let left: Vec<i64> = left.into_iter().chain([world.watcher]).collect();
                seen.push((world.members(&dialog).await, json!(left)));
            }
        }
        "Chat.setOwner" => {
            let other = world.room("Other", &[1]).await;
            for (dialog, owner) in [(dialog, 27), (other, 1)] {
                walk.ask(json!({ "dialogId": dialog, "userId": owner })).await;
                seen.push((world.chat_field(&dialog, "owner").await, json!(owner)));
            }
        }
        "Chat.TextField.enabled" => {
            for (enabled, told) in [(false, "N"), (true, "Y")] {
                walk.ask(json!({ "dialogId": dialog, "enabled": enabled })).await;
                seen.push((world.chat_field(&dialog, "textFieldEnabled").await, json!(told)));
            }
        }
        _ => return None,
    }
    Some(seen)
}

async fn members(walk: &mut Walk<'_>, short: &str) -> Option<Seen> {
    let world = walk.world;
    let dialog = walk.dialog();
    let (bot, watcher) = (world.bot, world.watcher);
    world.portal.add_user(29, "Mary Major");
    let mut seen = Vec::new();
    match short {
        "Chat.User.add" => {
            for (user, now) in [(28, vec![1, 27, 28]), (29, vec![1, 27, 28, 29])] {
                walk.ask(json!({ "dialogId": dialog, "userIds": [user, 9999] })).await;
                let now: Vec<i64> = now.into_iter().chain([bot, watcher]).collect();
                seen.push((world.members(&dialog).await, json!(now)));
            }
        }
        "Chat.User.delete" => {
            for (user, now) in [(1, vec![27, bot, watcher]), (27, vec![bot, watcher])] {
                walk.ask(json!({ "dialogId": dialog, "userId": user })).await;
                seen.push((world.members(&dialog).await, json!(now)));
            }
        }
        "Chat.User.list" => {
            for (order, first) in [("asc", 1), ("desc", watcher)] {
                let read = json!({ "dialogId": dialog, "limit": 1, "order": { "id": order } });
                seen.push((each(&walk.ask(read).await, "id"), json!([first])));
            }
        }
        "Chat.Manager.add" => {
            for (user, now) in [(27, json!([27])), (1, json!([1, 27]))] {
                walk.ask(json!({ "dialogId": dialog, "userIds": [user] })).await;
                seen.push((world.chat_field(&dialog, "managerList").await, now));
            }
        }
        "Chat.Manager.delete" => {
            world
                .call("Chat.Manager.add", json!({ "dialogId": dialog, "userIds": [1, 27] }))
                .await;
            for (user, now) in [(27, json!([1])), (1, json!([]))] {
                walk.ask(json!({ "dialogId": dialog, "userIds": [user] })).await;
                seen.push((world.chat_field(&dialog, "managerList").await, now));
            }
        }
        "imbot.chat.user.list" => {
            for (real, ids) in [("N", vec![1, 27, bot, watcher]), ("Y", vec![1, 27])] {
                let read = json!({
                    "CHAT_ID": world.chat, "BOT_ID": bot, "CLIENT_ID": "rest-token", "REAL_COUNT": real,
                });
                seen.push((walk.ask(read).await, json!(ids)));
            }
        }
        _ => return None,
    }
    Some(seen)
}

#[expect(clippy::too_many_lines, reason = "one arm a method")]
async fn messages(walk: &mut Walk<'_>, short: &str) -> Option<Seen> {
    let world = walk.world;
    let dialog = walk.dialog();
    let (first, second) = (world.sent("first").await, world.sent("second").await);
    let mut seen = Vec::new();
    match short {
        "Chat.Message.send" => {
            for text in ["one", "two"] {
                let sent = walk
                    .ask(json!({ "dialogId": dialog, "fields": { "message": text } }))
                    .await;
                seen.push((world.text_of(&sent["id"]).await, json!(text)));
            }
        }
        "Chat.Message.update" => {
            for text in ["one", "two"] {
                walk.ask(json!({ "messageId": first, "fields": { "message": text } }))
                    .await;
                seen.push((world.text_of(&json!(first)).await, json!(text)));
            }
        }
        "Chat.Message.delete" => {
            walk.ask(json!({ "messageId": first })).await;
            seen.push((world.text_of(&json!(first)).await, json!("")));
            walk.ask(json!({ "messageId": second, "complete": true })).await;
            let read = json!({ "messageId": second });
            let gone = world.asked(world.watcher, "Chat.Message.get", read).await.refused();
            seen.push((gone.1.into(), json!("MESSAGE_NOT_FOUND")));
        }
        "Chat.Message.read" => {
            for up_to in [first, second] {
                walk.ask_as(world.watcher, json!({ "dialogId": dialog, "messageId": up_to }))
                    .await;
                let chat = world.watch("Chat.get", json!({ "dialogId": dialog })).await;
                seen.push((chat["chat"]["lastId"].clone(), json!(up_to)));
            }
        }
        "Chat.Message.get" => {
            for (message, text) in [(first, "first"), (second, "second")] {
                let read = walk.ask_as(world.watcher, json!({ "messageId": message })).await;
                seen.push((read["message"]["text"].clone(), json!(text)));
            }
        }
        "Chat.Message.getContext" => {
            world.sent("third").await;
            for (message, texts) in [
                (first, vec!["first", "second"]),
                (second, vec!["first", "second", "third"]),
            ] {
                let read = walk
                    .ask_as(world.watcher, json!({ "messageId": message, "range": 1 }))
                    .await;
                seen.push((each(&read["messages"], "text"), json!(texts)));
            }
        }
        "Chat.InputAction.notify" => {
            // People see it and nobody can read it by REST: the portal's own record has to do.
            for status in [
                json!("IMBOT_AGENT_ACTION_THINKING"),
                json!("IMBOT_AGENT_ACTION_SEARCHING"),
            ] {
                walk.ask(json!({ "dialogId": dialog, "statusMessageCode": status }))
                    .await;
                let last = world.portal.take_acts().pop().unwrap();
                assert_eq!((last.bot, last.place.as_str()), (world.bot, "Room"));
                let ActKind::Typed(shown) = last.deed else {
                    panic!("{last:?}")
                };
                seen.push((json!(shown), status));
            }
        }
        _ => return None,
    }
    Some(seen)
}

async fn reactions(walk: &mut Walk<'_>, short: &str) -> Option<Seen> {
    let world = walk.world;
    if !short.starts_with("Chat.Message.Reaction.") {
        return None;
    }
    world.call("im.v2.Event.subscribe", json!({})).await;
    let message = world.sent("react").await;
    let mut seen = Vec::new();
    for code in ["like", "fire"] {
        let params = json!({ "messageId": message, "reaction": code });
        if short.ends_with("delete") {
            world.call("Chat.Message.Reaction.add", params.clone()).await;
        }
        walk.ask(params).await;
        let page = world.call("im.v2.Event.get", json!({})).await;
        let last = &page["events"].as_array().unwrap().last().unwrap()["data"];
        let done = short.rsplit('.').next().unwrap();
        seen.push((json!([last["reaction"], last["action"]]), json!([code, done])));
    }
    Some(seen)
}

async fn commands(walk: &mut Walk<'_>, short: &str) -> Option<Seen> {
    let world = walk.world;
    let dialog = walk.dialog();
    let command = world.command("walk").await;
    let mut seen = Vec::new();
    match short {
        "Command.register" => {
            for (name, all) in [
                ("one", json!(["/walk", "/one"])),
                ("two", json!(["/walk", "/one", "/two"])),
            ] {
                walk.ask(json!({ "fields": { "command": name, "title": { "en": name } } }))
                    .await;
                seen.push((world.commands().await, all));
            }
        }
        "Command.update" => {
            for name in ["run", "jump"] {
                walk.ask(json!({ "commandId": command, "fields": { "command": name } }))
                    .await;
                seen.push((world.commands().await, json!([format!("/{name}")])));
            }
        }
        "Command.list" => {
            seen.push((
                each(&walk.ask(json!({})).await["commands"], "command"),
                json!(["/walk"]),
            ));
            world.command("run").await;
            seen.push((
                each(&walk.ask(json!({})).await["commands"], "command"),
                json!(["/walk", "/run"]),
            ));
        }
        "Command.unregister" => {
            let other = world.command("run").await;
            for (id, left) in [(command, json!(["/run"])), (other, json!([]))] {
                walk.ask(json!({ "commandId": id })).await;
                seen.push((world.commands().await, left));
            }
        }
        "Command.answer" => {
            for text in ["one", "two"] {
                let typed = world.portal.say(27, &dialog, "/walk far").await.unwrap().message_id;
                let fields = json!({ "message": text });
                walk.ask(json!({ "commandId": command, "messageId": typed, "dialogId": dialog, "fields": fields }))
                    .await;
                let last = world.chat_field(&dialog, "lastMessageId").await;
                seen.push((world.text_of(&last).await, json!(text)));
            }
        }
        _ => return None,
    }
    Some(seen)
}

async fn events(walk: &mut Walk<'_>, short: &str) -> Option<Seen> {
    let world = walk.world;
    let subscribed = || world.call("im.v2.Event.subscribe", json!({}));
    let user_events = || async { World::heard_in(&world.call("im.v2.Event.get", json!({})).await) };
    let mut seen = Vec::new();
    match short {
        "Event.get" | "im.v2.Event.get" => {
            subscribed().await;
            world.mentioned("one").await;
            world.mentioned("two").await;
            let page = walk.ask(json!({ "limit": 1 })).await;
            seen.push((World::heard_in(&page), json!(["one"])));
            let page = walk.ask(json!({ "offset": page["nextOffset"], "limit": 5 })).await;
            seen.push((World::heard_in(&page), json!(["two"])));
            seen.push((World::heard_in(&walk.ask(json!({})).await), json!(["two"])));
        }
        "im.v2.Event.subscribe" => {
            world.mentioned("unheard").await;
            for heard in [json!(["one"]), json!(["one", "one"])] {
                walk.ask(json!({})).await;
                world.mentioned("one").await;
                seen.push((user_events().await, heard));
            }
        }
        "im.v2.Event.unsubscribe" => {
            for text in ["one", "two"] {
                subscribed().await;
                world.mentioned(text).await;
                seen.push((
                    user_events().await.as_array().unwrap().last().unwrap().clone(),
                    json!(text),
                ));
                walk.ask(json!({})).await;
                let with_user = json!({ "withUserEvents": "Y" });
                seen.push((
                    json!(world.refused("Event.get", with_user).await),
                    json!("USER_NOT_SUBSCRIBED"),
                ));
            }
        }
        _ => return None,
    }
    Some(seen)
}

async fn others(walk: &mut Walk<'_>, short: &str) -> Option<Seen> {
    let world = walk.world;
    let dialog = walk.dialog();
    let contents = [("SGVsbG8=", "Hello"), ("V29ybGQ=", "World")];
    let mut seen = Vec::new();
    match short {
        "File.upload" | "im.v2.File.upload" => {
            for (content, bytes) in contents {
                let fields = json!({ "name": "a.txt", "content": content });
                let made = walk.ask(json!({ "dialogId": dialog, "fields": fields })).await;
                let link = world
                    .call("File.download", json!({ "fileId": made["file"]["id"] }))
                    .await;
                seen.push((world.behind(&link["downloadUrl"]).await, json!(bytes)));
            }
        }
        "File.download" | "im.v2.File.download" => {
            for (content, bytes) in contents {
                let file = world.file("a.txt", content).await;
                let link = walk.ask(json!({ "dialogId": dialog, "fileId": file })).await;
                seen.push((world.behind(&link["downloadUrl"]).await, json!(bytes)));
            }
        }
        "Revision.get" => {
            for revision in [36, 41] {
                let knobs = Knobs {
                    revision,
                    ..Knobs::default()
                };
                world.portal.set_knobs(knobs);
                seen.push((walk.ask(json!({})).await["rest"].clone(), json!(revision)));
            }
        }
        _ => return None,
    }
    Some(seen)
}

async fn effects(walk: &mut Walk<'_>, short: &str) -> Option<Seen> {
    // Each group makes the state it needs, so only the right one may run.
    let group = short.split('.').collect::<Vec<_>>();
    match group[..] {
        ["Bot", ..] => bots(walk, short).await,
        ["Chat", "User" | "Manager", ..] | ["imbot", ..] => members(walk, short).await,
        ["Chat", "Message", "Reaction", ..] => reactions(walk, short).await,
        ["Chat", "Message" | "InputAction", ..] => messages(walk, short).await,
        ["Chat", ..] => chats(walk, short).await,
        ["Command", ..] => commands(walk, short).await,
        ["Event", ..] | ["im", "v2", "Event", ..] => events(walk, short).await,
        _ => others(walk, short).await,
    }
}

#[tokio::test]
async fn every_method_of_the_catalogue_has_its_effect_and_another_one_for_other_values() {
    let methods: Vec<Value> = serde_json::from_str(METHODS).unwrap();
    assert_eq!(methods.len(), 40);
    let both = methods.iter().flat_map(|method| [(method, false), (method, true)]);
    let mut never = Vec::new();
    for (method, app) in both {
        let name = method["name"].as_str().unwrap();
        let world = World::of(app).await;
        let mut walk = Walk {
            world: &world,
            method,
            answers: Vec::new(),
        };
        let seen = Box::pin(effects(&mut walk, name.trim_start_matches("imbot.v2."))).await;
        let seen = seen.unwrap_or_else(|| panic!("{name}: write down its effect"));
        for (read, expected) in &seen {
            assert_eq!(read, expected, "{name}, application: {app}");
        }
        assert!(walk.answers.len() >= 2, "{name} was called too seldom");
        let paths = never_reached(&walk.answers, &method["result"]);
        never.extend(paths.into_iter().map(|path| format!("{name} {path}")));
        let different: BTreeSet<String> = seen.iter().map(|(read, _)| read.to_string()).collect();
        assert!(different.len() >= 2, "{name} has the same effect for all values");
    }
    assert!(never.is_empty(), "documented, but not in any answer: {never:#?}");
}
