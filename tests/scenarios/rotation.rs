//! Scenario 20 and what belongs to it: a bot gets a new token while events come and calls wait; nothing is refused, lost or
//! doubled, wherever it is interrupted.

use super::{named, rest};
use crate::scene::*;
use imbot::portal::{Action, Knobs, Portal, Rule, Sent, Shape};
use imbot::testing::Stage;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinHandle;

const UPDATE: &str = "imbot.v2.Bot.update";
/// What imbot asks to find out which token the portal has.
const QUESTION: &str = "imbot.v2.Command.list";
/// The bot's token, as a stage makes it and as the configuration keeps it.
const OLD: &str = "stage-token-0-parrot";

/// A request to the operator's API of a stage: status and body.
pub(super) async fn asked(stage: &mut Stage, path: &str, body: Value) -> (u16, Value) {
    let (address, token) = stage.admin();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{address}{path}")).bearer_auth(&token).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A bot in the status.
pub(super) async fn status(stage: &mut Stage) -> Value {
    let (address, token) = stage.admin();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .get(format!("{address}/api/v1/status"))
        .bearer_auth(&token)
        .send();
    let answer: Value = answer.await.unwrap().json().await.unwrap();
    answer["portals"][0]["bots"][0].clone()
}

async fn rotate(stage: &mut Stage) -> (u16, Value) {
    asked(stage, "/api/v1/rotate-token", json!({ "portal": "p0", "bot": BOT })).await
}

fn struck(method: Option<&str>, times: Option<u32>, action: Action) -> Rule {
    Rule {
        method: method.map(str::to_owned),
        times,
        until: None,
        action,
    }
}

fn trouble() -> Action {
    Action::Answer {
        status: 500,
        code: "INTERNAL_SERVER_ERROR".to_owned(),
        shape: Shape::Json,
    }
}

/// A portal in trouble for so long.
fn troubled(stage: &Stage, method: Option<&str>, seconds_: u64) {
    stage.portal().fault(Rule {
        until: Some(stage.clock().now() + seconds(seconds_)),
        ..struck(method, None, trouble())
    });
}

/// Whether the portal takes this token for the bot's.
async fn owns(portal: &Portal, token: &str) -> bool {
    let params = json!({ "botId": BOT, "botToken": token });
    rest(&portal.incoming_webhook(), QUESTION, &params).await.0 == 200
}

/// Somebody says something; the event may take its time.
pub(super) fn saying(portal: &Portal, user: i64, text: &str) -> JoinHandle<Sent> {
    let (portal, text) = (portal.clone(), text.to_owned());
    tokio::spawn(async move { portal.say(user, TO_BOT, &text).await.unwrap() })
}

/// All events were taken by the door.
async fn all_taken(saying: Vec<JoinHandle<Sent>>) {
    for sent in saying {
        let sent = sent.await.unwrap();
        assert_eq!(sent.status(), Some(200), "{:?}", sent.deliveries[0].answer);
    }
}

#[tokio::test]
async fn s20_rotation_while_events_are_queued_refuses_none_and_both_tokens_are_taken_for_the_grace_time() {
    let mut knobs = Knobs::default();
    knobs.event_delay = seconds(30);
    let mut stage = Stage::builder().bot(parrot()).knobs(knobs).start().await;
    let portal = stage.portal().clone();
    let (mut said, mut texts) = (Vec::new(), Vec::new());
    let before = message(&portal, 27, 9001, "under the old one");
    for round in 0..12 {
        for user in 1000..1008 {
            said.push(saying(&portal, user, &round.to_string()));
        }
        texts.push(round.to_string());
        stage.pass(seconds(3)).await;
        if round == 5 {
            let (code, view) = rotate(&mut stage).await;
            assert_eq!((code, &view["state"]), (200, &json!("done")), "{view}");
            assert_eq!((&view["agrees"], &view["rewritten"]), (&json!(false), &json!(false)));
        }
    }
    stage.pass(seconds(120)).await;
    all_taken(said).await;
    stage.pass(seconds(120)).await;
    // Delays turn the order of one person's messages; each is answered once.
    for user in 1000..1008 {
        let mut heard = stage.heard(&user.to_string());
        heard.sort_by_key(|text| text.parse::<u32>().unwrap());
        assert_eq!(heard, texts);
    }
    assert!(!owns(&portal, OLD).await, "the portal has the new one");
    assert!(stage.dead_letters().await.is_empty());

    accepted(&mut stage, before.clone()).await;
    stage.pass(seconds(600)).await;
    let late = with(&before, "data[message][id]", "9002");
    assert_eq!(
        stage.post_form(late).await.status,
        403,
        "ten minutes later it proves nothing"
    );

    // The configuration still has the old one.
    stage.restart().await;
    let said = vec![saying(&portal, 27, "after the restart")];
    stage.pass(seconds(60)).await;
    all_taken(said).await;
    stage.pass(seconds(5)).await;
    assert_eq!(stage.heard("27"), ["under the old one", "after the restart"]);
    let bot = status(&mut stage).await;
    assert_eq!(
        (&bot["token"]["state"], &bot["token"]["agrees"]),
        (&json!("done"), &json!(false))
    );
    let told = bot["differences"][0].as_str().unwrap();
    assert!(told.contains("the stored token is used"), "{told}");
    over(stage).await;
}

#[tokio::test]
async fn a_bot_can_be_given_a_new_token_again_and_again() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    for round in 0..4 {
        let (code, view) = rotate(&mut stage).await;
        assert_eq!((code, &view["state"]), (200, &json!("done")), "{view}");
        stage.says(27, TO_BOT, &round.to_string()).await;
        stage.pass(seconds(200)).await;
        stage.kill().await;
        // After a crash the budget is taken for used up.
        stage.pass(seconds(30)).await;
    }
    assert_eq!(stage.heard("27"), ["0", "1", "2", "3"]);
    let asked = named(stage.portal(), QUESTION).len();
    assert_eq!(asked, 0, "nothing was in doubt");
    over(stage).await;
}

