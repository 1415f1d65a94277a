//! What a crash, a power cut or a failing disk leaves behind.

use super::*;
use crate::store::records::CRASHED;
use std::path::{Path, PathBuf};
use std::process::Command;

#[tokio::test]
async fn a_copy_taken_at_any_answer_holds_all_that_was_answered() {
    let shop = shop();
    for round in 1..=20 {
        let id = shop.put(shop.a, "1").await;
        if round % 3 == 0 {
            shop.done(id, vec![shop.call(shop.a, "1", "x")]).await;
        }
        let counts = shop.crashed().store.counts().await.unwrap();
        assert_eq!(
            (counts.accepted, counts.done, counts.pending_calls),
            (round, round / 3, round / 3)
        );
    }
}

#[tokio::test]
async fn a_call_that_was_under_way_is_unknown_if_it_must_not_be_repeated_and_ready_if_it_may() {
    let shop = shop();
    let mut stop = shop.call(shop.a, "stop", "once only");
    stop.unknown = Unknown::Stop;
    let waiting = NewCall {
        lane: Lane(5),
        ..stop.clone()
    };
    let repeat = shop.call(shop.a, "repeat", "again");
    shop.store
        .queue_calls(keyless(vec![stop, repeat, waiting]))
        .await
        .unwrap();
    let calls = shop.calls(10).await;
    assert_eq!(calls.len(), 3);
    shop.store.call_started(calls[0].id).await.unwrap();
    shop.store.call_started(calls[1].id).await.unwrap();
    let after = shop.crashed();
    let ready: Vec<CallId> = after.calls(10).await.iter().map(|call| call.id).collect();
    assert_eq!(ready.len(), 2);
    assert!(!ready.contains(&calls[0].id));
    let letters = after.store.dead_letters(None, 10).await.unwrap();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.queue, letter.reason.as_str()), (DeadQueue::Unknown, CRASHED));
    assert_eq!(
        (letter.origin, letter.attempts, letter.format),
        (calls[0].id.0, 1, Format::Json)
    );
    assert_eq!(letter.body, calls[0].call.params.as_bytes());
    assert_eq!(
        after
            .store
            .dead_letter(letter.id)
            .await
            .unwrap()
            .map(|found| found.origin),
        Some(letter.origin)
    );
    let after = after.reopen().await;
    assert_eq!(
        after.store.counts().await.unwrap().letters,
        [0, 0, 1, 0],
        "counted once"
    );
    // A retry takes the record away: the attempt is known not to have been carried out.
    shop.store.retry_call(calls[0].id, shop.retry(0, 0)).await.unwrap();
    assert_eq!(shop.crashed().store.counts().await.unwrap().letters, [0; 4]);
}

#[tokio::test]
async fn a_failed_write_ends_all_acknowledging_and_loses_nothing_acknowledged() {
    let shop = shop();
    let kept = shop.put(shop.a, "1").await;
    let mut failed = shop.store.failed();
    assert!(!*failed.borrow());
    // A statement that cannot be carried out, in one group with others.
    let broken = shop
        .store
        .change(writer::Change::Sql("INSERT INTO portal VALUES(1, 'a', NULL)"));
    let beside = shop.store.enqueue(shop.event(shop.a, "2", None));
    let (broken, beside) = tokio::join!(broken, beside);
    assert_eq!(broken, Err(StoreError::Failed));
    assert_eq!(
        beside,
        Err(StoreError::Failed),
        "not acknowledged, whether in the group or after it"
    );
    failed.wait_for(|failed| *failed).await.unwrap();
    assert_eq!(
        shop.store.enqueue(shop.event(shop.a, "3", None)).await,
        Err(StoreError::Failed)
    );
    assert_eq!(
        shop.store.complete_event(end(kept, vec![])).await,
        Err(StoreError::Failed)
    );
    let shop = shop.reopen().await;
    assert_eq!(ids(&shop.claim(10).await), [kept.0]);
    shop.put(shop.a, "1").await;
}

/// The file system refuses a write in the middle of a commit: a real one, by a limit on file sizes (here of the log,
/// 1 MiB) in a process of its own. What had been acknowledged by then is in the folder, and nothing was after.
#[test]
fn a_refused_write_of_a_commit_ends_all_acknowledging() {
    fill_the_disk("a_refused_write_of_a_commit_ends_all_acknowledging", 2_048);
}

/// The log stays within the limit of 32 MiB, the database does not: the copying thread is refused.
#[test]
fn a_refused_write_of_a_checkpoint_ends_all_acknowledging() {
    fill_the_disk("a_refused_write_of_a_checkpoint_ends_all_acknowledging", 65_536);
}

/// Runs `test` once more in a process with a limit on file sizes; there it is the one that writes.
#[expect(clippy::disallowed_methods, reason = "the parent names the folder to its child")]
fn fill_the_disk(test: &str, limit: u32) {
    if let Some(folder) = std::env::var_os("IMBOT_TEST_FOLDER") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        return runtime.block_on(write_until_refused(&PathBuf::from(folder)));
    }
    let dir = tempfile::tempdir().unwrap();
    let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" --exact store::tests::crash::{test}");
    let child = Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(std::env::current_exe().unwrap())
        .env("IMBOT_TEST_FOLDER", dir.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let acknowledged: u64 = fs::read_to_string(dir.path().join("acknowledged"))
        .unwrap()
        .parse()
        .unwrap();
    assert!(acknowledged > u64::from(limit) / 200, "{acknowledged}");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(dir.path(), Options::new(Clock::manual(Timestamp(0)))).unwrap();
        assert_eq!(store.counts().await.unwrap().accepted, acknowledged);
    });
}

async fn write_until_refused(folder: &Path) {
    let clock = Clock::manual(Timestamp(0));
    let store = Store::open(folder, Options::new(clock)).unwrap();
    let portal = store.register_portals(&["a"]).unwrap()[0];
    let shop = shop();
    let mut acknowledged = 0;
    let refused = loop {
        let mut event = shop.event(portal, "1", None);
        event.body = vec![b'x'; 20_000];
        match store.enqueue(event).await {
            Ok(_) => acknowledged += 1,
            Err(e) => break e,
        }
    };
    assert_eq!(refused, StoreError::Failed);
    assert!(*store.failed().borrow());
    assert_eq!(
        store.enqueue(shop.event(portal, "2", None)).await,
        Err(StoreError::Failed)
    );
    fs::write(folder.join("acknowledged"), acknowledged.to_string()).unwrap();
    store.close().await;
}

#[tokio::test]
async fn numbers_are_never_used_twice_even_when_everything_is_gone() {
    let mut shop = shop();
    let mut last = 0;
    for _ in 0..5 {
        let id = shop.put(shop.a, "1").await;
        assert!(id.0 > last);
        shop.done(id, vec![shop.call(shop.a, "1", "x")]).await;
        let call = shop.calls(1).await.pop().unwrap();
        assert!(call.id.0 > id.0);
        shop.store.complete_call(call.id, &json!(true)).await.unwrap();
        last = call.id.0;
        shop = shop.reopen().await;
    }
}
