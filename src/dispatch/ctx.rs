//! What a handler holds: words to queue, one value to remember. Never sends; all it collects waits for the commit.

use super::line::Line;
use super::outcome::{Failure, Outcome};
use super::queued::{Call, Queued};
use crate::method::{CommandAnswer, MessageSend, Method};
use crate::store::Memory;
use crate::types::Draft;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::{Arc, Mutex, PoisonError};

/// The most a bot may remember of one dialog, as JSON bytes.
const MAX_MEMORY: usize = 64 * 1024;
/// The most calls one run of a handler may queue: a loop gone wild must not fill the disk.
const MAX_CALLS: usize = 1_000;

/// A handler's way to speak and to remember. Cloning shares it.
///
/// `reply`, `answer` and `call` only queue: what they queued is committed together with the end of the event, so a
/// handler that fails half-way has said nothing. `ask`, `typing` and `download` act at once and change nothing.
#[derive(Clone, Debug)]
pub struct Ctx(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    scene: Scene,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    calls: Vec<Call>,
    /// Calls so far, the parts of a text counted as one.
    steps: u32,
    memory: Memory,
    sealed: bool,
}

/// What an answer to a slash command refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) command: i64,
    pub(super) message: i64,
    pub(super) way: Way,
}

/// How an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `imbot.v2.Command.answer`.
    Answer,
    /// As a message: a portal recognises a repeated message, but not a repeated answer.
    Send,
    /// As a message; as an answer if the portal denies access.
    SendElseAnswer,
}

/// What a context is made from.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) portal: String,
    pub(super) bot: i64,
    pub(super) dialog: Option<String>,
    pub(super) asked: Option<Asked>,
    pub(super) remembered: Option<String>,
    pub(super) line: Line,
}

impl Ctx {
    pub(super) fn new(scene: Scene) -> Self {
        let state = Mutex::new(State {
            calls: Vec::new(),
            steps: 0,
            memory: Memory::Keep,
            sealed: false,
        });
        Self(Arc::new(Inner { scene, state }))
    }

    /// The portal's name in the configuration.
    #[must_use]
    pub fn portal(&self) -> &str {
        &self.0.scene.portal
    }

    /// The bot's id at the portal, which is its user id too.
    #[must_use]
    pub fn bot_id(&self) -> i64 {
        self.0.scene.bot
    }

    /// The dialog of the event, as the portal writes it: `chat112`, or the other user's number.
    #[must_use]
    pub fn dialog_id(&self) -> Option<&str> {
        self.0.scene.dialog.as_deref()
    }

    /// Queues a message to the dialog of the event (`imbot.v2.Chat.Message.send`). Plain text is escaped. A text over
    /// 20,000 characters becomes several messages, cut between words or signs, never inside a tag; attachment and buttons
    /// go with the last. If one of them cannot be delivered, those behind it are not sent.
    ///
    /// # Errors
    /// Fatal if the event has no dialog, or the text is blank.
    pub fn reply(&self, draft: impl Into<Draft>) -> Outcome {
        let dialog_id = self.0.scene.dialog.as_deref().ok_or_else(|| {
            Failure::fatal("ctx.reply needs a dialog, and this event has none: use ctx.call(MessageSend::new(..))")
        })?;
        for (part, draft) in (0..).zip(parts(draft.into())?) {
            self.queue(MessageSend::new(dialog_id, draft), part, None)?;
        }
        Ok(())
    }

    /// Queues the answer to the slash command that this event is: as a message where the bot is known to be in the dialog
    /// (a repeated message is recognised by the portal), else by `imbot.v2.Command.answer`; `deliver.answer_via` can say
    /// otherwise. Long texts as with [`reply`](Self::reply).
    ///
    /// # Errors
    /// Fatal if the event is no command, or the text is blank.
    pub fn answer(&self, draft: impl Into<Draft>) -> Outcome {
        let (Some(asked), Some(dialog_id)) = (self.0.scene.asked, self.0.scene.dialog.as_deref()) else {
            return Err(Failure::fatal(
                "ctx.answer works for a command event with its message: use ctx.reply",
            ));
        };
        for (part, draft) in (0..).zip(parts(draft.into())?) {
            let send = MessageSend::new(dialog_id, draft.clone());
            // Only the first part refers to the command's message.
            let send = if part == 0 { send.reply_to(asked.message) } else { send };
            let answer = CommandAnswer::new(asked.command, asked.message, dialog_id, draft);
            match asked.way {
                Way::Answer => self.queue(answer, part, None)?,
                Way::Send => self.queue(send, part, None)?,
                Way::SendElseAnswer => {
                    let answer = Call::of(answer).map_err(Failure::fatal)?;
                    self.queue(send, part, Some(Box::new(answer)))?
                }
            };
        }
        Ok(())
    }

