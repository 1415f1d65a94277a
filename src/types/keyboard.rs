//! Buttons below a message. Owns their JSON shape and their rules; never sends.
//!
//! Source: Bitrix24 documentation, message keyboards. No limit on the number of buttons is documented.

use super::fields::Fields;
use super::refused::{Reason, Refused};
use super::words::{ColorToken, Device, Display};
use serde_json::{Map, Value, json};

/// Rows of buttons below a message. An empty keyboard removes the buttons in `imbot.v2.Chat.Message.update`.
///
/// ```
/// use imbot::types::{Button, Keyboard};
/// let keyboard = Keyboard::new()
///     .button(Button::command("Yes", "/feedback", "like 42").once())
///     .row()
///     .button(Button::link("Site", "https://example.com"));
/// assert!(keyboard.check().is_ok());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Keyboard {
    keys: Vec<Key>,
    bot: Option<i64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Key {
    Button(Button),
    NewLine,
}

impl Keyboard {
    /// An empty keyboard.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a button to the present row.
    pub fn button(mut self, button: Button) -> Self {
        self.keys.push(Key::Button(button));
        self
    }

    /// Starts a new row.
    pub fn row(mut self) -> Self {
        self.keys.push(Key::NewLine);
        self
    }

    /// The bot that hears the buttons (`BOT_ID`). It is filled in for you where it matters: needed only for calls that
    /// do not go through a `Ctx`.
    pub fn bot(mut self, bot_id: i64) -> Self {
        self.bot = Some(bot_id);
        self
    }

    /// Whether there is no button on it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// # Errors
    /// The first button that the portal would refuse or that could do nothing.
    pub fn check(&self) -> Result<(), Refused> {
        for (at, key) in self.keys.iter().enumerate() {
            if let Key::Button(button) = key {
                button.check().map_err(|refused| refused.inside(&at.to_string()))?;
            }
        }
        match self.bot {
            Some(value) if value < 1 => {
                let (least, most) = (1, i64::MAX);
                Err(Refused::new("BOT_ID", Reason::OutOfRange { value, least, most }))
            }
            _ => Ok(()),
        }
    }

    /// An array of buttons, or an object with it and the bot.
    pub(crate) fn json(&self) -> Value {
        match self.bot {
            Some(bot) => json!({ "BOT_ID": bot, "BUTTONS": self.buttons() }),
            None => self.buttons(),
        }
    }

    /// The shape that an update wants: always an object, into which the bot's number goes when it is sent.
    pub(crate) fn json_of_update(&self) -> Value {
        match (self.is_empty(), self.bot) {
            (true, _) => json!("N"),
            (false, Some(_)) => self.json(),
            (false, None) => json!({ "BUTTONS": self.buttons() }),
        }
    }

    fn buttons(&self) -> Value {
        let keys = self.keys.iter().map(|key| match key {
            Key::Button(button) => Value::Object(button.0.object().clone()),
            Key::NewLine => json!({ "TYPE": "NEWLINE" }),
        });
        keys.collect()
    }
}

/// One button. It does one thing: runs a command, opens an address, or one of the actions of the messenger.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Button(Fields);

impl Button {
    /// A button that raises a command event (`context` = `keyboard`) of the bot; `command` with or without its slash.
    /// The command must be registered at the portal.
    pub fn command(text: &str, command: &str, params: &str) -> Self {
        Self::labelled(text)
            .field(|fields| fields.filled("COMMAND", command.trim_start_matches('/')))
            .field(|fields| fields.with("COMMAND_PARAMS", params))
    }

    /// A button that opens an address (`http`, `https`, or a path of the portal).
    pub fn link(text: &str, address: &str) -> Self {
        Self::labelled(text).field(|fields| fields.address("LINK", address))
    }

    /// A button that puts `words` into the input field of who presses it.
    pub fn put(text: &str, words: &str) -> Self {
        Self::acting(text, "PUT", words)
    }

    /// A button that sends `words` as a message of who presses it.
    pub fn send(text: &str, words: &str) -> Self {
        Self::acting(text, "SEND", words)
    }

