//! The operator's routes with a fake at the desk: what reaches it, what each outcome becomes, and what is refused before.

use super::*;
use crate::deliver::DeliverView;
use crate::identity::{Setup, Site, SiteBot};
use crate::rest::{AskError, Class, Client, Errand, Executed, Fault};
use crate::store::{
    Completion, DeadQueue, Enqueued, Format, Identity, LeftOut, Memory, NewCall, NewEvent, Options, Settled, Ties,
    Unknown,
};
use crate::types::{Lane, Priority};
use axum::body::Body;
use axum::http::Request;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use tempfile::TempDir;
use tower::Service as _;

struct Office {
    router: Router,
    store: Store,
    portal: PortalId,
    _folder: TempDir,
}

/// An admin address whose desk answers every errand with `answer`.
async fn office(answer: impl Fn(&Errand) -> Result<Value, AskError> + Send + 'static) -> Office {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(1_700_000_000_000));
    let store = Store::open(folder.path(), Options::new(clock.clone())).unwrap();
    let portal = store.register_portals(&["acme"]).unwrap()[0];
    let bot = SiteBot {
        handler: "echo".to_owned(),
        ..SiteBot::default()
    };
    let fresh = SiteBot {
        bot_token: Some(Secret::new("token-of-fresh")),
        event_token: Some(Secret::new("customtoken-of-fresh")),
        ..bot.clone()
    };
    let site = Site {
        incoming_webhook: Some(Secret::new("https://acme.bitrix24.com/rest/1/code/")),
        bots: HashMap::from([(456, bot)]),
        unnumbered: HashMap::from([("fresh".to_owned(), fresh)]),
        ..Site::acme(portal)
    };
    let identities = identities(&store, &clock, site);
    let (desk, mut errands) = Desk::open();
    tokio::spawn(async move {
        while let Some(errand) = errands.next().await {
            let answer = answer(&errand);
            let _ = errand.answer.send(answer);
        }
    });
    let admin = Admin {
        store: store.clone(),
        changes: Changes::new(identities.clone(), desk.clone(), |_| Ok(())),
        desk,
        deliver: DeliverView::open().0,
        identities,
        outbox: Outbox::default(),
        probes: Arc::new(Probes::new(Secret::new("right"), clock.clone())),
        max_age: Duration::from_secs(60),
        clock,
        metrics: telemetry::install().unwrap(),
        stop: Stop::new(),
        token: Secret::new("right"),
        ack: "durable",
        capture: Capture::default(),
    };
    Office {
        router: admin_router(Arc::new(admin)),
        store,
        portal,
        _folder: folder,
    }
}

fn identities(store: &Store, clock: &Clock, site: Site) -> Identities {
    let setup = Setup {
        store: store.clone(),
        clock: clock.clone(),
        client: Client::new().unwrap(),
        sites: vec![site],
        applications: Vec::new(),
    };
    Identities::new(setup).unwrap()
}

fn fault(class: Class, executed: Executed, status: u16) -> AskError {
    AskError::Fault(Fault {
        class,
        executed,
        status,
        ..Fault::transport("CODE", executed)
    })
}

