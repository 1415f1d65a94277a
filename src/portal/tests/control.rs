//! The control API over HTTP: rules, deeds, acts of people, the clock, and what it shows.

use super::catalogue::World;
use super::*;
use crate::portal::{Deed, Profile};

struct Desk {
    world: World,
    base: String,
}

impl Desk {
    async fn new() -> Self {
        let world = World::new().await;
        let base = format!("http://{}/_mock/", world.portal.control_address().unwrap());
        Self { world, base }
    }

    async fn ask(&self, path: &str, body: Value) -> (u16, Value) {
        let request = client().post(format!("{}{path}", self.base)).body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn get(&self, path: &str) -> Value {
        let answer = client().get(format!("{}{path}", self.base)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn revision(&self) -> Answer {
        webhook(&self.world.portal, REVISION, &json!({})).await
    }

    async fn once(&self, action: Value) {
        self.post(
            "faults",
            json!({ "match": { "method": REVISION }, "times": 1, "action": action }),
        )
        .await;
    }
}

#[tokio::test]
async fn people_act_and_what_happened_is_shown() {
    let desk = Desk::new().await;
    let dialog = desk.world.dialog();
    desk.post("user", json!({ "id": 40, "name": "Eve Online" })).await;
    let said = desk
        .post("say", json!({ "user": 40, "dialog": "456", "text": "Hello" }))
        .await;
    assert_eq!(said["deliveries"][0]["event"], "ONIMBOTV2MESSAGEADD");
    let typed = desk
        .post(
            "command",
            json!({ "user": 40, "dialog": 456, "command": "help", "params": "me" }),
        )
        .await;
    assert_eq!(typed["deliveries"][0]["event"], "ONIMBOTV2COMMANDADD");
    let joined = desk
        .post("join", json!({ "user": 40, "bot": 457, "dialog": dialog }))
        .await;
    assert_eq!(joined["deliveries"][0]["event"], "ONIMBOTV2JOINCHAT");
    let context = json!({ "user": 40, "bot": 456, "context": { "task": 5 } });
    assert_eq!(
        desk.post("context", context).await["deliveries"][0]["event"],
        "ONIMBOTV2CONTEXTGET"
    );
    let id = webhook(&desk.world.portal, SEND, &text("mine")).await.result()["id"].clone();
    let reacted = desk
        .post("react", json!({ "user": 27, "message": id, "reaction": "like" }))
        .await;
    assert_eq!(reacted["deliveries"][0]["event"], "ONIMBOTV2REACTIONCHANGE");
    let many = desk.post("burst", json!({ "dialog": "456", "count": 5 })).await;
    assert_eq!(many["deliveries"], 5);
    let installed = desk.post("install", json!({ "app": "local.new" })).await;
    assert_eq!(installed["deliveries"][0]["event"], "ONAPPINSTALL");
    assert_eq!(desk.get("messages?dialog=40").await[0]["text"], "Hello");
    assert_eq!(desk.get(&format!("log?method={SEND}")).await[0]["decision"], "executed");
    assert_eq!(desk.get("state").await["host"], "demo.bitrix24.test");
    assert!(desk.get("deliveries").await.as_array().unwrap().len() >= 9);
}

#[tokio::test]
async fn the_sender_does_wrong_what_it_is_told() {
    let desk = Desk::new().await;
    for (fault, count) in [
        (json!("duplicate"), 2),
        (json!("reorder"), 0),
        (json!("wrong_token"), 2),
    ] {
        desk.post("events/faults", json!({ "fault": fault, "times": 1 })).await;
        let said = desk
            .post("say", json!({ "user": 27, "dialog": "456", "text": "x" }))
            .await;
        // What was held back goes out after the next event.
        assert_eq!(said["deliveries"].as_array().unwrap().len(), count, "{fault}");
    }
    let last = desk.get("deliveries").await;
    let bodies: Vec<&str> = last
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["body"].as_str().unwrap())
        .collect();
    assert_eq!(bodies.iter().filter(|body| body.contains("nobodys-token")).count(), 1);
}

#[tokio::test]
async fn every_route_of_the_listing_is_there() {
    let desk = Desk::new().await;
    let listing = desk.get("").await;
    for name in listing
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| name.contains("/_mock/"))
    {
        let (verb, path) = name.split_once(' ').unwrap();
        let url = format!("{}{}", desk.base, path.trim_start_matches("/_mock/"));
        let request = if verb == "GET" {
            client().get(url)
        } else {
            client().post(url)
        };
        let status = request.send().await.unwrap().status().as_u16();
        assert!(status == 200 || status == 400, "{name}: {status}");
    }
}

#[tokio::test]
async fn what_is_missing_or_unknown_is_named() {
    let desk = Desk::new().await;
    for (path, body, named) in [
        ("say", json!({ "user": 1, "text": "x" }), "dialog"),
        ("say", json!({ "user": 1, "dialog": "999", "text": "x" }), "999"),
        ("faults", json!({ "action": "explode" }), "explode"),
        (
            "faults",
            json!({ "action": { "kick_bot_from_chat": { "bot": 1 } } }),
            "kick_bot_from_chat",
        ),
        ("faults", json!({}), "action"),
        ("profile", json!({ "profile": "lax" }), "lax"),
        ("events/faults", json!({ "fault": "magic" }), "magic"),
        ("clock", json!({}), "advance_s"),
    ] {
        let (status, answer) = desk.ask(path, body).await;
        assert_eq!(status, 400);
        assert!(answer["error"].as_str().unwrap().contains(named), "{path}: {answer}");
    }
}

#[tokio::test]
async fn answers_are_spoiled_as_the_action_says() {
    let desk = Desk::new().await;
    desk.once(json!("truncate_json")).await;
    assert!(serde_json::from_str::<Value>(&desk.revision().await.text).is_err());
    desk.once(json!("wrong_content_type")).await;
    assert_eq!(desk.revision().await.media, "text/html; charset=utf-8");
    desk.once(json!("gzip")).await;
    let url = format!("{}{REVISION}", desk.world.portal.incoming_webhook());
    let packed = client().get(&url).send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert!(packed.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]));
    let page = json!({ "status": 502, "body": "<h1>no</h1>", "headers": { "Retry-After": 3 } });
    desk.once(page).await;
    let page = client().get(&url).send().await.unwrap();
    assert_eq!(
        (page.status().as_u16(), &page.headers()["retry-after"]),
        (502, &"3".parse().unwrap())
    );
    desk.once(json!("reset_before")).await;
    assert!(client().get(&url).send().await.is_err());
    desk.once(json!("reset_after_execute")).await;
    assert!(client().get(&url).send().await.is_err());
    assert_eq!(desk.revision().await.status, 200);
}

