//! The scenarios that a portal must ship, each played against imbot: number and sentence are those of the emulator's
//! specification. What a scenario needs beside the conversation (logs, statuses, counts) comes from the stage.

mod batches;
mod fetch;
mod identity;
mod rotation;
mod switching;
mod twins;
mod upload;

use crate::scene::*;
use imbot::method::{MessageRead, MessageSend};
use imbot::portal::{Deed, LogEntry, Portal, PortalConfig, Shape};
use imbot::testing::{Stage, with};
use imbot::{Bot, Ctx, MessageAdd};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A REST call of somebody else than imbot: status and body.
async fn rest(base: &str, method: &str, params: &Value) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(format!("{base}{method}"))
        .json(params)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn refused_with(portal: &Portal, status: u16) -> usize {
    portal.log().iter().filter(|entry| entry.status == Some(status)).count()
}

fn named(portal: &Portal, method: &str) -> Vec<LogEntry> {
    let mut log = portal.log();
    log.retain(|entry| entry.method == method);
    log
}

/// Posts one message each of these users, all waiting at the door before anything is sent.
async fn at_once(stage: &mut Stage, users: std::ops::Range<i64>, texts: &[&str]) {
    // No message id twice, also not in a second rush.
    let mut id = users.start * 100;
    for text in texts {
        for user in users.clone() {
            id += 1;
            let body = message(stage.portal(), user, id, text);
            accepted(stage, body).await;
        }
    }
}

fn all_heard_once(portal: &Portal, users: std::ops::Range<i64>, texts: &[&str]) {
    for user in users {
        let said = portal.messages(&user.to_string()).into_iter();
        let said: Vec<String> = said
            .filter(|message| message.bot.is_some())
            .map(|message| message.text)
            .collect();
        assert_eq!(said, texts, "user {user}");
    }
}

/// Replies and marks what it answered as read.
fn reader() -> Bot {
    Bot::new("reader").on(async |ctx: Ctx, heard: MessageAdd| {
        ctx.reply(heard.message.text)?;
        ctx.call(MessageRead::new(ctx.dialog_id().unwrap_or_default()).up_to(heard.message.id))
            .map(drop)
    })
}

#[tokio::test]
async fn s01_happy_path_with_an_incoming_webhook_register_message_in_reply_read() {
    let stage = Stage::builder().bot(reader()).start().await;
    let clock = stage.clock().clone();
    let portal = Portal::start(PortalConfig::new(clock)).await.unwrap();
    portal.add_user(27, "Ann");
    drop(stage);
    let fields = json!({ "code": "reader", "botToken": "own-token", "properties": { "name": "Reader" } });
    let (status, made) = rest(
        &portal.incoming_webhook(),
        "imbot.v2.Bot.register",
        &json!({ "fields": fields }),
    )
    .await;
    assert_eq!(status, 200, "{made}");
    let id = made["result"]["bot"]["id"].as_i64().unwrap();
    let (endpoint, webhook) = (portal.endpoint(), portal.incoming_webhook());
    let table = format!(
        "[[portal]]\nname = \"own\"\ndomain = \"demo.bitrix24.test\"\nendpoint = \"{endpoint}\"\nallow_insecure = true\n\
         incoming_webhook = \"{webhook}\"\n[[portal.bot]]\nid = {id}\nhandler = \"reader\"\nbot_token = \"own-token\"\n"
    );
    let mut stage = Stage::builder().bot(reader()).config(&table).start().await;
    let update = json!({
        "botId": id, "botToken": "own-token", "fields": { "eventMode": "webhook", "webhookUrl": stage.webhook() },
    });
    assert_eq!(rest(&webhook, "imbot.v2.Bot.update", &update).await.0, 200);

    let sent = portal.say(27, &id.to_string(), "hi").await.unwrap();
    assert_eq!(sent.status(), Some(200));
    stage.settle().await;
    all_heard_once(&portal, 27..28, &["hi"]);
    let read = named(&portal, "imbot.v2.Chat.Message.read");
    assert_eq!(read[0].answer["viewedMessages"], json!([sent.message_id]));
    over(stage).await;
}

#[tokio::test]
async fn s06_sixty_messages_at_once_see_no_503_and_with_a_cold_client_all_arrive_in_order() {
    let texts = ["one", "two", "three"];
    for cold in [false, true] {
        let mut stage = Stage::builder().bot(parrot()).start().await;
        if cold {
            stage.portal().apply(&Deed::DrainRateLimit);
        }
        at_once(&mut stage, 1000..1020, &texts).await;
        stage.pass(seconds(180)).await;
        all_heard_once(stage.portal(), 1000..1020, &texts);
        assert_eq!(
            refused_with(stage.portal(), 503) > 0,
            cold,
            "the bucket was full before: {cold}"
        );
        assert!(stage.dead_letters().await.is_empty());
        over(stage).await;
    }
}

