//! Events that come both ways with two times: each is stored once while the way of its bot's events changes, two things that
//! happened are two, and nothing is matched outside of it or beyond what was matched.

use super::*;
use crate::store::twins::MOST;
use proptest::prelude::*;
use std::collections::BTreeSet;

use Source::{Fetched, Posted};

const BOT: i64 = 456;

fn switching(shop: &Shop, finished: Option<Timestamp>) -> Switching {
    Switching {
        fetch: true,
        began: shop.now(),
        told: Some(shop.now()),
        finished,
    }
}

/// A shop where the way of the bot's events at `a` changes.
async fn changing() -> Shop {
    let shop = shop();
    let change = Some(switching(&shop, None));
    shop.store.keep_switching((shop.a, BOT), change).await.unwrap();
    shop
}

impl Shop {
    /// A press of one button: what it says is always the same.
    fn press(&self, source: Source, ts: i64) -> NewEvent {
        self.of(self.a, "button", source, ts)
    }

    fn of(&self, portal: PortalId, what: &str, source: Source, ts: i64) -> NewEvent {
        NewEvent {
            key: Some(EventKey {
                whole: format!("{what} at {ts}").into_bytes(),
                twin: Some(Twin {
                    rest: what.as_bytes().to_vec(),
                    ts,
                    source,
                }),
            }),
            ..self.event(portal, "27", None)
        }
    }

    /// Whether it was stored: to the door one by one, from the queue as a page.
    async fn stores(&self, event: NewEvent) -> bool {
        let fetched = event
            .key
            .as_ref()
            .and_then(|key| key.twin.as_ref())
            .map(|twin| twin.source)
            == Some(Fetched);
        let came = if fetched {
            let page = FetchedPage {
                portal: event.portal,
                bot: event.bot,
                events: vec![event],
                next: None,
            };
            self.store.keep_page(page).await.unwrap().remove(0)
        } else {
            self.store.enqueue(event).await.unwrap()
        };
        match came {
            Enqueued::Stored(_) => true,
            Enqueued::Duplicate => false,
            other => panic!("{other:?}"),
        }
    }

    async fn all(&self, came: &[(Source, i64)]) -> Vec<bool> {
        let mut stored = Vec::new();
        for (source, ts) in came {
            stored.push(self.stores(self.press(*source, *ts)).await);
        }
        stored
    }

    fn remembered(&self) -> i64 {
        let conn = schema::reader(self.dir.path()).unwrap();
        conn.query_row("SELECT count(*) FROM twin", [], |row| row.get(0))
            .unwrap()
    }
}

#[tokio::test]
async fn an_event_and_its_twin_are_one_and_two_presses_are_two_in_any_interleaving() {
    for (came, stored) in [
        (vec![(Posted, 0), (Fetched, 90)], vec![true, false]),
        (vec![(Fetched, 0), (Posted, 120)], vec![true, false]),
        (vec![(Posted, 0), (Fetched, -121)], vec![true, true]),
        (
            vec![(Posted, 0), (Posted, 30), (Fetched, 90), (Fetched, 120)],
            vec![true, true, false, false],
        ),
        (
            vec![(Posted, 0), (Fetched, 90), (Posted, 30), (Fetched, 120)],
            vec![true, false, true, false],
        ),
        // The second of the one has the time of the first of the other: that they are equal says nothing.
        (
            vec![(Posted, 0), (Posted, 90), (Fetched, 90), (Fetched, 180)],
            vec![true, true, false, false],
        ),
        (
            vec![(Posted, 90), (Fetched, 180), (Fetched, 90), (Posted, 0)],
            vec![true, false, true, false],
        ),
        (
            vec![(Fetched, 180), (Posted, 0), (Fetched, 90), (Posted, 90)],
            vec![true, true, false, false],
        ),
    ] {
        let shop = changing().await;
        assert_eq!(shop.all(&came).await, stored, "{came:?}");
        assert_eq!(shop.all(&came).await, vec![false; came.len()], "again: {came:?}");
    }
}

