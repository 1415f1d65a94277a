//! Typed REST methods: name, parameters, whether a repeat does harm. Imports `types`; never sends.
//!
//! Names and fields are Bitrix24's own (imbot.v2).

use crate::types::Draft;
use serde_json::{Map, Value, json};

/// A REST method with its parameters.
pub trait Method {
    /// The documented name, for example `imbot.v2.Chat.Message.send`.
    const NAME: &'static str;
    /// What a repeat after an unknown outcome may do.
    const REPEAT: Repeat;

    /// The dialog whose order it keeps (`chat112`, `27`); `None` for calls that belong to no dialog.
    fn dialog(&self) -> Option<&str>;

    /// The parameters as JSON, without `botId` and without credentials.
    fn params(self) -> Map<String, Value>;
}

/// Whether a call may be sent again when nobody knows if the portal carried it out.
/// Source: outbound rules, "Idempotency and ordering".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The same call again leaves the same state.
    Harmless,
    /// `fields.templateId` makes the portal recognise a repeat.
    ByTemplate,
    /// A repeat could be seen twice.
    Never,
}

/// `imbot.v2.Chat.Message.send`: says something in a dialog the bot is in.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageSend {
    /// `chatN`, or the number of the other user.
    pub dialog_id: String,
    /// Text (at most 20,000 code points) and keyboard.
    pub draft: Draft,
    /// The message it answers.
    pub reply_id: Option<i64>,
}

impl Method for MessageSend {
    const NAME: &'static str = "imbot.v2.Chat.Message.send";
    const REPEAT: Repeat = Repeat::ByTemplate;

    fn dialog(&self) -> Option<&str> {
        Some(&self.dialog_id)
    }

    fn params(self) -> Map<String, Value> {
        let mut fields = self.draft.fields();
        if let Some(reply) = self.reply_id {
            fields["replyId"] = json!(reply);
        }
        Map::from_iter([
            ("dialogId".to_owned(), json!(self.dialog_id)),
            ("fields".to_owned(), fields),
        ])
    }
}

/// `imbot.v2.Command.answer`: answers a slash command where it was given, even where the bot is no member.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandAnswer {
    /// `data.command.id` of the event.
    pub command_id: i64,
    /// `data.message.id` of the event.
    pub message_id: i64,
    /// The dialog of the event.
    pub dialog_id: String,
    /// Text and keyboard.
    pub draft: Draft,
}

impl Method for CommandAnswer {
    const NAME: &'static str = "imbot.v2.Command.answer";
    const REPEAT: Repeat = Repeat::Never;

    fn dialog(&self) -> Option<&str> {
        Some(&self.dialog_id)
    }

    fn params(self) -> Map<String, Value> {
        Map::from_iter([
            ("commandId".to_owned(), json!(self.command_id)),
            ("messageId".to_owned(), json!(self.message_id)),
            ("dialogId".to_owned(), json!(self.dialog_id)),
            ("fields".to_owned(), self.draft.fields()),
        ])
    }
}

/// `imbot.v2.Revision.get`: the revision of the portal's API. Needs no bot; the cheapest probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevisionGet;

impl Method for RevisionGet {
    const NAME: &'static str = "imbot.v2.Revision.get";
    const REPEAT: Repeat = Repeat::Harmless;

    fn dialog(&self) -> Option<&str> {
        None
    }

    fn params(self) -> Map<String, Value> {
        Map::new()
    }
}

/// The method's name as a metric label: itself if it is catalogued here, else `other`.
#[must_use]
pub fn label(name: &str) -> &'static str {
    [MessageSend::NAME, CommandAnswer::NAME, RevisionGet::NAME]
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_names_its_dialog_and_text() {
        let send = MessageSend {
            dialog_id: "chat5".into(),
            draft: "Hello".into(),
            reply_id: Some(7),
        };
        assert_eq!(
            Value::Object(send.params()),
            json!({ "dialogId": "chat5", "fields": { "message": "Hello", "replyId": 7 } })
        );
    }

    #[test]
    fn an_answer_names_command_and_message() {
        let answer = CommandAnswer {
            command_id: 42,
            message_id: 789,
            dialog_id: "27".into(),
            draft: "Here is the help".into(),
        };
        assert_eq!(
            Value::Object(answer.params()),
            json!({ "commandId": 42, "messageId": 789, "dialogId": "27", "fields": { "message": "Here is the help" } })
        );
    }

    #[test]
    fn labels_are_a_fixed_set() {
        assert_eq!(label("imbot.v2.Command.answer"), "imbot.v2.Command.answer");
        assert_eq!(label("anything.a.stranger.wrote"), "other");
    }
}
