//! `[[portal]]` and `[[portal.bot]]`: one at a time; what must hold between them is in `rules`.

use super::fields::Fields;
use super::keys;
use super::model::{BotSettings, EventMode, Plan, PortalSettings};
use super::report::{Place, Report, Wrong};
use super::rules;
use super::sections::Sources;
use super::{bots, urls, values};
use crate::types::Secret;
use toml::de::{DeTable, DeValue};
use url::Url;

/// A portal as far as it could be read, with what the rules need to know about what was written.
pub(super) struct PortalDraft {
    pub(super) place: Place,
    pub(super) name: Option<(Place, String)>,
    pub(super) domain: Option<(Place, String)>,
    pub(super) member_id: Option<(Place, String)>,
    pub(super) has_webhook: bool,
    pub(super) has_token: bool,
    pub(super) app: Option<(Place, String)>,
    pub(super) bots: Vec<BotDraft>,
    settings: PortalSettings,
}

/// A bot as far as it could be read.
pub(super) struct BotDraft {
    pub(super) place: Place,
    pub(super) id: Option<(Place, i64)>,
    /// A number is written, right or wrong.
    pub(super) has_id: bool,
    pub(super) code: Option<(Place, String)>,
    pub(super) has_bot_token: bool,
    pub(super) has_token: bool,
    /// Where it says that its events are fetched.
    pub(super) fetches: Option<Place>,
    settings: BotSettings,
}

/// All portals, as drafts: what they hold is only complete if the report has no mistake.
pub(super) fn drafts<'a>(sources: Sources<'a>, report: &mut Report<'a>) -> Vec<PortalDraft> {
    let mut root = Fields::of_table("", Place::Whole, sources.document, report);
    let tables = root.tables("portal");
    if !root.has("portal") && !root.has("app") {
        let wrong = Wrong::new(
            "no portal is configured",
            "add a [[portal]], or an [[app]]; `imbot config example` shows them",
        );
        root.report.mistake(&Place::Whole, wrong);
    }
    let drafts: Vec<PortalDraft> = tables
        .into_iter()
        .map(|(place, table)| portal(sources, place, table, report))
        .collect();
    rules::check(&drafts, report);
    drafts
}

impl PortalDraft {
    pub(super) fn settings(self) -> PortalSettings {
        PortalSettings {
            bots: self.bots.into_iter().map(|bot| bot.settings).collect(),
            ..self.settings
        }
    }
}

fn portal<'a>(sources: Sources<'a>, place: Place, table: &'a DeTable<'a>, report: &mut Report<'a>) -> PortalDraft {
    let mut fields = Fields::of_table("portal", place.clone(), table, report);
    fields.refuse_unknown(&keys::PORTAL);
    let name = name(&mut fields, "give the portal a short name of your own");
    let domain = fields.require(
        "domain",
        "write the portal's host, for example \"acme.bitrix24.com\"",
        |found| Ok((found.place.clone(), urls::domain(found)?)),
    );
    let member_id = fields.read("member_id", |found| {
        let id = values::filled(found)?;
        if id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok((found.place.clone(), id.to_owned()));
        }
        let help = "copy it from an event (auth[member_id], 32 letters and digits), or leave it out";
        Err(Wrong::new("not a member_id", help))
    });
    let app = fields.read("app", |found| {
        Ok((found.place.clone(), values::filled(found)?.to_owned()))
    });
    let allow_insecure = fields.read("allow_insecure", values::flag).unwrap_or(false);
    let endpoint = endpoint(&mut fields, domain.as_ref(), allow_insecure);
    let incoming_webhook = fields.read("incoming_webhook", |found| {
        let secret = sources.vault.secret(found)?;
        urls::incoming_webhook(&secret, endpoint.as_ref(), allow_insecure)
    });
    let settings = PortalSettings {
        name: value(name.as_ref()),
        domain: value(domain.as_ref()),
        member_id: member_id.as_ref().map(|(_, id)| id.clone()),
        plan: plan("portal.plan", &mut fields),
        endpoint: endpoint.unwrap_or_else(nowhere),
        incoming_webhook,
        application_token: secret(sources, &mut fields, "application_token"),
        allow_insecure,
        app: app.as_ref().map(|(_, app)| app.clone()),
        bots: Vec::new(),
    };
    let (has_webhook, has_token) = (fields.has("incoming_webhook"), fields.has("application_token"));
    let bots = fields.tables("bot");
    PortalDraft {
        place,
        name,
        domain,
        member_id,
        has_webhook,
        has_token,
        app,
        bots: bots
            .into_iter()
            .map(|(place, table)| bot(sources, place, table, report))
            .collect(),
        settings,
    }
}

/// A name for people, metrics and arguments.
pub(super) fn name(fields: &mut Fields<'_, '_>, help: &str) -> Option<(Place, String)> {
    fields.require("name", help, |found| {
        let name = values::filled(found)?;
        if name.chars().count() <= 64
            && !name.contains(|letter: char| letter == '/' || letter.is_whitespace() || letter.is_control())
        {
            return Ok((found.place.clone(), name.to_owned()));
        }
        let help = "use at most 64 characters, without blanks and /";
        Err(Wrong::new("not a name", help))
    })
}

