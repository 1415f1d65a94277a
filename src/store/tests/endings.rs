//! How calls end and who is told: tagged calls, texts in parts, fallbacks, callers' keys, and where a bot was seen.

use super::*;
use crate::types::Secret;
use serde_json::Value;

const SEND: &str = "imbot.v2.Chat.Message.send";

fn tagged(mut call: NewCall, tag: &str, dialog: &str) -> NewCall {
    call.ties.then = Some(Then {
        tag: tag.to_owned(),
        dialog: dialog.to_owned(),
    });
    call
}

/// The events that wait, as the JSON they hold.
async fn told(shop: &Shop) -> Vec<Value> {
    let claimed = shop.claim(10).await;
    assert!(claimed.iter().all(|event| event.format == Format::Settled));
    claimed
        .iter()
        .map(|event| serde_json::from_slice(&event.body).unwrap())
        .collect()
}

async fn queue(shop: &Shop, calls: Vec<NewCall>) -> Vec<CallId> {
    let queued = shop.store.queue_calls(keyless(calls)).await.unwrap();
    let id = |queueing: &Queueing| match queueing {
        Queueing::Queued(id) => *id,
        Queueing::Duplicate => panic!("it has no key"),
    };
    queued.iter().map(id).collect()
}

/// A text in parts, queued by the end of an event, as a handler's words are.
async fn text_in_parts(shop: &Shop, dialog: &str, parts: usize) -> Vec<CallId> {
    let event = shop.put(shop.a, dialog).await;
    let part = |number: usize| {
        let mut call = shop.call(shop.a, dialog, &number.to_string());
        call.ties.follows = number > 0;
        call
    };
    shop.claim(1).await;
    shop.done(event, (0..parts).map(part).collect()).await;
    let conn = schema::reader(shop.dir.path()).unwrap();
    let mut statement = conn
        .prepare("SELECT id FROM call WHERE dialog = ?1 ORDER BY id")
        .unwrap();
    let ids = statement.query_map([dialog], |row| row.get(0).map(CallId)).unwrap();
    ids.collect::<Result<Vec<_>, _>>().unwrap()
}

async fn bury(shop: &Shop, id: CallId, queue: DeadQueue, reason: &str) {
    shop.store.bury_call(id, queue, reason, "why").await.unwrap();
}

#[tokio::test]
async fn a_tagged_call_ends_in_one_commit_with_an_event_in_the_dialog_that_asked() {
    let shop = shop();
    let mut call = tagged(shop.call(shop.a, "", "x"), "made", "27");
    (call.token, call.identity) = (Some(Secret::new("of-the-event")), Identity::EventToken);
    let id = queue(&shop, vec![call]).await[0];
    let answer =
        json!({ "chat": { "id": 7 }, "downloadUrl": "https://a/?token=marker", "x": [{ "botToken": "marker" }] });
    shop.store.complete_call(id, &answer).await.unwrap();
    let shop = shop.crashed();
    let event = shop.claim(1).await.pop().unwrap();
    assert_eq!((event.dialog.as_str(), event.bot), ("27", 456));
    assert_eq!(event.lane, Lane::of(shop.a, 456, "27"), "in the order of its dialog");
    assert_eq!(
        event.token.as_ref().map(Secret::expose),
        Some("of-the-event"),
        "it goes on as the same bot"
    );
    let body: Value = serde_json::from_slice(&event.body).unwrap();
    let data = json!({
        "bot": { "id": 456 }, "callId": id.0, "tag": "made", "method": SEND, "dialogId": "27",
        "result": { "chat": { "id": 7 }, "downloadUrl": "***", "x": [{ "botToken": "***" }] },
    });
    assert_eq!((&body["event"], &body["data"]), (&json!("IMBOTCALLSETTLED"), &data));
    assert!(shop.store.complete_call(id, &answer).await.is_err(), "it has ended");
    assert_eq!(told(&shop).await.len(), 1);
    let counts = shop.store.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.pending_events), (1, 1), "the books balance");
}

#[tokio::test]
async fn an_untagged_call_ends_without_an_event() {
    let shop = shop();
    let ids = queue(&shop, vec![shop.call(shop.a, "1", "x"), shop.call(shop.a, "2", "x")]).await;
    shop.store.complete_call(ids[0], &json!(true)).await.unwrap();
    bury(&shop, ids[1], DeadQueue::Calls, "ACCESS_DENIED").await;
    assert!(told(&shop).await.is_empty());
}

