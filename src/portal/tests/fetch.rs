//! Events caused by REST calls and by people: queued for fetch bots, sent to webhook bots, by the type of the bot.

use super::catalogue::World;
use super::*;

impl World {
    async fn events_of(&self, bot: i64) -> Vec<(String, Value)> {
        let params = json!({ "botId": bot, "botToken": "rest-token" });
        let page = webhook(&self.portal, "imbot.v2.Event.get", &params).await.result();
        let events = page["events"].as_array().unwrap().iter();
        events
            .map(|event| (event["type"].as_str().unwrap().to_owned(), event["data"].clone()))
            .collect()
    }

    async fn names_of(&self, bot: i64) -> Vec<String> {
        self.events_of(bot).await.into_iter().map(|(name, _)| name).collect()
    }

    async fn register(&self, code: &str, fields: Value) -> i64 {
        let mut all = json!({ "code": code, "botToken": "rest-token", "properties": { "name": code } });
        for (name, value) in fields.as_object().unwrap() {
            all[name] = value.clone();
        }
        let answer = webhook(&self.portal, "imbot.v2.Bot.register", &json!({ "fields": all })).await;
        answer.result()["bot"]["id"].as_i64().unwrap()
    }
}

#[tokio::test]
async fn a_bot_hears_mentions_and_private_messages_a_supervisor_everything() {
    let world = World::new().await;
    let dialog = world.dialog();
    world.portal.say(27, &dialog, "hello all").await.unwrap();
    let mention = format!("[USER={}]Desk[/USER] hi", world.bot);
    world.portal.say(27, &dialog, &mention).await.unwrap();
    world
        .portal
        .say(27, &world.bot.to_string(), "in private")
        .await
        .unwrap();
    let heard = world.events_of(world.bot).await;
    let text = |data: &Value| data["message"]["text"].as_str().unwrap().to_owned();
    let texts: Vec<_> = heard.iter().map(|(_, data)| text(data)).collect();
    assert_eq!(texts, [mention.as_str(), "in private"]);
    let (name, data) = &heard[1];
    assert_eq!(name, "ONIMBOTV2MESSAGEADD");
    assert_eq!(
        (&data["chat"]["dialogId"], &data["message"]["isSystem"]),
        (&json!("27"), &json!(false))
    );
    assert_eq!(
        (&data["bot"]["eventMode"], data["bot"].get("auth")),
        (&json!("fetch"), None),
        "the whole bot, no auth"
    );
    let names = world.names_of(world.watcher).await;
    assert_eq!(
        names,
        ["ONIMBOTV2JOINCHAT", "ONIMBOTV2MESSAGEADD", "ONIMBOTV2MESSAGEADD"]
    );
}

