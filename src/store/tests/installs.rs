//! Installations: kept sealed, given back after a crash, bounded at the door, readable with the right key alone.

use super::*;
use crate::types::Secret;

fn installation(member: &str, access: &str) -> Installation {
    Installation {
        app: "desk".to_owned(),
        member_id: member.to_owned(),
        domain: "acme.bitrix24.com".to_owned(),
        endpoint: "https://acme.bitrix24.com/rest/".to_owned(),
        server: "https://oauth.bitrix.info".to_owned(),
        user_id: 1,
        at: Timestamp(5),
        refreshed: Timestamp(6),
        parked: None,
        tokens: Some(Tokens {
            access: Secret::new(access),
            refresh: Secret::new("MARKERrefresh"),
            application: Secret::new("MARKERapplication"),
            before: Some((Secret::new("MARKERbefore"), Timestamp(7))),
        }),
    }
}

#[tokio::test]
async fn an_installation_comes_back_whole_and_is_in_no_file_in_clear() {
    let shop = shop_with(|options| options.ack = Ack::Written);
    shop.store
        .keep_candidate(installation("m1", "MARKERwaiting"))
        .await
        .unwrap();
    assert_eq!(shop.store.candidates().await.unwrap().len(), 1);
    let parked = Installation {
        parked: Some(("why".to_owned(), Timestamp(9))),
        ..installation("m1", "MARKERaccess")
    };
    shop.store.keep_installation(shop.a, parked).await.unwrap();
    assert!(
        shop.store.candidates().await.unwrap().is_empty(),
        "it is no candidate any more"
    );
    shop.store.learn_bot(shop.a, "support", 456).await.unwrap();
    assert_eq!(holding(shop.dir.path(), b"MARKER"), [""; 0]);
    let shop = shop.crashed();
    let (portal, kept) = shop.store.installations().unwrap().pop().unwrap();
    let tokens = kept.tokens.unwrap();
    assert_eq!((portal, tokens.access.expose()), (shop.a, "MARKERaccess"));
    assert_eq!(tokens.before, Some((Secret::new("MARKERbefore"), Timestamp(7))));
    assert_eq!(kept.parked, Some(("why".to_owned(), Timestamp(9))));
    assert_eq!((kept.at, kept.refreshed, kept.user_id), (Timestamp(5), Timestamp(6), 1));
    assert_eq!(
        shop.store.learned_bots().unwrap(),
        [(shop.a, "support".to_owned(), 456)]
    );
    shop.store.forget_installation(shop.a).await.unwrap();
    assert!(shop.store.installations().unwrap().is_empty() && shop.store.learned_bots().unwrap().is_empty());
}

#[tokio::test]
async fn one_member_is_installed_once() {
    let shop = shop();
    shop.store
        .keep_installation(shop.a, installation("m1", "old"))
        .await
        .unwrap();
    shop.store
        .keep_installation(shop.b, installation("m1", "new"))
        .await
        .unwrap();
    let found = shop.store.installations().unwrap();
    assert_eq!(found.iter().map(|(portal, _)| *portal).collect::<Vec<_>>(), [shop.b]);
}

#[tokio::test]
async fn tokens_need_the_key_that_sealed_them() {
    let key = |digit: &str| Some(Secret::new(digit.repeat(64)));
    let shop = shop_with(|options| options.key = key("a"));
    shop.store
        .keep_installation(shop.a, installation("m1", "MARKERaccess"))
        .await
        .unwrap();
    assert!(
        !shop.dir.path().join("key").exists(),
        "the folder needs no key of its own"
    );
    let has_tokens = |shop: &Shop| shop.store.installations().unwrap()[0].1.tokens.is_some();
    let mut shop = shop.reopen().await;
    assert!(has_tokens(&shop));
    shop.options.key = key("b");
    let mut shop = shop.reopen().await;
    assert!(!has_tokens(&shop));
    shop.options.key = key("a");
    assert!(has_tokens(&shop.reopen().await));
}

#[tokio::test]
async fn what_the_folders_own_key_sealed_stays_readable_with_a_configured_one() {
    let shop = shop();
    shop.store
        .keep_installation(shop.a, installation("m1", "x"))
        .await
        .unwrap();
    let mut shop = shop;
    shop.options.key = Some(Secret::new("c".repeat(64)));
    let shop = shop.reopen().await;
    assert!(shop.store.installations().unwrap()[0].1.tokens.is_some());
}

#[tokio::test]
async fn thirty_two_bodies_wait_at_the_door_and_no_more() {
    let shop = shop();
    for number in 0..32 {
        let body = format!("MARKER{number}").into_bytes();
        shop.store.knock(Format::Form, body).await.unwrap();
    }
    let full = shop.store.knock(Format::Form, b"one more".to_vec()).await;
    assert_eq!(full, Err(StoreError::Full));
    let waiting = shop.store.knocks().await.unwrap();
    assert_eq!(
        (waiting.len(), waiting[31].body.as_deref()),
        (32, Some(&b"MARKER31"[..]))
    );
    assert_eq!(holding(shop.dir.path(), b"MARKER"), [""; 0]);
    shop.store.answered(waiting[0].id).await.unwrap();
    assert!(shop.store.knock(Format::Json, vec![0xff]).await.is_ok());
}
