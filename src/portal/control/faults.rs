//! Faults, deeds and profiles as JSON: reads rules and hands them to the portal. Strikes nothing itself.

use super::super::Portal;
use super::super::errors;
use super::super::event_fault::{EventFault, EventRule};
use super::super::fault::{Action, Aim, Deed, Rule, Shape};
use super::super::knobs::{Knobs, Profile};
use super::{Asked, Told, Wrong, duration, told};
use axum::extract::State;
use serde_json::{Value, json};
use std::time::Duration;

/// Every action, for who got one wrong and for the listing.
pub(super) const ACTIONS: &str = "an error by its name, {error, status?, html?}, {status, body?, headers?, content_type?}, \
    {delay_ms}, {slow_body: ms}, hang, reset_before, reset_after_execute, truncate_json, wrong_content_type, gzip, \
    expire_token_now, {rename_portal: host}, delete_portal, {uninstall_app: client_id}, {end_payment: client_id}, \
    {allow_users: {app, users}}, {delete_bot: id}, {kick_bot_from_chat: {bot, chat}}, {revoke_scope: right}, \
    block_overload, end_plan, require_tls, drain_rate_limit, reset_rate_limit or {fill_operating: {method, seconds}}";

pub(super) async fn list(State(portal): State<Portal>) -> Told {
    let state = portal.shared().state();
    let rules = state.faults.list();
    let view = |(method, action, left)| json!({ "method": method, "action": action, "times": left });
    told(rules.map(view).collect())
}

/// One rule or a list of them.
pub(in crate::portal) async fn add(State(portal): State<Portal>, asked: Asked) -> Told {
    let rules = match &asked.0 {
        Value::Array(rules) => rules.iter().map(rule).collect::<Result<Vec<_>, _>>()?,
        one => vec![rule(one)?],
    };
    let count = rules.len();
    for (rule, aim) in rules {
        portal.fault_at(rule, aim);
    }
    told(json!({ "added": count }))
}

pub(in crate::portal) async fn clear(State(portal): State<Portal>) -> Told {
    portal.clear_faults();
    told(json!({ "cleared": true }))
}

/// `{"match": {method?, portal?, identity?, nth?, every?, probability?, in_batch?}, "times"?, "action": …}`.
fn rule(rule: &Value) -> Result<(Rule, Aim), Wrong> {
    let aim = &rule["match"];
    let text = |name: &str| aim[name].as_str().map(str::to_owned);
    let small = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
    let aimed = Aim {
        portal: text("portal"),
        identity: text("identity"),
        nth: small(&aim["nth"]),
        every: small(&aim["every"]),
        probability: aim["probability"].as_f64(),
        in_batch: aim["in_batch"].as_bool(),
    };
    let rule = Rule {
        method: text("method"),
        times: small(&rule["times"]),
        until: None,
        action: action(&rule["action"])?,
    };
    Ok((rule, aimed))
}

/// A name (`"hang"`) or an object with what it needs (`{"delay_ms": 500}`).
fn action(value: &Value) -> Result<Action, Wrong> {
    if let Some(name) = value.as_str() {
        return named(name)
            .or_else(|| deed(&json!({ name: true })).ok().map(Action::Do))
            .ok_or_else(|| Wrong(format!("no action `{name}`: expected {ACTIONS}")));
    }
    let milliseconds = |name: &str| duration(&value[name], 0.001);
    if let Some(delay) = milliseconds("delay_ms") {
        return Ok(Action::Delay(delay));
    }
    if let Some(pause) = milliseconds("slow_body") {
        return Ok(Action::SlowBody(pause));
    }
    if let Some(code) = value["error"].as_str() {
        let known = errors::named(code).map_or(400, |known| known.status);
        let shape = if value["html"] == true {
            Shape::Html
        } else {
            Shape::Json
        };
        return Ok(Action::Answer {
            status: status(value).unwrap_or(known),
            code: code.to_owned(),
            shape,
        });
    }
    if let Some(status) = status(value) {
        return Ok(body(status, value));
    }
    deed(value).map(Action::Do)
}

fn status(value: &Value) -> Option<u16> {
    value["status"].as_u64().and_then(|status| u16::try_from(status).ok())
}

/// `{status, body: text or JSON, headers?}`.
fn body(status: u16, value: &Value) -> Action {
    let (media, body) = match &value["body"] {
        Value::String(text) => ("text/html; charset=utf-8", text.clone()),
        Value::Null => ("text/html; charset=utf-8", String::new()),
        json => ("application/json; charset=utf-8", json.to_string()),
    };
    let headers = value["headers"].as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Action::Body {
        status,
        media: value["content_type"].as_str().unwrap_or(media).to_owned(),
        body,
        headers: headers.map(|(name, value)| (name.clone(), text(value))).collect(),
    }
}