#[tokio::test]
async fn offsets_confirm_and_nothing_is_kept_longer_than_a_day() {
    let world = World::new().await;
    for n in 0..3 {
        world
            .portal
            .say(27, &world.bot.to_string(), &n.to_string())
            .await
            .unwrap();
    }
    let page = world.call("Event.get", json!({ "limit": 2 })).await;
    assert_eq!(
        (page["events"].as_array().unwrap().len(), &page["hasMore"]),
        (2, &json!(true))
    );
    let again = world.call("Event.get", json!({ "limit": 2 })).await;
    assert_eq!(again["events"][0]["eventId"], page["events"][0]["eventId"]);
    let rest = world.call("Event.get", json!({ "offset": page["nextOffset"] })).await;
    assert_eq!(rest["events"].as_array().unwrap().len(), 1);
    assert_eq!(
        world.call("Event.get", json!({})).await["events"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "the others are gone"
    );
    let done = world.call("Event.get", json!({ "offset": rest["nextOffset"] })).await;
    assert_eq!(done["nextOffset"], rest["nextOffset"]);
    assert_eq!(world.call("Event.get", json!({})).await["nextOffset"], 0);
    world.portal.say(27, &world.bot.to_string(), "late").await.unwrap();
    pass(&world.portal, Duration::from_secs(24 * 3600));
    assert!(world.names_of(world.bot).await.is_empty());
}

#[tokio::test]
async fn calls_of_one_bot_are_events_of_another() {
    let world = World::new().await;
    let dialog = world.dialog();
    let send = json!({ "dialogId": dialog, "fields": { "message": "one" } });
    let id = world.call("Chat.Message.send", send).await["id"].clone();
    world
        .call(
            "Chat.Message.update",
            json!({ "messageId": id, "fields": { "message": "two" } }),
        )
        .await;
    let like = json!({ "botId": world.watcher, "botToken": "rest-token", "messageId": id, "reaction": "fire" });
    webhook(&world.portal, "imbot.v2.Chat.Message.Reaction.add", &like)
        .await
        .result();
    world.call("Chat.Message.delete", json!({ "messageId": id })).await;
    assert_eq!(
        world.names_of(world.watcher).await,
        [
            "ONIMBOTV2JOINCHAT",
            "ONIMBOTV2MESSAGEADD",
            "ONIMBOTV2MESSAGEUPDATE",
            "ONIMBOTV2MESSAGEDELETE"
        ]
    );
    let (name, data) = world.events_of(world.bot).await.remove(0);
    assert_eq!(
        (name.as_str(), &data["reaction"], &data["action"]),
        ("ONIMBOTV2REACTIONCHANGE", &json!("fire"), &json!("add"))
    );
    let third = world.register("third", json!({})).await;
    world
        .call("Chat.User.add", json!({ "dialogId": dialog, "userIds": [third] }))
        .await;
    let (name, data) = world.events_of(third).await.remove(0);
    assert_eq!(
        (name.as_str(), &data["dialogId"]),
        ("ONIMBOTV2JOINCHAT", &json!(dialog))
    );
}

#[tokio::test]
async fn a_bot_registered_by_rest_gets_its_events_where_it_said() {
    let world = World::new().await;
    let (url, heard) = sending::ear(axum::http::StatusCode::OK).await;
    let hooked = world
        .register("hooked", json!({ "eventMode": "webhook", "webhookUrl": url }))
        .await;
    let command = json!({
        "botId": hooked, "botToken": "rest-token",
        "fields": { "command": "go", "common": "Y", "title": { "en": "Go" } },
    });
    webhook(&world.portal, "imbot.v2.Command.register", &command)
        .await
        .result();
    world.portal.say(27, &hooked.to_string(), "hi").await.unwrap();
    world
        .portal
        .say(27, &world.dialog(), "/go far\n/nothing\n/go near")
        .await
        .unwrap();
    let bodies: Vec<String> = heard.lock().unwrap().iter().map(|(_, body)| body.clone()).collect();
    assert_eq!(bodies.len(), 3, "one event for each command");
    assert!(bodies[0].contains("ONIMBOTV2MESSAGEADD") && bodies[0].contains("customrest-token"));
    assert!(bodies[1].contains("%5Bparams%5D=far") && bodies[2].contains("%5Bparams%5D=near"));
    let fetch = json!({ "botId": hooked, "botToken": "rest-token", "fields": { "eventMode": "fetch" } });
    webhook(&world.portal, "imbot.v2.Bot.update", &fetch).await.result();
    world.portal.say(27, &hooked.to_string(), "now queued").await.unwrap();
    assert_eq!(heard.lock().unwrap().len(), 3);
    assert_eq!(world.names_of(hooked).await, ["ONIMBOTV2MESSAGEADD"]);
}

#[tokio::test]
async fn while_its_mode_changes_a_bots_events_may_come_both_ways_under_two_clocks() {
    let world = World::new().await;
    let (url, heard) = sending::ear(axum::http::StatusCode::OK).await;
    let hooked = world
        .register("hooked", json!({ "eventMode": "webhook", "webhookUrl": url }))
        .await;
    let mut knobs = crate::portal::Knobs::default();
    (knobs.both_ways, knobs.queue_clock) = (Duration::from_secs(60), -90);
    world.portal.set_knobs(knobs);
    let say = async |text: &str| world.portal.say(27, &hooked.to_string(), text).await.unwrap();
    let now = world.portal.clock().now().unix_seconds();
    say("posted").await;
    let fetch = json!({ "botId": hooked, "botToken": "rest-token", "fields": { "eventMode": "fetch" } });
    webhook(&world.portal, "imbot.v2.Bot.update", &fetch).await.result();
    say("both").await;
    pass(&world.portal, Duration::from_secs(60));
    say("queued").await;
    let posted = heard.lock().unwrap().len();
    assert_eq!(posted, 2);
    let body = heard.lock().unwrap()[1].1.clone();
    assert!(body.contains("both") && body.contains(&format!("&ts={now}&")), "{body}");
    let params = json!({ "botId": hooked, "botToken": "rest-token" });
    let page = webhook(&world.portal, "imbot.v2.Event.get", &params).await.result();
    let events = page["events"].as_array().unwrap();
    let text = |at: usize| events[at]["data"]["message"]["text"].clone();
    assert_eq!((events.len(), text(0), text(1)), (2, json!("both"), json!("queued")));
    let date = time::OffsetDateTime::parse(
        events[0]["date"].as_str().unwrap(),
        &time::format_description::well_known::Rfc3339,
    );
    assert_eq!(date.unwrap().unix_timestamp(), now - 90);
}

#[tokio::test]
async fn users_record_their_own_events_after_they_subscribed() {
    let world = World::new().await;
    let dialog = world.dialog();
    world.portal.say(27, &dialog, "before").await.unwrap();
    let with_user = json!({ "withUserEvents": true });
    assert_eq!(
        world.refused("Event.get", with_user.clone()).await,
        "USER_NOT_SUBSCRIBED"
    );
    assert_eq!(world.call("im.v2.Event.subscribe", json!({})).await, json!(true));
    world.portal.say(27, &dialog, "after").await.unwrap();
    let own = world.call("im.v2.Event.get", json!({})).await;
    let events = own["events"].as_array().unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (&events[0]["type"], &events[0]["data"]["message"]["text"]),
        (&json!("ONIMV2MESSAGEADD"), &json!("after"))
    );
    let both = world.call("Event.get", with_user.clone()).await;
    assert!(
        both["events"]
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["type"] == "ONIMV2MESSAGEADD")
    );
    world.portal.apply(&crate::portal::Deed::RevokeScope("im".to_owned()));
    assert_eq!(world.refused("Event.get", with_user).await, "SCOPE_ERROR");
    assert_eq!(world.refused("im.v2.Event.get", json!({})).await, "insufficient_scope");
}