#[tokio::test]
async fn s07_two_replicas_on_one_ip_deliver_everything_once() {
    let mut first = Stage::builder().bot(parrot()).start().await;
    let mut second = Stage::builder().bot(parrot()).beside(&first).start().await;
    let texts = ["one", "two"];
    at_once(&mut first, 1000..1030, &texts).await;
    at_once(&mut second, 2000..2030, &texts).await;
    for _ in 0..180 {
        first.settle().await;
        second.settle().await;
        first.clock().advance(seconds(1));
    }
    all_heard_once(first.portal(), 1000..1030, &texts);
    all_heard_once(first.portal(), 2000..2030, &texts);
    assert!(refused_with(first.portal(), 503) > 0, "neither knows of the other");
    over(first).await;
    over(second).await;
}

#[tokio::test]
async fn s08_a_503_as_html_is_waited_out() {
    let mut talk = with(parrot()).await;
    talk.portal().refuse_for(seconds(20), Shape::Html);
    talk.user("Ann").says("one").await;
    talk.user("Ann").says("two").await;
    talk.pass(seconds(60)).await;
    assert_eq!(talk.heard().await, "parrot -> Ann: one\nparrot -> Ann: two");
    assert!(refused_with(talk.portal(), 503) > 0);
    talk.over().await;
}

#[tokio::test]
async fn s09_a_429_for_one_method_lets_other_methods_continue() {
    let mut talk = with(parrot()).await;
    talk.portal().answer_error(Some(SEND), 429, "OPERATION_TIME_LIMIT", 1);
    talk.user("Ann").says("waits").await;
    talk.user("Bob").in_chat("Team").runs("/help").await;
    assert_eq!(talk.heard().await, "parrot -> Team: no help");
    talk.pass(seconds(700)).await;
    assert_eq!(talk.heard().await, "parrot -> Ann: waits");
    talk.over().await;
}

#[tokio::test]
async fn s10_a_filled_operating_budget_slows_down_then_resumes_at_the_reset() {
    let mut talk = with(parrot()).await;
    let fill = Deed::FillOperating {
        method: SEND.to_owned(),
        time: seconds(481),
    };
    talk.portal().apply(&fill);
    talk.user("Ann").says("one").await;
    talk.user("Ann").says("two").await;
    assert_eq!(talk.heard().await, "");
    talk.pass(seconds(1300)).await;
    assert_eq!(talk.heard().await, "parrot -> Ann: one\nparrot -> Ann: two");
    let tries = refused_with(talk.portal(), 429);
    assert!((1..20).contains(&tries), "{tries} tries at a closed method");
    talk.over().await;
}

#[tokio::test]
async fn s15_executed_then_reset_shows_one_message_with_a_template_id_and_two_without() {
    let system = Bot::new("system").on(async |ctx: Ctx, heard: MessageAdd| {
        ctx.call(MessageSend::new(ctx.dialog_id().unwrap_or_default(), heard.message.text).system())
            .map(drop)
    });
    for (bot, shown) in [(parrot(), 1), (system, 2)] {
        let builder = Stage::builder().bot(bot).config("deliver.on_unknown = \"repeat\"");
        let mut stage = builder.start().await;
        stage.portal().execute_then_reset(Some(SEND), 1);
        stage.says(27, TO_BOT, "hi").await;
        stage.pass(seconds(30)).await;
        assert_eq!(stage.heard("27").len(), shown);
        over(stage).await;
    }
}

#[tokio::test]
async fn s16_the_same_on_a_commands_answer_is_at_most_one() {
    let mut talk = with(parrot()).await;
    talk.portal().execute_then_reset(Some(ANSWER), 1);
    talk.user("Ann").in_chat("Team").runs("/help").await;
    talk.pass(seconds(600)).await;
    assert_eq!(talk.heard().await, "parrot -> Team: no help");
    let letter = talk.dead_letters().await;
    assert!(letter.starts_with("unknown imbot.v2.Command.answer"), "{letter}");
    talk.over().await;
}

#[tokio::test]
async fn s18_a_bot_kicked_from_a_chat_gets_access_denied_which_is_counted_and_dropped() {
    let mut talk = with(parrot()).await;
    talk.user("Ann").in_chat("Team").says("@parrot one").await;
    talk.heard().await;
    talk.portal().answer_error(None, 500, "INTERNAL_SERVER_ERROR", 1);
    talk.user("Ann").in_chat("Team").says("@parrot two").await;
    talk.portal().apply(&Deed::KickBot { bot: BOT, chat: 5 });
    talk.pass(seconds(60)).await;
    let letters = talk.dead_letters().await;
    assert!(
        letters.contains("calls imbot.v2.Chat.Message.send: ACCESS_DENIED"),
        "{letters}"
    );
    assert_eq!(talk.heard().await, "");
    talk.user("Ann").says("still here").await;
    assert_eq!(talk.heard().await, "parrot -> Ann: still here");
    talk.over().await;
}

