//! Handlers that hang, panic, fail or give up: what becomes of their event, their dialog, and everybody else.

use crate::scene::*;
use imbot::testing::Stage;
use imbot::{Bot, Ctx, Failure, MessageAdd, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// Repeats what it hears, but hangs at the word `hang`, after saying something; tells the test of each such attempt.
fn hanging() -> (Bot, mpsc::UnboundedReceiver<()>) {
    let (begun, attempts) = mpsc::unbounded_channel();
    let bot = Bot::new("hanging").on(move |ctx: Ctx, heard: MessageAdd| {
        let begun = begun.clone();
        async move {
            ctx.reply(heard.message.text.clone())?;
            if heard.message.text == "hang" {
                begun.send(())?;
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    });
    (bot, attempts)
}

/// The default pauses after each failed attempt but the last.
const PAUSES: [u64; 7] = [1, 5, 20, 120, 300, 900, 1800];

#[tokio::test]
async fn a_hanging_handler_is_given_up_and_holds_its_own_dialog_for_a_minute() {
    const TIMEOUT: u64 = 10;
    let (bot, mut attempts) = hanging();
    let mut stage = Stage::builder()
        .bot(bot)
        .config("workers.handler_timeout = \"10s\"")
        .start()
        .await;
    for (user, id, text) in [(27, 9001, "hang"), (27, 9002, "behind"), (28, 9003, "elsewhere")] {
        let body = message(stage.portal(), user, id, text);
        accepted(&mut stage, body).await;
    }
    told(&mut attempts).await;
    stage.settle_but(1).await;
    assert_eq!(stage.heard("28"), ["elsewhere"], "another dialog goes on");
    assert_eq!(balanced(&mut stage).await.pending, 2);

    let mut since_first_failure = 0;
    for (attempt, pause) in (1..).zip(PAUSES) {
        stage.clock().advance(seconds(TIMEOUT - 1));
        stage.settle_but(1).await;
        assert!(
            stage.dead_letters().await.is_empty(),
            "attempt {attempt} runs for its whole time"
        );
        stage.clock().advance(seconds(1));
        stage.settle().await;
        since_first_failure += if attempt == 1 { 0 } else { TIMEOUT };
        if (since_first_failure..since_first_failure + pause).contains(&60) {
            stage.pass(seconds(59 - since_first_failure)).await;
            assert!(
                stage.heard("27").is_empty(),
                "held until a minute after the first failure"
            );
            stage.pass(seconds(1)).await;
            assert_eq!(stage.heard("27"), ["behind"], "then the dialog moves on");
            stage.clock().advance(seconds(since_first_failure + pause - 60 - 1));
        } else {
            stage.clock().advance(seconds(pause - 1));
        }
        stage.settle().await;
        assert!(
            attempts.try_recv().is_err(),
            "attempt {attempt} is followed by a pause of {pause} s"
        );
        stage.clock().advance(seconds(1));
        told(&mut attempts).await;
        since_first_failure += pause;
    }
    stage.clock().advance(seconds(TIMEOUT));
    stage.settle().await;
    assert_eq!(letters(&mut stage).await, [letter("events", "handler_timed_out", 8)]);
    stage.pass(seconds(10)).await;
    assert_eq!(stage.heard("27"), ["behind"], "a handler that was cut has said nothing");
    let totals = over(stage).await;
    assert_eq!((totals.accepted, totals.done, totals.dead), (3, 2, 1));
}

#[tokio::test]
async fn a_panicking_handler_is_tried_again_and_buried_and_the_server_lives_on() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let bot = Bot::new("panicking").on(move |ctx: Ctx, heard: MessageAdd| {
        let runs = Arc::clone(&counter);
        async move {
            ctx.reply(heard.message.text.clone())?;
            ctx.remember("half done")?;
            if heard.message.text == "panic" {
                runs.fetch_add(1, Ordering::SeqCst);
                panic!("on purpose");
            }
            assert_eq!(ctx.recall::<String>()?.as_deref(), Some("half done"));
            Ok(())
        }
    });
    let mut stage = Stage::builder()
        .bot(bot)
        .config("workers.max_attempts = 3")
        .start()
        .await;
    stage.says(27, TO_BOT, "panic").await;
    stage.says(28, TO_BOT, "elsewhere").await;
    stage.says(27, TO_BOT, "behind").await;
    assert_eq!((runs.load(Ordering::SeqCst), stage.heard("28").len()), (1, 1));
    assert!(stage.heard("27").is_empty(), "its dialog keeps its order for a while");
    stage.pass(seconds(5)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    stage.pass(seconds(1)).await;
    assert_eq!(letters(&mut stage).await, [letter("events", "handler_panicked", 3)]);
    assert_eq!(
        stage.heard("27"),
        ["behind"],
        "nothing that was queued before the panic is said"
    );
    let totals = over(stage).await;
    assert_eq!((totals.done, totals.dead), (2, 1));
}

/// Says and remembers something, then does what the word asks: `fatal`, or `retry` at the first attempt.
fn failing() -> (Bot, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let bot = Bot::new("failing").on(move |ctx: Ctx, heard: MessageAdd| {
        let run = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            let remembered = ctx.recall::<usize>()?;
            ctx.remember(&run)?;
            ctx.reply(format!("{} {remembered:?}", heard.message.text))?;
            match heard.message.text.as_str() {
                "fatal" => return Err(Failure::fatal("no use")),
                "retry" if run == 0 => {
                    "x".parse::<u32>()?;
                }
                _ => {}
            }
            Outcome::Ok(())
        }
    });
    (bot, runs)
}

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_again_and_says_its_words_once() {
    let (bot, runs) = failing();
    let mut stage = Stage::builder().bot(bot).start().await;
    stage.says(27, TO_BOT, "retry").await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert!(stage.heard("27").is_empty(), "a handler that failed has said nothing");
    stage.clock().advance(seconds(1) - std::time::Duration::from_millis(1));
    stage.settle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 1, "the first pause is a second");
    stage.pass(seconds(1)).await;
    assert_eq!(stage.heard("27"), ["retry None"], "and has remembered nothing");
    stage.pass(seconds(3600)).await;
    assert_eq!((runs.load(Ordering::SeqCst), stage.heard("27").len()), (2, 1));
    assert!(stage.dead_letters().await.is_empty());
    assert_eq!(over(stage).await.done, 1);
}

#[tokio::test]
async fn a_retry_survives_a_restart() {
    let (bot, runs) = failing();
    let mut stage = Stage::builder().bot(bot).start().await;
    stage.says(27, TO_BOT, "retry").await;
    stage.restart().await;
    stage.settle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 1, "not before its time");
    stage.pass(seconds(1)).await;
    assert_eq!((runs.load(Ordering::SeqCst), stage.heard("27").len()), (2, 1));
    over(stage).await;
}

#[tokio::test]
async fn a_fatal_failure_is_buried_at_once_and_the_dialog_goes_on() {
    let (bot, runs) = failing();
    let mut stage = Stage::builder().bot(bot).start().await;
    stage.says(27, TO_BOT, "fatal").await;
    assert_eq!(letters(&mut stage).await, [letter("events", "handler_fatal", 1)]);
    stage.says(27, TO_BOT, "next").await;
    assert_eq!(stage.heard("27"), ["next None"]);
    stage.pass(seconds(3600)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    let totals = over(stage).await;
    assert_eq!((totals.done, totals.dead), (1, 1));
}

#[tokio::test]
async fn speaking_where_nobody_asked_is_a_fatal_failure() {
    let bot = Bot::new("answering").on(async |ctx: Ctx, _heard: MessageAdd| ctx.answer("to what?"));
    let mut stage = Stage::builder().bot(bot).start().await;
    stage.says(27, TO_BOT, "hello").await;
    assert_eq!(letters(&mut stage).await, [letter("events", "handler_fatal", 1)]);
    over(stage).await;
}