#[tokio::test]
async fn a_tagged_call_that_is_given_up_tells_its_error_and_whether_it_may_be_done() {
    let shop = shop();
    let call = |dialog: &str| tagged(shop.call(shop.a, dialog, "x"), "sent", dialog);
    let ids = queue(&shop, vec![call("1"), call("2")]).await;
    bury(&shop, ids[0], DeadQueue::Calls, "EMPTY_MESSAGE").await;
    bury(&shop, ids[1], DeadQueue::Unknown, "timeout").await;
    let errors: Vec<_> = told(&shop)
        .await
        .iter()
        .map(|body| body["data"]["error"].clone())
        .collect();
    let expected = [
        json!({ "code": "EMPTY_MESSAGE", "unknown": false }),
        json!({ "code": "timeout", "unknown": true }),
    ];
    assert_eq!(errors, expected);
}

#[tokio::test]
async fn a_tagged_call_cut_by_a_crash_tells_that_nobody_knows() {
    let shop = shop();
    let mut call = tagged(shop.call(shop.a, "1", "x"), "sent", "1");
    call.unknown = Unknown::Stop;
    let id = queue(&shop, vec![call]).await[0];
    shop.store.call_started(id).await.unwrap();
    let body = told(&shop.crashed()).await.pop().unwrap();
    assert_eq!(
        body["data"]["error"],
        json!({ "code": "crashed_while_sending", "unknown": true })
    );
}

#[tokio::test]
async fn a_result_too_long_to_hand_back_is_cut_and_said_so() {
    let shop = shop();
    let id = queue(&shop, vec![tagged(shop.call(shop.a, "1", "x"), "read", "1")]).await[0];
    shop.store
        .complete_call(id, &json!("x".repeat(300 * 1024)))
        .await
        .unwrap();
    let body = told(&shop).await.pop().unwrap();
    assert_eq!(body["data"]["cut"], 300 * 1024 + 2);
    assert!(body["data"].get("result").is_none());
}

#[tokio::test]
async fn a_full_store_still_tells_how_a_call_ended() {
    let shop = shop_with(|options| options.max_bytes = 400_000);
    let id = queue(&shop, vec![tagged(shop.call(shop.a, "1", "x"), "sent", "1")]).await[0];
    while shop.store.enqueue(shop.event(shop.b, "1", None)).await.is_ok() {}
    let refused = shop.store.queue_calls(keyless(vec![shop.call(shop.a, "1", "x")])).await;
    assert_eq!(refused, Err(StoreError::Full));
    shop.store.complete_call(id, &json!(true)).await.unwrap();
    let claim = shop.store.claim_events(&HashSet::new(), 10, shop.now()).await.unwrap();
    assert!(claim.items.iter().any(|event| event.format == Format::Settled));
}

#[tokio::test]
async fn the_parts_behind_a_dead_or_unknown_one_are_not_sent() {
    for queue in [DeadQueue::Calls, DeadQueue::Unknown] {
        let shop = shop();
        let parts = text_in_parts(&shop, "1", 4).await;
        let other = text_in_parts(&shop, "2", 2).await;
        shop.store.complete_call(parts[0], &json!({ "id": 1 })).await.unwrap();
        let shop = shop.crashed();
        bury(&shop, parts[1], queue, "TOO_BAD").await;
        let letters = shop.store.dead_letters(None, 9).await.unwrap();
        let seen: Vec<_> = letters
            .iter()
            .rev()
            .map(|letter| (letter.origin, letter.queue, letter.reason.as_str(), letter.attempts))
            .collect();
        let behind = |id: CallId| (id.0, DeadQueue::Calls, "earlier_part_failed", 0);
        assert_eq!(
            seen,
            [(parts[1].0, queue, "TOO_BAD", 1), behind(parts[2]), behind(parts[3])]
        );
        let left: Vec<_> = shop.calls(9).await.iter().map(|call| call.id).collect();
        assert_eq!(left, [other[0]], "another text is not touched");
        assert_eq!(shop.store.counts().await.unwrap().pending_calls, 2);
    }
}

#[tokio::test]
async fn while_a_part_waits_other_messages_pass_it_but_not_its_own_text() {
    for crash in [false, true] {
        let shop = shop();
        let parts = text_in_parts(&shop, "1", 3).await;
        let later = queue(&shop, vec![shop.call(shop.a, "1", "later")]).await[0];
        shop.store.retry_call(parts[0], shop.retry(600, 60)).await.unwrap();
        let shop = if crash { shop.crashed() } else { shop };
        assert!(shop.calls(9).await.is_empty(), "it holds its dialog");
        let (busy, except) = (HashSet::new(), HashSet::new());
        let claim = shop.store.waiting_calls(shop.a, &busy, &except, 9, shop.now());
        assert_eq!(claim.next_due, Some(shop.now() + Duration::from_secs(60)));
        shop.pass(61);
        assert_eq!(shop.calls(9).await[0].id, later, "{crash}");
        shop.store.retry_call(later, shop.retry(30, 60)).await.unwrap();
        assert!(shop.calls(9).await.is_empty(), "a part behind is not let by either");
        shop.store.complete_call(later, &json!(true)).await.unwrap();
        assert!(shop.calls(9).await.is_empty());
        shop.pass(540);
        for part in parts {
            let call = shop.calls(9).await.pop().unwrap();
            assert_eq!(call.id, part);
            shop.store.complete_call(part, &json!(true)).await.unwrap();
        }
        assert_eq!(shop.store.counts().await.unwrap().pending_calls, 0);
    }
}

