//! Who calls, and for which bot: the identity of a request and the ownership of bots. Carries nothing out.

use super::answer::Refusal;
use super::config::{Owner, PortalConfig};
use super::state::{State, number};
use crate::types::Timestamp;
use serde_json::{Map, Value};
use std::fmt;

/// Where the path led: which credential it carries, and to which method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) webhook: Option<(i64, String)>,
    pub(super) method: String,
}

impl Route {
    /// `/rest/{user}/{code}/{method}` or `/rest/{method}`, with `.json` and a slash at the end or without.
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
        let method = method.strip_suffix(".json").unwrap_or(method).to_owned();
        (!method.is_empty()).then_some(Self { webhook, method })
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

/// Finds out who calls. `bearer` is the token of the `Authorization` header; it goes before the parameters.
pub(super) fn authorise(
    state: &State,
    config: &PortalConfig,
    route: &Route,
    bearer: Option<&str>,
    params: &Map<String, Value>,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    const UNKNOWN: Refusal = Refusal::new(401, "NO_AUTH_FOUND", "Wrong authorization data");
    if let Some((user, code)) = &route.webhook {
        let known = *user == config.webhook_user && config.webhook_code.matches(code.as_bytes());
        return known.then_some(Caller::Webhook { user: *user }).ok_or(UNKNOWN);
    }
    let named = |name: &str| params.get(name).and_then(Value::as_str);
    let presented = bearer.or_else(|| named("auth")).or_else(|| named("access_token"));
    let token = presented.and_then(|token| state.tokens.get(token)).ok_or(UNKNOWN)?;
    if token.expires <= now {
        let description = "The access token provided has expired";
        return Err(Refusal::new(401, "expired_token", description));
    }
    Ok(Caller::App {
        client_id: token.client_id.clone(),
        user: token.user,
    })
}

/// The bot that a bot method acts for: token there, id there, bot known, bot the caller's own; in this order.
pub(super) fn owned_bot(state: &State, caller: &Caller, params: &Map<String, Value>) -> Result<i64, Refusal> {
    let presented = match caller {
        Caller::App { client_id, .. } => client_id.clone(),
        Caller::Webhook { .. } => match params.get("botToken").and_then(Value::as_str) {
            Some(token) if !token.is_empty() => format!("custom{token}"),
            _ => return Err(Refusal::method("BOT_TOKEN_NOT_SPECIFIED", "Bot token is not specified")),
        },
    };
    let id = params.get("botId").and_then(whole).filter(|id| *id > 0);
    let id = id.ok_or(Refusal::method("BOT_ID_REQUIRED", "Bot id is required"))?;
    let bot = state.bots.get(&id);
    let bot = bot.ok_or(Refusal::method("BOT_NOT_FOUND", "Bot not found"))?;
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
        let bare = Some(Route { webhook: None, method });
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
