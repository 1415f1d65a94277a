//! A message to be said: text, attachment and buttons. Owns their place in `fields` as `imbot.v2` takes it; never sends.

use super::fields::Fields;
use super::refused::{Reason, Refused};
use super::split::split;
use super::{Attachment, Keyboard, Markup};
use serde_json::Value;

/// What a bot is about to say. Plain text becomes a draft by itself: `ctx.reply("Hello")`.
///
/// ```
/// use imbot::{Button, Draft, Keyboard};
/// use imbot::types::{Attachment, Block};
/// let draft = Draft::new("Your order")
///     .attachment(Attachment::new().block(Block::message("2 x tea")))
///     .keyboard(Keyboard::new().button(Button::command("Pay", "/pay", "12")));
/// assert!(draft.check().is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Draft {
    text: Markup,
    attachment: Option<Attachment>,
    keyboard: Option<Keyboard>,
}

impl Draft {
    /// The longest text a portal shows, in Unicode code points; longer text is cut there with ` (...)`.
    /// Source: Bitrix24 documentation, Chat.Message.send.
    pub const MAX_CHARS: usize = 20_000;

    /// A message of this text.
    pub fn new(text: impl Into<Markup>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// The same message with blocks below its text. With an attachment the text may be empty.
    pub fn attachment(mut self, attachment: Attachment) -> Self {
        self.attachment = Some(attachment);
        self
    }

    /// The same message with buttons below it.
    pub fn keyboard(mut self, keyboard: Keyboard) -> Self {
        self.keyboard = Some(keyboard);
        self
    }

    /// The text, as BB code.
    #[must_use]
    pub fn text(&self) -> &Markup {
        &self.text
    }

    /// Whether neither text nor attachment would be shown; the portal refuses that (EMPTY_MESSAGE).
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.text.is_blank() && self.attachment.is_none()
    }

    /// Text over [`MAX_CHARS`](Self::MAX_CHARS), and what is wrong with attachment and keyboard. A blank draft passes:
    /// it may go with forwarded messages.
    ///
    /// # Errors
    /// The first thing that the portal would refuse or cut, with its place (`message`, `attach…`, `keyboard…`).
    pub fn check(&self) -> Result<(), Refused> {
        let (length, most) = (self.text.as_str().chars().count(), Self::MAX_CHARS);
        if length > most {
            return Err(Refused::new("message", Reason::TooLong { length, most }));
        }
        if let Some(attachment) = &self.attachment {
            attachment.check().map_err(|refused| refused.inside("attach"))?;
        }
        if let Some(keyboard) = &self.keyboard {
            keyboard.check().map_err(|refused| refused.inside("keyboard"))?;
        }
        Ok(())
    }

    /// The messages that this draft takes: texts over [`MAX_CHARS`](Self::MAX_CHARS) are cut between graphemes and
    /// tags, tags that are open there are closed and opened again, attachment and keyboard go with the last one.
    ///
    /// # Errors
    /// A sign or a tag is longer than a message.
    pub(crate) fn split(self) -> Result<Vec<Self>, Refused> {
        if self.text.as_str().chars().take(Self::MAX_CHARS + 1).count() <= Self::MAX_CHARS {
            return Ok(vec![self]);
        }
        let texts = split(self.text.as_str(), Self::MAX_CHARS)?;
        // The portal refuses a blank message, and nobody would miss it.
        let texts = texts.into_iter().map(Markup::raw).filter(|text| !text.is_blank());
        let mut parts: Vec<Self> = texts.map(Self::new).collect();
        match parts.last_mut() {
            Some(last) => (last.attachment, last.keyboard) = (self.attachment, self.keyboard),
            None => parts.push(self),
        }
        Ok(parts)
    }

    /// The `fields` object of `imbot.v2.Chat.Message.send` and `imbot.v2.Command.answer`.
    #[must_use]
    pub fn fields(&self) -> Value {
        let mut fields = Fields::new();
        if !self.text.as_str().is_empty() {
            fields = fields.with("message", self.text.as_str());
        }
        if let Some(attachment) = &self.attachment {
            fields = fields.with("attach", attachment.json());
        }
        if let Some(keyboard) = &self.keyboard {
            fields = fields.with("keyboard", keyboard.json());
        }
        Value::Object(fields.into_object())
    }
}

impl<T: Into<Markup>> From<T> for Draft {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Block, Button};
    use serde_json::json;

    #[test]
    fn a_draft_writes_the_fields_of_a_send() {
        let keyboard = Keyboard::new()
            .button(Button::command("Yes", "/feedback", "like 42").once())
            .row()
            .button(Button::link("Site", "https://example.com"));
        let attachment = Attachment::new().block(Block::message("more"));
        let fields = Draft::new("[b]x").keyboard(keyboard).attachment(attachment).fields();
        assert_eq!(fields["message"], "[\u{200B}b]x");
        assert_eq!(fields["attach"], json!([{ "MESSAGE": "more" }]));
        assert_eq!(fields["keyboard"][0]["COMMAND"], "feedback");
        assert_eq!(fields["keyboard"][0]["BLOCK"], "Y");
        assert_eq!(fields["keyboard"][1], json!({ "TYPE": "NEWLINE" }));
        assert_eq!(fields["keyboard"][2]["LINK"], "https://example.com");
    }

    #[test]
    fn a_draft_is_refused_for_its_text_its_attachment_or_its_keyboard() {
        let long = Draft::new("ä".repeat(Draft::MAX_CHARS + 1));
        assert_eq!(long.check().unwrap_err().field(), "message");
        assert_eq!(Draft::new("ä".repeat(Draft::MAX_CHARS)).check(), Ok(()));
        let empty = Draft::new("x").attachment(Attachment::new());
        assert_eq!(empty.check().unwrap_err().field(), "attach.BLOCKS");
        let dumb = Draft::new("x").keyboard(Keyboard::new().button(Button::link("", "/")));
        assert_eq!(dumb.check().unwrap_err().field(), "keyboard.0.TEXT");
    }

    #[test]
    fn a_long_draft_becomes_messages_and_the_last_one_has_the_buttons() {
        let keyboard = Keyboard::new().button(Button::link("Site", "https://example.com"));
        let attachment = Attachment::new().block(Block::message("more"));
        let text = format!("{}{}\n", "ä".repeat(Draft::MAX_CHARS), "b".repeat(Draft::MAX_CHARS));
        let parts = Draft::new(text)
            .keyboard(keyboard.clone())
            .attachment(attachment)
            .split()
            .unwrap();
        let lengths: Vec<_> = parts.iter().map(|part| part.text().as_str().chars().count()).collect();
        assert_eq!(lengths, [20_000, 20_000], "a line break alone is no message");
        assert!(parts[0].keyboard.is_none() && parts[0].attachment.is_none());
        assert!(parts[1].keyboard.as_ref() == Some(&keyboard) && parts[1].attachment.is_some());
        assert_eq!(Draft::new("short").split().unwrap().len(), 1);
        assert_eq!(
            Draft::new(" ".repeat(30_000)).split().unwrap().len(),
            1,
            "left for who checks it"
        );
    }

    #[test]
    fn blocks_alone_are_something_to_say() {
        assert!(Draft::new(" ").is_blank());
        let shown = Draft::new("").attachment(Attachment::new().block(Block::delimiter()));
        assert!(!shown.is_blank());
        assert_eq!(shown.fields(), json!({ "attach": [{ "DELIMITER": { "SIZE": 200 } }] }));
    }
}