#[tokio::test]
async fn the_bot_of_a_line_serves_its_guest_until_it_hands_over() {
    let world = World::new().await;
    let line = world.register("line", json!({ "type": "openline" })).await;
    world.portal.open_line(900, line, 77).await.unwrap();
    world.portal.say(900, "chat77", "help").await.unwrap();
    let (_, data) = world.events_of(line).await.remove(1);
    assert_eq!(
        (&data["chat"]["type"], &data["user"]["connector"]),
        (&json!("lines"), &json!(true))
    );
    let params = |more: Value| with(json!({ "CHAT_ID": 77, "botToken": "rest-token" }), "/MESSAGE", more);
    let said = webhook(
        &world.portal,
        "imopenlines.bot.session.message.send",
        &params("Welcome".into()),
    )
    .await;
    assert_eq!(said.result(), json!(true));
    let moved = webhook(&world.portal, "imopenlines.bot.session.operator", &params(Value::Null)).await;
    assert_eq!(moved.result(), json!(true));
    world.portal.say(900, "chat77", "still there?").await.unwrap();
    assert_eq!(world.names_of(line).await.len(), 2, "an operator's turn now");
    let again = webhook(&world.portal, "imopenlines.bot.session.finish", &params(Value::Null)).await;
    assert_eq!(again.refused().1, "ACCESS_DENIED");
    let group = json!({ "CHAT_ID": world.chat, "botToken": "rest-token" });
    let wrong = webhook(&world.portal, "imopenlines.bot.session.finish", &group).await;
    assert_eq!(wrong.refused().1, "CHAT_TYPE");
}

#[tokio::test]
async fn rotation_changes_the_owner_and_the_proof_at_once() {
    let world = World::new().await;
    let (url, _) = sending::ear(axum::http::StatusCode::OK).await;
    let hooked = world
        .register("hooked", json!({ "eventMode": "webhook", "webhookUrl": url }))
        .await;
    let update = |fields: Value| json!({ "botId": hooked, "botToken": "rest-token", "fields": fields });
    for (token, code) in [
        ("x".repeat(41), "BOT_TOKEN_INVALID_LENGTH"),
        ("token-456".to_owned(), "BOT_TOKEN_ROTATION_FAILED"),
    ] {
        let answer = webhook(
            &world.portal,
            "imbot.v2.Bot.update",
            &update(json!({ "botToken": token })),
        )
        .await;
        assert_eq!(answer.refused().1, code);
    }
    webhook(
        &world.portal,
        "imbot.v2.Bot.update",
        &update(json!({ "botToken": " new-token " })),
    )
    .await
    .result();
    let old = webhook(&world.portal, "imbot.v2.Bot.update", &update(json!({}))).await;
    assert_eq!(old.refused().1, "BOT_OWNERSHIP_ERROR");
    let sent = world.portal.say(27, &hooked.to_string(), "hi").await.unwrap();
    assert!(String::from_utf8_lossy(sent.body()).contains("application_token%5D=customnew-token"));
}

#[tokio::test]
async fn a_slow_handler_gets_its_next_event_after_a_pause() {
    let portal = start(config()).await;
    let clock = portal.clock().clone();
    let app = axum::Router::new().route(
        "/",
        axum::routing::post(move || {
            clock.advance(Duration::from_secs(6));
            std::future::ready("late")
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    portal.set_webhook_url(456, &url).unwrap();
    let first = portal.say(27, "456", "one").await.unwrap();
    assert_eq!(first.deliveries[0].took, Duration::from_secs(6));
    let waiting = tokio::spawn({
        let portal = portal.clone();
        async move { portal.say(27, "456", "two").await.unwrap() }
    });
    pass(&portal, Duration::from_millis(4999));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished() && portal.deliveries().len() == 1);
    pass(&portal, Duration::from_millis(1));
    assert_eq!(waiting.await.unwrap().status(), Some(200));
}
