//! What must hold between the parts of a configuration: unique names, a token for every portal, an identity for every
//! bot. Looks at what was written, so that a credential that could not be read is not called missing as well.

use super::portals::{BotDraft, PortalDraft};
use super::report::{Place, Report, Wrong};
use std::collections::HashMap;

/// Notes every rule that is broken.
pub(super) fn check(portals: &[PortalDraft], report: &mut Report<'_>) {
    let unique = "every portal needs its own";
    refuse_repeats(
        "portal.name",
        unique,
        portals.iter().filter_map(|portal| portal.name.as_ref()),
        report,
    );
    refuse_repeats(
        "portal.domain",
        unique,
        portals.iter().filter_map(|portal| portal.domain.as_ref()),
        report,
    );
    refuse_repeats(
        "portal.member_id",
        unique,
        portals.iter().filter_map(|portal| portal.member_id.as_ref()),
        report,
    );
    for portal in portals {
        tokens(portal, report);
        let ids = portal.bots.iter().filter_map(|bot| bot.id.as_ref());
        refuse_repeats("portal.bot.id", "events go to a bot by its id", ids, report);
        let codes = || portal.bots.iter().filter_map(|bot| bot.code.as_ref());
        if portal.bots.iter().any(|bot| !bot.has_id) {
            let codes = codes().filter(|(_, code)| !code.is_empty());
            refuse_repeats(
                "portal.bot.code",
                "a bot without id is known by its code",
                codes,
                report,
            );
        }
        for bot in &portal.bots {
            number(portal, bot, report);
            identity(portal, bot, report);
            fetching(portal, bot, report);
        }
    }
}

pub(super) fn refuse_repeats<'d, T: std::hash::Hash + Eq + std::fmt::Display + 'd>(
    key: &str,
    help: &str,
    values: impl Iterator<Item = &'d (Place, T)>,
    report: &mut Report<'_>,
) {
    let mut seen: HashMap<&T, &Place> = HashMap::new();
    for (place, value) in values {
        match seen.get(value) {
            Some(first) => {
                let what = format!("{key}: {value} is already used in line {}", report.line(first));
                report.mistake(place, Wrong::new(what, help));
            }
            None => {
                seen.insert(value, place);
            }
        }
    }
}

/// A portal with nothing to recognise its events by, or nobody to handle them, is a mistake.
fn tokens(portal: &PortalDraft, report: &mut Report<'_>) {
    if portal.app.is_some() {
        // Its token comes with the installation, its bots with the application.
        return;
    }
    if portal.bots.is_empty() {
        let wrong = Wrong::new("portal: it has no bots", "add a [[portal.bot]] below it");
        report.mistake(&portal.place, wrong);
    } else if !portal.has_token && !portal.bots.iter().any(|bot| bot.has_bot_token || bot.has_token) {
        let wrong = Wrong::new(
            "portal: no token, so none of its events could be told from a forgery",
            "set application_token here, or bot_token in its [[portal.bot]]",
        );
        report.mistake(&portal.place, wrong);
    }
}

/// A bot without a number is one that `imbot register` makes, or finds by its code.
fn number(portal: &PortalDraft, bot: &BotDraft, report: &mut Report<'_>) {
    let coded = bot.code.as_ref().is_some_and(|(_, code)| !code.is_empty());
    let owned = portal.app.is_some() || (bot.has_bot_token && portal.has_webhook);
    let can_be_learned = coded && owned;
    if !bot.has_id && !can_be_learned {
        let help = "write the bot's number at this portal; or its code and bot_token, with the portal's incoming_webhook: \
                    then `imbot register --apply` makes the bot and keeps its number";
        report.mistake(&bot.place, Wrong::new("portal.bot.id: missing", help));
    }
}

/// As whom the bot speaks: the webhook with its own token, else the token that comes with an application's events.
fn identity(portal: &PortalDraft, bot: &BotDraft, report: &mut Report<'_>) {
    if bot.has_bot_token {
        if !portal.has_webhook {
            report.warning(
                &bot.place,
                "portal.bot: receives only: it has a bot_token, but its portal has no incoming_webhook to call with",
            );
        }
        return;
    }
    if portal.app.is_some() {
        return;
    }
    let with_token = |bot: &BotDraft| bot.has_bot_token || bot.has_token;
    if bot.has_token || portal.has_token || !portal.bots.iter().any(with_token) {
        // Recognised, or part of a portal without any token, which `tokens` has refused.
        return;
    }
    if portal.has_webhook {
        let wrong = Wrong::new(
            "portal.bot: it cannot call the portal: incoming_webhook works only with a bot_token",
            "set bot_token, or application_token if the bot belongs to an application",
        );
        report.mistake(&bot.place, wrong);
    } else {
        report.warning(
            &bot.place,
            "portal.bot: receives nothing: neither it nor its portal has a token to recognise its events by",
        );
    }
}

/// Whoever fetches asks before any event has brought a token.
fn fetching(portal: &PortalDraft, bot: &BotDraft, report: &mut Report<'_>) {
    let Some(place) = &bot.fetches else { return };
    if (bot.has_bot_token && portal.has_webhook) || portal.app.is_some() {
        return;
    }
    let wrong = Wrong::new(
        "portal.bot.event_mode: nothing to fetch events with",
        "set the portal's incoming_webhook and the bot's bot_token, or app if it belongs to an application",
    );
    report.mistake(place, wrong);
}