fn bot<'a>(sources: Sources<'a>, place: Place, table: &'a DeTable<'a>, report: &mut Report<'a>) -> BotDraft {
    let mut fields = Fields::of_table("portal.bot", place.clone(), table, report);
    fields.refuse_unknown(&keys::BOT);
    let id = fields.read("id", |found| Ok((found.place.clone(), values::positive(found)?)));
    let code = fields.read("code", |found| {
        Ok((found.place.clone(), values::text(found)?.to_owned()))
    });
    let bot_token = secret(sources, &mut fields, "bot_token");
    if let (Some(token), Some(found)) = (&bot_token, fields.find("bot_token"))
        && token.expose().chars().count() > 40
    {
        fields.report.warning(
            &found.place,
            "portal.bot.bot_token: longer than 40 characters: Bitrix24 serves existing bots with it, but registers no new ones",
        );
    }
    let token_source = fields.find("bot_token").map(|found| sources.vault.source(&found));
    let event_mode = event_mode(&mut fields);
    let fetches = (event_mode == EventMode::Fetch)
        .then(|| fields.find("event_mode").map(|found| found.place))
        .flatten();
    let settings = BotSettings {
        id: id.as_ref().map_or(0, |(_, id)| *id),
        code: value(code.as_ref()),
        handler: handler(sources, &mut fields),
        bot_token,
        token_source: token_source.unwrap_or_default(),
        application_token: secret(sources, &mut fields, "application_token"),
        event_url: fields.read("event_url", urls::event_url),
        event_mode,
        wishes: bots::wishes(sources, "portal.bot.profile", &mut fields),
    };
    BotDraft {
        place,
        has_id: fields.has("id"),
        id,
        code,
        has_bot_token: fields.has("bot_token"),
        has_token: fields.has("application_token"),
        fetches,
        settings,
    }
}

/// `event_mode`: how the bot's events come.
pub(super) fn event_mode(fields: &mut Fields<'_, '_>) -> EventMode {
    let modes = [("webhook", EventMode::Webhook), ("fetch", EventMode::Fetch)];
    fields
        .read("event_mode", |found| values::choice(found, &modes))
        .unwrap_or_default()
}

pub(super) fn handler(sources: Sources<'_>, fields: &mut Fields<'_, '_>) -> String {
    let help = format!(
        "name the bot in the program that answers: {}",
        sources.handlers.join(", ")
    );
    fields
        .require("handler", &help, |found| {
            let name = values::text(found)?;
            if sources.handlers.contains(&name) {
                return Ok(name.to_owned());
            }
            let what = format!("the program has no bot \"{}\"", values::shown(name));
            Err(Wrong::new(what, values::suggestion(name, sources.handlers)))
        })
        .unwrap_or_default()
}

fn endpoint(fields: &mut Fields<'_, '_>, domain: Option<&(Place, String)>, allow_insecure: bool) -> Option<Url> {
    if fields.has("endpoint") {
        return fields.read("endpoint", |found| urls::endpoint(found, allow_insecure));
    }
    let (place, domain) = domain?;
    match urls::default_endpoint(domain, allow_insecure) {
        Ok(url) => Some(url),
        Err(wrong) => {
            fields.mistake("domain", place, wrong);
            None
        }
    }
}

/// `plan`, of the table at `path`.
pub(super) fn plan(path: &'static str, fields: &mut Fields<'_, '_>) -> Plan {
    let Some(found) = fields.find("plan") else {
        return Plan::STANDARD;
    };
    if let DeValue::Table(table) = found.value {
        let mut fields = Fields::of_table(path, found.place, table, fields.report);
        fields.refuse_unknown(&keys::PLAN);
        let help = "write both, for example { burst = 50, rate = 2.0 }";
        let burst = fields.require("burst", help, values::positive);
        let rate = fields.require("rate", help, values::positive_number);
        return Plan {
            burst: burst.unwrap_or(Plan::STANDARD.burst),
            rate: rate.unwrap_or(Plan::STANDARD.rate),
        };
    }
    let plans = [("standard", Plan::STANDARD), ("enterprise", Plan::ENTERPRISE)];
    fields
        .read("plan", |found| values::choice(found, &plans))
        .unwrap_or(Plan::STANDARD)
}

fn secret(sources: Sources<'_>, fields: &mut Fields<'_, '_>, key: &str) -> Option<Secret> {
    fields.read(key, |found| sources.vault.secret(found))
}

/// Stands in for an endpoint that could not be read; the mistake is noted, so nobody will call it.
fn nowhere() -> Url {
    #[expect(clippy::expect_used, reason = "a constant that parses")]
    Url::parse("https://invalid.invalid/rest/").expect("a valid URL")
}

pub(super) fn value(read: Option<&(Place, String)>) -> String {
    read.map(|(_, text)| text.clone()).unwrap_or_default()
}
