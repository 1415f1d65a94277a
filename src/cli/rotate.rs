//! `imbot register --rotate-token CODE`: a new token for a bot, made and kept by whoever has the store; here are the
//! arguments and the words. No token comes here.

use super::beside::{Beside, Common, Place, Trouble, failed, with};
use super::exit;
use super::output::{complain, print};
use super::text::one_line;
use crate::app::App;
use crate::settings::{Environment, PortalSettings};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// A minute for the portal's budget, and what a call and the questions after it may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// Which bot's.
pub(super) struct Rotate<'a> {
    /// The bot's code in the configuration, or its number.
    pub(super) code: &'a str,
    /// The portal's name in the configuration; needed if several have such a bot.
    pub(super) portal: Option<&'a str>,
    pub(super) common: &'a Common,
}

/// Exit codes: 0 the portal has the new token · 1 refused, the old one stays · 2 wrong arguments · 5 nobody knows yet which
/// token the portal has, and the server goes on asking · 75 the server does not answer.
pub(super) fn run(app: &App, arguments: &Rotate<'_>, environment: &Environment) -> u8 {
    let place = match Place::of(app, arguments.common, environment) {
        Ok(place) => place,
        Err(code) => return code,
    };
    let portals = place.settings.as_ref().map_or(&[][..], |settings| &settings.portals);
    let portal = match portal_of(arguments.code, arguments.portal, portals) {
        Ok(portal) => portal,
        Err(why) => {
            complain(&why);
            return exit::USAGE;
        }
    };
    let order = json!({ "portal": portal, "code": arguments.code });
    with(&place, async |beside| {
        let answer = ask(beside, &order).await.map_err(|trouble| failed(&trouble))?;
        let code = if answer["state"] == "done" { 0 } else { exit::UNKNOWN };
        let text = if arguments.common.json {
            format!("{answer:#}\n")
        } else {
            told(&answer)
        };
        Ok(print(&text).max(code))
    })
}

async fn ask(beside: &Beside, order: &Value) -> Result<Value, Trouble> {
    beside
        .ask(Method::POST, "/api/v1/rotate-token", Some(order), PATIENCE)
        .await
}

/// The portal that has the bot.
fn portal_of(code: &str, named: Option<&str>, portals: &[PortalSettings]) -> Result<String, String> {
    if let Some(name) = named {
        return Ok(name.to_owned());
    }
    let number = code.parse::<i64>().ok();
    let has = |portal: &&PortalSettings| {
        let mut bots = portal.bots.iter();
        bots.any(|bot| (!code.is_empty() && bot.code == code) || number == Some(bot.id))
    };
    let names: Vec<&str> = portals.iter().filter(has).map(|portal| portal.name.as_str()).collect();
    match names[..] {
        [only] => Ok(only.to_owned()),
        [] => Err(format!(
            "{code}: no portal of the configuration has a bot of this code or number; name it with --portal"
        )),
        _ => Err(format!(
            "several portals have bot {code}: --portal {}",
            names.join(" or --portal ")
        )),
    }
}

/// For people.
fn told(answer: &Value) -> String {
    let cell = |name: &str| match &answer[name] {
        Value::String(text) => one_line(text),
        other => other.to_string(),
    };
    let (bot, portal) = (cell("bot"), cell("portal"));
    if answer["state"] != "done" {
        return format!(
            "bot {bot} of {portal}: the portal has not said whether it took the new token. The server goes on asking; events are \
             taken under either, calls of the bot wait. `imbot status` shows when it is settled\n"
        );
    }
    let mut text = format!("bot {bot} of {portal} has a new token\n");
    if answer["oldUntil"].is_string() {
        text.push_str(&format!(
            "events under the one before are taken until {}\n",
            cell("oldUntil")
        ));
    }
    let place = cell("place");
    if answer["rewritten"] == true {
        text.push_str(&format!("it was written into {place}\n"));
    } else if answer["agrees"] != true {
        text.push_str(&format!(
            "the new token is in the store, encrypted, and is used from there; {place} still holds the one before. To have it \
             outside, write bot_token = {{ file = \"…\" }} with the old token in that file and reload: imbot puts the new one \
             there\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_changed_is_named_and_what_is_not_known_is_said() {
        let done = json!({
            "bot": 456, "portal": "acme", "state": "done", "agrees": false, "rewritten": false,
            "place": "the environment variable ACME_BOT_TOKEN", "oldUntil": "2026-02-26T09:36:40Z",
        });
        let text = told(&done);
        assert!(text.starts_with("bot 456 of acme has a new token\n"), "{text}");
        assert!(
            text.contains("the environment variable ACME_BOT_TOKEN still holds the one before"),
            "{text}"
        );
        let mut written = done;
        (written["agrees"], written["rewritten"]) = (true.into(), true.into());
        assert!(told(&written).ends_with("it was written into the environment variable ACME_BOT_TOKEN\n"));
        let planned = json!({ "bot": 456, "portal": "acme", "state": "planned" });
        assert!(told(&planned).contains("has not said whether it took the new token"));
    }

    #[test]
    fn without_a_portal_the_bot_must_be_known_to_one() {
        assert!(portal_of("support", None, &[]).is_err());
        assert_eq!(portal_of("support", Some("acme"), &[]), Ok("acme".to_owned()));
    }
}
