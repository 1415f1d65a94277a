//! A bot's events come another way, to and fro, while people talk to it: none is lost, none is handled twice, wherever the
//! switch is interrupted.

use super::named;
use super::rotation::{asked, saying, status};
use crate::scene::*;
use imbot::portal::{Action, Knobs, Rule, Sent, Shape};
use imbot::testing::Stage;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const UPDATE: &str = "imbot.v2.Bot.update";
const GET: &str = "imbot.v2.Event.get";
const USERS: std::ops::Range<i64> = 1000..1004;

async fn switchable(delay: u64, fetching: bool) -> Stage {
    let mut knobs = Knobs::default();
    knobs.event_delay = seconds(delay);
    let builder = Stage::builder().bot(parrot()).with_event_url().knobs(knobs);
    let builder = if fetching { builder.fetching() } else { builder };
    let mut stage = builder.start().await;
    stage.settle().await;
    stage
}

async fn switch(stage: &mut Stage, mode: &str) -> (u16, Value) {
    let order = json!({ "portal": "p0", "bot": BOT, "mode": mode });
    asked(stage, "/api/v1/event-mode", order).await
}

async fn told_to(stage: &mut Stage, mode: &str) {
    let (code, view) = switch(stage, mode).await;
    assert_eq!(
        (code, &view["state"], &view["mode"]),
        (200, &json!("told"), &json!(mode)),
        "{view}"
    );
}

/// Everybody says this.
fn all_say(stage: &Stage, text: &str, said: &mut Vec<JoinHandle<Sent>>) {
    said.extend(USERS.map(|user| saying(stage.portal(), user, text)));
}

/// What was posted was taken, and each message was answered once.
async fn each_once(stage: &mut Stage, said: Vec<JoinHandle<Sent>>, texts: &[String]) {
    for sent in said {
        let sent = sent.await.unwrap();
        for delivery in &sent.deliveries {
            assert_eq!(delivery.status, Some(200), "{}", delivery.answer);
        }
    }
    stage.pass(seconds(120)).await;
    for user in USERS {
        let mut heard = stage.heard(&user.to_string());
        // Two ways and their delays turn the order.
        heard.sort_by_key(|text| text.parse::<u32>().unwrap());
        assert_eq!(heard, texts, "user {user}");
    }
    let totals = balanced(stage).await;
    let count = u64::try_from(texts.len()).unwrap() * 4;
    assert_eq!((totals.accepted, totals.done), (count, count));
    assert!(stage.dead_letters().await.is_empty());
}

#[tokio::test]
async fn twenty_switches_under_load_lose_no_event_and_double_none() {
    let mut stage = switchable(5, false).await;
    let (mut said, mut texts) = (Vec::new(), Vec::new());
    for round in 0..20 {
        for half in 0..2 {
            texts.push((2 * round + half).to_string());
            all_say(&stage, texts.last().unwrap(), &mut said);
            if half == 0 {
                told_to(&mut stage, if round % 2 == 0 { "fetch" } else { "webhook" }).await;
            }
            stage.pass(seconds(2 + round % 4)).await;
        }
    }
    stage.pass(seconds(40)).await;
    each_once(&mut stage, said, &texts).await;
    let view = status(&mut stage).await["eventMode"].clone();
    assert_eq!(
        (&view["state"], &view["polled"]),
        (&json!("told"), &json!(true)),
        "{view}"
    );

    stage.pass(seconds(900)).await;
    let view = status(&mut stage).await["eventMode"].clone();
    assert_eq!(
        (&view["state"], &view["polled"]),
        (&json!("finished"), &json!(false)),
        "{view}"
    );
    let polls = named(stage.portal(), GET).len();
    stage.pass(seconds(300)).await;
    assert_eq!(named(stage.portal(), GET).len(), polls, "nobody polls any more");
    over(stage).await;
}

#[tokio::test]
async fn asked_again_for_the_same_nothing_is_done() {
    let mut stage = switchable(0, false).await;
    for mode in ["fetch", "webhook"] {
        told_to(&mut stage, mode).await;
        told_to(&mut stage, mode).await;
    }
    assert_eq!(named(stage.portal(), UPDATE).len(), 2);
    stage.pass(seconds(1000)).await;
    let (code, view) = switch(&mut stage, "webhook").await;
    assert_eq!((code, &view["state"]), (200, &json!("finished")));
    assert_eq!(named(stage.portal(), UPDATE).len(), 2);
    over(stage).await;
}

