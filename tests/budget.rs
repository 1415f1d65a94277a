//! A portal's budget, used to the last request and never beyond: pace, batches, order, operating time, other portals.

use crate::scene::*;
use crate::server::{ECHO, Far, Server, TOKEN};
use imbot::method::{InputActionNotify, MessageSend};
use imbot::portal::{Action, Aim, BotSeed, Decision, Deed, Drain, Knobs, LogEntry, Portal, PortalConfig, Rule, Shape};
use imbot::testing::Stage;
use imbot::types::{Clock, Timestamp};
use imbot::{Bot, Ctx, Markup, MessageAdd};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const NOTIFY: &str = "imbot.v2.Chat.InputAction.notify";

/// Queues all these messages, as (dialog, text), when it is spoken to.
fn crier(says: Vec<(String, String)>) -> Bot {
    let says = Arc::new(says);
    Bot::new("crier").on(move |ctx: Ctx, _heard: MessageAdd| {
        let says = Arc::clone(&says);
        async move {
            for (dialog, text) in says.iter() {
                ctx.call(MessageSend::new(dialog.as_str(), Markup::raw(text)))?;
            }
            Ok(())
        }
    })
}

/// So many messages, each in a dialog of its own, numbered after these words.
fn apart(count: usize, words: &str) -> Vec<(String, String)> {
    (0..count)
        .map(|number| ((1000 + number).to_string(), format!("{words} {number}")))
        .collect()
}

/// Keeps a message out of every batch.
const SINGLE: &str = "1 < 2";

fn knobs(drain: Drain) -> Knobs {
    let mut knobs = Knobs::default();
    knobs.drain = Some(drain);
    knobs
}

fn rule(method: &str, times: Option<u32>, action: Action) -> Rule {
    Rule {
        method: Some(method.to_owned()),
        times,
        until: None,
        action,
    }
}

fn refusal(code: &str) -> Action {
    Action::Answer {
        status: 500,
        code: code.to_owned(),
        shape: Shape::Json,
    }
}

/// Messages stored.
fn sent(portal: &Portal) -> Vec<LogEntry> {
    executed(portal)
        .into_iter()
        .filter(|entry| entry.method == SEND)
        .collect()
}

/// HTTP requests: commands of a batch are none.
fn requests(portal: &Portal) -> Vec<LogEntry> {
    portal.log().into_iter().filter(|entry| !entry.batched).collect()
}

fn within_the_limit(portal: &Portal) {
    let refused = |entry: &LogEntry| matches!(&entry.decision, Decision::Refused { code } if code.contains("LIMIT"));
    let log = portal.log();
    let first = log.iter().position(refused);
    assert_eq!(first, None, "of {} requests: {:?}", log.len(), first.map(|at| &log[at]));
}

/// Returns when so many messages have been stored at a portal, whatever the clock does.
async fn stored(portal: &Portal, messages: usize) {
    let mut live = portal.live_log();
    while sent(portal).len() < messages {
        let next = tokio::time::timeout(seconds(30), live.recv()).await;
        assert!(next.is_ok(), "{} of {messages}, and nothing comes", sent(portal).len());
    }
}

/// Each request waits 0, 200 or 400 ms on its way in.
fn slow_way(portal: &Portal) {
    for _ in 0..2 {
        let delay = Rule {
            method: None,
            ..rule("", None, Action::Delay(Duration::from_millis(200)))
        };
        let half = Aim {
            probability: Some(0.5),
            in_batch: Some(false),
            ..Aim::default()
        };
        portal.fault_at(delay, half);
    }
}

/// Every message came once, in its dialog, in the order given.
fn all_there(stage: &Stage, says: &[(String, String)]) {
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (dialog, text) in says {
        wanted.entry(dialog).or_default().push(text);
    }
    for (dialog, texts) in wanted {
        assert_eq!(stage.heard(dialog), texts, "dialog {dialog}");
    }
}

