//! `[[app]]` and `[[app.bot]]`: OAuth applications, whose portals come by installation. What must hold between them and
//! the portals is checked here too; shows no secret.

use super::fields::Fields;
use super::keys;
use super::model::{AppBot, AppSettings, Install};
use super::portals::{self, PortalDraft};
use super::report::{Place, Report, Wrong};
use super::rules;
use super::sections::Sources;
use super::{bots, urls, values};
use crate::types::Secret;
use toml::de::DeTable;

/// An application as far as it could be read.
pub(super) struct AppDraft {
    place: Place,
    name: Option<(Place, String)>,
    client_id: Option<(Place, String)>,
    bots: Vec<BotDraft>,
    settings: AppSettings,
}

struct BotDraft {
    id: Option<(Place, i64)>,
    code: Option<(Place, String)>,
    settings: AppBot,
}

/// All applications, as drafts: the portals are held to them before they are settings.
pub(super) fn drafts<'a>(sources: Sources<'a>, report: &mut Report<'a>) -> Vec<AppDraft> {
    let mut root = Fields::of_table("", Place::Whole, sources.document, report);
    let tables = root.tables("app");
    tables
        .into_iter()
        .map(|(place, table)| app(sources, place, table, report))
        .collect()
}

impl AppDraft {
    pub(super) fn settings(self) -> AppSettings {
        AppSettings {
            bots: self.bots.into_iter().map(|bot| bot.settings).collect(),
            ..self.settings
        }
    }
}

fn app<'a>(sources: Sources<'a>, place: Place, table: &'a DeTable<'a>, report: &mut Report<'a>) -> AppDraft {
    let mut fields = Fields::of_table("app", place.clone(), table, report);
    fields.refuse_unknown(&keys::APP);
    let name = portals::name(&mut fields, "give the application a short name of your own");
    let help = "copy it from the application's page in the portal: local.… or app.…";
    let client_id = fields.require("client_id", help, |found| {
        let id = values::filled(found)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if id.len() <= 100 && id.bytes().all(plain) {
            return Ok((found.place.clone(), id.to_owned()));
        }
        Err(Wrong::new("not a client_id", help))
    });
    let help =
        "copy it from the application's page in the portal; best as { file = \"PATH\" } or { credential = \"NAME\" }";
    let client_secret = fields.require("client_secret", help, |found| sources.vault.secret(found));
    let allow_insecure = fields.read("allow_insecure", values::flag).unwrap_or(false);
    let choices = [
        ("ask", Install::Ask),
        ("listed", Install::Listed),
        ("open", Install::Open),
    ];
    let settings = AppSettings {
        name: portals::value(name.as_ref()),
        client_id: portals::value(client_id.as_ref()),
        client_secret: client_secret.unwrap_or_else(|| Secret::new("")),
        install: fields
            .read("install", |found| values::choice(found, &choices))
            .unwrap_or(Install::Ask),
        auth_servers: auth_servers(&mut fields, allow_insecure),
        allow_insecure,
        plan: portals::plan("app.plan", &mut fields),
        bots: Vec::new(),
    };
    let bots = fields.tables("bot");
    AppDraft {
        place,
        name,
        client_id,
        bots: bots
            .into_iter()
            .map(|(place, table)| bot(sources, &place, table, report))
            .collect(),
        settings,
    }
}

fn auth_servers(fields: &mut Fields<'_, '_>, allow_insecure: bool) -> Vec<String> {
    let named = fields.list("auth_servers", |found| urls::auth_server(found, allow_insecure));
    if named.as_ref().is_some_and(Vec::is_empty) {
        let place = fields.find("auth_servers").map_or(Place::Whole, |found| found.place);
        let help = "name at least one, or remove the line: oauth.bitrix.info and oauth.bitrix24.tech are the default";
        fields.mistake("auth_servers", &place, Wrong::new("empty", help));
    }
    let default = || {
        vec![
            "https://oauth.bitrix.info".to_owned(),
            "https://oauth.bitrix24.tech".to_owned(),
        ]
    };
    named.unwrap_or_else(default)
}

