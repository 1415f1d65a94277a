//! Who calls, and for which bot: the identity of a request and the ownership of bots. Carries nothing out.

use super::answer::Refusal;
use super::config::Owner;
use super::state::{State, number};
use crate::types::Timestamp;
use serde_json::{Map, Value};
use std::fmt;

/// Where the path led: which credential it carries, and to which method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) webhook: Option<(i64, String)>,
    pub(super) method: String,
    /// The answer is wanted as XML.
    pub(super) xml: bool,
}

impl Route {
    /// `/rest/{user}/{code}/{method}` or `/rest/{method}`, with `.json` or `.xml` and a slash at the end or without.
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = path.strip_prefix("/rest/")?.split('/');
        let parts = (segments.next(), segments.next(), segments.next(), segments.next());
        let (webhook, method) = match parts {
            (Some(method), None, ..) => (None, method),
            (Some(user), Some(code), Some(method), None) if !code.is_empty() => {
                (Some((number(user)?, code.to_owned())), method)
            }
            _ => return None,
        };
        let bare = method.strip_suffix(".json").or_else(|| method.strip_suffix(".xml"));
        let xml = method.len() > 4 && method.ends_with(".xml");
        let method = bare.unwrap_or(method).to_owned();
        (!method.is_empty()).then_some(Self { webhook, method, xml })
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// The incoming webhook of a user.
    Webhook { user: i64 },
    /// An application with a token of a user or of a bot.
    App { client_id: String, user: i64 },
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook { user } => write!(f, "webhook {user}"),
            Self::App { client_id, user } => write!(f, "{client_id} as {user}"),
        }
    }
}

impl Caller {
    /// The user whose rights the call has.
    pub(super) fn user(&self) -> i64 {
        match self {
            Self::Webhook { user } | Self::App { user, .. } => *user,
        }
    }

    /// What the caller may do, separated by commas.
    pub(super) fn scope<'a>(&self, state: &'a State) -> &'a str {
        match self {
            Self::Webhook { user } => state.standing.scope_of(*user),
            Self::App { client_id, .. } => state.apps.get(client_id).map_or("", |app| app.scope.as_str()),
        }
    }
}

/// Finds out who calls. `bearer` is the token of the `Authorization` header; it goes before the parameters.
pub(super) fn authorise(
    state: &State,
    route: &Route,
    bearer: Option<&str>,
    params: &Map<String, Value>,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    let caller = match &route.webhook {
        Some((user, code)) => {
            let known = state.standing.webhook(*user, code, now);
            known.ok_or(unknown_webhook(state))?;
            Caller::Webhook { user: *user }
        }
        None => by_token(state, bearer, params, now)?,
    };
    if state.standing.overload {
        let description = "REST API is blocked due to overload";
        return Err(Refusal::new(503, "OVERLOAD_LIMIT", description));
    }
    if state.standing.no_plan {
        let description = "REST API is available only on commercial plans";
        return Err(Refusal::new(403, "ACCESS_DENIED", description));
    }
    Ok(caller)
}

const UNKNOWN: Refusal = Refusal::new(401, "NO_AUTH_FOUND", "Wrong authorization data");

fn unknown_webhook(state: &State) -> Refusal {
    if state.knobs.invalid_credentials {
        Refusal::new(403, "INVALID_CREDENTIALS", "Invalid request credentials")
    } else {
        UNKNOWN
    }
}

fn by_token(
    state: &State,
    bearer: Option<&str>,
    params: &Map<String, Value>,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    let named = |name: &str| params.get(name).and_then(Value::as_str);
    let presented = bearer.or_else(|| named("auth")).or_else(|| named("access_token"));
    let presented = presented.ok_or(UNKNOWN)?;
    let Some(token) = state.tokens.get(presented) else {
        return Err(if state.knobs.invalid_token {
            Refusal::new(401, "invalid_token", "Unable to get application by token")
        } else {
            UNKNOWN
        });
    };
    let app = state.apps.get(&token.client_id).filter(|app| app.active);
    let app = app.ok_or(Refusal::new(401, "APPLICATION_NOT_FOUND", "Application not found"))?;
    if token.expires <= now {
        let description = "The access token provided has expired";
        return Err(Refusal::new(401, "expired_token", description));
    }
    if !app.paid {
        return Err(Refusal::new(401, "PAYMENT_REQUIRED", "Payment required"));
    }
    let allowed = app.allowed_users.as_ref();
    if allowed.is_some_and(|allowed| !allowed.contains(&token.user)) {
        let description = "The user does not have access to the application";
        return Err(Refusal::new(403, "user_access_error", description));
    }
    Ok(Caller::App {
        client_id: token.client_id.clone(),
        user: token.user,
    })
}

