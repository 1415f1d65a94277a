//! While the way of a bot's events changes, a portal brings them both ways, and the clock of its queue is not that of its
//! sender: events without a number of their own are handled once all the same, two presses of a button twice.

use super::rotation::{asked, status};
use crate::scene::*;
use imbot::portal::Knobs;
use imbot::testing::Stage;
use imbot::{Bot, Button, CommandAdd, Ctx, Draft, JoinChat, Keyboard, MessageAdd, MessageUpdate, ReactionChange};
use serde_json::json;

/// Says in the dialog what it hears, once each time.
fn witness() -> Bot {
    Bot::new("witness")
        .on(async |ctx: Ctx, _heard: MessageAdd| {
            ctx.reply(Draft::new("menu").keyboard(Keyboard::new().button(Button::command("Again", "/again", "now"))))
        })
        .on(async |ctx: Ctx, changed: MessageUpdate| ctx.reply(format!("changed: {}", changed.message.text)))
        .on(async |ctx: Ctx, _joined: JoinChat| ctx.reply("joined"))
        .on(async |ctx: Ctx, change: ReactionChange| ctx.reply(change.reaction))
        .command("/again", "Again", async |ctx: Ctx, asked: CommandAdd| {
            ctx.reply(asked.command.params)
        })
}

/// Ann has been given the menu, and the portal has been told to bring events the other way.
async fn switched(fetching: bool, queue_clock: i64) -> (Stage, i64) {
    let mut knobs = Knobs::default();
    (knobs.both_ways, knobs.queue_clock) = (seconds(3600), queue_clock);
    let builder = Stage::builder().bot(witness()).with_event_url().knobs(knobs);
    let builder = if fetching { builder.fetching() } else { builder };
    let mut stage = builder.start().await;
    let said = stage.says(27, TO_BOT, "hi").await.message_id;
    stage.pass(seconds(60)).await;
    assert_eq!(stage.heard("27"), ["menu"]);
    let mode = if fetching { "webhook" } else { "fetch" };
    let order = json!({ "portal": "p0", "bot": BOT, "mode": mode });
    let (code, view) = asked(&mut stage, "/api/v1/event-mode", order).await;
    assert_eq!((code, &view["state"]), (200, &json!("told")), "{view}");
    (stage, said)
}

/// How often it has said this, everywhere.
fn times(stage: &Stage, text: &str) -> usize {
    let heard = ["27", "chat5"].map(|dialog| stage.heard(dialog)).concat();
    heard.iter().filter(|said| *said == text).count()
}

#[tokio::test]
async fn what_comes_both_ways_under_two_clocks_is_handled_once() {
    for (fetching, apart) in [(false, 90), (false, -90), (true, 90), (true, -90)] {
        let (mut stage, said) = switched(fetching, apart).await;
        let menu = stage.portal().messages("27").last().unwrap().id;
        stage.portal().edit(said, "hello").await.unwrap();
        stage.portal().react(27, menu, "like", true).await.unwrap();
        stage.joins(27, BOT, "chat5").await;
        stage.presses(27, "27", "Again").await;
        // What was posted is on disk, what waits in the queue comes after the crash.
        stage.kill().await;
        stage.pass(seconds(60)).await;
        for text in ["changed: hello", "like", "joined", "now"] {
            assert_eq!(times(&stage, text), 1, "{text}: {fetching} {apart}");
        }
        let totals = balanced(&mut stage).await;
        assert_eq!((totals.accepted, totals.done), (5, 5));

        // Pressed so that the clocks' distance makes the first of the one look like the second of the other.
        for (pause, pressed) in [(1, 3), (90, 5)] {
            stage.pass(seconds(300)).await;
            stage.presses(27, "27", "Again").await;
            stage.pass(seconds(pause)).await;
            stage.presses(27, "27", "Again").await;
            stage.pass(seconds(60)).await;
            assert_eq!(times(&stage, "now"), pressed, "{pause}: {fetching} {apart}");
        }
        assert!(stage.dead_letters().await.is_empty());
        over(stage).await;
    }
}

#[tokio::test]
async fn when_the_change_is_over_nothing_is_taken_for_a_twin() {
    let (mut stage, _) = switched(false, 90).await;
    stage.presses(27, "27", "Again").await;
    stage.pass(seconds(1000)).await;
    assert_eq!(times(&stage, "now"), 1);
    assert_eq!(status(&mut stage).await["eventMode"]["state"], "finished");
    stage.presses(27, "27", "Again").await;
    stage.pass(seconds(60)).await;
    assert_eq!(times(&stage, "now"), 3, "both ways, and each is its own");
    over(stage).await;
}
