//! The scenarios about bots that fetch their events, and what else a second source of events must keep to.

use super::{named, rest};
use crate::scene::*;
use imbot::portal::{LogEntry, Portal};
use imbot::testing::Stage;
use serde_json::{Value, json};

const GET: &str = "imbot.v2.Event.get";
/// The bot's token, as a stage makes it.
const TOKEN: &str = "stage-token-0-parrot";

async fn fetching() -> Stage {
    let mut stage = Stage::builder().bot(parrot()).fetching().start().await;
    stage.settle().await;
    stage
}

async fn said(stage: &Stage, texts: &[&str]) {
    for text in texts {
        stage.portal().say(27, TO_BOT, text).await.unwrap();
    }
}

/// The offsets of all polls that the portal carried out; 0: none was given.
fn offsets(portal: &Portal) -> Vec<i64> {
    named(portal, GET).iter().map(offset).collect()
}

/// In a batch every number is text.
fn offset(entry: &LogEntry) -> i64 {
    match &entry.params["offset"] {
        Value::String(text) => text.parse().unwrap(),
        Value::Null => 0,
        number => number.as_i64().unwrap(),
    }
}

/// The texts of a page.
fn texts(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().unwrap().iter();
    let text = |event: &Value| event["data"]["message"]["text"].as_str().unwrap().to_owned();
    events.map(text).collect()
}

/// A poll by somebody else: what it got, and where it would go on.
async fn polled(portal: &Portal, offset: Option<i64>, limit: usize) -> (Vec<String>, i64) {
    let mut params = json!({ "botId": BOT, "botToken": TOKEN, "limit": limit });
    if let Some(offset) = offset {
        params["offset"] = offset.into();
    }
    let (status, page) = rest(&portal.incoming_webhook(), GET, &params).await;
    assert_eq!(status, 200, "{page}");
    let next = page["result"]["nextOffset"].as_i64().unwrap();
    (texts(&page["result"]), next)
}

/// A message to the bot as the portal would post it: in webhook mode for a moment.
async fn posted(portal: &Portal, id: i64, text: &str) -> Vec<u8> {
    let switch = async |fields: Value| {
        let params = json!({ "botId": BOT, "botToken": TOKEN, "fields": fields });
        let (status, answer) = rest(&portal.incoming_webhook(), "imbot.v2.Bot.update", &params).await;
        assert_eq!(status, 200, "{answer}");
    };
    switch(json!({ "eventMode": "webhook", "webhookUrl": "https://bots.example.com/webhook" })).await;
    let body = message(portal, 27, id, text);
    switch(json!({ "eventMode": "fetch" })).await;
    body
}

#[tokio::test]
async fn s23_a_crash_between_processing_and_confirming_gives_a_repeat_and_never_a_loss() {
    let mut stage = fetching().await;
    said(&stage, &["one", "two"]).await;
    // The portal has given the page away, and it never arrived.
    stage.portal().execute_then_reset(Some(GET), 2);
    stage.clock().advance(seconds(5));
    stage.kill().await;
    stage.pass(seconds(60)).await;
    assert_eq!(stage.heard("27"), ["one", "two"]);
    let log = named(stage.portal(), GET);
    let given = log.iter().filter(|poll| texts(&poll.answer) == ["one", "two"]).count();
    assert!(given > 1, "it had to be given again");

    let mut expected = vec!["one".to_owned(), "two".to_owned()];
    for round in 0..12 {
        let text = format!("round {round}");
        said(&stage, &[&text]).await;
        expected.push(text);
        stage.clock().advance(seconds(35));
        // Each time a little further on the way from the poll to the offset.
        for _ in 0..round * 12 {
            tokio::task::yield_now().await;
        }
        stage.kill().await;
    }
    stage.pass(seconds(60)).await;
    assert_eq!(stage.heard("27"), expected, "each once, in their order");
    let totals = over(stage).await;
    assert_eq!(totals.done, 14);
}

