//! Pause and resume of a portal or one of its bots: durable, and felt at the next claim.

use super::{Admin, Problem};
use crate::types::PortalId;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Whom.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Party {
    /// By the name of the configuration.
    portal: String,
    /// Only this bot.
    bot: Option<i64>,
    /// Only this bot, by its code, where the server learns its number.
    code: Option<String>,
}

impl Party {
    /// The portal's number; the bot's is put in where it is named by its code.
    fn find(&mut self, admin: &Admin) -> Result<PortalId, Problem> {
        let portal = admin.portal(&self.portal)?;
        if let Some(code) = &self.code {
            self.bot = Some(learned(admin, portal, code)?);
        }
        self.bot.map_or(Ok(()), |bot| admin.knows_bot(portal, bot))?;
        Ok(portal)
    }
}

fn learned(admin: &Admin, portal: PortalId, code: &str) -> Result<i64, Problem> {
    admin.identities.bot_called(portal, code).ok_or_else(|| {
        let detail = format!("nobody knows the number of bot {code} yet: `imbot register --apply` learns it");
        Problem::new(StatusCode::NOT_FOUND, "no_such_bot", detail)
    })
}

pub(super) async fn pause(
    State(admin): State<Arc<Admin>>,
    Json(mut party): Json<Party>,
) -> Result<Json<Value>, Problem> {
    let portal = party.find(&admin)?;
    let stored = admin.store.pause(portal, party.bot).await;
    stored.map_err(|error| Problem::store(&error))?;
    tracing::info!(
        action = "pause",
        portal = party.portal,
        bot = party.bot,
        "paused by an operator: events are stored, no handler runs, nothing is sent"
    );
    Ok(answer(&admin, &party, portal, None))
}

pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    Json(mut party): Json<Party>,
) -> Result<Json<Value>, Problem> {
    let portal = party.find(&admin)?;
    let stored = admin.store.resume(portal, party.bot).await;
    stored.map_err(|error| Problem::store(&error))?;
    let tried = admin.deliver.unpark(portal, party.bot).await;
    tracing::info!(
        action = "resume",
        portal = party.portal,
        bot = party.bot,
        tried,
        "resumed by an operator"
    );
    Ok(answer(&admin, &party, portal, Some(tried)))
}

/// What is paused at this portal now; and how many parked identities are tried again.
fn answer(admin: &Admin, party: &Party, portal: PortalId, tried: Option<usize>) -> Json<Value> {
    let paused = admin.store.paused();
    let paused = paused.borrow();
    let mut bots: Vec<i64> = paused
        .iter()
        .filter(|(of, _)| *of == portal)
        .filter_map(|(_, bot)| *bot)
        .collect();
    bots.sort_unstable();
    let mut answer = json!({
        "portal": party.portal,
        "bot": party.bot,
        "paused": { "portal": paused.contains(&(portal, None)), "bots": bots },
    });
    if let Some(tried) = tried {
        answer["tried"] = json!(tried);
    }
    Json(answer)
}
