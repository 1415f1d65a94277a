//! `imbot call`: any REST method, in the portal's budget and as its identity, through whoever has the store. Owns the
//! arguments, the words and the exit codes; tokens never come here.

mod params;

use super::beside::{Beside, Common, Place, Trouble, failed, with};
use super::exit;
use super::output::{complain, print};
use super::pause::bot_number;
use crate::app::App;
use crate::method;
use crate::settings::{Environment, PortalSettings};
use crate::types::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

/// What a call may take once it may leave: the client's longest, and some.
const SENDING: Duration = Duration::from_secs(90);
/// A call longer than this says that it is on its way.
const LONG: usize = 256 << 10;

const EXIT_CODES: &str = "Exit codes: 0 done · 1 failed, and not carried out · 2 wrong arguments · 3 refused by the portal \
· 4 no identity, or it is refused, parked or paused · 5 nobody knows whether it was carried out · 6 no budget within \
--timeout · 74 the disk failed · 75 the server that has the store does not answer · 78 the configuration is wrong.";

/// `imbot call`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Arguments {
    /// The method, for example `imbot.v2.Chat.Message.send`.
    method: String,
    /// Its parameters: a JSON object, `@FILE`, or `-` for standard input.
    #[arg(value_name = "JSON|@FILE|-")]
    params: Option<String>,
    /// The portal's name in the configuration; needed if there are several.
    #[arg(long)]
    portal: Option<String>,
    /// As this bot (number or code): its botId and botToken are added.
    #[arg(long)]
    bot: Option<String>,
    /// Sends the parameters as they are, known or not.
    #[arg(long)]
    raw: bool,
    /// How long it may wait for the portal's budget: `30s`, `5m`.
    #[arg(long, default_value = "60s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(app: &App, arguments: &Arguments, environment: &Environment) -> u8 {
    let place = match Place::of(app, &arguments.common, environment) {
        Ok(place) => place,
        Err(code) => return code,
    };
    let portals = place.settings.as_ref().map_or(&[][..], |settings| &settings.portals);
    let order = match order(arguments, portals) {
        Ok(order) => order,
        Err(why) => {
            complain(&why);
            return exit::USAGE;
        }
    };
    with(&place, async |beside| {
        let size = order["params"].to_string().len();
        match waiting(ask(beside, arguments, &order), size).await {
            Ok(answer) => Ok(print(&format!("{:#}\n", answer["result"]))),
            Err(trouble) => Err(exit_of(&trouble)),
        }
    })
}

/// What is asked of the operator API, or what is wrong with the arguments.
fn order(arguments: &Arguments, portals: &[PortalSettings]) -> Result<Value, String> {
    let mut params = params::read(arguments.params.as_deref())?;
    let portal = match (&arguments.portal, portals) {
        (Some(name), _) => name.clone(),
        (None, [only]) => only.name.clone(),
        (None, _) => {
            let names: Vec<_> = portals.iter().map(|portal| portal.name.as_str()).collect();
            return Err(format!(
                "--portal is needed; the configuration has: {}",
                names.join(", ")
            ));
        }
    };
    let (bot, code) = whom(arguments.bot.as_deref(), &portal, portals)?;
    let entry = method::find(&arguments.method);
    match entry {
        None => complain(&params::uncatalogued(&arguments.method)),
        Some(entry) if !arguments.raw => {
            let wrong = params::unknown(entry, &params);
            if !wrong.is_empty() {
                return Err(format!("{}\n(--raw sends it as it is)", wrong.join("\n")));
            }
        }
        Some(_) => {}
    }
    let repeatable = params::repeatable(entry, &mut params, arguments.raw)?;
    Ok(json!({
        "portal": portal, "bot": bot, "code": code, "method": arguments.method, "params": params, "repeatable": repeatable,
        "timeoutMs": u64::try_from(arguments.timeout.as_millis()).unwrap_or(u64::MAX),
    }))
}