#[tokio::test]
async fn s23_a_next_offset_of_zero_does_not_reset_the_cursor() {
    let mut stage = fetching().await;
    stage.pass(seconds(40)).await;
    assert!(
        offsets(stage.portal()).iter().all(|offset| *offset == 0),
        "nothing to confirm yet"
    );
    said(&stage, &["one"]).await;
    stage.pass(seconds(30)).await;
    let confirmed = *offsets(stage.portal()).last().unwrap();
    assert!(confirmed > 0);
    stage.pass(seconds(120)).await;
    stage.restart().await;
    stage.settle().await;
    let polls = offsets(stage.portal());
    let from = polls.iter().position(|offset| *offset == confirmed).unwrap();
    assert!(polls[from..].iter().all(|offset| *offset == confirmed), "{polls:?}");
    assert_eq!(
        polled(stage.portal(), None, 9).await,
        (Vec::new(), 0),
        "the portal was told"
    );

    // A portal that says 0 for an empty page, whatever it was asked: as if it had lost its memory.
    said(&stage, &["two"]).await;
    stage.pass(seconds(60)).await;
    assert_eq!(stage.heard("27"), ["one", "two"]);
    assert!(*offsets(stage.portal()).last().unwrap() > confirmed);
    over(stage).await;
}

#[tokio::test]
async fn s23_what_waits_longer_than_a_day_at_the_portal_is_gone() {
    let mut stage = fetching().await;
    stage.stop().await;
    said(&stage, &["lost"]).await;
    stage.clock().advance(seconds(3600));
    said(&stage, &["just in time"]).await;
    stage.clock().advance(seconds(23 * 3600));
    stage.restart().await;
    stage.settle().await;
    assert_eq!(stage.heard("27"), ["just in time"]);
    over(stage).await;
}

#[tokio::test]
async fn s24_of_two_pollers_each_takes_from_the_other_and_nothing_is_doubled() {
    let mut stage = fetching().await;
    let all: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let (mut theirs, mut cursor) = (Vec::new(), None);
    for pair in all.chunks(2) {
        said(&stage, &[&pair[0], &pair[1]]).await;
        let (page, next) = polled(stage.portal(), cursor, 1).await;
        theirs.extend(page);
        // The other one confirms what it got, so it is gone for us unless we had it before.
        cursor = Some(next).filter(|next| *next > 0).or(cursor);
        stage.pass(seconds(3)).await;
    }
    stage.pass(seconds(60)).await;
    let ours = stage.heard("27");
    let missing: Vec<&String> = all.iter().filter(|text| !ours.contains(text)).collect();
    assert!(!missing.is_empty(), "what the other one confirmed did not come");
    assert!(
        missing.iter().all(|text| theirs.contains(text)),
        "{missing:?} came to nobody"
    );
    let mut once = ours.clone();
    once.dedup();
    assert_eq!(once, ours, "nothing is doubled");
    over(stage).await;
}

#[tokio::test]
async fn an_event_that_is_fetched_and_posted_is_handled_once() {
    let mut stage = fetching().await;
    let first = stage.portal().say(27, TO_BOT, "posted first").await.unwrap();
    let body = posted(stage.portal(), first.message_id, "posted first").await;
    accepted(&mut stage, body).await;
    stage.pass(seconds(10)).await;
    assert_eq!(stage.heard("27"), ["posted first"]);

    let second = stage.portal().say(27, TO_BOT, "fetched first").await.unwrap();
    stage.pass(seconds(30)).await;
    assert_eq!(stage.heard("27"), ["posted first", "fetched first"]);
    let body = posted(stage.portal(), second.message_id, "fetched first").await;
    assert_eq!(stage.post_form(body).await.outcome, "duplicate");
    let totals = over(stage).await;
    assert_eq!((totals.accepted, totals.done), (2, 2));
}

