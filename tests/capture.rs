//! `[capture]`, `imbot captures` and `imbot replay` of redacted bodies, with the real binary, a shell and curl: what is kept
//! is free of credentials, comes back as the same events, stays within its bounds and costs no event.

use crate::corpus::{Capture, Receiver, captures, folder};
use crate::link;
use crate::nginx::tokens;
use crate::server::{Far, IMBOT, Server, bare};
use crate::support::{Mount, must, text, tool};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const ALL: &str = "[capture]\nenabled = true\nkeep = \"all\"\n";
const ACCEPTED: &str = "[capture]\nenabled = true\n";

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running server for the portals of the corpus, with this `[capture]`.
fn server(receiver: &Receiver, capture: &str) -> Server {
    let mut server = Server::new(&format!("{capture}{}", receiver.config));
    server.start();
    server
}

fn kept_in(server: &Server) -> PathBuf {
    server.store().join("captures")
}

/// The captures, as `imbot captures list --json` gives them.
fn listed(server: &Server) -> Vec<Value> {
    let output = server.command(&["captures", "list", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    list["captures"].as_array().expect("captures").clone()
}

/// What `imbot decode` says of a file: its exit code, and the event with `***` for secrets.
fn decoded(file: &Path, content_type: &str, more: &[&str]) -> (Option<i32>, Value) {
    let output = bare(IMBOT)
        .args(["decode", "--content-type", content_type])
        .args(more)
        .arg(file)
        .output()
        .expect("the binary runs");
    let event = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), event)
}

/// Every credential of the corpus: what stands under a token's name, and what the receiver knows.
fn secrets() -> Vec<String> {
    let mut found = Vec::new();
    for capture in captures("public").iter().chain(&captures("hostile")) {
        found.extend(tokens(&String::from_utf8_lossy(&capture.body)));
    }
    let known: Value = serde_json::from_str(&text("tests/captures/config.json")).expect("JSON");
    for party in known["portals"]
        .as_array()
        .unwrap()
        .iter()
        .chain(known["webhook_bots"].as_array().unwrap())
    {
        let of_party = ["application_token", "bot_token"].map(|key| party[key].as_str().map(str::to_owned));
        found.extend(of_party.into_iter().flatten());
    }
    // Numbers stand in other fields, too: a made-up token of nines is also a member_id.
    found.retain(|secret| secret.bytes().any(|byte| byte.is_ascii_alphabetic()));
    found.sort();
    found.dedup();
    assert!(found.len() > 20, "only {} secrets", found.len());
    found
}

/// Fails if a credential stands in any file of the folder, plain or percent-encoded.
fn no_secret_in(folder: &Path) {
    let secrets = secrets();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{path:?}"
        );
        let kept = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for secret in &secrets {
            assert!(!kept.contains(secret.as_str()), "{secret} stands in {path:?}:\n{kept}");
        }
    }
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
}

/// Posts all public events to a capturing server and ends it.
fn original(receiver: &Receiver) -> (Server, Vec<Capture>, Vec<Value>) {
    let mut server = server(receiver, ALL);
    let public = captures("public");
    for capture in &public {
        let reply = server.post_as(&capture.content_type, &capture.body);
        assert_eq!(reply.status, 200, "{}", capture.name);
    }
    server.settled();
    assert_eq!(server.terminate().code(), Some(0), "{}", server.said());
    let lines = listed(&server);
    assert_eq!(lines.len(), public.len(), "{}", server.said());
    (server, public, lines)
}

/// Each capture of `lines` decodes as the corpus body it was made from.
fn same_events(folder_of: &Path, public: &[Capture], lines: &[Value]) {
    assert_eq!(lines.len(), public.len());
    for (capture, line) in public.iter().zip(lines) {
        let file = folder_of.join(line["file"].as_str().unwrap());
        let before = decoded(&folder("public").join(&capture.name), &capture.content_type, &[]);
        let after = decoded(&file, line["content_type"].as_str().unwrap(), &[]);
        assert_eq!(before.0, Some(0), "{}", capture.name);
        assert_eq!(before, after, "{}", capture.name);
    }
}

