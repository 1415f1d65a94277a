//! Conversations: what a user says, and what is heard back. Duplicates and the order inside a dialog.

use crate::scene::*;
use handlers::{echo, helpdesk};
use imbot::portal::Decision;
use imbot::testing::Stage;
use imbot::{Bot, Button, Ctx, Draft, Keyboard, MessageAdd, Outcome, ReactionChange};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Barrier, watch};

#[tokio::test]
async fn echo_repeats_with_strangers_marks_made_harmless() {
    let mut stage = Stage::builder().bot(echo::bot()).start().await;
    stage.says(27, TO_BOT, "Hello [b]you[/b] & 50% +1 Ж").await;
    assert_eq!(stage.heard("27"), ["Hello [\u{200B}b]you[\u{200B}/b] & 50% +1 Ж"]);
    stage.says(27, TO_BOT, "   ").await;
    assert_eq!(stage.heard("27").last().unwrap(), "I can only repeat words.");
    let totals = over(stage).await;
    assert_eq!((totals.accepted, totals.done), (2, 2));
}

#[tokio::test]
async fn help_is_a_reply_in_private_and_a_command_answer_in_a_group() {
    let mut stage = Stage::builder().bot(echo::bot()).start().await;
    let private = stage.says(27, TO_BOT, "/help").await;
    let group = stage.says(27, "chat5", "/help me").await;
    let log = stage.portal().log();
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].method, SEND);
    assert_eq!(log[0].params["fields"]["replyId"], private.message_id);
    assert_eq!(log[0].params["dialogId"], "27");
    assert!(log[0].template_id().is_some());
    assert_eq!(log[1].method, ANSWER);
    assert_eq!(log[1].params["messageId"], group.message_id);
    assert_eq!(log[1].params["dialogId"], "chat5");
    assert_eq!(stage.heard("27"), ["I repeat what you write."]);
    assert_eq!(stage.heard("chat5"), ["I repeat what you write."]);
    over(stage).await;
}

/// Hears everything and says which handler it was.
fn listener() -> Bot {
    async fn heard(ctx: Ctx, _heard: MessageAdd) -> Outcome {
        ctx.reply(Draft::new("heard").keyboard(Keyboard::new().button(Button::command("Press", "/pressed", "x"))))
    }
    async fn liked(ctx: Ctx, liked: ReactionChange) -> Outcome {
        ctx.reply(format!("liked: {}", liked.reaction))
    }
    let pressed = async |ctx: Ctx, asked: imbot::CommandAdd| ctx.answer(format!("pressed: {}", asked.command.params));
    Bot::new("listener")
        .on(heard)
        .on(liked)
        .command("/pressed", "Press", pressed)
}

#[tokio::test]
async fn own_system_and_other_bots_messages_are_ignored() {
    let mut stage = Stage::builder().bot(listener()).start().await;
    let body = |id| message(stage.portal(), 27, id, "x");
    let own = with(
        &with(&body(9001), "data[message][authorId]", "101"),
        "data[message][author_id]",
        "101",
    );
    let system = with(&body(9002), "data[message][isSystem]", "1");
    let nobody = with(
        &with(&body(9003), "data[message][authorId]", "0"),
        "data[message][author_id]",
        "0",
    );
    let robot = with(&body(9004), "data[user][bot]", "1");
    let person = body(9005);
    for ignored in [own, system, nobody, robot] {
        accepted(&mut stage, ignored).await;
    }
    stage.settle().await;
    assert_eq!(stage.portal().log().len(), 0);
    accepted(&mut stage, person).await;
    stage.settle().await;
    assert_eq!(stage.heard("27"), ["heard"]);
    let totals = over(stage).await;
    assert_eq!((totals.accepted, totals.done, totals.ignored), (5, 1, 4));
}

#[tokio::test]
async fn a_button_and_a_reaction_on_the_bots_own_message_reach_their_handlers() {
    let mut stage = Stage::builder().bot(listener()).start().await;
    stage.says(27, TO_BOT, "hello").await;
    stage.presses(27, "27", "Press").await;
    let message = stage
        .portal()
        .messages("27")
        .iter()
        .find(|m| m.text == "heard")
        .unwrap()
        .id;
    let deliveries = stage.portal().react(28, message, "like", true).await.unwrap();
    assert_eq!(deliveries[0].status, Some(200));
    stage.settle().await;
    assert_eq!(stage.heard("27"), ["heard", "pressed: x", "liked: like"]);
    let totals = over(stage).await;
    assert_eq!((totals.done, totals.ignored), (3, 0));
}

#[tokio::test]
async fn an_event_without_a_handler_is_ignored() {
    let mut stage = Stage::builder().bot(Bot::new("deaf")).start().await;
    stage.says(27, TO_BOT, "anyone?").await;
    assert_eq!(over(stage).await.ignored, 1);
}

#[tokio::test]
async fn a_ticket_survives_a_restart_between_its_steps() {
    let mut stage = Stage::builder().bot(helpdesk::bot()).start().await;
    stage.joins(27, BOT, TO_BOT).await;
    stage.presses(27, "27", "Open a ticket").await;
    stage.restart().await;
    stage.says(27, TO_BOT, "Printer [b]broken").await;
    stage.restart().await;
    stage.says(27, TO_BOT, "It burns").await;
    stage.says(27, TO_BOT, "Thanks").await;
    let heard = [
        "Hello! I take your tickets.",
        "What is it about?",
        "Please describe it.",
        "[b]Your ticket[/b]\nPrinter [\u{200B}b]broken\nIt burns",
        "What can I do for you?",
    ];
    assert_eq!(stage.heard("27"), heard);
    assert_eq!(over(stage).await.done, 5);
}

