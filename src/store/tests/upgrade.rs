//! From schema 1 to today's, and copies of a store: nothing that was there is missing afterwards.

use super::*;

/// A store as the program of schema 1 left it, in a folder of its own.
fn of_schema_1() -> TempDir {
    let dump = include_str!("schema1.sql");
    let dir = tempfile::tempdir().unwrap();
    let conn = Connection::open(dir.path().join(FILE)).unwrap();
    conn.execute_batch("PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")
        .unwrap();
    conn.execute_batch(dump).unwrap();
    let key = dump.lines().find_map(|line| line.strip_prefix("-- key ")).unwrap();
    let digits = key.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap());
    let key: Vec<u8> = digits.map(|two| u8::from_str_radix(two, 16).unwrap()).collect();
    fs::write(dir.path().join("key"), key).unwrap();
    dir
}

fn options() -> Options {
    Options::new(Clock::manual(Timestamp(1_795_249_400_000)))
}

fn tables(folder: &Path) -> Vec<(String, String)> {
    let conn = schema::reader(folder).unwrap();
    let mut made = conn
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        .unwrap();
    let made = made.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    made.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_store_of_schema_1_is_taken_over_with_everything_in_it() {
    let dir = of_schema_1();
    let store = Store::open(dir.path(), options()).unwrap();
    let counts = store.counts().await.unwrap();
    assert_eq!(
        (
            counts.accepted,
            counts.done,
            counts.pending_events,
            counts.pending_calls
        ),
        (4, 3, 1, 3)
    );
    assert_eq!(counts.letters, [0, 1, 0, 1]);
    let mut letters = Vec::new();
    for listed in store.dead_letters(None, 10).await.unwrap() {
        letters.push(store.dead_letter(listed.id).await.unwrap().unwrap());
    }
    let [call, event] = &letters[..] else {
        panic!("{letters:?}")
    };
    assert_eq!((event.reason.as_str(), event.origin), ("data.message.id", 7));
    assert!(event.body.starts_with(b"event=ONIMBOTV2MESSAGEADD&"), "it has its body");
    assert_eq!((call.reason.as_str(), call.dialog.as_str()), ("ACCESS_DENIED", "chat5"));
    assert!(call.body.ends_with(b"\"hello\"}}"), "it has its parameters");
    let until = options().clock.now() + Duration::from_secs(3600);
    assert_eq!(store.retry_letters(&[event.id, call.id], until).await, [Ok(()), Ok(())]);
    let counts = store.counts().await.unwrap();
    assert_eq!(
        (counts.pending_events, counts.pending_calls),
        (2, 4),
        "both may be tried again"
    );
    let again = "SELECT count(*) FROM call WHERE dialog = 'chat5' AND identity = 0 AND unknown = 1";
    assert_eq!(
        conn_value(dir.path(), again),
        1,
        "as the bot's other calls, and not repeated blindly"
    );
    assert_eq!(store.gaps().await.unwrap()[0].count, 7);
    let acme = store.register_portals(&["acme"]).unwrap()[0];
    let token = store.newest_token(acme, 456).await.unwrap().unwrap();
    assert!(
        token.expose().starts_with("e18cf66a"),
        "sealed tokens are still readable"
    );
    store.close().await;

    let fresh = shop();
    assert_eq!(
        tables(dir.path()),
        tables(fresh.dir.path()),
        "the tables are those of a new store"
    );
}

#[tokio::test]
async fn the_work_of_schema_1_goes_on_after_the_change() {
    let dir = of_schema_1();
    let options = options();
    let store = Store::open(dir.path(), options.clone()).unwrap();
    let acme = store.register_portals(&["acme"]).unwrap()[0];
    let later = options.clock.now() + Duration::from_secs(24 * 3600);
    let events = store.claim_events(&HashSet::new(), 10, later).await.unwrap().items;
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].bot, events[0].dialog.as_str()), (456, "27"));
    let due = conn_value(dir.path(), "SELECT count(*) FROM failed");
    assert_eq!(due, 2, "calls keep their attempts");
    assert_eq!(
        conn_value(dir.path(), "SELECT count(*) FROM call WHERE priority = 0"),
        3
    );
    assert_eq!(conn_value(dir.path(), "SELECT count(*) FROM memory"), 1);
    let again = NewEvent {
        portal: acme,
        ..repeated(dir.path())
    };
    assert_eq!(
        store.enqueue(again).await,
        Ok(Enqueued::Duplicate),
        "keys are still known"
    );
    store.close().await;
}

/// An event with a key that the old store has seen.
fn repeated(folder: &Path) -> NewEvent {
    let conn = schema::reader(folder).unwrap();
    let key: Vec<u8> = conn.query_row("SELECT key FROM event", [], |row| row.get(0)).unwrap();
    NewEvent {
        // Stored behind the portal's number.
        key: Some(key[8..].to_vec().into()),
        ..shop().event(PortalId(1), "27", None)
    }
}