#[test]
fn a_capture_of_every_public_event_comes_back_through_replay_as_the_same_event() {
    let receiver = Receiver::start();
    let (first, public, lines) = original(&receiver);
    let kept = kept_in(&first);
    no_secret_in(&kept);
    same_events(&kept, &public, &lines);

    let mut second = server(&receiver, ALL);
    let to = format!("http://{}/webhook", second.public);
    let refused = second.command(&["replay", kept.to_str().unwrap(), "--to", &to]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("--as PORTAL"), "{}", stderr(&refused));
    // Each with the portal it came from, in their order.
    for line in &lines {
        let file = kept.join(line["file"].as_str().unwrap());
        let portal = line["portal"].as_str().expect("a proven portal");
        let replay = second.command(&["replay", file.to_str().unwrap(), "--to", &to, "--as", portal]);
        let outcome = line["outcome"].as_str().unwrap();
        let said = stdout(&replay);
        assert!(said.contains(&format!("  {outcome}\n")), "{said}{}", stderr(&replay));
    }
    second.settled();
    assert_eq!(second.terminate().code(), Some(0));
    let again = listed(&second);
    same_events(&kept_in(&second), &public, &again);
    no_secret_in(&kept_in(&second));
}

/// The line of the guide, as a reader copies it.
fn documented_line() -> String {
    let guide = text("docs/guide/README.md");
    let line = guide
        .lines()
        .find(|line| line.starts_with("sed s/IMBOT_REDACTED_application_token/$TOKEN/ FILE | curl --data-binary @-"));
    line.expect("the guide has the line").to_owned()
}

#[test]
fn a_capture_of_every_public_event_comes_back_through_the_documented_line() {
    if tool("curl").is_none() {
        return;
    }
    let receiver = Receiver::start();
    let (first, public, lines) = original(&receiver);
    let mut second = server(&receiver, ALL);
    let line = documented_line();
    assert!(line.contains("127.0.0.1:8080"), "{line}");
    for (capture, kept) in public.iter().zip(&lines) {
        let file = kept_in(&first).join(kept["file"].as_str().unwrap());
        let (_, event) = decoded(
            &folder("public").join(&capture.name),
            &capture.content_type,
            &["--show-secrets"],
        );
        let token = event["auth"]["application_token"].as_str().expect("a token").to_owned();
        let line = line
            .replace("FILE", file.to_str().unwrap())
            .replace("127.0.0.1:8080", &second.public.to_string());
        let said = must(Command::new("sh").args(["-c", &line]).env("TOKEN", token));
        assert!(said.contains("{\"status\":\"ok\"}"), "{}: {said}", capture.name);
    }
    second.settled();
    assert_eq!(second.terminate().code(), Some(0));
    same_events(&kept_in(&second), &public, &listed(&second));
}

#[test]
fn hostile_bodies_are_captured_without_harm_and_without_credentials() {
    let receiver = Receiver::start();
    let mut server = server(&receiver, ALL);
    let mut read = Vec::new();
    for capture in captures("hostile") {
        let reply = server.post_as(&capture.content_type, &capture.body);
        // Of these no body was read.
        if !matches!(reply.status, 413 | 415) {
            read.push((capture, reply.status));
        }
    }
    server.settled();
    assert_eq!(server.terminate().code(), Some(0), "{}", server.said());
    let lines = listed(&server);
    assert_eq!(lines.len(), read.len());
    let kept = kept_in(&server);
    no_secret_in(&kept);
    for ((capture, status), line) in read.iter().zip(&lines) {
        assert_eq!(line["outcome"] == "refused", *status != 200, "{}", capture.name);
        let scratch = server.folder().join("original");
        fs::write(&scratch, &capture.body).unwrap();
        let before = decoded(&scratch, &capture.content_type, &[]);
        let after = decoded(&kept.join(line["file"].as_str().unwrap()), &capture.content_type, &[]);
        assert_eq!(before, after, "{}", capture.name);
    }
}