/// The bot's number, or its code where only whoever has the store knows the number.
fn whom<'a>(
    bot: Option<&'a str>,
    portal: &str,
    portals: &[PortalSettings],
) -> Result<(Option<i64>, Option<&'a str>), String> {
    let Some(bot) = bot else { return Ok((None, None)) };
    let listed = portals.iter().find(|known| known.name == portal);
    match bot_number(portal, bot, portals) {
        Ok(0) => Ok((None, Some(bot))),
        Ok(number) => Ok((Some(number), None)),
        Err(_) if listed.is_some_and(|portal| portal.bots.is_empty()) => Ok((None, Some(bot))),
        Err(why) => Err(why),
    }
}

async fn ask(beside: &Beside, arguments: &Arguments, order: &Value) -> Result<Value, Trouble> {
    let patience = arguments.timeout + SENDING;
    beside.ask(Method::POST, "/api/v1/call", Some(order), patience).await
}

/// Says on stderr that a long call is on its way; on a terminal, for how long already.
async fn waiting<T>(call: impl Future<Output = T>, size: usize) -> T {
    if size < LONG {
        return call.await;
    }
    let terminal = std::io::stderr().is_terminal();
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    let said = format!("sending {:.1} MB", size as f64 / 1_000_000.0);
    if !terminal {
        complain(&said);
    }
    let clock = Clock::system();
    let mut call = std::pin::pin!(call);
    let mut seconds = 0;
    let done = loop {
        if terminal {
            let _ = write!(std::io::stderr().lock(), "\r{said}, {seconds} s ");
        }
        tokio::select! {
            biased;
            done = &mut call => break done,
            () = clock.sleep(Duration::from_secs(1)) => seconds += 1,
        }
    };
    if terminal {
        complain("");
    }
    done
}

fn exit_of(trouble: &Trouble) -> u8 {
    let code = match trouble {
        Trouble::Silent { .. } | Trouble::Unreachable(_, "the connection broke") => {
            complain("the server took the call and did not answer; nobody knows whether it was carried out");
            exit::UNKNOWN
        }
        Trouble::Refused { reason, .. } => match reason.as_str() {
            "refused" => exit::BY_PORTAL,
            "identity" | "no_identity" | "parked" | "paused" => exit::IDENTITY,
            "unknown_outcome" => exit::UNKNOWN,
            "no_budget" | "busy" => exit::NO_BUDGET,
            "no_such_portal" | "no_such_bot" | "wrong_method" => exit::USAGE,
            "stopping" => exit::BUSY,
            _ => trouble.exit(),
        },
        _ => trouble.exit(),
    };
    let _ = failed(trouble);
    code
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let each = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    let milliseconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(each));
    match milliseconds {
        Some(milliseconds) if each > 0 && milliseconds <= 3_600_000 => Ok(Duration::from_millis(milliseconds)),
        _ => Err("write a duration up to an hour, for example 30s or 5m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_exit_code() {
        for (reason, code) in [
            ("refused", 3),
            ("identity", 4),
            ("no_identity", 4),
            ("parked", 4),
            ("paused", 4),
            ("unknown_outcome", 5),
            ("no_budget", 6),
            ("busy", 6),
            ("unreachable", 1),
            ("no_such_portal", 2),
            ("stopping", 75),
            ("storage_failed", 74),
        ] {
            let trouble = Trouble::Refused {
                reason: reason.to_owned(),
                detail: String::new(),
                body: Value::Null,
            };
            assert_eq!(exit_of(&trouble), code, "{reason}");
        }
        let broke = Trouble::Unreachable("a".to_owned(), "the connection broke");
        assert_eq!(exit_of(&broke), 5, "it may have been sent");
        assert_eq!(
            exit_of(&Trouble::Unreachable("a".to_owned(), "nobody listens there")),
            75
        );
    }

    #[test]
    fn a_timeout_has_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["30", "s", "", "1d", "-1s", "99999999999999999999s", "61m"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
