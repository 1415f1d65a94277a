//! What the page shows, as JSON: people, chats, messages, rules in force, one line for each call and event. Changes
//! nothing; bodies and answers are in `details`.

use super::super::event_fault::{EventFault, EventRule};
use super::super::fault::{Action, Rule, Shape};
use super::super::log::{Decision, LogEntry};
use super::super::model::{Bot, Chat, ChatKind, Command, Message, Session, User};
use super::super::params;
use super::super::sender::Delivery;
use super::super::shared::{Locked, Shared};
use super::super::state::State;
use crate::types::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What stays as long as the portal runs.
pub(super) fn portal(shared: &Shared, address: &str) -> Value {
    let config = &shared.config;
    let errors = super::super::errors::all().iter();
    json!({
        "host": config.host,
        "member_id": config.member_id,
        "endpoint": format!("{address}rest/"),
        "webhook": format!("{address}rest/{}/{}/", config.webhook_user, config.webhook_code.expose()),
        "webhook_user": config.webhook_user,
        "burst": config.burst,
        "rate": config.rate,
        "movable_clock": config.clock.is_manual(),
        "methods": super::super::methods::Method::names().collect::<Vec<_>>(),
        "errors": errors.map(|known| json!({ "code": known.code, "status": known.status })).collect::<Vec<_>>(),
    })
}

/// The parts that are told again as a whole when they differ.
pub(super) fn parts(state: &Locked, now: Timestamp) -> BTreeMap<&'static str, Value> {
    let portal = &state.portal;
    let standing = &portal.standing;
    let live = portal.busy.iter().filter(|(_, (_, until))| now < *until);
    let busy =
        live.map(|((chat, bot), (code, until))| json!({ "chat": chat, "bot": bot, "code": code, "until": until.0 }));
    BTreeMap::from([
        ("users", portal.users.values().map(user).collect()),
        ("bots", portal.bots.values().map(bot).collect()),
        ("chats", portal.chats.values().map(|one| chat(portal, one)).collect()),
        (
            "commands",
            portal.commands.values().map(|one| command(portal, one)).collect(),
        ),
        ("busy", busy.collect()),
        ("faults", faults(state, now)),
        (
            "standing",
            json!({
                "renamed_to": standing.renamed_to, "deleted": standing.deleted, "overload": standing.overload,
                "no_plan": standing.no_plan, "tls_required": standing.tls_required,
            }),
        ),
    ])
}

fn user(user: &User) -> Value {
    json!({
        "id": user.id, "name": user.name(), "position": user.work_position, "bot": user.is_bot,
        "guest": user.connector, "active": user.active,
    })
}

fn bot(bot: &Bot) -> Value {
    json!({
        "id": bot.id, "code": bot.code, "type": bot.kind.name(), "fetch": bot.fetch, "url": bot.webhook_url,
        "hidden": bot.hidden, "lines": bot.open_line || bot.kind.name() == "openline",
    })
}

fn chat(state: &State, chat: &Chat) -> Value {
    let (kind, name, session) = match &chat.kind {
        ChatKind::Private => ("private", "", Value::Null),
        ChatKind::Group { name, .. } => ("group", name.as_str(), Value::Null),
        ChatKind::Lines { name, session, .. } => ("line", name.as_str(), self::session(state, session)),
    };
    json!({
        "id": chat.id, "kind": kind, "name": name, "members": chat.members, "owner": chat.owner,
        "description": chat.description, "text_field": chat.text_field, "session": session,
    })
}

fn session(state: &State, session: &Session) -> Value {
    match session {
        Session::Bot => json!("served by the bot"),
        Session::Operator(None) => json!("waiting for an operator"),
        Session::Operator(Some(id)) => {
            let name = state.users.get(id).map_or_else(|| id.to_string(), User::name);
            json!(format!("served by {name}"))
        }
        Session::Closed => json!("closed"),
    }
}

fn command(state: &State, command: &Command) -> Value {
    let listed = super::super::views::listed_command(state, command);
    json!({
        "id": command.id, "bot": command.bot, "name": command.name, "title": listed["title"],
        "params": listed["params"], "common": command.common, "hidden": command.hidden,
    })
}

