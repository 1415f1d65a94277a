//! The bounds of the folder, what it takes over, and a disk that does not take anything.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::TempDir;

const START: Timestamp = Timestamp(1_772_098_000_123);

fn terms(path: &Path) -> Terms {
    Terms {
        path: path.to_path_buf(),
        all: false,
        max_bytes: 100_000,
        max_files: 100,
        max_age: Duration::from_secs(3600),
        stop_after: Duration::from_secs(3600),
        redact_text: false,
    }
}

fn taken(received: Timestamp, body: &str) -> Taken {
    Taken {
        received,
        content_type: "application/x-www-form-urlencoded".to_owned(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn fate(outcome: &'static str) -> Fate {
    Fate {
        outcome,
        reason: None,
        portal: Some("acme".to_owned()),
        event: Some("ONAPPTEST".to_owned()),
    }
}

fn accepted(folder: &mut Folder, count: usize, body: &str) {
    for number in 0..count {
        let received = START + Duration::from_secs(number as u64);
        assert!(folder.keep(&taken(received, body), &fate("accepted")).unwrap());
        folder.prune(received);
    }
}

/// Files beside the manifest, and the bytes of all.
fn held(path: &Path) -> (usize, u64) {
    let sizes: Vec<u64> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .collect();
    (sizes.len() - 1, sizes.iter().sum())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn home() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("below/captures");
    (home, path)
}

#[test]
fn files_are_private_and_have_their_line() {
    let (_home, path) = home();
    let mut folder = Folder::open(&terms(&path), START).unwrap();
    accepted(&mut folder, 1, "auth[application_token]=marker&a=b");
    assert_eq!(mode(&path), 0o700);
    let found = lines(&path).unwrap();
    assert_eq!(found.len(), 1);
    let file = path.join(&found[0].file);
    assert_eq!(found[0].file, "20260226T092640Z-0000001-accepted.form");
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&path.join(MANIFEST)), 0o600);
    let body = fs::read_to_string(file).unwrap();
    assert_eq!(body, "auth[application_token]=IMBOT_REDACTED_application_token&a=b");
    assert_eq!(found[0].bytes, body.len() as u64);
}

#[test]
fn number_bytes_and_age_are_bounded_and_the_oldest_goes_first() {
    let (_home, path) = home();
    let few = Terms {
        max_files: 7,
        ..terms(&path)
    };
    let mut folder = Folder::open(&few, START).unwrap();
    accepted(&mut folder, 500, "a=b");
    assert_eq!(held(&path).0, 7);
    let numbers: Vec<String> = lines(&path)
        .unwrap()
        .iter()
        .map(|line| line.file[17..24].to_owned())
        .collect();
    assert_eq!(numbers.first().map(String::as_str), Some("0000494"));
    assert_eq!(numbers.last().map(String::as_str), Some("0000500"));
    folder.prune(START + Duration::from_secs(3600 + 495));
    assert_eq!(held(&path).0, 4);

    let (_home, path) = home();
    let mut folder = Folder::open(&terms(&path), START).unwrap();
    accepted(&mut folder, 300, &format!("a={}", "b".repeat(3_000)));
    let (files, bytes) = held(&path);
    assert!(bytes <= 100_000 && files > 20, "{files} files, {bytes} bytes");
    let huge = folder.keep(&taken(START, &"x".repeat(200_000)), &fate("accepted"));
    assert!(huge.is_err());
    assert_eq!(held(&path).0, files);
}

#[test]
fn the_next_run_takes_over_what_is_there_and_nothing_of_others() {
    let (_home, path) = home();
    let mut folder = Folder::open(&terms(&path), START).unwrap();
    accepted(&mut folder, 3, "a=b");
    fs::write(path.join("20260226T092640Z-0000099-accepted.form"), "half").unwrap();
    fs::write(path.join("notes.form"), "mine").unwrap();
    let first = lines(&path).unwrap()[0].file.clone();
    assert!(drop_file(&path, &first).unwrap() && !drop_file(&path, &first).unwrap());
    assert!(!drop_file(&path, "../x").unwrap() && !drop_file(&path, MANIFEST).unwrap());
    let mut folder = Folder::open(&terms(&path), START).unwrap();
    accepted(&mut folder, 1, "c=d");
    let files: Vec<String> = lines(&path).unwrap().into_iter().map(|line| line.file).collect();
    assert_eq!(files.len(), 3);
    assert!(files[2].contains("-0000004-"), "{files:?}");
    assert!(path.join("notes.form").exists());
    assert!(!path.join("20260226T092640Z-0000099-accepted.form").exists());
}

#[test]
fn a_folder_that_others_may_read_is_not_used() {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let clock = Clock::manual(START);
    let capture = Capture::start(terms(home.path()), &clock);
    assert!(!capture.is_on());
    capture.keep(taken(START, "a=b"), fate("accepted"));
    let view = capture.view().unwrap();
    assert!(view["trouble"].as_str().unwrap().contains("chmod 700"), "{view}");
    capture.finish();
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn only_what_is_asked_for_is_kept_and_only_until_the_end() {
    let (_home, path) = home();
    let clock = Clock::manual(START);
    let old = Terms {
        max_age: Duration::from_secs(7200),
        ..terms(&path)
    };
    let capture = Capture::start(old, &clock);
    for outcome in ["accepted", "duplicate", "quarantined", "ignored", "refused"] {
        capture.keep(taken(START, "a=b"), fate(outcome));
    }
    clock.advance(Duration::from_secs(3600));
    assert!(!capture.is_on());
    capture.keep(taken(START, "a=b"), fate("accepted"));
    capture.finish();
    let outcomes: Vec<String> = lines(&path).unwrap().into_iter().map(|line| line.outcome).collect();
    assert_eq!(outcomes, ["accepted", "quarantined"]);
    assert_eq!(capture.view().unwrap()["kept"], 2);
}

#[test]
fn a_disk_that_takes_nothing_drops_and_counts() {
    let (_home, path) = home();
    let clock = Clock::manual(START);
    let capture = Capture::start(terms(&path), &clock);
    // Not a permission: tests may run as root, whom none stops.
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, "a file where the folder was").unwrap();
    for _ in 0..5 {
        capture.keep(taken(START, "a=b"), fate("accepted"));
    }
    capture.finish();
    let view = capture.view().unwrap();
    assert_eq!((&view["kept"], &view["dropped"]), (&json!(0), &json!(5)));
}

#[test]
fn what_waits_is_bounded_in_bytes() {
    let (_home, path) = home();
    let clock = Clock::manual(START);
    let capture = Capture::start(terms(&path), &clock);
    let shared = capture.0.as_ref().unwrap();
    shared.waiting_bytes.store(WAITING_BYTES, Relaxed);
    capture.keep(taken(START, "a=b"), fate("accepted"));
    assert_eq!(capture.view().unwrap()["dropped"], 1);
    shared.waiting_bytes.store(0, Relaxed);
    capture.keep(taken(START, "a=b"), fate("accepted"));
    capture.finish();
    assert_eq!(capture.view().unwrap()["kept"], 1);
}
