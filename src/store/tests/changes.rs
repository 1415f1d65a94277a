//! Changes of bots: kept over a crash, their tokens in no file in clear, readable with the right key alone.

use super::*;
use crate::types::Secret;

fn rotation(done: Option<Timestamp>) -> Rotation {
    Rotation {
        old: Secret::new("MARKERold"),
        new: Secret::new("MARKERnew"),
        configured: Secret::new("MARKERconfigured"),
        former: vec![(Secret::new("MARKERformer"), Timestamp(9))],
        planned: Timestamp(5),
        done,
    }
}

#[tokio::test]
async fn a_change_of_a_token_comes_back_whole_and_is_in_no_file_in_clear() {
    let shop = shop_with(|options| options.ack = Ack::Written);
    let key = (shop.a, 456);
    for done in [None, Some(Timestamp(7))] {
        shop.store.keep_rotation(key, Some(rotation(done))).await.unwrap();
        assert_eq!(holding(shop.dir.path(), b"MARKER"), [""; 0]);
        assert_eq!(shop.crashed().store.rotations().unwrap(), [(key, Some(rotation(done)))]);
    }
    let peeked = peek(shop.dir.path(), None).unwrap();
    assert_eq!((peeked.len(), peeked[0].bot), (1, 456));
    assert_eq!(peeked[0].rotation, Some(rotation(Some(Timestamp(7)))));
    let other = Secret::new("ab".repeat(32));
    fs::remove_file(shop.dir.path().join("key")).unwrap();
    assert_eq!(peek(shop.dir.path(), Some(&other)).unwrap()[0].rotation, None);
    assert!(peek(shop.dir.path(), None).is_none(), "no key is made by looking");
    shop.store.keep_rotation(key, None).await.unwrap();
    assert!(shop.store.rotations().unwrap().is_empty());
}

#[tokio::test]
async fn a_change_of_the_way_of_events_comes_back() {
    let shop = shop();
    let mut switching = Switching {
        fetch: true,
        began: Timestamp(5),
        told: None,
        finished: None,
    };
    let key = (shop.b, 7);
    shop.store.keep_switching(key, Some(switching)).await.unwrap();
    (switching.told, switching.finished) = (Some(Timestamp(6)), Some(Timestamp(8)));
    shop.store.keep_switching(key, Some(switching)).await.unwrap();
    assert_eq!(shop.crashed().store.switchings().unwrap(), [(key, switching)]);
    shop.store.keep_switching(key, None).await.unwrap();
    assert!(shop.store.switchings().unwrap().is_empty());
}
