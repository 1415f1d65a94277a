//! What a bot is at its portal against what it shall be: pure comparison. What cannot be read is held against what was last
//! set. Asks nobody.

use super::texts;
use super::wish::{Field, Origin, Wish};
use crate::method::{BotInfo, Color, CommandInfo, UserInfo};
use crate::settings::EventMode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What was last set of the fields that cannot be read: value and RFC 3339 time.
pub(super) type Kept = BTreeMap<String, (String, String)>;

/// The names under which it is kept.
pub(super) const URL: &str = "webhookUrl";
pub(super) const AVATAR: &str = "avatar";

/// A bot as its portal shows it to its owner.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) bot: BotInfo,
    pub(super) user: UserInfo,
    pub(super) commands: Vec<CommandInfo>,
}

/// What the portal has.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum There {
    /// It was read.
    Is(Value),
    /// It cannot be read; `register` set this, then.
    Last(String, String),
    /// It cannot be read, and `register` never set it.
    Never,
    Missing,
}

/// What has to be done about a difference.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Nothing: it is as it was last set, which is all that can be said.
    Same,
    Register,
    /// Its number is not kept yet.
    Learn,
    Field(Field),
    Avatar,
    Url,
    Mode(EventMode),
    /// No method changes it.
    Fixed,
    /// The command is not there.
    Command,
    /// `common`, `hidden`, `extranetSupport` of a command.
    Flag(&'static str),
    /// `title` or `params` of a command, in this language; `wanted` of `None` takes it away.
    Text(&'static str, String),
    /// Only the portal has it: a command.
    StrayCommand(i64),
    /// Only the portal has it: a bot.
    StrayBot(i64),
}

/// One difference, or one field of which nothing can be said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// The field as people call it, without its command.
    pub(super) what: String,
    /// The command it is of, with its slash.
    pub(super) command: Option<String>,
    pub(super) there: There,
    pub(super) wanted: Option<Value>,
    /// `None`: only the portal has it.
    pub(super) origin: Option<Origin>,
    pub(super) step: Step,
    pub(super) done: bool,
}

impl Row {
    pub(super) fn new(what: &str, there: There, wanted: Value, origin: Origin, step: Step) -> Self {
        Self {
            what: what.to_owned(),
            command: None,
            there,
            wanted: Some(wanted),
            origin: Some(origin),
            step,
            done: false,
        }
    }

    pub(super) fn of(mut self, command: &str) -> Self {
        self.command = Some(command.to_owned());
        self
    }

    /// Only the portal has it.
    pub(super) fn stray(what: &str, shown: Value, step: Step) -> Self {
        Self {
            wanted: None,
            origin: None,
            ..Self::new(what, There::Is(shown), Value::Null, Origin::Default, step)
        }
    }

    /// As people and programs name it.
    pub(super) fn name(&self) -> String {
        match &self.command {
            Some(command) => format!("{command} {}", self.what).trim_end().to_owned(),
            None => self.what.clone(),
        }
    }

    pub(super) fn is_stray(&self) -> bool {
        matches!(self.step, Step::StrayCommand(_) | Step::StrayBot(_))
    }
}

/// The differences of a bot that is there.
pub(super) fn compare(code: &str, wish: &Wish, seen: &Seen, kept: &Kept, force: bool) -> Vec<Row> {
    let mut rows = fixed(code, wish, seen);
    rows.extend(readable(wish, &seen.user, &seen.bot));
    if let Some((image, origin)) = &wish.avatar {
        let wanted = json!(format!("sha256 {}", &image.digest[..12]));
        let gone = seen.user.avatar.as_deref() == Some("");
        let row = match unreadable(kept, AVATAR, &image.digest, force) {
            _ if gone => (There::Missing, Step::Avatar),
            (There::Last(digest, at), false) => (There::Last(short(&digest), at), Step::Same),
            (There::Last(digest, at), true) => (There::Last(short(&digest), at), Step::Avatar),
            (there, _) => (there, Step::Avatar),
        };
        rows.push(Row::new("profile.avatar", row.0, wanted, *origin, row.1));
    }
    rows.extend(delivery(wish, seen, kept, force));
    for command in &wish.commands {
        let found = seen.commands.iter().find(|found| found.command == command.name());
        match found {
            Some(found) => rows.extend(texts::compare(command, found, &seen.bot.language, kept, force)),
            None => rows.push(missing(command)),
        }
    }
    let known = |name: &str| wish.commands.iter().any(|command| command.name() == name);
    for stray in seen.commands.iter().filter(|found| !known(&found.command)) {
        let title = json!(stray.title.as_deref().unwrap_or_default());
        rows.push(Row::stray("", title, Step::StrayCommand(stray.id)).of(&stray.command));
    }
    rows
}

