//! A slash command at its portal against the program's: flags, and texts in each language, of which a portal shows one. Pure
//! comparison.

use super::compare::{Kept, Row, Step, There, unreadable};
use super::wish::Origin;
use crate::dispatch::Command;
use crate::method::CommandInfo;
use serde_json::{Value, json};

/// The two texts of a command.
const TITLE: &str = "title";
const PARAMS: &str = "params";

/// The name under which a text is kept.
pub(super) fn kept_as(command: &str, text: &str, language: &str) -> String {
    format!("{command} {text}.{language}")
}

/// The differences of a command that is there. `language` is the portal's own.
pub(super) fn compare(command: &Command, found: &CommandInfo, language: &str, kept: &Kept, force: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let flags = [
        ("common", "common", command.is_common(), found.common),
        ("hidden", "hidden", command.is_hidden(), found.hidden),
        (
            "extranet",
            "extranetSupport",
            command.is_extranet(),
            found.extranet_support,
        ),
    ];
    for (shown, path, wanted, there) in flags.into_iter().filter(|(_, _, wanted, there)| wanted != there) {
        let row = Row::new(
            shown,
            There::Is(json!(there)),
            json!(wanted),
            Origin::Code,
            Step::Flag(path),
        );
        rows.push(row.of(command.name()));
    }
    let read = read_language(command, found, language);
    let title = found.title.as_deref().unwrap_or_default();
    for (spoken, wanted) in command.titles() {
        if Some(spoken.as_str()) == read {
            rows.extend(of_read(command, (TITLE, spoken), title, wanted));
            let params = found.params.as_deref().unwrap_or_default();
            let wanted = command.all_params().get(spoken).map(String::as_str);
            rows.extend(of_read(command, (PARAMS, spoken), params, wanted.unwrap_or_default()));
        } else {
            rows.push(of_kept(command, (TITLE, spoken), wanted, kept, force));
            if let Some(wanted) = command.all_params().get(spoken) {
                rows.push(of_kept(command, (PARAMS, spoken), wanted, kept, force));
            }
        }
    }
    rows.extend(taken_away(command, read, kept));
    rows.extend(foreign(command, title, language));
    rows
}

/// The language that the portal shows, of those that the program has.
fn read_language<'c>(command: &'c Command, found: &CommandInfo, language: &str) -> Option<&'c str> {
    let titles = command.titles();
    let usual = titles
        .get_key_value(language)
        .or_else(|| titles.get_key_value("en"))
        .or_else(|| titles.iter().next())?;
    let read = found.title.as_deref().unwrap_or_default();
    let same = |(_, title): &(&'c String, &'c String)| title.as_str() == read;
    // The caller's own language may be another than the portal's.
    let matching = Some(usual).filter(same).or_else(|| titles.iter().find(same));
    Some(matching.unwrap_or(usual).0)
}

fn of_read(command: &Command, (text, language): (&'static str, &str), there: &str, wanted: &str) -> Option<Row> {
    let step = Step::Text(text, language.to_owned());
    let there = (there != wanted).then(|| There::Is(json!(there)))?;
    let mut row = Row::new(&format!("{text}.{language}"), there, json!(wanted), Origin::Code, step);
    if wanted.is_empty() {
        row.wanted = None;
    }
    Some(row.of(command.name()))
}

fn of_kept(command: &Command, (text, language): (&'static str, &str), wanted: &str, kept: &Kept, force: bool) -> Row {
    let (there, changes) = unreadable(kept, &kept_as(command.name(), text, language), wanted, force);
    let step = if changes {
        Step::Text(text, language.to_owned())
    } else {
        Step::Same
    };
    Row::new(&format!("{text}.{language}"), there, json!(wanted), Origin::Code, step).of(command.name())
}

/// Texts that were set and are not wanted any more.
fn taken_away(command: &Command, read: Option<&str>, kept: &Kept) -> Vec<Row> {
    let mut rows = Vec::new();
    for (text, wanted) in [(TITLE, command.titles()), (PARAMS, command.all_params())] {
        let before = format!("{} {text}.", command.name());
        for (field, (value, at)) in kept {
            let language = field
                .strip_prefix(&before)
                .filter(|language| !wanted.contains_key(*language));
            // What is shown has been read.
            let Some(language) = language.filter(|language| Some(*language) != read) else {
                continue;
            };
            rows.push(Row {
                wanted: None,
                ..Row::new(
                    &format!("{text}.{language}"),
                    There::Last(value.clone(), at.clone()),
                    Value::Null,
                    Origin::Code,
                    Step::Text(text, language.to_owned()),
                )
                .of(command.name())
            });
        }
    }
    rows
}

/// A title that the program does not have is shown: probably of the portal's own language, which then hides all others.
fn foreign(command: &Command, title: &str, language: &str) -> Option<Row> {
    let titles = command.titles();
    let code = language.len() == 2 && language.bytes().all(|byte| byte.is_ascii_lowercase());
    let known = titles.contains_key(language) || titles.values().any(|known| known == title);
    if !code || known || titles.is_empty() || title.is_empty() {
        return None;
    }
    let step = Step::Text(TITLE, language.to_owned());
    let row = Row::new(
        &format!("{TITLE}.{language}"),
        There::Is(json!(title)),
        Value::Null,
        Origin::Code,
        step,
    );
    Some(Row { wanted: None, ..row }.of(command.name()))
}
