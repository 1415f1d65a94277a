//! The REST methods, one file for each group of them, and the list in which they are found. May change the state;
//! knows no HTTP.

mod avatar;
pub(super) mod base64;
mod bots;
mod chats;
mod command;
mod commands;
mod content;
mod events;
mod files;
mod lines;
mod members;
mod messages;
mod other;
mod reactions;
mod rotation;
mod send;

use super::access::{Caller, owned_bot, truthy, whole};
use super::answer::Refusal;
use super::log::Decision;
use super::state::State;
use crate::types::Timestamp;
use serde_json::{Map, Value, json};

type Run = fn(&Call<'_>, &mut State) -> Result<Done, Refusal>;

/// A REST method: its name, the right it needs, and its function. A portal finds it in any case.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) right: &'static str,
    run: Run,
}

const fn imbot(name: &'static str, run: Run) -> Method {
    let right = "imbot";
    Method { name, right, run }
}

const fn im(name: &'static str, run: Run) -> Method {
    let right = "im";
    Method { name, right, run }
}

const fn lines(name: &'static str, run: Run) -> Method {
    let right = "imopenlines";
    Method { name, right, run }
}

const fn basic(name: &'static str, run: Run) -> Method {
    let right = "basic";
    Method { name, right, run }
}

const METHODS: [Method; 49] = [
    imbot("imbot.v2.Bot.register", bots::register),
    imbot("imbot.v2.Bot.update", rotation::update),
    imbot("imbot.v2.Bot.get", bots::get),
    imbot("imbot.v2.Bot.list", bots::list),
    imbot("imbot.v2.Bot.unregister", bots::unregister),
    imbot("imbot.v2.Chat.add", chats::add),
    imbot("imbot.v2.Chat.get", chats::get),
    imbot("imbot.v2.Chat.update", chats::update),
    imbot("imbot.v2.Chat.User.add", members::add),
    imbot("imbot.v2.Chat.User.delete", members::delete),
    imbot("imbot.v2.Chat.User.list", members::list),
    imbot("imbot.v2.Chat.leave", members::leave),
    imbot("imbot.v2.Chat.Manager.add", members::add_managers),
    imbot("imbot.v2.Chat.Manager.delete", members::delete_managers),
    imbot("imbot.v2.Chat.setOwner", members::set_owner),
    imbot("imbot.v2.Chat.Message.send", send::call),
    imbot("imbot.v2.Chat.Message.update", messages::update),
    imbot("imbot.v2.Chat.Message.delete", messages::delete),
    imbot("imbot.v2.Chat.Message.read", messages::read),
    imbot("imbot.v2.Chat.Message.get", messages::get),
    imbot("imbot.v2.Chat.Message.getContext", messages::context),
    imbot("imbot.v2.Chat.Message.Reaction.add", reactions::add),
    imbot("imbot.v2.Chat.Message.Reaction.delete", reactions::delete),
    imbot("imbot.v2.Command.register", commands::register),
    imbot("imbot.v2.Command.update", commands::update),
    imbot("imbot.v2.Command.list", commands::list),
    imbot("imbot.v2.Command.unregister", commands::unregister),
    imbot("imbot.v2.Command.answer", command::call),
    imbot("imbot.v2.Chat.InputAction.notify", chats::notify),
    imbot("imbot.v2.Chat.TextField.enabled", chats::text_field),
    imbot("imbot.v2.Event.get", events::of_bot),
    imbot("imbot.v2.File.upload", files::upload),
    imbot("imbot.v2.File.download", files::download),
    imbot("imbot.v2.Revision.get", other::revision),
    im("im.v2.Event.subscribe", events::subscribe),
    im("im.v2.Event.unsubscribe", events::unsubscribe),
    im("im.v2.Event.get", events::of_user),
    im("im.v2.File.upload", files::upload_as_user),
    im("im.v2.File.download", files::download_as_user),
    im("im.v2.Chat.Bot.sendContext", other::send_context),
    imbot("imbot.chat.user.list", members::old_list),
    lines("imopenlines.bot.session.operator", lines::operator),
    lines("imopenlines.bot.session.transfer", lines::transfer),
    lines("imopenlines.bot.session.finish", lines::finish),
    lines("imopenlines.bot.session.message.send", lines::message),
    basic("app.info", other::app_info),
    basic("server.time", other::time),
    basic("event.get", events::subscriptions),
    basic("event.unbind", events::unbind),
];

