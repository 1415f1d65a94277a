//! What a bot's author writes beyond replies: hearing how calls end, long texts, answers in groups, calls without an
//! event.

use crate::door::client;
use crate::scene::*;
use imbot::method::{AgentAction, CallError, ChatAdd, ChatGet, ErrorCode, FileUpload, MessageSend, MessageUpdate};
use imbot::portal::{Action, Deed, LogEntry, Rule, Shape};
use imbot::testing::Stage;
use imbot::types::TemplateId;
use imbot::{Bot, CallSettled, CommandAdd, Ctx, Draft, MessageAdd, OutboxError, Outcome, Placed, Then as _};
use serde_json::{Value, json};

const GET: &str = "imbot.v2.Chat.get";
const TYPING: &str = "imbot.v2.Chat.InputAction.notify";

/// One answer of the portal to the next call of a method.
fn answers(stage: &Stage, method: &str, status: u16, code: &str) {
    stage.portal().fault(Rule {
        method: Some(method.to_owned()),
        times: Some(1),
        until: None,
        action: Action::Answer {
            status,
            code: code.to_owned(),
            shape: Shape::Json,
        },
    });
}

fn methods(log: &[LogEntry]) -> Vec<&str> {
    log.iter().map(|entry| entry.method.as_str()).collect()
}

/// Makes a chat for every message, fills it when it is there, and edits what it said first.
fn maker() -> Bot {
    async fn heard(ctx: Ctx, heard: MessageAdd) -> Outcome {
        ctx.call(MessageSend::new(ctx.dialog_id().unwrap_or_default(), "One moment"))
            .then("said")?;
        ctx.call(ChatAdd::new().title(&heard.message.text).users([27]))
            .then("made")
    }
    async fn settled(ctx: Ctx, settled: CallSettled) -> Outcome {
        assert_eq!(ctx.dialog_id(), Some("27"), "where it was asked for");
        match settled.tag.as_str() {
            "said" => {
                let id = settled.reply::<MessageSend>()?.id.unwrap_or_default();
                ctx.remember(&id)
            }
            "made" => match settled.reply::<ChatAdd>() {
                Ok(made) => {
                    let said: i64 = ctx.recall()?.unwrap_or_default();
                    ctx.call(MessageUpdate::new(said).text("Made").in_dialog("27"))?;
                    ctx.call(MessageSend::new(format!("chat{}", made.chat.id), "Welcome"))?;
                    Ok(())
                }
                Err(CallError::Portal(ErrorCode::AccessDenied)) => ctx.reply("I may not."),
                Err(CallError::Unknown(_)) => ctx.reply("Perhaps."),
                Err(error) => ctx.reply(error.to_string()),
            },
            other => panic!("{other}"),
        }
    }
    Bot::new("maker").on(heard).on(settled)
}

#[tokio::test]
async fn a_bot_edits_what_it_sent_and_fills_the_chat_it_made() {
    let mut stage = Stage::builder().bot(maker()).start().await;
    stage.says(27, TO_BOT, "War room").await;
    assert_eq!(stage.heard("27"), ["Made"]);
    let log = stage.portal().log();
    let last = log.last().unwrap();
    assert_eq!((last.method.as_str(), last.text()), (SEND, Some("Welcome")));
    let chat = last.params["dialogId"].as_str().unwrap().to_owned();
    assert_eq!(stage.heard(&chat), ["Welcome"]);
    let totals = over(stage).await;
    assert_eq!(
        (totals.accepted, totals.done),
        (3, 3),
        "each end is an event of its own"
    );
}

