//! What people do, and the events that reach a bot's address.

use super::*;
use crate::portal::{Delivery, PortalError};
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use std::sync::{Arc, Mutex};

type Heard = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// A bot's address that keeps what it gets and answers with this status.
async fn ear(status: StatusCode) -> (String, Heard) {
    let heard = Heard::default();
    let keep = Arc::clone(&heard);
    let hook = move |headers: HeaderMap, body: Bytes| {
        let body = String::from_utf8(body.to_vec()).unwrap();
        keep.lock().unwrap().push((headers, body));
        std::future::ready((status, "heard"))
    };
    let app = axum::Router::new().route("/hook", axum::routing::post(hook));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}/hook?q=1"), heard)
}

fn names(deliveries: &[Delivery]) -> Vec<(i64, &str)> {
    deliveries
        .iter()
        .map(|delivery| (delivery.bot_id, delivery.event))
        .collect()
}

fn has(body: &[u8], pair: &str) -> bool {
    let body = std::str::from_utf8(body).unwrap();
    let wanted = pair.replace('[', "%5B").replace(']', "%5D");
    body.split('&').any(|pair| pair == wanted)
}

fn first(deliveries: &[Delivery]) -> &[u8] {
    &deliveries[0].body
}

#[tokio::test]
async fn a_private_message_reaches_its_bot_once_whatever_it_answers() {
    let portal = start(config()).await;
    for status in [StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::FOUND] {
        let (url, heard) = ear(status).await;
        portal.set_webhook_url(456, &url).unwrap();
        let sent = portal.say(27, "456", "Hello").await.unwrap();
        assert_eq!(sent.status(), Some(status.as_u16()));
        assert_eq!(sent.deliveries[0].answer, "heard");
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), 1);
        let (headers, body) = &heard[0];
        assert_eq!(body.as_bytes(), sent.body());
        assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(headers["user-agent"], "Bitrix24 Webhook Engine");
        assert_eq!(headers["connection"], "close");
    }
    assert_eq!(portal.deliveries().len(), 3);
}

#[tokio::test]
async fn a_private_message_names_the_user_as_the_dialog_and_carries_the_derived_proof() {
    let portal = start(config()).await;
    let sent = portal.say(27, "456", "Hello").await.unwrap();
    assert_eq!(sent.status(), None, "no address: built, not sent");
    for pair in [
        "event=ONIMBOTV2MESSAGEADD",
        "data[bot][id]=456",
        "data[message][id]=1001",
        "data[message][text]=Hello",
        "data[chat][dialogId]=27",
        "data[user][name]=Svetlana+Ivanova",
        "ts=1772094000",
        "auth[domain]=demo.bitrix24.test",
        "auth[application_token]=customtoken-456",
    ] {
        assert!(has(sent.body(), pair), "{pair}");
    }
    assert!(!String::from_utf8_lossy(sent.body()).contains("access_token"));
    assert_eq!(texts(&portal, "27"), ["Hello"]);
}

#[tokio::test]
async fn an_apps_event_brings_tokens_that_work() {
    let portal = start(config()).await;
    pass(&portal, Duration::from_secs(7200));
    let sent = portal.say(27, "470", "Hello").await.unwrap();
    assert!(has(sent.body(), &format!("data[bot][auth][access_token]={APP_TOKEN}")));
    assert!(has(sent.body(), "auth[application_token]=application-token"));
    let body = String::from_utf8_lossy(sent.body()).into_owned();
    let (_, author) = body.split_once("&auth%5Baccess_token%5D=").unwrap();
    let author = author.split('&').next().unwrap();
    oauth(&portal, APP_TOKEN, REVISION, json!({})).await.result();
    oauth(&portal, author, REVISION, json!({})).await.result();
    let log = portal.log();
    assert_eq!(
        (log[0].identity.as_str(), log[1].identity.as_str()),
        ("local.desk as 470", "local.desk as 27")
    );

    let gone = portal.uninstall(470).await.unwrap();
    assert!(has(first(&gone), "event=ONAPPUNINSTALL"));
    assert_eq!(
        oauth(&portal, APP_TOKEN, REVISION, json!({})).await.refused().1,
        "NO_AUTH_FOUND"
    );
    let back = portal.install(470).await.unwrap();
    assert!(has(first(&back), "auth[scope]=imbot+im"));
    assert_eq!(portal.install(456).await, Err(PortalError::NoApplication(456)));
}