/// A message as every member sees it.
pub(super) fn message(state: &State, message: &Message) -> Value {
    let files = message.files.iter().filter_map(|id| state.files.get(*id));
    let files = files.map(|file| json!({ "id": file.id, "name": file.name, "size": file.bytes.len() }));
    let reactions = message.reactions.iter().filter(|(_, users)| !users.is_empty());
    let forward = message.forward.as_ref();
    json!({
        "id": message.id, "chat": message.chat, "author": message.author, "bot": message.bot, "at": message.date.0,
        "text": message.text, "keyboard": message.keyboard, "attach": message.attach, "system": message.system,
        "reply_to": message.reply_to, "edited": message.edited, "deleted": message.deleted, "viewed": message.viewed,
        "forwarded_from": forward.map(|forward| forward.author),
        "files": files.collect::<Vec<_>>(),
        "reactions": reactions.collect::<BTreeMap<_, _>>(),
    })
}

fn faults(state: &Locked, now: Timestamp) -> Value {
    let in_force = |rule: &&Rule| rule.times != Some(0) && rule.until.is_none_or(|until| now < until);
    let calls = state.faults.rules().filter(in_force).map(|rule| {
        json!({ "on": rule.method.as_deref().unwrap_or("every call"), "does": action(&rule.action), "times": rule.times })
    });
    let in_force = |rule: &&EventRule| rule.times != Some(0);
    let events = state.event_faults.list().iter().filter(in_force).map(|rule| {
        json!({ "on": rule.event.as_deref().unwrap_or("every event"), "does": spoils(&rule.fault), "times": rule.times })
    });
    calls.chain(events).collect()
}

fn action(action: &Action) -> String {
    match action {
        Action::Answer { status, code, shape } => {
            let page = if *shape == Shape::Html { " as a page" } else { "" };
            format!("answers {status} {code}{page}")
        }
        Action::Body { status, .. } => format!("answers {status} with a body of its own"),
        Action::Delay(time) | Action::SlowBody(time) => format!("{} of {} ms", action.name(), time.as_millis()),
        Action::Do(deed) => super::super::deeds::name(deed).to_owned(),
        other => other.name().to_owned(),
    }
}

fn spoils(fault: &EventFault) -> String {
    match fault {
        EventFault::Duplicate => "sent twice".to_owned(),
        EventFault::Delay(time) => format!("sent {} ms later", time.as_millis()),
        EventFault::Reorder => "sent after the next one".to_owned(),
        EventFault::WrongToken => "sent with a wrong token".to_owned(),
        EventFault::MissingAuth => "sent without auth".to_owned(),
        EventFault::UnknownEvent => "sent under an unknown name".to_owned(),
        EventFault::LargeText => "sent with a text of 1 MB".to_owned(),
        EventFault::WrongContentType => "sent as text/plain".to_owned(),
        EventFault::SlowSend(time) => format!("sent with a pause of {} ms", time.as_millis()),
    }
}

/// One line about a REST call.
pub(super) fn call(number: u64, entry: &LogEntry) -> Value {
    let (decision, detail) = match &entry.decision {
        Decision::Executed { message_id } => ("executed", json!(message_id)),
        Decision::Repeated { message_id } => ("repeated", json!(message_id)),
        Decision::Refused { code } => ("refused", json!(code)),
        Decision::Fault { name } => ("fault", json!(name)),
    };
    json!({
        "n": number, "at": entry.at.0, "method": entry.method, "identity": entry.identity, "decision": decision,
        "detail": detail, "status": entry.status, "level": entry.level, "faults": entry.faults,
        "batched": entry.batched, "bot": entry.params["botId"], "dialog": entry.params["dialogId"],
        "text": entry.text().map(short),
    })
}

/// One line about an event that was sent.
pub(super) fn event(number: u64, delivery: &Delivery) -> Value {
    // The head of the body holds all that the line says; a spoiled event may be a megabyte long.
    let head = &delivery.body[..delivery.body.len().min(16 * 1024)];
    let decoded = params::read("", FORM, head);
    let data = decoded.get("data").cloned().unwrap_or_default();
    json!({
        "n": number, "at": delivery.at.0, "bot": delivery.bot_id, "event": delivery.event, "status": delivery.status,
        "took": u64::try_from(delivery.took.as_millis()).unwrap_or(u64::MAX), "sent": delivery.url.is_some(),
        "chat": data["chat"]["id"], "user": data["user"]["id"], "command": data["command"]["command"],
        "text": data["message"]["text"].as_str().map(short),
    })
}

/// The media type of an event.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

fn short(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