#[tokio::test]
async fn a_bot_hears_of_a_failure_and_of_one_that_nobody_knows() {
    let mut stage = Stage::builder().bot(maker()).start().await;
    answers(&stage, "imbot.v2.Chat.add", 400, "ACCESS_DENIED");
    stage.says(27, TO_BOT, "A").await;
    answers(&stage, "imbot.v2.Chat.add", 500, "INTERNAL_SERVER_ERROR");
    stage.says(27, TO_BOT, "B").await;
    let heard = stage.heard("27");
    assert_eq!([&heard[1], &heard[3]], ["I may not.", "Perhaps."]);
    assert_eq!(
        letters(&mut stage).await,
        [
            letter("calls", "ACCESS_DENIED", 1),
            letter("unknown", "INTERNAL_SERVER_ERROR", 1)
        ]
    );
    over(stage).await;
}

#[tokio::test]
async fn an_end_that_was_not_yet_told_is_told_after_a_restart_and_once() {
    let mut stage = Stage::builder().bot(maker()).start().await;
    stage.portal().fault(Rule {
        method: Some("imbot.v2.Chat.add".to_owned()),
        times: Some(1),
        until: None,
        action: Action::Answer {
            status: 503,
            code: "QUERY_LIMIT_EXCEEDED".to_owned(),
            shape: Shape::Json,
        },
    });
    stage.says(27, TO_BOT, "Room").await;
    assert_eq!(stage.heard("27"), ["One moment"]);
    stage.restart().await;
    stage.pass(seconds(5)).await;
    assert_eq!(stage.heard("27"), ["Made"]);
    stage.restart().await;
    stage.settle().await;
    assert_eq!(over(stage).await.done, 3);
}

#[tokio::test]
async fn nobody_can_send_in_how_a_call_ended() {
    let mut stage = Stage::builder().bot(maker()).by_event_token().start().await;
    let said = stage.says(27, TO_BOT, "Room").await;
    let before = stage.portal().log().len();
    let forged = with(said.body(), "event", "IMBOTCALLSETTLED");
    accepted(&mut stage, forged).await;
    stage.settle().await;
    assert_eq!(stage.portal().log().len(), before);
    assert_eq!(over(stage).await.ignored, 1, "an unknown event, for nobody");
}

/// Looks its chat up, shows that it is typing, and fetches files.
fn curious() -> Bot {
    async fn heard(ctx: Ctx, heard: MessageAdd) -> Outcome {
        ctx.typing(AgentAction::Searching, 10);
        let text = heard.message.text.as_str();
        if let Some(file) = text.strip_prefix("file ") {
            return match ctx.download(file.parse()?).await {
                Ok(file) => ctx.reply(String::from_utf8_lossy(&file.bytes(100).await?).into_owned()),
                Err(error) => ctx.reply(format!("no file: {error}")),
            };
        }
        match ctx.ask(ChatGet::new(text)).await {
            Ok(found) => ctx.reply(format!("{} is {}", text, found.chat.name)),
            Err(CallError::Portal(ErrorCode::AccessDenied)) => ctx.reply("not for me"),
            Err(error) => ctx.reply(format!("no answer: {error}")),
        }
    }
    Bot::new("curious").on(heard)
}

#[tokio::test]
async fn a_handler_asks_and_gets_an_answer_or_the_reason_why_not() {
    let mut stage = Stage::builder().bot(curious()).start().await;
    stage.portal().add_chat(7, &[27, BOT]);
    stage.says(27, TO_BOT, "chat7").await;
    answers(&stage, GET, 400, "ACCESS_DENIED");
    stage.says(27, TO_BOT, "chat7").await;
    assert_eq!(stage.heard("27"), ["chat7 is Chat 7", "not for me"]);
    let log = stage.portal().log();
    let ask = log.iter().find(|entry| entry.method == GET).unwrap();
    assert_eq!(ask.params["botId"], BOT);
    // A read that broke off is asked again while there is time.
    stage.portal().fault(Rule {
        method: Some(GET.to_owned()),
        times: Some(1),
        until: None,
        action: Action::ResetAfterExecution,
    });
    let body = message(stage.portal(), 27, 9001, "chat7");
    accepted(&mut stage, body).await;
    stage.settle_but(1).await;
    stage.clock().advance(seconds(5));
    stage.settle().await;
    assert_eq!(stage.heard("27").last().unwrap(), "chat7 is Chat 7");
    over(stage).await;
}

