//! The request counter, over HTTP.

use super::*;
use crate::portal::{Drain, Portal};
use std::future::Future;

/// The codes of this many calls, one after another.
async fn codes(portal: &Portal, calls: usize) -> (usize, usize) {
    let mut passed = 0;
    for _ in 0..calls {
        let answer = webhook(portal, REVISION, &json!({})).await;
        if answer.status == 200 {
            passed += 1;
        } else {
            assert_eq!(answer.refused(), (503, "QUERY_LIMIT_EXCEEDED".to_owned()));
            assert_eq!(answer.json()["error_description"], "Too many requests");
            assert_eq!(answer.json().get("time"), None);
        }
    }
    (passed, calls - passed)
}

async fn under_both_drains<F: Future<Output = ()>>(case: impl Fn(Portal) -> F) {
    for drain in [Drain::Step, Drain::Continuous] {
        case(start(PortalConfig { drain, ..config() }).await).await;
    }
}

#[tokio::test]
async fn fifty_of_fifty_one_pass_and_then_two_a_second_for_ever() {
    under_both_drains(|portal| async move {
        assert_eq!(codes(&portal, 51).await, (50, 1));
        for _ in 0..20 {
            pass(&portal, Duration::from_secs(1));
            assert_eq!(codes(&portal, 2).await, (2, 0));
        }
    })
    .await;
}

#[tokio::test]
async fn fifty_one_truly_at_once_are_counted_as_well() {
    under_both_drains(|portal| async move {
        let calls: Vec<_> = (0..51)
            .map(|_| {
                let portal = portal.clone();
                tokio::spawn(async move { webhook(&portal, REVISION, &json!({})).await.status })
            })
            .collect();
        let mut passed = 0;
        for call in calls {
            passed += usize::from(call.await.unwrap() == 200);
        }
        assert_eq!(passed, 50);
    })
    .await;
}

#[tokio::test]
async fn two_identities_share_a_counter_and_two_addresses_do_not() {
    let portal = start(PortalConfig { burst: 1, ..config() }).await;
    assert_eq!(webhook(&portal, REVISION, &json!({})).await.status, 200);
    assert_eq!(oauth(&portal, APP_TOKEN, REVISION, json!({})).await.status, 503);
    let elsewhere = client()
        .get(format!("{}{REVISION}", portal.incoming_webhook()))
        .header("X-Mock-Source-IP", "192.0.2.7");
    assert_eq!(elsewhere.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_refused_call_is_not_carried_out() {
    let portal = start(PortalConfig { burst: 1, ..config() }).await;
    assert_eq!(webhook(&portal, SEND, &text("one")).await.status, 200);
    assert_eq!(webhook(&portal, SEND, &text("two")).await.status, 503);
    assert_eq!(texts(&portal, "27"), ["one"]);
}
