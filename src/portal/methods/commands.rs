//! A bot's slash commands: registered, changed, listed, removed. Answering one is in `command`.

use super::super::access::truthy;
use super::super::answer::Refusal;
use super::super::model::Command;
use super::super::state::State;
use super::super::views;
use super::command::UNKNOWN;
use super::{Call, Done};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const REQUIRED: Refusal = Refusal::method("COMMAND_REQUIRED", "Command is required");
const INVALID: Refusal = Refusal::method("COMMAND_NAME_INVALID", "Command name is invalid");
const NO_NAME: Refusal = Refusal::method("COMMAND_NAME_EMPTY", "Command name is empty");
const NO_TITLE: Refusal = Refusal::method("COMMAND_TITLE_REQUIRED", "Command title is required");
const EXISTS: Refusal = Refusal::method("COMMAND_ALREADY_EXISTS", "Command already exists");

/// A field of `fields`, or of the call itself in the old flat form.
fn said<'a>(call: &'a Call<'_>, state: &State, name: &str) -> Option<&'a Value> {
    let flat = state.knobs.flat_commands && !call.params.contains_key("fields");
    if flat { call.param(name) } else { call.field(name) }
}

pub(super) fn register(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = call.bot(state)?;
    let name = match said(call, state, "command") {
        None | Some(Value::Null) => return Err(REQUIRED),
        Some(Value::String(name)) => bare(name),
        Some(_) => return Err(INVALID),
    };
    if name.is_empty() {
        return Err(REQUIRED);
    }
    if let Some(known) = named(state, bot, &name) {
        return Ok(Done::quiet(json!({ "command": views::command(known) })));
    }
    let mut command = Command::new(state.next_command(), bot, &name);
    flags(&mut command, |name| said(call, state, name));
    texts(&mut command, |name| said(call, state, name));
    if !command.hidden && command.title.is_empty() {
        return Err(NO_TITLE);
    }
    let view = views::command(&command);
    state.commands.insert(command.id, command);
    Ok(Done::quiet(json!({ "command": view })))
}

pub(super) fn update(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (bot, id) = own(call, state)?;
    let name = match call.field("command") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(bare(name)),
        Some(_) => return Err(INVALID),
    };
    if let Some(name) = &name {
        if name.is_empty() {
            return Err(NO_NAME);
        }
        if named(state, bot, name).is_some_and(|other| other.id != id) {
            return Err(EXISTS);
        }
    }
    let command = state.commands.get_mut(&id).ok_or(UNKNOWN)?;
    if let Some(name) = name {
        command.name = name;
    }
    flags(command, |name| call.field(name));
    texts(command, |name| call.field(name));
    Ok(Done::quiet(json!({ "command": views::command(command) })))
}

pub(super) fn list(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let bot = call.bot(state)?;
    let own = state.commands.values().filter(|command| command.bot == bot);
    let commands: Vec<Value> = own.map(|command| views::listed_command(state, command)).collect();
    Ok(Done::quiet(json!({ "commands": commands })))
}

pub(super) fn unregister(call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
    let (_, id) = own(call, state)?;
    state.commands.remove(&id);
    Ok(Done::yes())
}

/// The bot and its command.
fn own(call: &Call<'_>, state: &State) -> Result<(i64, i64), Refusal> {
    let bot = call.bot(state)?;
    let command = call.int("commandId").and_then(|id| state.commands.get(&id));
    let command = command.filter(|command| command.bot == bot).ok_or(UNKNOWN)?;
    Ok((bot, command.id))
}

fn named<'a>(state: &'a State, bot: i64, name: &str) -> Option<&'a Command> {
    let mut commands = state.commands.values();
    commands.find(|command| command.bot == bot && command.name == name)
}

fn bare(name: &str) -> String {
    let name = name.trim();
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

fn flags<'a>(command: &mut Command, said: impl Fn(&str) -> Option<&'a Value>) {
    for (name, flag) in [
        ("common", &mut command.common),
        ("hidden", &mut command.hidden),
        ("extranetSupport", &mut command.extranet),
    ] {
        if let Some(value) = said(name) {
            *flag = truthy(Some(value));
        }
    }
}

/// Title and params by language. Null takes a translation away; params count only where there is a title.
fn texts<'a>(command: &mut Command, said: impl Fn(&str) -> Option<&'a Value>) {
    merge(&mut command.title, said("title"));
    merge(&mut command.params, said("params"));
    command
        .params
        .retain(|language, _| command.title.contains_key(language));
}

fn merge(texts: &mut BTreeMap<String, String>, said: Option<&Value>) {
    for (language, text) in said.and_then(Value::as_object).into_iter().flatten() {
        match text {
            Value::Null => {
                texts.remove(language);
            }
            Value::String(text) => {
                texts.insert(language.clone(), text.clone());
            }
            _ => {}
        }
    }
}
