//! `imbot.v2.Command.*`: slash commands and their answers. Owns their parameters; never sends.

use super::call::{method, something_changes};
use super::message::{says_something, spoken};
use super::reply::{CommandListReply, CommandReply, Done};
use super::{Reason, Refused};
use crate::types::{Draft, Fields};
use serde_json::Value;

/// `imbot.v2.Command.register`: makes a slash command of the bot, or hands back the existing one, unchanged.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/commands/command-register.html)
///
/// ```no_run
/// use imbot::method::CommandRegister;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(CommandRegister::new("/help").title("en", "Show help").params("en", "topic").title("de", "Hilfe"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct CommandRegister(Fields);

impl CommandRegister {
    /// A command, with or without its slash. It needs a title, or to be hidden.
    pub fn new(command: &str) -> Self {
        Self(named(Fields::new(), command))
    }
}

/// `imbot.v2.Command.update`: changes name, texts or flags of a slash command. What is not given stays.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/commands/command-update.html)
///
/// ```no_run
/// use imbot::method::CommandUpdate;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(CommandUpdate::new(42).title("en", "Updated help").without_title("fr"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct CommandUpdate(Fields);

impl CommandUpdate {
    /// The command with this number; nothing changed yet.
    pub fn new(command_id: i64) -> Self {
        Self(Fields::new().id("commandId", command_id))
    }

    /// Another name, with or without its slash.
    pub fn command(self, command: &str) -> Self {
        Self(named(self.0, command))
    }

    /// No texts in this language any more.
    pub fn without_title(self, language: &str) -> Self {
        Self(worded(self.0, "fields.title", language, Value::Null))
    }
}

/// What making and changing a command have in common.
macro_rules! texts {
    ($type:ident) => {
        impl $type {
            /// What it does, in a language of two lower-case letters.
            pub fn title(self, language: &str, text: &str) -> Self {
                Self(worded(self.0, "fields.title", language, text.into()))
            }

            /// What it takes, in a language that has a title too.
            pub fn params(self, language: &str, text: &str) -> Self {
                Self(worded(self.0, "fields.params", language, text.into()))
            }

            /// Usable in every chat, also where the bot is not. Default of a new command: no.
            pub fn common(self, common: bool) -> Self {
                Self(self.0.with("fields.common", common))
            }

            /// Not in the list that people see. Default of a new command: no.
            pub fn hidden(self, hidden: bool) -> Self {
                Self(self.0.with("fields.hidden", hidden))
            }

            /// Usable by people from outside the company. Default of a new command: no.
            pub fn extranet(self, supported: bool) -> Self {
                Self(self.0.with("fields.extranetSupport", supported))
            }
        }
    };
}
texts!(CommandRegister);
texts!(CommandUpdate);

fn named(fields: Fields, command: &str) -> Fields {
    let name = command.strip_prefix('/').unwrap_or(command);
    let one_word = !name.contains(char::is_whitespace);
    let form = Reason::Form("one word: what follows it are the parameters");
    fields
        .must(one_word, "fields.command", form)
        .filled("fields.command", name)
}

fn worded(fields: Fields, path: &str, language: &str, text: Value) -> Fields {
    let code = language.len() == 2 && language.bytes().all(|byte| byte.is_ascii_lowercase());
    let form = Reason::Form("keyed by languages of two lower-case letters (en, de)");
    // A key with a dot in it would be taken for a path, and is refused anyway.
    if code {
        fields.with(&format!("{path}.{language}"), text)
    } else {
        fields.refuse(path, form)
    }
}

fn is_titled_or_hidden(fields: &Fields) -> Result<(), Refused> {
    let hidden = fields.get("fields.hidden") == Some(&Value::Bool(true));
    if hidden || fields.get("fields.title").is_some() {
        return has_titles_for_its_params(fields);
    }
    let rule = Reason::Rule("is missing: a command needs a title in at least one language, or to be hidden");
    Err(Refused::new("fields.title", rule))
}

