//! What a portal says of us: identity, rights, revision, its clock, and each bot against the configuration. Asks through
//! whoever has the store, in its budget; only reads.

use super::finding::{self, Kind};
use super::report::Report;
use crate::cli::beside::{Beside, Trouble};
use crate::settings::{BotSettings, EventMode, PortalSettings, Wishes};
use crate::types::{Clock, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;

/// For budget; then the call itself may take its time.
const BUDGET_MS: u64 = 10_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// Clocks may differ by this much.
const CLOCK: Duration = Duration::from_secs(60);
/// Bitrix24 registers no bot with a longer token.
const LONGEST_TOKEN: usize = 40;
/// From this one on a bot's token can be changed.
const REVISION: i64 = 35;

/// Makes a call as the portal's identity, or as a bot's.
pub(super) async fn call(
    beside: &Beside,
    portal: &str,
    bot: Option<i64>,
    (method, params): (&str, Value),
) -> Result<Value, Trouble> {
    let order = json!({
        "portal": portal, "bot": bot, "method": method, "params": params, "repeatable": false, "timeoutMs": BUDGET_MS,
    });
    let answer = beside.ask(Method::POST, "/api/v1/call", Some(&order), PATIENCE).await?;
    Ok(answer["result"].clone())
}

/// What a call that failed tells of the set-up.
pub(super) fn kind_of(trouble: &Trouble) -> &'static Kind {
    let Trouble::Refused { reason, detail, body } = trouble else {
        return &finding::SERVER_SILENT;
    };
    // A parked identity is refused without asking: with the code that parked it.
    let parked = detail.strip_prefix("parked: ").map(str::trim);
    let code = body["code"].as_str().or(parked).unwrap_or_default();
    match (reason.as_str(), code) {
        (_, "insufficient_scope") => &finding::SCOPE_MISSING,
        ("unreachable" | "unknown_outcome", _) => &finding::PORTAL_UNREACHABLE,
        ("identity" | "parked" | "refused", "BOT_OWNERSHIP_ERROR" | "BOT_TOKEN_NOT_SPECIFIED") => {
            &finding::BOT_TOKEN_WRONG
        }
        ("identity" | "parked" | "refused", "BOT_NOT_FOUND") => &finding::BOT_MISSING,
        ("identity" | "parked", _) => &finding::IDENTITY_REFUSED,
        ("no_identity", _) => &finding::NO_IDENTITY,
        ("refused", _) => &finding::CALL_REFUSED,
        _ => &finding::NOT_ASKED,
    }
}

/// Everything that is asked of one portal. `known`: the addresses of all bots that its application may have there.
pub(super) async fn check(report: &mut Report, beside: &Beside, portal: &PortalSettings, known: &[&str]) {
    let of = portal.name.as_str();
    if !identity(report, beside, of).await {
        return report.skipped(("bots", of), "the portal does not answer our calls");
    }
    if portal.app.is_some() {
        // With both identities the portal's own one is the webhook, which has none: then as a bot of the application.
        let mut bots = portal.bots.iter().filter(|bot| bot.bot_token.is_none() && bot.id > 0);
        let bot = portal.incoming_webhook.as_ref().and_then(|_| bots.next());
        subscriptions(report, beside, (of, bot.map(|bot| bot.id)), known).await;
    }
    // What it does not tell is not found; a server that is silent was found before.
    let status = beside.get("/api/v1/status").await.unwrap_or_default();
    for settings in &portal.bots {
        bot(report, beside, of, settings).await;
        for difference in stored(&status, of, settings.id) {
            let named = format!("{of}/{}", settings.called());
            report.found(("bot", &named), &finding::STORED_DIFFERS, difference);
        }
    }
}

