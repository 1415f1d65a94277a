//! What a handler does at once instead of queueing: asking, showing that the bot is typing, fetching a file. All of it
//! goes over the desk, under the portal's budget; nothing of it is durable.

use super::Ctx;
use crate::method::{AgentAction, CallError, FileDownload, InputActionNotify, Method, Read};
use crate::rest::{AskError, Client, Desk, Errand, Executed, Fault, Incoming};
use crate::types::{Clock, Lane, PortalId, Priority, Timestamp};
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A typing notice leaves at most so often for one dialog.
const TYPING_PAUSE: Duration = Duration::from_secs(5);
/// Dialogs that are remembered for that at most; older ones are forgotten first.
const TYPING_DIALOGS: usize = 10_000;
/// The largest file that is fetched: the largest that a portal takes. Source: Bitrix24 documentation, FILE_TOO_LARGE.
const MAX_FILE: u64 = 100 * 1024 * 1024;

/// A handler's line to its portal.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) desk: Desk,
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) portal: PortalId,
    /// The portal's REST address: a file's link must be of the same host.
    pub(super) home: String,
    /// When the handler must have ended, and when an answer must be there so that it can still say something.
    pub(super) deadline: Timestamp,
    pub(super) answer_by: Timestamp,
    pub(super) typing: Arc<Typing>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("portal", &self.portal)
            .finish_non_exhaustive()
    }
}

/// When each dialog last had a typing notice.
#[derive(Debug, Default)]
pub(super) struct Typing(Mutex<HashMap<Lane, Timestamp>>);

impl Typing {
    /// Whether a notice may leave now; if so, it counts as left.
    fn may(&self, lane: Lane, now: Timestamp) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(&lane).is_some_and(|last| now < *last + TYPING_PAUSE) {
            return false;
        }
        if last.len() >= TYPING_DIALOGS {
            last.retain(|_, last| now < *last + TYPING_PAUSE);
        }
        last.insert(lane, now);
        true
    }
}

impl Ctx {
    /// Asks the portal and waits for its answer: only for methods that change nothing ([`Read`]). Goes before everything
    /// that waits in the outbox, is repeated where that can help, and ends a second before the handler's own timeout.
    ///
    /// What this handler has queued so far is not sent yet, so the answer does not know of it.
    ///
    /// ```
    /// use imbot::method::{CallError, ChatGet, ErrorCode};
    /// use imbot::{Ctx, MessageAdd, Outcome};
    /// async fn where_am_i(ctx: Ctx, heard: MessageAdd) -> Outcome {
    ///     let dialog = ctx.dialog_id().unwrap_or_default().to_owned();
    ///     match ctx.ask(ChatGet::new(dialog)).await {
    ///         Ok(found) => ctx.reply(format!("This is {}", found.chat.name)),
    ///         Err(CallError::Portal(ErrorCode::AccessDenied)) => ctx.reply("I cannot see this chat."),
    ///         Err(error) => Err(error.into()),
    ///     }
    /// }
    /// # let _ = imbot::Bot::new("guide").on(where_am_i);
    /// ```
    /// What changes something is queued instead, so that a handler that fails has changed nothing:
    /// ```compile_fail,E0277
    /// # async fn handler(ctx: imbot::Ctx) {
    /// ctx.ask(imbot::method::MessageSend::new("27", "Hello")).await;
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CallError`] says what the portal answered, or why nobody was asked.
    pub async fn ask<M: Read>(&self, method: M) -> Result<M::Reply, CallError> {
        method.check().map_err(CallError::Refused)?;
        let mut params = method.params();
        M::ADDRESS.put_bot(&mut params, self.bot_id());
        let line = self.line();
        let errand = |answer| Errand {
            portal: line.portal,
            bot: self.bot_id(),
            with_bot: true,
            method: M::NAME.to_owned(),
            params: Value::Object(params).to_string(),
            priority: Priority::Interactive,
            lane: None,
            now_or_never: false,
            repeatable: true,
            in_company: false,
            over_budget: false,
            deadline: line.answer_by,
            change: None,
            answer,
        };
        let answer = line.desk.ask(errand).await.map_err(because)?;
        M::Reply::deserialize(answer).map_err(|error| CallError::Unreadable(error.to_string()))
    }

    /// Shows in the dialog that the bot is typing (`None`), or what else it does, for so many seconds (1 to 600). Leaves at
    /// once or not at all: not if the portal's budget is used up, nor within five seconds of the last one in this dialog.
    /// Never repeated, never an error; in an event without a dialog nothing happens.
    ///
    /// ```
    /// use imbot::method::AgentAction;
    /// use imbot::{Ctx, MessageAdd, Outcome};
    /// async fn slow(ctx: Ctx, heard: MessageAdd) -> Outcome {
    ///     ctx.typing(AgentAction::Thinking, 30);
    ///     // … something that takes its time …
    ///     ctx.reply("42")
    /// }
    /// # let _ = imbot::Bot::new("deep").on(slow);
    /// ```
    pub fn typing(&self, action: impl Into<Option<AgentAction>>, seconds: u32) {
        let (line, Some(dialog)) = (self.line(), self.dialog_id()) else {
            return;
        };
        let notice = InputActionNotify::new(dialog).seconds(i64::from(seconds.clamp(1, 600)));
        let notice = match action.into() {
            Some(action) => notice.action(action),
            None => notice,
        };
        let lane = Lane::of(line.portal, self.bot_id(), dialog);
        let now = line.clock.now();
        if self.is_over() || notice.check().is_err() || !line.typing.may(lane, now) {
            return;
        }
        let mut params = notice.params();
        InputActionNotify::ADDRESS.put_bot(&mut params, self.bot_id());
        let errand = |answer| Errand {
            portal: line.portal,
            bot: self.bot_id(),
            with_bot: true,
            method: InputActionNotify::NAME.to_owned(),
            params: Value::Object(params).to_string(),
            priority: Priority::Typing,
            lane: Some(lane),
            now_or_never: true,
            repeatable: false,
            in_company: false,
            over_budget: false,
            deadline: line.deadline,
            change: None,
            answer,
        };
        match line.desk.hand_in(errand) {
            // The answer is awaited elsewhere, so that the handler does not wait for the portal.
            Ok(answer) => drop(tokio::spawn(answer)),
            Err(error) => tracing::debug!(%error, "a typing notice was dropped"),
        }
    }