#[tokio::test]
async fn replies_that_wait_while_nobody_knows_the_token_leave_once_it_is_known() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage
        .portal()
        .fault(struck(Some(UPDATE), Some(1), Action::ResetAfterExecution));
    troubled(&stage, None, 120);
    for user in 1000..1010 {
        stage.says(user, TO_BOT, "hi").await;
    }
    let (code, view) = rotate(&mut stage).await;
    assert_eq!((code, &view["state"]), (200, &json!("planned")), "{view}");
    for user in 1000..1010 {
        stage.says(user, TO_BOT, "again").await;
    }
    stage.pass(seconds(100)).await;
    assert!(stage.heard("1000").is_empty());
    assert!(
        status(&mut stage).await["differences"][0]
            .as_str()
            .unwrap()
            .contains("has not said yet")
    );
    stage.pass(seconds(100)).await;
    super::all_heard_once(stage.portal(), 1000..1010, &["hi", "again"]);
    assert!(!owns(stage.portal(), OLD).await);
    assert!(stage.dead_letters().await.is_empty());
    assert_eq!(status(&mut stage).await["token"]["state"], "done");
    over(stage).await;
}

#[tokio::test]
async fn a_new_token_that_did_not_arrive_leaves_the_old_one_in_use() {
    for (action, code, reason) in [
        (Action::ResetBeforeExecution, 502, "not_done"),
        (trouble(), 502, "not_done"),
        (
            Action::Answer {
                status: 400,
                code: "BOT_TOKEN_ROTATION_FAILED".to_owned(),
                shape: Shape::Json,
            },
            422,
            "refused",
        ),
    ] {
        let mut stage = Stage::builder().bot(parrot()).start().await;
        stage.portal().fault(struck(Some(UPDATE), Some(1), action));
        let (status_, view) = rotate(&mut stage).await;
        assert_eq!((status_, &view["error"]), (code, &json!(reason)), "{view}");
        stage.says(27, TO_BOT, "hi").await;
        assert_eq!(stage.heard("27"), ["hi"]);
        assert!(owns(stage.portal(), OLD).await);
        assert!(status(&mut stage).await["token"].is_null());
        over(stage).await;
    }
}

/// Waits until the store knows of a change.
async fn planned(stage: &mut Stage) {
    for _ in 0..2000 {
        if status(stage).await["token"]["state"] == "planned" {
            return;
        }
    }
    panic!("nothing was planned");
}

/// Begins a rotation and does not wait for its end.
async fn begun(stage: &mut Stage) {
    let (address, token) = stage.admin();
    tokio::spawn(async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let body = json!({ "portal": "p0", "code": BOT.to_string() });
        let url = format!("{address}/api/v1/rotate-token");
        client.post(url).bearer_auth(&token).json(&body).send().await
    });
    planned(stage).await;
}

#[tokio::test]
async fn a_kill_before_the_portal_was_told_leaves_the_old_token_in_use() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage.portal().fault(struck(Some(UPDATE), Some(1), Action::Hang));
    begun(&mut stage).await;
    let said = message(stage.portal(), 27, 9001, "while it is planned");
    accepted(&mut stage, said).await;
    stage.kill().await;
    stage.pass(seconds(30)).await;
    assert_eq!(stage.heard("27"), ["while it is planned"]);
    assert!(owns(stage.portal(), OLD).await);
    assert!(status(&mut stage).await["token"].is_null(), "nothing is left of it");
    over(stage).await;
}

