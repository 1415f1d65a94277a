//! `call`, `status`, `pause`, `resume`, `dead-letters retry|drop` as processes, beside a running server and without one.

use crate::server::{ECHO, Far, IMBOT, Server, TOKEN, bare, signal};
use imbot::portal::{BotSeed, Decision, PortalConfig, Shape};
use imbot::types::Clock;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::process::{Output, Stdio};
use std::time::Duration;

const SEND: &str = "imbot.v2.Chat.Message.send";

fn code(output: &Output) -> i32 {
    output.status.code().expect("no signal")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    assert_eq!(code(output), 0, "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn message(dialog: u32, text: &str) -> String {
    format!("{{\"dialogId\":\"{dialog}\",\"fields\":{{\"message\":\"{text}\"}}}}")
}

/// `imbot call METHOD PARAMS --bot 101`.
fn call(server: &Server, method: &str, params: &str) -> Output {
    server.command(&["call", method, params, "--bot", "101"])
}

/// How often a method was asked for, whatever came of it.
fn asked(far: &Far, method: &str) -> usize {
    far.portal.log().iter().filter(|entry| entry.method == method).count()
}

#[test]
fn forty_calls_beside_a_server_that_sends_at_full_pace_see_no_503() {
    let (burst, rate) = (50, 20);
    let far = Far::with(PortalConfig {
        on_demand: true,
        burst,
        rate,
        log_limit: 1_000_000,
        bots: vec![BotSeed::webhook(ECHO, "echo", TOKEN)],
        ..PortalConfig::new(Clock::system())
    });
    // The whole budget of the portal, unlike in other tests.
    let own = format!("plan = {{ burst = {burst}, rate = {rate}.0 }}");
    let table = far.table();
    let plan = table.lines().find(|line| line.starts_with("plan = ")).expect("a plan");
    let mut server = Server::new(&table.replace(plan, &own));
    server.start();
    for user in 0..300 {
        let body = far.body(1_000 + user, 5_000 + user, "busy");
        assert_eq!(server.post(&body).outcome(), Some("accepted"));
    }
    let calls: Vec<_> = (0..40)
        .map(|number| {
            let mut command = bare(IMBOT);
            command.args([
                "call",
                SEND,
                &message(200 + number, "by hand"),
                "--bot",
                "101",
                "--config",
            ]);
            command
                .arg(server.config())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            command.spawn().expect("the binary runs")
        })
        .collect();
    for child in calls {
        let output = child.wait_with_output().expect("it ends");
        assert!(json(&output)["id"].is_number(), "{output:?}");
    }
    server.settled();
    let log = far.portal.log();
    let over = log
        .iter()
        .filter(|entry| matches!(&entry.decision, Decision::Refused { code } if code == "QUERY_LIMIT_EXCEEDED"));
    assert_eq!(over.count(), 0, "the portal's budget was exceeded");
    assert!(
        (0..300).all(|user| far.heard(1_000 + user) == ["busy"]),
        "the server went on sending"
    );
    assert!(
        (200..240).all(|user| far.heard(user) == ["by hand"]),
        "each call was made once"
    );
    assert!(server.metric("imbot_rest_limiter_wait_seconds_count") > 0.0);
}

#[test]
fn a_call_prints_the_result_and_takes_its_parameters_in_three_ways() {
    let far = Far::start(100);
    let server = Server::beside(&far);
    let result = json(&call(&server, SEND, &message(7, "one")));
    assert!(result["id"].is_number(), "{result}");
    let file = server.folder().join("params.json");
    fs::write(&file, message(7, "two")).unwrap();
    json(&call(&server, SEND, &format!("@{}", file.display())));
    let mut piped = bare(IMBOT);
    piped
        .args(["call", SEND, "-", "--bot", "101", "--config"])
        .arg(server.config());
    let mut child = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(message(7, "three").as_bytes())
        .unwrap();
    json(&child.wait_with_output().unwrap());
    assert_eq!(far.heard(7), ["one", "two", "three"]);
    let revision = json(&server.command(&["call", "imbot.v2.Revision.get"]));
    assert!(revision.is_object(), "without a bot, too: {revision}");
    let said = server.said();
    assert!(said.contains("called by an operator") && said.contains(SEND), "{said}");
    assert!(!said.contains("two") && !said.contains(TOKEN), "{said}");
}

#[test]
fn wrong_arguments_of_a_call_end_with_2_and_nothing_is_sent() {
    let far = Far::start(100);
    let server = Server::beside(&far);
    let before = far.portal.log().len();
    let wrong = "{\"dialogId\":\"7\",\"fields\":{\"mesage\":\"x\"}}";
    for (arguments, said) in [
        (
            &["call", SEND, wrong, "--bot", "101"][..],
            "did you mean fields.message?",
        ),
        (&["call", SEND, "[1]", "--bot", "101"], "JSON object"),
        (&["call", SEND, "@/nowhere.json"], "/nowhere.json"),
        (&["call", SEND, "{}", "--bot", "999"], "has no bot 999"),
        (&["call", SEND, "{}", "--bot", "no_such_code"], "no_such_code"),
        (&["call", SEND, "{}", "--portal", "nobody"], "there is no portal nobody"),
        (&["call", "../../rest/x", "{}"], "letters, digits"),
        (&["call", SEND, "--timeout", "7"], "30s"),
    ] {
        let output = server.command(arguments);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{output:?}");
        assert!(stderr(&output).contains(said), "no {said} in {output:?}");
    }
    assert_eq!(far.portal.log().len(), before);
    // As it is, it goes; and a method nobody knows goes with a note.
    let raw = server.command(&["call", SEND, wrong, "--bot", "101", "--raw"]);
    assert_eq!(code(&raw), 3, "{raw:?}");
    let unknown = call(&server, "imbot.v2.Chat.Mesage.send", "{}");
    assert_eq!(code(&unknown), 3, "{unknown:?}");
    assert!(
        stderr(&unknown).contains("did you mean imbot.v2.Chat.Message.send?"),
        "{unknown:?}"
    );
    assert_eq!(far.portal.log().len(), before + 2);
}

#[test]
fn each_way_a_call_can_fail_has_its_exit_code() {
    let far = Far::start(100);
    let server = Server::beside(&far);
    let add = "{\"fields\":{\"title\":\"x\"}}";
    far.portal.answer_error(Some(SEND), 400, "ACCESS_DENIED", 1);
    let refused = call(&server, SEND, &message(7, "x"));
    assert_eq!(code(&refused), 3, "{refused:?}");
    assert!(stderr(&refused).contains("ACCESS_DENIED"), "{refused:?}");

    // Chat.add may not be repeated: one attempt, whatever came of it.
    far.portal.execute_then_reset(Some("imbot.v2.Chat.add"), 1);
    let unknown = call(&server, "imbot.v2.Chat.add", add);
    assert_eq!(code(&unknown), 5, "{unknown:?}");
    assert_eq!(asked(&far, "imbot.v2.Chat.add"), 1);

    far.portal.refuse_for(Duration::from_secs(3600), Shape::Json);
    let waited = server.command(&["call", SEND, &message(7, "x"), "--bot", "101", "--timeout", "2s"]);
    assert_eq!(code(&waited), 6, "{waited:?}");
    far.portal.clear_faults();
}

#[test]
fn a_refused_identity_ends_with_4_is_shown_and_is_tried_again_by_resume() {
    let far = Far::start(100);
    let server = Server::beside(&far);
    far.portal.answer_error(Some(SEND), 400, "BOT_OWNERSHIP_ERROR", 1);
    assert_eq!(server.post(&far.body(7, 70, "kept")).outcome(), Some("accepted"));
    let mut parked = Value::Null;
    for _ in 0..500 {
        parked = json(&server.command(&["status", "--json"]))["portals"][0]["parked"][0].clone();
        if !parked.is_null() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(parked["reason"], "BOT_OWNERSHIP_ERROR", "{}", server.said());
    let shown = stdout(&server.command(&["status"]));
    assert!(shown.contains("parked: BOT_OWNERSHIP_ERROR"), "{shown}");
    let refused = call(&server, SEND, &message(8, "x"));
    assert_eq!(code(&refused), 4, "{refused:?}");
    assert_eq!(far.heard(7), [""; 0]);
    let resumed = server.command(&["resume", "demo"]);
    assert!(
        stdout(&resumed).contains("1 refused identities are tried again"),
        "{resumed:?}"
    );
    server.settled();
    assert_eq!(far.heard(7), ["kept"]);
    json(&call(&server, SEND, &message(8, "x")));
}

#[test]
fn a_server_that_does_not_answer_ends_commands_with_75_and_its_process() {
    let far = Far::start(100);
    let server = Server::beside(&far);
    signal("STOP", server.pid());
    let mut commands = Vec::new();
    for arguments in [
        &["status"][..],
        &["call", "imbot.v2.Revision.get"],
        &["pause", "demo"],
        &["dead-letters", "list"],
    ] {
        let mut command = bare(IMBOT);
        command.args(arguments).arg("--config").arg(server.config());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        commands.push(command.spawn().unwrap());
    }
    for child in commands {
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 75, "{output:?}");
        let said = stderr(&output);
        assert!(
            said.contains(&format!("kill {}", server.pid())) && said.contains("5 s"),
            "{said}"
        );
    }
    signal("CONT", server.pid());
    assert_eq!(code(&server.command(&["status"])), 0);
}

#[test]
fn without_a_server_the_same_commands_take_the_store_themselves() {
    let far = Far::start(100);
    let mut server = Server::beside(&far);
    // A call that waits for its portal, when the server stops.
    far.portal.refuse_for(Duration::from_secs(3600), Shape::Json);
    assert_eq!(server.post(&far.body(7, 70, "queued")).outcome(), Some("accepted"));
    for _ in 0..500 {
        if server.metric("imbot_outbox_pending") == 1.0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.terminate().code(), Some(0));
    far.portal.clear_faults();
    let sent = json(&call(&server, SEND, &message(8, "by hand")));
    assert!(sent["id"].is_number(), "{sent}");
    assert_eq!(far.heard(8), ["by hand"]);
    assert_eq!(far.heard(7), [""; 0], "what is queued is the server's to send");
    let status = json(&server.command(&["status", "--json"]));
    assert_eq!(
        (&status["server"], &status["calls"]["pending"]),
        (&false.into(), &1.into())
    );
    assert_eq!(code(&server.command(&["pause", "demo/101"])), 0);
    server.start();
    let paused = call(&server, SEND, &message(8, "x"));
    assert_eq!(code(&paused), 4, "{paused:?}");
    assert_eq!(code(&server.command(&["resume", "demo/101"])), 0);
    server.settled();
    assert_eq!(far.heard(7), ["queued"]);
}

#[test]
fn a_paused_portal_stores_and_neither_handles_nor_sends_until_it_is_resumed() {
    let far = Far::start(100);
    let mut server = Server::beside(&far);
    let paused = server.command(&["pause", "demo"]);
    assert_eq!(code(&paused), 0, "{paused:?}");
    assert_eq!(code(&server.command(&["pause", "demo/101"])), 0);
    for round in 0..2 {
        assert_eq!(
            server.post(&far.body(7, 70 + round, "later")).outcome(),
            Some("accepted")
        );
        assert_eq!(server.terminate().code(), Some(0));
        server.start();
    }
    let status = json(&server.command(&["status", "--json"]));
    let portal = &status["portals"][0];
    assert_eq!(
        (&portal["paused"], &portal["bots"][0]["events"]),
        (&true.into(), &2.into()),
        "{portal}"
    );
    assert!(portal["lastEvent"].is_string(), "{portal}");
    let resumed = server.command(&["resume", "demo"]);
    assert!(stdout(&resumed).contains("bot 101 is still paused"), "{resumed:?}");
    assert_eq!(server.metric("imbot_inbox_pending"), 2.0);
    assert_eq!(far.heard(7), [""; 0]);
    assert_eq!(code(&server.command(&["resume", "demo/101"])), 0);
    server.settled();
    assert_eq!(far.heard(7), ["later", "later"]);
    let said = server.said();
    assert!(
        said.contains("paused by an operator") && said.contains("resumed by an operator"),
        "{said}"
    );
    for (command, expected) in [("pause", 1), ("resume", 1)] {
        assert_eq!(code(&server.command(&[command, "nobody"])), expected);
        assert_eq!(code(&server.command(&[command, "demo/999"])), expected);
    }
}

#[test]
fn a_dead_call_goes_again_as_the_same_message_or_is_dropped() {
    let far = Far::start(100);
    let mut server = Server::beside(&far);
    far.portal.answer_error(Some(SEND), 400, "ACCESS_DENIED", 3);
    for user in [7, 8, 9] {
        assert_eq!(
            server.post(&far.body(user, 70 + user, "again")).outcome(),
            Some("accepted")
        );
    }
    server.settled();
    let letters = server.letters("calls");
    assert_eq!(letters.len(), 3, "{letters:?}");
    let id = letters[0]["id"].to_string();
    let asked_back = server.command(&["dead-letters", "drop", &id]);
    assert_eq!(code(&asked_back), 2, "{asked_back:?}");
    let dropped = server.command(&["dead-letters", "drop", &id, "--yes", "--json"]);
    assert_eq!(json(&dropped)["done"][0], letters[0]["id"]);
    let gone = server.command(&["dead-letters", "retry", &id]);
    assert_eq!(code(&gone), 1, "{gone:?}");
    assert!(stderr(&gone).contains(&format!("no dead letter {id}")), "{gone:?}");
    // One beside the server, one without it.
    let retried = server.command(&["dead-letters", "retry", &letters[1]["id"].to_string()]);
    assert_eq!((code(&retried), stdout(&retried).as_str()), (0, "1 letter put back\n"));
    server.settled();
    assert_eq!(server.terminate().code(), Some(0));
    let retried = server.command(&["dead-letters", "retry", "--queue", "calls"]);
    assert_eq!((code(&retried), stdout(&retried).as_str()), (0, "1 letter put back\n"));
    server.start();
    server.settled();
    let heard: usize = [7, 8, 9].iter().map(|user| far.heard(*user).len()).sum();
    assert_eq!(heard, 2);
    let log = far.portal.log();
    let ids: Vec<_> = log.iter().filter_map(|entry| entry.template_id()).collect();
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), unique.len()), (5, 3), "each try of a message has its id");
    assert!(server.letters("calls").is_empty());
}

#[test]
fn the_help_of_call_names_its_exit_codes() {
    let help = bare(IMBOT).args(["call", "--help"]).output().unwrap();
    // The terminal's width breaks lines anywhere.
    let text: Vec<_> = stdout(&help).split_whitespace().map(str::to_owned).collect();
    let text = text.join(" ");
    for part in [
        "Exit codes",
        "3 refused by the portal",
        "4 no identity",
        "5 nobody knows",
        "6 no budget",
        "75",
        "--raw",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}
