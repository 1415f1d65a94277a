//! `POST /api/v1/call`: one REST call for an operator, through the desk: in the portal's budget, as the portal's identity.
//! Adds the bot's number; never sees a credential.

use super::{Admin, Problem};
use crate::method::{self, Address, Method as _, RevisionGet};
use crate::rest::{AskError, Class, Errand, Executed, Fault};
use crate::types::{PortalId, Priority};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The longest wait for budget that may be asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Order {
    portal: String,
    /// As this bot, its number and token added.
    bot: Option<i64>,
    /// As this bot, by its code, where the server learns its number: its token is added, and its number once it is known.
    code: Option<String>,
    method: String,
    #[serde(default)]
    params: Map<String, Value>,
    /// Nothing comes of a second try that a first had not.
    #[serde(default)]
    repeatable: bool,
    /// It leaves also where the budget is used up, and is not tried again: only to ask what the portal does then.
    #[serde(default)]
    over_budget: bool,
    /// How long it may wait for the portal's budget.
    timeout_ms: Option<u64>,
}

pub(super) async fn call(State(admin): State<Arc<Admin>>, Json(order): Json<Order>) -> Result<Response, Problem> {
    let portal = admin.portal(&order.portal)?;
    check(&admin, &order, portal)?;
    let bot = called(&admin, &order, portal)?;
    let (name, method) = (order.portal.clone(), order.method.clone());
    let wait = order.timeout_ms.map_or(Duration::from_secs(60), Duration::from_millis);
    let deadline = admin.clock.now() + wait.min(LONGEST_WAIT);
    let mut params = order.params;
    if let Some(bot @ 1..) = bot {
        let address = method::find(&method).map_or(Address::BOT, |entry| entry.address);
        address.put_bot(&mut params, bot);
    }
    let asked = admin.desk.ask(|answer| Errand {
        portal,
        bot: bot.unwrap_or(0),
        with_bot: bot.is_some(),
        method: order.method,
        params: Value::Object(params).to_string(),
        priority: Priority::Interactive,
        lane: None,
        now_or_never: false,
        repeatable: order.repeatable,
        in_company: false,
        over_budget: order.over_budget,
        deadline,
        change: None,
        answer,
    });
    let answer = asked.await;
    let outcome = answer
        .as_ref()
        .map_or_else(|error| error.to_string(), |_| "done".to_owned());
    tracing::info!(
        action = "call",
        portal = name,
        bot,
        method,
        outcome,
        "called by an operator"
    );
    match answer {
        Ok(result) => Ok(Json(json!({ "result": result })).into_response()),
        Err(AskError::Fault(fault)) => Ok(faulty(&method, &fault)),
        Err(error) => Err(unasked(&error)),
    }
}

/// As which bot it is made: by number, by code, or as none.
fn called(admin: &Admin, order: &Order, portal: PortalId) -> Result<Option<i64>, Problem> {
    let Some(code) = &order.code else { return Ok(order.bot) };
    let number = admin.site(portal).and_then(|site| site.numbered(code));
    if order.bot.is_some() || number.is_none() {
        let detail = format!("portal {} has no bot that is known by the code {code}", order.portal);
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_bot", detail));
    }
    Ok(number)
}

fn check(admin: &Admin, order: &Order, portal: PortalId) -> Result<(), Problem> {
    let wrong = |reason, detail: &str| Problem::new(StatusCode::BAD_REQUEST, reason, detail);
    // The name becomes part of an address.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if order.method.is_empty() || !order.method.bytes().all(plain) || order.method.contains("..") {
        return Err(wrong("wrong_method", "a method is letters, digits, dots, _ and -"));
    }
    if order.over_budget && order.method != RevisionGet::NAME {
        let detail = format!("only {} may leave where the budget is used up", RevisionGet::NAME);
        return Err(wrong("over_budget", &detail));
    }
    if let Some(bot) = order.bot {
        admin.knows_bot(portal, bot)?;
    }
    let paused = admin.store.paused();
    let paused = paused.borrow();
    if paused.contains(&(portal, None)) || order.bot.is_some_and(|bot| paused.contains(&(portal, Some(bot)))) {
        let detail = format!("{} is paused: `imbot resume` first", order.portal);
        return Err(Problem::new(StatusCode::CONFLICT, "paused", detail));
    }
    if admin.site(portal).is_none() {
        let detail = format!(
            "portal {} is not served: no configuration or installation gives it an identity",
            order.portal
        );
        return Err(Problem::new(StatusCode::CONFLICT, "no_identity", detail));
    }
    Ok(())
}

/// The portal answered with an error, or the way to it failed.
fn faulty(method: &str, fault: &Fault) -> Response {
    let (status, reason) = match fault {
        Fault {
            executed: Executed::Unknown,
            ..
        } => (StatusCode::GATEWAY_TIMEOUT, "unknown_outcome"),
        Fault {
            class: Class::Identity | Class::Bot | Class::Expired,
            ..
        } => (StatusCode::CONFLICT, "identity"),
        Fault {
            class: Class::Limit | Class::OperatingTime,
            ..
        } => (StatusCode::SERVICE_UNAVAILABLE, "no_budget"),
        Fault {
            class: Class::Transient,
            status: 0,
            ..
        } => (StatusCode::BAD_GATEWAY, "unreachable"),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "refused"),
    };
    let detail = match reason {
        "unknown_outcome" => format!("nobody knows whether the portal has carried out {method}: {fault}"),
        "identity" => format!("the portal refuses our identity: {fault}"),
        "no_budget" => format!("the portal's limits do not allow {method} now: {fault}"),
        "unreachable" => format!("the portal cannot be reached, {method} was not carried out: {fault}"),
        _ => format!("the portal refused {method}: {fault}"),
    };
    let mut body = Problem::new(status, reason, detail).body();
    body["code"] = json!(fault.code);
    body["class"] = json!(fault.class.label());
    body["status"] = json!(fault.status);
    if let Some(pause) = fault.retry_after {
        body["retryAfterSeconds"] = json!(pause.as_secs());
    }
    (status, Json(body)).into_response()
}

/// The call has not left.
fn unasked(error: &AskError) -> Problem {
    let (status, reason) = match error {
        AskError::NoIdentity => (StatusCode::CONFLICT, "no_identity"),
        AskError::Parked(_) => (StatusCode::CONFLICT, "parked"),
        AskError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        AskError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "no_budget"),
    };
    Problem::new(status, reason, error.to_string())
}
