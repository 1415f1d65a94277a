//! `imbot doctor`: checks the set-up from outside in and says of each finding what it means, what to do and which key to
//! change. Owns the arguments, the order of the checks and the exit code; changes nothing.

mod disk;
pub(super) mod finding;
mod limit;
mod live;
mod portal;
pub(super) mod probe;
mod report;

use super::beside::{Beside, Common, Place, blocking};
use super::output::{complain, print};
use super::{exit, output};
use crate::app::App;
use crate::settings::{BotSettings, Environment, EventMode, PortalSettings, Settings};
use crate::store;
use live::Live;
use probe::{Resolve, Way, round_trip};
use report::Report;
use reqwest::Certificate;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of every finding, for the test that holds the guide to it.
#[cfg(feature = "testing")]
pub(crate) fn findings() -> Vec<&'static str> {
    finding::ALL.iter().map(|kind| kind.name).collect()
}

const EXIT_CODES: &str = "Exit codes: 0 nothing failed (warnings do not count) · 1 something failed · 2 wrong arguments · 78 the \
configuration is wrong.";

/// `imbot doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Arguments {
    /// This portal alone.
    #[arg(long)]
    portal: Option<String>,
    /// Also proves what only a live portal can: sends a message, twice, to --dialog; uses up the portal's budget until it
    /// refuses, so that other calls wait for up to half a minute; and waits for a message that you write to the bot.
    #[arg(long, requires = "dialog")]
    live: bool,
    /// Where --live writes: a number of a user, or `chat5`.
    #[arg(long, requires = "live")]
    dialog: Option<String>,
    /// The bot that --live speaks as (its number); the portal's first one, if it is not given.
    #[arg(long, requires = "live")]
    bot: Option<i64>,
    /// How many seconds --live waits for the message that you write.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    wait: u64,
    /// Root certificates to trust beside those of the machine (PEM), for the way through the public address.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// HOST:PORT:ADDRESS, as for curl: where a host of event_url is, whatever DNS says. May be repeated.
    #[arg(long, value_name = "HOST:PORT:ADDRESS")]
    resolve: Vec<Resolve>,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(app: &App, arguments: &Arguments, environment: &Environment) -> u8 {
    let place = match Place::of(app, &arguments.common, environment) {
        Ok(place) => place,
        Err(code) => return code,
    };
    let Some(settings) = &place.settings else {
        complain("doctor holds everything against the configuration: give --config instead of --data");
        return exit::USAGE;
    };
    let (way, portals) = match (way(arguments), chosen(arguments, settings)) {
        (Ok(way), Ok(portals)) => (way, portals),
        (Err(why), _) | (_, Err(why)) => {
            complain(&why);
            return exit::USAGE;
        }
    };
    let done = blocking(async {
        let mut report = Report::default();
        examine(&mut report, &place, settings, (arguments, &way, &portals)).await;
        Ok(report)
    });
    let report = match done {
        Ok(report) => report,
        Err(code) => return code,
    };
    let printed = if arguments.common.json {
        print(&format!("{:#}\n", report.json()))
    } else {
        print(&report.text())
    };
    printed.max(report.exit())
}

fn way(arguments: &Arguments) -> Result<Way, String> {
    let roots = match &arguments.ca {
        None => Vec::new(),
        Some(file) => {
            let pem = output::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let read = Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|roots| !roots.is_empty());
            read.ok_or_else(|| format!("{}: no certificate in PEM", file.display()))?
        }
    };
    Ok(Way {
        resolve: arguments.resolve.clone(),
        roots,
    })
}

/// The portals to look at; with `--live` one, which must be clear.
fn chosen<'a>(arguments: &Arguments, settings: &'a Settings) -> Result<Vec<&'a PortalSettings>, String> {
    let all = || settings.portals.iter();
    let names = || all().map(|portal| portal.name.as_str()).collect::<Vec<_>>().join(", ");
    let portals: Vec<_> = match &arguments.portal {
        None => all().collect(),
        Some(name) => all().filter(|portal| portal.name == *name).collect(),
    };
    match (portals.len(), &arguments.portal) {
        (0, Some(name)) => Err(format!("there is no portal {name}; the configuration has: {}", names())),
        (2.., None) if arguments.live => Err(format!("--live needs --portal; the configuration has: {}", names())),
        _ => Ok(portals),
    }
}

async fn examine(
    report: &mut Report,
    place: &Place,
    settings: &Settings,
    (arguments, way, portals): (&Arguments, &Way, &[&PortalSettings]),
) {
    let folder = place.folder();
    if !folder.exists() {
        let named = folder.display().to_string();
        report.skipped(("store", &named), "not there yet: `imbot serve` makes it");
        return skip(
            report,
            portals,
            "without a store nobody can ask the portal: start `imbot serve` first",
        );
    }
    let usable = disk::check(report, folder);
    if !usable && store::owner(folder).is_none() {
        return skip(
            report,
            portals,
            "the store cannot be used, and without it nobody can ask the portal",
        );
    }
    let beside = match Beside::find(place).await {
        Ok(beside) => beside,
        Err(code) => {
            let named = folder.display().to_string();
            let kind = if code == exit::BUSY {
                &finding::SERVER_SILENT
            } else {
                &finding::STORE_FAILED
            };
            report.found(("server", &named), kind, "see the line above");
            return skip(report, portals, "nobody can ask the portal");
        }
    };
    room(report, &beside, settings, folder).await;
    for portal in portals {
        events(report, &beside, portal, way).await;
        let known = addresses(settings, portal.app.as_deref(), &portal.bots);
        portal::check(report, &beside, portal, &known).await;
        if let (true, Some(dialog)) = (arguments.live, &arguments.dialog) {
            live(report, &beside, portal, (arguments, dialog)).await;
        }
    }
    if arguments.portal.is_none() {
        installed(report, &beside, settings).await;
    }
    beside.close().await;
}