/// What will be done for a bot that is not there.
pub(super) fn of_new(code: &str, wish: &Wish) -> Vec<Row> {
    let wanted = json!(format!("{} (code {code})", wish.name));
    let mut rows = vec![Row::new("bot", There::Missing, wanted, Origin::Config, Step::Register)];
    let (mode, origin) = wish.mode;
    if mode == EventMode::Webhook {
        let fetched = There::Is(json!(word(EventMode::Fetch)));
        rows.push(Row::new(
            "event_mode",
            fetched,
            json!(word(mode)),
            origin,
            Step::Mode(mode),
        ));
    }
    rows.extend(wish.commands.iter().map(missing));
    rows
}

fn missing(command: &crate::dispatch::Command) -> Row {
    let title = command.titles().get("en").or_else(|| command.titles().values().next());
    let title = json!(title.map(String::as_str).unwrap_or_default());
    Row::new("", There::Missing, title, Origin::Code, Step::Command).of(command.name())
}

fn fixed(code: &str, wish: &Wish, seen: &Seen) -> Vec<Row> {
    let mut rows = Vec::new();
    if !code.is_empty() && code != seen.bot.code {
        let there = There::Is(json!(seen.bot.code));
        rows.push(Row::new("code", there, json!(code), Origin::Config, Step::Fixed));
    }
    if let Some((kind, origin)) = wish.kind
        && kind.as_str() != seen.bot.kind
    {
        let there = There::Is(json!(seen.bot.kind));
        rows.push(Row::new("type", there, json!(kind.as_str()), origin, Step::Fixed));
    }
    rows
}

fn readable(wish: &Wish, user: &UserInfo, bot: &BotInfo) -> Vec<Row> {
    let mut rows = Vec::new();
    for (field, wanted, origin) in &wish.fields {
        let there = match field {
            Field::Name => first_name(wish, user),
            Field::LastName => json!(user.last_name.as_deref().unwrap_or_default()),
            Field::WorkPosition => json!(user.work_position.as_deref().unwrap_or_default()),
            Field::Gender => json!(user.gender),
            Field::Color => color_of(user.color.as_deref().unwrap_or_default()),
            Field::Hidden => json!(bot.is_hidden),
            Field::Reactions => json!(bot.is_reactions_enabled),
            Field::Openline => json!(bot.is_support_openline),
            Field::Background => json!(bot.background_id),
        };
        if there != *wanted {
            rows.push(Row::new(
                field.shown(),
                There::Is(there),
                wanted.clone(),
                *origin,
                Step::Field(*field),
            ));
        }
    }
    rows
}

/// A portal cuts a name without a last name in two, so that one is held against the whole.
fn first_name(wish: &Wish, user: &UserInfo) -> Value {
    match (wish.field(Field::LastName), &user.first_name) {
        (Some(_), Some(first)) => json!(first),
        (Some(last), None) => {
            let last = format!(" {}", last.as_str().unwrap_or_default());
            json!(user.name.strip_suffix(&last).unwrap_or(&user.name))
        }
        (None, _) => json!(user.name),
    }
}

/// A colour is set by its name and read as `#rrggbb`.
fn color_of(hex: &str) -> Value {
    let known = Color::ALL.iter().find(|color| color.hex().eq_ignore_ascii_case(hex));
    known.map_or_else(|| json!(hex), |color| json!(color.as_str()))
}

/// How its events come, and where they go.
fn delivery(wish: &Wish, seen: &Seen, kept: &Kept, force: bool) -> Option<Row> {
    let (mode, origin) = wish.mode;
    let there = seen.bot.event_mode.as_deref().unwrap_or_default();
    if there != word(mode) {
        return Some(Row::new(
            "event_mode",
            There::Is(json!(there)),
            json!(word(mode)),
            origin,
            Step::Mode(mode),
        ));
    }
    let url = wish.url.as_ref().filter(|_| mode == EventMode::Webhook)?;
    let (there, changes) = unreadable(kept, URL, url, force);
    let step = if changes { Step::Url } else { Step::Same };
    Some(Row::new("event_url", there, json!(url), Origin::Config, step))
}

/// What was last set, and whether it has to be set now.
pub(super) fn unreadable(kept: &Kept, field: &str, wanted: &str, force: bool) -> (There, bool) {
    match kept.get(field) {
        Some((value, at)) => (There::Last(value.clone(), at.clone()), force || value != wanted),
        None => (There::Never, true),
    }
}

pub(super) const fn word(mode: EventMode) -> &'static str {
    match mode {
        EventMode::Webhook => "webhook",
        EventMode::Fetch => "fetch",
    }
}

fn short(digest: &str) -> String {
    format!("sha256 {}", digest.get(..12).unwrap_or(digest))
}
