//! Pages to events: the same key, lane and fate as at the door, and nothing that the portal's queue alone knows.

use super::page::Page;
use super::{Line, Turn, whole_second};
use crate::event::{Key, Label};
use crate::store::{Enqueued, FetchedPage, Format, NewEvent, Options, Store, StoreError};
use crate::types::{Clock, Lane, PortalId, Timestamp};
use crate::wire::{self, Limits};
use serde_json::{Value, json};
use std::time::Duration;

const NOW: Timestamp = Timestamp(1_772_098_000_000);
const PORTAL: PortalId = PortalId(1);

fn page(events: Value) -> Page {
    let answer = json!({ "events": events, "nextOffset": 77_003, "hasMore": false });
    Page::of(&answer, (PORTAL, 456), NOW, false).unwrap()
}

fn only(event: Value) -> NewEvent {
    let mut events = page(json!([event])).events;
    assert_eq!(events.len(), 1);
    events.remove(0)
}

fn fetched(kind: &str, data: Value) -> Value {
    json!({ "eventId": 77_002, "type": kind, "date": "2026-02-26T12:26:40+03:00", "data": data })
}

#[test]
fn a_fetched_event_has_the_key_and_the_lane_of_the_posted_one() {
    let bot = json!({ "id": 456, "code": "echo", "type": "bot", "isHidden": false, "countMessage": 7 });
    let chat = json!({ "id": 5, "dialogId": "chat5", "extranet": false, "permissions": [] });
    let user = json!({ "id": 27, "name": "Ann", "bot": false });
    let message = json!({ "id": 1093, "chatId": 5, "authorId": 27, "text": "hi", "isSystem": false, "params": [] });
    let around = "data[bot][id]=456&data[bot][code]=echo&data[chat][id]=5&data[chat][dialogId]=chat5&data[chat][extranet]=0\
                  &data[user][id]=27&data[user][name]=Ann&data[user][bot]=0&ts=1772098000&auth[application_token]=x";
    let said = "data[message][id]=1093&data[message][chatId]=5&data[message][authorId]=27&data[message][text]=hi\
                &data[message][isSystem]=0";
    for (kind, fields, posted) in [
        ("ONIMBOTV2MESSAGEADD", json!({ "message": message }), said.to_owned()),
        (
            "ONIMBOTV2REACTIONCHANGE",
            json!({ "message": message, "reaction": "like", "action": "add" }),
            format!("{said}&data[reaction]=like&data[action]=add"),
        ),
        (
            "ONIMBOTV2JOINCHAT",
            json!({ "dialogId": "chat5" }),
            "data[dialogId]=chat5".to_owned(),
        ),
    ] {
        let mut data = json!({ "bot": bot, "chat": chat, "user": user });
        for (name, field) in fields.as_object().unwrap() {
            data[name] = field.clone();
        }
        let event = only(fetched(kind, data));
        let form = format!("event={kind}&{posted}&{around}");
        let tree = wire::parse(form.as_bytes(), false, &Limits::default()).unwrap();
        let door = Label::of(&tree);
        assert!(door.key.is_some() && door.usable.is_ok(), "{kind}");
        let key = event.key.unwrap();
        assert_eq!(
            (Some(&key.whole[..]), key.twin),
            (door.key.as_ref().map(Key::bytes), None),
            "{kind}"
        );
        assert_eq!((event.dialog.as_str(), event.name), ("chat5", door.name));
        assert_eq!((event.lane, event.bot), (Lane::of(PORTAL, 456, "chat5"), 456));
        assert_eq!((event.quarantine, event.format), (None, Format::Json));
        let body = String::from_utf8(event.body).unwrap();
        assert!(!body.contains("77002"), "a number of the portal's queue: {body}");
    }
}

