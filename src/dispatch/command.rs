//! A slash command as its author describes it: name, texts in each language, who may use it. Runs nothing.

use crate::method::{CommandRegister, Method as _};
use std::collections::BTreeMap;

/// A slash command: its name, what people read about it in each language, and who may use it. `imbot register` brings it
/// to the portals.
///
/// ```
/// use imbot::Command;
/// let help = Command::new("/help")
///     .title("en", "What I can do")
///     .title("de", "Was ich kann")
///     .params("en", "topic")
///     .common();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Command {
    name: String,
    titles: BTreeMap<String, String>,
    params: BTreeMap<String, String>,
    common: bool,
    hidden: bool,
    extranet: bool,
}

impl Command {
    /// A command, with or without its slash. It needs a title, or to be hidden.
    pub fn new(name: &str) -> Self {
        Self {
            name: format!("/{}", name.trim_start_matches('/')),
            titles: BTreeMap::new(),
            params: BTreeMap::new(),
            common: false,
            hidden: false,
            extranet: false,
        }
    }

    /// What it does, in a language of two lower-case letters.
    pub fn title(mut self, language: &str, text: &str) -> Self {
        self.titles.insert(language.to_owned(), text.to_owned());
        self
    }

    /// What it takes, in a language that has a title too.
    pub fn params(mut self, language: &str, text: &str) -> Self {
        self.params.insert(language.to_owned(), text.to_owned());
        self
    }

    /// Usable in every chat, also where the bot is not.
    pub fn common(mut self) -> Self {
        self.common = true;
        self
    }

    /// Not in the list that people see.
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Usable by people from outside the company.
    pub fn extranet(mut self) -> Self {
        self.extranet = true;
        self
    }

    /// With its slash.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// By language.
    pub(crate) fn titles(&self) -> &BTreeMap<String, String> {
        &self.titles
    }

    /// By language.
    pub(crate) fn all_params(&self) -> &BTreeMap<String, String> {
        &self.params
    }

    pub(crate) fn is_common(&self) -> bool {
        self.common
    }

    pub(crate) fn is_hidden(&self) -> bool {
        self.hidden
    }

    pub(crate) fn is_extranet(&self) -> bool {
        self.extranet
    }

    /// The call that makes it at a portal.
    pub(crate) fn registration(&self) -> CommandRegister {
        let mut call = CommandRegister::new(&self.name)
            .common(self.common)
            .hidden(self.hidden)
            .extranet(self.extranet);
        for (language, text) in &self.titles {
            call = call.title(language, text);
        }
        for (language, text) in &self.params {
            call = call.params(language, text);
        }
        call
    }

    /// What a portal would refuse of it, for its author.
    pub(super) fn mistake(&self) -> Option<String> {
        if self.name.len() == 1 || self.name.contains(char::is_whitespace) {
            return Some("a command is a slash and one word".to_owned());
        }
        self.registration().check().err().map(|refused| refused.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_portal_would_refuse_is_a_mistake_of_the_program() {
        let fine = Command::new("help").title("en", "Help").params("en", "topic");
        assert_eq!((fine.name(), fine.mistake()), ("/help", None));
        assert_eq!(Command::new("/secret").hidden().mistake(), None);
        for (wrong, said) in [
            (Command::new("/two words").title("en", "x"), "one word"),
            (Command::new("/").title("en", "x"), "one word"),
            (Command::new("/untitled"), "needs a title"),
            (Command::new("/a").title("english", "x"), "two lower-case letters"),
            (
                Command::new("/a").title("en", "x").params("de", "Thema"),
                "language without a title",
            ),
        ] {
            let mistake = wrong.mistake().unwrap_or_default();
            assert!(mistake.contains(said), "{mistake}");
        }
    }
}