#[tokio::test]
async fn a_slow_body_ends_when_the_clock_gets_there() {
    let desk = Desk::new().await;
    desk.once(json!({ "slow_body": 2000 })).await;
    let slow = tokio::spawn({
        let portal = desk.world.portal.clone();
        async move { webhook(&portal, REVISION, &json!({})).await.result() }
    });
    while !desk.world.portal.shared().state().faults.used_up() {
        tokio::task::yield_now().await;
    }
    // The pause begins when the first half is out; moving on a little at a time cannot miss it.
    while !slow.is_finished() {
        desk.post("clock", json!({ "advance_s": 1 })).await;
    }
    assert_eq!(slow.await.unwrap()["rest"], 36);
}

#[tokio::test]
async fn deeds_change_the_portal_and_calls_are_refused_for_them() {
    for (deed, code, status) in [
        (json!("delete_portal"), "PORTAL_DELETED", 500),
        (json!("block_overload"), "OVERLOAD_LIMIT", 503),
        (json!("end_plan"), "ACCESS_DENIED", 403),
        (json!("require_tls"), "INVALID_REQUEST", 400),
        (json!("drain_rate_limit"), "QUERY_LIMIT_EXCEEDED", 503),
        (json!({ "revoke_scope": "imbot" }), "insufficient_scope", 403),
        (
            json!({ "fill_operating": { "method": REVISION, "seconds": 481 } }),
            "OPERATION_TIME_LIMIT",
            429,
        ),
    ] {
        let desk = Desk::new().await;
        desk.once(deed.clone()).await;
        assert_eq!(desk.revision().await.refused(), (status, code.to_owned()), "{deed}");
        assert_eq!(desk.world.portal.log().last().unwrap().faults.len(), 1);
    }
    let desk = Desk::new().await;
    desk.post(
        "do",
        json!({ "kick_bot_from_chat": { "bot": desk.world.bot, "chat": desk.world.chat } }),
    )
    .await;
    let send = json!({ "dialogId": desk.world.dialog(), "fields": { "message": "x" } });
    assert_eq!(
        desk.world.refused("Chat.Message.send", send.clone()).await,
        "ACCESS_DENIED"
    );
    desk.post("do", json!({ "delete_bot": desk.world.bot })).await;
    assert_eq!(desk.world.refused("Chat.Message.send", send).await, "BOT_NOT_FOUND");
}

