//! A portal in trouble, or one that refuses: nothing is lost, nothing is said twice, order stays, others are not touched.

use crate::scene::*;
use imbot::portal::{Action, Decision, Rule, Shape};
use imbot::testing::Stage;

/// What user 27, 28 and 29 said, five words each, in turn.
async fn fifteen(stage: &mut Stage, portal: usize) {
    let mut id = 9000;
    for word in 0..5 {
        for user in 27..30 {
            id += 1;
            let body = message(stage.portal_at(portal), user, id, &format!("{user}-{word}"));
            accepted(stage, body).await;
        }
    }
}

fn all_heard(stage: &Stage, portal: usize) {
    for user in 27..30 {
        let words: Vec<String> = (0..5).map(|word| format!("{user}-{word}")).collect();
        assert_eq!(stage.heard_at(portal, &user.to_string()), words);
    }
}

#[tokio::test]
async fn a_portal_that_answers_503_for_a_while_gets_everything_once_and_in_order() {
    for shape in [Shape::Json, Shape::Html] {
        let mut stage = Stage::builder().bot(parrot()).portals(2).start().await;
        stage.portal().refuse_for(seconds(20), shape);
        fifteen(&mut stage, 0).await;
        fifteen(&mut stage, 1).await;
        stage.settle().await;
        all_heard(&stage, 1);
        assert_eq!(executed(stage.portal()).len(), 0);
        assert_eq!(balanced(&mut stage).await.calls, 15);
        let refused = stage.portal().log().len();
        assert!(refused <= 8, "{refused} requests to a portal that refuses all");

        stage.pass(seconds(90)).await;
        all_heard(&stage, 0);
        let sent = executed(stage.portal())
            .into_iter()
            .filter(|entry| entry.method == SEND);
        assert_eq!(sent.count(), 15, "each exactly once");
        assert!(stage.dead_letters().await.is_empty());
        assert_eq!(over(stage).await.done, 30);
    }
}

#[tokio::test]
async fn a_call_that_failed_inside_the_portal_is_repeated_word_for_word() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage.portal().answer_error(None, 500, "INTERNAL_SERVER_ERROR", 3);
    stage.says(27, TO_BOT, "one").await;
    stage.says(27, TO_BOT, "two").await;
    assert_eq!(stage.portal().log().len(), 1, "the second waits for the first");
    stage.pass(seconds(10)).await;
    assert_eq!(stage.heard("27"), ["one", "two"]);
    assert_eq!(repeats_alike(stage.portal()).iter().sum::<usize>(), 5);
    over(stage).await;
}

#[tokio::test]
async fn a_message_carried_out_before_the_connection_broke_shows_once() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage.portal().execute_then_reset(Some(SEND), 1);
    stage.says(27, TO_BOT, "one").await;
    stage.says(27, TO_BOT, "two").await;
    stage.pass(seconds(5)).await;
    assert_eq!(stage.heard("27"), ["one", "two"]);
    let log = stage.portal().log();
    let first = Decision::Executed { message_id: Some(1002) };
    assert_eq!((&log[0].decision, log[0].status), (&first, None));
    assert!(matches!(log[1].decision, Decision::Repeated { .. }), "{:?}", log[1]);
    assert_eq!(log[0].template_id(), log[1].template_id());
    assert_eq!(log.len(), 3);
    over(stage).await;
}

#[tokio::test]
async fn a_command_answer_of_unknown_outcome_is_shown_to_the_operator_and_never_repeated() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage.portal().execute_then_reset(Some(ANSWER), 1);
    stage.says(27, "chat5", "/help").await;
    stage.says(27, "chat5", "[USER=101]x[/USER]").await;
    stage.restart().await;
    stage.pass(seconds(600)).await;
    assert_eq!(letters(&mut stage).await, [letter("unknown", "connection_broken", 1)]);
    let heard = stage.heard("chat5");
    assert_eq!(
        (heard.len(), heard[0].as_str()),
        (2, "no help"),
        "later calls of the dialog go on"
    );
    assert_eq!(
        stage
            .portal()
            .log()
            .iter()
            .filter(|entry| entry.method == ANSWER)
            .count(),
        1
    );
    over(stage).await;
}