    /// Fetches a file of a chat that the bot is in, by the number that the event gives: at most 100 MB, streamed. The link
    /// is used once and only if it leads to the portal itself.
    ///
    /// ```
    /// use imbot::{Ctx, MessageAdd, Outcome};
    /// async fn count(ctx: Ctx, heard: MessageAdd) -> Outcome {
    ///     let mut lines = 0;
    ///     let mut file = ctx.download(138).await?;
    ///     while let Some(bytes) = file.chunk().await? {
    ///         lines += bytes.iter().filter(|byte| **byte == b'\n').count();
    ///     }
    ///     ctx.reply(format!("{lines} lines"))
    /// }
    /// # let _ = imbot::Bot::new("counter").on(count);
    /// ```
    ///
    /// # Errors
    /// [`CallError`]: the portal gives no link, the link leads elsewhere (`link_elsewhere`), is used up, or the file is too
    /// large (`file_too_large`).
    pub async fn download(&self, file_id: i64) -> Result<Download, CallError> {
        let reply = self.ask(FileDownload::new(file_id)).await?;
        let line = self.line();
        let within = line.deadline.since(line.clock.now());
        let incoming = line
            .client
            .download(&reply.download_url, &line.home, MAX_FILE, within)
            .await;
        Ok(Download(incoming.map_err(|fault| failed(&fault))?))
    }
}

/// A file on its way from the portal.
pub struct Download(Incoming);

impl Download {
    /// Its length in bytes, where the portal tells it.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.0.length()
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// The connection broke, or the file is larger than 100 MB.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        self.0.chunk().await.map_err(|fault| failed(&fault))
    }

    /// All of it.
    ///
    /// # Errors
    /// As [`chunk`](Self::chunk), and if it has more than `most` bytes (`file_too_large`).
    pub async fn bytes(mut self, most: usize) -> Result<Vec<u8>, CallError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > most {
                return Err(CallError::NotMade("file_too_large".to_owned()));
            }
            bytes.extend(chunk);
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}

/// The desk's reason, as an author reads it.
fn because(error: AskError) -> CallError {
    let word = match error {
        AskError::Fault(fault) => return failed(&fault),
        AskError::NoBudget(_) => "no_budget",
        AskError::NoIdentity => "no_identity",
        AskError::Parked(_) => "parked",
        AskError::Busy => "busy",
        AskError::Stopping => "stopping",
    };
    CallError::NotMade(word.to_owned())
}

