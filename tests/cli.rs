//! The operator's commands as processes: what they print, where, and their exit codes.

use crate::corpus::{Receiver, captures, folder};
use crate::nginx::tokens;
use crate::server::{Far, IMBOT, Server, bare};
use crate::support::{free_port, tool};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn imbot(arguments: &[&str]) -> Output {
    bare(IMBOT).args(arguments).output().expect("the binary runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("no signal")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn path(file: &Path) -> &str {
    file.to_str().expect("a plain path")
}

#[test]
fn every_public_capture_decodes_as_expected() {
    let Some(python) = tool("python3") else { return };
    let public = captures("public");
    assert_eq!(public.len(), 41);
    let mut differences = String::new();
    let scratch = tempfile::tempdir().unwrap();
    let actual = scratch.path().join("actual.json");
    for capture in public {
        let file = folder("public").join(&capture.name);
        let stem = capture.name.rsplit_once('.').unwrap().0;
        let expected = folder("public").join(format!("{stem}.expected.json"));
        let decode = [
            "decode",
            "--content-type",
            &capture.content_type,
            "--show-secrets",
            path(&file),
        ];
        let shown = imbot(&decode);
        assert_eq!(code(&shown), 0, "{}: {}", capture.name, stderr(&shown));
        fs::write(&actual, &shown.stdout).unwrap();
        let compared = Command::new(&python)
            .arg(folder("compare.py"))
            .arg(&expected)
            .arg(&actual)
            .output()
            .unwrap();
        if !compared.status.success() {
            differences += &format!("{}\n{}{}\n", capture.name, stdout(&compared), stderr(&compared));
        }
        let hidden = stdout(&imbot(&["decode", path(&file)]));
        let body = String::from_utf8_lossy(&capture.body).into_owned();
        for token in tokens(&body) {
            assert!(!hidden.contains(&token), "{}: a token is shown", capture.name);
            assert!(
                stdout(&shown).contains(&token),
                "{}: the search for {token} would find nothing",
                capture.name
            );
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn decode_tells_unusable_from_refused_and_reads_standard_input() {
    let hostile = |name: &str| folder("hostile").join(name);
    let refused = imbot(&["decode", path(&hostile("x03_garbage.form"))]);
    assert_eq!((code(&refused), stdout(&refused).as_str()), (1, ""));
    assert!(stderr(&refused).starts_with("refused: "), "{refused:?}");
    let unusable = imbot(&["decode", path(&hostile("x111_int_overflow.form"))]);
    assert_eq!((code(&unusable), stdout(&unusable).as_str()), (3, ""));
    assert!(stderr(&unusable).contains("quarantined"), "{unusable:?}");
    let missing = imbot(&["decode", "nowhere.form"]);
    assert_eq!(code(&missing), 1);
    assert!(stderr(&missing).contains("nowhere.form"), "{missing:?}");

    let file = folder("public").join("01_message_add_private.form");
    let mut child = bare(IMBOT)
        .args(["decode", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&fs::read(&file).unwrap())
        .unwrap();
    let piped = child.wait_with_output().unwrap();
    assert_eq!(code(&piped), 0, "{piped:?}");
    assert_eq!(stdout(&piped), stdout(&imbot(&["decode", path(&file)])));
}

#[test]
fn replay_posts_captures_and_names_what_became_of_them() {
    let receiver = Receiver::start();
    let server = receiver.server();
    let files: Vec<PathBuf> = ["05_message_add_webhook_bot.form", "36_message_add_json.json"]
        .map(|name| folder("public").join(name))
        .to_vec();
    let replay = |extra: &[&str]| {
        let files = files.iter().map(|file| path(file));
        let arguments: Vec<&str> = ["replay"]
            .into_iter()
            .chain(files)
            .chain(extra.iter().copied())
            .collect();
        let output = server.command(&arguments);
        assert_eq!(code(&output), 0, "{output:?}");
        stdout(&output)
    };
    let first = replay(&[]);
    assert!(first.ends_with("2 accepted\n"), "{first}");
    let second = replay(&[]);
    assert!(second.ends_with("2 duplicate\n"), "{second}");
    let again = replay(&["--again"]);
    assert!(again.ends_with("2 accepted\n"), "{again}");
    let elsewhere = replay(&["--to", "https://bots.example.com/webhook"]);
    assert!(
        elsewhere.contains("not sent") && elsewhere.contains("--send"),
        "{elsewhere}"
    );

    let forged = folder("hostile").join("x24_token_prefix.form");
    let refused = server.command(&["replay", path(&forged)]);
    assert_eq!(code(&refused), 1);
    assert!(stdout(&refused).contains("refused 403"), "{refused:?}");
    // With the credentials of the configuration in place of its own the same body passes.
    let lent = server.command(&["replay", path(&forged), "--as", "acme", "--again"]);
    assert_eq!(code(&lent), 0, "{lent:?}");
    assert!(stdout(&lent).ends_with("1 accepted\n"), "{lent:?}");
    assert_eq!(code(&server.command(&["replay", path(&forged), "--as", "nobody"])), 2);
}

#[test]
fn the_configuration_is_checked_with_all_its_mistakes() {
    let far = Far::start(100);
    let good = Server::new(&far.table());
    let report = good.command(&["config", "check"]);
    assert_eq!(code(&report), 0, "{report:?}");
    assert!(stdout(&report).contains("can be used"), "{report:?}");

    let bad = Server::new(&format!(
        "server.lisen = \"x\"\nworkers.concurrency = 0\n{}",
        far.table().replace("\"echo\"", "\"ecco\"")
    ));
    let report = bad.command(&["config", "check"]);
    assert_eq!(code(&report), 78, "{report:?}");
    let started = bad.command(&["serve"]);
    assert_eq!(code(&started), 78, "{started:?}");
    for said in [stdout(&report), stderr(&started)] {
        for part in ["listen", "concurrency", "echo", "imbot.toml:"] {
            assert!(said.contains(part), "no {part} in {said}");
        }
    }
}

#[test]
fn the_example_can_be_used_once_its_variables_are_set() {
    let example = imbot(&["config", "example"]);
    assert_eq!(code(&example), 0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("imbot.toml");
    fs::write(&file, &example.stdout).unwrap();
    let mut check = bare(IMBOT);
    check.args(["config", "check", "--config", path(&file)]);
    check
        .env("ACME_WEBHOOK", "https://acme.bitrix24.com/rest/1/code/")
        .env("ACME_BOT_TOKEN", "token");
    let report = check.output().unwrap();
    assert_eq!(code(&report), 0, "{report:?}");
    assert!(stdout(&report).contains("portal acme"), "{report:?}");
    assert_eq!(code(&check.env_remove("ACME_BOT_TOKEN").output().unwrap()), 78);
}

#[test]
fn dead_letters_are_shown_beside_a_running_server_and_without_one() {
    let far = Far::start(100);
    let mut server = Server::beside(&far);
    far.portal
        .answer_error(Some("imbot.v2.Chat.Message.send"), 400, "ACCESS_DENIED", 1);
    assert_eq!(server.post(&far.body(7, 70, "never shown")).outcome(), Some("accepted"));
    server.settled();
    let letter = server.letters("calls");
    assert_eq!(letter.len(), 1, "{letter:?}");
    assert_eq!(letter[0]["name"], "imbot.v2.Chat.Message.send");
    let running = look(&server, &letter[0]["id"].to_string());
    assert_eq!(
        code(&server.command(&["dead-letters", "list", "--queue", "nothing"])),
        2
    );
    assert_eq!(code(&server.command(&["dead-letters", "show", "999999"])), 1);
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(
        look(&server, &letter[0]["id"].to_string()),
        running,
        "with and without a server they look the same"
    );
    assert_eq!(code(&server.command(&["dead-letters", "show", "999999"])), 1);
    // A store alone is enough.
    let store = server.store();
    let by_data = imbot(&["dead-letters", "list", "--json", "--data", path(&store)]);
    assert!(stdout(&by_data).contains("ACCESS_DENIED"), "{by_data:?}");
    let nowhere = imbot(&["dead-letters", "list", "--data", "/nowhere"]);
    assert_eq!(code(&nowhere), 1);
    assert!(stderr(&nowhere).contains("/nowhere"), "{nowhere:?}");
}

/// The list and one letter, for people and for programs.
fn look(server: &Server, id: &str) -> [String; 4] {
    let commands: [&[&str]; 4] = [
        &["dead-letters", "list"],
        &["dead-letters", "list", "--json"],
        &["dead-letters", "show", id],
        &["dead-letters", "show", id, "--json"],
    ];
    let shown = commands.map(|arguments| {
        let output = server.command(arguments);
        assert_eq!(code(&output), 0, "{output:?}");
        stdout(&output)
    });
    assert!(
        shown[0].contains("calls") && !shown[0].contains("never shown"),
        "{}",
        shown[0]
    );
    assert!(
        shown[2].contains("never shown") && shown[3].contains("never shown"),
        "{shown:?}"
    );
    serde_json::from_str::<serde_json::Value>(&shown[3]).expect("JSON");
    shown
}

#[test]
fn a_store_has_one_owner_and_health_knows_it() {
    let far = Far::start(100);
    let mut server = Server::beside(&far);
    assert_eq!(code(&server.command(&["health"])), 0);
    let mut second = bare(IMBOT);
    second.args(["serve", "--config", path(&server.config())]);
    second.env("IMBOT_SERVER__LISTEN", format!("127.0.0.1:{}", free_port()));
    second.env("IMBOT_ADMIN__LISTEN", format!("127.0.0.1:{}", free_port()));
    let refused = second.output().unwrap();
    assert_eq!(code(&refused), 75, "{refused:?}");
    assert!(stderr(&refused).contains(&server.pid().to_string()), "{refused:?}");
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(code(&server.command(&["health"])), 1);
}

#[test]
fn sigterm_ends_with_0_and_what_was_pending_is_handled_by_the_next_run() {
    let far = Far::start(1000);
    let mut server = Server::new(&far.table());
    server.arguments = vec!["--accept-only".to_owned()];
    server.start();
    for number in 0..20 {
        assert_eq!(
            server.post(&far.body(7, 700 + number, &format!("n{number}"))).outcome(),
            Some("accepted")
        );
    }
    assert_eq!(server.metric("imbot_inbox_pending"), 20.0);
    assert_eq!(server.terminate().code(), Some(0), "{}", server.said());
    server.arguments.clear();
    server.start();
    server.settled();
    assert_eq!(
        far.heard(7),
        (0..20).map(|number| format!("n{number}")).collect::<Vec<_>>()
    );
    // A call that waits for its portal is no reason to stay.
    far.portal
        .refuse_for(std::time::Duration::from_secs(3600), imbot::portal::Shape::Json);
    assert_eq!(server.post(&far.body(8, 800, "later")).outcome(), Some("accepted"));
    assert_eq!(server.terminate().code(), Some(0), "{}", server.said());
    far.portal.clear_faults();
    server.start();
    server.settled();
    assert_eq!(far.heard(8), ["later"]);
}

#[test]
fn help_names_the_exit_codes() {
    let help = imbot(&["--help"]);
    assert_eq!(code(&help), 0);
    for part in [
        "Exit codes",
        "74",
        "75",
        "78",
        "serve",
        "dev",
        "decode",
        "replay",
        "dead-letters",
        "config",
        "health",
    ] {
        assert!(stdout(&help).contains(part), "no {part} in {}", stdout(&help));
    }
    assert_eq!(code(&imbot(&["no-such-command"])), 2);
}