    /// A button that copies `words` to the clipboard.
    pub fn copy(text: &str, words: &str) -> Self {
        Self::acting(text, "COPY", words)
    }

    /// A button that calls a phone number.
    pub fn call(text: &str, phone: &str) -> Self {
        let digits = phone.bytes().any(|byte| byte.is_ascii_digit());
        Self::acting(text, "CALL", phone)
            .field(|fields| fields.must(digits, "ACTION_VALUE", Reason::Form("a phone number")))
    }

    /// A button that opens a dialog: `chatN` or the number of a user.
    pub fn dialog(text: &str, dialog_id: &str) -> Self {
        Self::labelled(text).field(|fields| fields.with("ACTION", "DIALOG").dialog("ACTION_VALUE", dialog_id, true))
    }

    /// A button of an old application in an open line.
    #[deprecated(note = "Bitrix24 keeps APP_ID for old open-line applications only: use Button::command")]
    pub fn app(text: &str, app_id: i64, params: &str) -> Self {
        Self::labelled(text).field(|fields| fields.id("APP_ID", app_id).with("APP_PARAMS", params))
    }

    fn labelled(text: &str) -> Self {
        Self(Fields::new().filled("TEXT", text).with("DISPLAY", Display::Line))
    }

    fn acting(text: &str, action: &str, value: &str) -> Self {
        Self::labelled(text).field(|fields| fields.with("ACTION", action).filled("ACTION_VALUE", value))
    }

    fn field(mut self, change: impl FnOnce(Fields) -> Fields) -> Self {
        self.0 = change(self.0);
        self
    }

    /// The same button, locked after the first press. Command buttons only.
    pub fn once(self) -> Self {
        let holds = self.0.get("COMMAND").is_some();
        let rule = Reason::Rule("locks command buttons only: the portal ignores it elsewhere");
        self.field(|fields| fields.must(holds, "BLOCK", rule).with("BLOCK", "Y"))
    }

    /// The same button, shown but not pressable.
    pub fn disabled(self) -> Self {
        self.field(|fields| fields.with("DISABLED", "Y"))
    }

    /// The same button, shown only there.
    pub fn on(self, device: Device) -> Self {
        self.field(|fields| fields.with("CONTEXT", device))
    }

    /// In a line with others (as made here), or a line of its own.
    pub fn display(self, display: Display) -> Self {
        self.field(|fields| fields.with("DISPLAY", display))
    }

    /// Its width in pixels.
    pub fn width(self, pixels: u32) -> Self {
        self.field(|fields| fields.number("WIDTH", pixels.into(), 1, u32::MAX.into()))
    }

    /// Its colour by meaning, which suits light and dark themes.
    pub fn style(self, token: ColorToken) -> Self {
        self.field(|fields| fields.with("BG_COLOR_TOKEN", token))
    }

    /// Its colour, as `#RRGGBB`.
    pub fn background(self, color: &str) -> Self {
        self.field(|fields| fields.color("BG_COLOR", color))
    }

    /// The colour of its text, as `#RRGGBB`.
    pub fn text_color(self, color: &str) -> Self {
        self.field(|fields| fields.color("TEXT_COLOR", color))
    }

    /// Its colour while it is disabled.
    pub fn off_background(self, color: &str) -> Self {
        self.field(|fields| fields.color("OFF_BG_COLOR", color))
    }

    /// The colour of its text while it is disabled.
    pub fn off_text_color(self, color: &str) -> Self {
        self.field(|fields| fields.color("OFF_TEXT_COLOR", color))
    }

    /// # Errors
    /// The first thing on it that the portal would refuse or that could do nothing.
    pub fn check(&self) -> Result<(), Refused> {
        self.0.check()
    }

