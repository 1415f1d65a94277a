//! `imbot register`: bots and slash commands at their portals against the program and the configuration. Owns the
//! arguments, the order of the work and the exit codes; changes nothing without `--apply`.

mod apply;
mod compare;
mod office;
mod remove;
mod show;
mod targets;
#[cfg(test)]
mod tests;
mod texts;
mod wish;
mod words;

pub(super) use wish::Wish;

use super::beside::{Common, Place, with};
use super::exit;
use super::output::{complain, print};
use super::rotate::{self, Rotate};
use super::text::one_line;
use crate::app::App;
use crate::settings::{Environment, Settings};
use compare::{Row, Step};
use office::{Look, Office};
use std::collections::BTreeSet;
use targets::Target;
use words::Problem;

const EXIT_CODES: &str = "Exit codes: 0 all is as wanted, or was made so · 1 failed · 2 wrong arguments · 3 something differs: \
without --apply what it would change, with it what only unregistering and registering changes · 4 no identity, or the portal \
refuses it · 5 nobody knows whether a call was carried out: run it again · 6 no budget in time · 75 the server that has the \
store does not answer · 78 the configuration is wrong.";

/// `imbot register`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Arguments {
    /// Makes the portals as the program and the configuration want them; without it they are only compared.
    #[arg(long)]
    apply: bool,
    /// With --apply, removes commands and bots that only the portal has.
    #[arg(long)]
    prune: bool,
    /// Sets again what cannot be read (event_url, avatar, texts in other languages), also where it was set so before.
    #[arg(long)]
    force: bool,
    /// Only this portal.
    #[arg(long)]
    portal: Option<String>,
    /// Only this bot: its code or its number.
    #[arg(long)]
    bot: Option<String>,
    /// Deletes this bot (code or number) at its portal, with its commands and private chats; asks before it does.
    #[arg(long, value_name = "CODE", conflicts_with_all = ["apply", "prune", "force", "bot"])]
    unregister: Option<String>,
    /// Gives this bot (code or number) a new token, at its portal and here; events under the old one are taken for ten minutes
    /// more.
    #[arg(long, value_name = "CODE", conflicts_with_all = ["apply", "prune", "force", "bot", "unregister"])]
    rotate_token: Option<String>,
    /// Does not ask back.
    #[arg(long, requires = "unregister")]
    yes: bool,
    #[command(flatten)]
    common: Common,
}

/// What is found of one bot.
struct Report {
    portal: String,
    code: String,
    name: String,
    id: Option<i64>,
    rows: Vec<Row>,
    problem: Option<Problem>,
}

pub(super) fn run(app: &App, arguments: &Arguments, environment: &Environment) -> u8 {
    if let Some(code) = &arguments.rotate_token {
        let (portal, common) = (arguments.portal.as_deref(), &arguments.common);
        return rotate::run(app, &Rotate { code, portal, common }, environment);
    }
    let place = match Place::of(app, &arguments.common, environment) {
        Ok(place) => place,
        Err(code) => return code,
    };
    let Some(settings) = place.settings.as_ref() else {
        complain("register needs the configuration: give --config instead of --data");
        return exit::USAGE;
    };
    with(&place, async |beside| {
        let office = Office { beside };
        let done = register(app, arguments, settings, &office).await;
        Ok(done.unwrap_or_else(|problem| {
            complain(&problem.text);
            problem.exit
        }))
    })
}

async fn register(app: &App, arguments: &Arguments, settings: &Settings, office: &Office<'_>) -> Result<u8, Problem> {
    let served = office.served().await?;
    let (all, unknown) = targets::all(app, settings, &served);
    // One that was asked for and is not known is missed below; of the others it is another's trouble.
    let missing = unknown.first().cloned();
    let missed = |problem: Problem| missing.clone().unwrap_or(problem);
    if let Some(code) = &arguments.unregister {
        let chosen = targets::chosen(all, arguments.portal.as_deref(), Some(code)).map_err(missed)?;
        return remove::named(office, arguments, code, chosen).await;
    }
    let (portal, bot) = (arguments.portal.as_deref(), arguments.bot.as_deref());
    let mut problems = if portal.or(bot).is_some() { Vec::new() } else { unknown };
    let mut chosen = targets::chosen(all, portal, bot).map_err(missed)?;
    if chosen.is_empty() && problems.is_empty() {
        complain(
            "there is nothing to register: no portal that is served has bots (`imbot portals list` shows installations)",
        );
    }
    let mut reports = Vec::new();
    for target in &mut chosen {
        reports.push(one(arguments, office, target).await);
    }
    if bot.is_none() {
        let pruned = strays(arguments, office, &chosen, &mut reports).await;
        problems.extend(pruned.err());
    }
    problems.extend(reports.iter().filter_map(|report| report.problem.clone()));
    Ok(tell(arguments, &reports, &problems))
}

