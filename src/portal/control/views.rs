//! What the control API shows: log, messages, deliveries, clock, and where the portal stands. Changes nothing.

use super::super::Portal;
use super::super::log::{Decision, LogEntry};
use super::super::sender::Delivery;
use super::{Told, Wrong, told};
use axum::extract::{Query, State};
use serde_json::{Value, json};
use std::collections::HashMap;

type Asked = Query<HashMap<String, String>>;

pub(super) async fn clock(State(portal): State<Portal>) -> Told {
    told(json!({ "now": portal.clock().now().rfc3339(), "manual": portal.clock().is_manual() }))
}

/// All requests, or those of `?method=`.
pub(super) async fn log(State(portal): State<Portal>, Query(asked): Asked) -> Told {
    let method = asked.get("method");
    let wanted = |entry: &LogEntry| method.is_none_or(|method| entry.method.eq_ignore_ascii_case(method));
    let log = portal.log();
    told(log.iter().filter(|entry| wanted(entry)).map(entry).collect())
}

fn entry(entry: &LogEntry) -> Value {
    let (decision, detail) = match &entry.decision {
        Decision::Executed { message_id } => ("executed", json!(message_id)),
        Decision::Repeated { message_id } => ("repeated", json!(message_id)),
        Decision::Refused { code } => ("refused", json!(code)),
        Decision::Fault { name } => ("fault", json!(name)),
    };
    json!({
        "at": entry.at.0,
        "method": entry.method,
        "identity": entry.identity,
        "params": entry.params,
        "decision": decision,
        "detail": detail,
        "status": entry.status,
        "answer": entry.answer,
        "level": entry.level,
        "faults": entry.faults,
        "batched": entry.batched,
    })
}

/// The messages of `?chat=`: `chat5`, `5`, or a user's number with `?dialog=`.
pub(super) async fn messages(State(portal): State<Portal>, Query(asked): Asked) -> Told {
    let dialog = match (asked.get("dialog"), asked.get("chat")) {
        (Some(dialog), _) => dialog.clone(),
        (None, Some(chat)) if chat.starts_with("chat") => chat.clone(),
        (None, Some(chat)) => format!("chat{chat}"),
        (None, None) => return Err(Wrong("say which: `?chat=5` or `?dialog=27`".to_owned())),
    };
    let messages = portal.messages(&dialog).into_iter().map(|message| {
        json!({
            "id": message.id,
            "chat": message.chat_id,
            "author": message.author,
            "bot": message.bot,
            "text": message.text,
            "keyboard": message.keyboard,
            "template": message.template,
            "system": message.system,
            "reply_to": message.reply_to,
        })
    });
    told(messages.collect())
}

pub(super) async fn deliveries(State(portal): State<Portal>) -> Told {
    told(portal.deliveries().iter().map(delivery).collect())
}

pub(super) fn delivery(delivery: &Delivery) -> Value {
    json!({
        "bot": delivery.bot_id,
        "event": delivery.event,
        "status": delivery.status,
        "took_ms": u64::try_from(delivery.took.as_millis()).unwrap_or(u64::MAX),
        "body": String::from_utf8_lossy(&delivery.body),
    })
}

pub(super) async fn state(State(portal): State<Portal>) -> Told {
    let state = portal.shared().state();
    let standing = &state.portal.standing;
    let bots = state.portal.bots.values().map(|bot| {
        json!({
            "id": bot.id, "code": bot.code, "type": bot.kind.name(), "fetch": bot.fetch,
            "webhook_url": bot.webhook_url,
        })
    });
    let users = state.portal.users.values().filter(|user| !user.is_bot);
    told(json!({
        "host": state.portal.site.domain,
        "member_id": state.portal.site.member_id,
        "renamed_to": standing.renamed_to,
        "deleted": standing.deleted,
        "bots": bots.collect::<Vec<_>>(),
        "users": users.map(|user| json!({ "id": user.id, "name": user.name() })).collect::<Vec<_>>(),
        "chats": state.portal.chats.values().map(|chat| {
            json!({ "id": chat.id, "private": chat.is_private(), "members": chat.members })
        }).collect::<Vec<_>>(),
    }))
}
