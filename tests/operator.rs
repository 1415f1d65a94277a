//! The operator's address: probes, metrics, and who may ask for dead letters.

use crate::door::client;
use crate::scene::*;
use imbot::testing::Stage;
use imbot::{Bot, Ctx, MessageAdd};
use serde_json::Value;

#[tokio::test]
async fn probes_and_the_operators_address() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    let (admin, token) = stage.admin();
    let http = client();
    let get = |path: &str| http.get(format!("{admin}{path}"));
    assert_eq!(get("/healthz").send().await.unwrap().status(), 200);
    let ready = get("/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let ready: Value = ready.json().await.unwrap();
    assert_eq!(
        (&ready["ready"], &ready["ack"]),
        (&Value::from(true), &Value::from("durable"))
    );
    let letters = "/api/v1/dead-letters";
    for (given, status) in [(None, 401), (Some("wrong"), 401), (Some(token.as_str()), 200)] {
        for path in [letters, "/api/v1/dead-letters/1"] {
            let request = given.map_or_else(|| get(path), |given| get(path).bearer_auth(given));
            let found = request.send().await.unwrap().status().as_u16();
            let expected = if status == 200 && path != letters { 404 } else { status };
            assert_eq!(found, expected, "{path} with {given:?}");
        }
    }
    let unknown = get("/api/v1/dead-letters?queue=odd")
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 400);
    assert_eq!(http.get(format!("{admin}/webhook")).send().await.unwrap().status(), 404);
    over(stage).await;
}

const FULL: &str = "store.max_bytes = \"512KiB\"\nworkers.max_attempts = 1\n";

/// Posts until the store is full, and one event more.
async fn fill(mut stage: Stage) {
    let long = "x".repeat(100_000);
    for id in 9001..9020 {
        let body = message(stage.portal(), 27, id, &long);
        let answered = stage.post_form(body).await;
        if answered.status != 200 {
            assert_eq!((answered.status, answered.body.as_str()), (503, "{\"error\":\"full\"}"));
            break;
        }
        assert!(id < 9019, "never full");
    }
    stage.settle().await;
    balanced(&mut stage).await;
    stage.stop().await;
}

/// What issue after issue adds is left out: batches, operating time, circuits, OAuth, reloading.
const METRICS: [&str; 23] = [
    "imbot_webhook_requests_total",
    "imbot_webhook_ack_seconds",
    "imbot_event_lag_seconds",
    "imbot_events_settled_total",
    "imbot_inbox_pending",
    "imbot_inbox_oldest_seconds",
    "imbot_outbox_pending",
    "imbot_outbox_oldest_seconds",
    "imbot_handler_runs_total",
    "imbot_handler_seconds",
    "imbot_event_to_reply_seconds",
    "imbot_rest_requests_total",
    "imbot_rest_seconds",
    "imbot_rest_limiter_wait_seconds",
    "imbot_portal_budget",
    "imbot_dead_letters",
    "imbot_unknown_calls",
    "imbot_identity_parked",
    "imbot_last_event_timestamp_seconds",
    "imbot_gap_events_total",
    "imbot_store_sync_seconds",
    "imbot_store_bytes",
    "imbot_build_info",
];

#[tokio::test]
async fn every_metric_is_there_after_a_conversation_and_tells_no_secret() {
    let secret = "said-in-confidence";
    let bot = Bot::new("parrot").on(async |ctx: Ctx, heard: MessageAdd| ctx.reply(heard.message.text));
    let mut stage = Stage::builder().bot(bot).start().await;
    stage.says(27, TO_BOT, secret).await;
    stage.portal().answer_error(None, 400, "BOT_OWNERSHIP_ERROR", 1);
    stage.says(27, TO_BOT, "parked").await;
    // Of all portals of this process, so a gap of another stage counts.
    let full = Stage::builder().bot(parrot()).config(FULL).start().await;
    fill(full).await;
    let (admin, token) = stage.admin();
    let scraped = client().get(format!("{admin}/metrics")).send().await.unwrap();
    assert!(
        scraped.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    let text = scraped.text().await.unwrap();
    let missing: Vec<_> = METRICS
        .iter()
        .filter(|name| !text.contains(&format!("# TYPE {name} ")))
        .collect();
    assert_eq!(missing, Vec::<&&str>::new());
    for hidden in [secret, "stage-token", &token, "demowebhookcode"] {
        assert!(!text.contains(hidden), "{hidden} stands in the metrics");
    }
    stage.pass(seconds(600)).await;
    over(stage).await;
}
