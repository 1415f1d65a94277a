//! No file of the folder ever holds a token in clear, and none outlives what it came with.

use super::*;
use crate::types::Secret;

const TOKEN: &str = "marker-token-0123456789abcdef";

#[tokio::test]
async fn a_token_comes_back_but_is_in_no_file_at_any_time() {
    let shop = shop();
    let mut event = shop.event(shop.a, "1", None);
    event.token = Some(Secret::new(TOKEN));
    shop.store.enqueue(event).await.unwrap();
    assert_eq!(holding(shop.dir.path(), TOKEN.as_bytes()), [""; 0], "while it waits");
    let claimed = shop.claim(1).await.pop().unwrap();
    assert_eq!(claimed.token.as_ref().map(Secret::expose), Some(TOKEN));
    let mut call = shop.call(shop.a, "1", "x");
    (call.token, call.identity, call.event) = (claimed.token, Identity::EventToken, Some(claimed.id));
    shop.done(claimed.id, vec![call]).await;
    assert_eq!(holding(shop.dir.path(), TOKEN.as_bytes()), [""; 0], "with the call");
    let shop = shop.crashed();
    let call = shop.calls(1).await.pop().unwrap();
    assert_eq!(
        call.call.token.as_ref().map(Secret::expose),
        Some(TOKEN),
        "after a crash too"
    );
    assert_eq!(call.call.identity, Identity::EventToken);
    shop.store
        .bury_call(call.id, DeadQueue::Calls, "ACCESS_DENIED", "no rights")
        .await
        .unwrap();
    assert_eq!(
        holding(shop.dir.path(), TOKEN.as_bytes()),
        [""; 0],
        "in the dead letter"
    );
    let shop = shop.reopen().await;
    assert_eq!(
        holding(shop.dir.path(), TOKEN.as_bytes()),
        [""; 0],
        "after the checkpoint"
    );
}

/// What is sealed goes too: with its row, out of the database and of the log once that has been copied.
#[tokio::test]
async fn a_sealed_token_is_deleted_with_its_row() {
    let shop = shop();
    let mut event = shop.event(shop.a, "1", None);
    event.token = Some(Secret::new(TOKEN));
    shop.store.enqueue(event).await.unwrap();
    let sealed: Vec<u8> = {
        let conn = schema::reader(shop.dir.path()).unwrap();
        conn.query_row("SELECT token FROM event", [], |row| row.get(0)).unwrap()
    };
    // Others share its page, as they do in a store that is in use.
    shop.put(shop.a, "2").await;
    assert_eq!(holding(shop.dir.path(), &sealed), ["imbot.db-wal"]);
    let shop = shop.reopen().await;
    assert_eq!(holding(shop.dir.path(), &sealed), ["imbot.db"]);
    let id = shop
        .claim(2)
        .await
        .into_iter()
        .find(|event| event.token.is_some())
        .unwrap()
        .id;
    shop.done(id, vec![]).await;
    let shop = shop.reopen().await;
    assert_eq!(holding(shop.dir.path(), &sealed), [""; 0]);
}

#[tokio::test]
async fn without_the_key_a_token_is_absent_and_the_event_still_there() {
    let shop = shop();
    let mut event = shop.event(shop.a, "1", None);
    event.token = Some(Secret::new(TOKEN));
    shop.store.enqueue(event).await.unwrap();
    shop.store.close().await;
    fs::remove_file(shop.dir.path().join("key")).unwrap();
    let shop = shop.reopen().await;
    let claimed = shop.claim(1).await.pop().unwrap();
    assert_eq!(claimed.token, None);
}

#[tokio::test]
async fn the_newest_token_of_a_bot_is_found_among_events_and_calls() {
    let shop = shop();
    assert_eq!(shop.store.newest_token(shop.a, 456).await.unwrap(), None);
    let mut last = None;
    for token in ["older", "newer"] {
        let mut event = shop.event(shop.a, "1", None);
        event.token = Some(Secret::new(token));
        shop.store.enqueue(event).await.unwrap();
        last = Some(token);
    }
    let newest = || async {
        shop.store
            .newest_token(shop.a, 456)
            .await
            .unwrap()
            .map(|token| token.expose().to_owned())
    };
    assert_eq!(newest().await.as_deref(), last);
    assert_eq!(shop.store.newest_token(shop.b, 456).await.unwrap(), None);
    for _ in 0..2 {
        let event = shop.claim(1).await.pop().unwrap();
        let mut call = shop.call(shop.a, "1", "x");
        (call.token, call.event) = (event.token, Some(event.id));
        shop.done(event.id, vec![call]).await;
        assert_eq!(newest().await.as_deref(), last);
    }
}