    /// Queues any REST call. `botId` and the credentials are added for you; so is the `templateId` of a message, unless it
    /// has one. [`then`](Queued::then) asks to hear how it ended.
    ///
    /// # Errors
    /// Fatal if the portal would refuse a parameter, if the call holds a bot's token, if the handler has ended already,
    /// or has queued 1,000 calls.
    pub fn call<M: Method>(&self, method: M) -> Result<Queued, Failure> {
        let at = self.queue(method, 0, None)?;
        Ok(Queued::new(self.clone(), at))
    }

    /// Queues a call, and tells its place. Part 0 begins something new; later parts go on with it.
    fn queue<M: Method>(&self, method: M, part: u32, fallback: Option<Box<Call>>) -> Result<usize, Failure> {
        let mut call = Call::of(method).map_err(Failure::fatal)?;
        self.change(|state| {
            if state.calls.len() >= MAX_CALLS {
                return Err(Failure::fatal("a handler may queue 1,000 calls for one event"));
            }
            state.steps += u32::from(part == 0);
            (call.step, call.part, call.fallback) = (state.steps - 1, part, fallback);
            state.calls.push(call);
            Ok(state.calls.len() - 1)
        })
    }

    /// Asks to hear of the end of the call at this place.
    pub(super) fn tag(&self, at: usize, tag: String) -> Outcome {
        self.change(|state| {
            if let Some(call) = state.calls.get_mut(at) {
                call.tag = Some(tag);
            }
            Ok(())
        })
    }

    /// The handler's line to its portal.
    pub(super) fn line(&self) -> &Line {
        &self.0.scene.line
    }

    /// Whether the handler has ended.
    pub(super) fn is_over(&self) -> bool {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).sealed
    }

    /// The value remembered for this bot and dialog, as this event's run found it or changed it.
    ///
    /// # Errors
    /// What is stored does not fit `T` (the bot's own type has changed): forget it, or read the older type.
    pub fn recall<T: DeserializeOwned>(&self) -> Result<Option<T>, Failure> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match &state.memory {
            Memory::Keep => self.0.scene.remembered.as_deref(),
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

    fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.sealed {
            return Err(Failure::fatal(
                "the handler has ended; its words are committed or dropped",
            ));
        }
        change(&mut state)
    }

    /// Takes what was queued and refuses everything after: a task the handler left behind cannot speak any more.
    pub(super) fn seal(&self) -> (Vec<Call>, Memory) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sealed = true;
        (
            std::mem::take(&mut state.calls),
            std::mem::replace(&mut state.memory, Memory::Keep),
        )
    }
}

/// The messages that a draft takes.
fn parts(draft: Draft) -> Result<Vec<Draft>, Failure> {
    if draft.is_blank() {
        return Err(Failure::fatal(
            "the text is blank, and the portal refuses a blank message",
        ));
    }
    draft.split().map_err(Failure::fatal)
}

#[cfg(test)]
mod tests {
    use super::super::line::tests::line;
    use super::*;
    use crate::method::{BotUpdate, ChatAdd, MessageDelete, Repeat};
    use crate::types::{Button, Keyboard, Secret};

    fn ctx(dialog: Option<&str>, command: Option<(i64, i64)>, remembered: Option<&str>) -> Ctx {
        asked(
            dialog,
            command.map(|(command, message)| (command, message, Way::Answer)),
            remembered,
        )
    }

