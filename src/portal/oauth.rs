//! The authorisation server: its token endpoint and its `app.info`, which tells the truth about a token. It has an
//! address of its own, or answers under `/oauth/` of the portal's and to its host name.

use super::access::Route;
use super::answer::Answer;
use super::apps::App;
use super::heard::Heard;
use super::knobs::WrongClient;
use super::log::{Decision, LogEntry, redacted};
use super::shared::{Locked, Shared};
use super::state::State;
use crate::types::Timestamp;
use axum::http::{header, request::Parts};
use serde_json::{Value, json};
use std::time::Duration;

/// The names under which its requests are logged and struck by faults.
const TOKEN: &str = "oauth.token";
const INFO: &str = "oauth.app.info";
/// A refresh token lives this long.
const REFRESH_LIFE: Duration = Duration::from_secs(180 * 24 * 3600);

/// Where a request to the authorisation server leads; `None`: it is for the portal.
pub(super) fn route(parts: &Parts, own_address: bool, host: &str) -> Option<Route> {
    let asked = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let path = parts.uri.path().trim_end_matches('/');
    let bare = path.strip_suffix(".json").unwrap_or(path);
    let here = own_address || asked == Some(host);
    let method = match bare {
        "/oauth/token" => TOKEN,
        "/oauth/rest/app.info" => INFO,
        "/rest/app.info" if here => INFO,
        _ => return None,
    };
    Some(Route {
        webhook: None,
        method: method.to_owned(),
        xml: false,
    })
}

/// A refusal of the token endpoint.
type Refused = (u16, &'static str, &'static str);

/// The answer of the authorisation server; `None`: the request is for the portal.
pub(super) fn serve(shared: &Shared, heard: &Heard) -> Option<Answer> {
    let now = shared.config.clock.now();
    let (told, early) = {
        let mut state = shared.state();
        match heard.route.method.as_str() {
            TOKEN => token(&mut state, heard, now),
            INFO => (info(&state.portal, heard, now), false),
            _ => return None,
        }
    };
    let (status, body, decision) = match told {
        Ok(body) => (200, body, Decision::Executed { message_id: None }),
        Err((status, code, description)) => {
            let body = json!({ "error": code, "error_description": description });
            let code = code.to_owned();
            (status, body, Decision::Refused { code })
        }
    };
    let mut entry = LogEntry {
        answer: redacted(&body),
        ..heard.entry("authorisation", decision, Some(status))
    };
    if early {
        entry.faults.push("refresh_without_need");
    }
    shared.log(entry);
    Some(Answer::json(status, &body))
}

fn token(state: &mut Locked, heard: &Heard, now: Timestamp) -> (Result<Value, Refused>, bool) {
    let portal = &mut state.portal;
    let (app, user) = match granted(portal, heard, now) {
        Ok(granted) => granted,
        Err(refused) => return (Err(refused), false),
    };
    let own = |token: &&super::apps::Token| token.client_id == app.client_id && token.user == user;
    // Renewing what still works can get an application blocked on the real server.
    let early = portal.tokens.values().filter(own).any(|token| now < token.expires);
    let pair = portal.mint(&app.seed(), user, now);
    let site = &portal.site;
    let server = site
        .server_endpoint
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let answer = json!({
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "expires": pair.expires,
        "expires_in": 3600,
        "client_endpoint": site.client_endpoint,
        "server_endpoint": site.server_endpoint,
        // The authorisation server, not the portal: a trap of the real one.
        "domain": server.split('/').next(),
        "member_id": site.member_id,
        "scope": pair.scope,
        "status": "L",
        "user_id": user,
    });
    (Ok(answer), early)
}

/// The application and the user of a token request.
fn granted(state: &mut State, heard: &Heard, now: Timestamp) -> Result<(App, i64), Refused> {
    let named = |name: &str| heard.params.get(name).and_then(Value::as_str).unwrap_or_default();
    let app = state.apps.get(named("client_id")).filter(|app| app.active);
    let app = app.filter(|app| app.client_secret.matches(named("client_secret").as_bytes()));
    let app = app.cloned().ok_or(match state.knobs.wrong_client {
        WrongClient::Status400 => (400, "invalid_client", "Invalid client"),
        WrongClient::Status401 => (401, "invalid_client", "Invalid client"),
        WrongClient::Status200 => (200, "WRONG_CLIENT", "Wrong client"),
    })?;
    if !app.paid {
        return Err((401, "PAYMENT_REQUIRED", "Payment required"));
    }
    const DEAD: Refused = (400, "invalid_grant", "Invalid grant");
    let user = match named("grant_type") {
        "refresh_token" => {
            let reuse = state.knobs.refresh_reuse;
            let refresh = state.refreshes.get_mut(named("refresh_token"));
            let refresh = refresh
                .filter(|refresh| refresh.client_id == app.client_id)
                .ok_or(DEAD)?;
            if now.since(refresh.issued) >= REFRESH_LIFE || (refresh.used && !reuse) {
                return Err(DEAD);
            }
            refresh.used = true;
            refresh.user
        }
        "authorization_code" => {
            let code = state.codes.remove(named("code")).ok_or(DEAD)?;
            if code.client_id != app.client_id || code.expires <= now {
                return Err(DEAD);
            }
            code.user
        }
        _ => return Err((400, "invalid_request", "Unknown grant type")),
    };
    Ok((app, user))
}

/// The truth about a token, with the `member_id` that the portal's own answer lacks.
fn info(state: &State, heard: &Heard, now: Timestamp) -> Result<Value, Refused> {
    let named = |name: &str| heard.params.get(name).and_then(Value::as_str);
    let presented = heard
        .bearer
        .as_deref()
        .or_else(|| named("auth"))
        .or_else(|| named("access_token"));
    let token = presented.and_then(|token| state.tokens.get(token));
    let token = token.ok_or((401, "NO_AUTH_FOUND", "Wrong authorization data"))?;
    if token.expires <= now {
        return Err((401, "expired_token", "The access token provided has expired"));
    }
    let app = state.apps.get(&token.client_id).filter(|app| app.active);
    let app = app.ok_or((401, "NOT_INSTALLED", "Application not installed"))?;
    let site = &state.site;
    Ok(json!({
        "result": {
            "client_id": app.client_id,
            "scope": app.scope,
            "expires": token.expires.unix_seconds(),
            "user_id": token.user,
            "install": {
                "installed": true,
                "version": 1,
                "status": "L",
                "scope": app.scope,
                "domain": site.domain,
                "uri": site.client_endpoint.trim_end_matches("/rest/"),
                "client_endpoint": site.client_endpoint,
                "member_id": site.member_id,
                "member_type": "B24",
            },
        },
        "time": { "start": now.0 as f64 / 1000.0, "finish": now.0 as f64 / 1000.0, "duration": 0, "processing": 0 },
    }))
}