#[tokio::test]
async fn s19_a_deleted_bots_queue_is_parked() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage.portal().refuse_for(seconds(20), Shape::Json);
    stage.says(27, TO_BOT, "one").await;
    stage.says(28, TO_BOT, "two").await;
    stage.portal().apply(&Deed::DeleteBot(BOT));
    stage.pass(seconds(1800)).await;
    assert!(stage.dead_letters().await.is_empty(), "the queue is kept");
    assert_eq!(balanced(&mut stage).await.calls, 2);
    let mut asked = stage.portal().log();
    asked.retain(|entry| entry.status == Some(400));
    assert!(
        (1..=6).contains(&asked.len()),
        "{} questions in half an hour",
        asked.len()
    );
    stage.stop().await;
}

#[tokio::test]
async fn s21_twenty_thousand_and_one_characters_are_split_in_two_and_no_tag_is_torn() {
    let long = Bot::new("long").on(async |ctx: Ctx, heard: MessageAdd| {
        let text = format!("[b]{}[/b]", "x".repeat(heard.message.text.parse()?));
        ctx.reply(imbot::Markup::raw(text))
    });
    let mut stage = Stage::builder().bot(long).start().await;
    stage.says(27, TO_BOT, "19993").await;
    assert_eq!(stage.heard("27").len(), 1, "20,000 characters are one message");
    stage.says(28, TO_BOT, "19994").await;
    let parts = stage.heard("28");
    assert_eq!(parts.len(), 2);
    let inside: usize = parts
        .iter()
        .map(|part| {
            let inside = part.strip_prefix("[b]").and_then(|part| part.strip_suffix("[/b]"));
            let inside = inside.unwrap_or_else(|| panic!("a torn tag: {} characters", part.len()));
            assert!(part.chars().count() <= 20_000 && inside.bytes().all(|letter| letter == b'x'));
            inside.len()
        })
        .sum();
    assert_eq!(inside, 19_994, "nothing is lost");
    over(stage).await;
}

#[tokio::test]
async fn s26_access_denied_of_the_plan_parks_the_identity_and_of_the_chat_drops_the_call() {
    let mut talk = with(parrot()).await;
    talk.portal().answer_error(None, 400, "ACCESS_DENIED", 1);
    talk.user("Ann").says("dropped").await;
    let letters = talk.dead_letters().await;
    assert_eq!(letters, format!("calls {SEND}: ACCESS_DENIED after 1 attempt"));
    talk.portal().apply(&Deed::EndPlan);
    talk.user("Ann").says("kept").await;
    talk.user("Bob").says("kept too").await;
    talk.pass(seconds(60)).await;
    assert_eq!(talk.dead_letters().await, "", "the queue is kept");
    let asked = refused_with(talk.portal(), 403);
    assert!((1..=4).contains(&asked), "{asked} requests to a portal without a plan");
    talk.portal().restore();
    talk.pass(seconds(660)).await;
    assert_eq!(talk.heard().await, "parrot -> Ann: kept\nparrot -> Bob: kept too");
    talk.over().await;
}

#[tokio::test]
async fn s27_invalid_json_from_the_client_is_answered_like_missing_parameters() {
    let portal = Portal::start(PortalConfig::new(imbot::types::Clock::system()))
        .await
        .unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{SEND}", portal.incoming_webhook());
    let mut answers = Vec::new();
    for body in ["{\"botId\":1", "[1,2]", "{}"] {
        let request = client.post(&url).header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        answers.push((answer.status().as_u16(), answer.json::<Value>().await.unwrap()));
    }
    assert_eq!(answers[0], answers[2]);
    assert_eq!(answers[1], answers[2]);
    assert_eq!(answers[2].1["error"], "BOT_TOKEN_NOT_SPECIFIED");
}

/// An address that answers everything with 500, and counts.
async fn failing_handler() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            let mut read = [0; 65536];
            let _ = stream.read(&mut read).await;
            let _ = stream
                .write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .await;
        }
    });
    (format!("http://{address}/webhook"), count)
}

#[tokio::test]
async fn s29_a_handler_that_answers_late_or_500_gets_no_redelivery() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    let (failing, count) = failing_handler().await;
    stage.portal().set_webhook_url(BOT, &failing).unwrap();
    assert_eq!(
        stage.portal().say(27, TO_BOT, "lost").await.unwrap().status(),
        Some(500)
    );
    stage.pass(seconds(600)).await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    // Late: the answer comes ten seconds after the portal began to send.
    let webhook = stage.webhook();
    stage.portal().set_webhook_url(BOT, &webhook).unwrap();
    stage.portal().event_fault(imbot::portal::EventRule {
        event: None,
        times: Some(1),
        fault: imbot::portal::EventFault::SlowSend(seconds(10)),
    });
    let saying = tokio::spawn({
        let portal = stage.portal().clone();
        async move { portal.say(27, TO_BOT, "late").await.unwrap().status() }
    });
    while !saying.is_finished() {
        stage.pass(seconds(1)).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(saying.await.unwrap(), Some(200));
    stage.pass(seconds(600)).await;
    assert_eq!(stage.heard("27"), ["late"], "once, and the lost one never");
    assert_eq!(stage.portal().deliveries().len(), 2);
    over(stage).await;
}
