//! Who runs when: lanes, holds, turns of the portals, and the end of an event.

use super::*;

#[tokio::test]
async fn a_lane_gives_one_row_at_a_time_in_order() {
    let shop = shop();
    let lane = Lane::of(shop.a, 456, "1");
    let mut order = Vec::new();
    for _ in 0..3 {
        order.push(shop.put(shop.a, "1").await.0);
    }
    for id in order {
        let found = shop.claim(10).await;
        assert_eq!(ids(&found), [id]);
        assert!(shop.claim_but(&[lane], 10).await.is_empty(), "its lane is busy");
        shop.done(found[0].id, vec![]).await;
    }
    assert!(shop.claim(10).await.is_empty());
}

#[tokio::test]
async fn other_lanes_run_beside_a_busy_one_even_with_many_busy_before_them() {
    let shop = shop();
    let mut busy = HashSet::new();
    for n in 0..300 {
        shop.put(shop.a, &format!("busy {n}")).await;
        busy.insert(Lane::of(shop.a, 456, &format!("busy {n}")));
    }
    let free = shop.put(shop.a, "free").await;
    let claim = shop.store.claim_events(&busy, 10, shop.now()).await.unwrap();
    assert_eq!(ids(&claim.items), [free.0]);
    assert_eq!(claim.next_due, None, "a busy lane is nothing to wait for");
}

#[tokio::test]
async fn a_failed_row_holds_its_lane_until_hold_until_and_is_then_passed_over() {
    let shop = shop();
    let first = shop.put(shop.a, "1").await;
    let second = shop.put(shop.a, "1").await;
    shop.store.retry_event(first, shop.retry(100, 60)).await.unwrap();
    let claim = shop.store.claim_events(&HashSet::new(), 10, shop.now()).await.unwrap();
    assert!(claim.items.is_empty());
    assert_eq!(
        claim.next_due,
        Some(shop.now() + Duration::from_secs(60)),
        "the hold ends before the wait"
    );
    shop.pass(60);
    assert_eq!(ids(&shop.claim(10).await), [second.0], "the lane moves on");
    shop.done(second, vec![]).await;
    let third = shop.put(shop.a, "1").await;
    assert_eq!(ids(&shop.claim(10).await), [third.0], "a newcomer is not held either");
    shop.pass(40);
    let found = shop.claim(10).await;
    assert_eq!(ids(&found), [first.0], "its time has come, and it is older");
    assert_eq!(found[0].attempts, 1);
    assert_eq!(found[0].first_failed, Some(shop.now() - Duration::from_secs(100)));
}

#[tokio::test]
async fn a_failed_row_that_is_due_within_its_hold_runs_before_those_behind_it() {
    let shop = shop();
    let first = shop.put(shop.a, "1").await;
    shop.store.retry_event(first, shop.retry(10, 60)).await.unwrap();
    let second = shop.put(shop.a, "1").await;
    assert!(shop.claim(10).await.is_empty(), "a newcomer waits behind it");
    shop.pass(10);
    assert_eq!(ids(&shop.claim(10).await), [first.0]);
    let earlier = shop.now() - Duration::from_secs(10);
    shop.store.retry_event(first, shop.retry(30, 50)).await.unwrap();
    shop.pass(30);
    let found = shop.claim(10).await;
    assert_eq!(
        (found[0].id, found[0].attempts, found[0].first_failed),
        (first, 2, Some(earlier))
    );
    shop.done(first, vec![]).await;
    assert_eq!(ids(&shop.claim(10).await), [second.0]);
}

/// Against the definition, row by row: at any moment a lane gives its first row that is due, unless a row before it
/// is still holding.
#[tokio::test]
async fn random_retries_follow_the_definition() {
    let mut shop = shop();
    let mut seed = 7_u64;
    let mut random = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut model: Vec<(i64, Timestamp, Timestamp)> = Vec::new();
    for step in 0..600 {
        let now = shop.now();
        match random(5) {
            0 => model.push((shop.put(shop.a, "1").await.0, Timestamp(0), Timestamp(0))),
            1 => shop.pass(random(30)),
            2 if step % 50 == 0 => shop = shop.reopen().await,
            _ => {
                let mut expected = None;
                for (place, (_, due, hold)) in model.iter().enumerate() {
                    if *due <= now {
                        expected = Some(place);
                        break;
                    }
                    if *hold > now {
                        break;
                    }
                }
                let found = shop.claim(10).await;
                assert_eq!(
                    ids(&found),
                    expected.map(|place| model[place].0).into_iter().collect::<Vec<_>>(),
                    "{step}"
                );
                let Some(place) = expected else { continue };
                if random(3) == 0 {
                    shop.done(found[0].id, vec![]).await;
                    model.remove(place);
                } else {
                    let retry = shop.retry(1 + random(60), random(60));
                    (model[place].1, model[place].2) = (retry.due, retry.hold_until);
                    shop.store.retry_event(found[0].id, retry).await.unwrap();
                }
            }
        }
    }
}

