//! What bots did, as text for people and snapshots. Owns the words and their order; knows no method and no id.

use crate::portal::{Act, ActKind, PostedMessage};
use serde_json::Value;

/// All of it, one act after another: by time, at one moment dialog by dialog in the order of `places` and bot by bot,
/// because dialogs do not wait for each other.
pub(super) fn tell(mut acts: Vec<Act>, places: &[String]) -> String {
    let rank = |act: &Act| places.iter().position(|place| *place == act.place);
    // The sort is stable: inside a dialog the portal's order stays.
    acts.sort_by_cached_key(|act| (act.at, rank(act).unwrap_or(usize::MAX), act.place.clone(), act.bot));
    let told: Vec<String> = acts.iter().map(one).collect();
    told.join("\n")
}

/// `echo -> Ann: hi`, and below it, indented, what hangs on the message.
fn one(act: &Act) -> String {
    let (bot, to) = (&act.name, &act.place);
    match &act.deed {
        ActKind::Said(message, files) if message.system => format!("{bot} notes -> {to}: {}", body(message, files)),
        ActKind::Said(message, files) => format!("{bot} -> {to}: {}", body(message, files)),
        ActKind::Edited(message, before) => format!("{bot} edits {before:?} -> {to}: {}", body(message, &[])),
        ActKind::Deleted(before) => format!("{bot} deletes {before:?} -> {to}"),
        ActKind::Reacted(code, on) => format!("{bot} reacts {code} to {on:?} -> {to}"),
        ActKind::TookBack(code, on) => format!("{bot} takes {code} back from {on:?} -> {to}"),
        ActKind::Typed(None) => format!("{bot} is typing -> {to}"),
        ActKind::Typed(Some(status)) => format!("{bot} is busy ({status}) -> {to}"),
        ActKind::Read => format!("{bot} has read -> {to}"),
        ActKind::HandedOver(None) => format!("{bot} hands over -> {to}"),
        ActKind::HandedOver(Some(operator)) => format!("{bot} hands over to user {operator} -> {to}"),
        ActKind::Finished => format!("{bot} ends the session -> {to}"),
        ActKind::Called(method, params) => format!("{bot} calls {method} {params}"),
    }
}