/// Where the store has something else for a bot than the configuration, in the server's words.
fn stored<'a>(status: &'a Value, portal: &str, bot: i64) -> impl Iterator<Item = &'a str> {
    let mut portals = status["portals"].as_array().into_iter().flatten();
    let found = portals.find(|found| found["name"] == portal);
    let mut bots = found.and_then(|found| found["bots"].as_array()).into_iter().flatten();
    let found = bots.find(|found| found["id"] == bot);
    let told = found
        .and_then(|found| found["differences"].as_array())
        .into_iter()
        .flatten();
    told.filter_map(Value::as_str)
}

/// Whether the portal answers us; then its revision and its clock, too.
pub(super) async fn identity(report: &mut Report, beside: &Beside, of: &str) -> bool {
    let asked = call(beside, of, None, ("imbot.v2.Revision.get", json!({}))).await;
    let revision = match asked {
        Ok(revision) => revision,
        Err(trouble) => {
            report.found(("portal", of), kind_of(&trouble), &trouble.to_string());
            return false;
        }
    };
    match revision["rest"].as_i64() {
        Some(found @ ..REVISION) => {
            report.found(
                ("portal", of),
                &finding::REVISION_OLD,
                &format!("REST revision {found}"),
            );
        }
        found => report.fine(("portal", of), &format!("REST revision {}", found.unwrap_or_default())),
    }
    clock(report, beside, of).await;
    true
}

/// The portal's clock against the middle of the time that asking took.
async fn clock(report: &mut Report, beside: &Beside, portal: &str) {
    let of = ("clock", portal);
    let ours = Clock::system();
    let before = ours.now();
    let asked = call(beside, portal, None, ("server.time", json!({}))).await;
    let half = ours.now().since(before) / 2;
    let told = asked
        .as_ref()
        .ok()
        .and_then(|time| OffsetDateTime::parse(time.as_str()?, &Rfc3339).ok());
    let Some(told) = told else {
        let why = asked
            .err()
            .map_or_else(|| "its answer is no time".to_owned(), |trouble| trouble.to_string());
        return report.skipped(of, &why);
    };
    let theirs = Timestamp(told.unix_timestamp().saturating_mul(1000));
    let ours = before + half;
    let off = ours.since(theirs).max(theirs.since(ours));
    if off > CLOCK {
        let which = if ours > theirs { "ahead of" } else { "behind" };
        let said = format!("this machine is {} s {which} the portal", off.as_secs());
        report.found(of, &finding::CLOCK_OFF, &said);
    } else {
        report.fine(of, "agrees with the portal's");
    }
}

/// Subscriptions of the application to addresses that none of its bots has here.
pub(super) async fn subscriptions(
    report: &mut Report,
    beside: &Beside,
    (portal, bot): (&str, Option<i64>),
    known: &[&str],
) {
    let of = ("subscriptions", portal);
    let asked = match call(beside, portal, bot, ("event.get", json!({}))).await {
        Ok(asked) => asked,
        Err(trouble) => return report.skipped(of, &trouble.to_string()),
    };
    let stale = stale(&asked, known);
    match stale.as_slice() {
        [] => report.fine(of, "none to another address"),
        _ => report.found(of, &finding::SUBSCRIPTION_STALE, &stale.join(", ")),
    }
}

/// How many events go to which other address; nothing where no address is known.
fn stale(subscriptions: &Value, known: &[&str]) -> Vec<String> {
    let listed = subscriptions.as_array().map_or(&[][..], Vec::as_slice);
    let handlers = listed.iter().filter_map(|row| row["handler"].as_str());
    let mut elsewhere = BTreeMap::new();
    for handler in handlers.filter(|handler| !handler.is_empty() && !known.is_empty() && !known.contains(handler)) {
        *elsewhere.entry(bare(handler)).or_insert(0_usize) += 1;
    }
    let elsewhere = elsewhere.into_iter();
    elsewhere
        .map(|(address, events)| format!("{events} to {address}"))
        .collect()
}

/// An address without what may be secret in it.
fn bare(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return "an unreadable address".to_owned();
    };
    let hidden = url.query().is_some();
    url.set_query(None);
    url.set_fragment(None);
    // Only an address without a host can have no user.
    let _ = (url.set_username(""), url.set_password(None));
    format!("{url}{}", if hidden { "?…" } else { "" })
}

