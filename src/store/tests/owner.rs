//! The folder: one owner, nobody else's business, a known schema.

use super::*;
use crate::store::lock::Owner;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn a_second_owner_is_refused_and_told_who_has_it() {
    let shop = shop();
    let pid = Some(std::process::id());
    assert_eq!(owner(shop.dir.path()), Some(Owner { pid, admin: None }));
    shop.store.set_owner_note("http://127.0.0.1:9180").unwrap();
    let refused = Store::open(shop.dir.path(), shop.options.clone()).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains(&format!("process {}", std::process::id())) && text.contains("127.0.0.1:9180"),
        "{text}"
    );
    let OpenError::Locked { pid: found, admin, .. } = refused else {
        panic!("{text}")
    };
    assert_eq!((found, admin.as_deref()), (pid, Some("http://127.0.0.1:9180")));
    let shop = shop.reopen().await;
    shop.store.close().await;
    assert_eq!(owner(shop.dir.path()), None);
    assert_eq!(
        shop.store.enqueue(shop.event(shop.a, "1", None)).await,
        Err(StoreError::Closed)
    );
    shop.store.close().await;
}

#[tokio::test]
async fn only_its_owner_may_look_into_the_folder() {
    let shop = shop();
    shop.put(shop.a, "1").await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(shop.dir.path()), 0o700);
    let mut files = 0;
    for file in fs::read_dir(shop.dir.path()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 5, "database, log, its index, key, lock");
}

#[tokio::test]
async fn a_folder_of_a_newer_version_is_refused_and_not_touched() {
    let shop = shop();
    shop.store.close().await;
    let conn = schema::reader(shop.dir.path()).unwrap();
    conn.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
    conn.execute("UPDATE meta SET value = '7.1.0' WHERE name = 'needs'", [])
        .unwrap();
    drop(conn);
    let before = fs::read(shop.dir.path().join("imbot.db")).unwrap();
    let refused = Store::open(shop.dir.path(), shop.options.clone()).unwrap_err();
    assert!(refused.to_string().contains("7.1.0"), "{refused}");
    assert!(matches!(refused, OpenError::Newer { found, known, .. } if found == known + 1));
    assert_eq!(fs::read(shop.dir.path().join("imbot.db")).unwrap(), before);
}

#[tokio::test]
async fn portals_keep_their_numbers_and_the_folder_its_salt() {
    let shop = shop();
    let salt = shop.store.salt();
    assert_ne!(salt, [0; 16]);
    assert_eq!(shop.store.pinned_member(shop.b), None);
    shop.store.pin_member(shop.b, "0123abcd").await.unwrap();
    assert_eq!(shop.store.pinned_member(shop.b).as_deref(), Some("0123abcd"));
    let shop = shop.reopen().await;
    assert_eq!(shop.store.salt(), salt);
    assert_eq!(shop.store.pinned_member(shop.b).as_deref(), Some("0123abcd"));
    let again = shop.store.register_portals(&["c", "b", "a"]).unwrap();
    assert_eq!((again[1], again[2]), (shop.b, shop.a));
    assert_eq!(shop.store.portal_name(again[0]).as_deref(), Some("c"));
}

#[test]
fn ack_modes_are_spelled_as_in_the_settings() {
    for ack in [Ack::Durable, Ack::Written, Ack::Memory] {
        assert_eq!(ack.to_string().parse(), Ok(ack));
    }
    assert!("fast".parse::<Ack>().is_err());
}