impl Method {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        static ALL: [Method; 49] = METHODS;
        ALL.iter().find(|method| method.name.eq_ignore_ascii_case(name))
    }

    /// The names of all methods.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        METHODS.iter().map(|method| method.name)
    }

    /// Carries the call out.
    pub(super) fn call(&self, call: &Call<'_>, state: &mut State) -> Result<Done, Refusal> {
        (self.run)(call, state)
    }
}

const NO_APP: Refusal = Refusal::new(
    403,
    "WRONG_AUTH_TYPE",
    "Current authorization type is denied for this method",
);
const DENIED: Refusal = Refusal::method("ACCESS_DENIED", "Access denied");

/// A call whose caller is known.
pub(super) struct Call<'a> {
    pub(super) caller: &'a Caller,
    pub(super) params: &'a Map<String, Value>,
    pub(super) now: Timestamp,
}

impl Call<'_> {
    /// A field of `fields`; nothing if that is no object.
    fn field(&self, name: &str) -> Option<&Value> {
        self.params.get("fields").and_then(|fields| fields.get(name))
    }

    /// A field as text; nothing if it is none.
    fn text(&self, name: &str) -> Option<&str> {
        self.field(name).and_then(Value::as_str)
    }

    fn param(&self, name: &str) -> Option<&Value> {
        self.params.get(name).filter(|value| !value.is_null())
    }

    fn int(&self, name: &str) -> Option<i64> {
        self.params.get(name).and_then(whole)
    }

    fn flag(&self, name: &str) -> bool {
        truthy(self.params.get(name))
    }

    /// A list of whole numbers, also where it is a map or one number.
    fn ints(&self, value: Option<&Value>) -> Vec<i64> {
        match value {
            Some(Value::Array(items)) => items.iter().filter_map(whole).collect(),
            Some(Value::Object(items)) => items.values().filter_map(whole).collect(),
            Some(one) => whole(one).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// `dialogId` as text, whether it came as text or as a number.
    fn dialog(&self) -> String {
        match self.params.get("dialogId") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    /// The bot this call acts for.
    fn bot(&self, state: &State) -> Result<i64, Refusal> {
        owned_bot(state, self.caller, self.params)
    }

    /// The bot, and the chat behind `dialogId`, in which it must be.
    fn bot_and_chat(&self, state: &mut State) -> Result<(i64, i64), Refusal> {
        let bot = self.bot(state)?;
        let chat = state.dialog(bot, &self.dialog()).ok_or(DENIED)?;
        state.inside(chat, bot).then_some((bot, chat)).ok_or(DENIED)
    }

    /// The bot, and the group behind `dialogId`, in which it must be.
    fn bot_and_group(&self, state: &mut State) -> Result<(i64, i64), Refusal> {
        let (bot, chat) = self.bot_and_chat(state)?;
        let group = state.chats.get(&chat).is_some_and(|chat| !chat.is_private());
        group.then_some((bot, chat)).ok_or(DENIED)
    }
}

/// A call that was carried out.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) result: Value,
    pub(super) decision: Decision,
}

impl Done {
    fn quiet(result: Value) -> Self {
        Self {
            result,
            decision: Decision::Executed { message_id: None },
        }
    }

    /// What most changes answer: `{"result": true}` inside the result.
    fn yes() -> Self {
        Self::quiet(json!({ "result": true }))
    }

    /// A message was stored; its events wait in the state.
    fn posted(result: Value, message: i64, state: &mut State, now: Timestamp) -> Self {
        let raised = state.raise_message(message, now);
        state.outgoing.extend(raised);
        Self {
            result,
            decision: Decision::Executed {
                message_id: Some(message),
            },
        }
    }
}