#[tokio::test]
async fn a_question_that_gets_no_answer_in_time_leaves_the_handler_a_second() {
    let mut stage = Stage::builder().bot(curious()).start().await;
    stage.portal().fault(Rule {
        method: Some(GET.to_owned()),
        times: None,
        until: None,
        action: Action::Answer {
            status: 503,
            code: "QUERY_LIMIT_EXCEEDED".to_owned(),
            shape: Shape::Json,
        },
    });
    let body = message(stage.portal(), 27, 9001, "chat7");
    accepted(&mut stage, body).await;
    for _ in 0..29 {
        stage.settle_but(1).await;
        stage.clock().advance(seconds(1));
    }
    stage.portal().clear_faults();
    stage.pass(seconds(60)).await;
    let heard = stage.heard("27");
    assert_eq!(heard.len(), 1, "once: the handler did not time out");
    assert!(heard[0].starts_with("no answer: "), "{heard:?}");
    over(stage).await;
}

#[tokio::test]
async fn typing_is_shown_at_once_and_at_most_every_five_seconds() {
    let mut stage = Stage::builder().bot(curious()).start().await;
    stage.portal().add_chat(7, &[27, BOT]);
    let typing = |stage: &Stage| {
        stage
            .portal()
            .log()
            .iter()
            .filter(|entry| entry.method == TYPING)
            .count()
    };
    stage.says(27, TO_BOT, "chat7").await;
    assert_eq!(typing(&stage), 1);
    stage.says(27, TO_BOT, "chat7").await;
    assert_eq!(typing(&stage), 1);
    stage.says(28, TO_BOT, "chat7").await;
    assert_eq!(typing(&stage), 2, "another dialog");
    stage.clock().advance(seconds(5));
    answers(&stage, TYPING, 400, "ACCESS_DENIED");
    stage.says(27, TO_BOT, "chat7").await;
    assert_eq!(typing(&stage), 3);
    stage.pass(seconds(60)).await;
    assert_eq!(typing(&stage), 3, "not repeated");
    assert_eq!(stage.heard("27").len(), 3, "and no error for the handler");
    assert_eq!(letters(&mut stage).await, []);
    over(stage).await;
}

#[tokio::test]
async fn a_typing_notice_takes_no_token_that_is_not_there() {
    let mut stage = Stage::builder().bot(parrot_that_types()).start().await;
    for id in 0..48 {
        let send = MessageSend::new("28", "x");
        stage.outbox().call("p0", BOT, format!("{id}"), send).await.unwrap();
    }
    stage.settle().await;
    let body = message(stage.portal(), 27, 9001, "hello");
    accepted(&mut stage, body).await;
    stage.settle().await;
    stage.pass(seconds(60)).await;
    assert_eq!(stage.heard("27"), ["hello"]);
    let log = stage.portal().log();
    assert!(log.iter().all(|entry| entry.method != TYPING), "{:?}", methods(&log));
    over(stage).await;
}

/// Says what it hears after showing that it types.
fn parrot_that_types() -> Bot {
    Bot::new("typist").on(async |ctx: Ctx, heard: MessageAdd| {
        ctx.typing(None, 5);
        ctx.reply(heard.message.text)
    })
}

#[tokio::test]
async fn a_file_is_fetched_from_the_portal_by_a_link_used_once() {
    let mut stage = Stage::builder().bot(curious()).start().await;
    let upload = FileUpload::new("27", "note.txt", b"remember the milk");
    stage.outbox().call("p0", BOT, "file", upload).await.unwrap();
    stage.settle().await;
    let file = 138; // the first number that the portal gives
    stage.says(27, TO_BOT, &format!("file {file}")).await;
    assert_eq!(stage.heard("27").last().unwrap(), "remember the milk");
    stage.says(27, TO_BOT, "file 424242").await;
    let heard = stage.heard("27");
    assert!(heard.last().unwrap().starts_with("no file: "), "{heard:?}");
    over(stage).await;
}

