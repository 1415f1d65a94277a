//! Routes, parameters, identity and the ownership of bots, over HTTP.

use super::*;
use crate::portal::Decision;

#[tokio::test]
async fn the_revision_is_told_to_any_identity_by_post_and_get() {
    let portal = start(config()).await;
    let answer = webhook(&portal, REVISION, &json!({})).await;
    assert_eq!(answer.media, "application/json; charset=utf-8");
    assert_eq!(
        answer.result(),
        json!({ "rest": 36, "web": 130, "mobile": 23, "desktop": 6 })
    );
    let time = &answer.json()["time"];
    assert_eq!(time["date_start"], "2026-02-26T08:20:00+00:00");
    assert_eq!(time["operating"], 0);
    for name in ["start", "finish", "duration", "processing"] {
        assert!(time[name].is_number(), "{name}");
    }
    for tail in ["", ".json", "/", ".json/"] {
        let url = format!(
            "{}{}{tail}?auth={APP_TOKEN}",
            portal.endpoint(),
            REVISION.to_uppercase()
        );
        let tail = client().get(url).send().await.unwrap().status();
        assert_eq!(tail, 200, "{tail}");
    }
}

#[tokio::test]
async fn unknown_methods_and_unknown_paths_differ() {
    let portal = start(config()).await;
    let answer = webhook(&portal, "imbot.v2.Bot.list", &json!({})).await;
    assert_eq!(answer.refused(), (404, "ERROR_METHOD_NOT_FOUND".to_owned()));
    assert_eq!(answer.json()["error_description"], "Method not found!");
    let root = format!("http://{}", portal.address());
    for path in ["/", "/rest/", "/rest/a/b/c", "/webhook"] {
        let answer = Answer::of(client().get(format!("{root}{path}")).send().await.unwrap()).await;
        assert_eq!(
            (answer.status, answer.media.as_str()),
            (404, "text/html; charset=utf-8"),
            "{path}"
        );
    }
    let put = client().put(format!("{}{REVISION}", portal.incoming_webhook()));
    assert_eq!(put.send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn an_unknown_method_is_told_before_the_identity_is_asked_for() {
    let portal = start(config()).await;
    let answer = oauth(&portal, "nobody", "no.such", json!({})).await;
    assert_eq!(answer.refused().0, 404);
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let portal = start(config()).await;
    let unknown = (401, "NO_AUTH_FOUND".to_owned());
    let base = portal.endpoint();
    for path in ["1/wrong/", "2/demowebhookcode0/", ""] {
        let answer = client().post(format!("{base}{path}{REVISION}")).send().await.unwrap();
        assert_eq!(Answer::of(answer).await.refused(), unknown, "{path}");
    }
    assert_eq!(oauth(&portal, "nobody", REVISION, json!({})).await.refused(), unknown);
    let bearer = client().get(format!("{base}{REVISION}")).bearer_auth(APP_TOKEN);
    assert_eq!(bearer.send().await.unwrap().status(), 200);
    pass(&portal, Duration::from_secs(3600));
    let expired = oauth(&portal, APP_TOKEN, REVISION, json!({})).await;
    assert_eq!(expired.refused(), (401, "expired_token".to_owned()));
}

#[tokio::test]
async fn a_bot_is_looked_for_in_the_documented_order() {
    let portal = start(config()).await;
    for method in [SEND, ANSWER] {
        for (params, code) in [
            (json!({}), "BOT_TOKEN_NOT_SPECIFIED"),
            (json!({ "botId": 456 }), "BOT_TOKEN_NOT_SPECIFIED"),
            (json!({ "botToken": "x" }), "BOT_ID_REQUIRED"),
            (json!({ "botToken": "x", "botId": 0 }), "BOT_ID_REQUIRED"),
            (json!({ "botToken": "x", "botId": "abc" }), "BOT_ID_REQUIRED"),
            (json!({ "botToken": "x", "botId": 1 }), "BOT_NOT_FOUND"),
            (json!({ "botToken": "x", "botId": 456 }), "BOT_OWNERSHIP_ERROR"),
            (json!({ "botToken": "token-457", "botId": 456 }), "BOT_OWNERSHIP_ERROR"),
            (json!({ "botToken": "token-456", "botId": 470 }), "BOT_OWNERSHIP_ERROR"),
        ] {
            let answer = webhook(&portal, method, &params).await;
            assert_eq!(answer.refused(), (400, code.to_owned()), "{method} {params}");
        }
        let foreign = oauth(&portal, APP_TOKEN, method, json!({ "botId": 456 })).await;
        assert_eq!(foreign.refused(), (400, "BOT_OWNERSHIP_ERROR".to_owned()));
    }
}

#[tokio::test]
async fn forms_and_queries_are_read_like_json() {
    let portal = start(config()).await;
    let url = format!("{}{SEND}?botId=456&botToken=wrong", portal.incoming_webhook());
    let form = client()
        .post(&url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("botToken=token-456&dialogId=27&fields%5Bmessage%5D=a+b%26c&fields[keyboard][0][TEXT]=Go&fields[keyboard][0][LINK]=/x");
    Answer::of(form.send().await.unwrap()).await.result();
    let posted = &portal.messages("27")[0];
    assert_eq!(posted.text, "a b&c");
    assert_eq!(posted.keyboard, [json!({ "BOT_ID": 456, "TEXT": "Go", "LINK": "/x" })]);
}

#[tokio::test]
async fn broken_json_is_answered_like_missing_parameters() {
    let portal = start(config()).await;
    let broken = client()
        .post(format!("{}{SEND}", portal.incoming_webhook()))
        .header("content-type", "application/json")
        .body(r#"{"botId":456"#);
    let answer = Answer::of(broken.send().await.unwrap()).await;
    assert_eq!(answer.refused(), (400, "BOT_TOKEN_NOT_SPECIFIED".to_owned()));
}

#[tokio::test]
async fn the_log_tells_everything_but_credentials() {
    let portal = start(config()).await;
    let mut live = portal.live_log();
    let params = with(text("hi"), "/fields/templateId", TEMPLATE.into());
    webhook(&portal, SEND, &params).await.result();
    let url = format!("{}{SEND}?auth={APP_TOKEN}", portal.endpoint());
    client()
        .post(url)
        .json(&json!({ "botId": 470, "dialogId": "99" }))
        .send()
        .await
        .unwrap();
    let log = portal.log();
    assert_eq!(
        (log[0].identity.as_str(), log[1].identity.as_str()),
        ("webhook 1", "local.desk as 470")
    );
    assert_eq!((log[0].text(), log[0].template_id()), (Some("hi"), Some(TEMPLATE)));
    assert_eq!(log[0].decision, Decision::Executed { message_id: Some(1001) });
    assert_eq!(
        log[1].decision,
        Decision::Refused {
            code: "ACCESS_DENIED".to_owned()
        }
    );
    assert_eq!((log[0].status, log[1].status), (Some(200), Some(400)));
    let told = format!("{log:?} {portal:?} {:?}", config());
    for secret in ["token-456", APP_TOKEN, "demowebhookcode0"] {
        assert!(!told.contains(secret), "{secret}");
    }
    assert_eq!(live.recv().await.unwrap().text(), Some("hi"));
}

#[tokio::test]
async fn a_dropped_portal_stops_listening() {
    let portal = start(config()).await;
    let address = portal.address();
    let clone = portal.clone();
    drop(portal);
    assert_eq!(webhook(&clone, REVISION, &json!({})).await.status, 200);
    drop(clone);
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