#[tokio::test]
async fn events_of_a_fetching_bot_keep_their_order_and_full_pages_are_followed_up() {
    let mut stage = fetching().await;
    let texts: Vec<String> = (0..250).map(|number| number.to_string()).collect();
    said(&stage, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let begin = named(stage.portal(), GET).len();
    stage.pass(seconds(20)).await;
    let polls = named(stage.portal(), GET);
    let times: Vec<i64> = polls[begin..].iter().map(|poll| poll.at.0).collect();
    let pauses: Vec<i64> = times.windows(2).map(|two| (two[1] - two[0]) / 1000).collect();
    assert_eq!(pauses, [2, 2, 5], "two full pages, then the rest");
    stage.pass(seconds(300)).await;
    assert_eq!(stage.heard("27"), texts);
    over(stage).await;
}

#[tokio::test]
async fn the_fewer_events_the_fewer_polls_and_errors_double_the_pause_up_to_a_minute() {
    let mut stage = fetching().await;
    stage.pass(seconds(300)).await;
    let pauses = |from: usize| -> Vec<i64> {
        let log = stage.portal().log();
        let times: Vec<i64> = log.iter().skip(from).map(|poll| poll.at.0 / 1000).collect();
        times.windows(2).map(|two| two[1] - two[0]).collect()
    };
    assert_eq!(pauses(0)[..5], [10, 20, 30, 30, 30]);
    let from = stage.portal().log().len();
    stage.portal().answer_error(Some(GET), 400, "SOME_ERROR", 7);
    stage.pass(seconds(600)).await;
    let pauses: Vec<i64> = {
        let log = stage.portal().log();
        let times: Vec<i64> = log.iter().skip(from).map(|poll| poll.at.0 / 1000).collect();
        times.windows(2).map(|two| two[1] - two[0]).collect()
    };
    assert_eq!(pauses[..7], [5, 10, 20, 40, 60, 60, 60], "{pauses:?}");
    said(&stage, &["after it"]).await;
    stage.pass(seconds(60)).await;
    assert_eq!(stage.heard("27"), ["after it"]);
    over(stage).await;
}

#[tokio::test]
async fn the_bots_of_a_portal_are_polled_in_one_request() {
    let bots = (0..20).map(|number| {
        imbot::Bot::new(format!("bot{number}"))
            .on(async |ctx: imbot::Ctx, heard: imbot::MessageAdd| ctx.reply(heard.message.text))
    });
    let builder = bots.fold(Stage::builder(), |stage, bot| stage.bot(bot));
    let mut stage = builder.fetching().start().await;
    stage.settle().await;
    for bot in [BOT, BOT + 7] {
        stage.portal().say(27, &bot.to_string(), "hi").await.unwrap();
    }
    stage.pass(seconds(120)).await;
    let polls = named(stage.portal(), GET);
    assert!(polls.iter().all(|poll| poll.batched), "none went alone");
    let batches = named(stage.portal(), "batch").len();
    assert!(polls.len() >= 20 * 4, "{} polls", polls.len());
    // From the second pair on, those with events are asked more often than the others, together.
    assert!(batches <= 14, "{batches} requests for {} polls", polls.len());
    assert_eq!(balanced(&mut stage).await.done, 2);
    over(stage).await;
}

#[tokio::test]
async fn a_full_store_confirms_nothing_and_goes_on_when_there_is_room() {
    let mut stage = Stage::builder()
        .bot(parrot())
        .fetching()
        .config("store.max_bytes = \"1MiB\"")
        .start()
        .await;
    stage.settle().await;
    let long = "x".repeat(18_000);
    let texts: Vec<String> = (0..150).map(|number| format!("{number} {long}")).collect();
    said(&stage, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    stage.pass(seconds(1200)).await;
    let heard: Vec<String> = stage.heard("27");
    assert!(heard == texts, "{} of {}", heard.len(), texts.len());
    let polls = offsets(stage.portal());
    let second = *polls.iter().find(|offset| **offset > 0).unwrap();
    let again = polls.iter().filter(|offset| **offset == second).count();
    assert!(again > 1, "the second page had to wait: {polls:?}");
    assert!(stage.dead_letters().await.is_empty());
    over(stage).await;
}

#[tokio::test]
async fn a_paused_bot_is_not_polled_and_its_events_wait_at_the_portal() {
    let mut stage = fetching().await;
    let (address, token) = stage.admin();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let tell = async |verb: &str| {
        let url = format!("{address}/api/v1/{verb}");
        let request = client
            .post(url)
            .bearer_auth(&token)
            .json(&json!({ "portal": "p0", "bot": BOT }));
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    };
    tell("pause").await;
    let polls = named(stage.portal(), GET).len();
    said(&stage, &["later"]).await;
    stage.pass(seconds(600)).await;
    assert_eq!(named(stage.portal(), GET).len(), polls);
    tell("resume").await;
    stage.pass(seconds(10)).await;
    assert_eq!(stage.heard("27"), ["later"]);
    over(stage).await;
}
