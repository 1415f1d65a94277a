//! Which bots at which portals `register` is about: what the configuration lists, held against what whoever has the store
//! serves. Asks no portal.

use super::compare::Kept;
use super::words::Problem;
use crate::app::App;
use crate::cli::exit;
use crate::dispatch::Bot;
use crate::settings::{BotSettings, EventMode, Settings, Wishes};
use serde_json::Value;

/// One bot at one portal.
pub(super) struct Target<'a> {
    pub(super) portal: String,
    /// Empty if the configuration gives none.
    pub(super) code: String,
    /// Configured or learned.
    pub(super) id: Option<i64>,
    /// The configuration has no number for it, so it is known by its code.
    pub(super) by_code: bool,
    pub(super) bot: &'a Bot,
    pub(super) wishes: &'a Wishes,
    pub(super) mode: EventMode,
    pub(super) url: Option<&'a str>,
    /// Its token is longer than a new bot's may be.
    pub(super) long_token: bool,
    pub(super) kept: Kept,
}

impl Target<'_> {
    /// For people: `acme/support_bot`.
    pub(super) fn name(&self) -> String {
        match self.id {
            Some(id) if self.code.is_empty() => format!("{}/{id}", self.portal),
            _ => format!("{}/{}", self.portal, self.code),
        }
    }

    fn is(&self, asked: &str) -> bool {
        self.code == asked || self.id.is_some_and(|id| id.to_string() == asked)
    }
}

/// What one list of bots says of a bot.
struct Listed<'a> {
    id: Option<i64>,
    code: &'a str,
    handler: &'a str,
    wishes: &'a Wishes,
    mode: EventMode,
    url: Option<&'a str>,
    long_token: bool,
}

impl<'a> Listed<'a> {
    fn of_portal(bot: &'a BotSettings) -> Self {
        let token = bot.bot_token.as_ref();
        Self {
            id: (bot.id != 0).then_some(bot.id),
            code: &bot.code,
            handler: &bot.handler,
            wishes: &bot.wishes,
            mode: bot.event_mode,
            url: bot.event_url.as_deref(),
            long_token: token.is_some_and(|token| token.expose().chars().count() > 40),
        }
    }

    fn of_app(bot: &'a crate::settings::AppBot) -> Self {
        Self {
            id: bot.id,
            code: &bot.code,
            handler: &bot.handler,
            wishes: &bot.wishes,
            mode: bot.event_mode,
            url: bot.event_url.as_deref(),
            long_token: false,
        }
    }
}

/// All bots of the portals that are served, then those that `portal` and `bot` choose. Problems are of single bots.
pub(super) fn all<'a>(app: &'a App, settings: &'a Settings, served: &Value) -> (Vec<Target<'a>>, Vec<Problem>) {
    let (mut targets, mut problems) = (Vec::new(), Vec::new());
    let portals = served["portals"].as_array().map_or(&[][..], Vec::as_slice);
    for portal in &settings.portals {
        if portals.iter().all(|served| served["name"] != portal.name.as_str()) {
            problems.push(unknown(&format!("portal {}", portal.name)));
        }
    }
    for served in portals {
        let name = served["name"].as_str().unwrap_or_default();
        let configured = settings.portals.iter().find(|portal| portal.name == name);
        let own = configured.map_or(&[][..], |portal| &portal.bots);
        let of_app = settings
            .apps
            .iter()
            .find(|app| served["app"] == app.name.as_str() && own.is_empty());
        let listed = own.iter().map(Listed::of_portal);
        let listed = listed.chain(of_app.into_iter().flat_map(|app| app.bots.iter().map(Listed::of_app)));
        for bot in listed {
            match target(app, name, &bot, &served["bots"]) {
                Ok(target) => targets.push(target),
                Err(problem) => problems.push(problem),
            }
        }
    }
    (targets, problems)
}

/// Those that were asked for; none is a mistake.
pub(super) fn chosen<'a>(
    targets: Vec<Target<'a>>,
    portal: Option<&str>,
    bot: Option<&str>,
) -> Result<Vec<Target<'a>>, Problem> {
    let known: Vec<String> = targets.iter().map(Target::name).collect();
    let mut chosen = targets;
    chosen.retain(|target| portal.is_none_or(|portal| target.portal == portal) && bot.is_none_or(|bot| target.is(bot)));
    if chosen.is_empty() && (portal.is_some() || bot.is_some()) {
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        return Err(Problem::new(
            exit::USAGE,
            format!("no such bot or portal; there are: {known}"),
        ));
    }
    Ok(chosen)
}

fn target<'a>(app: &'a App, portal: &str, bot: &Listed<'a>, served: &Value) -> Result<Target<'a>, Problem> {
    let served = served.as_array().map_or(&[][..], Vec::as_slice);
    let known = served.iter().find(|known| match bot.id {
        Some(id) => known["id"] == id,
        None => known["code"] == bot.code,
    });
    let called = bot.id.map_or_else(|| bot.code.to_owned(), |id| id.to_string());
    let known = known.ok_or_else(|| unknown(&format!("{portal}/{called}")))?;
    let program = app.bots.iter().find(|program| program.name() == bot.handler);
    let program = program.ok_or_else(|| unknown(&format!("{portal}/{called}")))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let applied = known["applied"].as_object().into_iter().flatten();
    Ok(Target {
        portal: portal.to_owned(),
        code: bot.code.to_owned(),
        id: bot.id.or_else(|| known["id"].as_i64()),
        by_code: bot.id.is_none(),
        bot: program,
        wishes: bot.wishes,
        mode: bot.mode,
        url: bot.url,
        long_token: bot.long_token,
        kept: applied
            .map(|(field, kept)| (field.clone(), (text(&kept["value"]), text(&kept["at"]))))
            .collect(),
    })
}

fn unknown(what: &str) -> Problem {
    let text = format!(
        "{what}: the running server does not know it yet, so it could check none of its events: reload it first with SIGHUP \
         (an [[app]] needs a restart), then run this again"
    );
    Problem::new(exit::REFUSED, text)
}