#[tokio::test]
async fn in_a_group_only_the_mentioned_hear() {
    let portal = start(config()).await;
    for (text, hearers) in [
        ("hello all", vec![]),
        ("[USER=456]Echo[/USER] hi", vec![456]),
        (
            "[user=456 replace]Echo[/user] and [USER=457]Other[/USER]",
            vec![456, 457],
        ),
        ("[USER=45]x[/USER]", vec![]),
        ("[USER=all]x[/USER]", vec![456, 457, 470]),
    ] {
        let sent = portal.say(27, "chat5", text).await.unwrap();
        let bots: Vec<_> = sent.deliveries.iter().map(|delivery| delivery.bot_id).collect();
        assert_eq!(bots, hearers, "{text}");
    }
    let sent = portal.say(27, "chat5", "[USER=456]Echo[/USER]").await.unwrap();
    assert!(has(sent.body(), "data[chat][dialogId]=chat5"));
    assert!(has(sent.body(), "data[chat][type]=chat"));
}

#[tokio::test]
async fn a_bot_hears_another_bot_that_mentions_it_and_never_itself() {
    let portal = start(config()).await;
    portal.add_chat(5, &[27, 456, 457]);
    let (url, heard) = ear(StatusCode::OK).await;
    portal.set_webhook_url(456, &url).unwrap();
    portal.set_webhook_url(457, &url).unwrap();
    let both = "[USER=456]me[/USER] [USER=457]you[/USER]";
    webhook(&portal, SEND, &with(text(both), "/dialogId", "chat5".into()))
        .await
        .result();
    while portal.deliveries().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(names(&portal.deliveries()), [(457, "ONIMBOTV2MESSAGEADD")]);
    let body = heard.lock().unwrap()[0].1.clone();
    assert!(has(body.as_bytes(), "data[user][id]=456") && has(body.as_bytes(), "data[user][bot]=1"));
}

#[tokio::test]
async fn a_typed_command_raises_its_event_and_nothing_else() {
    let portal = start(config()).await;
    let sent = portal.say(27, "456", "/help topic  one ").await.unwrap();
    assert_eq!(names(&sent.deliveries), [(456, "ONIMBOTV2COMMANDADD")]);
    for pair in [
        "data[command][id]=71",
        "data[command][command]=%2Fhelp",
        "data[command][params]=topic++one",
        "data[command][context]=textarea",
        "data[message][authorId]=27",
    ] {
        assert!(has(sent.body(), pair), "{pair}");
    }
    let shared = portal.say(27, "chat5", "/help").await.unwrap();
    assert_eq!(
        names(&shared.deliveries),
        [(456, "ONIMBOTV2COMMANDADD"), (457, "ONIMBOTV2COMMANDADD")]
    );
    let unknown = portal.say(27, "456", "/nothing").await.unwrap();
    assert_eq!(names(&unknown.deliveries), [(456, "ONIMBOTV2MESSAGEADD")]);
}

#[tokio::test]
async fn a_pressed_button_raises_its_command_on_the_bots_own_message() {
    let portal = start(config()).await;
    let keyboard = json!([
        { "TEXT": "Yes", "COMMAND": "feedback", "COMMAND_PARAMS": "like 42" },
        { "TEXT": "Site", "LINK": "/x" },
        { "TEXT": "Lost", "COMMAND": "nothing" },
    ]);
    let params = with(text("Select"), "/fields/keyboard", keyboard);
    let id = webhook(&portal, SEND, &params).await.result()["id"].as_i64().unwrap();
    let sent = portal.press(27, id, "Yes").await.unwrap();
    for pair in [
        "data[command][id]=72",
        "data[command][params]=like+42",
        "data[command][context]=keyboard",
        "data[message][id]=1001",
        "data[message][authorId]=456",
        "data[message][params][KEYBOARD][0][COMMAND]=feedback",
        "data[user][id]=27",
    ] {
        assert!(has(sent.body(), pair), "{pair}");
    }
    let answer = json!({
        "botId": 456, "botToken": "token-456", "commandId": 72, "messageId": id, "dialogId": "27",
        "fields": { "message": "Thanks" },
    });
    webhook(&portal, ANSWER, &answer).await.result();

    for button in ["No", "Site"] {
        let unknown = portal.press(27, id, button).await.unwrap_err();
        assert!(matches!(unknown, PortalError::UnknownButton { .. }), "{unknown}");
    }
    let lost = portal.press(27, id, "Lost").await.unwrap_err();
    assert!(matches!(lost, PortalError::UnknownCommand { .. }), "{lost}");
    assert_eq!(portal.press(27, 7, "Yes").await, Err(PortalError::UnknownMessage(7)));
}

