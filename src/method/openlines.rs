//! Handing a client of an open line over: `imopenlines.bot.session.*`, for `imbot.v2` has no methods of its own for it.
//! Owns their parameters. They take a chat's number instead of a dialog, and answer `true`.

use super::call::method;
use super::{Reason, Refused};
use crate::types::{Fields, Markup};

/// Handing over keeps its place behind the words that were said before.
fn of_chat(chat_id: i64) -> Fields {
    Fields::new()
        .id("CHAT_ID", chat_id)
        .in_dialog(&format!("chat{chat_id}"))
}

/// `imopenlines.bot.session.operator`: hands the client over to any free operator.
/// [Source](https://apidocs.bitrix24.com/api-reference/imopenlines/openlines/chat-bots/imopenlines-bot-session-operator.html)
///
/// ```no_run
/// use imbot::method::SessionOperator;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(SessionOperator::new(112))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct SessionOperator(Fields);

impl SessionOperator {
    /// The chat with this number: 112, not `chat112`.
    pub fn new(chat_id: i64) -> Self {
        Self(of_chat(chat_id))
    }
}

method!(SessionOperator: "imopenlines.bot.session.operator", Harmless, CLIENT, ["CHAT_ID"] -> bool);

/// `imopenlines.bot.session.transfer`: hands the client over to one employee or to a queue.
/// [Source](https://apidocs.bitrix24.com/api-reference/imopenlines/openlines/chat-bots/imopenlines-bot-session-transfer.html)
///
/// ```no_run
/// use imbot::method::SessionTransfer;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(SessionTransfer::to_user(112, 12).leaving())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct SessionTransfer(Fields);

impl SessionTransfer {
    /// To the employee with this number, who is no bot and not from outside the company.
    pub fn to_user(chat_id: i64, user_id: i64) -> Self {
        Self(of_chat(chat_id).id("USER_ID", user_id))
    }

    /// To the queue of the open line with this number (`ID` of `imopenlines.config.list.get`).
    pub fn to_queue(chat_id: i64, queue_id: i64) -> Self {
        Self(of_chat(chat_id).id("QUEUE_ID", queue_id))
    }

    /// To an employee's number or a queue (`queue5`), as other software hands it on.
    pub fn to(chat_id: i64, target: &str) -> Self {
        let number = target.strip_prefix("queue").unwrap_or(target);
        let holds = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let form = Reason::Form("a user's number, or queue and a number (queue5)");
        let fields = of_chat(chat_id);
        Self(fields.must(holds, "TRANSFER_ID", form).with("TRANSFER_ID", target))
    }

    /// The bot leaves at once. Default: it stays until the employee takes over.
    pub fn leaving(self) -> Self {
        Self(self.0.with("LEAVE", "Y"))
    }
}

method!(SessionTransfer: "imopenlines.bot.session.transfer", Harmless, CLIENT, [
    "CHAT_ID", "USER_ID", "QUEUE_ID", "TRANSFER_ID", "LEAVE",
] -> bool);

/// `imopenlines.bot.session.finish`: ends the session with the client.
/// [Source](https://apidocs.bitrix24.com/api-reference/imopenlines/openlines/chat-bots/imopenlines-bot-session-finish.html)
///
/// ```no_run
/// use imbot::method::SessionFinish;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(SessionFinish::new(112))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct SessionFinish(Fields);

impl SessionFinish {
    /// The chat with this number: 112, not `chat112`.
    pub fn new(chat_id: i64) -> Self {
        Self(of_chat(chat_id))
    }
}

method!(SessionFinish: "imopenlines.bot.session.finish", Harmless, CLIENT, ["CHAT_ID"] -> bool);

/// `imopenlines.bot.session.message.send`: an automatic message to the client: the line's own greeting, or a text. A
/// repeat says it twice.
/// [Source](https://apidocs.bitrix24.com/api-reference/imopenlines/openlines/chat-bots/imopenlines-bot-session-message-send.html)
///
/// ```no_run
/// use imbot::method::SessionMessageSend;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(SessionMessageSend::text(112, "A colleague will be with you in a minute"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct SessionMessageSend(Fields);

impl SessionMessageSend {
    /// The greeting from the settings of the open line.
    pub fn welcome(chat_id: i64) -> Self {
        Self(of_chat(chat_id).with("NAME", "WELCOME"))
    }

    /// A text, at most 20,000 characters.
    pub fn text(chat_id: i64, text: impl Into<Markup>) -> Self {
        let fields = of_chat(chat_id).with("NAME", "DEFAULT");
        Self(fields.words("MESSAGE", &text.into()))
    }
}

/// A blank text shows nothing, and the portal says `true`.
fn says_something(fields: &Fields) -> Result<(), Refused> {
    match fields.str("MESSAGE") {
        Some(text) if text.trim().is_empty() => Err(Refused::new("MESSAGE", Reason::Blank)),
        _ => Ok(()),
    }
}

method!(SessionMessageSend: "imopenlines.bot.session.message.send", Never, CLIENT, [
    "CHAT_ID", "NAME", "MESSAGE",
] -> bool; whole = says_something);
