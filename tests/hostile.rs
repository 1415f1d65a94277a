//! Every captured body through the real binary: each hostile and each public one on an empty store, then all public ones
//! twice on one store. Statuses and dispatch as the manifests allow; no address of an event is ever called.

use crate::corpus::{Capture, Receiver, captures};
use crate::link::Reply;
use crate::server::{Far, Server};
use crate::support::{not_run, run, tool};
use std::collections::HashMap;
use std::process::Command;

/// What the server did with one body, on an empty store.
struct Done {
    reply: Reply,
    handled: bool,
    dead: f64,
}

/// Posts a body to a new server, lets it settle, and makes sure that the server lives on.
fn alone(receiver: &Receiver, capture: &Capture) -> Done {
    let mut server = receiver.server();
    let reply = server.post_as(&capture.content_type, &capture.body);
    server.settled();
    let done = Done {
        reply,
        handled: server.metric("imbot_handler_runs_total") > 0.0,
        dead: server.metric("imbot_dead_letters{queue=\"events\"")
            + server.metric("imbot_dead_letters{queue=\"calls\""),
    };
    let runs = server.metric("imbot_handler_runs_total");
    let after = server.post(&receiver.ordinary(5_000_000));
    assert_eq!(
        (after.status, after.outcome()),
        (200, Some("accepted")),
        "after {}: {after:?}",
        capture.name
    );
    server.settled();
    assert_eq!(
        server.metric("imbot_handler_runs_total"),
        runs + 1.0,
        "after {}",
        capture.name
    );
    server.kill();
    done
}

/// What contradicts the manifest.
fn contradiction(capture: &Capture, done: &Done) -> Option<String> {
    let (allowed, dispatch) = (&capture.columns[0], &capture.columns[1]);
    let (status, outcome) = (done.reply.status, done.reply.outcome().unwrap_or("refused"));
    let status_allowed = allowed.split(',').any(|code| code == status.to_string());
    let ends: Vec<&str> = dispatch.split(',').collect();
    let end_allowed = match (status, outcome) {
        (200, "quarantined") => ends.iter().any(|end| matches!(*end, "quarantine" | "any")) && !done.handled,
        (200, "accepted") if done.handled => ends.iter().any(|end| matches!(*end, "yes" | "any")),
        (200, "accepted" | "ignored") => ends.iter().any(|end| matches!(*end, "no" | "any")),
        (200, _) => false,
        _ => !done.handled,
    };
    (!status_allowed || !end_allowed).then(|| {
        let Capture { name, .. } = capture;
        format!(
            "{name}: {status} {outcome}, handled: {}; allowed: {allowed} {dispatch}",
            done.handled
        )
    })
}

#[test]
fn every_hostile_body_gets_an_allowed_end_and_the_server_lives_on() {
    let receiver = Receiver::start();
    let mut contradictions = Vec::new();
    for capture in captures("hostile") {
        for far in &receiver.portals {
            far.portal.clear_faults();
        }
        let before = receiver.portals[0].portal.log().len();
        let done = alone(&receiver, &capture);
        contradictions.extend(contradiction(&capture, &done));
        let number: u32 = capture.name[1..]
            .split('_')
            .next()
            .and_then(|digits| digits.parse().ok())
            .expect("xN_");
        if (51..=73).contains(&number) && done.handled {
            // The answer went to the configured portal: the call of this event and that of the ordinary one after it.
            let calls = receiver.portals[0].portal.log().len() - before;
            if calls != 2 || done.dead > 0.0 {
                contradictions.push(format!("{}: {calls} calls, {} dead letters", capture.name, done.dead));
            }
        }
    }
    assert!(contradictions.is_empty(), "{}", contradictions.join("\n"));
}