#[tokio::test]
async fn the_other_things_people_do_raise_their_events() {
    let portal = start(config()).await;
    let said = portal.say(27, "456", "Hello").await.unwrap().message_id;
    let edited = portal.edit(said, "Hello!").await.unwrap();
    assert!(has(first(&edited), "event=ONIMBOTV2MESSAGEUPDATE"));
    assert!(has(first(&edited), "data[message][params][IS_EDITED]=Y"));
    let deleted = portal.delete_message(said).await.unwrap();
    assert!(has(first(&deleted), "event=ONIMBOTV2MESSAGEDELETE"));
    assert!(has(first(&deleted), "data[messageId]=1001"));

    let id = webhook(&portal, SEND, &text("hi")).await.result()["id"]
        .as_i64()
        .unwrap();
    let liked = portal.react(27, id, "like", true).await.unwrap();
    assert!(has(first(&liked), "event=ONIMBOTV2REACTIONCHANGE") && has(first(&liked), "data[action]=add"));

    let joined = portal.join(27, 457, "chat9").await.unwrap();
    assert!(has(first(&joined), "event=ONIMBOTV2JOINCHAT") && has(first(&joined), "data[dialogId]=chat9"));
    let opened = portal
        .context(27, 456, &json!({ "n": null, "f": 1e25, "l": [1] }))
        .await
        .unwrap();
    assert!(has(first(&opened), "event=ONIMBOTV2CONTEXTGET"));
    assert!(has(first(&opened), "data[context][f]=1.0E%2B25") && has(first(&opened), "data[dialogId]=27"));

    let gone = portal.delete_bot(456).await.unwrap();
    assert!(has(first(&gone), "event=ONIMBOTV2DELETE"));
    assert_eq!(webhook(&portal, SEND, &text("x")).await.refused().1, "BOT_NOT_FOUND");
    assert_eq!(portal.delete_bot(456).await, Err(PortalError::UnknownBot(456)));
    let nobody = portal.say(27, "456", "anyone?").await;
    assert_eq!(nobody, Err(PortalError::UnknownDialog("456".to_owned())));
}

#[tokio::test]
async fn bare_bodies_are_built_without_storing_anything() {
    let portal = start(config()).await;
    let body = portal.message_event(456, 31, 77, "load").unwrap();
    assert!(has(&body, "data[message][id]=77") && has(&body, "data[chat][dialogId]=31"));
    let body = portal.command_event(456, 31, 78, ("help", "me")).unwrap();
    assert!(has(&body, "data[message][text]=%2Fhelp+me") && has(&body, "data[command][params]=me"));
    assert!(portal.messages("31").is_empty() && portal.deliveries().is_empty());
    assert_eq!(portal.message_event(9, 31, 77, "x"), Err(PortalError::UnknownBot(9)));
    let answer = json!({
        "botId": 456, "botToken": "token-456", "commandId": 71, "messageId": 78, "dialogId": "31",
        "fields": { "message": "ok" },
    });
    webhook(&portal, ANSWER, &answer).await.result();
}

/// What a shell hands to `curl` when this line is pasted: a function of that name prints its arguments.
fn arguments(line: &str) -> Vec<String> {
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}\n{line}");
    let run = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    String::from_utf8(run.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn the_curl_line_has_what_an_event_needs_and_a_fresh_id_each_time() {
    let portal = start(config()).await;
    let line = portal.curl(456, "http://127.0.0.1:8080/webhook").unwrap();
    assert_eq!(line.lines().count(), 1);
    let (first, second) = (arguments(&line), arguments(&line));
    let id = |arguments: &[String]| -> i64 {
        let mut ids = arguments
            .iter()
            .filter_map(|pair| pair.strip_prefix("data[message][id]="));
        ids.next().unwrap().parse().unwrap()
    };
    assert_ne!(id(&first), id(&second));
    for pair in [
        "http://127.0.0.1:8080/webhook",
        "event=ONIMBOTV2MESSAGEADD",
        "data[bot][id]=456",
        "data[message][authorId]=27",
        "data[message][text]=Hello, bot",
        "data[chat][dialogId]=27",
        "data[user][id]=27",
        "auth[application_token]=customtoken-456",
        "auth[domain]=demo.bitrix24.test",
        "auth[member_id]=de300de300de300de300de300de300de",
    ] {
        assert!(first.iter().any(|argument| argument == pair), "{pair}: {first:?}");
    }
    for name in ["data[message][chatId]=", "ts="] {
        assert!(first.iter().any(|argument| argument.starts_with(name)), "{name}");
    }
}