async fn bot(report: &mut Report, beside: &Beside, portal: &str, settings: &BotSettings) {
    let named = format!(
        "{portal}/{}",
        if settings.id > 0 {
            settings.id.to_string()
        } else {
            settings.code.clone()
        }
    );
    let of = ("bot", named.as_str());
    let token = settings
        .bot_token
        .as_ref()
        .map_or(0, |token| token.expose().chars().count());
    if token > LONGEST_TOKEN {
        report.found(
            of,
            &finding::BOT_TOKEN_LONG,
            &format!("bot_token has {token} characters"),
        );
    }
    if settings.id <= 0 {
        return report.skipped(of, "its number is not known yet");
    }
    let asked = call(
        beside,
        portal,
        Some(settings.id),
        ("imbot.v2.Bot.get", json!({ "botId": settings.id })),
    )
    .await;
    let found = match asked {
        Ok(found) => found["bot"].clone(),
        Err(trouble) => return report.found(of, kind_of(&trouble), &trouble.to_string()),
    };
    match differs(settings, &found) {
        Differs::Nothing => report.fine(
            of,
            &format!("{} at the portal", found["code"].as_str().unwrap_or("there")),
        ),
        Differs::Owner => foreign(report, beside, (portal, settings), of).await,
        Differs::Code(code) => {
            let said = format!(
                "bot {} has the code {code}, configured is {}",
                settings.id, settings.code
            );
            report.found(of, &finding::BOT_ID_FOREIGN, &said);
        }
        Differs::Mode(mode) => {
            let said = format!("the portal has {mode}, configured is {}", word(settings.event_mode));
            report.found(of, &finding::EVENT_MODE_DIFFERS, &said);
        }
        Differs::Wishes(said) => report.found(of, &finding::BOT_DIFFERS, &said),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Differs {
    Nothing,
    /// Shown as to a stranger.
    Owner,
    Code(String),
    Mode(String),
    /// Type or flags: which, here and there.
    Wishes(String),
}

fn word(mode: EventMode) -> &'static str {
    match mode {
        EventMode::Webhook => "webhook",
        EventMode::Fetch => "fetch",
    }
}

/// `found`: the bot as `Bot.get` shows it. Only its owner sees the mode.
fn differs(settings: &BotSettings, found: &Value) -> Differs {
    let Some(mode) = found["eventMode"].as_str() else {
        return Differs::Owner;
    };
    let code = found["code"].as_str().unwrap_or_default();
    if !settings.code.is_empty() && settings.code != code {
        return Differs::Code(code.to_owned());
    }
    if mode != word(settings.event_mode) {
        return Differs::Mode(mode.to_owned());
    }
    let other = unwished(&settings.wishes, found);
    if other.is_empty() {
        Differs::Nothing
    } else {
        Differs::Wishes(other.join(", "))
    }
}

/// What the configuration says of type and flags, and the portal otherwise. The names are those of the keys.
fn unwished(wishes: &Wishes, found: &Value) -> Vec<String> {
    let flag = |key, name: &str, wished: Option<bool>| {
        let (wished, there) = (wished?, found[name].as_bool()?);
        (wished != there).then(|| format!("{key} is {there} at the portal, configured is {wished}"))
    };
    let kind = wishes.kind.and_then(|wished| {
        let there = found["type"].as_str()?;
        let wished = wished.as_str();
        (wished != there).then(|| format!("type is {there} at the portal, configured is {wished}"))
    });
    let flags = [
        flag("hidden", "isHidden", wishes.hidden),
        flag("reactions", "isReactionsEnabled", wishes.reactions),
        flag("openline", "isSupportOpenline", wishes.openline),
    ];
    kind.into_iter().chain(flags.into_iter().flatten()).collect()
}

/// Not ours with this token: the token is wrong, or the number. The list of the token's own bots tells which.
async fn foreign(
    report: &mut Report,
    beside: &Beside,
    (portal, settings): (&str, &BotSettings),
    of: (&'static str, &str),
) {
    let asked = call(beside, portal, Some(settings.id), ("imbot.v2.Bot.list", json!({}))).await;
    let own = match &asked {
        Ok(list) => list["bots"].as_array().map_or(&[][..], Vec::as_slice),
        Err(trouble) => return report.found(of, kind_of(trouble), &trouble.to_string()),
    };
    let own: Vec<String> = own
        .iter()
        .map(|bot| format!("{} {}", bot["id"], bot["code"].as_str().unwrap_or_default()))
        .collect();
    if own.is_empty() {
        let said = format!(
            "bot {} does not belong to this identity, and neither does any other",
            settings.id
        );
        report.found(of, &finding::BOT_TOKEN_WRONG, &said);
    } else {
        let said = format!(
            "bot {} belongs to somebody else; this identity has: {}",
            settings.id,
            own.join(", ")
        );
        report.found(of, &finding::BOT_ID_FOREIGN, &said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::BotType;

    #[test]
    fn type_and_flags_are_held_against_what_is_configured_alone() {
        let found = json!({ "type": "bot", "isHidden": false, "isReactionsEnabled": true, "isSupportOpenline": false });
        assert_eq!(unwished(&Wishes::default(), &found), [""; 0]);
        let mut wishes = Wishes {
            kind: Some(BotType::Supervisor),
            hidden: Some(false),
            reactions: Some(false),
            ..Wishes::default()
        };
        let told = [
            "type is bot at the portal, configured is supervisor",
            "reactions is true at the portal, configured is false",
        ];
        assert_eq!(unwished(&wishes, &found), told);
        wishes.openline = Some(true);
        assert_eq!(unwished(&wishes, &found).len(), 3);
    }

    #[test]
    fn subscriptions_to_another_address_are_stale() {
        let listed = json!([
            { "event": "ONIMBOTV2MESSAGEADD", "handler": "https://a.example/webhook" },
            { "event": "ONIMBOTV2JOINCHAT", "handler": "https://old.example/webhook?x=1" },
            { "event": "ONAPPUPDATE", "handler": "" },
        ]);
        assert_eq!(
            stale(&listed, &["https://a.example/webhook"]),
            ["1 to https://old.example/webhook?…"]
        );
        assert!(stale(&listed, &[]).is_empty(), "nothing to compare with");
        assert!(stale(&json!("x"), &["u"]).is_empty());
    }

    #[test]
    fn each_refusal_of_a_call_has_its_finding() {
        for (reason, code, detail, expected) in [
            ("unreachable", "", "", &finding::PORTAL_UNREACHABLE),
            ("unknown_outcome", "timeout", "", &finding::PORTAL_UNREACHABLE),
            ("identity", "insufficient_scope", "", &finding::SCOPE_MISSING),
            ("parked", "", "parked: insufficient_scope", &finding::SCOPE_MISSING),
            ("identity", "NO_AUTH_FOUND", "", &finding::IDENTITY_REFUSED),
            ("parked", "", "parked: BOT_OWNERSHIP_ERROR", &finding::BOT_TOKEN_WRONG),
            ("identity", "BOT_NOT_FOUND", "", &finding::BOT_MISSING),
            ("no_identity", "", "", &finding::NO_IDENTITY),
            ("paused", "", "", &finding::NOT_ASKED),
            ("no_budget", "", "", &finding::NOT_ASKED),
            ("refused", "ERROR_METHOD_NOT_FOUND", "", &finding::CALL_REFUSED),
        ] {
            let body = if code.is_empty() {
                Value::Null
            } else {
                json!({ "code": code })
            };
            let trouble = Trouble::Refused {
                reason: reason.to_owned(),
                detail: detail.to_owned(),
                body,
            };
            assert_eq!(kind_of(&trouble).name, expected.name, "{reason} {code}");
        }
    }
}