#[tokio::test]
async fn a_renamed_portal_sends_everybody_on_and_does_nothing() {
    let desk = Desk::new().await;
    let port = desk.world.portal.address().port();
    desk.post("do", json!({ "rename_portal": format!("localhost:{port}") }))
        .await;
    let url = format!("{}{SEND}", desk.world.portal.incoming_webhook());
    let moved = client().post(&url).json(&text("lost")).send().await.unwrap();
    assert_eq!(moved.status(), 302);
    let there = moved.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(there, url.replace("127.0.0.1", "localhost"));
    assert!(texts(&desk.world.portal, "27").is_empty());
    let there = there.replace("localhost", "127.0.0.1");
    let again = client()
        .post(there)
        .header("host", format!("localhost:{port}"))
        .json(&text("found"));
    assert_eq!(again.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_application_loses_its_calls_by_what_is_done_to_it() {
    for (deed, code) in [
        (Deed::ExpireTokens, "expired_token"),
        (Deed::UninstallApp("local.desk".to_owned()), "APPLICATION_NOT_FOUND"),
        (Deed::EndPayment("local.desk".to_owned()), "PAYMENT_REQUIRED"),
        (Deed::AllowUsers("local.desk".to_owned(), vec![1]), "user_access_error"),
    ] {
        let portal = start(config()).await;
        oauth(&portal, APP_TOKEN, REVISION, json!({})).await.result();
        portal.apply(&deed);
        assert_eq!(
            oauth(&portal, APP_TOKEN, REVISION, json!({})).await.refused().1,
            code,
            "{deed:?}"
        );
    }
}

#[tokio::test]
async fn the_checks_come_in_the_order_of_a_real_portal() {
    // Everything is wrong at once; each deed taken back shows the next error.
    let portal = start(PortalConfig { burst: 1, ..config() }).await;
    let wrong = format!("{}1/wrong/no.such", portal.endpoint());
    let code = || async {
        let answer = client().post(&wrong).send().await.unwrap();
        Answer::of(answer).await.refused().1
    };
    portal.apply(&Deed::DeletePortal);
    portal.apply(&Deed::RequireTls);
    portal.apply(&Deed::DrainRateLimit);
    assert_eq!(code().await, "QUERY_LIMIT_EXCEEDED");
    portal.apply(&Deed::ResetRateLimit);
    assert_eq!(code().await, "INVALID_REQUEST");
    portal.apply(&Deed::ResetRateLimit);
    portal.shared().state().portal.standing.tls_required = false;
    assert_eq!(code().await, "PORTAL_DELETED");
    portal.apply(&Deed::ResetRateLimit);
    portal.restore();
    assert_eq!(code().await, "ERROR_METHOD_NOT_FOUND");
}

#[tokio::test]
async fn an_observed_portal_answers_otherwise() {
    let portal = start(config().profile(Profile::Observed)).await;
    let url = format!("{}1/wrong/{REVISION}", portal.endpoint());
    let answer = Answer::of(client().post(url).send().await.unwrap()).await;
    assert_eq!(answer.refused(), (403, "INVALID_CREDENTIALS".to_owned()));
    assert_eq!(
        oauth(&portal, "nobody", REVISION, json!({})).await.refused().1,
        "invalid_token"
    );
    let empty = webhook(&portal, SEND, &text("")).await;
    assert_eq!(empty.json()["error_description"], "Message is empty (EMPTY_MESSAGE).");
}

#[tokio::test]
async fn resetting_forgets_everything_but_the_address() {
    let desk = Desk::new().await;
    desk.post("reset", json!({})).await;
    assert!(desk.world.portal.log().is_empty());
    assert_eq!(desk.world.refused("Bot.get", json!({})).await, "BOT_NOT_FOUND");
}

#[tokio::test]
async fn an_xml_answer_is_xml() {
    let portal = start(config()).await;
    let url = format!("{}{REVISION}.xml", portal.incoming_webhook());
    let answer = Answer::of(client().get(url).send().await.unwrap()).await;
    assert!(
        answer.media.starts_with("application/xml") && answer.text.contains("<rest>36</rest>"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn a_hostile_portal_still_does_what_it_is_asked() {
    for seed in 0..20 {
        let portal = start(config().profile(Profile::Hostile(seed))).await;
        webhook(&portal, SEND, &text("hi")).await.result();
        assert_eq!(texts(&portal, "27"), ["hi"], "seed {seed}");
        let sent = portal.say(27, "456", "Hello").await.unwrap();
        assert!(!sent.body().is_empty(), "seed {seed}");
    }
}

#[tokio::test]
async fn a_request_over_a_minute_is_cut_after_its_work_was_done() {
    let costs = vec![(SEND.to_owned(), Duration::from_secs(61))];
    for timeout in [false, true] {
        let mut slow = PortalConfig {
            costs: costs.clone(),
            ..config()
        };
        slow.knobs.gateway_timeout = timeout;
        let portal = start(slow).await;
        let url = format!("{}{SEND}", portal.incoming_webhook());
        let status = client()
            .post(url)
            .json(&text("done"))
            .send()
            .await
            .ok()
            .map(|answer| answer.status().as_u16());
        assert_eq!(status, timeout.then_some(504));
        assert_eq!(texts(&portal, "27"), ["done"]);
    }
}
