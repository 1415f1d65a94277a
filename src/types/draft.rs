//! A message to be said: text and keyboard. Owns their JSON shape as `imbot.v2` takes it; never sends.

use super::Markup;
use serde_json::{Value, json};

/// What a bot is about to say. Plain text becomes a draft by itself: `ctx.reply("Hello")`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    text: Markup,
    keyboard: Option<Keyboard>,
}

impl Draft {
    /// The longest text a portal shows, in Unicode code points; longer text is cut there with ` (...)`.
    /// Source: Bitrix24 documentation, Chat.Message.send.
    pub const MAX_CHARS: usize = 20_000;

    /// A message of this text.
    #[must_use]
    pub fn new(text: impl Into<Markup>) -> Self {
        Self {
            text: text.into(),
            keyboard: None,
        }
    }

    /// The same message with buttons below it.
    #[must_use]
    pub fn keyboard(mut self, keyboard: Keyboard) -> Self {
        self.keyboard = Some(keyboard);
        self
    }

    /// The text, as BB code.
    #[must_use]
    pub fn text(&self) -> &Markup {
        &self.text
    }

    /// The `fields` object of `imbot.v2.Chat.Message.send` and `imbot.v2.Command.answer`.
    #[must_use]
    pub fn fields(&self) -> Value {
        let mut fields = json!({ "message": self.text.as_str() });
        if let Some(keyboard) = &self.keyboard {
            fields["keyboard"] = keyboard.json();
        }
        fields
    }
}

impl<T: Into<Markup>> From<T> for Draft {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Rows of buttons below a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keyboard(Vec<Value>);

impl Keyboard {
    /// An empty keyboard.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a button to the present row.
    #[must_use]
    pub fn button(mut self, button: Button) -> Self {
        self.0.push(button.0);
        self
    }

    /// Starts a new row.
    #[must_use]
    pub fn row(mut self) -> Self {
        self.0.push(json!({ "TYPE": "NEWLINE" }));
        self
    }

    fn json(&self) -> Value {
        Value::Array(self.0.clone())
    }
}

/// One button. Field names and values as Bitrix24's message keyboard documentation gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct Button(Value);

impl Button {
    /// A button that raises a command event (`context` = `keyboard`) of the bot; `command` with or without its slash.
    /// The command must be registered at the portal.
    #[must_use]
    pub fn command(text: &str, command: &str, params: &str) -> Self {
        Self(json!({
            "TEXT": text,
            "COMMAND": command.trim_start_matches('/'),
            "COMMAND_PARAMS": params,
            "DISPLAY": "LINE",
        }))
    }

    /// A button that opens an address (`http`, `https`, or a path of the portal).
    #[must_use]
    pub fn link(text: &str, address: &str) -> Self {
        Self(json!({ "TEXT": text, "LINK": address, "DISPLAY": "LINE" }))
    }

    /// The same button, locked after the first press. Command buttons only.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.0["BLOCK"] = json!("Y");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_writes_the_fields_of_a_send() {
        let keyboard = Keyboard::new()
            .button(Button::command("Yes", "/feedback", "like 42").once())
            .row()
            .button(Button::link("Site", "https://example.com"));
        let fields = Draft::new("[b]x").keyboard(keyboard).fields();
        assert_eq!(fields["message"], "[\u{200B}b]x");
        assert_eq!(fields["keyboard"][0]["COMMAND"], "feedback");
        assert_eq!(fields["keyboard"][0]["BLOCK"], "Y");
        assert_eq!(fields["keyboard"][1], json!({ "TYPE": "NEWLINE" }));
        assert_eq!(fields["keyboard"][2]["LINK"], "https://example.com");
    }
}
