//! How events get in: stored, once, in their order, or refused with a trace.

use super::*;
use crate::store::records::STORE_FULL;

#[tokio::test]
async fn what_went_in_comes_out_as_it_was() {
    let shop = shop();
    let mut event = shop.event(shop.a, "chat7", Some("message 1"));
    event.body = (0..=255).cycle().take(20_000).collect();
    event.format = Format::Json;
    assert!(matches!(
        shop.store.enqueue(event.clone()).await,
        Ok(Enqueued::Stored(_))
    ));
    let shop = shop.reopen().await;
    let [found] = <[_; 1]>::try_from(shop.claim(10).await).unwrap();
    assert_eq!(found.body, event.body);
    assert_eq!((found.portal, found.bot, found.lane), (shop.a, 456, event.lane));
    assert_eq!((found.dialog, found.name), (event.dialog, event.name));
    assert_eq!((found.received, found.format), (event.received, Format::Json));
    assert_eq!((found.attempts, found.first_failed), (0, None));
    assert!(found.token.is_none() && found.memory.is_none());
}

#[tokio::test]
async fn many_at_once_share_commits_and_each_is_there_when_answered() {
    let shop = shop();
    let mut tasks = Vec::new();
    for dialog in 0..500 {
        let (store, event) = (shop.store.clone(), shop.event(shop.a, &dialog.to_string(), None));
        tasks.push(tokio::spawn(async move {
            let answer = store.enqueue(event).await.unwrap();
            (answer, store.counts().await.unwrap().accepted)
        }));
    }
    let mut seen = HashSet::new();
    for (order, task) in tasks.into_iter().enumerate() {
        let (answer, accepted) = task.await.unwrap();
        let Enqueued::Stored(id) = answer else {
            panic!("{order}: {answer:?}")
        };
        assert!(seen.insert(id), "a number used twice");
        assert!(accepted >= 1);
    }
    assert!(shop.store.events_generation() < 500, "no two events shared a commit");
    assert_eq!(shop.crashed().store.counts().await.unwrap().pending_events, 500);
}

#[tokio::test]
async fn a_key_is_taken_once_within_the_window_and_again_after_it() {
    let shop = shop();
    let event = shop.event(shop.a, "1", Some("k"));
    assert!(matches!(
        shop.store.enqueue(event.clone()).await,
        Ok(Enqueued::Stored(_))
    ));
    assert_eq!(shop.store.enqueue(event.clone()).await, Ok(Enqueued::Duplicate));
    let mut other = shop.event(shop.b, "1", Some("k"));
    assert!(
        matches!(shop.store.enqueue(other.clone()).await, Ok(Enqueued::Stored(_))),
        "another portal's key"
    );
    other.key = None;
    assert!(
        matches!(shop.store.enqueue(other.clone()).await, Ok(Enqueued::Stored(_))),
        "no key, no duplicate"
    );
    shop.pass(72 * 3600 - 1);
    let shop = shop.reopen().await;
    assert_eq!(shop.store.enqueue(event.clone()).await, Ok(Enqueued::Duplicate));
    shop.pass(1);
    assert!(matches!(
        shop.store.enqueue(event.clone()).await,
        Ok(Enqueued::Stored(_))
    ));
    assert_eq!(
        shop.store.enqueue(event).await,
        Ok(Enqueued::Duplicate),
        "the window begins anew"
    );
}

#[tokio::test]
async fn the_sweep_forgets_old_keys_only_and_a_slice_at_a_time() {
    let shop = shop();
    for n in 0..5_000 {
        let event = shop.event(shop.a, "1", Some(&format!("old {n}")));
        let store = shop.store.clone();
        tokio::spawn(async move { store.enqueue(event).await });
    }
    while shop.store.counts().await.unwrap().accepted < 5_000 {}
    shop.pass(72 * 3600);
    shop.store.enqueue(shop.event(shop.a, "1", Some("new"))).await.unwrap();
    let kept = || {
        let conn = schema::reader(shop.dir.path()).unwrap();
        conn.query_row("SELECT count(*) FROM seen", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let mut slices = 0;
    while kept() > 1 {
        let before = kept();
        shop.store.0.ops.send(Op::Tick).await.unwrap();
        shop.store.record_gap(shop.a, "after the tick").await.unwrap();
        assert!(before - kept() <= 2_049, "a slice is bounded");
        slices += 1;
        assert!(slices < 10);
    }
    assert_eq!(
        shop.store.enqueue(shop.event(shop.a, "1", Some("new"))).await,
        Ok(Enqueued::Duplicate)
    );
}

#[tokio::test]
async fn a_quarantined_event_is_a_dead_letter_at_once_and_once() {
    let shop = shop();
    let mut event = shop.event(shop.a, "1", Some("k"));
    event.quarantine = Some("no_message_id");
    let Ok(Enqueued::Quarantined(id)) = shop.store.enqueue(event.clone()).await else {
        panic!()
    };
    assert_eq!(shop.store.enqueue(event.clone()).await, Ok(Enqueued::Duplicate));
    assert!(shop.claim(10).await.is_empty());
    let letters = shop.store.dead_letters(Some(DeadQueue::Quarantine), 10).await.unwrap();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.origin, letter.reason.as_str()), (id.0, "no_message_id"));
    assert_eq!((&letter.body, letter.attempts), (&event.body, 0));
    let counts = shop.store.counts().await.unwrap();
    assert_eq!(
        (counts.accepted, counts.pending_events, counts.letters),
        (0, 0, [0, 0, 0, 1])
    );
}

#[tokio::test]
async fn a_full_store_refuses_events_and_says_so_but_lets_the_rest_go_on() {
    let shop = shop_with(|options| options.max_bytes = 1 << 20);
    let mut stored = Vec::new();
    let refused = loop {
        let mut event = shop.event(shop.a, "1", Some(&stored.len().to_string()));
        event.body = vec![b'x'; 50_000];
        match shop.store.enqueue(event).await {
            Ok(Enqueued::Stored(id)) => stored.push(id),
            other => break other,
        }
    };
    assert_eq!(refused, Err(StoreError::Full));
    assert!((10..30).contains(&stored.len()), "{}", stored.len());
    let repeat = shop.event(shop.a, "1", Some("0"));
    assert_eq!(
        shop.store.enqueue(repeat).await,
        Ok(Enqueued::Duplicate),
        "nothing is lost with a repeat"
    );
    shop.pass(5);
    assert_eq!(
        shop.store.enqueue(shop.event(shop.a, "2", None)).await,
        Err(StoreError::Full)
    );
    let gaps = shop.store.gaps().await.unwrap();
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    assert_eq!((gap.portal, gap.reason.as_str(), gap.count), (shop.a, STORE_FULL, 2));
    assert_eq!(gap.last.since(gap.first), Duration::from_secs(5));
    for id in stored {
        shop.done(id, vec![]).await;
    }
    assert!(matches!(
        shop.store.enqueue(shop.event(shop.a, "2", None)).await,
        Ok(Enqueued::Stored(_))
    ));
}

#[tokio::test]
async fn in_memory_mode_the_answer_comes_at_once_and_the_event_still_gets_stored() {
    let shop = shop_with(|options| options.ack = Ack::Memory);
    for n in 0..100 {
        let event = shop.event(shop.a, &n.to_string(), Some("same"));
        assert_eq!(shop.store.enqueue(event).await, Ok(Enqueued::Taken));
    }
    let shop = shop.reopen().await;
    assert_eq!(shop.store.counts().await.unwrap().accepted, 1);
}
