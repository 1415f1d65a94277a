//! The conversation harness itself: what people can do reaches a bot, what bots do is told, and nothing is forgotten.

use imbot::method::{
    ChatUpdate, FileUpload, InputActionNotify, MessageDelete as DeleteMessage, MessageUpdate as ChangeMessage,
    Reaction, ReactionAdd, ReactionDelete, SessionOperator,
};
use imbot::portal::{EventFault, EventRule};
use imbot::testing::{Stage, Talk, with};
use imbot::types::{Attachment, Block};
use imbot::{
    Bot, Button, CommandAdd, ContextGet, Ctx, Draft, Failure, JoinChat, Keyboard, MessageAdd, MessageDelete,
    MessageUpdate, Outcome, ReactionChange,
};
use insta::assert_snapshot;
use std::time::Duration;

/// Tells what it heard, and does what some words ask for.
fn witness() -> Bot {
    Bot::new("witness")
        .on(heard)
        .on(async |ctx: Ctx, changed: MessageUpdate| ctx.reply(format!("changed: {}", changed.message.text)))
        .on(async |ctx: Ctx, _gone: MessageDelete| ctx.reply("deleted"))
        .on(async |ctx: Ctx, joined: JoinChat| {
            let by = joined.user.map(|user| user.name).unwrap_or_default();
            ctx.reply(format!("joined by {by}"))
        })
        .on(async |ctx: Ctx, opened: ContextGet| ctx.reply(format!("context: {}", opened.context.value())))
        .on(reacted)
        .command("/menu", "Buttons", async |ctx: Ctx, _asked: CommandAdd| {
            let keyboard = Keyboard::new().button(Button::command("Again", "/menu", "now"));
            let keyboard = keyboard.row().button(Button::link("Site", "https://example.com"));
            let more = Attachment::new().block(Block::message("Choose."));
            ctx.answer(Draft::new("The menu").attachment(more).keyboard(keyboard))
        })
}

async fn heard(ctx: Ctx, heard: MessageAdd) -> Outcome {
    let dialog = ctx.dialog_id().unwrap_or_default().to_owned();
    match heard.message.text.as_str() {
        "like me" => ctx
            .call(ReactionAdd::new(heard.message.id, Reaction::Like).in_dialog(&dialog))
            .map(drop),
        "think" => ctx.call(InputActionNotify::new(&dialog)).map(drop),
        "file" => ctx
            .call(FileUpload::new(&dialog, "a.txt", b"Hello").message("Here"))
            .map(drop),
        "rename" => ctx.call(ChatUpdate::new(&dialog).title("Renamed")).map(drop),
        "operator" => {
            let chat = heard.chat.and_then(|chat| chat.id).unwrap_or_default();
            ctx.call(SessionOperator::new(chat)).map(drop)
        }
        "fail" => Err(Failure::fatal("on purpose")),
        _ if !heard.message.file_ids.is_empty() => ctx.reply(format!("files: {}", heard.message.file_ids.len())),
        text => ctx.reply(format!("heard: {text}")),
    }
}

/// Like: the message is changed; fire: it is deleted; taken back: so does the bot.
async fn reacted(ctx: Ctx, change: ReactionChange) -> Outcome {
    let dialog = ctx.dialog_id().unwrap_or_default().to_owned();
    let message = change.message.map(|message| message.id).unwrap_or_default();
    match (change.reaction.as_str(), change.action == "add") {
        ("like", true) => ctx
            .call(ChangeMessage::new(message).text("Thanks").in_dialog(&dialog))
            .map(drop),
        ("fire", true) => ctx.call(DeleteMessage::new(message).in_dialog(&dialog)).map(drop),
        (_, true) => ctx
            .call(ReactionAdd::new(message, Reaction::Like).in_dialog(&dialog))
            .map(drop),
        (_, false) => ctx
            .call(ReactionDelete::new(message, Reaction::Like).in_dialog(&dialog))
            .map(drop),
    }
}

