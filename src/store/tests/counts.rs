//! Nothing is dropped silently: accepted = done + ignored + dead + pending, at any time.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Put {
        portal: bool,
        dialog: u8,
        key: Option<u8>,
        quarantine: bool,
    },
    Done {
        calls: u8,
        ignored: bool,
    },
    Retry(u8),
    Bury,
    Call {
        how: u8,
    },
    Letters {
        keep: bool,
    },
    Pause(bool),
    Reopen,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), 0..4_u8, proptest::option::of(0..9_u8), proptest::bool::weighted(0.1))
            .prop_map(|(portal, dialog, key, quarantine)| Step::Put { portal, dialog, key, quarantine }),
        3 => (0..3_u8, any::<bool>()).prop_map(|(calls, ignored)| Step::Done { calls, ignored }),
        2 => (0..20_u8).prop_map(Step::Retry),
        1 => Just(Step::Bury),
        3 => (0..4_u8).prop_map(|how| Step::Call { how }),
        2 => any::<bool>().prop_map(|keep| Step::Letters { keep }),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_accepted_event_is_in_exactly_one_place(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut shop = shop();
            let mut accepted = 0;
            for step in steps {
                (shop, accepted) = take(shop, step, accepted).await;
                let counts = shop.store.counts().await.unwrap();
                assert_eq!(counts.accepted, accepted);
                assert_eq!(counts.accepted, counts.done + counts.ignored + counts.dead + counts.pending_events);
                check_rows(&shop, &counts);
            }
        });
    }
}

async fn take(shop: Shop, step: Step, mut accepted: u64) -> (Shop, u64) {
    match step {
        Step::Put {
            portal,
            dialog,
            key,
            quarantine,
        } => {
            let portal = if portal { shop.a } else { shop.b };
            let key = key.map(|key| key.to_string());
            let mut event = shop.event(portal, &dialog.to_string(), key.as_deref());
            event.quarantine = quarantine.then_some("unusable");
            if let Enqueued::Stored(_) = shop.store.enqueue(event).await.unwrap() {
                accepted += 1;
            }
        }
        Step::Done { calls, ignored } => {
            for event in shop.claim(2).await {
                let calls = (0..calls)
                    .map(|_| shop.call(event.portal, &event.dialog, "x"))
                    .collect();
                let settled = if ignored { Settled::Ignored } else { Settled::Done };
                shop.store
                    .complete_event(Completion {
                        settled,
                        ..end(event.id, calls)
                    })
                    .await
                    .unwrap();
            }
        }
        Step::Retry(seconds) => {
            for event in shop.claim(2).await {
                let retry = shop.retry(u64::from(seconds), u64::from(seconds) / 2);
                shop.store.retry_event(event.id, retry).await.unwrap();
            }
            shop.pass(5);
        }
        Step::Bury => {
            for event in shop.claim(1).await {
                shop.store.bury_event(event.id, "handler_failed", "").await.unwrap();
            }
        }
        Step::Call { how } => {
            for call in shop.calls(2).await {
                end_call(&shop, call.id, how).await;
            }
        }
        Step::Letters { keep } => accepted += letters(&shop, keep).await,
        Step::Pause(true) => shop.store.pause(shop.a, Some(456)).await.unwrap(),
        Step::Pause(false) => shop.store.resume(shop.a, Some(456)).await.unwrap(),
        Step::Reopen => return (shop.reopen().await, accepted),
        Step::Crash => return (shop.crashed(), accepted),
    }
    (shop, accepted)
}

async fn end_call(shop: &Shop, call: CallId, how: u8) {
    let done = match how {
        0 => shop.store.complete_call(call, &json!(true)).await,
        1 => shop.store.retry_call(call, shop.retry(3, 1)).await,
        2 => shop.store.bury_call(call, DeadQueue::Calls, "expired", "").await,
        _ => shop.store.call_started(call).await,
    };
    done.unwrap();
}

/// Retries or drops some letters; returns how many events count as accepted again.
async fn letters(shop: &Shop, keep: bool) -> u64 {
    let letters = shop.store.dead_letters(None, 3).await.unwrap();
    let ids: Vec<_> = letters.iter().map(|letter| letter.id).collect();
    if !keep {
        assert!(shop.store.drop_letters(&ids).await.iter().all(Result::is_ok));
        return 0;
    }
    let events = [DeadQueue::Events, DeadQueue::Quarantine];
    let expires = shop.now() + Duration::from_secs(60);
    assert!(shop.store.retry_letters(&ids, expires).await.iter().all(Result::is_ok));
    letters.iter().filter(|letter| events.contains(&letter.queue)).count() as u64
}

/// The counters against the rows themselves.
fn check_rows(shop: &Shop, counts: &Counts) {
    let conn = schema::reader(shop.dir.path()).unwrap();
    let count = |sql: &str| {
        conn.query_row(sql, [], |row| row.get::<_, u32>(0))
            .map(u64::from)
            .unwrap()
    };
    assert_eq!(counts.pending_events, count("SELECT count(*) FROM event"));
    assert_eq!(counts.pending_calls, count("SELECT count(*) FROM call"));
    assert_eq!(counts.letters.iter().sum::<u64>(), count("SELECT count(*) FROM dead"));
    let buried = "(SELECT id FROM buried_event UNION ALL SELECT id FROM buried_call)";
    assert_eq!(
        counts.letters.iter().sum::<u64>(),
        count(&format!("SELECT count(*) FROM dead JOIN {buried} b ON b.id = origin"))
    );
    assert_eq!(
        counts.letters.iter().sum::<u64>(),
        count(&format!("SELECT count(*) FROM {buried}"))
    );
    assert_eq!(
        0,
        count("SELECT count(*) FROM failed WHERE id NOT IN (SELECT id FROM call UNION SELECT id FROM event)")
    );
    assert_eq!(
        0,
        count("SELECT count(*) FROM started WHERE call NOT IN (SELECT id FROM call)")
    );
    assert_eq!(counts.oldest_event.is_some(), counts.pending_events > 0);
}