fn named(name: &str) -> Option<Action> {
    Some(match name {
        "hang" => Action::Hang,
        "reset_before" => Action::ResetBeforeExecution,
        "reset_after_execute" => Action::ResetAfterExecution,
        "slow_body" => Action::SlowBody(Duration::from_secs(1)),
        "truncate_json" => Action::TruncateJson,
        "wrong_content_type" => Action::WrongContentType,
        "gzip" => Action::Gzip,
        code => {
            let known = errors::named(code)?;
            Action::Answer {
                status: known.status,
                code: code.to_owned(),
                shape: Shape::Json,
            }
        }
    })
}

/// `{"rename_portal": "localhost:8070"}`, `{"kick_bot_from_chat": {"bot": 1, "chat": 5}}`, `{"block_overload": true}`.
fn deed(value: &Value) -> Result<Deed, Wrong> {
    let entry = value.as_object().and_then(|entries| entries.iter().next());
    let (name, with) = entry.ok_or_else(|| Wrong("`action` is missing".to_owned()))?;
    let bad = || Wrong(format!("`{name}` needs something else than {with}"));
    let text = || with.as_str().map(str::to_owned).ok_or_else(bad);
    let int = |value: &Value| value.as_i64().ok_or_else(bad);
    Ok(match name.as_str() {
        "expire_token_now" => Deed::ExpireTokens,
        "rename_portal" => Deed::RenamePortal(text()?),
        "delete_portal" => Deed::DeletePortal,
        "uninstall_app" => Deed::UninstallApp(text()?),
        "end_payment" => Deed::EndPayment(text()?),
        "allow_users" => {
            let users = with["users"].as_array().into_iter().flatten();
            let app = with["app"].as_str().ok_or_else(bad)?;
            Deed::AllowUsers(app.to_owned(), users.filter_map(Value::as_i64).collect())
        }
        "delete_bot" => Deed::DeleteBot(int(with)?),
        "kick_bot_from_chat" => Deed::KickBot {
            bot: int(&with["bot"])?,
            chat: int(&with["chat"])?,
        },
        "revoke_scope" => Deed::RevokeScope(text()?),
        "block_overload" => Deed::BlockOverload,
        "end_plan" => Deed::EndPlan,
        "require_tls" => Deed::RequireTls,
        "drain_rate_limit" => Deed::DrainRateLimit,
        "reset_rate_limit" => Deed::ResetRateLimit,
        "fill_operating" => Deed::FillOperating {
            method: with["method"].as_str().ok_or_else(bad)?.to_owned(),
            time: duration(&with["seconds"], 1.0).ok_or_else(bad)?,
        },
        other => return Err(Wrong(format!("no action `{other}`: expected {ACTIONS}"))),
    })
}

/// Does something to the portal at once: a deed as in a rule.
pub(in crate::portal) async fn act(State(portal): State<Portal>, asked: Asked) -> Told {
    let wanted = match &asked.0["action"] {
        Value::String(name) => deed(&json!({ name: true }))?,
        Value::Null => deed(&asked.0)?,
        object => deed(object)?,
    };
    portal.apply(&wanted);
    told(json!({ "done": true }))
}

/// `{"profile": "strict" | "observed" | "hostile", "seed"?}`.
pub(super) async fn profile(State(portal): State<Portal>, asked: Asked) -> Told {
    let seed = asked.0["seed"].as_u64().unwrap_or(0);
    let name = asked.text("profile")?;
    let profile = Profile::named(name, seed).ok_or_else(|| Wrong(format!("no profile `{name}`")))?;
    portal.set_knobs(Knobs::of(profile));
    told(json!({ "profile": name }))
}

pub(super) async fn seed(State(portal): State<Portal>, asked: Asked) -> Told {
    portal.seed(asked.int("seed")?.unsigned_abs());
    told(json!({ "seeded": true }))
}

pub(in crate::portal) async fn restore(State(portal): State<Portal>) -> Told {
    portal.restore();
    told(json!({ "restored": true }))
}

/// `{"fault": "duplicate" | {"delay_ms": 5} | …, "event"?, "times"?}`.
pub(in crate::portal) async fn add_event_fault(State(portal): State<Portal>, asked: Asked) -> Told {
    let fault = &asked.0["fault"];
    let milliseconds = |name: &str| duration(&fault[name], 0.001);
    let fault = match fault.as_str() {
        Some("duplicate") => EventFault::Duplicate,
        Some("reorder") => EventFault::Reorder,
        Some("wrong_token") => EventFault::WrongToken,
        Some("missing_auth") => EventFault::MissingAuth,
        Some("unknown_event") => EventFault::UnknownEvent,
        Some("large_text") => EventFault::LargeText,
        Some("wrong_content_type") => EventFault::WrongContentType,
        Some(other) => return Err(Wrong(format!("no event fault `{other}`"))),
        None => match (milliseconds("delay_ms"), milliseconds("slow_send_ms")) {
            (Some(delay), _) => EventFault::Delay(delay),
            (None, Some(pause)) => EventFault::SlowSend(pause),
            (None, None) => return Err(Wrong("`fault` is missing".to_owned())),
        },
    };
    portal.event_fault(EventRule {
        event: asked.0["event"].as_str().map(str::to_owned),
        times: asked.0["times"].as_u64().and_then(|times| u32::try_from(times).ok()),
        fault,
    });
    told(json!({ "added": 1 }))
}
