//! The scenarios about `batch`: what goes into one, what fails in one, what happens to the text in it.

use super::{all_heard_once, at_once, named, rest};
use crate::scene::*;
use imbot::portal::{Action, Aim, Decision, LogEntry, Portal, PortalConfig, Rule, Shape};
use imbot::testing::Stage;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The commands of every batch so far, one list a batch.
fn batches(portal: &Portal) -> Vec<Vec<LogEntry>> {
    let mut batches = Vec::new();
    let mut inner = Vec::new();
    for entry in portal.log() {
        if entry.batched {
            inner.push(entry);
        } else if entry.method == "batch" {
            batches.push(std::mem::take(&mut inner));
        }
    }
    batches
}

#[tokio::test]
async fn s11_of_a_batch_with_three_failing_keys_only_those_are_retried() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    let rule = Rule {
        method: Some(SEND.to_owned()),
        times: Some(3),
        until: None,
        action: Action::Answer {
            status: 500,
            code: "INTERNAL_SERVER_ERROR".to_owned(),
            shape: Shape::Json,
        },
    };
    let aim = Aim {
        in_batch: Some(true),
        every: Some(2),
        ..Aim::default()
    };
    stage.portal().fault_at(rule, aim);
    at_once(&mut stage, 1000..1110, &["hi"]).await;
    stage.pass(seconds(120)).await;
    all_heard_once(stage.portal(), 1000..1110, &["hi"]);
    let struck = |entry: &LogEntry| matches!(entry.decision, Decision::Fault { .. });
    let log = named(stage.portal(), SEND);
    assert_eq!(log.iter().filter(|entry| struck(entry)).count(), 3);
    let mut tries: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for entry in &log {
        tries
            .entry(entry.template_id().unwrap())
            .or_default()
            .push(struck(entry));
    }
    let retried: Vec<_> = tries.values().filter(|tries| tries.len() > 1).collect();
    assert_eq!(retried, [&vec![true, false], &vec![true, false], &vec![true, false]]);
    assert_eq!(tries.len(), 110);
    assert!(stage.dead_letters().await.is_empty());
    over(stage).await;
}

#[tokio::test]
async fn s12_fifty_one_commands_are_one_too_many_and_imbot_never_sends_them() {
    let portal = Portal::start(PortalConfig::new(imbot::types::Clock::system()))
        .await
        .unwrap();
    let commands: Map<String, Value> = (0..51)
        .map(|number| (format!("c{number}"), json!("imbot.v2.Revision.get")))
        .collect();
    let (status, answer) = rest(&portal.incoming_webhook(), "batch", &json!({ "cmd": commands })).await;
    assert_eq!(
        (status, answer["result"]["result"].as_object().unwrap().len()),
        (200, 50)
    );
    let errors = answer["result"]["result_error"].as_object().unwrap();
    let codes: Vec<&Value> = errors.values().map(|error| &error["error"]).collect();
    assert_eq!(codes, ["ERROR_BATCH_LENGTH_EXCEEDED"]);

    let mut stage = Stage::builder().bot(parrot()).start().await;
    at_once(&mut stage, 1000..1250, &["hi"]).await;
    stage.pass(seconds(60)).await;
    all_heard_once(stage.portal(), 1000..1250, &["hi"]);
    let sizes: Vec<usize> = batches(stage.portal()).iter().map(Vec::len).collect();
    assert!(sizes.iter().any(|size| *size > 10), "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 50), "{sizes:?}");
    over(stage).await;
}

/// What must arrive as it was written.
const AWKWARD: [&str; 7] = [
    "$result[c0][id] and $total",
    "<b>a < b</b>",
    "a&b=c#d%20e+f",
    "line\nline",
    "\u{1F600} Ж \u{4E2D}",
    "x[0]=1 ] [",
    "\"double\" 'single' `back` \\",
];

#[tokio::test]
async fn s13_a_reference_of_batch_inside_a_users_text_arrives_unchanged() {
    let stage = arrive_unchanged(&AWKWARD).await;
    let inner = batches(stage.portal()).concat();
    let told = |entry: &LogEntry| entry.text().unwrap_or_default().to_owned();
    assert!(
        inner.iter().all(|entry| !told(entry).contains("$result")),
        "it never shares a batch"
    );
    over(stage).await;
}

#[tokio::test]
async fn s14_awkward_text_is_identical_through_single_calls_and_batches() {
    let stage = arrive_unchanged(&AWKWARD[2..]).await;
    let inner = batches(stage.portal()).concat();
    for text in &AWKWARD[2..] {
        assert!(
            inner.iter().any(|entry| entry.text() == Some(text)),
            "{text:?} was in no batch"
        );
    }
    over(stage).await;
}

/// Each text alone, and then among so many others that calls leave in batches.
async fn arrive_unchanged(texts: &[&str]) -> Stage {
    let raw = imbot::Bot::new("raw")
        .on(async |ctx: imbot::Ctx, heard: imbot::MessageAdd| ctx.reply(imbot::Markup::raw(heard.message.text)));
    let mut stage = Stage::builder().bot(raw).start().await;
    for text in texts {
        stage.says(27, TO_BOT, text).await;
    }
    assert_eq!(stage.heard("27"), texts);
    let text_of = |user: i64| texts[usize::try_from(user).unwrap() % texts.len()];
    for user in 1000..1120 {
        let sent = stage.portal().say(user, TO_BOT, text_of(user)).await;
        assert_eq!(sent.unwrap().status(), Some(200));
    }
    stage.pass(seconds(120)).await;
    for user in 1000..1120 {
        assert_eq!(stage.heard(&user.to_string()), [text_of(user)]);
    }
    stage
}
