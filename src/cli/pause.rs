//! `imbot pause|resume PORTAL[/BOT]`: durable, through whoever has the store.

use super::beside::{Common, Place, failed, with};
use super::exit;
use super::output::{complain, print};
use crate::app::App;
use crate::settings::{Environment, PortalSettings};
use serde_json::{Value, json};

/// `imbot pause` and `imbot resume`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The portal's name in the configuration, or one of its bots: `acme`, `acme/456`, `acme/support_bot`.
    #[arg(value_name = "PORTAL[/BOT]")]
    party: String,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(app: &App, arguments: &Arguments, pause: bool, environment: &Environment) -> u8 {
    let place = match Place::of(app, &arguments.common, environment) {
        Ok(place) => place,
        Err(code) => return code,
    };
    let portals = place.settings.as_ref().map_or(&[][..], |settings| &settings.portals);
    let party = match party(&arguments.party, portals) {
        Ok(party) => party,
        Err(why) => {
            complain(&why);
            return exit::USAGE;
        }
    };
    let path = if pause { "/api/v1/pause" } else { "/api/v1/resume" };
    with(&place, async |beside| {
        let answer = beside.post(path, &party).await.map_err(|trouble| failed(&trouble))?;
        if arguments.common.json {
            return Ok(print(&format!("{answer:#}\n")));
        }
        Ok(print(&told(&answer, &arguments.party, pause)))
    })
}

fn party(text: &str, portals: &[PortalSettings]) -> Result<Value, String> {
    let Some((portal, bot)) = text.split_once('/') else {
        return Ok(json!({ "portal": text }));
    };
    Ok(match bot_number(portal, bot, portals)? {
        // The server may have learned it.
        0 => json!({ "portal": portal, "code": bot }),
        number => json!({ "portal": portal, "bot": number }),
    })
}

/// A bot by number, or by its code in the configuration; 0: the configuration does not know its number.
pub(super) fn bot_number(portal: &str, bot: &str, portals: &[PortalSettings]) -> Result<i64, String> {
    if let Ok(number) = bot.parse() {
        return Ok(number);
    }
    let portal = portals.iter().find(|known| known.name == portal);
    let bots = portal.map_or(&[][..], |portal| &portal.bots);
    let found = bots.iter().find(|known| known.code == bot && !bot.is_empty());
    found.map(|known| known.id).ok_or_else(|| {
        let known: Vec<String> = bots
            .iter()
            .map(|known| format!("{} {}", known.id, known.code))
            .collect();
        format!(
            "{bot}: no bot of this code; the configuration has: {}",
            known.join(", ")
        )
    })
}

fn told(answer: &Value, party: &str, pause: bool) -> String {
    let rest = &answer["paused"];
    let (whole, bots) = (
        rest["portal"] == true,
        rest["bots"].as_array().map_or(&[][..], Vec::as_slice),
    );
    if pause {
        return format!("{party} is paused: its events are stored, no handler runs, nothing is sent\n");
    }
    let mut text = format!("{party} goes on\n");
    let portal = answer["portal"].as_str().unwrap_or_default();
    if answer["bot"].is_null() {
        for bot in bots {
            text.push_str(&format!("but bot {bot} is still paused: imbot resume {portal}/{bot}\n"));
        }
    } else if whole {
        text.push_str(&format!("but all of {portal} is still paused: imbot resume {portal}\n"));
    }
    if let Some(tried @ 1..) = answer["tried"].as_u64() {
        text.push_str(&format!("{tried} refused identities are tried again\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_paused_is_said() {
        let answer = json!({ "portal": "acme", "bot": null, "paused": { "portal": false, "bots": [7] }, "tried": 2 });
        assert_eq!(
            told(&answer, "acme", false),
            "acme goes on\nbut bot 7 is still paused: imbot resume acme/7\n2 refused identities are tried again\n"
        );
        let answer = json!({ "portal": "acme", "bot": 7, "paused": { "portal": true, "bots": [] }, "tried": 0 });
        assert_eq!(
            told(&answer, "acme/7", false),
            "acme/7 goes on\nbut all of acme is still paused: imbot resume acme\n"
        );
    }

    #[test]
    fn a_party_is_a_portal_or_a_bot_of_it() {
        assert_eq!(party("acme", &[]), Ok(json!({ "portal": "acme" })));
        assert_eq!(party("acme/456", &[]), Ok(json!({ "portal": "acme", "bot": 456 })));
        assert!(party("acme/helper", &[]).is_err());
    }
}