    /// The button as the portal takes it.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        self.0.object()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field of the documentation's table, and TYPE of the row break.
    const DOCUMENTED: [&str; 20] = [
        "TEXT",
        "TYPE",
        "LINK",
        "COMMAND",
        "COMMAND_PARAMS",
        "ACTION",
        "ACTION_VALUE",
        "APP_ID",
        "APP_PARAMS",
        "BLOCK",
        "DISABLED",
        "CONTEXT",
        "DISPLAY",
        "WIDTH",
        "BG_COLOR_TOKEN",
        "BG_COLOR",
        "TEXT_COLOR",
        "OFF_BG_COLOR",
        "OFF_TEXT_COLOR",
        "BOT_ID",
    ];

    #[test]
    fn every_documented_field_can_be_set_and_no_other() {
        let dressed = Button::command("a", "/b", "c")
            .once()
            .disabled()
            .on(Device::Mobile)
            .display(Display::Block)
            .width(120)
            .style(ColorToken::Alert)
            .background("#fff")
            .text_color("#000")
            .off_background("#aaaaaa")
            .off_text_color("#bbbbbb");
        #[expect(deprecated, reason = "it still has its fields")]
        let app = Button::app("a", 5, "x");
        let keyboard = Keyboard::new()
            .button(dressed)
            .row()
            .button(Button::link("a", "/x"))
            .button(Button::put("a", "x"))
            .button(app)
            .bot(456);
        assert_eq!(keyboard.check(), Ok(()));
        let json = keyboard.json();
        let mut seen: Vec<&str> = vec!["BOT_ID"];
        for button in json["BUTTONS"].as_array().unwrap() {
            seen.extend(button.as_object().unwrap().keys().map(String::as_str));
        }
        seen.sort_unstable();
        seen.dedup();
        let mut documented = DOCUMENTED;
        documented.sort_unstable();
        assert_eq!(seen, documented);
        assert_eq!(json["BUTTONS"][0]["COMMAND"], "b");
        assert_eq!(json["BOT_ID"], 456);
    }

    #[test]
    fn each_action_has_its_word_and_value() {
        for (button, action, value) in [
            (Button::put("t", "x"), "PUT", "x"),
            (Button::send("t", "x"), "SEND", "x"),
            (Button::copy("t", "x"), "COPY", "x"),
            (Button::call("t", "+49 30 1234"), "CALL", "+49 30 1234"),
            (Button::dialog("t", "chat5"), "DIALOG", "chat5"),
        ] {
            assert_eq!(button.check(), Ok(()));
            assert_eq!(button.fields()["ACTION"], action);
            assert_eq!(button.fields()["ACTION_VALUE"], value);
        }
    }

    #[test]
    fn a_button_that_could_do_nothing_is_refused_with_its_place() {
        for (button, field) in [
            (Button::command(" ", "/a", ""), "TEXT"),
            (Button::command("a", "/", ""), "COMMAND"),
            (Button::link("a", "javascript:alert(1)"), "LINK"),
            (Button::link("a", "/x").once(), "BLOCK"),
            (Button::send("a", ""), "ACTION_VALUE"),
            (Button::call("a", "nobody"), "ACTION_VALUE"),
            (Button::dialog("a", "somewhere"), "ACTION_VALUE"),
            (Button::link("a", "/x").width(0), "WIDTH"),
            (Button::link("a", "/x").background("red"), "BG_COLOR"),
            (Button::link("a", "/x").text_color("#1"), "TEXT_COLOR"),
            (Button::link("a", "/x").off_background("x"), "OFF_BG_COLOR"),
            (Button::link("a", "/x").off_text_color("x"), "OFF_TEXT_COLOR"),
        ] {
            let keyboard = Keyboard::new().row().button(button);
            assert_eq!(keyboard.check().unwrap_err().field(), format!("1.{field}"));
        }
        assert_eq!(Keyboard::new().bot(0).check().unwrap_err().field(), "BOT_ID");
    }

    #[test]
    fn an_update_takes_an_object_or_the_letter_that_removes() {
        let keyboard = Keyboard::new().button(Button::link("a", "/x"));
        assert!(keyboard.json().is_array());
        assert!(keyboard.json_of_update()["BUTTONS"].is_array());
        assert_eq!(keyboard.bot(7).json_of_update()["BOT_ID"], 7);
        assert_eq!(Keyboard::new().json_of_update(), "N");
    }
}
