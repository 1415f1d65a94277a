//! `--as PORTAL`: the credentials of a configured portal in place of those a capture has, or has lost by redaction.

use super::body::Body;
use crate::settings::{BotSettings, PortalSettings};
use crate::types::{REDACTED, Secret};

/// Writes token, member_id and domain of `portal` into the top-level `auth`, and over those in `data[bot][auth]`. `false`:
/// it has no token for this body. Access tokens that were taken out stay out: no configuration has them, and the server
/// takes the word in their place for none.
pub(super) fn put(body: &mut Body, portal: &PortalSettings) -> bool {
    let token = token(body, portal);
    if let Some(token) = &token {
        body.put(["auth", "application_token"], token.expose());
        body.replace(&["data", "bot", "auth", "application_token"], token.expose());
        body.replace_word(&format!("{REDACTED}nested_application_token"), token.expose());
    }
    // One of the two finds the portal; what the event came without is not added.
    let has = |key: &str| body.get(&["auth", key]).is_some_and(|value| !value.is_empty());
    let (had_domain, had_member) = (has("domain"), has("member_id"));
    if had_domain || !had_member || portal.member_id.is_none() {
        body.put(["auth", "domain"], &portal.domain);
    }
    body.replace(&["data", "bot", "auth", "domain"], &portal.domain);
    match &portal.member_id {
        Some(id) => {
            if had_member || !had_domain {
                body.put(["auth", "member_id"], id);
            }
            body.replace(&["data", "bot", "auth", "member_id"], id);
        }
        // The captured one may be another portal's, and the first verified one is pinned.
        None => {
            body.clear(&["auth", "member_id"]);
            body.clear(&["data", "bot", "auth", "member_id"]);
        }
    }
    token.is_some()
}

/// The token of the bot that the body names, else the portal's.
fn token(body: &Body, portal: &PortalSettings) -> Option<Secret> {
    let id: Option<i64> = body.get(&["data", "bot", "id"]).and_then(|id| id.parse().ok());
    let code = body.get(&["data", "bot", "code"]);
    let by_code = |bot: &&BotSettings| bot.id == 0 && code.as_deref() == Some(bot.code.as_str());
    let bot = portal.bots.iter().find(|bot| Some(bot.id) == id);
    let bot = bot.or_else(|| portal.bots.iter().find(by_code));
    bot.and_then(|bot| bot.expected_token())
        .or_else(|| portal.application_token.clone())
}
