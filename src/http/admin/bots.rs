//! `/api/v1/bots`: the bots that this process serves, for `imbot register`; and what it keeps of a registration: the number
//! of a new bot, and what was set that cannot be read. Calls no portal, shows no credential.

use super::{Admin, Problem};
use crate::identity::{Site, SiteBot};
use crate::store::Identity;
use crate::types::PortalId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Methods and paths, for the test that holds `openapi/imbot.yaml` to them.
#[cfg(any(test, feature = "testing"))]
pub(in crate::http) const ROUTES: [(&str, &str); 4] = [
    ("get", "/api/v1/bots"),
    ("post", "/api/v1/bots/learn"),
    ("post", "/api/v1/bots/applied"),
    ("post", "/api/v1/bots/forget"),
];
/// Fields of one bot that may be kept at once: 100 commands in ten languages.
const MOST_FIELDS: usize = 2_000;
/// Bytes of the name of a field.
const LONGEST_FIELD: usize = 300;
/// Bytes of its value.
const LONGEST_VALUE: usize = 4_096;

pub(super) fn router() -> Router<Arc<Admin>> {
    Router::new()
        .route("/api/v1/bots", get(list))
        .route("/api/v1/bots/learn", post(learn))
        .route("/api/v1/bots/applied", post(applied))
        .route("/api/v1/bots/forget", post(forget))
}

async fn list(State(admin): State<Arc<Admin>>) -> Result<Json<Value>, Problem> {
    let mut portals = Vec::new();
    for site in admin.identities.sites() {
        let mut bots = Vec::new();
        for (number, bot) in &site.bots {
            bots.push(shown(&admin, &site, Some(*number), bot.code.as_deref(), bot).await?);
        }
        for (code, bot) in &site.unnumbered {
            if site.bots.values().all(|known| known.code.as_ref() != Some(code)) {
                bots.push(shown(&admin, &site, None, Some(code), bot).await?);
            }
        }
        portals.push(json!({ "name": site.name, "app": site.app, "parked": site.parked, "bots": bots }));
    }
    Ok(Json(json!({ "portals": portals })))
}

async fn shown(
    admin: &Admin,
    site: &Site,
    number: Option<i64>,
    code: Option<&str>,
    bot: &SiteBot,
) -> Result<Value, Problem> {
    let as_whom = number.or_else(|| site.numbered(code.unwrap_or_default())).unwrap_or(0);
    let mut kept = serde_json::Map::new();
    if let Some(number) = number {
        let found = admin.store.applied(site.id, number).await;
        for field in found.map_err(|error| Problem::store(&error))? {
            kept.insert(field.field, json!({ "value": field.value, "at": field.at.rfc3339() }));
        }
    }
    Ok(json!({
        "id": number,
        "code": code,
        "handler": bot.handler,
        "fetches": bot.fetches,
        "identity": match site.identity(as_whom) {
            Identity::Webhook => "webhook",
            Identity::App => "application",
            Identity::EventToken => "event token",
        },
        "applied": kept,
    }))
}

/// A bot of this number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbered {
    portal: String,
    /// Where it is known by it.
    code: Option<String>,
    bot: i64,
    /// Field to value; null: not set any more.
    #[serde(default)]
    set: BTreeMap<String, Option<String>>,
}

impl Numbered {
    fn portal(&self, admin: &Admin) -> Result<PortalId, Problem> {
        if self.bot < 1 {
            return Err(wrong("a bot's number is 1 or more"));
        }
        admin.portal(&self.portal)
    }
}

fn wrong(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail)
}

async fn learn(State(admin): State<Arc<Admin>>, Json(asked): Json<Numbered>) -> Result<Json<Value>, Problem> {
    let portal = asked.portal(&admin)?;
    let code = asked.code.as_deref().ok_or_else(|| wrong("code is missing"))?;
    let site = admin.site(portal).filter(|site| site.unnumbered.contains_key(code));
    let Some(site) = site else {
        let detail = format!(
            "portal {} has no bot that is known by the code {code} alone",
            asked.portal
        );
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_bot", detail));
    };
    let taken = site.bots.get(&asked.bot);
    if taken.is_some_and(|bot| bot.code.as_deref() != Some(code)) {
        let detail = format!("{} is the number of another bot of portal {}", asked.bot, site.name);
        return Err(Problem::new(StatusCode::CONFLICT, "taken", detail));
    }
    let done = admin.identities.learn(portal, code, asked.bot).await;
    done.map_err(|error| Problem::store(&error))?;
    tracing::info!(
        action = "learn",
        portal = site.name,
        bot = asked.bot,
        code,
        "bot {code} of {} has the number {}",
        site.name,
        asked.bot
    );
    Ok(Json(json!({ "portal": site.name, "code": code, "bot": asked.bot })))
}

async fn applied(State(admin): State<Arc<Admin>>, Json(asked): Json<Numbered>) -> Result<Json<Value>, Problem> {
    let portal = asked.portal(&admin)?;
    admin.knows_bot(portal, asked.bot)?;
    let long = |(field, value): (&String, &Option<String>)| {
        field.len() > LONGEST_FIELD || value.as_ref().is_some_and(|value| value.len() > LONGEST_VALUE)
    };
    if asked.set.len() > MOST_FIELDS || asked.set.iter().any(long) {
        return Err(wrong("too many fields, or too long a one"));
    }
    let done = admin
        .store
        .keep_applied(portal, asked.bot, asked.set.into_iter().collect());
    done.await.map_err(|error| Problem::store(&error))?;
    Ok(Json(json!({ "portal": asked.portal, "bot": asked.bot })))
}

async fn forget(State(admin): State<Arc<Admin>>, Json(asked): Json<Numbered>) -> Result<Json<Value>, Problem> {
    let portal = asked.portal(&admin)?;
    let done = admin.identities.unlearn(portal, asked.bot).await;
    done.map_err(|error| Problem::store(&error))?;
    tracing::info!(
        action = "forget",
        portal = asked.portal,
        bot = asked.bot,
        "bot {} of {} is forgotten: it is gone from the portal",
        asked.bot,
        asked.portal
    );
    Ok(Json(json!({ "portal": asked.portal, "bot": asked.bot })))
}