/// Looks at one bot, and with `--apply` puts it right.
async fn one(arguments: &Arguments, office: &Office<'_>, target: &mut Target<'_>) -> Report {
    let mut report = Report {
        portal: target.portal.clone(),
        code: target.code.clone(),
        name: target.name(),
        id: target.id,
        rows: Vec::new(),
        problem: None,
    };
    report.problem = mend(arguments, office, target, &mut report).await.err();
    report
}

async fn mend(
    arguments: &Arguments,
    office: &Office<'_>,
    target: &mut Target<'_>,
    report: &mut Report,
) -> Result<(), Problem> {
    let rows = &mut report.rows;
    let wish = Wish::of(target.bot, target.wishes, (target.mode, target.url));
    let wish = wish.map_err(|why| Problem::new(exit::REFUSED, format!("{}: {why}", target.name())))?;
    let mut look = office.look(target).await?;
    let mut made = None;
    if matches!(look, Look::New) {
        *rows = compare::of_new(&target.code, &wish);
        report.id = None;
        if !arguments.apply {
            return Ok(());
        }
        apply::register(office, target, &wish).await?;
        made = rows.drain(..).next().map(|row| Row { done: true, ..row });
        look = office.look(target).await?;
    }
    let Look::There(seen) = look else {
        let text = format!(
            "{}: the portal has made it and does not know it: try again",
            target.name()
        );
        return Err(Problem::new(exit::REFUSED, text));
    };
    report.id = Some(seen.bot.id);
    rows.extend(made);
    if target.by_code && target.id.is_none() {
        let number = serde_json::json!(seen.bot.id);
        let there = compare::There::Is(number.clone());
        rows.push(Row::new("id", there, number, wish::Origin::Config, Step::Learn));
    }
    rows.extend(compare::compare(
        &target.code,
        &wish,
        &seen,
        &target.kept,
        arguments.force,
    ));
    if !arguments.apply {
        return Ok(());
    }
    let work = apply::Work {
        office,
        target,
        wish: &wish,
        seen: &seen,
    };
    work.carry_out(rows, arguments.prune).await
}

/// Finds the bots that only the portals have; with `--apply --prune` removes them.
async fn strays(
    arguments: &Arguments,
    office: &Office<'_>,
    targets: &[Target<'_>],
    reports: &mut [Report],
) -> Result<(), Problem> {
    let known: BTreeSet<(String, i64)> = reports
        .iter()
        .filter_map(|report| Some((report.portal.clone(), report.id?)))
        .collect();
    // Whoever could not be asked before cannot be asked now.
    let sound = |at: usize| reports[at].problem.is_none();
    let sound: Vec<bool> = (0..targets.len()).map(sound).collect();
    for (at, mut row) in remove::strays(office, targets, &sound, &known).await? {
        if let (true, true, Step::StrayBot(id)) = (arguments.apply, arguments.prune, &row.step) {
            remove::unregister(office, &targets[at], *id).await?;
            row.done = true;
            complain(&format!("{}: bot {id} is removed", one_line(&targets[at].portal)));
        }
        reports[at].rows.push(row);
    }
    Ok(())
}

/// Prints what was found and done; the exit code.
fn tell(arguments: &Arguments, reports: &[Report], problems: &[Problem]) -> u8 {
    let counts = |row: &&Row| !row.done && row.step != Step::Same && (arguments.prune || !row.is_stray());
    let rows = reports.iter().flat_map(|report| &report.rows);
    let drift = rows.filter(counts).count();
    for problem in problems {
        complain(&problem.text);
    }
    let printed = if arguments.common.json {
        print(&format!("{:#}\n", show::json(reports, drift)))
    } else {
        print(&show::table(reports, arguments.apply))
    };
    if drift > 0 && !arguments.apply {
        let prune = if arguments.prune { " --prune" } else { "" };
        complain(&format!(
            "nothing was changed: `imbot register --apply{prune}` makes it so"
        ));
    }
    match problems.first() {
        Some(problem) => problem.exit,
        None if drift > 0 => exit::DRIFT,
        None => printed,
    }
}