#[tokio::test]
async fn what_people_do_in_private_reaches_the_bot() {
    let mut talk = with(witness()).await;
    talk.user("Ann").opens_chat().await;
    talk.user("Ann").says("hi").await;
    talk.user("Ann").edits("hi", "hello").await;
    talk.user("Ann").deletes("hello").await;
    talk.user("Ann").uploads("plan.pdf", "content").await;
    talk.user("Ann").opens_link(serde_json::json!({ "task": "5" })).await;
    assert_snapshot!(talk.heard().await, @r#"
    witness -> Ann: joined by Ann
    witness -> Ann: heard: hi
    witness -> Ann: changed: hello
    witness -> Ann: deleted
    witness -> Ann: files: 1
    witness -> Ann: context: {"task":"5"}
    "#);
    talk.over().await;
}

#[tokio::test]
async fn buttons_reactions_and_what_bots_do_with_messages_are_told() {
    let mut talk = with(witness()).await;
    talk.user("Ann").runs("/menu").await;
    talk.user("Ann").presses("Again").await;
    talk.user("Ann").reacts("cry").await;
    talk.user("Ann").takes_back("cry").await;
    talk.user("Ann").reacts("like").await;
    talk.user("Ann").reacts("fire").await;
    for word in ["like me", "think", "file"] {
        talk.user("Ann").says(word).await;
    }
    assert_snapshot!(talk.heard().await, @r#"
    witness -> Ann: The menu
      | Choose.
      [Again: /menu now]
      [Site: https://example.com]
    witness -> Ann: The menu
      | Choose.
      [Again: /menu now]
      [Site: https://example.com]
    witness reacts like to "The menu" -> Ann
    witness takes like back from "The menu" -> Ann
    witness edits "The menu" -> Ann: Thanks
      | Choose.
      [Again: /menu now]
      [Site: https://example.com]
    witness deletes "Thanks" -> Ann
    witness reacts like to "like me" -> Ann
    witness is typing -> Ann
    witness -> Ann: Here
      (file a.txt)
    "#);
    talk.over().await;
}

#[tokio::test]
async fn groups_have_their_own_dialog_and_bots_are_called_by_name() {
    let mut talk = with(imbot_app()).await;
    talk.user("Ann").in_chat("Team").says("among ourselves").await;
    talk.user("Bob").in_chat("Team").joins().await;
    assert_eq!(talk.heard().await, "");
    talk.user("Bob").in_chat("Team").invites("second").await;
    talk.user("Bob")
        .in_chat("Team")
        .says("@second and @witness, ask @Ann!")
        .await;
    talk.user("Ann").to("second").says("in private").await;
    talk.user("Ann").in_chat("Team").says("@witness rename").await;
    assert_snapshot!(talk.heard().await, @r"
    second -> Ann: second in private
    witness -> Team: heard: [<ZWSP>USER=102]second[<ZWSP>/USER] and [<ZWSP>USER=101]witness[<ZWSP>/USER], ask [<ZWSP>USER=27]Ann[<ZWSP>/USER]!
    witness -> Team: heard: [<ZWSP>USER=101]witness[<ZWSP>/USER] rename
    second -> Team: second [<ZWSP>USER=102]second[<ZWSP>/USER] and [<ZWSP>USER=101]witness[<ZWSP>/USER], ask [<ZWSP>USER=27]Ann[<ZWSP>/USER]!
    ");
    talk.over().await;
}

fn imbot_app() -> imbot::App {
    let second = Bot::new("second");
    let second = second.on(async |ctx: Ctx, heard: MessageAdd| ctx.reply(format!("second {}", heard.message.text)));
    imbot::App::new().bot(witness()).bot(second)
}

#[tokio::test]
async fn a_guest_is_served_until_the_bot_hands_over() {
    let mut talk = with(witness()).await;
    talk.guest("Zoe").says("hello").await;
    talk.guest("Zoe").says("operator").await;
    talk.guest("Zoe").says("anybody?").await;
    assert_snapshot!(talk.heard().await, @r"
    witness -> Zoe: joined by Zoe
    witness -> Zoe: heard: hello
    witness hands over -> Zoe
    ");
    talk.over().await;
}

#[tokio::test]
async fn two_dialogs_are_told_one_after_the_other_however_they_ran() {
    let mut talk = with(witness()).await;
    talk.user("Ann").says("1").await;
    talk.user("Bob").says("2").await;
    talk.user("Ann").says("3").await;
    talk.pass(Duration::from_secs(1)).await;
    talk.user("Ann").says("4").await;
    let told = "witness -> Ann: heard: 1\nwitness -> Ann: heard: 3\nwitness -> Bob: heard: 2\nwitness -> Ann: heard: 4";
    assert_eq!(talk.heard().await, told);
    talk.over().await;
}

#[tokio::test]
async fn a_fault_is_survived_and_a_dead_letter_is_looked_at() {
    let mut talk = with(witness()).await;
    talk.portal().answer_error(None, 500, "INTERNAL_SERVER_ERROR", 1);
    talk.portal().event_fault(EventRule {
        event: None,
        times: Some(1),
        fault: EventFault::Duplicate,
    });
    talk.user("Ann").says("one").await;
    assert_eq!(talk.heard().await, "", "it waits for its second try");
    talk.pass(Duration::from_secs(5)).await;
    assert_eq!(talk.heard().await, "witness -> Ann: heard: one");
    talk.user("Ann").says("fail").await;
    talk.portal().answer_error(None, 400, "ACCESS_DENIED", 1);
    talk.user("Ann").says("two").await;
    assert_snapshot!(talk.dead_letters().await, @r"
    events ONIMBOTV2MESSAGEADD: handler_fatal after 1 attempt
    calls imbot.v2.Chat.Message.send: ACCESS_DENIED after 1 attempt
    ");
    assert_eq!(talk.dead_letters().await, "", "told once");
    talk.over().await;
}

/// Counts, hangs at its second message until the process dies, and goes on counting.
fn counting() -> (Bot, tokio::sync::mpsc::UnboundedReceiver<()>) {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    let bot = Bot::new("counting").on(move |ctx: Ctx, heard: MessageAdd| {
        let tell = tell.clone();
        async move {
            let count = ctx.recall::<u32>()?.unwrap_or_default() + 1;
            ctx.remember(&count)?;
            ctx.reply(format!("{} {count}", heard.message.text))?;
            if heard.message.text == "hang" && tell.send(()).is_ok() {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    });
    (bot, told)
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_handler_loses_nothing_and_counts_nothing_twice() {
    let (bot, mut told) = counting();
    let mut talk = with(Stage::builder().bot(bot)).await;
    talk.user("Ann").says("one").await;
    talk.portal().say(27, "101", "hang").await.unwrap();
    told.recv().await.unwrap();
    told.close();
    talk.kill().await;
    talk.user("Ann").says("two").await;
    talk.pass(Duration::from_secs(5)).await;
    assert_snapshot!(talk.heard().await, @r"
    counting -> Ann: one 1
    counting -> Ann: hang 2
    counting -> Ann: two 3
    ");
    talk.over().await;
}

#[tokio::test]
#[should_panic(expected = "not heard (read it with `talk.heard().await`):\nwitness -> Ann: heard: hi")]
async fn words_that_nobody_read_fail_the_test() {
    let mut talk = with(witness()).await;
    talk.user("Ann").says("hi").await;
    talk.over().await;
}

#[tokio::test]
#[should_panic(expected = "dead letters (look at them with `talk.dead_letters().await`):\nevents ONIMBOTV2MESSAGEADD")]
async fn a_dead_letter_that_nobody_looked_at_fails_the_test() {
    let mut talk = with(witness()).await;
    talk.user("Ann").says("fail").await;
    talk.over().await;
}

#[tokio::test]
#[should_panic(expected = "waiting for their next try: events 0, calls 1")]
async fn a_call_that_still_waits_fails_the_test() {
    let mut talk = with(witness()).await;
    talk.portal().answer_error(None, 500, "INTERNAL_SERVER_ERROR", 1);
    talk.user("Ann").says("hi").await;
    talk.over().await;
}

#[tokio::test]
#[should_panic(expected = "faults that never struck:\nanswer at imbot.v2.Chat.leave, 2 left")]
async fn a_fault_that_never_struck_fails_the_test() {
    let talk = with(witness()).await;
    talk.portal()
        .answer_error(Some("imbot.v2.Chat.leave"), 500, "INTERNAL_SERVER_ERROR", 2);
    talk.over().await;
}

#[tokio::test]
#[should_panic(expected = "a conversation was dropped without its end")]
async fn a_conversation_without_its_end_fails_the_test() {
    drop(with(witness()).await);
}

/// What a misuse says.
async fn complaint(misuse: impl AsyncFnOnce(&mut Talk) + Send + 'static) -> String {
    let lone = tokio::task::LocalSet::new();
    let misused = lone.run_until(async move {
        let task = tokio::task::spawn_local(async move {
            let mut talk = with(imbot_app()).await;
            talk.user("Ann").runs("/menu").await;
            misuse(&mut talk).await;
            talk.over().await;
        });
        task.await
    });
    let panic = misused.await.expect_err("it must fail").into_panic();
    let said = panic.downcast_ref::<String>().cloned();
    said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()))
        .unwrap()
}

#[tokio::test]
async fn misuse_is_told_in_words_that_help() {
    for (said, part) in [
        (
            complaint(async |talk| talk.user("Ann").runs("/nemu").await).await,
            "no bot here has a command `/nemu`, only: /menu",
        ),
        (
            complaint(async |talk| talk.user("Ann").presses("Help").await).await,
            "Ann sees no button \"Help\", only [\"Again\", \"Site\"]",
        ),
        (
            complaint(async |talk| talk.user("Ann").presses("Site").await).await,
            "runs no command",
        ),
        (
            complaint(async |talk| talk.user("Ann").to("third").says("x").await).await,
            "no bot `third` here, only witness, second",
        ),
        (
            complaint(async |talk| talk.user("Ann").edits("never said", "x").await).await,
            "Ann has not written \"never said\" here, only [\"/menu\"]",
        ),
        (
            complaint(async |talk| talk.user("Bob").reacts("like").await).await,
            "Bob cannot react: no bot has written here",
        ),
        (
            complaint(async |talk| talk.user("witness").says("x").await).await,
            "`witness` is somebody else here",
        ),
        (
            complaint(async |talk| talk.user("Ann").invites("second").await).await,
            "where? `talk.user(\"Ann\").in_chat(\"Team\").invites(…)`",
        ),
        (
            complaint(async |talk| drop(talk.guest("Zoe").in_chat("Team"))).await,
            "Zoe is a guest and has an open line only",
        ),
    ] {
        assert!(said.contains(part), "{said}");
    }
}