#[tokio::test]
async fn one_way_alone_never_matches_and_what_is_matched_is_used_up() {
    let shop = changing().await;
    assert_eq!(shop.all(&[(Posted, 0), (Posted, 1), (Posted, 2)]).await, [true; 3]);
    let fetched = [(Fetched, 5), (Fetched, 6), (Fetched, 7), (Fetched, 8)];
    assert_eq!(shop.all(&fetched).await, [false, false, false, true]);
    for other in [
        shop.of(shop.a, "another button", Fetched, 1),
        shop.of(shop.b, "button", Fetched, 1),
        NewEvent {
            bot: 457,
            ..shop.of(shop.a, "button", Fetched, 99)
        },
    ] {
        assert!(shop.stores(other).await);
    }
}

#[tokio::test]
async fn the_nearest_is_taken_first() {
    let shop = changing().await;
    shop.all(&[(Posted, 0), (Posted, 100), (Fetched, 70)]).await;
    let conn = schema::reader(shop.dir.path()).unwrap();
    let mate: i64 = conn
        .query_row("SELECT mate FROM twin WHERE source = 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mate, 100);
}

#[tokio::test]
async fn an_event_stored_beside_one_of_its_key_has_template_ids_of_its_own() {
    let shop = changing().await;
    let came = [(Posted, 90), (Fetched, 180), (Fetched, 90)];
    assert_eq!(shop.all(&came).await, [true, false, true]);
    let first = shop.claim(1).await.remove(0);
    shop.done(first.id, vec![]).await;
    let second = shop.claim(1).await.remove(0);
    assert_ne!(first.origin, second.origin);
}

#[tokio::test]
async fn what_was_brought_before_the_change_began_is_known_by_its_whole_key() {
    let shop = shop();
    let plain = |ts| {
        let event = shop.press(Posted, ts);
        let whole = event.key.as_ref().unwrap().whole.clone();
        NewEvent {
            key: Some(whole.into()),
            ..event
        }
    };
    assert!(shop.stores(plain(0)).await);
    assert_eq!(shop.remembered(), 0);
    let change = Some(switching(&shop, None));
    shop.store.keep_switching((shop.a, BOT), change).await.unwrap();
    assert!(!shop.stores(shop.press(Fetched, 0)).await);
    assert!(shop.stores(shop.press(Posted, 10)).await, "nothing waits for a twin");
    // After the change the door makes no twins any more; what came in it is still known.
    assert!(!shop.stores(shop.press(Fetched, 40)).await);
    assert!(!shop.stores(plain(40)).await);
}

#[tokio::test]
async fn a_crash_in_between_changes_nothing() {
    let shop = changing().await;
    assert!(shop.stores(shop.press(Posted, 0)).await);
    let shop = shop.crashed();
    assert!(!shop.stores(shop.press(Fetched, 90)).await);
    let shop = shop.crashed();
    assert_eq!(shop.all(&[(Fetched, 90), (Fetched, 91)]).await, [false, true]);
}

#[tokio::test]
async fn a_full_store_says_of_a_twin_that_it_came_before() {
    let mut shop = changing().await;
    assert!(shop.stores(shop.press(Posted, 0)).await);
    shop.options.max_bytes = 1;
    let shop = shop.reopen().await;
    let answer = async |source, ts| shop.store.enqueue(shop.press(source, ts)).await;
    assert_eq!(answer(Posted, 0).await, Ok(Enqueued::Duplicate));
    assert_eq!(answer(Fetched, 90).await, Ok(Enqueued::Duplicate));
    assert_eq!(answer(Fetched, 91).await, Err(StoreError::Full), "its twin is used up");
    assert_eq!(shop.remembered(), 2, "a refused one is not remembered");
}

#[tokio::test]
async fn the_table_is_empty_when_the_time_is_over() {
    let tick = async |shop: &Shop| {
        shop.store.0.ops.send(Op::Tick).await.unwrap();
        shop.store.record_gap(shop.b, "after the tick").await.unwrap();
    };
    let key = |shop: &Shop| (shop.a, BOT);
    // Finished after a quarter of an hour: with it. Finished before: when that is over.
    for early in [false, true] {
        let shop = changing().await;
        shop.stores(shop.press(Posted, 0)).await;
        let mut change = switching(&shop, None);
        if early {
            change.finished = Some(shop.now());
            shop.store.keep_switching(key(&shop), Some(change)).await.unwrap();
        }
        shop.pass(899);
        tick(&shop).await;
        assert_eq!(shop.remembered(), 1);
        shop.pass(1);
        tick(&shop).await;
        assert_eq!(shop.remembered(), i64::from(!early));
        change.finished = Some(shop.now());
        shop.store.keep_switching(key(&shop), Some(change)).await.unwrap();
        assert_eq!(shop.remembered(), 0);
    }
    let shop = changing().await;
    shop.stores(shop.press(Posted, 0)).await;
    shop.store.keep_switching((shop.b, BOT), None).await.unwrap();
    assert_eq!(shop.remembered(), 1, "another bot's");
    shop.store.keep_switching(key(&shop), None).await.unwrap();
    assert_eq!(shop.remembered(), 0, "it was refused");
}

#[tokio::test]
async fn a_bots_twins_are_bounded_and_beyond_them_none_is_lost() {
    let shop = changing().await;
    let events = (0..MOST + 10).map(|ts| shop.of(shop.a, &format!("press {ts}"), Fetched, ts));
    let page = FetchedPage {
        portal: shop.a,
        bot: BOT,
        events: events.collect(),
        next: None,
    };
    shop.store.keep_page(page).await.unwrap();
    assert_eq!(shop.remembered(), MOST);
    let posted = async |what: i64, ts| shop.stores(shop.of(shop.a, &format!("press {what}"), Posted, ts)).await;
    assert!(!posted(3, 3 + 90).await, "remembered, so paired");
    assert!(!posted(3, 3 + 90).await, "and known again");
    assert!(posted(3, 3 + 91).await, "with one alone");
    assert!(posted(MOST + 5, MOST + 90).await, "not remembered, so handled twice");
    assert!(!posted(MOST + 6, MOST + 6).await, "its whole key is known");
    assert_eq!(shop.remembered(), MOST);
    let of_another = NewEvent {
        bot: 457,
        ..shop.of(shop.a, "press", Posted, 0)
    };
    assert!(shop.stores(of_another).await);
    assert_eq!(shop.remembered(), MOST + 1, "each bot has its own");
}

/// What happened when, how far apart the clocks are, in which order both ways bring it (some of it again), and where the
/// program dies.
fn happenings() -> impl Strategy<Value = (BTreeSet<i64>, i64, Vec<(bool, usize)>, usize)> {
    let times = proptest::collection::btree_set(0..400_i64, 1..8);
    times
        .prop_flat_map(|times| {
            let both = (0..times.len()).flat_map(|which| [(true, which), (false, which)]);
            let order = Just(both.collect::<Vec<_>>()).prop_shuffle();
            (Just(times), -120..=120_i64, order)
        })
        .prop_flat_map(|(times, apart, order)| {
            let again = proptest::sample::subsequence(order.clone(), 0..=order.len().min(3));
            let deaths = 0..order.len();
            (Just(times), Just(apart), Just(order), again, deaths)
        })
        .prop_map(|(times, apart, mut order, again, dies)| {
            order.extend(again);
            (times, apart, order, dies)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_both_ways_is_stored_once_in_any_order((times, apart, order, dies) in happenings()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let times: Vec<i64> = times.into_iter().collect();
            let mut shop = changing().await;
            let mut stored = 0;
            for (at, (posted, which)) in order.into_iter().enumerate() {
                if at == dies {
                    shop = shop.crashed();
                }
                let ts = times[which];
                let event = if posted { shop.press(Posted, ts) } else { shop.press(Fetched, ts + apart) };
                stored += usize::from(shop.stores(event).await);
            }
            assert_eq!(stored, times.len());
        });
    }

    #[test]
    fn whatever_comes_no_more_is_taken_for_a_duplicate_than_came_the_other_way(
        came in proptest::collection::btree_set((any::<bool>(), 0..600_i64), 1..14),
        seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let shop = changing().await;
            let mut came: Vec<(bool, i64)> = came.into_iter().collect();
            came.sort_by_key(|(posted, ts)| (seed ^ u64::from(*posted)).wrapping_mul(*ts as u64 | 1).rotate_left(17));
            let posted = came.iter().filter(|(posted, _)| *posted).count();
            let mut stored = 0;
            for (posted, ts) in &came {
                stored += usize::from(shop.stores(shop.press(if *posted { Posted } else { Fetched }, *ts)).await);
            }
            assert!(stored >= posted.max(came.len() - posted), "{stored} of {came:?}");
        });
    }
}
