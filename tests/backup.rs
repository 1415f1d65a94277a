//! `imbot backup` beside a running server and alone, `imbot restore` into an empty folder: what was accepted before the
//! backup is answered after the restore, and no key travels.

use crate::server::{Far, Server};
use std::fs;
use std::path::Path;
use std::process::Output;

fn said(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    both.concat()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_backup_of_a_running_server_can_be_restored_and_goes_on() {
    let far = Far::start(100);
    let mut server = Server::new(&far.table());
    server.arguments.push("--accept-only".to_owned());
    server.start();
    for number in 0..5 {
        assert_eq!(
            server.post(&far.body(7, 70 + number, &number.to_string())).outcome(),
            Some("accepted")
        );
    }
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("backup");
    let arguments = ["backup", dir.to_str().expect("a plain path")];
    let made = server.command(&arguments);
    assert!(made.status.success(), "{}", said(&made));
    assert!(said(&made).contains("The key is not in it"), "{}", said(&made));
    assert_eq!(names(&dir), ["imbot.db"], "the database and nothing else");
    assert!(names(&server.store()).iter().all(|name| !name.starts_with("copy-")));
    assert_eq!(server.post(&far.body(7, 79, "after")).outcome(), Some("accepted"));
    let again = server.command(&arguments);
    assert!(
        !again.status.success() && said(&again).contains("not empty"),
        "{}",
        said(&again)
    );

    let restore = ["restore", dir.to_str().expect("a plain path")];
    let refused = server.command(&restore);
    assert_eq!(refused.status.code(), Some(75), "{}", said(&refused));
    assert_eq!(server.terminate().code(), Some(0));
    let refused = server.command(&restore);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("empty store only"), "{}", said(&refused));

    let mut other = Server::new(&far.table());
    let restored = other.command(&restore);
    assert!(restored.status.success(), "{}", said(&restored));
    other.start();
    other.settled();
    assert_eq!(far.heard(7), ["0", "1", "2", "3", "4"]);
    assert_eq!(
        other.post(&far.body(7, 70, "0")).outcome(),
        Some("duplicate"),
        "keys are kept too"
    );
    other.kill();
}

#[test]
fn without_a_server_the_backup_takes_the_store_itself() {
    let far = Far::start(100);
    let mut server = Server::beside(&far);
    assert_eq!(server.post(&far.body(7, 70, "hello")).outcome(), Some("accepted"));
    server.settled();
    assert_eq!(server.terminate().code(), Some(0));
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("deep/backup");
    let made = server.command(&["backup", dir.to_str().expect("a plain path"), "--json"]);
    assert!(made.status.success(), "{}", said(&made));
    let told: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
    assert_eq!(told["file"].as_str(), dir.join("imbot.db").to_str());
    assert!(told["bytes"].as_u64() > Some(0));
    fs::write(dir.join("imbot.db"), b"torn").expect("a file");
    let other = Server::new(&far.table());
    let refused = other.command(&["restore", dir.to_str().expect("a plain path")]);
    assert!(
        !refused.status.success() && said(&refused).contains("no whole backup"),
        "{}",
        said(&refused)
    );
    assert!(!other.store().join("imbot.db").exists());
}

#[test]
fn every_shell_gets_its_completions() {
    for (shell, word) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef imbot"),
        ("fish", "complete -c imbot"),
    ] {
        let output = crate::server::bare(crate::server::IMBOT)
            .args(["completions", shell])
            .output()
            .expect("it runs");
        assert!(output.status.success() && said(&output).contains(word), "{shell}");
        assert!(said(&output).contains("dead-letters"), "{shell}");
    }
}