#[test]
fn texts_go_on_request_and_the_events_are_still_events() {
    let receiver = Receiver::start();
    let mut server = server(
        &receiver,
        "[capture]\nenabled = true\nkeep = \"all\"\nredact_text = true\n",
    );
    for capture in captures("public") {
        server.post_as(&capture.content_type, &capture.body);
    }
    server.settled();
    server.terminate();
    let lines = listed(&server);
    assert_eq!(lines.len(), 41);
    for line in lines {
        let file = kept_in(&server).join(line["file"].as_str().unwrap());
        let (code, event) = decoded(&file, line["content_type"].as_str().unwrap(), &[]);
        assert_eq!(code, Some(0), "{line}");
        let text = &event["data"]["message"]["text"];
        let taken = text
            .as_str()
            .is_none_or(|text| text.is_empty() || text == "IMBOT_REDACTED_text");
        assert!(taken, "{text}");
    }
}

#[test]
fn the_folder_stays_within_its_bounds_and_everybody_is_told() {
    let far = Far::start(1000);
    let capture = "[capture]\nenabled = true\nmax_files = 5\nmax_bytes = \"20KB\"\n";
    let mut server = Server::new(&format!("{capture}{}", far.table()));
    server.start();
    for message in 0..60 {
        let body = far.body(7, 1_000 + message, &"long ".repeat(300));
        assert_eq!(server.post(&body).outcome(), Some("accepted"));
    }
    server.settled();
    let ready: Value = serde_json::from_str(&link::get(server.admin, "/readyz").unwrap().body).unwrap();
    assert_eq!(
        (&ready["capture"]["on"], &ready["capture"]["keep"]),
        (&true.into(), &"accepted".into())
    );
    let status = stdout(&server.command(&["status"]));
    assert!(status.contains("capture  ON until "), "{status}");
    let text = stdout(&server.command(&["captures", "list"]));
    assert!(text.contains("accepted"), "{text}");
    server.terminate();
    // Only now has everything that it said been read.
    assert!(
        server.said().contains("[capture] keeps each accepted body in"),
        "{}",
        server.said()
    );
    let sizes: Vec<u64> = fs::read_dir(kept_in(&server))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .collect();
    assert!(sizes.len() <= 6 && sizes.iter().sum::<u64>() <= 20_000, "{sizes:?}");
    let newest = listed(&server).pop().unwrap();
    assert!(newest["file"].as_str().unwrap().contains("-0000060-"), "{newest}");
    let drop = server.command(&["captures", "drop", newest["file"].as_str().unwrap(), "--yes"]);
    assert_eq!(drop.status.code(), Some(0), "{drop:?}");
    assert!(listed(&server).iter().all(|line| line["file"] != newest["file"]));
    assert_eq!(
        server.command(&["captures", "drop", "--all", "--yes"]).status.code(),
        Some(0)
    );
    assert_eq!(listed(&server), Vec::<Value>::new());
}