fn body(message: &PostedMessage, files: &[String]) -> String {
    // Invisible, and it would make a snapshot that nobody can type.
    let text = message.text.replace('\u{200B}', "<ZWSP>");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines.extend(files.iter().map(|name| format!("(file {name})")));
    lines.extend(message.attach.iter().flat_map(blocks));
    let rows = message.keyboard.split(|key| key["TYPE"] == "NEWLINE");
    let rows = rows.filter(|row| !row.is_empty());
    lines.extend(rows.map(|row| row.iter().map(button).collect::<Vec<_>>().join(" ")));
    lines.join("\n  ").trim_end().to_owned()
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// `[Open a ticket: /ticket]`
fn button(key: &Value) -> String {
    let title = text(key, "TEXT");
    let does = if let Some(command) = key["COMMAND"].as_str() {
        format!("/{command} {}", text(key, "COMMAND_PARAMS"))
    } else if let Some(link) = key["LINK"].as_str() {
        link.to_owned()
    } else if let Some(action) = key["ACTION"].as_str() {
        format!("{} {}", action.to_lowercase(), text(key, "ACTION_VALUE"))
    } else {
        format!("app {} {}", key["APP_ID"], text(key, "APP_PARAMS"))
    };
    let off = if key["DISABLED"] == "Y" { ", off" } else { "" };
    format!("[{title}: {}{off}]", does.trim_end())
}

/// One line for each block or row of an attachment, with a bar before it.
fn blocks(attach: &Value) -> Vec<String> {
    let list = attach.get("BLOCKS").unwrap_or(attach);
    let entries = list.as_array().into_iter().flatten().filter_map(Value::as_object);
    let pairs = entries.flat_map(|entry| entry.iter());
    pairs.flat_map(|(kind, content)| block(kind, content)).collect()
}

fn block(kind: &str, content: &Value) -> Vec<String> {
    let items: Vec<&Value> = match content {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    };
    let line = |item: &&Value| match (kind, item) {
        ("DELIMITER", _) => "| ----".to_owned(),
        ("GRID", item) => format!("| {}: {}", text(item, "NAME"), text(item, "VALUE")),
        (_, Value::String(text)) => format!("| {}", text.replace('\n', "\n  | ")),
        (_, item) => {
            let parts = ["NAME", "DESC", "LINK"].map(|name| text(item, name));
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            format!("| {} {}", kind.to_lowercase(), parts.join(" "))
        }
    };
    items.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Timestamp;
    use serde_json::json;

    fn said(at: i64, place: &str, text: &str) -> Act {
        let message = PostedMessage {
            id: 1,
            chat_id: 1,
            author: 101,
            bot: Some(101),
            text: text.to_owned(),
            keyboard: Vec::new(),
            attach: None,
            template: None,
            system: false,
            reply_to: None,
        };
        Act {
            at: Timestamp(at),
            bot: 101,
            name: "echo".to_owned(),
            place: place.to_owned(),
            deed: ActKind::Said(message, Vec::new()),
        }
    }

    #[test]
    fn time_comes_first_then_the_dialog_then_the_order_inside_it() {
        let acts = vec![
            said(2, "Ann", "late"),
            said(1, "Bob", "b"),
            said(1, "Ann", "2nd"),
            said(1, "Ann", "1st"),
        ];
        let places = ["Ann".to_owned(), "Bob".to_owned()];
        let told = "echo -> Ann: 2nd\necho -> Ann: 1st\necho -> Bob: b\necho -> Ann: late";
        assert_eq!(tell(acts, &places), told);
    }

    #[test]
    fn what_hangs_on_a_message_stands_below_it() {
        let mut act = said(1, "Ann", "one\ntwo");
        let ActKind::Said(message, files) = &mut act.deed else {
            unreachable!()
        };
        files.push("a.pdf".to_owned());
        message.attach = Some(json!([
            { "MESSAGE": "more\nlines" },
            { "GRID": [{ "NAME": "Price", "VALUE": "5" }] },
            { "DELIMITER": { "SIZE": 200 } },
            { "LINK": { "NAME": "Shop", "LINK": "https://x.test" } },
        ]));
        message.keyboard = vec![
            json!({ "TEXT": "Pay", "COMMAND": "pay", "COMMAND_PARAMS": "12" }),
            json!({ "TEXT": "Site", "LINK": "https://x.test" }),
            json!({ "TYPE": "NEWLINE" }),
            json!({ "TEXT": "Ask", "ACTION": "SEND", "ACTION_VALUE": "hm", "DISABLED": "Y" }),
        ];
        let told = "echo -> Ann: one\n  two\n  (file a.pdf)\n  | more\n  | lines\n  | Price: 5\n  | ----\n  \
            | link Shop https://x.test\n  [Pay: /pay 12] [Site: https://x.test]\n  [Ask: send hm, off]";
        assert_eq!(one(&act), told);
    }

    #[test]
    fn what_is_no_message_is_told_in_words() {
        let done = |deed| {
            one(&Act {
                deed,
                ..said(1, "Ann", "")
            })
        };
        let message = |text| match said(1, "", text).deed {
            ActKind::Said(message, _) => message,
            _ => unreachable!(),
        };
        assert_eq!(
            done(ActKind::Edited(message("b"), "a".into())),
            "echo edits \"a\" -> Ann: b"
        );
        assert_eq!(done(ActKind::Deleted("a".into())), "echo deletes \"a\" -> Ann");
        let like = || ("like".to_owned(), "a".to_owned());
        assert_eq!(
            done(ActKind::Reacted(like().0, like().1)),
            "echo reacts like to \"a\" -> Ann"
        );
        assert_eq!(
            done(ActKind::TookBack(like().0, like().1)),
            "echo takes like back from \"a\" -> Ann"
        );
        assert_eq!(done(ActKind::Typed(None)), "echo is typing -> Ann");
        assert_eq!(done(ActKind::HandedOver(None)), "echo hands over -> Ann");
        assert_eq!(done(ActKind::Called("m", json!({ "x": 1 }))), "echo calls m {\"x\":1}");
    }
}
