//! Dead letters: kept as they stood, back at their place, or away for good.

use super::*;
use crate::types::{Secret, TemplateId};

async fn letter(shop: &Shop) -> DeadLetter {
    let mut letters = shop.store.dead_letters(None, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    letters.pop().unwrap()
}

async fn retry(shop: &Shop, id: i64) -> Result<(), StoreError> {
    let expires = shop.now() + Duration::from_secs(60);
    shop.store.retry_letters(&[id], expires).await.pop().unwrap()
}

#[tokio::test]
async fn a_retried_event_is_the_same_event_with_no_attempts_counted() {
    for key in [Some("k1"), None] {
        let shop = shop();
        let Enqueued::Stored(id) = shop.store.enqueue(shop.event(shop.a, "1", key)).await.unwrap() else {
            panic!("stored")
        };
        shop.store.retry_event(id, shop.retry(0, 0)).await.unwrap();
        let before = shop.claim(1).await.pop().unwrap();
        assert_eq!(before.attempts, 1);
        shop.store.bury_event(id, "handler_failed", "x").await.unwrap();
        let shop = shop.reopen().await;
        assert_eq!(letter(&shop).await.body, before.body);
        retry(&shop, letter(&shop).await.id).await.unwrap();
        let back = shop.claim(1).await.pop().unwrap();
        assert_eq!((back.id, back.attempts, back.first_failed), (id, 0, None));
        assert_eq!(
            (back.origin, back.lane, back.body, back.received),
            (before.origin, before.lane, before.body, before.received),
            "template ids come from the origin: {key:?}"
        );
        assert!(shop.store.dead_letters(None, 10).await.unwrap().is_empty());
        // Its key is still known: the portal's own repeat is a duplicate.
        let again = shop.store.enqueue(shop.event(shop.a, "1", key)).await.unwrap();
        assert_eq!(again == Enqueued::Duplicate, key.is_some());
    }
}

#[tokio::test]
async fn a_retried_event_runs_before_those_that_came_after_it_even_if_they_have_failed() {
    let shop = shop();
    let [first, second, third] = [
        shop.put(shop.a, "1").await,
        shop.put(shop.a, "1").await,
        shop.put(shop.a, "1").await,
    ];
    shop.store.bury_event(first, "handler_failed", "").await.unwrap();
    shop.store.retry_event(second, shop.retry(10, 60)).await.unwrap();
    assert!(shop.claim(1).await.is_empty(), "the second holds the lane");
    retry(&shop, letter(&shop).await.id).await.unwrap();
    for shop in [&shop, &shop.crashed()] {
        let mut order = Vec::new();
        for _ in 0..3 {
            shop.pass(10);
            let id = shop.claim(1).await.pop().unwrap().id;
            order.push(id);
            shop.done(id, vec![]).await;
        }
        assert_eq!(order, [first, second, third]);
    }
}

#[tokio::test]
async fn a_quarantined_event_becomes_an_accepted_one() {
    let shop = shop();
    let mut event = shop.event(shop.a, "1", Some("k"));
    event.quarantine = Some("unusable");
    let Enqueued::Quarantined(id) = shop.store.enqueue(event.clone()).await.unwrap() else {
        panic!("quarantined")
    };
    assert_eq!(letter(&shop).await.body, event.body);
    assert!(shop.claim(1).await.is_empty());
    retry(&shop, letter(&shop).await.id).await.unwrap();
    let back = shop.claim(1).await.pop().unwrap();
    assert_eq!((back.id, back.lane, &back.name), (id, event.lane, &event.name));
    let counts = shop.store.counts().await.unwrap();
    assert_eq!((counts.accepted, counts.pending_events, counts.letters), (1, 1, [0; 4]));
}

#[tokio::test]
async fn a_retried_call_keeps_its_text_and_its_id_and_gets_time_to_be_sent() {
    let shop = shop();
    let event = shop.put(shop.a, "1").await;
    let mut call = shop.call(shop.a, "1", "hello");
    call.template = Some(TemplateId::derive(b"salt", b"event", 0, 0));
    call.token = Some(Secret::new("never kept"));
    (call.unknown, call.priority) = (Unknown::Stop, Priority::Bulk);
    shop.done(event, vec![call.clone()]).await;
    let claimed = shop.calls(1).await.pop().unwrap();
    shop.store
        .bury_call(claimed.id, DeadQueue::Unknown, "timeout", "")
        .await
        .unwrap();
    assert_eq!(letter(&shop).await.body, call.params.as_bytes());
    shop.pass(100_000);
    let expires = shop.now() + Duration::from_secs(60);
    retry(&shop, letter(&shop).await.id).await.unwrap();
    let back = shop.reopen().await.calls(1).await.pop().unwrap();
    assert_eq!((back.id, back.attempts), (claimed.id, 0));
    assert_eq!(back.call.expires, expires);
    assert_eq!(back.call.token, None, "a token ends with its row");
    assert_eq!(
        (
            back.call.params,
            back.call.template,
            back.call.unknown,
            back.call.priority
        ),
        (call.params, call.template, call.unknown, call.priority)
    );
}

#[tokio::test]
async fn a_letter_goes_once_and_then_for_good() {
    let shop = shop();
    for dialog in ["1", "2"] {
        let id = shop.put(shop.a, dialog).await;
        shop.store.bury_event(id, "handler_failed", "").await.unwrap();
    }
    let ids = shop
        .store
        .letter_numbers(Some(DeadQueue::Events), 0, i64::MAX, 10)
        .await
        .unwrap();
    let ids: Vec<i64> = ids.into_iter().map(|(id, _)| id).collect();
    assert_eq!((ids.len(), shop.store.newest_letter().await.unwrap()), (2, ids[1]));
    let among = shop
        .store
        .letters_among(vec![999, ids[1], ids[0], ids[1]])
        .await
        .unwrap();
    assert_eq!(among, [(ids[0], DeadQueue::Events), (ids[1], DeadQueue::Events)]);
    assert!(
        shop.store
            .letter_numbers(Some(DeadQueue::Calls), 0, i64::MAX, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        shop.store.letter_numbers(None, ids[0], i64::MAX, 10).await.unwrap(),
        [(ids[1], DeadQueue::Events)]
    );
    let gone = Err(StoreError::Gone);
    let dropped = shop.store.drop_letters(&[ids[0], ids[0], 999]).await;
    assert_eq!(dropped, [Ok(()), gone.clone(), gone.clone()]);
    assert_eq!(retry(&shop, ids[0]).await, gone);
    let (before, expires) = (shop.store.counts().await.unwrap(), shop.now());
    assert_eq!(
        shop.store.retry_letters(&[ids[1], ids[1]], expires).await,
        [Ok(()), gone]
    );
    let after = shop.store.counts().await.unwrap();
    assert_eq!((before.letters[0], after.letters[0]), (1, 0));
    assert_eq!(
        (after.accepted, after.dead, after.pending_events),
        (3, 2, 1),
        "no total shrinks"
    );
}

#[tokio::test]
async fn the_backlog_is_counted_for_each_bot() {
    let shop = shop();
    shop.put(shop.a, "1").await;
    shop.pass(5);
    shop.put(shop.a, "2").await;
    let mut other = shop.event(shop.b, "1", None);
    other.bot = 7;
    shop.store.enqueue(other).await.unwrap();
    shop.store
        .queue_calls(keyless(vec![shop.call(shop.a, "1", "x")]))
        .await
        .unwrap();
    let five = Duration::from_secs(5);
    let [first, second] = shop.store.backlog().await.unwrap().try_into().unwrap();
    assert_eq!(
        (first.portal, first.bot, first.events, first.calls),
        (shop.a, 456, 2, 1)
    );
    assert_eq!(
        (first.oldest_event, first.oldest_call),
        (Some(shop.now() - five), Some(shop.now()))
    );
    assert_eq!(
        (second.portal, second.bot, second.events, second.calls),
        (shop.b, 7, 1, 0)
    );
    assert_eq!((second.oldest_event, second.oldest_call), (Some(shop.now()), None));
}
