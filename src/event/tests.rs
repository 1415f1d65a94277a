//! Labels, keys, and the small readings that no capture shows.

use super::captures::public;
use super::*;
use crate::wire::{self, Limits};
use serde_json::json;

fn label(body: &str) -> Label {
    Label::of(&wire::parse(body.as_bytes(), false, &Limits::default()).unwrap())
}

fn event(body: &str) -> Event {
    Event::from_tree(&wire::parse(body.as_bytes(), false, &Limits::default()).unwrap()).unwrap()
}

fn capture(start: &str, change: impl Fn(&str) -> String) -> String {
    change(&String::from_utf8(public(start)).unwrap())
}

fn key(body: &str) -> Vec<u8> {
    label(body).key.unwrap().into_bytes()
}

fn timeless(body: &str) -> Timeless {
    label(body).key.unwrap().timeless().unwrap()
}

#[test]
fn keys_of_successive_messages_are_neighbours() {
    let at = |id: i64| {
        key(&format!(
            "event=ONIMBOTV2MESSAGEADD&data[bot][id]=456&data[message][id]={id}"
        ))
    };
    assert!(at(9) < at(10) && at(255) < at(256) && at(1 << 40) < at((1 << 40) + 1));
    assert_eq!(at(7), [&[1][..], &456_i64.to_be_bytes(), &7_i64.to_be_bytes()].concat());
}

#[test]
fn what_differs_between_two_deliveries_of_one_event_is_in_no_key() {
    for start in ["01", "16", "19", "20", "22", "24", "25", "27", "29", "33", "34", "35"] {
        let body = capture(start, str::to_owned);
        for (from, to) in [
            ("event_handler_id=", "event_handler_id=9"),
            ("%5Baccess_token%5D=", "%5Baccess_token%5D=x"),
            ("%5Brefresh_token%5D=", "%5Brefresh_token%5D=x"),
            ("%5Bexpires%5D=", "%5Bexpires%5D=9"),
            ("status%5D=online", "status%5D=away"),
            ("lastActivityDate%5D=0", "lastActivityDate%5D=2026-01-01"),
            ("event=ON", "event=On"),
        ] {
            assert_eq!(key(&body), key(&body.replace(from, to)), "{start} {from}");
        }
    }
}

#[test]
fn what_makes_another_event_is_in_the_key() {
    for (start, from, to) in [
        ("01", "message%5D%5Bid%5D=", "message%5D%5Bid%5D=9"),
        ("01", "bot%5D%5Bid%5D=", "bot%5D%5Bid%5D=9"),
        ("16", "text%5D=", "text%5D=x"),
        ("16", "&ts=", "&ts=9"),
        ("17", "messageId%5D=", "messageId%5D=9"),
        ("19", "dialogId%5D=", "dialogId%5D=x"),
        ("22", "taskId%5D=", "taskId%5D=9"),
        ("22", "user%5D%5Bid%5D=", "user%5D%5Bid%5D=9"),
        ("24", "command%5D%5Bid%5D=", "command%5D%5Bid%5D=9"),
        ("25", "&ts=", "&ts=9"),
        ("25", "command%5D%5Bparams%5D=", "command%5D%5Bparams%5D=x"),
        ("27", "reaction%5D=", "reaction%5D=x"),
        ("30", "CLEAN%5D=", "CLEAN%5D=9"),
        ("33", "MESSAGE_ID%5D=", "MESSAGE_ID%5D=9"),
        ("30", "event=ONAPPUNINSTALL", "event=ONAPPSOMETHING"),
    ] {
        let body = capture(start, str::to_owned);
        let changed = body.replace(from, to);
        assert_ne!(body, changed, "{start} {from}");
        assert_ne!(key(&body), key(&changed), "{start} {from}");
    }
}

#[test]
fn a_typed_command_does_not_depend_on_the_time_but_a_button_does() {
    let without_time = |start: &str| label(&capture(start, |body| body.replace("&ts=", "&x="))).key;
    assert!(without_time("24").is_some());
    for start in ["25", "16", "27", "29", "33"] {
        assert_eq!(without_time(start), None, "{start}");
    }
    let command = "event=ONIMBOTV2COMMANDADD&data[bot][id]=1&data[command][id]=2&data[command][context]=textarea";
    assert_eq!(label(command).key, None, "no message, so its time counts");
    assert!(label(&format!("{command}&ts=5")).key.is_some());
}

/// Captures whose key has a time.
const TIMED: [&str; 9] = ["16", "19", "20", "22", "25", "27", "29", "33", "34"];

