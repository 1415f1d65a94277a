//! The subscriptions of an application: listed, left behind where it has several bots, removed by hand.

use super::*;
use std::collections::BTreeMap;

const ONE: &str = "http://127.0.0.1:9/one";
const TWO: &str = "http://127.0.0.1:9/two";
const NEW: &str = "http://127.0.0.1:9/new";

/// A portal on which the application has these bots, each with its address.
async fn with_bots(bots: &[(i64, &str)]) -> Portal {
    let bots = bots.iter().map(|(id, url)| {
        let code = format!("bot {id}");
        BotSeed::app(*id, &code, "local.desk", APP_TOKEN, "application-token").hooked(*url)
    });
    start(PortalConfig {
        bots: bots.collect(),
        ..config()
    })
    .await
}

/// How many rows lead where.
async fn rows(portal: &Portal) -> BTreeMap<String, usize> {
    let listed = oauth(portal, APP_TOKEN, "event.get", json!({})).await.result();
    let mut found = BTreeMap::new();
    for row in listed.as_array().unwrap() {
        assert_eq!(row["auth_type"], "0");
        *found.entry(row["handler"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    found
}

fn found(rows: &[(&str, usize)]) -> BTreeMap<String, usize> {
    rows.iter().map(|(url, count)| ((*url).to_owned(), *count)).collect()
}

async fn moved(portal: &Portal, bot: i64, fields: Value) {
    let params = json!({ "botId": bot, "fields": fields });
    oauth(portal, APP_TOKEN, "imbot.v2.Bot.update", params).await.result();
}

/// Where a message to this bot went.
async fn heard(portal: &Portal, bot: i64) -> Vec<String> {
    let sent = portal.say(27, &bot.to_string(), "hello").await.unwrap();
    sent.deliveries
        .into_iter()
        .filter_map(|delivery| delivery.url)
        .collect()
}

#[tokio::test]
async fn a_bot_that_is_alone_moves_with_its_eight_rows() {
    let portal = with_bots(&[(470, ONE)]).await;
    assert_eq!(rows(&portal).await, found(&[(ONE, 8)]));
    moved(&portal, 470, json!({ "webhookUrl": NEW })).await;
    assert_eq!(rows(&portal).await, found(&[(NEW, 8)]));
    assert_eq!(heard(&portal, 470).await, [NEW]);
    moved(&portal, 470, json!({ "eventMode": "fetch" })).await;
    assert_eq!(rows(&portal).await, found(&[]));
    let by_webhook = webhook(&portal, "event.get", &json!({})).await.refused();
    assert_eq!(by_webhook, (403, "WRONG_AUTH_TYPE".to_owned()));
}

#[tokio::test]
async fn rows_of_one_of_several_bots_stay_behind_and_go_on_being_served() {
    let portal = with_bots(&[(470, ONE), (471, TWO)]).await;
    assert_eq!(rows(&portal).await, found(&[(ONE, 8), (TWO, 8)]));
    moved(&portal, 470, json!({ "webhookUrl": NEW })).await;
    let all = found(&[(ONE, 8), (TWO, 8), (NEW, 8)]);
    assert_eq!(rows(&portal).await, all);
    assert_eq!(heard(&portal, 470).await, [NEW, ONE]);
    assert_eq!(heard(&portal, 471).await, [TWO, ONE], "a row is the application's");
    moved(&portal, 470, json!({ "webhookUrl": NEW })).await;
    assert_eq!(rows(&portal).await, all, "nothing is left twice");
    moved(&portal, 470, json!({ "webhookUrl": ONE })).await;
    assert_eq!(rows(&portal).await, all, "the other way round");
    moved(&portal, 470, json!({ "isHidden": true })).await;
    assert_eq!(rows(&portal).await, all);
    portal.delete_bot(471).await.unwrap();
    assert_eq!(rows(&portal).await, all);
    portal.uninstall(470).await.unwrap();
    portal.install(470).await.unwrap();
    assert_eq!(
        rows(&portal).await,
        found(&[(ONE, 8)]),
        "an application that goes takes them along"
    );
}

#[tokio::test]
async fn a_row_is_removed_by_event_and_address_also_one_that_a_bot_needs() {
    let portal = with_bots(&[(470, ONE), (471, TWO)]).await;
    moved(&portal, 470, json!({ "webhookUrl": NEW })).await;
    let unbind = async |event: &str, handler: &str| {
        let params = json!({ "event": event, "handler": handler });
        oauth(&portal, APP_TOKEN, "event.unbind", params).await.result()["count"].clone()
    };
    assert_eq!(unbind("OnImBotV2MessageAdd", ONE).await, 1);
    assert_eq!(unbind("OnImBotV2MessageAdd", ONE).await, 0);
    assert_eq!(rows(&portal).await, found(&[(ONE, 7), (TWO, 8), (NEW, 8)]));
    assert_eq!(heard(&portal, 470).await, [NEW]);
    assert_eq!(unbind("ONIMBOTV2MESSAGEADD", NEW).await, 1);
    assert_eq!(heard(&portal, 470).await, [""; 0], "it is deaf now");
    assert_eq!(heard(&portal, 471).await, [TWO]);
    moved(&portal, 470, json!({ "webhookUrl": NEW })).await;
    assert_eq!(heard(&portal, 470).await, [NEW], "told again, it hears again");
    let short = oauth(&portal, APP_TOKEN, "event.unbind", json!({ "event": "ONAPPUPDATE" })).await;
    assert_eq!(short.refused().1, "ERROR_ARGUMENT");
}
