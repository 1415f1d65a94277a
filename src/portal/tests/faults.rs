//! Faults, over HTTP.

use super::*;
use crate::portal::{Action, Decision, Rule, Shape};

#[tokio::test]
async fn executed_then_reset_stores_one_message_and_the_caller_sees_a_broken_connection() {
    let portal = start(config()).await;
    portal.execute_then_reset(Some(SEND), 1);
    let url = format!("{}{SEND}", portal.incoming_webhook());
    let params = with(text("once"), "/fields/templateId", TEMPLATE.into());
    let client = client();
    let failure = client.post(&url).json(&params).send().await.unwrap_err();
    assert!(
        failure.is_request() && !failure.is_connect() && !failure.is_timeout(),
        "{failure:?}"
    );
    assert_eq!(texts(&portal, "27"), ["once"]);
    let log = portal.log();
    assert_eq!(log.len(), 1, "neither side tried again by itself");
    assert_eq!(log[0].decision, Decision::Executed { message_id: Some(1001) });
    assert_eq!(log[0].status, None);

    let again = Answer::of(client.post(&url).json(&params).send().await.unwrap()).await;
    assert_eq!(again.result()["id"], 1001);
    assert_eq!(texts(&portal, "27"), ["once"], "the template made it one");
}

#[tokio::test]
async fn executed_then_reset_without_a_template_doubles() {
    let portal = start(config()).await;
    portal.execute_then_reset(None, 1);
    let url = format!("{}{SEND}", portal.incoming_webhook());
    assert!(client().post(&url).json(&text("twice")).send().await.is_err());
    assert_eq!(webhook(&portal, SEND, &text("twice")).await.status, 200);
    assert_eq!(texts(&portal, "27"), ["twice", "twice"]);
}

#[tokio::test]
async fn the_reset_is_a_reset_and_comes_before_any_byte() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let portal = start(config()).await;
    portal.execute_then_reset(None, 1);
    let mut stream = tokio::net::TcpStream::connect(portal.address()).await.unwrap();
    let path = format!("/rest/1/demowebhookcode0/{REVISION}");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    let ended = stream.read_to_end(&mut heard).await;
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(heard.is_empty());
}

#[tokio::test]
async fn a_reset_before_execution_stores_nothing() {
    let portal = start(config()).await;
    portal.reset(None, 1);
    let url = format!("{}{SEND}", portal.incoming_webhook());
    assert!(client().post(&url).json(&text("lost")).send().await.is_err());
    assert!(texts(&portal, "27").is_empty());
}

#[tokio::test]
async fn a_portal_refuses_for_a_time_in_json_and_in_html() {
    let portal = start(config()).await;
    portal.refuse_for(Duration::from_secs(10), Shape::Json);
    let answer = webhook(&portal, SEND, &text("x")).await;
    assert_eq!(answer.refused(), (503, "QUERY_LIMIT_EXCEEDED".to_owned()));
    pass(&portal, Duration::from_secs(10));
    assert_eq!(webhook(&portal, SEND, &text("x")).await.status, 200);

    portal.refuse_for(Duration::from_secs(10), Shape::Html);
    let answer = webhook(&portal, SEND, &text("x")).await;
    assert_eq!(
        (answer.status, answer.media.as_str()),
        (503, "text/html; charset=utf-8")
    );
    assert!(answer.text.starts_with("<!DOCTYPE html>"));
    portal.clear_faults();
    assert_eq!(webhook(&portal, SEND, &text("x")).await.status, 200);
}

#[tokio::test]
async fn an_injected_error_strikes_its_method_as_often_as_it_says() {
    let portal = start(config()).await;
    portal.answer_error(Some(SEND), 500, "INTERNAL_SERVER_ERROR", 1);
    assert_eq!(webhook(&portal, REVISION, &json!({})).await.status, 200);
    let answer = webhook(&portal, SEND, &text("x")).await;
    assert_eq!(answer.refused(), (500, "INTERNAL_SERVER_ERROR".to_owned()));
    assert_eq!(portal.log()[1].decision, Decision::Fault { name: "answer" });
    assert_eq!(webhook(&portal, SEND, &text("x")).await.status, 200);
}

#[tokio::test]
async fn a_hanging_call_is_in_the_log_and_never_answered() {
    let portal = start(config()).await;
    portal.hang(1);
    let mut live = portal.live_log();
    let hanging = tokio::spawn({
        let portal = portal.clone();
        async move { webhook(&portal, SEND, &text("x")).await.status }
    });
    let entry = live.recv().await.unwrap();
    assert_eq!((entry.decision, entry.status), (Decision::Fault { name: "hang" }, None));
    assert_eq!(webhook(&portal, SEND, &text("y")).await.status, 200);
    assert!(!hanging.is_finished());
    assert_eq!(texts(&portal, "27"), ["y"]);
    hanging.abort();
}

#[tokio::test]
async fn a_delayed_call_is_carried_out_when_the_clock_gets_there() {
    let portal = start(config()).await;
    portal.fault(Rule {
        method: None,
        times: Some(1),
        until: None,
        action: Action::Delay(Duration::from_secs(3)),
    });
    let slow = tokio::spawn({
        let portal = portal.clone();
        async move { webhook(&portal, SEND, &text("x")).await }
    });
    // A rule used up means the call is inside and asleep: nothing is awaited between the two.
    while !portal.shared().state().faults.used_up() {
        tokio::task::yield_now().await;
    }
    pass(&portal, Duration::from_millis(2999));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(texts(&portal, "27").is_empty());
    pass(&portal, Duration::from_millis(1));
    let answer = slow.await.unwrap();
    assert_eq!(answer.json()["time"]["duration"], 3.0);
    assert_eq!(texts(&portal, "27"), ["x"]);
}

#[tokio::test]
async fn a_delayed_call_is_carried_out_although_its_caller_gave_up() {
    let portal = start(config()).await;
    portal.fault(Rule {
        method: None,
        times: Some(1),
        until: None,
        action: Action::Delay(Duration::from_secs(3)),
    });
    let impatient = tokio::spawn({
        let portal = portal.clone();
        async move { webhook(&portal, SEND, &text("x")).await.status }
    });
    while !portal.shared().state().faults.used_up() {
        tokio::task::yield_now().await;
    }
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    // Another call on another connection: by its answer the portal has seen the first one close.
    webhook(&portal, REVISION, &json!({})).await.result();
    pass(&portal, Duration::from_secs(3));
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(texts(&portal, "27"), ["x"]);
}

#[tokio::test]
async fn an_injected_error_has_the_systems_text_only_with_the_systems_status() {
    let portal = start(config()).await;
    for (status, plan) in [(403, true), (400, false)] {
        portal.answer_error(None, status, "ACCESS_DENIED", 1);
        let answer = webhook(&portal, REVISION, &json!({})).await.json();
        let text = answer["error_description"].as_str().unwrap();
        assert_eq!(text.contains("commercial plans"), plan, "{status}: {text}");
    }
}