#[test]
fn a_folder_that_cannot_be_written_costs_no_event() {
    let far = Far::start(1000);
    // From the start, and from one moment to the next.
    let nowhere = "[capture]\nenabled = true\npath = \"/proc/imbot-captures\"\n";
    for (capture, later) in [(nowhere, false), (ACCEPTED, true)] {
        let mut server = Server::new(&format!("{capture}{}", far.table()));
        server.start();
        if later {
            fs::remove_dir_all(kept_in(&server)).unwrap();
            fs::write(kept_in(&server), "not a folder").unwrap();
        }
        for message in 0..20 {
            let body = far.body(7, 2_000 + message, "hello");
            assert_eq!(server.post(&body).outcome(), Some("accepted"));
        }
        server.settled();
        assert_eq!(link::get(server.admin, "/readyz").unwrap().status, 200);
        if later {
            for _ in 0..3000 {
                if server.metric("imbot_captures_total{outcome=\"dropped\"") >= 20.0 {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            assert_eq!(server.metric("imbot_captures_total{outcome=\"dropped\""), 20.0);
        }
        assert_eq!(server.terminate().code(), Some(0));
        let told = if later {
            "a capture could not be written"
        } else {
            "nothing is captured"
        };
        assert_eq!(server.said().matches(told).count(), 1, "{}", server.said());
    }
}

/// How many captures were `kept` and `dropped`, once that is said of so many.
fn told(server: &Server, count: f64) -> (f64, f64) {
    let of = |outcome: &str| server.metric(&format!("imbot_captures_total{{outcome=\"{outcome}\""));
    for _ in 0..3000 {
        let (kept, dropped) = (of("kept"), of("dropped"));
        if kept + dropped >= count {
            return (kept, dropped);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} kept, {} dropped of {count}", of("kept"), of("dropped"));
}

#[test]
fn a_full_disk_costs_captures_and_nothing_else() {
    const ROUNDS: u32 = 20;
    let far = Far::start(1000);
    let mut server = Server::new(&format!("{ACCEPTED}{}", far.table()));
    let folder = kept_in(&server);
    let Some(_mount) = Mount::at(&folder, "8m") else {
        return;
    };
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    server.start();
    let mut message = 3_000;
    let mut post = |server: &Server, count: u32| {
        for _ in 0..count {
            message += 1;
            assert_eq!(server.post(&far.body(7, message, "hello")).outcome(), Some("accepted"));
        }
    };
    // Each time a page more is left, so that it is full now before a body, now in the middle of a manifest's line.
    for pages in 1..=ROUNDS {
        let other = folder.join("other");
        let mut filler = fs::File::create(&other).unwrap();
        while filler.write_all(&[0x55; 4096]).is_ok() {}
        let full = filler.metadata().unwrap().len();
        filler.set_len(full - u64::from(pages) * 4096).unwrap();
        post(&server, 24);
        let (before, dropped) = told(&server, f64::from(27 * pages - 3));
        assert!(dropped >= f64::from(pages), "{before} were kept on a full disk");
        // An open file keeps its room.
        drop(filler);
        fs::remove_file(&other).unwrap();
        post(&server, 3);
        let (kept, _) = told(&server, f64::from(27 * pages));
        assert_eq!(kept, before + 3.0, "there is room again");
    }
    assert_eq!(link::get(server.admin, "/readyz").unwrap().status, 200);
    server.settled();
    assert_eq!(far.heard(7).len(), 27 * ROUNDS as usize, "every event was handled");
    // Whole lines and whole bodies only.
    let manifest = fs::read_to_string(folder.join("manifest.jsonl")).unwrap();
    let files = fs::read_dir(&folder).unwrap().count() - 1;
    assert_eq!(manifest.lines().count(), files, "{manifest}");
    for line in manifest.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let size = fs::metadata(folder.join(line["file"].as_str().unwrap())).unwrap().len();
        assert_eq!(line["bytes"], size);
    }
    assert_eq!(server.terminate().code(), Some(0));
    let complaints = server.said().matches("a capture could not be written").count();
    assert_eq!(complaints, ROUNDS as usize, "one for each time it is full");
}

#[test]
fn a_dead_letter_becomes_a_capture_that_can_be_posted_again() {
    let receiver = Receiver::start();
    let first = server(&receiver, "");
    let broken = captures("hostile")
        .into_iter()
        .find(|capture| capture.name.starts_with("x117"))
        .unwrap();
    assert_eq!(
        first.post_as(&broken.content_type, &broken.body).outcome(),
        Some("quarantined")
    );
    let letter = first.letters("quarantine").pop().unwrap();
    let file = first.folder().join("letter.form");
    let id = letter["id"].to_string();
    let made = ["captures", "from-dead-letter", &id, "--output", file.to_str().unwrap()];
    let output = first.command(&made);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_ne!(
        first.command(&made).status.code(),
        Some(0),
        "a file that is there is not overwritten"
    );
    let body = fs::read_to_string(&file).unwrap();
    assert!(
        body.contains("auth%5Bapplication_token%5D=IMBOT_REDACTED_application_token"),
        "{body}"
    );
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let second = server(&receiver, "");
    let to = format!("http://{}/webhook", second.public);
    let portal = letter["portal"].as_str().unwrap();
    let replay = second.command(&["replay", file.to_str().unwrap(), "--to", &to, "--as", portal]);
    assert!(stdout(&replay).contains("  quarantined\n"), "{replay:?}");
    let none = first.command(&["captures", "from-dead-letter", "999"]);
    assert_ne!(none.status.code(), Some(0));
}

#[test]
fn the_schema_is_printed_as_json() {
    let output = bare(IMBOT)
        .args(["config", "schema"])
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(0));
    let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}