/// The owner text that a caller's bots have: the application, or `custom` and the token presented.
pub(super) fn owner_text(caller: &Caller, params: &Map<String, Value>) -> Result<String, Refusal> {
    const MISSING: Refusal = Refusal::method("BOT_TOKEN_NOT_SPECIFIED", "Bot token is not specified");
    match caller {
        Caller::App { client_id, .. } => Ok(client_id.clone()),
        Caller::Webhook { .. } => match params.get("botToken").and_then(Value::as_str) {
            Some(token) if !token.is_empty() => Ok(format!("custom{token}")),
            _ => Err(MISSING),
        },
    }
}

pub(super) const NO_BOT: Refusal = Refusal::method("BOT_NOT_FOUND", "Bot not found");

/// The bot that a bot method acts for: token there, id there, bot known, bot the caller's own; in this order.
pub(super) fn owned_bot(state: &State, caller: &Caller, params: &Map<String, Value>) -> Result<i64, Refusal> {
    let presented = owner_text(caller, params)?;
    let id = params.get("botId").and_then(whole).filter(|id| *id > 0);
    let id = id.ok_or(Refusal::method("BOT_ID_REQUIRED", "Bot id is required"))?;
    let bot = state.bots.get(&id).ok_or(NO_BOT)?;
    if bot.owner.text() != presented {
        return Err(Refusal::method(
            "BOT_OWNERSHIP_ERROR",
            "Bot belongs to another application",
        ));
    }
    Ok(id)
}

impl Owner {
    /// What the portal stores as the bot's owner and compares a caller with.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Webhook { bot_token } => format!("custom{}", bot_token.expose()),
            Self::App(app) => app.client_id.clone(),
        }
    }

    /// `auth[application_token]` of the bot's events: the application's own, or the owner text in a field of 50.
    pub(super) fn application_token(&self) -> String {
        match self {
            Self::Webhook { .. } => self.text().chars().take(50).collect(),
            Self::App(app) => app.application_token.expose().to_owned(),
        }
    }
}

/// A whole number, also written as text: PHP does not mind.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// `true`, `Y`, `1`, `"true"` count as true, all else as false.
pub(super) fn truthy(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(value)) => *value,
        Some(Value::Number(number)) => number.as_i64() == Some(1),
        Some(Value::String(text)) => text == "1" || text.eq_ignore_ascii_case("y") || text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_to_methods() {
        let method = "imbot.v2.Revision.get".to_owned();
        let bare = Some(Route {
            webhook: None,
            method,
            xml: false,
        });
        for tail in ["", "/", ".json", ".json/"] {
            assert_eq!(Route::of(&format!("/rest/imbot.v2.Revision.get{tail}")), bare);
            let route = Route::of(&format!("/rest/1/code/imbot.v2.Revision.get{tail}"));
            assert_eq!(route.and_then(|route| route.webhook), Some((1, "code".to_owned())));
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in [
            "/",
            "/rest",
            "/rest/",
            "/rest/a/b",
            "/rest/x/code/m",
            "/rest/1/code/m/n",
            "/rest/1//m",
            "/rests/m",
        ] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }

    #[test]
    fn php_reads_numbers_and_booleans_from_text() {
        assert_eq!(whole(&json!("789")), Some(789));
        assert_eq!(whole(&json!(789)), Some(789));
        assert_eq!(whole(&json!("x")), None);
        for value in [json!(true), json!("Y"), json!("y"), json!(1), json!("1"), json!("true")] {
            assert!(truthy(Some(&value)), "{value}");
        }
        for value in [json!(false), json!("N"), json!(0), json!("yes"), json!([]), json!(null)] {
            assert!(!truthy(Some(&value)), "{value}");
        }
    }
}