fn conn_value(folder: &Path, sql: &str) -> i64 {
    let conn = schema::reader(folder).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn before_the_change_a_copy_is_kept_that_can_be_put_back() {
    let dir = of_schema_1();
    Store::open(dir.path(), options()).unwrap().close().await;
    let kept = dir.path().join("before-schema-2");
    let copy = look_at(&kept.join(FILE)).unwrap();
    assert_eq!(copy.schema, 1);
    let other = tempfile::tempdir().unwrap();
    restore(&kept, other.path()).unwrap();
    assert_eq!(conn_value(other.path(), "SELECT count(*) FROM call"), 3);
    let reopened = Store::open(dir.path(), options()).unwrap();
    reopened.close().await;
}

#[tokio::test]
async fn a_store_of_schema_2_gets_the_tables_that_came_since() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path(), options()).unwrap().close().await;
    let today = tables(dir.path());
    let conn = schema::reader(dir.path()).unwrap();
    conn.execute_batch("DROP TABLE twin; PRAGMA user_version = 2").unwrap();
    drop(conn);
    let store = Store::open(dir.path(), options()).unwrap();
    assert_eq!(tables(dir.path()), today);
    // Every second the writer looks into it.
    store.0.ops.send(Op::Tick).await.unwrap();
    let portal = store.register_portals(&["acme"]).unwrap()[0];
    store.record_gap(portal, "after the tick").await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn events_of_schema_3_which_packed_none_are_read_as_before_and_nobody_older_reads_packed_ones() {
    let shop = shop();
    shop.put(shop.a, "1").await;
    let shop = shop.reopen().await;
    let conn = schema::reader(shop.dir.path()).unwrap();
    conn.execute_batch("PRAGMA user_version = 3").unwrap();
    drop(conn);
    let shop = shop.reopen().await;
    let mut packed = shop.event(shop.a, "2", None);
    packed.format = Format::Packed;
    shop.store.enqueue(packed).await.unwrap();
    let found: Vec<_> = shop.claim(10).await.into_iter().map(|event| event.format).collect();
    assert_eq!(found, [Format::Form, Format::Packed]);
    assert_eq!(conn_value(shop.dir.path(), "PRAGMA user_version"), 4);
    let codes = conn_value(shop.dir.path(), "SELECT sum(format) FROM event");
    assert_eq!(codes, 3, "0 and 3: numbers on disk");
}

#[tokio::test]
async fn a_copy_is_of_one_moment_opens_as_a_store_and_holds_no_key() {
    let shop = shop();
    for dialog in ["1", "2", "3"] {
        shop.put(shop.a, dialog).await;
    }
    let backups = tempfile::tempdir().unwrap();
    let file = backups.path().join(FILE);
    let made = shop.store.copy_to(file.clone()).await.unwrap();
    assert_eq!(made.schema, schema::VERSION);
    shop.put(shop.a, "4").await;
    assert!(shop.store.copy_to(file).await.is_err(), "nothing is overwritten");
    let names: Vec<_> = fs::read_dir(backups.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, [FILE]);

    let other = tempfile::tempdir().unwrap();
    restore(backups.path(), other.path()).unwrap();
    let restored = Store::open(other.path(), shop.options.clone()).unwrap();
    assert_eq!(restored.counts().await.unwrap().pending_events, 3);
    assert_eq!(
        restored.salt(),
        shop.store.salt(),
        "template ids stay the same, so the portal shows repeats once"
    );
    let refused = restore(backups.path(), other.path()).unwrap_err().to_string();
    assert!(refused.contains("in use"), "{refused}");
    restored.close().await;
    let refused = restore(backups.path(), other.path()).unwrap_err().to_string();
    assert!(refused.contains("empty store only"), "{refused}");
}

#[tokio::test]
async fn what_is_no_whole_backup_is_refused_and_changes_nothing() {
    let from = tempfile::tempdir().unwrap();
    let into = tempfile::tempdir().unwrap();
    let target = into.path().join("store");
    assert!(restore(from.path(), &target).is_err(), "no file");
    fs::write(from.path().join(FILE), b"not a database, but long enough to look at").unwrap();
    let refused = restore(from.path(), &target).unwrap_err().to_string();
    assert!(refused.contains("no whole backup"), "{refused}");
    let shop = shop();
    shop.put(shop.a, "1").await;
    let file = from.path().join(FILE);
    fs::remove_file(&file).unwrap();
    shop.store.copy_to(file.clone()).await.unwrap();
    Connection::open(&file)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let refused = restore(from.path(), &target).unwrap_err().to_string();
    assert!(refused.contains("newer imbot (schema 99"), "{refused}");
    assert!(!target.exists());
}

#[tokio::test]
async fn a_copy_left_by_a_crash_is_removed_at_the_next_start() {
    let shop = shop();
    let copy = shop.store.copy_here().await.unwrap();
    assert!(copy.file.exists() && copy.file.parent() == Some(shop.dir.path()));
    let shop = shop.reopen().await;
    assert!(!copy.file.exists());
    shop.store.close().await;
}
