//! What a handler holds: words to queue, one value to remember. Never sends; all it collects waits for the commit.

use super::outcome::{Failure, Outcome};
use crate::method::{Address, CommandAnswer, MessageSend, Method, Repeat};
use crate::store::Memory;
use crate::types::{Draft, is_credential};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, PoisonError};

/// The most a bot may remember of one dialog, as JSON bytes.
const MAX_MEMORY: usize = 64 * 1024;
/// The most calls one run of a handler may queue: a loop gone wild must not fill the disk.
const MAX_CALLS: usize = 1_000;

/// A handler's way to speak and to remember. Cloning shares it.
///
/// `reply`, `answer` and `call` only queue: what they queued is committed together with the end of the event, so a
/// handler that fails half-way has said nothing.
#[derive(Clone, Debug)]
pub struct Ctx(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    portal: String,
    bot: i64,
    dialog: Option<String>,
    asked: Option<Asked>,
    remembered: Option<String>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    calls: Vec<Queued>,
    memory: Memory,
    sealed: bool,
}

/// A call as the handler queued it.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) method: &'static str,
    pub(super) address: Address,
    pub(super) repeat: Repeat,
    pub(super) dialog: Option<String>,
    pub(super) params: Map<String, Value>,
}

/// What an answer to a slash command refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) command: i64,
    pub(super) message: i64,
    /// Whether the answer goes as a message: a portal recognises a repeated message, but not a repeated answer.
    pub(super) as_message: bool,
}

/// What a context is made from.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) portal: String,
    pub(super) bot: i64,
    pub(super) dialog: Option<String>,
    pub(super) asked: Option<Asked>,
    pub(super) remembered: Option<String>,
}

impl Ctx {
    pub(super) fn new(scene: Scene) -> Self {
        let state = Mutex::new(State {
            calls: Vec::new(),
            memory: Memory::Keep,
            sealed: false,
        });
        let Scene {
            portal,
            bot,
            dialog,
            asked,
            remembered,
        } = scene;
        Self(Arc::new(Inner {
            portal,
            bot,
            dialog,
            asked,
            remembered,
            state,
        }))
    }

    /// The portal's name in the configuration.
    #[must_use]
    pub fn portal(&self) -> &str {
        &self.0.portal
    }

    /// The bot's id at the portal, which is its user id too.
    #[must_use]
    pub fn bot_id(&self) -> i64 {
        self.0.bot
    }

    /// The dialog of the event, as the portal writes it: `chat112`, or the other user's number.
    #[must_use]
    pub fn dialog_id(&self) -> Option<&str> {
        self.0.dialog.as_deref()
    }

    /// Queues a message to the dialog of the event (`imbot.v2.Chat.Message.send`). Plain text is escaped.
    ///
    /// # Errors
    /// Fatal if the event has no dialog, or the text is blank or over 20,000 characters.
    pub fn reply(&self, draft: impl Into<Draft>) -> Outcome {
        let dialog_id = self.0.dialog.clone().ok_or_else(|| {
            Failure::fatal("ctx.reply needs a dialog, and this event has none: use ctx.call(MessageSend::new(..))")
        })?;
        self.call(MessageSend::new(dialog_id, checked(draft.into())?))
    }

    /// Queues the answer to the slash command that this event is: by `imbot.v2.Command.answer`, or as a message where
    /// `deliver.answer_via` says so (by default in private dialogs, where a repeated message is recognised).
    ///
    /// # Errors
    /// Fatal if the event is no command, or the text is blank or over 20,000 characters.
    pub fn answer(&self, draft: impl Into<Draft>) -> Outcome {
        let (Some(asked), Some(dialog_id)) = (self.0.asked, self.0.dialog.clone()) else {
            return Err(Failure::fatal(
                "ctx.answer works for a command event with its message: use ctx.reply",
            ));
        };
        let (draft, message_id) = (checked(draft.into())?, asked.message);
        if asked.as_message {
            return self.call(MessageSend::new(dialog_id, draft).reply_to(message_id));
        }
        self.call(CommandAnswer::new(asked.command, message_id, dialog_id, draft))
    }