fn has_titles_for_its_params(fields: &Fields) -> Result<(), Refused> {
    let object = |path| fields.get(path).and_then(Value::as_object);
    let languages = object("fields.params").into_iter().flat_map(|texts| texts.keys());
    let untitled = |language: &&String| object("fields.title").is_none_or(|titles| !titles.contains_key(*language));
    if languages.into_iter().any(|language| untitled(&language)) {
        let rule = Reason::Rule("has a language without a title: the portal ignores it");
        return Err(Refused::new("fields.params", rule));
    }
    Ok(())
}

fn changes_and_has_titles(fields: &Fields) -> Result<(), Refused> {
    something_changes(fields)?;
    has_titles_for_its_params(fields)
}

method!(CommandRegister: "imbot.v2.Command.register", Harmless, BOT, [
    "fields.command", "fields.title", "fields.params", "fields.common", "fields.hidden", "fields.extranetSupport",
] -> CommandReply; whole = is_titled_or_hidden);

method!(CommandUpdate: "imbot.v2.Command.update", Harmless, BOT, [
    "commandId", "fields.command", "fields.title", "fields.params", "fields.common", "fields.hidden",
    "fields.extranetSupport",
] -> CommandReply; whole = changes_and_has_titles);

/// `imbot.v2.Command.list`: the slash commands of the bot. Titles are right from revision 34 on.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/commands/command-list.html)
///
/// ```
/// use imbot::method::CommandList;
/// let call = CommandList::new();
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct CommandList(Fields);

impl CommandList {
    /// All of them.
    pub fn new() -> Self {
        Self::default()
    }
}

method!(CommandList: "imbot.v2.Command.list", Harmless, BOT, [] -> CommandListReply, Read);

/// `imbot.v2.Command.unregister`: deletes a slash command. Again: COMMAND_NOT_FOUND, which means done.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/commands/command-unregister.html)
///
/// ```no_run
/// use imbot::method::CommandUnregister;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(CommandUnregister::new(42))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct CommandUnregister(Fields);

impl CommandUnregister {
    /// The command with this number.
    pub fn new(command_id: i64) -> Self {
        Self(Fields::new().id("commandId", command_id))
    }
}

method!(CommandUnregister: "imbot.v2.Command.unregister", Harmless, BOT, ["commandId"] -> Done);

/// `imbot.v2.Command.answer`: answers a slash command where it was given, even where the bot is no member; there it is
/// shown as a system message with the bot's name. The right to answer runs out after an undocumented time, the new
/// message's number is not told, and a repeat shows the answer twice.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/commands/command-answer.html)
///
/// ```no_run
/// use imbot::method::CommandAnswer;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(CommandAnswer::new(42, 789, "chat5", "Here is the help"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct CommandAnswer(Fields);

impl CommandAnswer {
    /// Command, message and dialog as the event names them (`data.command.id`, `data.message.id`), and the answer.
    pub fn new(command_id: i64, message_id: i64, dialog_id: impl AsRef<str>, draft: impl Into<Draft>) -> Self {
        let fields = Fields::new()
            .id("commandId", command_id)
            .id("messageId", message_id)
            .dialog("dialogId", dialog_id.as_ref(), true);
        Self(spoken(fields, &draft.into()))
    }

    /// Without an author.
    pub fn system(self) -> Self {
        Self(self.0.with("fields.system", true))
    }

    /// Links in it get no preview. Default: they do.
    pub fn without_preview(self) -> Self {
        Self(self.0.with("fields.urlPreview", false))
    }
}

method!(CommandAnswer: "imbot.v2.Command.answer", Never, BOT, [
    "commandId", "messageId", "dialogId", "fields.message", "fields.attach", "fields.keyboard", "fields.system",
    "fields.urlPreview",
] -> Done; whole = says_something);