impl Office {
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("post", path, "127.0.0.1:9090", "right", body).await
    }

    async fn send(&self, method: &str, path: &str, host: &str, token: &str, body: Value) -> (u16, Value) {
        let request = Request::builder()
            .method(method.to_uppercase().as_str())
            .uri(path)
            .header("host", host)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = self.router.clone().call(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// A dead letter of this queue.
    async fn letter(&self, queue: DeadQueue) -> i64 {
        let event = NewEvent {
            portal: self.portal,
            bot: 456,
            lane: Lane::of(self.portal, 456, "1"),
            dialog: "1".to_owned(),
            name: "ONIMBOTV2MESSAGEADD".to_owned(),
            key: None,
            received: Timestamp(0),
            format: Format::Form,
            body: b"event=ONIMBOTV2MESSAGEADD".to_vec(),
            token: None,
            quarantine: None,
        };
        let Enqueued::Stored(id) = self.store.enqueue(event).await.unwrap() else {
            panic!("stored")
        };
        if queue == DeadQueue::Events {
            self.store.bury_event(id, "handler_failed", "").await.unwrap();
            return self.store.newest_letter().await.unwrap();
        }
        let (now, lane) = (Timestamp(1_700_000_000_000), Lane::of(self.portal, 456, "1"));
        let call = NewCall {
            portal: self.portal,
            bot: 456,
            lane,
            dialog: "1".to_owned(),
            method: "imbot.v2.Chat.add".to_owned(),
            params: "{}".to_owned(),
            template: None,
            identity: Identity::Webhook,
            token: None,
            unknown: Unknown::Stop,
            priority: Priority::Interactive,
            event: None,
            received: now,
            expires: now,
            ties: Ties::default(),
        };
        let end = Completion {
            id,
            settled: Settled::Done,
            calls: vec![call],
            memory: Memory::Keep,
            present: false,
        };
        self.store.complete_event(end).await.unwrap();
        let (busy, except) = (HashSet::new(), LeftOut::new());
        let waiting = self.store.waiting_calls(self.portal, &busy, &except, 1, now);
        let heads = waiting.heads.into_iter().flatten().collect();
        let call = self.store.read_calls(heads).await.unwrap().pop().unwrap();
        self.store.bury_call(call.id, queue, "timeout", "").await.unwrap();
        self.store.newest_letter().await.unwrap()
    }
}

fn call(method: &str) -> Value {
    json!({ "portal": "acme", "bot": 456, "method": method, "params": { "dialogId": "1" }, "timeoutMs": 5000 })
}

#[tokio::test]
async fn a_call_reaches_the_desk_with_its_bot_and_comes_back() {
    let office = office(|errand| {
        assert_eq!((errand.bot, errand.with_bot, errand.repeatable), (456, true, false));
        assert_eq!(errand.deadline, Timestamp(1_700_000_005_000));
        Ok(serde_json::from_str(&errand.params).unwrap())
    })
    .await;
    let answer = office.post("/api/v1/call", call("imbot.v2.Chat.get")).await;
    assert_eq!(answer, (200, json!({ "result": { "botId": 456, "dialogId": "1" } })));
}

#[tokio::test]
async fn a_call_beyond_the_budget_says_what_the_portal_answered() {
    let office = office(|errand| {
        assert!(errand.over_budget && !errand.repeatable);
        let mut fault = Fault::coded("QUERY_LIMIT_EXCEEDED", "", 429);
        fault.retry_after = Some(Duration::from_secs(7));
        Err(AskError::Fault(fault))
    })
    .await;
    let mut order = call("imbot.v2.Revision.get");
    order["overBudget"] = json!(true);
    let (status, body) = office.post("/api/v1/call", order).await;
    assert_eq!((status, &body["error"]), (503, &json!("no_budget")));
    assert_eq!(
        json!([body["code"], body["class"], body["status"], body["retryAfterSeconds"]]),
        json!(["QUERY_LIMIT_EXCEEDED", "limit", 429, 7])
    );
}

#[tokio::test]
async fn each_outcome_of_a_call_has_its_status_and_its_word() {
    let (no, unknown) = (Executed::No, Executed::Unknown);
    for (outcome, status, word) in [
        (fault(Class::Access, no, 400), 422, "refused"),
        (fault(Class::Invalid, no, 400), 422, "refused"),
        (fault(Class::Identity, no, 401), 409, "identity"),
        (fault(Class::Transient, no, 0), 502, "unreachable"),
        (fault(Class::Transient, unknown, 0), 504, "unknown_outcome"),
        (fault(Class::Limit, no, 503), 503, "no_budget"),
        (AskError::NoBudget("bucket"), 503, "no_budget"),
        (AskError::NoIdentity, 409, "no_identity"),
        (AskError::Parked("x".to_owned()), 409, "parked"),
        (AskError::Busy, 503, "busy"),
        (AskError::Stopping, 503, "stopping"),
    ] {
        let given = outcome.clone();
        let office = office(move |_| Err(given.clone())).await;
        let (found, body) = office.post("/api/v1/call", call("imbot.v2.Chat.get")).await;
        assert_eq!((found, body["error"].as_str()), (status, Some(word)), "{outcome:?}");
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_meant_never_reaches_the_desk() {
    let office = office(|_| panic!("nothing is asked")).await;
    for (change, status, word) in [
        (json!({ "portal": "nobody" }), 404, "no_such_portal"),
        (json!({ "bot": 7 }), 404, "no_such_bot"),
        (json!({ "method": "../x" }), 400, "wrong_method"),
        (json!({ "method": "a..b" }), 400, "wrong_method"),
        (json!({ "method": "" }), 400, "wrong_method"),
        (json!({ "overBudget": true }), 400, "over_budget"),
    ] {
        let mut asked = call("imbot.v2.Chat.get");
        for (key, value) in change.as_object().unwrap() {
            asked[key] = value.clone();
        }
        let (found, body) = office.post("/api/v1/call", asked).await;
        assert_eq!((found, body["error"].as_str()), (status, Some(word)), "{change}");
    }
    for paused in [json!({ "portal": "acme", "bot": 456 }), json!({ "portal": "acme" })] {
        assert_eq!(office.post("/api/v1/pause", paused.clone()).await.0, 200);
        let (status, body) = office.post("/api/v1/call", call("imbot.v2.Chat.get")).await;
        assert_eq!((status, body["error"].as_str()), (409, Some("paused")));
        assert_eq!(office.post("/api/v1/resume", paused).await.0, 200);
    }
}

#[tokio::test]
async fn every_route_wants_the_token_and_no_name_as_host() {
    let office = office(|_| panic!("nothing is asked")).await;
    for (method, path) in PATHS
        .into_iter()
        .chain(BOT_ROUTES)
        .filter(|(_, path)| path.starts_with("/api/"))
    {
        let path = path.replace("{id}", "1");
        for (host, token, expected) in [
            ("127.0.0.1:9090", "wrong", 401),
            ("127.0.0.1:9090", "", 401),
            ("evil.example", "right", 403),
        ] {
            let (status, _) = office.send(method, &path, host, token, json!({})).await;
            assert_eq!(status, expected, "{method} {path} {host} {token}");
        }
    }
}

#[tokio::test]
async fn what_may_double_goes_again_only_with_a_yes() {
    let office = office(|_| panic!("nothing is asked")).await;
    let (event, call) = (
        office.letter(DeadQueue::Events).await,
        office.letter(DeadQueue::Unknown).await,
    );
    let all = json!({ "all": true });
    let (status, body) = office.post("/api/v1/dead-letters/retry", all).await;
    assert_eq!((status, body["error"].as_str()), (409, Some("may_double")));
    assert_eq!(
        office.store.counts().await.unwrap().letters,
        [1, 0, 1, 0],
        "nothing was moved"
    );
    let (status, body) = office
        .post("/api/v1/dead-letters/retry", json!({ "ids": [event, 999] }))
        .await;
    assert_eq!(
        (status, &body["done"], &body["missing"]),
        (200, &json!([event]), &json!([999]))
    );
    let (status, body) = office
        .post("/api/v1/dead-letters/retry", json!({ "queue": "unknown", "yes": true }))
        .await;
    assert_eq!(
        (status, &body["done"], &body["more"]),
        (200, &json!([call]), &json!(false))
    );
    let counts = office.store.counts().await.unwrap();
    assert_eq!(
        (counts.letters, counts.pending_events, counts.pending_calls),
        ([0; 4], 1, 1)
    );
}

#[tokio::test]
async fn letters_are_dropped_a_slice_at_a_time_and_only_what_was_selected() {
    let office = office(|_| panic!("nothing is asked")).await;
    let (event, call) = (
        office.letter(DeadQueue::Events).await,
        office.letter(DeadQueue::Calls).await,
    );
    for wrong in [
        json!({}),
        json!({ "ids": [1], "all": true }),
        json!({ "queue": "odd" }),
        json!({ "ids": (0..501).collect::<Vec<_>>() }),
    ] {
        assert_eq!(
            office.post("/api/v1/dead-letters/drop", wrong.clone()).await.0,
            400,
            "{wrong}"
        );
    }
    let later = json!({ "queue": "events", "through": event - 1 });
    assert_eq!(
        office.post("/api/v1/dead-letters/drop", later).await.1["done"],
        json!([])
    );
    let (_, body) = office
        .post("/api/v1/dead-letters/drop", json!({ "queue": "events" }))
        .await;
    assert_eq!((&body["done"], &body["through"]), (&json!([event]), &json!(call)));
    let (_, body) = office.post("/api/v1/dead-letters/drop", json!({ "ids": [call] })).await;
    assert_eq!(body["done"], json!([call]));
    assert_eq!(office.store.counts().await.unwrap().letters, [0; 4]);
}

#[tokio::test]
async fn the_status_tells_what_waits_and_who_is_paused() {
    let office = office(|_| panic!("nothing is asked")).await;
    office.letter(DeadQueue::Events).await;
    office.store.record_gap(office.portal, "busy").await.unwrap();
    let letter = office.letter(DeadQueue::Calls).await;
    office
        .post("/api/v1/dead-letters/retry", json!({ "ids": [letter] }))
        .await;
    office
        .post("/api/v1/pause", json!({ "portal": "acme", "bot": 456 }))
        .await;
    let (status, body) = office
        .send("get", "/api/v1/status", "localhost", "right", Value::Null)
        .await;
    assert_eq!(status, 200);
    let portal = &body["portals"][0];
    assert_eq!(
        (&portal["name"], &portal["served"], &portal["paused"]),
        (&json!("acme"), &json!(true), &json!(false))
    );
    assert_eq!(portal["gaps"][0]["reason"], "busy");
    assert!(portal["lastEvent"].is_string());
    let bot = &portal["bots"][0];
    assert_eq!(
        (&bot["id"], &bot["paused"], &bot["calls"]),
        (&json!(456), &json!(true), &json!(1))
    );
    assert_eq!(
        (&bot["oldestCallSeconds"], &bot["oldestEventSeconds"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(
        (&body["delivering"], &body["deadLetters"]["events"]),
        (&json!(false), &json!(1))
    );
}

#[tokio::test]
async fn a_bot_without_a_number_is_called_by_its_code_until_it_is_learned() {
    let office =
        office(|errand| Ok(json!({ "bot": errand.bot, "params": errand.params, "as": errand.with_bot }))).await;
    let order =
        json!({ "portal": "acme", "code": "fresh", "method": "imbot.v2.Bot.get", "params": { "code": "fresh" } });
    let (status, body) = office.post("/api/v1/call", order.clone()).await;
    let asked = &body["result"];
    assert_eq!((status, &asked["as"]), (200, &json!(true)));
    assert!(asked["bot"].as_i64().unwrap() < -1, "{body}");
    assert_eq!(asked["params"], "{\"code\":\"fresh\"}", "no number that is none");
    for wrong in [json!({ "code": "stranger" }), json!({ "code": "fresh", "bot": 456 })] {
        let mut order = order.clone();
        for (key, value) in wrong.as_object().unwrap() {
            order[key] = value.clone();
        }
        assert_eq!(office.post("/api/v1/call", order).await.0, 404, "{wrong}");
    }
    for (learned, expected) in [
        (json!({ "portal": "acme", "code": "fresh", "bot": 456 }), 409),
        (json!({ "portal": "acme", "code": "stranger", "bot": 700 }), 404),
        (json!({ "portal": "acme", "code": "fresh", "bot": 0 }), 400),
        (json!({ "portal": "acme", "code": "fresh", "bot": 700 }), 200),
    ] {
        let (status, body) = office.post("/api/v1/bots/learn", learned.clone()).await;
        assert_eq!(status, expected, "{learned} {body}");
    }
    let (_, body) = office.post("/api/v1/call", order).await;
    assert_eq!(body["result"]["bot"], 700);
    let kept = json!({ "portal": "acme", "bot": 700, "set": { "webhookUrl": "https://x.example/", "avatar": null } });
    assert_eq!(office.post("/api/v1/bots/applied", kept).await.0, 200);
    let long = json!({ "portal": "acme", "bot": 700, "set": { "avatar": "x".repeat(5_000) } });
    assert_eq!(office.post("/api/v1/bots/applied", long).await.0, 400);
    let list = || office.send("get", "/api/v1/bots", "localhost", "right", Value::Null);
    let (_, body) = list().await;
    let bots = body["portals"][0]["bots"].as_array().unwrap();
    let fresh = bots.iter().find(|bot| bot["code"] == "fresh").unwrap();
    assert_eq!(
        (bots.len(), &fresh["id"], &fresh["identity"]),
        (2, &json!(700), &json!("webhook"))
    );
    assert_eq!(fresh["applied"]["webhookUrl"]["value"], "https://x.example/");
    assert!(!body.to_string().contains("token-of-fresh"), "{body}");
    let gone = json!({ "portal": "acme", "bot": 700 });
    assert_eq!(office.post("/api/v1/bots/forget", gone).await.0, 200);
    let (_, body) = list().await;
    let bots = body["portals"][0]["bots"].as_array().unwrap();
    let fresh = bots.iter().find(|bot| bot["code"] == "fresh").unwrap();
    assert_eq!(
        (bots.len(), &fresh["id"], &fresh["applied"]),
        (2, &Value::Null, &json!({}))
    );
}
