//! Who is paused gets stored events and gives none out.

use super::*;

/// An event and a call of each of two bots at portal `a`, and one of each at portal `b`.
async fn filled() -> Shop {
    let shop = shop();
    for (portal, bot) in [(shop.a, 456), (shop.a, 7), (shop.b, 456)] {
        let lane = Lane::of(portal, bot, "1");
        let event = NewEvent {
            bot,
            lane,
            ..shop.event(portal, "1", None)
        };
        shop.store.enqueue(event).await.unwrap();
        let call = NewCall {
            bot,
            lane,
            ..shop.call(portal, "1", "x")
        };
        shop.store.queue_calls(keyless(vec![call])).await.unwrap();
    }
    shop
}

/// Portal and bot of what can be claimed; events and calls must agree.
async fn free(shop: &Shop) -> Vec<(PortalId, i64)> {
    let mut events: Vec<_> = shop
        .claim(10)
        .await
        .iter()
        .map(|event| (event.portal, event.bot))
        .collect();
    let mut calls: Vec<_> = shop
        .calls(10)
        .await
        .iter()
        .map(|call| (call.call.portal, call.call.bot))
        .collect();
    events.sort_unstable();
    calls.sort_unstable();
    assert_eq!(events, calls);
    events
}

#[tokio::test]
async fn a_pause_covers_a_portal_or_one_bot_and_survives_a_crash() {
    let shop = filled().await;
    let (a, b) = (shop.a, shop.b);
    assert_eq!(free(&shop).await, [(a, 7), (a, 456), (b, 456)]);
    shop.store.pause(a, Some(456)).await.unwrap();
    assert_eq!(free(&shop).await, [(a, 7), (b, 456)]);
    shop.store.pause(a, None).await.unwrap();
    shop.store.pause(a, None).await.unwrap();
    for shop in [&shop, &shop.crashed()] {
        assert_eq!(free(shop).await, [(b, 456)]);
        assert_eq!(
            **shop.store.paused().borrow(),
            LeftOut::from([(a, None), (a, Some(456))])
        );
        shop.put(a, "2").await;
        assert_eq!(free(shop).await, [(b, 456)], "a newcomer is stored and waits");
        shop.store.resume(a, None).await.unwrap();
        assert_eq!(free(shop).await, [(a, 7), (b, 456)], "the bot's own pause goes on");
    }
    shop.store.resume(a, Some(456)).await.unwrap();
    assert_eq!(shop.store.counts().await.unwrap().pending_events, 4);
    assert!(shop.reopen().await.store.paused().borrow().is_empty());
}

#[tokio::test]
async fn what_is_paused_is_nothing_to_wait_for_and_its_end_wakes_who_waits() {
    let shop = shop();
    let id = shop.put(shop.a, "1").await;
    shop.store.retry_event(id, shop.retry(10, 10)).await.unwrap();
    shop.store.pause(shop.a, None).await.unwrap();
    let claim = shop.store.claim_events(&HashSet::new(), 10, shop.now()).await.unwrap();
    assert_eq!(claim.next_due, None);
    let mut paused = shop.store.paused();
    paused.mark_unchanged();
    let generation = (shop.store.events_generation(), shop.store.calls_generation());
    shop.store.resume(shop.a, None).await.unwrap();
    shop.store.events_ready().notified().await;
    shop.store.calls_ready().notified().await;
    assert!(shop.store.events_generation() > generation.0 && shop.store.calls_generation() > generation.1);
    assert!(paused.has_changed().unwrap());
    let claim = shop.store.claim_events(&HashSet::new(), 10, shop.now()).await.unwrap();
    assert_eq!(claim.next_due, Some(shop.now() + Duration::from_secs(10)));
}

#[tokio::test]
async fn bots_of_a_portal_share_its_turns_in_the_order_they_became_ready() {
    let shop = shop();
    let mut order = Vec::new();
    for n in 0..6 {
        let (bot, dialog) = (n % 2 + 1, n.to_string());
        let event = NewEvent {
            bot,
            lane: Lane::of(shop.a, bot, &dialog),
            ..shop.event(shop.a, &dialog, None)
        };
        let Enqueued::Stored(id) = shop.store.enqueue(event).await.unwrap() else {
            panic!("stored")
        };
        order.push(id.0);
    }
    assert_eq!(ids(&shop.claim(10).await), order);
}

#[tokio::test]
async fn the_last_event_of_a_portal_is_remembered() {
    let shop = shop();
    assert_eq!(shop.store.last_event(shop.a), None);
    let id = shop.put(shop.a, "1").await;
    let at = shop.now();
    shop.pass(60);
    shop.done(id, vec![]).await;
    assert_eq!(shop.store.last_event(shop.a), Some(at));
    let shop = shop.reopen().await;
    assert_eq!(
        (shop.store.last_event(shop.a), shop.store.last_event(shop.b)),
        (Some(at), None)
    );
}