    fn asked(dialog: Option<&str>, command: Option<(i64, i64, Way)>, remembered: Option<&str>) -> Ctx {
        Ctx::new(Scene {
            portal: "acme".into(),
            bot: 456,
            dialog: dialog.map(str::to_owned),
            asked: command.map(|(command, message, way)| Asked { command, message, way }),
            remembered: remembered.map(str::to_owned),
            line: line().0,
        })
    }

    #[test]
    fn words_are_queued_in_order_and_taken_once() {
        let ctx = ctx(Some("27"), Some((42, 7)), None);
        ctx.reply("one").unwrap();
        ctx.answer("two").unwrap();
        let (calls, memory) = ctx.seal();
        let methods: Vec<_> = calls.iter().map(|call| call.method.as_str()).collect();
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
    fn a_blank_text_is_refused_and_a_long_one_is_many_messages() {
        let ctx = ctx(Some("27"), None, None);
        assert!(!ctx.reply(" \n").unwrap_err().may_retry());
        let keyboard = Keyboard::new().button(Button::link("Site", "/"));
        ctx.reply(Draft::new(format!("{} end", "word ".repeat(8_000))).keyboard(keyboard))
            .unwrap();
        ctx.reply("next").unwrap();
        let calls = ctx.seal().0;
        let places: Vec<_> = calls.iter().map(|call| (call.step, call.part)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (0, 2), (1, 0)]);
        let buttons: Vec<_> = calls
            .iter()
            .map(|call| call.params["fields"].get("keyboard").is_some())
            .collect();
        assert_eq!(buttons, [false, false, true, false]);
    }

    #[test]
    fn other_long_texts_are_refused() {
        let ctx = ctx(Some("27"), None, None);
        let refused = ctx.call(MessageSend::new("27", "x".repeat(20_001))).unwrap_err();
        assert!(refused.reason().contains("fields.message"), "{}", refused.reason());
        assert!(ctx.call(ChatAdd::new().message("x".repeat(20_001))).is_err());
    }

    #[test]
    fn an_answer_goes_as_a_message_that_refers_to_the_command_and_may_fall_back() {
        let long = format!("{} end", "word ".repeat(4_000));
        for (way, method, fallback) in [
            (Way::Answer, CommandAnswer::NAME, false),
            (Way::Send, MessageSend::NAME, false),
            (Way::SendElseAnswer, MessageSend::NAME, true),
        ] {
            let ctx = asked(Some("chat5"), Some((42, 7, way)), None);
            ctx.answer(long.as_str()).unwrap();
            let calls = ctx.seal().0;
            assert_eq!(calls.len(), 2);
            assert!(
                calls
                    .iter()
                    .all(|call| call.method == method && call.fallback.is_some() == fallback)
            );
            if way != Way::Answer {
                assert_eq!(calls[0].params["fields"]["replyId"], 7);
                assert!(calls[1].params["fields"].get("replyId").is_none());
            }
            if let Some(answer) = &calls[1].fallback {
                assert_eq!(answer.method, CommandAnswer::NAME);
                assert_eq!(answer.params["fields"]["message"], calls[1].params["fields"]["message"]);
                assert_eq!(answer.repeat, Repeat::Never);
            }
        }
    }

    #[test]
    fn then_tags_its_own_call_and_no_other() {
        use super::super::Then as _;
        let ctx = ctx(Some("27"), None, None);
        ctx.call(MessageSend::new("27", "one")).then("first").unwrap();
        let second = ctx.call(MessageSend::new("27", "two")).unwrap();
        ctx.call(MessageSend::new("27", "three")).unwrap();
        second.then("second").unwrap();
        let late = ctx.call(MessageSend::new("27", "four")).unwrap();
        for tag in [String::new(), "x".repeat(256)] {
            let refused = ctx.call(MessageSend::new("27", "x")).then(tag).unwrap_err();
            assert!(!refused.may_retry());
        }
        let tags: Vec<_> = ctx.seal().0.into_iter().map(|call| call.tag).collect();
        let tag = |tag: &str| Some(tag.to_owned());
        assert_eq!(tags[..4], [tag("first"), tag("second"), None, None]);
        assert!(late.then("late").is_err(), "the handler has ended");
        assert!(ctx.call(MessageSend::new("27", "x")).then("late").is_err());
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
