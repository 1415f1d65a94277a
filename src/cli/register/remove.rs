//! What leaves a portal: bots that only it has (`--prune`), and one that is named (`--unregister`), after a question.

use super::Arguments;
use super::apply::gone_already;
use super::compare::{Row, Step};
use super::office::Office;
use super::targets::Target;
use super::words::Problem;
use crate::cli::exit;
use crate::cli::output::{agreed, complain, print};
use crate::cli::text::one_line;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Bots of the same owners that the configuration does not list, each with the bot whose owner has it.
pub(super) async fn strays(
    office: &Office<'_>,
    targets: &[Target<'_>],
    sound: &[bool],
    known: &BTreeSet<(String, i64)>,
) -> Result<Vec<(usize, Row)>, Problem> {
    let (mut found, mut seen) = (Vec::new(), known.clone());
    for (at, target) in targets.iter().enumerate().filter(|(at, _)| sound[*at]) {
        for bot in office.owned(target).await? {
            let coded = |other: &Target<'_>| other.portal == target.portal && other.by_code && other.code == bot.code;
            if targets.iter().any(coded) || !seen.insert((target.portal.clone(), bot.id)) {
                continue;
            }
            let shown = json!(format!("{} (code {})", bot.id, bot.code));
            found.push((at, Row::stray("bot", shown, Step::StrayBot(bot.id))));
        }
    }
    Ok(found)
}

/// Deletes a bot of this target's owner at its portal.
pub(super) async fn unregister(office: &Office<'_>, target: &Target<'_>, bot: i64) -> Result<(), Problem> {
    let params = json!({ "botId": bot });
    let gone: Result<Value, Problem> = office.call(target, "imbot.v2.Bot.unregister", params).await;
    gone.map(drop)
        .or_else(|problem| gone_already(problem, "BOT_NOT_FOUND"))?;
    office.forget(target, bot).await
}

/// `--unregister CODE`.
pub(super) async fn named(
    office: &Office<'_>,
    arguments: &Arguments,
    code: &str,
    mut found: Vec<Target<'_>>,
) -> Result<u8, Problem> {
    let (Some(target), None) = (found.pop(), found.pop()) else {
        let text = format!("{code} is at several portals: add --portal");
        return Err(Problem::new(exit::USAGE, text));
    };
    let id = match (target.id, office.look(&target).await?) {
        (_, super::office::Look::There(seen)) => seen.bot.id,
        (Some(id), super::office::Look::New) => id,
        (None, super::office::Look::New) => {
            let text = format!("{}: the portal has no such bot", target.name());
            return Err(Problem::new(exit::REFUSED, text));
        }
    };
    let name = one_line(&target.name());
    let question = format!("{name} (bot {id}) is deleted at the portal, with its commands and private chats.");
    if !arguments.yes {
        match agreed(&question) {
            Some(true) => {}
            Some(false) => return Ok(exit::REFUSED),
            None => {
                let text = format!("{question} --unregister asks back, and there is no terminal: add --yes");
                return Err(Problem::new(exit::USAGE, text));
            }
        }
    }
    unregister(office, &target, id).await?;
    complain("as long as the configuration lists it, `imbot register --apply` makes it anew");
    let done = json!({ "portal": target.portal, "code": target.code, "id": id, "unregistered": true });
    Ok(if arguments.common.json {
        print(&format!("{done:#}\n"))
    } else {
        print(&format!("{name} (bot {id}) is unregistered\n"))
    })
}