    /// Queues any REST call. `botId` and the credentials are added for you.
    ///
    /// # Errors
    /// Fatal if the portal would refuse a parameter, if the call holds a bot's token, if the handler has ended already,
    /// or has queued 1,000 calls.
    pub fn call<M: Method>(&self, method: M) -> Outcome {
        method
            .check()
            .map_err(|refused| Failure::fatal(format!("{} is not queued: {refused}", M::NAME)))?;
        let (repeat, dialog) = (method.repeat(), method.dialog().map(str::to_owned));
        let queued = Queued {
            method: M::NAME,
            address: M::ADDRESS,
            repeat,
            dialog,
            params: method.params(),
        };
        if holds_token(&queued.params) {
            let reason = "a bot's token is not queued, because the queue is kept on disk: use `imbot register`";
            return Err(Failure::fatal(format!("{}: {reason}", M::NAME)));
        }
        self.change(|state| {
            if state.calls.len() >= MAX_CALLS {
                return Err(Failure::fatal("a handler may queue 1,000 calls for one event"));
            }
            state.calls.push(queued);
            Ok(())
        })
    }

    /// The value remembered for this bot and dialog, as this event's run found it or changed it.
    ///
    /// # Errors
    /// What is stored does not fit `T` (the bot's own type has changed): forget it, or read the older type.
    pub fn recall<T: DeserializeOwned>(&self) -> Result<Option<T>, Failure> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match &state.memory {
            Memory::Keep => self.0.remembered.as_deref(),
            Memory::Set(text) => Some(text.as_str()),
            Memory::Forget => None,
        };
        text.map(serde_json::from_str).transpose().map_err(Failure::fatal)
    }

    /// Remembers `value` for this bot and dialog; written in the commit that ends the event.
    ///
    /// # Errors
    /// Fatal if it is over 64 KiB as JSON, or cannot be written as JSON.
    pub fn remember<T: Serialize + ?Sized>(&self, value: &T) -> Outcome {
        let text = serde_json::to_string(value).map_err(Failure::fatal)?;
        if text.len() > MAX_MEMORY {
            return Err(Failure::fatal(format!(
                "{} bytes to remember, at most {MAX_MEMORY} are kept",
                text.len()
            )));
        }
        self.change(|state| {
            state.memory = Memory::Set(text);
            Ok(())
        })
    }

    /// Forgets the value of this bot and dialog.
    ///
    /// # Errors
    /// Fatal if the handler has ended already.
    pub fn forget(&self) -> Outcome {
        self.change(|state| {
            state.memory = Memory::Forget;
            Ok(())
        })
    }

    fn change(&self, change: impl FnOnce(&mut State) -> Outcome) -> Outcome {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.sealed {
            return Err(Failure::fatal(
                "the handler has ended; its words are committed or dropped",
            ));
        }
        change(&mut state)
    }

    /// Takes what was queued and refuses everything after: a task the handler left behind cannot speak any more.
    pub(super) fn seal(&self) -> (Vec<Queued>, Memory) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sealed = true;
        (
            std::mem::take(&mut state.calls),
            std::mem::replace(&mut state.memory, Memory::Keep),
        )
    }
}

fn holds_token(params: &Map<String, Value>) -> bool {
    let inner = params.get("fields").and_then(Value::as_object);
    let names = params.keys().chain(inner.into_iter().flat_map(|fields| fields.keys()));
    names.into_iter().any(|name| is_credential(name))
}