#[tokio::test]
async fn cancel_forgets_the_ticket() {
    let mut stage = Stage::builder().bot(helpdesk::bot()).start().await;
    for text in ["/ticket Printer", "/cancel", "It burns"] {
        stage.says(27, TO_BOT, text).await;
    }
    assert_eq!(
        stage.heard("27"),
        ["Please describe it.", "Forgotten.", "What can I do for you?"]
    );
    over(stage).await;
}

#[tokio::test]
async fn dialogs_remember_apart() {
    let mut stage = Stage::builder().bot(helpdesk::bot()).start().await;
    stage.says(27, TO_BOT, "/ticket").await;
    stage.says(28, TO_BOT, "/ticket Screen").await;
    stage.says(27, TO_BOT, "Printer").await;
    stage.says(28, TO_BOT, "It is dark").await;
    stage.says(27, TO_BOT, "It burns").await;
    assert_eq!(
        stage.heard("27").last().unwrap(),
        "[b]Your ticket[/b]\nPrinter\nIt burns"
    );
    assert_eq!(
        stage.heard("28").last().unwrap(),
        "[b]Your ticket[/b]\nScreen\nIt is dark"
    );
    over(stage).await;
}

#[tokio::test]
async fn a_repeated_delivery_is_handled_once() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    let first = stage.says(27, TO_BOT, "once").await;
    let command = stage.says(27, TO_BOT, "/help").await;
    for body in [first.body(), command.body()] {
        let answered = stage.post_form(body).await;
        assert_eq!((answered.status, answered.outcome.as_str()), (200, "duplicate"));
        assert_eq!(answered.body, "{\"status\":\"ok\"}");
    }
    stage.restart().await;
    assert_eq!(
        stage.post_form(first.body()).await.outcome,
        "duplicate",
        "after a restart"
    );
    // Tokens and subscription numbers differ between two deliveries of one event.
    let again = with(first.body(), "event_handler_id", "999");
    assert_eq!(stage.post_form(again).await.outcome, "duplicate");
    // The same text said twice is two messages.
    stage.says(27, TO_BOT, "once").await;
    assert_eq!(stage.heard("27"), ["once", "no help", "once"]);
    assert_eq!(over(stage).await.accepted, 3);
}

#[tokio::test]
async fn the_same_message_is_new_again_after_72_hours() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    let body = stage.says(27, TO_BOT, "once").await.body().to_vec();
    stage.clock().advance(seconds(72 * 3600 - 1));
    stage.settle().await;
    assert_eq!(stage.post_form(body.clone()).await.outcome, "duplicate");
    stage.clock().advance(seconds(2));
    stage.settle().await;
    accepted(&mut stage, body.clone()).await;
    stage.settle().await;
    let totals = over(stage).await;
    assert_eq!((totals.accepted, totals.done), (2, 2));
}

/// Runs with the numbers of its messages; the hot dialog's first waits until four others have met.
#[derive(Clone)]
struct Ledger {
    inside: Arc<AtomicUsize>,
    overlaps: Arc<AtomicUsize>,
    order: Arc<Mutex<Vec<usize>>>,
    others: Arc<Barrier>,
    met: Arc<watch::Sender<bool>>,
}

const HOT: i64 = 27;
const OTHERS: usize = 4;

impl Ledger {
    fn bot() -> (Self, Bot) {
        let ledger = Self {
            inside: Arc::default(),
            overlaps: Arc::default(),
            order: Arc::default(),
            others: Arc::new(Barrier::new(OTHERS)),
            met: Arc::new(watch::Sender::new(false)),
        };
        let own = ledger.clone();
        let bot = Bot::new("ledger").on(move |ctx: Ctx, heard: MessageAdd| {
            let ledger = own.clone();
            async move { ledger.hear(ctx, heard).await }
        });
        (ledger, bot)
    }

    async fn hear(self, ctx: Ctx, heard: MessageAdd) -> Outcome {
        if ctx.dialog_id() != Some(&HOT.to_string()) {
            self.others.wait().await;
            self.met.send_replace(true);
            return Ok(());
        }
        if self.inside.fetch_add(1, Ordering::SeqCst) > 0 {
            self.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        self.met.subscribe().wait_for(|met| *met).await?;
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.order.lock().unwrap().push(heard.message.text.parse()?);
        self.inside.fetch_sub(1, Ordering::SeqCst);
        ctx.reply(heard.message.text)
    }
}

#[tokio::test]
async fn a_hot_dialog_is_handled_one_by_one_while_others_run_side_by_side() {
    const COUNT: usize = 200;
    let (ledger, bot) = Ledger::bot();
    let mut stage = Stage::builder().bot(bot).start().await;
    for (number, id) in (0..COUNT).zip(9001..) {
        let body = message(stage.portal(), HOT, id, &number.to_string());
        accepted(&mut stage, body).await;
    }
    assert_eq!(
        balanced(&mut stage).await.pending,
        200,
        "the first waits for the others"
    );
    for user in 31..31 + i64::try_from(OTHERS).unwrap() {
        let body = message(stage.portal(), user, 9500 + user, "meet");
        accepted(&mut stage, body).await;
    }
    stage.pass(seconds(80)).await;
    let all: Vec<usize> = (0..COUNT).collect();
    assert_eq!(*ledger.order.lock().unwrap(), all);
    assert_eq!(ledger.overlaps.load(Ordering::SeqCst), 0);
    let texts: Vec<usize> = stage
        .heard(&HOT.to_string())
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    assert_eq!(texts, all, "order at the portal");
    let refused = stage
        .portal()
        .log()
        .into_iter()
        .filter(|entry| matches!(entry.decision, Decision::Refused { .. }));
    assert_eq!(refused.count(), 0);
    over(stage).await;
}