#[tokio::test]
async fn portals_take_turns_whatever_their_backlogs() {
    let shop = shop();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..10_000 {
        let (store, event) = (shop.store.clone(), shop.event(shop.a, &format!("chat{n}"), None));
        tasks.spawn(async move { store.enqueue(event).await.map(drop) });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(shop.claim(1).await[0].portal, shop.a);
    let late = shop.put(shop.b, "1").await;
    assert_eq!(ids(&shop.claim(1).await), [late.0], "B is next after A");
    assert_eq!(shop.claim(1).await[0].portal, shop.a);
    let busy = [Lane::of(shop.b, 456, "1")];
    assert_eq!(
        shop.claim_but(&busy, 50).await.len(),
        50,
        "A may have what B does not use"
    );
    shop.put(shop.b, "2").await;
    let both = shop.claim(4).await;
    assert_eq!(both.iter().filter(|event| event.portal == shop.b).count(), 2);
}

#[tokio::test]
async fn a_talkative_dialog_goes_to_the_back_after_each_event() {
    let shop = shop();
    for _ in 0..3 {
        shop.put(shop.a, "hot").await;
    }
    shop.put(shop.a, "calm").await;
    let mut served = Vec::new();
    while let Some(event) = shop.claim(1).await.pop() {
        served.push(event.dialog.clone());
        shop.done(event.id, vec![]).await;
    }
    assert_eq!(served, ["hot", "calm", "hot", "hot"]);
}

#[tokio::test]
async fn an_event_ends_together_with_its_calls_and_its_memory() {
    let shop = shop();
    let id = shop.put(shop.a, "1").await;
    shop.put(shop.a, "1").await;
    let calls = vec![shop.call(shop.a, "1", "one"), shop.call(shop.a, "1", "two")];
    let memory = Memory::Set("{\"step\":2}".to_owned());
    shop.store
        .complete_event(Completion {
            memory,
            ..end(id, calls)
        })
        .await
        .unwrap();
    let again = shop
        .store
        .complete_event(end(id, vec![shop.call(shop.a, "1", "three")]))
        .await;
    assert_eq!(again, Err(StoreError::Gone), "the second end queues nothing");
    for shop in [&shop.crashed(), &shop] {
        let next = shop.claim(10).await;
        assert_eq!(next[0].memory.as_deref(), Some("{\"step\":2}"));
        for text in ["one", "two"] {
            let calls = shop.calls(10).await;
            assert_eq!(calls.len(), 1, "one at a time in a dialog");
            assert!(calls[0].call.params.contains(text), "{text}: {}", calls[0].call.params);
            shop.store.complete_call(calls[0].id, &json!(true)).await.unwrap();
        }
        assert!(shop.calls(10).await.is_empty());
        let memory = Memory::Forget;
        shop.store
            .complete_event(Completion {
                memory,
                ..end(next[0].id, vec![])
            })
            .await
            .unwrap();
        shop.put(shop.a, "1").await;
        assert_eq!(shop.claim(1).await[0].memory, None);
        assert_eq!(shop.store.counts().await.unwrap().delivered, 2);
    }
}

#[tokio::test]
async fn ends_and_arrivals_ring_the_bells() {
    let shop = shop();
    let id = shop.put(shop.a, "1").await;
    shop.store.events_ready().notified().await;
    let seen = (shop.store.events_generation(), shop.store.calls_generation());
    shop.done(id, vec![shop.call(shop.a, "1", "x")]).await;
    assert_eq!(
        (shop.store.events_generation(), shop.store.calls_generation()),
        (seen.0 + 1, seen.1 + 1)
    );
    shop.store.events_ready().notified().await;
    shop.store.calls_ready().notified().await;
    shop.store.record_gap(shop.a, "x").await.unwrap();
    assert_eq!(shop.store.calls_generation(), seen.1 + 1, "nothing changed there");
}