fn checked(draft: Draft) -> Result<Draft, Failure> {
    let length = draft.text().as_str().chars().count();
    if draft.text().is_blank() {
        Err(Failure::fatal(
            "the text is blank, and the portal refuses a blank message",
        ))
    } else if length > Draft::MAX_CHARS {
        let most = Draft::MAX_CHARS;
        Err(Failure::fatal(format!(
            "the text has {length} characters; the portal would cut it at {most}"
        )))
    } else {
        Ok(draft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{BotUpdate, MessageDelete};
    use crate::types::Secret;

    fn ctx(dialog: Option<&str>, command: Option<(i64, i64)>, remembered: Option<&str>) -> Ctx {
        Ctx::new(Scene {
            portal: "acme".into(),
            bot: 456,
            dialog: dialog.map(str::to_owned),
            asked: command.map(|(command, message)| Asked {
                command,
                message,
                as_message: false,
            }),
            remembered: remembered.map(str::to_owned),
        })
    }

    #[test]
    fn words_are_queued_in_order_and_taken_once() {
        let ctx = ctx(Some("27"), Some((42, 7)), None);
        ctx.reply("one").unwrap();
        ctx.answer("two").unwrap();
        let (calls, memory) = ctx.seal();
        let methods: Vec<_> = calls.iter().map(|call| call.method).collect();
        assert_eq!(methods, [MessageSend::NAME, CommandAnswer::NAME]);
        assert_eq!(calls[1].params["commandId"], 42);
        assert_eq!(memory, Memory::Keep);
        assert!(!ctx.reply("too late").unwrap_err().may_retry());
    }

    #[test]
    fn speaking_without_a_place_is_fatal() {
        assert!(!ctx(None, None, None).reply("x").unwrap_err().may_retry());
        assert!(!ctx(Some("27"), None, None).answer("x").unwrap_err().may_retry());
    }

    #[test]
    fn blank_and_endless_texts_are_refused() {
        let ctx = ctx(Some("27"), None, None);
        assert!(ctx.reply(" \n").is_err());
        assert!(ctx.reply("x".repeat(20_001)).is_err());
        ctx.reply("ä".repeat(20_000)).unwrap();
    }

    #[test]
    fn a_call_that_the_portal_would_refuse_is_not_queued() {
        let ctx = ctx(Some("27"), None, None);
        let refused = ctx.call(MessageDelete::new(0)).unwrap_err();
        assert!(!refused.may_retry(), "a wrong parameter stays wrong");
        assert!(refused.reason().contains("messageId"), "{}", refused.reason());
        let token = ctx
            .call(BotUpdate::new().new_token(&Secret::new("marker")))
            .unwrap_err();
        assert!(!token.may_retry() && !token.reason().contains("marker"));
        assert!(ctx.seal().0.is_empty());
    }

    #[test]
    fn a_system_message_is_never_repeated() {
        let ctx = ctx(Some("27"), None, None);
        ctx.call(MessageSend::new("27", "x").system()).unwrap();
        ctx.call(MessageSend::new("27", "x")).unwrap();
        let repeats: Vec<_> = ctx.seal().0.iter().map(|call| call.repeat).collect();
        assert_eq!(repeats, [Repeat::Never, Repeat::ByTemplate]);
    }

    #[test]
    fn memory_is_seen_as_changed_and_bounded() {
        let ctx = ctx(Some("27"), None, Some("5"));
        assert_eq!(ctx.recall::<u32>().unwrap(), Some(5));
        ctx.remember(&6).unwrap();
        assert_eq!(ctx.recall::<u32>().unwrap(), Some(6));
        assert!(ctx.remember(&"x".repeat(MAX_MEMORY)).is_err());
        ctx.forget().unwrap();
        assert_eq!(ctx.recall::<u32>().unwrap(), None);
        assert!(ctx.recall::<String>().is_ok());
        assert_eq!(ctx.seal().1, Memory::Forget);
    }

    #[test]
    fn a_wild_loop_is_stopped() {
        let ctx = ctx(Some("27"), None, None);
        let failed = (0..=MAX_CALLS).find_map(|_| ctx.reply("again").err());
        assert!(!failed.unwrap().may_retry());
    }
}
