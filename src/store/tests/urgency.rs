//! Which calls wait, in which order: urgency, bots left out, lanes put aside. And the counters of REST hosts.

use super::*;

impl Shop {
    fn urgent(&self, bot: i64, dialog: &str, priority: Priority) -> NewCall {
        NewCall {
            bot,
            lane: Lane::of(self.a, bot, dialog),
            priority,
            ..self.call(self.a, dialog, dialog)
        }
    }

    fn waiting(&self, busy: &[Lane], except: &[(PortalId, Option<i64>)]) -> Waiting {
        let (busy, except) = (busy.iter().copied().collect(), except.iter().copied().collect());
        self.store.waiting_calls(self.a, &busy, &except, 100, self.now())
    }

    /// The dialogs of each urgency.
    async fn dialogs(&self, waiting: Waiting) -> [Vec<String>; 3] {
        let mut found = Vec::new();
        for heads in waiting.heads {
            let calls = self.store.read_calls(heads.into()).await.unwrap();
            found.push(calls.into_iter().map(|call| call.call.dialog).collect());
        }
        found.try_into().unwrap()
    }
}

#[tokio::test]
async fn a_lane_is_as_urgent_as_the_row_that_runs_next_in_it() {
    let shop = shop();
    let calls = vec![
        shop.urgent(1, "bulk", Priority::Bulk),
        shop.urgent(1, "bulk", Priority::Interactive),
        shop.urgent(1, "typing", Priority::Typing),
        shop.urgent(2, "reply", Priority::Interactive),
        shop.urgent(1, "reply too", Priority::Interactive),
        shop.urgent(1, "reply too", Priority::Bulk),
    ];
    shop.store.queue_calls(keyless(calls)).await.unwrap();
    for shop in [&shop.crashed(), &shop] {
        let waiting = shop.waiting(&[], &[]);
        assert_eq!(waiting.heads[2][0].behind, 1);
        let expected = [vec!["reply", "reply too"], vec!["typing"], vec!["bulk"]];
        assert_eq!(shop.dialogs(waiting).await, expected);
        let first = shop.waiting(&[], &[]).heads[2][0];
        let call = shop.store.read_calls(vec![first]).await.unwrap();
        shop.store.complete_call(call[0].id, &true.into()).await.unwrap();
        let expected = [vec!["reply", "reply too", "bulk"], vec!["typing"], vec![]];
        assert_eq!(shop.dialogs(shop.waiting(&[], &[])).await, expected);
    }
}

#[tokio::test]
async fn a_bot_or_a_portal_can_be_left_out_with_all_it_has_waiting() {
    let shop = shop();
    let calls = vec![
        shop.urgent(1, "one", Priority::Interactive),
        shop.urgent(2, "two", Priority::Interactive),
    ];
    shop.store.queue_calls(keyless(calls)).await.unwrap();
    let one = shop.waiting(&[], &[(shop.a, Some(2)), (shop.b, None)]);
    assert_eq!(shop.dialogs(one).await[0], ["one"]);
    let none = shop.waiting(&[], &[(shop.a, None)]);
    assert_eq!(none.next_due, None);
    assert!(shop.dialogs(none).await[0].is_empty());
    let busy = shop.waiting(&[Lane::of(shop.a, 1, "one")], &[]);
    assert_eq!(shop.dialogs(busy).await[0], ["two"]);
}

#[tokio::test]
async fn a_lane_put_aside_comes_back_at_its_time_or_when_it_changes() {
    let shop = shop();
    let dialog = shop.urgent(1, "one", Priority::Interactive);
    let lane = dialog.lane;
    shop.store.queue_calls(keyless(vec![dialog.clone()])).await.unwrap();
    let until = shop.now() + Duration::from_secs(10);
    shop.store.shelve_calls(&[lane], until);
    let waiting = shop.waiting(&[], &[]);
    assert_eq!((waiting.heads[0].len(), waiting.next_due), (0, Some(until)));
    assert!(shop.store.has_calls(lane));
    shop.pass(10);
    assert_eq!(shop.waiting(&[], &[]).heads[0].len(), 1);
    shop.store.shelve_calls(&[lane], shop.now() + Duration::from_secs(10));
    shop.store.queue_calls(keyless(vec![dialog])).await.unwrap();
    assert_eq!(shop.waiting(&[], &[]).heads[0].len(), 1, "it changed");
    assert!(!shop.store.has_calls(Lane::of(shop.a, 1, "two")));
}

#[tokio::test]
async fn the_counters_of_hosts_are_kept() {
    let shop = shop();
    let budget = |level, clean| Budget {
        host: "a.example".to_owned(),
        level,
        at: shop.now(),
        clean,
    };
    assert_eq!(shop.store.budgets().await.unwrap(), []);
    shop.store.keep_budgets(vec![budget(3.5, true)]).await.unwrap();
    assert_eq!(shop.crashed().store.budgets().await.unwrap(), [budget(3.5, true)]);
    shop.store.keep_budgets(vec![budget(0.0, false)]).await.unwrap();
    assert_eq!(shop.crashed().store.budgets().await.unwrap(), [budget(0.0, false)]);
}