/// Says a text of so many words, the last message with a button.
fn talker() -> Bot {
    fn long(words: usize) -> Draft {
        let words: String = (0..words).map(|word| format!("{word:05} ")).collect();
        let keyboard = imbot::Keyboard::new().button(imbot::Button::link("End", "/"));
        Draft::new(imbot::Markup::raw(format!("[b]{}[/b]", words.trim_end()))).keyboard(keyboard)
    }
    Bot::new("talker")
        .on(async |ctx: Ctx, heard: MessageAdd| ctx.reply(long(heard.message.text.parse()?)))
        .command("/talk", "Talks", async |ctx: Ctx, asked: CommandAdd| {
            ctx.answer(long(asked.command.params.parse()?))
        })
}

#[tokio::test]
async fn a_long_text_arrives_whole_in_order_and_once_whatever_happens() {
    let mut stage = Stage::builder().bot(talker()).start().await;
    stage.portal().fault(Rule {
        method: Some(SEND.to_owned()),
        times: Some(2),
        until: None,
        action: Action::ResetAfterExecution,
    });
    stage.says(27, TO_BOT, "10000").await;
    stage.pass(seconds(30)).await;
    let messages = stage.portal().messages("27");
    let parts: Vec<_> = messages.iter().filter(|message| message.bot.is_some()).collect();
    assert_eq!(parts.len(), 4, "60,000 characters and the tags");
    let mut text = String::new();
    for part in &parts {
        assert!(part.text.chars().count() <= 20_000 && part.text.starts_with("[b]") && part.text.ends_with("[/b]"));
        text.push_str(&part.text[3..part.text.len() - 4]);
    }
    let words: Vec<usize> = text.split(' ').map(|word| word.parse().unwrap()).collect();
    assert_eq!(words, (0..10_000).collect::<Vec<_>>());
    let buttons: Vec<_> = parts.iter().map(|part| part.keyboard.len()).collect();
    assert_eq!(buttons, [0, 0, 0, 1]);
    let ids: std::collections::BTreeSet<_> = stage
        .portal()
        .log()
        .iter()
        .filter_map(|entry| entry.template_id().map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), 4, "each part has an id of its own");
    over(stage).await;
}

#[tokio::test]
async fn behind_a_dead_part_nothing_of_its_text_is_sent() {
    let mut stage = Stage::builder().bot(talker()).start().await;
    stage.portal().fault_at(
        Rule {
            method: Some(SEND.to_owned()),
            times: Some(1),
            until: None,
            action: Action::Answer {
                status: 400,
                code: "MESSAGE_NOT_FOUND".to_owned(),
                shape: Shape::Json,
            },
        },
        imbot::portal::Aim {
            nth: Some(2),
            ..imbot::portal::Aim::default()
        },
    );
    stage.says(27, TO_BOT, "10000").await;
    stage.says(27, TO_BOT, "1").await;
    let heard = stage.heard("27");
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[1], "[b]00000[/b]", "what is said next is heard");
    assert_eq!(
        letters(&mut stage).await,
        [
            letter("calls", "MESSAGE_NOT_FOUND", 1),
            letter("calls", "earlier_part_failed", 0),
            letter("calls", "earlier_part_failed", 0),
        ]
    );
    over(stage).await;
}

#[tokio::test]
async fn a_long_answer_falls_back_part_by_part() {
    let mut stage = Stage::builder().bot(talker()).start().await;
    for _ in 0..2 {
        answers(&stage, SEND, 400, "ACCESS_DENIED");
    }
    let asked = stage.says(27, TO_BOT, "/talk 5000").await;
    let log = stage.portal().log();
    assert_eq!(methods(&log), [SEND, ANSWER, SEND, ANSWER]);
    for (send, answer) in [(0, 1), (2, 3)] {
        assert_eq!(log[send].text(), log[answer].text());
        assert_eq!(log[answer].params["messageId"], asked.message_id);
        assert_eq!(log[answer].template_id(), None);
    }
    assert_eq!(log[0].params["fields"]["replyId"], asked.message_id);
    assert!(log[2].params["fields"].get("replyId").is_none());
    over(stage).await;
}