#[test]
fn what_cannot_be_handled_is_kept_for_a_person_without_credentials_and_holds_up_nothing() {
    let deep = (0..90).fold(json!({ "access_token": "marker" }), |inner, _| json!([inner]));
    for (event, reason) in [
        (
            fetched("ONIMBOTV2MESSAGEADD", json!({ "bot": { "id": 456 } })),
            "data.message.id",
        ),
        (fetched("ONIMBOTV2MESSAGEADD", json!(7)), "data"),
        (fetched("ONIMBOTV2DELETE", json!({ "bot": { "id": 9 } })), "data.bot.id"),
        (
            fetched("ONIMBOTV2JOINCHAT", json!({ "bot": { "id": 456 }, "dialogId": "a\nb" })),
            "dialogId",
        ),
        (fetched("ONIMBOTV2MESSAGEADD", deep), "too_deep"),
        (json!({ "type": "", "data": {} }), "event"),
        (json!("nothing"), "event"),
    ] {
        let event = only(event);
        assert_eq!(event.quarantine, Some(reason));
        assert_eq!((event.bot, event.portal), (456, PORTAL));
        assert!(!String::from_utf8(event.body).unwrap().contains("marker"));
    }
}

#[test]
fn an_answer_without_events_or_offset_is_no_page() {
    for answer in [
        json!({}),
        json!(true),
        json!({ "events": 7 }),
        json!({ "events": [fetched("X", json!({}))] }),
    ] {
        assert!(Page::of(&answer, (PORTAL, 456), NOW, false).is_none(), "{answer}");
    }
    let textual = json!({ "events": [], "nextOffset": "12", "hasMore": "1" });
    let page = Page::of(&textual, (PORTAL, 456), NOW, false).unwrap();
    assert_eq!((page.next, page.more), (Some(12), true));
}

#[test]
fn a_full_page_that_does_not_move_is_no_reason_to_hurry() {
    let mut line = Line::new("acme", NOW);
    let turn = |next, events, more| Turn::Kept { next, events, more };
    let pause = |line: &mut Line, turn: &Turn| {
        line.ended(456, turn, NOW);
        line.due.since(NOW).as_secs()
    };
    assert_eq!(pause(&mut line, &turn(Some(8), 100, true)), 2);
    assert_eq!(pause(&mut line, &turn(None, 100, true)), 5);
    assert_eq!(pause(&mut line, &turn(None, 0, true)), 10);
    assert_eq!(whole_second(Timestamp(1)), Timestamp(1000));
}

#[tokio::test]
async fn a_page_and_its_offset_are_kept_together_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        max_bytes: 400_000,
        ..Options::new(Clock::manual(NOW))
    };
    let store = Store::open(dir.path(), options.clone()).unwrap();
    let portal = store.register_portals(&["acme"]).unwrap()[0];
    let message = |id: i64, text: &str| {
        let data = json!({ "bot": { "id": 456 }, "message": { "id": id, "text": text }, "chat": { "dialogId": "27" } });
        NewEvent {
            portal,
            ..only(fetched("ONIMBOTV2MESSAGEADD", data))
        }
    };
    let page = |ids: &[i64], text: &str, next| FetchedPage {
        portal,
        bot: 456,
        events: ids.iter().map(|id| message(*id, text)).collect(),
        next,
    };
    let kept = store.keep_page(page(&[1, 2, 1], "hi", Some(12))).await.unwrap();
    assert!(matches!(
        kept[..],
        [Enqueued::Stored(_), Enqueued::Stored(_), Enqueued::Duplicate]
    ));
    let offset = async |store: &Store| store.fetch_offsets().await.unwrap().get(&(portal, 456)).copied();
    assert_eq!(offset(&store).await, Some(12));
    store.keep_page(page(&[2], "hi", Some(3))).await.unwrap();
    assert_eq!(offset(&store).await, Some(12), "it never goes back");
    let long = "x".repeat(400_000);
    store.keep_page(page(&[3], &long, Some(13))).await.unwrap();
    assert_eq!(store.keep_page(page(&[4], "hi", Some(14))).await, Err(StoreError::Full));
    assert_eq!(offset(&store).await, Some(13));
    assert_eq!(store.counts().await.unwrap().pending_events, 3);
    assert!(
        store.gaps().await.unwrap().is_empty(),
        "nothing is lost: the portal has it"
    );
    store.close().await;
    let store = Store::open(dir.path(), options).unwrap();
    assert_eq!(offset(&store).await, Some(13));
    let later = NOW + Duration::from_secs(1);
    let events = store
        .claim_events(&std::collections::HashSet::new(), 9, later)
        .await
        .unwrap();
    assert_eq!(events.items.len(), 1, "one at a time a dialog");
    store.close().await;
}