#[test]
fn two_deliveries_with_two_times_are_equal_but_for_the_time() {
    for start in TIMED {
        let body = capture(start, str::to_owned);
        let now = timeless(&body);
        let ts = format!("&ts={}", now.ts);
        assert!(body.contains(&ts), "{start}");
        let later = timeless(&body.replace(&ts, &format!("&ts={}", now.ts + 90)));
        assert_eq!((&later.rest, later.ts), (&now.rest, now.ts + 90), "{start}");
        // As fetch mode brings it: JSON, under another date.
        let mut json = serde_json::to_value(event(&body)).unwrap();
        json["ts"] = (now.ts - 120).into();
        let fetched = timeless(&json.to_string());
        assert_eq!((fetched.rest, fetched.ts), (now.rest, now.ts - 120), "{start}");
    }
}

#[test]
fn what_makes_another_event_is_in_the_key_without_its_time_too() {
    for (start, from, to) in [
        ("16", "text%5D=", "text%5D=x"),
        ("19", "dialogId%5D=", "dialogId%5D=x"),
        ("22", "user%5D%5Bid%5D=", "user%5D%5Bid%5D=9"),
        ("25", "bot%5D%5Bid%5D=", "bot%5D%5Bid%5D=9"),
        ("25", "user%5D%5Bid%5D=", "user%5D%5Bid%5D=9"),
        ("25", "message%5D%5Bid%5D=", "message%5D%5Bid%5D=9"),
        ("25", "command%5D%5Bparams%5D=", "command%5D%5Bparams%5D=x"),
        ("27", "reaction%5D=", "reaction%5D=x"),
        ("27", "user%5D%5Bid%5D=", "user%5D%5Bid%5D=9"),
    ] {
        let body = capture(start, str::to_owned);
        let changed = body.replace(from, to);
        assert_ne!(timeless(&body).rest, timeless(&changed).rest, "{start} {from}");
    }
    let mut all: Vec<_> = TIMED.map(|start| timeless(&capture(start, str::to_owned)).rest).into();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), TIMED.len(), "no two of them are one event");
}

#[test]
fn what_has_a_number_of_its_own_has_no_time_in_its_key() {
    for start in ["01", "17", "24"] {
        let key = label(&capture(start, str::to_owned)).key.unwrap();
        assert_eq!((key.has_time(), key.timeless()), (false, None), "{start}");
    }
}

#[test]
fn the_order_of_keys_does_not_matter() {
    let reversed = |body: &str| body.trim_end().split('&').rev().collect::<Vec<_>>().join("&");
    for start in ["16", "19", "22", "23", "27", "29", "33"] {
        let body = capture(start, str::to_owned);
        assert_eq!(key(&body), key(&reversed(&body)), "{start}");
    }
}

#[test]
fn what_is_required_and_missing_is_named() {
    for (event, rest, field) in [
        ("MESSAGEADD", "", "data"),
        ("MESSAGEADD", "data=x", "data"),
        ("MESSAGEADD", "data[bot][code]=x", "data.bot.id"),
        ("MESSAGEADD", "data[bot][id]=1", "data.message.id"),
        (
            "MESSAGEUPDATE",
            "data[bot][id]=1&data[message][id]=01",
            "data.message.id",
        ),
        ("MESSAGEDELETE", "data[bot][id]=1&data[messageId]=", "data.messageId"),
        ("JOINCHAT", "data[bot][id]=1&data[chat][id]=5", "data.dialogId"),
        ("DELETE", "data[bot]=1", "data.bot.id"),
        ("CONTEXTGET", "data[bot][id]=1&data[user][name]=x", "data.user.id"),
        ("COMMANDADD", "data[bot][id]=1&data[command]=x", "data.command.id"),
        ("REACTIONCHANGE", "data[bot][id]=1&data[reaction]=", "data.reaction"),
    ] {
        let label = label(&format!("event=ONIMBOTV2{event}&{rest}"));
        assert_eq!(
            (label.usable, label.key),
            (Err(Unusable { field }), None),
            "{event} {rest}"
        );
    }
    for body in ["a=1", "event=", "event[a]=1", r#"{"event":1}"#] {
        let label = label(body);
        assert_eq!(
            (label.usable, label.name.as_str()),
            (Err(Unusable { field: "event" }), ""),
            "{body}"
        );
    }
    assert_eq!(label("event=ONIMBOTV2SOMETHINGNEW").usable, Ok(()));
}

#[test]
fn the_lane_is_the_dialog_as_the_chat_names_it() {
    let dialog = |rest: &str| label(&format!("event=ONIMBOTV2JOINCHAT&data[bot][id]=1&{rest}")).dialog;
    assert_eq!(dialog("data[dialogId]=27&data[chat][dialogId]=31"), "31");
    assert_eq!(dialog("data[dialogId]=27&data[chat][dialogId]="), "27");
    let dialog = |rest: &str| {
        label(&format!(
            "event=ONIMBOTV2MESSAGEADD&data[bot][id]=1&data[message][id]=2&{rest}"
        ))
        .dialog
    };
    assert_eq!(dialog("data[message][chat_id]=5"), "chat5");
    assert_eq!(dialog("data[chat][id]=6"), "chat6");
    assert_eq!(dialog("data[chat][id]=0"), "");
    assert_eq!(label(&capture("33", str::to_owned)).dialog, "chat1157");
}