#[tokio::test]
async fn an_answer_in_a_group_is_a_message_once_the_bot_was_seen_there_and_until_it_is_denied() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage.says(27, "chat5", "/help").await;
    stage.joins(27, BOT, "chat5").await;
    stage.says(27, "chat5", "/help").await;
    stage.says(27, "chat6", "/help").await;
    stage.restart().await;
    stage.says(27, "chat5", "/help").await;
    assert_eq!(methods(&stage.portal().log()), [ANSWER, SEND, ANSWER, SEND]);
    assert!(stage.portal().log()[1].template_id().is_some());

    stage.portal().fault(Rule {
        method: Some(SEND.to_owned()),
        times: Some(1),
        until: None,
        action: Action::Do(Deed::KickBot { bot: BOT, chat: 5 }),
    });
    let asked = stage.says(27, "chat5", "/help").await;
    let log = stage.portal().log();
    assert_eq!(methods(&log[4..]), [SEND, ANSWER], "denied, and answered in its place");
    let again = with(asked.body(), "data[message][id]", "9001");
    accepted(&mut stage, again).await;
    stage.settle().await;
    assert_eq!(methods(&stage.portal().log()[6..]), [ANSWER], "it knows better now");
    assert_eq!(stage.heard("chat5").len(), 5, "nobody waits for an answer");
    assert_eq!(letters(&mut stage).await, []);
    over(stage).await;
}

#[tokio::test]
async fn a_message_sent_to_a_group_or_heard_in_it_shows_that_the_bot_is_there() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    stage.says(27, "chat5", "[USER=101]Parrot[/USER] hello").await;
    stage.says(27, "chat5", "/help").await;
    let sent = stage
        .outbox()
        .call("p0", BOT, "hello", MessageSend::new("chat6", "Hello"));
    sent.await.unwrap();
    stage.settle().await;
    stage.says(27, "chat6", "/help").await;
    assert_eq!(methods(&stage.portal().log()), [SEND, SEND, SEND, SEND]);
    over(stage).await;
}

#[tokio::test]
async fn the_way_of_answers_can_be_configured() {
    for (way, method) in [("answer", ANSWER), ("send", SEND)] {
        let config = format!("deliver.answer_via = \"{way}\"");
        let mut stage = Stage::builder().bot(parrot()).config(&config).start().await;
        stage.says(27, TO_BOT, "/help").await;
        stage.says(27, "chat5", "/help").await;
        assert_eq!(methods(&stage.portal().log()), [method, method]);
        over(stage).await;
    }
}

#[tokio::test]
async fn an_authors_template_id_goes_out_as_it_is() {
    let id = TemplateId::derive(b"mine", b"order 12", 0, 0);
    let own = id.clone();
    let bot = Bot::new("own").on(move |ctx: Ctx, _heard: MessageAdd| {
        let own = own.clone();
        async move {
            ctx.call(MessageSend::new("27", "Order 12 is on its way").template_id(&own))?;
            Ok(())
        }
    });
    let mut stage = Stage::builder().bot(bot).start().await;
    stage.says(27, TO_BOT, "one").await;
    stage.says(27, TO_BOT, "two").await;
    let log = stage.portal().log();
    assert!(log.iter().all(|entry| entry.template_id() == Some(id.as_str())));
    assert_eq!(
        stage.heard("27"),
        ["Order 12 is on its way"],
        "the portal knows the repeat"
    );
    over(stage).await;
}