#[tokio::test]
async fn a_kill_after_the_portal_was_told_brings_the_new_token_into_use() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    let old = message(stage.portal(), 27, 9001, "by the old one");
    // Carried out, and the answer never comes; nor does that of the questions afterwards.
    stage
        .portal()
        .fault(struck(Some(UPDATE), Some(1), Action::ResetAfterExecution));
    troubled(&stage, Some(QUESTION), 50);
    let (_, view) = rotate(&mut stage).await;
    assert_eq!(view["state"], "planned");
    accepted(&mut stage, old.clone()).await;
    let new = message(stage.portal(), 27, 9002, "by the new one");
    assert_ne!(
        with(&old, "data[message][id]", "9002"),
        with(&new, "data[message][text]", "by+the+old+one"),
        "the portal has the new one"
    );
    accepted(&mut stage, new).await;
    stage.kill().await;
    accepted(&mut stage, with(&old, "data[message][id]", "9003")).await;
    stage.pass(seconds(30)).await;
    assert!(stage.heard("27").is_empty(), "nobody knows the token yet");
    stage.pass(seconds(90)).await;
    assert_eq!(
        stage.heard("27"),
        ["by the old one", "by the new one", "by the old one"]
    );
    stage.kill().await;
    stage.says(27, TO_BOT, "done").await;
    stage.pass(seconds(30)).await;
    assert_eq!(stage.heard("27").last().unwrap(), "done");
    assert!(stage.dead_letters().await.is_empty());
    over(stage).await;
}

#[tokio::test]
async fn a_token_that_the_portal_had_from_somebody_else_is_found_in_the_configuration() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    let theirs = json!({ "botId": BOT, "botToken": OLD, "fields": { "botToken": "theirs" } });
    assert_eq!(rest(&stage.portal().incoming_webhook(), UPDATE, &theirs).await.0, 200);
    let (code, view) = rotate(&mut stage).await;
    assert_eq!((code, &view["error"]), (422, &json!("refused")), "{view}");
    assert!(
        view["detail"].as_str().unwrap().contains("BOT_OWNERSHIP_ERROR"),
        "{view}"
    );
    assert!(status(&mut stage).await["token"].is_null());
    stage.stop().await;
}

#[tokio::test]
async fn questions_of_handlers_wait_for_the_new_token_too() {
    let (tell, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let tell = Arc::new(tell);
    let bot = imbot::Bot::new("parrot").on(move |ctx: imbot::Ctx, heard: imbot::MessageAdd| {
        let tell = Arc::clone(&tell);
        async move {
            let dialog = ctx.dialog_id().unwrap_or_default().to_owned();
            let answer = ctx.ask(imbot::method::ChatGet::new(&dialog)).await;
            tell.send(answer.is_ok()).expect("the test listens");
            ctx.reply(heard.message.text)
        }
    });
    let mut stage = Stage::builder().bot(bot).start().await;
    let lost = struck(Some(UPDATE), Some(1), Action::ResetAfterExecution);
    stage.portal().fault(lost);
    troubled(&stage, Some(QUESTION), 3);
    let (_, view) = rotate(&mut stage).await;
    assert_eq!(view["state"], "planned");
    let body = message(stage.portal(), 27, 9001, "hi");
    accepted(&mut stage, body).await;
    let mut answered = None;
    while answered.is_none() && status(&mut stage).await["token"]["state"] == "planned" {
        stage.clock().advance(seconds(1));
        tokio::select! {
            biased;
            answer = answers.recv() => answered = answer,
            () = stage.settle_but(1) => {}
        }
    }
    if answered.is_none() {
        answered = Some(told(&mut answers).await);
    }
    assert_eq!(answered, Some(true), "it was asked in the end, and not refused before");
    stage.pass(seconds(30)).await;
    assert_eq!(stage.heard("27"), ["hi"]);
    over(stage).await;
}

#[tokio::test]
async fn nothing_of_the_bot_leaves_while_nobody_knows_its_token() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage
        .portal()
        .fault(struck(Some(UPDATE), Some(1), Action::ResetAfterExecution));
    troubled(&stage, Some(QUESTION), 50);
    let (_, view) = rotate(&mut stage).await;
    assert_eq!(view["state"], "planned");
    for user in 1000..1005 {
        stage.says(user, TO_BOT, "hi").await;
    }
    stage.pass(seconds(30)).await;
    assert!(
        named(stage.portal(), SEND).is_empty(),
        "the portal would refuse the bot"
    );
    assert!(status(&mut stage).await["parked"].is_null());
    stage.pass(seconds(60)).await;
    super::all_heard_once(stage.portal(), 1000..1005, &["hi"]);
    assert!(stage.dead_letters().await.is_empty());
    over(stage).await;
}