#[tokio::test]
async fn on_request_an_unknown_answer_is_repeated() {
    let mut stage = Stage::builder()
        .bot(parrot())
        .config("deliver.on_unknown = \"repeat\"")
        .start()
        .await;
    stage.portal().execute_then_reset(Some(ANSWER), 1);
    stage.says(27, "chat5", "/help").await;
    stage.pass(seconds(5)).await;
    assert_eq!(
        stage.heard("chat5"),
        ["no help", "no help"],
        "which is what the operator accepted"
    );
    over(stage).await;
}

#[tokio::test]
async fn an_answer_that_surely_was_not_carried_out_is_repeated() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage
        .portal()
        .answer_error(Some(ANSWER), 503, "QUERY_LIMIT_EXCEEDED", 2);
    stage.says(27, "chat5", "/help").await;
    stage.pass(seconds(10)).await;
    assert_eq!(stage.heard("chat5"), ["no help"]);
    over(stage).await;
}

#[tokio::test]
async fn what_the_portal_refuses_for_good_is_buried_at_once_and_the_dialog_goes_on() {
    for code in ["ACCESS_DENIED", "EMPTY_MESSAGE", "BOT_TYPE_NOT_ALLOWED", "ATTACH_ERROR"] {
        let mut stage = Stage::builder().bot(parrot()).start().await;
        stage.portal().answer_error(None, 400, code, 1);
        stage.says(27, TO_BOT, "one").await;
        assert_eq!(letters(&mut stage).await, [letter("calls", code, 1)]);
        stage.says(27, TO_BOT, "two").await;
        stage.pass(seconds(700)).await;
        assert_eq!(stage.heard("27"), ["two"], "{code}");
        assert_eq!(stage.portal().log().len(), 2, "{code}");
        over(stage).await;
    }
}

#[tokio::test]
async fn a_chat_that_the_bot_has_left_refuses_by_itself() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    let said = stage.portal().say(27, "chat5", "[USER=101]x[/USER]").await.unwrap();
    stage.settle().await;
    stage.portal().add_chat(6, &[27]);
    let elsewhere = with(said.body(), "data[chat][dialogId]", "chat6");
    let elsewhere = with(&elsewhere, "data[message][id]", "9001");
    accepted(&mut stage, elsewhere).await;
    stage.settle().await;
    assert_eq!(letters(&mut stage).await, [letter("calls", "ACCESS_DENIED", 1)]);
    over(stage).await;
}

fn refused_for(stage: &Stage, code: &str, time: u64) {
    stage.portal().fault(Rule {
        method: None,
        times: None,
        until: Some(stage.clock().now() + seconds(time)),
        action: Action::Answer {
            status: 400,
            code: code.to_owned(),
            shape: Shape::Json,
        },
    });
}

#[tokio::test]
async fn a_refused_bot_or_identity_keeps_its_calls_and_is_asked_for_every_ten_minutes() {
    for (code, question) in [
        ("BOT_OWNERSHIP_ERROR", "imbot.v2.Bot.get"),
        ("BOT_NOT_FOUND", "imbot.v2.Bot.get"),
        ("NO_AUTH_FOUND", "imbot.v2.Revision.get"),
        ("OVERLOAD_LIMIT", "imbot.v2.Revision.get"),
    ] {
        refused_and_asked_for(code, question).await;
    }
}

async fn refused_and_asked_for(code: &str, question: &str) {
    let mut stage = Stage::builder().bot(parrot()).portals(2).start().await;
    refused_for(&stage, code, 900);
    stage.says(27, TO_BOT, "one").await;
    stage.says(27, TO_BOT, "two").await;
    stage.says(28, TO_BOT, "three").await;
    fifteen(&mut stage, 1).await;
    stage.settle().await;
    all_heard(&stage, 1);
    assert_eq!(stage.portal().log().len(), 1, "nobody hammers on");
    stage.pass(seconds(599)).await;
    assert_eq!(stage.portal().log().len(), 1);
    stage.pass(seconds(1)).await;
    let log = stage.portal().log();
    assert_eq!(
        (log.len(), log[1].method.as_str()),
        (2, question),
        "one question, refused"
    );
    assert!(stage.heard("27").is_empty() && stage.heard("28").is_empty());
    stage.pass(seconds(599)).await;
    assert_eq!(stage.portal().log().len(), 2);
    stage.pass(seconds(1)).await;
    assert_eq!(stage.heard("27"), ["one", "two"]);
    assert_eq!(stage.heard("28"), ["three"]);
    assert!(stage.dead_letters().await.is_empty());
    over(stage).await;
}