#[tokio::test]
async fn from_a_full_bucket_48_leave_at_once_and_then_two_a_second_under_either_drain() {
    for drain in [Drain::Step, Drain::Continuous] {
        let says = apart(51, SINGLE);
        let mut stage = Stage::builder()
            .bot(crier(says.clone()))
            .knobs(knobs(drain))
            .start()
            .await;
        stage.says(27, TO_BOT, "go").await;
        assert_eq!(sent(stage.portal()).len(), 48, "{drain:?}");
        stage.clock().advance(Duration::from_millis(999));
        stage.settle().await;
        assert_eq!(sent(stage.portal()).len(), 48, "{drain:?}: only after a full second");
        stage.clock().advance(Duration::from_millis(1));
        stage.settle().await;
        assert_eq!(sent(stage.portal()).len(), 50, "{drain:?}");
        stage.pass(seconds(1)).await;
        assert_eq!(sent(stage.portal()).len(), 51, "{drain:?}");
        within_the_limit(stage.portal());
        all_there(&stage, &says);
        over(stage).await;
    }
}

#[tokio::test]
async fn requests_that_overtake_each_other_on_the_way_are_not_refused_either() {
    for drain in [Drain::Step, Drain::Continuous] {
        let says = apart(54, SINGLE);
        let stage = Stage::builder().bot(crier(says.clone())).knobs(knobs(drain));
        let mut stage = stage.real_time().start().await;
        slow_way(stage.portal());
        stage.portal().say(27, TO_BOT, "go").await.unwrap();
        stored(stage.portal(), says.len()).await;
        stage.settle().await;
        within_the_limit(stage.portal());
        all_there(&stage, &says);
        over(stage).await;
    }
}

#[test]
fn a_process_that_is_killed_in_the_middle_does_not_spend_its_budget_twice() {
    for drain in [Drain::Step, Drain::Continuous] {
        let far = Far::with(PortalConfig {
            on_demand: true,
            knobs: knobs(drain),
            bots: vec![BotSeed::webhook(ECHO, "echo", TOKEN)],
            ..PortalConfig::new(Clock::system())
        });
        slow_way(&far.portal);
        let halved = "{ burst = 25, rate = 1.0 }";
        let whole = "{ burst = 50, rate = 2.0 }";
        let mut server = Server::new(&crate::support::replaced(&far.table(), halved, whole));
        server.start();
        for user in 1000..1053 {
            let body = far.body(user, user * 10, SINGLE);
            assert_eq!(server.post(&body).outcome(), Some("accepted"));
        }
        while sent(&far.portal).len() < 40 {
            thread::sleep(Duration::from_millis(1));
        }
        server.kill();
        server.start();
        server.settled();
        within_the_limit(&far.portal);
        for user in 1000..1053 {
            assert_eq!(far.heard(user), [SINGLE], "{user}");
        }
        server.kill();
    }
}

#[tokio::test]
async fn a_thousand_messages_of_a_hundred_dialogs_leave_in_25_requests_and_in_order() {
    let says: Vec<_> = (0..1000)
        .map(|number| ((1000 + number % 100).to_string(), format!("word {number}")))
        .collect();
    let mut stage = Stage::builder().bot(crier(says.clone())).start().await;
    stage.says(27, TO_BOT, "go").await;
    assert_eq!(sent(stage.portal()).len(), 1000, "the budget was never short");
    all_there(&stage, &says);
    within_the_limit(stage.portal());
    let requests = requests(stage.portal());
    assert!(requests.len() <= 25, "{} requests", requests.len());

    // A batch breaks off as a whole, so no dialog may have two calls in it.
    let mut dialogs = BTreeSet::new();
    for entry in stage.portal().log() {
        if entry.batched {
            let dialog = entry.params["dialogId"].as_str().unwrap().to_owned();
            assert!(
                dialogs.insert(dialog),
                "twice in one batch: {:?}",
                entry.params["dialogId"]
            );
        } else {
            dialogs.clear();
        }
    }
    over(stage).await;
}

