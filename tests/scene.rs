//! What conversation tests share: bots that record or wait, bodies with a field changed, and the books that must balance.

use imbot::portal::{Decision, LogEntry, Portal};
use imbot::testing::{Letter, Stage, Totals};
use imbot::{Bot, Ctx, MessageAdd};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// The bot of most tests, at the first portal and at every other.
pub(crate) const BOT: i64 = 101;
/// Its dialog, as a user names it.
pub(crate) const TO_BOT: &str = "101";
pub(crate) const SEND: &str = "imbot.v2.Chat.Message.send";
pub(crate) const ANSWER: &str = "imbot.v2.Command.answer";

/// Says what it hears, without a word more.
pub(crate) fn parrot() -> Bot {
    Bot::new("parrot")
        .on(async |ctx: Ctx, heard: MessageAdd| ctx.reply(heard.message.text))
        .command("/help", "Help", async |ctx: Ctx, _asked: imbot::CommandAdd| {
            ctx.answer("no help")
        })
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// What a handler tells the test. Fails instead of waiting for ever.
pub(crate) async fn told<T>(by: &mut mpsc::UnboundedReceiver<T>) -> T {
    let told = tokio::time::timeout(seconds(30), by.recv()).await;
    told.expect("no handler began within half a minute")
        .expect("the bot is there")
}

/// At any time: what was accepted has ended or waits.
pub(crate) async fn balanced(stage: &mut Stage) -> Totals {
    let totals = stage.totals().await;
    let Totals {
        accepted,
        done,
        ignored,
        dead,
        pending,
        ..
    } = totals;
    assert_eq!(accepted, done + ignored + dead + pending, "{totals:?}");
    totals
}

/// The end of a scenario: everything has settled, nothing waits, the books balance, every repeated request was the same.
pub(crate) async fn over(mut stage: Stage) -> Totals {
    stage.settle().await;
    let totals = balanced(&mut stage).await;
    assert_eq!((totals.pending, totals.calls), (0, 0), "something was left: {totals:?}");
    repeats_alike(stage.portal());
    stage.stop().await;
    totals
}

/// Every request with one `templateId` had the same text and dialog. Returns how often each was made.
pub(crate) fn repeats_alike(portal: &Portal) -> Vec<usize> {
    let mut sends: BTreeMap<String, Vec<LogEntry>> = BTreeMap::new();
    for entry in portal.log() {
        if let Some(id) = entry.template_id().map(str::to_owned) {
            sends.entry(id).or_default().push(entry);
        }
    }
    for (id, entries) in &sends {
        let first = said(&entries[0].params);
        assert!(
            entries.iter().all(|entry| said(&entry.params) == first),
            "{id}: {entries:?}"
        );
    }
    sends.values().map(Vec::len).collect()
}

/// As a batch says it: every number as text, and the credential outside the command.
fn said(params: &Value) -> Value {
    match params {
        Value::Number(number) => number.to_string().into(),
        Value::Array(entries) => entries.iter().map(said).collect(),
        Value::Object(fields) => {
            let own = fields.iter().filter(|(name, _)| *name != "auth");
            own.map(|(name, field)| (name.clone(), said(field))).collect()
        }
        other => other.clone(),
    }
}

/// The requests that stored a message, or would have.
pub(crate) fn executed(portal: &Portal) -> Vec<LogEntry> {
    let log = portal.log().into_iter();
    log.filter(|entry| matches!(entry.decision, Decision::Executed { .. }))
        .collect()
}

/// A body with one pair's value changed; `key` as PHP nests it, `data[message][id]`. The value goes in as it stands.
pub(crate) fn with(body: &[u8], key: &str, value: &str) -> Vec<u8> {
    edited(body, key, |key| format!("{key}={value}"))
}

/// A body without the pairs whose key begins like this.
pub(crate) fn without(body: &[u8], key: &str) -> Vec<u8> {
    edited(body, key, |_| String::new())
}

fn edited(body: &[u8], key: &str, change: impl Fn(&str) -> String) -> Vec<u8> {
    let key = key.replace('[', "%5B").replace(']', "%5D");
    let text = String::from_utf8(body.to_vec()).expect("a form is ASCII");
    let mut found = false;
    let pairs: Vec<String> = text
        .split('&')
        .map(|pair| {
            if !pair.starts_with(&key) {
                return pair.to_owned();
            }
            found = true;
            change(pair.split('=').next().unwrap_or_default())
        })
        .filter(|pair| !pair.is_empty())
        .collect();
    assert!(found, "no {key} in {text}");
    pairs.join("&").into_bytes()
}

/// A private message to the bot, as a body not yet sent; user and text are good for a URL as they stand.
pub(crate) fn message(portal: &Portal, user: i64, id: i64, text: &str) -> Vec<u8> {
    portal
        .message_event(BOT, user, id, text)
        .expect("the portal has the bot")
}

/// Posts a body that must be accepted.
pub(crate) async fn accepted(stage: &mut Stage, body: impl Into<Vec<u8>>) {
    let answered = stage.post_form(body).await;
    assert_eq!(
        (answered.status, answered.outcome.as_str()),
        (200, "accepted"),
        "{answered:?}"
    );
}

/// The dead letters as queue, reason, attempts; oldest first.
pub(crate) async fn letters(stage: &mut Stage) -> Vec<(String, String, u32)> {
    let letters = stage.dead_letters().await.into_iter().rev();
    letters
        .map(
            |Letter {
                 queue,
                 reason,
                 attempts,
                 ..
             }| (queue, reason, attempts),
        )
        .collect()
}

/// The same, as a test writes them.
pub(crate) fn letter(queue: &str, reason: &str, attempts: u32) -> (String, String, u32) {
    (queue.to_owned(), reason.to_owned(), attempts)
}