#[tokio::test]
async fn a_call_that_could_not_be_sent_for_a_day_expires() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage.portal().refuse_for(seconds(25 * 3600), Shape::Html);
    stage.says(27, TO_BOT, "stale").await;
    let step = 120;
    for _ in 0..(24 * 3600 / step - 1) {
        stage.clock().advance(seconds(step));
        stage.settle().await;
    }
    assert_eq!(balanced(&mut stage).await.calls, 1, "a day is not over");
    stage.pass(seconds(step + 61)).await;
    let buried = letters(&mut stage).await;
    assert_eq!(
        (buried.len(), &buried[0].0[..], &buried[0].1[..]),
        (1, "calls", "expired")
    );
    stage.pass(seconds(2 * 3600)).await;
    stage.says(27, TO_BOT, "fresh").await;
    stage.pass(seconds(61)).await;
    assert_eq!(stage.heard("27"), ["fresh"]);
    over(stage).await;
}

#[tokio::test]
async fn sixty_messages_at_once_leave_within_the_budget() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    for user in 1..=60 {
        // A `<` keeps a message out of batches.
        let body = message(stage.portal(), 1000 + user, 9000 + user, "<");
        accepted(&mut stage, body).await;
    }
    stage.settle().await;
    assert_eq!(executed(stage.portal()).len(), 48);
    for second in 1..=6 {
        stage.clock().advance(seconds(1) - std::time::Duration::from_millis(1));
        stage.settle().await;
        assert_eq!(
            executed(stage.portal()).len(),
            46 + 2 * second,
            "second {second} is not full"
        );
        stage.clock().advance(std::time::Duration::from_millis(1));
        stage.settle().await;
        assert_eq!(executed(stage.portal()).len(), 48 + 2 * second, "after {second} s");
    }
    assert!(stage.portal().log().iter().all(|entry| entry.status == Some(200)));
    over(stage).await;
}

#[tokio::test]
async fn without_a_webhook_a_bot_speaks_by_the_token_of_its_event_at_the_configured_address() {
    let mut stage = Stage::builder().bot(parrot()).by_event_token().start().await;
    let said = stage.says(27, TO_BOT, "hello").await;
    assert!(!String::from_utf8_lossy(said.body()).contains(&stage.portal().address().to_string()));
    assert_eq!(stage.heard("27"), ["hello"]);
    let log = stage.portal().log();
    assert_eq!(log[0].identity, "local.stage as 101", "as the bot, not as its author");
    over(stage).await;
}

#[tokio::test]
async fn of_several_event_tokens_the_newest_is_used() {
    let mut stage = Stage::builder().bot(parrot()).by_event_token().start().await;
    stage.portal().refuse_for(seconds(1), Shape::Json);
    let older = message(stage.portal(), 27, 9001, "one");
    let older = with(&older, "data[bot][auth][access_token]", "no-longer-good");
    accepted(&mut stage, older).await;
    stage.says(28, TO_BOT, "two").await;
    stage.pass(seconds(5)).await;
    assert_eq!(
        (stage.heard("27"), stage.heard("28")),
        (vec!["one".into()], vec!["two".into()])
    );
    let asked = executed(stage.portal());
    assert!(
        asked.iter().all(|entry| entry.identity == "local.stage as 101"),
        "{asked:?}"
    );
    over(stage).await;
}

#[tokio::test]
async fn without_a_live_event_token_there_is_no_identity() {
    let mut stage = Stage::builder().bot(parrot()).by_event_token().start().await;
    let bare = message(stage.portal(), 27, 9001, "one");
    let bare = without(&bare, "data[bot][auth]");
    accepted(&mut stage, bare).await;
    stage.settle().await;
    assert_eq!(letters(&mut stage).await[0].1, "no_identity", "none came");
    assert!(stage.portal().log().is_empty());

    stage.portal().refuse_for(seconds(3700), Shape::Json);
    stage.says(27, TO_BOT, "two").await;
    stage.pass(seconds(3700 + 61)).await;
    let buried = letters(&mut stage).await;
    assert_eq!(
        (buried.len(), buried[1].1.as_str()),
        (2, "no_identity"),
        "it lived an hour"
    );
    stage.says(27, TO_BOT, "three").await;
    assert_eq!(stage.heard("27"), ["three"]);
    over(stage).await;
}