fn bot<'a>(sources: Sources<'a>, place: &Place, table: &'a DeTable<'a>, report: &mut Report<'a>) -> BotDraft {
    let mut fields = Fields::of_table("app.bot", place.clone(), table, report);
    fields.refuse_unknown(&keys::BOT);
    for key in ["bot_token", "application_token"] {
        if let Some(found) = fields.find(key) {
            let help = "remove it: a bot of an application is called with the application's tokens";
            fields.mistake(key, &found.place, Wrong::new("not for a bot of an application", help));
        }
    }
    let id = fields.read("id", |found| Ok((found.place.clone(), values::positive(found)?)));
    let code = fields.read("code", |found| {
        Ok((found.place.clone(), values::filled(found)?.to_owned()))
    });
    if !fields.has("id") && !fields.has("code") {
        let help = "write the bot's code: its number differs from portal to portal, and is learned by `imbot register` or from its events";
        let place = fields.place.clone();
        fields.mistake("code", &place, Wrong::new("missing", help));
    }
    let event_mode = portals::event_mode(&mut fields);
    let settings = AppBot {
        id: id.as_ref().map(|(_, id)| *id),
        code: portals::value(code.as_ref()),
        handler: portals::handler(sources, &mut fields),
        event_url: fields.read("event_url", urls::event_url),
        event_mode,
        wishes: bots::wishes(sources, "app.bot.profile", &mut fields),
    };
    BotDraft { id, code, settings }
}

/// Notes every rule that is broken between applications, portals and the store's key.
pub(super) fn check(apps: &[AppDraft], portals: &[PortalDraft], has_key: bool, report: &mut Report<'_>) {
    let unique = "every application needs its own";
    rules::refuse_repeats(
        "app.name",
        unique,
        apps.iter().filter_map(|app| app.name.as_ref()),
        report,
    );
    let ids = apps.iter().filter_map(|app| app.client_id.as_ref());
    rules::refuse_repeats("app.client_id", unique, ids, report);
    for app in apps {
        let unique = "events go to a bot by its id or its code";
        rules::refuse_repeats(
            "app.bot.id",
            unique,
            app.bots.iter().filter_map(|bot| bot.id.as_ref()),
            report,
        );
        let codes = app.bots.iter().filter_map(|bot| bot.code.as_ref());
        rules::refuse_repeats("app.bot.code", unique, codes, report);
        if !has_key {
            let help = "set store.key to 32 bytes of your own, for example { credential = \"store-key\" }; `openssl rand \
                        -hex 32` makes them. The tokens of installations are kept sealed with it";
            report.mistake(&app.place, Wrong::new("app: there is no store.key", help));
        }
        let name = &app.settings.name;
        let listed = || {
            portals
                .iter()
                .filter(|portal| portal.app.as_ref().is_some_and(|(_, app)| app == name))
        };
        if app.bots.is_empty() && (app.settings.install != Install::Listed || listed().any(|it| it.bots.is_empty())) {
            report.mistake(
                &app.place,
                Wrong::new("app: it has no bots", "add an [[app.bot]] below it"),
            );
        }
        if app.settings.install == Install::Listed && listed().next().is_none() {
            let text =
                format!("app: install = \"listed\", but no [[portal]] has app = \"{name}\": it cannot be installed");
            report.warning(&app.place, text);
        }
    }
    let names: Vec<&str> = apps.iter().map(|app| app.settings.name.as_str()).collect();
    for (place, named) in portals.iter().filter_map(|portal| portal.app.as_ref()) {
        if !names.contains(&named.as_str()) {
            let what = format!("portal.app: there is no [[app]] \"{}\"", values::shown(named));
            let help = match names[..] {
                [] => "add an [[app]] of this name; `imbot config example` shows one".to_owned(),
                _ => values::suggestion(named, &names),
            };
            report.mistake(place, Wrong::new(what, help));
        }
    }
}