#[tokio::test]
async fn polling_goes_on_until_fifteen_minutes_are_over_and_the_queue_is_read_out() {
    let mut stage = switchable(0, true).await;
    stage.stop().await;
    for user in USERS {
        stage.portal().say(user, TO_BOT, "0").await.unwrap();
    }
    stage.portal().fault(Rule {
        method: Some(GET.to_owned()),
        times: None,
        until: Some(stage.clock().now() + seconds(1500)),
        action: trouble(),
    });
    stage.restart().await;
    told_to(&mut stage, "webhook").await;
    stage.pass(seconds(1400)).await;
    let view = status(&mut stage).await["eventMode"].clone();
    assert_eq!(
        (&view["state"], &view["polled"]),
        (&json!("told"), &json!(true)),
        "{view}"
    );
    assert!(stage.heard("1000").is_empty());
    stage.pass(seconds(300)).await;
    each_once(&mut stage, Vec::new(), &["0".to_owned()]).await;
    let view = status(&mut stage).await["eventMode"].clone();
    assert_eq!(
        (&view["state"], &view["polled"]),
        (&json!("finished"), &json!(false)),
        "{view}"
    );
    over(stage).await;
}

fn trouble() -> Action {
    Action::Answer {
        status: 500,
        code: "INTERNAL_SERVER_ERROR".to_owned(),
        shape: Shape::Json,
    }
}

/// Waits until the status says so.
async fn is(stage: &mut Stage, state: &str) {
    for _ in 0..2000 {
        if status(stage).await["eventMode"]["state"] == state {
            return;
        }
    }
    panic!("it never was {state}");
}

/// Returns once what people said is in the portal's queue or was posted. A call of ours may hang meanwhile, so nothing
/// is waited for but that.
async fn arrived(stage: &mut Stage, said: &[JoinHandle<Sent>]) {
    for round in 0..5000 {
        if said.iter().all(JoinHandle::is_finished) {
            return;
        }
        // Longer than any delay, and short of what would end the change.
        if round < 60 {
            stage.clock().advance(seconds(1));
        }
        status(stage).await;
    }
    panic!("not all that was said has arrived");
}

#[tokio::test]
async fn a_kill_in_any_step_goes_on_where_it_was() {
    for (fetching, mode) in [(false, "fetch"), (true, "webhook")] {
        for step in [Some(Action::Hang), Some(Action::ResetAfterExecution), None] {
            let mut stage = switchable(5, fetching).await;
            let mut said = Vec::new();
            all_say(&stage, "0", &mut said);
            if let Some(action) = step.clone() {
                stage.portal().fault(Rule {
                    method: Some(UPDATE.to_owned()),
                    times: Some(1),
                    until: None,
                    action,
                });
            }
            let (address, token) = stage.admin();
            let order = json!({ "portal": "p0", "bot": BOT, "mode": mode });
            let url = format!("{address}/api/v1/event-mode");
            tokio::spawn(async move {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                client.post(url).bearer_auth(&token).json(&order).send().await
            });
            is(&mut stage, if step.is_some() { "both" } else { "told" }).await;
            all_say(&stage, "1", &mut said);
            // What is posted meanwhile would be refused: the door is shut for a moment.
            arrived(&mut stage, &said).await;
            stage.kill().await;
            all_say(&stage, "2", &mut said);
            stage.pass(seconds(60)).await;
            is(&mut stage, "told").await;
            all_say(&stage, "3", &mut said);
            arrived(&mut stage, &said).await;
            stage.kill().await;
            stage.pass(seconds(1000)).await;
            let texts: Vec<String> = (0..4).map(|number| number.to_string()).collect();
            each_once(&mut stage, said, &texts).await;
            let view = status(&mut stage).await["eventMode"].clone();
            assert_eq!(
                (&view["state"], &view["mode"]),
                (&json!("finished"), &json!(mode)),
                "{step:?}"
            );
            assert_eq!(view["polled"], mode == "fetch");
            let told = status(&mut stage).await["differences"][0].as_str().unwrap().to_owned();
            assert!(told.contains("event_mode is"), "{told}");
            over(stage).await;
        }
    }
}

#[tokio::test]
async fn a_switch_that_is_refused_leaves_everything_as_it_was() {
    let mut stage = switchable(0, false).await;
    stage.portal().answer_error(Some(UPDATE), 400, "SOME_ERROR", 1);
    let (code, view) = switch(&mut stage, "fetch").await;
    assert_eq!((code, &view["error"]), (422, &json!("refused")), "{view}");
    // One poll may have begun while both ways were open.
    stage.settle().await;
    let polls = named(stage.portal(), GET).len();
    stage.pass(seconds(60)).await;
    assert_eq!(named(stage.portal(), GET).len(), polls);
    assert_eq!(status(&mut stage).await["eventMode"]["state"], "as_configured");
    over(stage).await;

    let mut stage = Stage::builder().bot(parrot()).fetching().start().await;
    let (code, view) = switch(&mut stage, "webhook").await;
    assert_eq!((code, &view["error"]), (409, &json!("no_event_url")), "{view}");
    over(stage).await;
}