fn failed(fault: &Fault) -> CallError {
    CallError::of(&fault.code, fault.executed == Executed::Unknown)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::ctx::{Ctx, Scene};
    use super::*;
    use crate::method::{ChatGet, ErrorCode, RevisionGet};
    use crate::rest::Errands;
    use serde_json::json;

    /// A line whose errands the test carries out itself.
    pub(in crate::dispatch) fn line() -> (Line, Errands) {
        let (desk, errands) = Desk::open();
        let clock = Clock::manual(Timestamp(1_000_000));
        let line = Line {
            desk,
            client: Client::new().unwrap(),
            portal: PortalId(1),
            home: "https://acme.example/rest/".to_owned(),
            deadline: clock.now() + Duration::from_secs(30),
            answer_by: clock.now() + Duration::from_secs(29),
            clock,
            typing: Arc::default(),
        };
        (line, errands)
    }

    fn ctx(line: &Line, dialog: &str) -> Ctx {
        Ctx::new(Scene {
            portal: "acme".into(),
            bot: 456,
            dialog: Some(dialog.to_owned()),
            asked: None,
            remembered: None,
            line: line.clone(),
        })
    }

    fn params(errand: &Errand) -> Value {
        serde_json::from_str(&errand.params).unwrap()
    }

    #[tokio::test]
    async fn a_question_goes_to_the_desk_as_this_bot_and_brings_a_typed_reply() {
        let (line, mut errands) = line();
        let ctx = ctx(&line, "chat5");
        let asking = tokio::spawn(async move { ctx.ask(RevisionGet::new()).await });
        let errand = errands.next().await.unwrap();
        assert_eq!(
            (errand.portal, errand.bot, errand.priority),
            (PortalId(1), 456, Priority::Interactive)
        );
        assert!(errand.repeatable && !errand.now_or_never && errand.with_bot);
        assert_eq!(
            errand.deadline, line.answer_by,
            "in time for the handler to say something"
        );
        errand.answer.send(Ok(json!({ "rest": 36 }))).unwrap();
        assert_eq!(asking.await.unwrap().unwrap().rest, 36);
    }

    #[tokio::test]
    async fn a_question_that_is_not_answered_says_why() {
        let (line, mut errands) = line();
        let asked = tokio::spawn({
            let ctx = ctx(&line, "chat5");
            async move {
                let mut errors = Vec::new();
                for _ in 0..4 {
                    errors.push(ctx.ask(ChatGet::new("chat5")).await.unwrap_err());
                }
                errors
            }
        });
        for answer in [
            Err(AskError::Fault(Fault::coded("ACCESS_DENIED", "", 400))),
            Err(AskError::NoBudget("tokens")),
            Err(AskError::Fault(Fault::transport("timeout", Executed::Unknown))),
            Ok(json!({ "chat": 7 })),
        ] {
            let errand = errands.next().await.unwrap();
            assert_eq!(params(&errand), json!({ "botId": 456, "dialogId": "chat5" }));
            errand.answer.send(answer).unwrap();
        }
        let errors = asked.await.unwrap();
        assert_eq!(errors[0], CallError::Portal(ErrorCode::AccessDenied));
        assert_eq!(errors[1], CallError::NotMade("no_budget".into()));
        assert!(matches!(errors[2], CallError::Unknown(_)));
        assert!(matches!(errors[3], CallError::Unreadable(_)));
        drop(errands);
        let ctx = ctx(&line, "chat5");
        let stopping = ctx.ask(ChatGet::new("chat5")).await.unwrap_err();
        assert_eq!(stopping, CallError::NotMade("stopping".into()));
        let refused = ctx.ask(ChatGet::new("no dialog")).await.unwrap_err();
        assert!(matches!(refused, CallError::Refused(_)), "nobody is asked");
    }

    #[tokio::test]
    async fn a_typing_notice_leaves_at_once_or_never_and_every_five_seconds_a_dialog() {
        let (line, mut errands) = line();
        let (one, other) = (ctx(&line, "chat5"), ctx(&line, "27"));
        one.typing(AgentAction::Thinking, 30);
        let errand = errands.next().await.unwrap();
        assert!(errand.now_or_never && !errand.repeatable);
        assert_eq!(errand.priority, Priority::Typing);
        assert_eq!(errand.lane, Some(Lane::of(PortalId(1), 456, "chat5")));
        let thinking = "IMBOT_AGENT_ACTION_THINKING";
        let expected = json!({ "botId": 456, "dialogId": "chat5", "statusMessageCode": thinking, "duration": 30 });
        assert_eq!(params(&errand), expected);
        // Refused or not, nobody hears of it.
        errand.answer.send(Err(AskError::NoBudget("tokens"))).unwrap();
        one.typing(None, 30);
        ctx(&line, "chat5").typing(None, 30);
        other.typing(None, 9_999);
        assert_eq!(
            params(&errands.next().await.unwrap())["duration"],
            600,
            "another dialog has its own"
        );
        line.clock.advance(Duration::from_millis(4_999));
        one.typing(None, 30);
        line.clock.advance(Duration::from_millis(1));
        one.typing(None, 5);
        assert_eq!(params(&errands.next().await.unwrap())["duration"], 5);
        one.seal();
        line.clock.advance(Duration::from_secs(60));
        one.typing(None, 30);
        tokio::task::yield_now().await;
        assert!(errands.try_next().is_none(), "nor after the end of the handler");
    }

    #[tokio::test]
    async fn a_link_to_elsewhere_is_not_followed_and_not_told() {
        let (line, mut errands) = line();
        let ctx = ctx(&line, "chat5");
        let fetching = tokio::spawn(async move { ctx.download(138).await });
        let errand = errands.next().await.unwrap();
        assert_eq!(
            (errand.method.as_str(), &params(&errand)["fileId"]),
            (FileDownload::NAME, &json!(138))
        );
        let link = "https://acme.example.evil.example/rest/download.json?token=marker";
        errand.answer.send(Ok(json!({ "downloadUrl": link }))).unwrap();
        let refused = fetching.await.unwrap().unwrap_err();
        assert_eq!(refused, CallError::NotMade("link_elsewhere".into()));
    }

    #[test]
    fn the_dialogs_remembered_for_typing_are_bounded() {
        let typing = Typing::default();
        for number in 0..3 * i64::try_from(TYPING_DIALOGS).unwrap() {
            assert!(typing.may(Lane(number), Timestamp(number)));
        }
        assert!(typing.0.lock().unwrap().len() <= TYPING_DIALOGS + 1);
    }
}