#[test]
fn a_v1_event_names_its_bot_if_it_is_one() {
    assert_eq!(label("event=ONIMBOTDELETE&data[BOT_ID]=567").bot, Some(567));
    assert_eq!(label("event=ONIMBOTMESSAGEADD&data[BOT][567][x]=1").bot, Some(567));
    assert_eq!(
        label("event=ONIMCOMMANDADD&data[COMMAND][1][BOT_ID]=5&data[COMMAND][2][BOT_ID]=5").bot,
        Some(5)
    );
    assert_eq!(
        label("event=ONIMBOTMESSAGEADD&data[BOT][567][x]=1&data[BOT][568][x]=1").bot,
        None
    );
    assert_eq!(label("event=ONAPPTEST&data[QUERY]=1").bot, None);
    assert_eq!(label("event=ONIMBOTV2NEW&data[bot][id]=5").bot, Some(5));
}

#[test]
fn the_bots_token_is_on_the_label_only_if_it_came() {
    assert!(
        label(&capture("01", str::to_owned))
            .token
            .unwrap()
            .expose()
            .starts_with("e18cf66a")
    );
    assert_eq!(label(&capture("05", str::to_owned)).token, None);
}

#[test]
fn messages_nobody_should_answer() {
    let answered = |start: &str| !event(&capture(start, str::to_owned)).is_own_or_system_or_bot();
    assert!(answered("01") && answered("04") && answered("06"));
    assert!(!answered("13"), "another bot");
    assert!(!answered("14"), "the system");
    assert!(answered("25") && answered("27"), "the message is the bot's own there");
    let own = "event=ONIMBOTV2MESSAGEADD&data[bot][id]=5&data[message][id]=1&data[message][authorId]=5";
    assert!(event(own).is_own_or_system_or_bot());
}

#[test]
fn a_handler_takes_its_own_event_only() {
    let body = capture("24", str::to_owned);
    assert_eq!(CommandAdd::take(event(&body)).unwrap().command.command, "/help");
    assert!(MessageAdd::take(event(&body)).is_none());
    assert_eq!(
        Other::take(event("event=onSomething&data[a]=1")).unwrap().name,
        "ONSOMETHING"
    );
    assert_eq!((CommandAdd::NAME, Other::NAME), ("ONIMBOTV2COMMANDADD", "*"));
}

#[test]
fn application_events_have_a_typed_view() {
    let app = |start: &str| Other::take(event(&capture(start, str::to_owned))).unwrap().app();
    let Some(AppEvent::Install(install)) = app("40") else {
        panic!("an installation");
    };
    assert_eq!(
        (install.version.as_str(), install.active, install.installed),
        ("1.0.0", true, true)
    );
    assert!(matches!(
        app("30"),
        Some(AppEvent::Uninstall(AppUninstall { clean: true, .. }))
    ));
    assert!(matches!(app("32"), Some(AppEvent::Update(update)) if update.previous_version == "1"));
    let Some(AppEvent::Test(test)) = app("31") else {
        panic!("a test");
    };
    assert_eq!(*test.query.value(), json!({"any": "data", "list": ["1", "2"]}));
    assert_eq!(app("33"), None);
}

#[test]
fn odd_shapes_of_params_and_files_are_read() {
    let message = |rest: &str| {
        let body = format!("event=ONIMBOTV2MESSAGEADD&data[bot][id]=1&data[message][id]=2&{rest}");
        event(&body).data.message().unwrap().clone()
    };
    assert_eq!(message("data[message][params][FILE_ID]=5").file_ids, [5]);
    assert_eq!(
        message("data[message][params][FILE_ID][]=0&data[message][params][FILE_ID][]=7").file_ids,
        [7]
    );
    assert_eq!(message("data[message][params][files][0][id]=9").file_ids, [9]);
    assert_eq!(message("data[message][params][0]=x").params.value(), &json!({"0": "x"}));
    assert!(message("data[message][params]=").params.is_empty());
    assert_eq!(
        message("data[message][author_id]=3&data[message][text]=0").author_id,
        Some(3)
    );
}

#[test]
fn free_form_data_hides_credentials_at_any_depth() {
    let body =
        r#"{"event":"ONX","data":{"a":[{"access_token":"marker","b":{"AUTH_ID":{"c":"marker"}}}],"botToken":""}}"#;
    let event = event(body);
    let shown = serde_json::to_value(&event.data).unwrap();
    assert_eq!(
        shown,
        json!({"a": [{"access_token": "***", "b": {"AUTH_ID": "***"}}], "botToken": ""})
    );
    let revealed = crate::types::reveal(|| serde_json::to_string(&event.data).unwrap());
    assert_eq!(revealed.matches("marker").count(), 2);
}