/// Portals that have installed an application, and that no `[[portal]]` lists.
async fn installed(report: &mut Report, beside: &Beside, settings: &Settings) {
    let status = beside.get("/api/v1/status").await.unwrap_or_default();
    let bots = beside.get("/api/v1/bots").await.unwrap_or_default();
    let apps = bots["portals"].as_array().map_or(&[][..], Vec::as_slice);
    for portal in status["portals"].as_array().into_iter().flatten() {
        let name = portal["name"].as_str().unwrap_or_default();
        let listed = settings.portals.iter().any(|portal| portal.name == name);
        if !listed && portal["served"] == true && portal::identity(report, beside, name).await {
            let app = apps.iter().find(|known| known["name"] == name);
            let app = app.and_then(|known| known["app"].as_str());
            portal::subscriptions(report, beside, (name, None), &addresses(settings, app, &[])).await;
        }
    }
}

/// Where the events of a portal's bots are to go: of those it lists, else of those of its application.
fn addresses<'a>(settings: &'a Settings, app: Option<&str>, own: &'a [BotSettings]) -> Vec<&'a str> {
    if !own.is_empty() {
        return own.iter().filter_map(|bot| bot.event_url.as_deref()).collect();
    }
    let apps = settings.apps.iter().filter(|known| app == Some(known.name.as_str()));
    let bots = apps.flat_map(|app| &app.bots);
    bots.filter_map(|bot| bot.event_url.as_deref()).collect()
}

fn skip(report: &mut Report, portals: &[&PortalSettings], why: &str) {
    for portal in portals {
        report.skipped(("portal", &portal.name), why);
    }
}

/// What the store itself says: whether it has failed, and how full it is by its own limit.
async fn room(report: &mut Report, beside: &Beside, settings: &Settings, folder: &Path) {
    let named = folder.display().to_string();
    let of = ("room", named.as_str());
    let status = match beside.get("/api/v1/status").await {
        Ok(status) => status,
        Err(trouble) => return report.found(of, &finding::STORE_FAILED, &trouble.to_string()),
    };
    let (used, limit) = (status["storeBytes"].as_u64().unwrap_or(0), settings.store.max_bytes);
    let said = format!("{} of {} MiB used", used >> 20, limit >> 20);
    if used >= limit {
        report.found(of, &finding::STORE_FULL, &said);
    } else if used >= limit / 5 * 4 {
        report.found(of, &finding::STORE_NEARLY_FULL, &said);
    } else {
        report.fine(of, &said);
    }
}

/// The way to each address that the portal was told, once for all bots that have it.
async fn events(report: &mut Report, beside: &Beside, portal: &PortalSettings, way: &Way) {
    let mut urls: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for bot in portal.bots.iter().filter(|bot| bot.event_mode == EventMode::Webhook) {
        match &bot.event_url {
            Some(url) => urls.entry(url).or_default().push(bot.id.to_string()),
            None => {
                let of = format!("{}/{}", portal.name, bot.id);
                report.found(("round trip", &of), &finding::EVENT_URL_MISSING, "no event_url");
            }
        }
    }
    for (url, bots) in urls {
        let of = format!("{}/{}", portal.name, bots.join(","));
        let of = ("round trip", of.as_str());
        let Beside::Server(_) = beside else {
            report.skipped(of, "no server is running: start `imbot serve` and look again");
            continue;
        };
        if url.starts_with("http:") && !portal.allow_insecure {
            report.found(of, &finding::SENT_IN_CLEAR, url);
        }
        match round_trip(beside, url, way).await {
            Ok(()) => report.fine(of, &format!("{url} leads here, also with 80 KiB")),
            Err(ended) => report.found(of, ended.kind, &format!("{url}: {}", ended.detail)),
        }
    }
}

async fn live(report: &mut Report, beside: &Beside, portal: &PortalSettings, (arguments, dialog): (&Arguments, &str)) {
    let bot = match arguments.bot {
        Some(number) => portal.bots.iter().find(|bot| bot.id == number),
        None => portal.bots.first(),
    };
    let Some(bot) = bot else {
        return report.skipped(("live", &portal.name), "the configuration has no such bot");
    };
    let live = Live {
        portal: &portal.name,
        bot: bot.id,
        dialog,
        wait: Duration::from_secs(arguments.wait),
        webhook: bot.event_mode == EventMode::Webhook,
        plan: (portal.plan.burst, portal.plan.rate),
    };
    live::check(report, beside, &live).await;
}