#[tokio::test]
async fn three_calls_that_fail_in_a_batch_of_fifty_are_repeated_alone() {
    let says = apart(50, "word");
    let mut stage = Stage::builder().bot(crier(says.clone())).start().await;
    let aim = Aim {
        in_batch: Some(true),
        every: Some(15),
        ..Aim::default()
    };
    stage
        .portal()
        .fault_at(rule(SEND, Some(3), refusal("INTERNAL_SERVER_ERROR")), aim);
    stage.says(27, TO_BOT, "go").await;
    assert_eq!((requests(stage.portal()).len(), sent(stage.portal()).len()), (1, 47));
    stage.pass(seconds(3)).await;
    all_there(&stage, &says);
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for entry in stage.portal().log().iter().filter(|entry| entry.method == SEND) {
        *times.entry(entry.text().unwrap().to_owned()).or_default() += 1;
    }
    let repeated: Vec<_> = times.values().filter(|times| **times > 1).collect();
    assert_eq!(repeated, [&2, &2, &2], "the three that failed, and nothing else");
    over(stage).await;
}

/// Announces and says in turn, in as many dialogs.
fn announcer(dialogs: usize) -> Bot {
    Bot::new("announcer").on(move |ctx: Ctx, _heard: MessageAdd| async move {
        for number in 0..dialogs {
            ctx.call(MessageSend::new((1000 + number).to_string(), SINGLE))?;
            ctx.call(InputActionNotify::new((2000 + number).to_string()))?;
        }
        Ok(())
    })
}

#[tokio::test]
async fn a_method_without_operating_time_left_stops_alone() {
    let mut stage = Stage::builder().bot(announcer(20)).start().await;
    stage.portal().apply(&Deed::FillOperating {
        method: SEND.to_owned(),
        time: seconds(481),
    });
    stage.says(27, TO_BOT, "go").await;
    let counted = |stage: &Stage, method: &str| {
        let log = stage.portal().log();
        let executed =
            |entry: &&LogEntry| entry.method == method && matches!(entry.decision, Decision::Executed { .. });
        let tried = log.iter().filter(|entry| entry.method == method).count();
        (tried, log.iter().filter(executed).count())
    };
    assert_eq!(counted(&stage, NOTIFY), (20, 20), "other methods go on");
    let (tried, stored) = counted(&stage, SEND);
    assert!((1..=8).contains(&tried) && stored == 0, "{tried} tries at once");
    stage.pass(seconds(9)).await;
    assert_eq!(counted(&stage, SEND).0, tried, "blocked for ten seconds at least");
    stage.pass(seconds(1400)).await;
    let (all, stored) = counted(&stage, SEND);
    assert_eq!(stored, 20);
    assert!(all - stored <= 8 * 8, "{all} requests for 20 messages");
    let totals = over(stage).await;
    assert_eq!(totals.dead, 0);
}

#[tokio::test]
async fn while_one_portal_hangs_nine_others_get_nine_hundred_calls_at_once() {
    // Some go alone, so that the hanging portal has all the requests under way that it may have.
    let (mut says, alone) = (apart(100, "word"), apart(20, SINGLE));
    says[..20].clone_from_slice(&alone);
    let mut stage = Stage::builder().bot(crier(says.clone())).portals(10).start().await;
    stage.portal_at(9).delay(seconds(3600));
    let begin = stage.clock().now();
    for number in (0..10).rev() {
        stage.portal_at(number).say(27, TO_BOT, "go").await.unwrap();
    }
    for number in 0..9 {
        stored(stage.portal_at(number), 100).await;
        let at: BTreeSet<Timestamp> = sent(stage.portal_at(number)).iter().map(|entry| entry.at).collect();
        assert_eq!(Vec::from_iter(at), [begin], "portal {number}");
        within_the_limit(stage.portal_at(number));
    }
    assert!(sent(stage.portal_at(9)).is_empty());
    stage.portal_at(9).clear_faults();
    stage.clock().advance(seconds(3600));
    // What had left an hour ago arrives beside what leaves now, so the portal may refuse some of it.
    stage.pass(seconds(20)).await;
    assert_eq!(sent(stage.portal_at(9)).len(), 100, "nothing was lost");
    over(stage).await;
}

