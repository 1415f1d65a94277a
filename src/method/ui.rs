//! What people see around the text: the line that says a bot is working, and the input field. Owns the parameters of
//! `imbot.v2.Chat.InputAction.notify`, `imbot.v2.Chat.TextField.enabled` and `im.v2.Chat.Bot.sendContext`.

use super::call::method;
use super::reply::Done;
use super::values::AgentAction;
use crate::types::Fields;
use serde_json::{Map, Value};

/// `imbot.v2.Chat.InputAction.notify`: shows that the bot is typing, or what else it does. A late one is worth nothing.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/ui/chat-input-action-notify.html)
///
/// ```no_run
/// use imbot::method::{AgentAction, InputActionNotify};
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(InputActionNotify::new("chat5").action(AgentAction::Thinking).seconds(30))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct InputActionNotify(Fields);

impl InputActionNotify {
    /// "Typing" in this dialog, for as long as the portal likes.
    pub fn new(dialog_id: impl AsRef<str>) -> Self {
        Self(Fields::new().dialog("dialogId", dialog_id.as_ref(), true))
    }

    /// What it does, instead of typing.
    pub fn action(self, action: AgentAction) -> Self {
        Self(self.0.with("statusMessageCode", action))
    }

    /// For so many seconds, 1 to 600.
    pub fn seconds(self, seconds: i64) -> Self {
        Self(self.0.number("duration", seconds, 1, 600))
    }
}

method!(InputActionNotify: "imbot.v2.Chat.InputAction.notify", Harmless, BOT, [
    "dialogId", "statusMessageCode", "duration",
] -> Done);

/// `imbot.v2.Chat.TextField.enabled`: opens or closes the input field of a dialog, so that people answer by buttons only.
/// In private dialogs from revision 34 on.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/ui/chat-text-field-enabled.html)
///
/// ```no_run
/// use imbot::method::TextFieldEnabled;
/// # async fn handler(ctx: imbot::Ctx) -> imbot::Outcome {
/// ctx.call(TextFieldEnabled::new("chat5", false))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct TextFieldEnabled(Fields);

impl TextFieldEnabled {
    /// Whether people can write in this dialog.
    pub fn new(dialog_id: impl AsRef<str>, enabled: bool) -> Self {
        let fields = Fields::new().dialog("dialogId", dialog_id.as_ref(), true);
        Self(fields.with("enabled", enabled))
    }
}

method!(TextFieldEnabled: "imbot.v2.Chat.TextField.enabled", Harmless, BOT, ["dialogId", "enabled"] -> Done);

/// `im.v2.Chat.Bot.sendContext`: hands a context to the bot of a dialog, as the client does when somebody follows a link
/// with `BOT_CONTEXT`; the bot hears ONIMBOTV2CONTEXTGET. It acts as the calling user, which makes it a tool for trying
/// things out. Each call raises an event. Named in the documentation of the event only:
/// [source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/bot-context.html)
///
/// ```
/// use imbot::method::BotSendContext;
/// use serde_json::{Map, json};
/// let context = Map::from_iter([("order".to_owned(), json!(12))]);
/// let call = BotSendContext::new("456", context);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct BotSendContext(Fields);

impl BotSendContext {
    /// The dialog with the bot (its number, in a private dialog) and the context, any JSON object.
    pub fn new(dialog_id: impl AsRef<str>, context: Map<String, Value>) -> Self {
        let fields = Fields::new().dialog("dialogId", dialog_id.as_ref(), true);
        Self(fields.with("context", context))
    }
}

method!(BotSendContext: "im.v2.Chat.Bot.sendContext", Never, USER, ["dialogId", "context"] -> Done);