#[tokio::test]
async fn a_call_falls_back_once_and_keeps_its_place() {
    let shop = shop();
    let mut call = shop.call(shop.a, "chat5", "hi");
    call.ties.fallback = Some(Fallback {
        method: "imbot.v2.Command.answer".to_owned(),
        params: "{}".to_owned(),
    });
    let ids = queue(&shop, vec![call, shop.call(shop.a, "chat5", "next")]).await;
    assert!(shop.store.fall_back_call(ids[0]).await.unwrap());
    let shop = shop.crashed();
    let call = shop.calls(9).await.pop().unwrap();
    assert_eq!((call.id, call.attempts), (ids[0], 1));
    assert_eq!(
        (call.call.method.as_str(), call.call.params.as_str()),
        ("imbot.v2.Command.answer", "{}")
    );
    assert_eq!(call.call.unknown, Unknown::Stop);
    assert_eq!(call.call.ties, Ties::default());
    assert!(!shop.store.fall_back_call(ids[0]).await.unwrap(), "once");
    assert!(!shop.store.fall_back_call(ids[1]).await.unwrap(), "it has none");
}

#[tokio::test]
async fn a_bot_is_in_a_group_after_an_event_or_a_message_and_until_it_is_denied_access() {
    let shop = shop();
    let present = async |dialog: &str| shop.store.is_present(shop.a, 456, dialog).await.unwrap();
    let send = async || queue(&shop, vec![shop.call(shop.a, "chat5", "x")]).await[0];
    assert!(!present("chat5").await);
    shop.store
        .complete_call(send().await, &json!({ "id": 1 }))
        .await
        .unwrap();
    assert!(present("chat5").await && !present("chat6").await);
    assert!(
        !shop.store.is_present(shop.b, 456, "chat5").await.unwrap(),
        "another portal's"
    );
    bury(&shop, send().await, DeadQueue::Calls, "ACCESS_DENIED").await;
    assert!(!present("chat5").await);
    let event = shop.put(shop.a, "chat5").await;
    shop.claim(1).await;
    let seen = Completion {
        present: true,
        ..end(event, vec![])
    };
    shop.store.complete_event(seen).await.unwrap();
    assert!(present("chat5").await);
    let mut call = shop.call(shop.a, "chat5", "hi");
    call.ties.fallback = Some(Fallback {
        method: "x".to_owned(),
        params: "{}".to_owned(),
    });
    let id = queue(&shop, vec![call]).await[0];
    shop.store.fall_back_call(id).await.unwrap();
    assert!(!present("chat5").await, "the fall back is a denial too");
}

#[tokio::test]
async fn a_key_is_queued_once_a_window_for_each_portal_and_bot() {
    let shop = shop();
    let keyed = |portal: PortalId, bot: i64, key: &str| {
        let mut call = shop.call(portal, "1", "x");
        call.bot = bot;
        let key = Some(key.to_owned());
        KeyedCall { key, call }
    };
    let queue = async |calls| shop.store.queue_calls(calls).await.unwrap();
    let first = queue(vec![
        keyed(shop.a, 456, "k"),
        keyed(shop.a, 456, "k"),
        keyed(shop.a, 456, "l"),
    ])
    .await;
    assert_eq!(first[1], Queueing::Duplicate, "also among its own kind");
    assert!(matches!(
        (first[0], first[2]),
        (Queueing::Queued(_), Queueing::Queued(_))
    ));
    assert_eq!(queue(vec![keyed(shop.a, 456, "k")]).await, [Queueing::Duplicate]);
    let others = queue(vec![keyed(shop.b, 456, "k"), keyed(shop.a, 457, "k")]).await;
    assert!(others.iter().all(|one| matches!(one, Queueing::Queued(_))));
    shop.pass(72 * 3600 - 1);
    assert_eq!(queue(vec![keyed(shop.a, 456, "k")]).await, [Queueing::Duplicate]);
    shop.pass(2);
    assert!(matches!(
        queue(vec![keyed(shop.a, 456, "k")]).await[..],
        [Queueing::Queued(_)]
    ));
}