#[tokio::test]
async fn a_reminder_is_queued_once_a_key_and_tells_its_end() {
    async fn settled(ctx: Ctx, settled: CallSettled) -> Outcome {
        assert_eq!((settled.tag.as_str(), ctx.dialog_id()), ("reminded", Some("27")));
        ctx.reply(format!("sent {}", settled.reply::<MessageSend>()?.id.is_some()))
    }
    let mut stage = Stage::builder().bot(Bot::new("calendar").on(settled)).start().await;
    let outbox = stage.outbox();
    let remind = |key: &str| {
        outbox
            .call("p0", BOT, key, MessageSend::new("27", "Tomorrow"))
            .then("reminded")
    };
    assert!(matches!(remind("day 1").await, Ok(Placed::Queued(_))));
    assert_eq!(remind("day 1").await, Ok(Placed::Known));
    stage.settle().await;
    stage.restart().await;
    assert_eq!(remind("day 1").await, Ok(Placed::Known), "after a restart too");
    stage.settle().await;
    assert_eq!(stage.heard("27"), ["Tomorrow", "sent true"]);
    let unknown = outbox.call("p0", 7, "k", MessageSend::new("27", "x")).await;
    assert!(matches!(unknown, Err(OutboxError::UnknownBot { bot: 7, .. })));
    let wrong = outbox
        .call("p0", BOT, "k", MessageSend::new("27", "x".repeat(20_001)))
        .await;
    assert!(
        matches!(wrong, Err(OutboxError::Refused(_))),
        "only replies and answers are cut"
    );
    let long = "k".repeat(256);
    for key in ["", long.as_str()] {
        let refused = outbox.call("p0", BOT, key, MessageSend::new("27", "x")).await;
        assert!(matches!(refused, Err(OutboxError::BadWord(_))));
    }
    stage.stop().await;
    assert_eq!(remind("day 2").await, Err(OutboxError::Stopped));
}

#[tokio::test]
async fn calls_are_queued_over_the_admin_address_by_who_has_the_token() {
    let mut stage = Stage::builder().bot(parrot()).start().await;
    let (admin, token) = stage.admin();
    let http = client();
    let post = async |token: &str, body: Value| {
        let request = http
            .post(format!("{admin}/api/v1/calls"))
            .bearer_auth(token)
            .json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap_or_default())
    };
    let params = json!({ "dialogId": "27", "fields": { "message": "Tomorrow" } });
    let call = json!({ "portal": "p0", "bot": BOT, "key": "day 1", "method": SEND, "params": params });
    assert_eq!(post("wrong", call.clone()).await.0, 401);
    let (status, body) = post(&token, call.clone()).await;
    assert_eq!((status, &body["status"]), (202, &json!("queued")));
    assert!(body["callId"].is_i64());
    assert_eq!(post(&token, call.clone()).await, (200, json!({ "status": "known" })));
    stage.settle().await;
    assert_eq!(stage.heard("27"), ["Tomorrow"]);
    let sent = stage.portal().log().pop().unwrap();
    assert!(sent.template_id().is_some(), "derived from the key");
    for (field, value, status, word) in [
        ("portal", json!("nowhere"), 404, "unknown_bot"),
        ("bot", json!(7), 404, "unknown_bot"),
        ("bot", json!("seven"), 422, "bad_request"),
        ("key", json!(""), 400, "bad_request"),
        ("then", json!(""), 400, "bad_request"),
        ("odd", json!(1), 422, "bad_request"),
        ("params", json!({ "dialogID": "27" }), 422, "refused"),
        ("params", json!({ "botToken": "x" }), 422, "refused"),
    ] {
        let mut wrong = call.clone();
        wrong["key"] = json!("day 2");
        wrong[field] = value;
        let (found, body) = post(&token, wrong).await;
        assert_eq!((found, &body["error"]), (status, &json!(word)), "{field}: {body}");
    }
    assert_eq!(stage.totals().await.calls, 0);
    over(stage).await;
}