#[test]
fn every_public_body_alone_is_taken() {
    let receiver = Receiver::start();
    let mut refused = Vec::new();
    for capture in captures("public") {
        let done = alone(&receiver, &capture);
        let taken = matches!(done.reply.outcome(), Some("accepted" | "ignored"));
        if done.reply.status != 200 || !taken {
            refused.push(format!("{}: {:?}", capture.name, done.reply));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// What an event is about, as far as a message event's key goes: portal, event, bot and message.
fn message_key(server: &Server, capture: &Capture) -> Option<String> {
    let shown = crate::server::bare(crate::server::IMBOT)
        .args(["decode", "--content-type", &capture.content_type])
        .arg(crate::corpus::folder("public").join(&capture.name))
        .output()
        .expect("the binary runs");
    assert!(shown.status.success(), "{}: {}", capture.name, server.said());
    let event: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let data = &event["data"];
    let portal = event["auth"]["domain"]
        .to_string()
        .replace(".ru", "")
        .replace(".com", "");
    (event["event"] == "ONIMBOTV2MESSAGEADD")
        .then(|| format!("{portal} {} {}", data["bot"]["id"], data["message"]["id"]))
}

#[test]
fn a_second_pass_finds_duplicates_only() {
    let receiver = Receiver::start();
    let server = receiver.server();
    let (mut first, mut seen) = (Vec::new(), HashMap::new());
    for capture in captures("public") {
        let reply = server.post_as(&capture.content_type, &capture.body);
        assert_eq!(reply.status, 200, "{}: {reply:?}", capture.name);
        let outcome = reply.outcome().expect("an outcome").to_owned();
        if let Some(key) = message_key(&server, &capture) {
            // Several files carry the same message: only the first of them is new.
            let expected = if seen.contains_key(&key) {
                "duplicate"
            } else {
                "accepted"
            };
            assert_eq!(
                outcome,
                expected,
                "{} has the key {key} of {:?}",
                capture.name,
                seen.get(&key)
            );
            seen.entry(key).or_insert_with(|| capture.name.clone());
        }
        first.push((capture, outcome));
    }
    assert!(
        first.iter().any(|(_, outcome)| outcome == "duplicate"),
        "files that carry the same message exist"
    );
    let mut new = Vec::new();
    for (capture, outcome) in &first {
        let reply = server.post_as(&capture.content_type, &capture.body);
        let again = reply.outcome().unwrap_or("refused");
        // Without `ts` some events have no key; what was ignored at the door was not stored.
        let expected = if outcome == "ignored" { "ignored" } else { "duplicate" };
        if again != expected {
            new.push(format!("{}: {outcome}, then {again}", capture.name));
        }
    }
    assert!(new.is_empty(), "{}", new.join("\n"));
    server.settled();
}

/// Starts the server under strace and returns the addresses outside this machine's files that it began to connect or
/// send to, one line each; name servers count like any other.
fn reached_for(strace: &std::path::Path, server: &mut Server, meanwhile: impl FnOnce(&mut Server)) -> Vec<String> {
    let trace = server.folder().join("trace");
    let file = trace.display().to_string();
    let strace = strace.display().to_string();
    // -D leaves the server as our child and makes the tracer its grandchild.
    let calls = "trace=connect,sendto,sendmsg,sendmmsg";
    server.wrapper = [&strace, "-D", "-f", "-o", &file, "-e", calls]
        .map(str::to_owned)
        .to_vec();
    server.spawn();
    meanwhile(server);
    server.ended();
    let seen = std::fs::read_to_string(&trace).expect("strace has written");
    assert!(seen.contains("+++ exited with"), "the trace goes to the end:\n{seen}");
    // Answers to our own requests go out as sendto without an address.
    let named = seen
        .lines()
        .filter(|line| line.contains("sin_addr") || line.contains("sin6_addr"));
    named.map(str::to_owned).collect()
}

#[test]
fn a_hostile_incoming_webhook_is_refused_without_a_look_up_or_a_dial() {
    let Some(strace) = tool("strace") else { return };
    if !run(Command::new(&strace).args(["-D", "-o", "/dev/null", "true"])).0 {
        return not_run("strace may not trace here");
    }
    let far = Far::start(100);
    let good = reached_for(&strace, &mut Server::new(&far.table()), |server| {
        server.ready();
        assert_eq!(server.post(&far.body(9, 90_001, "hello")).status, 200);
        server.settled();
        crate::server::signal("TERM", server.pid());
    });
    assert!(
        !good.is_empty(),
        "the trace shows the call to a portal that is configured"
    );
    for (endpoint, _) in crate::corpus::endpoints() {
        let webhook = format!("{endpoint}1/abc123/");
        if webhook == "https://acme.bitrix24.com/rest/1/abc123/" {
            continue; // the portal's own: that event lies about the domain beside it
        }
        let table = format!(
            "[[portal]]\nname = \"acme\"\ndomain = \"acme.bitrix24.com\"\nincoming_webhook = '{webhook}'\n\
             [[portal.bot]]\nid = 456\nhandler = \"echo\"\nbot_token = \"t\"\n"
        );
        let mut server = Server::new(&table);
        let reached = reached_for(&strace, &mut server, |_| ());
        assert!(
            server.said().contains("portal.incoming_webhook: "),
            "{webhook}: {}",
            server.said()
        );
        assert_eq!(reached, [""; 0], "{webhook}");
    }
}