#[tokio::test]
async fn eight_requests_at_most_are_under_way_at_one_portal() {
    let says = apart(40, SINGLE);
    let stage = Stage::builder().bot(crier(says.clone())).real_time().start().await;
    stage.portal().delay(Duration::from_millis(100));
    stage.portal().say(27, TO_BOT, "go").await.unwrap();
    stored(stage.portal(), says.len()).await;
    let mut at: Vec<i64> = sent(stage.portal()).iter().map(|entry| entry.at.0).collect();
    at.sort_unstable();
    // Whatever was carried out within the delay after a request had been under way together with it.
    let together = |first: &i64| at.iter().filter(|at| (*first..*first + 100).contains(*at)).count();
    let most = at.iter().map(together).max();
    assert!(most <= Some(8), "{most:?} under way");
    all_there(&stage, &says);
    over(stage).await;
}

#[tokio::test]
async fn a_batch_carried_out_before_the_connection_broke_shows_nothing_twice() {
    let mut says = apart(60, "one");
    says.extend(apart(60, "two"));
    let mut stage = Stage::builder().bot(crier(says.clone())).start().await;
    stage
        .portal()
        .fault(rule("batch", Some(2), Action::ResetAfterExecution));
    stage.says(27, TO_BOT, "go").await;
    stage.pass(seconds(30)).await;
    all_there(&stage, &says);
    let log = stage.portal().log();
    let repeated = log
        .iter()
        .filter(|entry| matches!(entry.decision, Decision::Repeated { .. }));
    assert!(repeated.count() >= 50, "the portal had carried out what broke off");
    assert_eq!(sent(stage.portal()).len(), 120);
    over(stage).await;
}

#[tokio::test]
async fn every_text_arrives_as_it_was_written_alone_and_in_a_batch() {
    let kind = [
        ("50% & more + #1 = ? ; %2B %%", true),
        ("one\ntwo\r\nthree\ttab", true),
        ("🙂 Ж é 漢字 \u{200d}", true),
        ("[b]bold[/b] ]][[ {\"a\": [1]} (x)", true),
        ("\"quoted\" 'single' \\ back /slash", true),
        ("Y", true),
        ("null", true),
        ("5 $ and $x and $res", true),
        ("$result[c0][id] $RESULT[c1]", false),
        ("see $Total[c0] and $error[c0]", false),
        ("a < b > c <script>", false),
    ];
    for copies in [1, 9] {
        let says: Vec<_> = (0..copies * kind.len())
            .map(|number| ((1000 + number).to_string(), kind[number % kind.len()].0.to_owned()))
            .collect();
        let mut stage = Stage::builder().bot(crier(says.clone())).start().await;
        stage.says(27, TO_BOT, "go").await;
        stage.pass(seconds(40)).await;
        all_there(&stage, &says);
        for entry in stage.portal().log().iter().filter(|entry| entry.method == SEND) {
            let (_, may_share) = kind.iter().find(|(text, _)| entry.text() == Some(text)).unwrap();
            assert!(*may_share || !entry.batched, "{:?} went in a batch", entry.text());
        }
        let batched = stage.portal().log().iter().filter(|entry| entry.batched).count();
        assert_eq!(batched > 0, copies > 1, "{batched} in batches");
        over(stage).await;
    }
}

#[tokio::test]
async fn of_nine_requests_two_are_for_notices_as_long_as_somebody_waits_for_the_others() {
    let mut stage = Stage::builder().bot(crier(apart(118, SINGLE))).start().await;
    stage.says(27, TO_BOT, "go").await;
    assert_eq!(sent(stage.portal()).len(), 48, "the budget is used up, seventy wait");
    let outbox = stage.outbox();
    for number in 0..30 {
        let notice = MessageSend::new((5000 + number).to_string(), Markup::raw("1 < 2, by the way"));
        outbox
            .call("p0", BOT, format!("notice {number}"), notice)
            .await
            .unwrap();
    }
    stage.pass(seconds(45)).await;
    let log = sent(stage.portal());
    let notices: Vec<bool> = log[48..]
        .iter()
        .map(|entry| entry.text() == Some("1 < 2, by the way"))
        .collect();
    assert_eq!(notices.len(), 90);
    // The first nine may begin in the middle of a round.
    for nine in notices[9..].chunks(9) {
        let count = nine.iter().filter(|notice| **notice).count();
        assert_eq!(count, 2, "{notices:?}");
    }
    stage.pass(seconds(20)).await;
    within_the_limit(stage.portal());
    over(stage).await;
}
