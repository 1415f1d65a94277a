//! Settings to portals and applications as they are served. Reads nothing but the numbers that the store gives.

use crate::identity::{Admission, AppBot, Application, Identities, Setup, Site, SiteBot};
use crate::rest::Client;
use crate::settings::{AppSettings, BotSettings, EventMode, Install, PortalSettings, Settings};
use crate::store::{self, Store};
use crate::telemetry;
use crate::types::{Clock, PortalId};
use std::collections::HashMap;

/// The configured portals with their numbers in the store, and the installed ones. Blocks for the disk.
pub(crate) fn identities(
    settings: &Settings,
    store: &Store,
    clock: &Clock,
    client: &Client,
) -> Result<Identities, store::StoreError> {
    Identities::new(Setup {
        store: store.clone(),
        clock: clock.clone(),
        client: client.clone(),
        sites: sites(settings, store)?,
        applications: settings.apps.iter().map(application).collect(),
    })
}

/// The configured portals. Blocks for the disk.
pub(super) fn sites(settings: &Settings, store: &Store) -> Result<Vec<Site>, store::StoreError> {
    let names: Vec<&str> = settings.portals.iter().map(|portal| portal.name.as_str()).collect();
    let ids = store.register_portals(&names)?;
    for name in names {
        telemetry::portal_served(name);
    }
    let sites = ids.into_iter().zip(&settings.portals);
    Ok(sites
        .map(|(id, portal)| site(store, id, portal, &settings.apps))
        .collect())
}

/// A configured portal as it is served. One that names an application has the application's bots, unless it has its own.
fn site(store: &Store, id: PortalId, portal: &PortalSettings, apps: &[AppSettings]) -> Site {
    let (known, new): (Vec<_>, Vec<_>) = portal.bots.iter().partition(|bot| bot.id != 0);
    let own: HashMap<i64, SiteBot> = known.into_iter().map(|bot| (bot.id, site_bot(bot))).collect();
    let unnumbered: HashMap<String, SiteBot> = new.into_iter().map(|bot| (bot.code.clone(), site_bot(bot))).collect();
    let app = portal.app.as_ref();
    let app = app.and_then(|name| apps.iter().find(|app| app.name == *name));
    let (bots, unnumbered) = match app {
        Some(app) if portal.bots.is_empty() => application(app).bots(),
        _ => (own, unnumbered),
    };
    Site {
        id,
        name: portal.name.clone(),
        domain: portal.domain.clone(),
        member_id: portal.member_id.clone().or_else(|| store.pinned_member(id)),
        endpoint: portal.endpoint.to_string(),
        allow_insecure: portal.allow_insecure,
        incoming_webhook: portal.incoming_webhook.clone(),
        application_token: portal.application_token.clone(),
        installed: Vec::new(),
        burst: portal.plan.burst,
        rate: portal.plan.rate,
        app: portal.app.clone(),
        configured: true,
        parked: None,
        bots,
        unnumbered,
    }
}

fn site_bot(bot: &BotSettings) -> SiteBot {
    SiteBot {
        handler: bot.handler.clone(),
        bot_token: bot.bot_token.clone(),
        token_source: bot.token_source.clone(),
        event_token: bot.expected_token(),
        label: bot.code.clone(),
        fetches: bot.event_mode == EventMode::Fetch,
        event_url: bot.event_url.clone(),
        ..SiteBot::default()
    }
}

fn application(app: &AppSettings) -> Application {
    Application {
        name: app.name.clone(),
        client_id: app.client_id.clone(),
        client_secret: app.client_secret.clone(),
        admission: match app.install {
            Install::Ask => Admission::Ask,
            Install::Listed => Admission::Listed,
            Install::Open => Admission::Open,
        },
        auth_servers: app.auth_servers.clone(),
        allow_insecure: app.allow_insecure,
        burst: app.plan.burst,
        rate: app.plan.rate,
        bots: app
            .bots
            .iter()
            .map(|bot| AppBot {
                code: bot.code.clone(),
                id: bot.id,
                handler: bot.handler.clone(),
                fetches: bot.event_mode == EventMode::Fetch,
                event_url: bot.event_url.clone(),
            })
            .collect(),
    }
}
