//! What people do in a conversation under test: each a verb, each ends when everything has settled. Errors say what the
//! test got wrong. Knows no event and no body.

use super::talk::Talk;
use crate::portal::{Delivery, PortalError, PostedMessage, Sent};
use serde_json::Value;
use std::future::Future;

/// Somebody at the portal, and where: made by [`Talk::user`] and [`Talk::guest`].
///
/// Every verb panics, with what to change, if there is no such bot, message or button, or if the door refused an event.
#[must_use = "a person does nothing until told what"]
pub struct Person<'t> {
    talk: &'t mut Talk,
    id: i64,
    name: String,
    place: Place,
}

/// Where somebody talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// With this bot alone.
    Private(i64),
    /// In this group.
    Group(i64),
    /// Through an open line to this bot.
    Line(i64),
}

impl<'t> Person<'t> {
    pub(super) fn new(talk: &'t mut Talk, id: i64, name: &str, place: Place) -> Self {
        let name = name.to_owned();
        Self { talk, id, name, place }
    }

    /// With this bot instead of the first one.
    ///
    /// # Panics
    /// If there is no such bot, or in a group: there a bot is called by `@name` in the text.
    pub fn to(mut self, bot: &str) -> Self {
        let bot = self.talk.bot(bot);
        self.place = match self.place {
            Place::Private(_) => Place::Private(bot),
            Place::Line(_) => Place::Line(bot),
            Place::Group(_) => panic!("in a group a bot is called by name: `.says(\"@echo …\")`"),
        };
        self
    }

    /// In the group of this title. At its first mention it is made, with this person and every bot in it. Bots hear there
    /// what begins or goes on with `@name`, and their commands.
    ///
    /// # Panics
    /// If a guest tries: guests have their line only.
    pub fn in_chat(mut self, title: &str) -> Self {
        assert!(
            !matches!(self.place, Place::Line(_)),
            "{} is a guest and has an open line only",
            self.name
        );
        self.place = Place::Group(self.talk.group(title, self.id));
        self
    }

    /// Writes something. `@echo` and `@Ann` become mentions, as when a person picks a name from the list.
    pub async fn says(mut self, text: &str) {
        let text = self.with_mentions(text);
        let dialog = self.dialog().await;
        let sent = patient(self.talk.portal().say(self.id, &dialog, &text)).await;
        self.sent(sent).await;
    }

    /// Writes a slash command that a bot here has: `/ticket Printer`.
    ///
    /// # Panics
    /// If no bot here has it. Use [`says`](Self::says) for what people type by mistake.
    pub async fn runs(self, command: &str) {
        let name = command.split_whitespace().next().unwrap_or_default();
        let here = self.talk.bots().filter(|(id, _)| match self.place {
            Place::Private(bot) | Place::Line(bot) => bot == *id,
            Place::Group(_) => true,
        });
        let known: Vec<String> = here
            .flat_map(|(_, bot)| bot.commands())
            .map(|command| command.name().to_owned())
            .collect();
        assert!(
            known.iter().any(|known| known == name),
            "no bot here has a command `{name}`, only: {}",
            known.join(" ")
        );
        self.says(command).await;
    }

    /// Presses a button that runs a command: the latest one here of this label.
    pub async fn presses(mut self, button: &str) {
        let dialog = self.dialog().await;
        let messages = self.messages(&dialog);
        let keys = messages
            .iter()
            .rev()
            .flat_map(|message| message.keyboard.iter().map(|key| (message.id, key)));
        let labels: Vec<&str> = keys.clone().filter_map(|(_, key)| key["TEXT"].as_str()).collect();
        let found = keys.clone().find(|(_, key)| key["TEXT"] == button);
        let Some((message, key)) = found else {
            panic!("{} sees no button {button:?}, only {labels:?}", self.name);
        };
        assert!(
            key["COMMAND"].is_string() && key["DISABLED"] != "Y",
            "the button {button:?} runs no command, so no bot hears of it"
        );
        let sent = patient(self.talk.portal().press(self.id, message, button)).await;
        self.sent(sent).await;
    }

    /// Puts a reaction, like `like` or `fire`, on the last thing that a bot wrote here.
    pub async fn reacts(self, reaction: &str) {
        self.react(reaction, true).await;
    }

    /// Takes a reaction back from the last thing that a bot wrote here.
    pub async fn takes_back(self, reaction: &str) {
        self.react(reaction, false).await;
    }

    async fn react(mut self, reaction: &str, added: bool) {
        let dialog = self.dialog().await;
        let mut messages = self.messages(&dialog);
        messages.retain(|message| message.bot.is_some());
        let Some(last) = messages.last() else {
            panic!("{} cannot react: no bot has written here", self.name);
        };
        let raised = patient(self.talk.portal().react(self.id, last.id, reaction, added)).await;
        self.taken(raised).await;
    }

    /// Changes the last thing that this person wrote here with exactly this text.
    pub async fn edits(mut self, text: &str, into: &str) {
        let (text, into) = (self.with_mentions(text), self.with_mentions(into));
        let message = self.own(&text).await;
        let raised = patient(self.talk.portal().edit(message, &into)).await;
        self.taken(raised).await;
    }

    /// Deletes the last thing that this person wrote here with exactly this text.
    pub async fn deletes(mut self, text: &str) {
        let text = self.with_mentions(text);
        let message = self.own(&text).await;
        let raised = patient(self.talk.portal().delete_message(message)).await;
        self.taken(raised).await;
    }

    /// Puts a file here.
    pub async fn uploads(mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        let dialog = self.dialog().await;
        let file = (name, bytes.into());
        let sent = patient(self.talk.portal().upload(self.id, &dialog, file, "")).await;
        self.sent(sent).await;
    }

    /// Opens the private chat with the bot for the first time, or the guest's line: the bot hears that it has joined.
    ///
    /// # Panics
    /// In a group: there it is [`invites`](Self::invites) or [`joins`](Self::joins).
    pub async fn opens_chat(mut self) {
        match self.place {
            Place::Group(_) => panic!("a group is open: a bot is brought in with `.invites(\"echo\")`"),
            Place::Line(_) => {
                self.dialog().await;
            }
            Place::Private(bot) => {
                let raised = patient(self.talk.portal().join(self.id, bot, &bot.to_string())).await;
                self.taken(raised).await;
            }
        }
    }

    /// Opens the bot by a deep link with this context, any JSON.
    ///
    /// # Panics
    /// In a group or as a guest: a deep link leads to the private chat.
    pub async fn opens_link(self, context: Value) {
        let Place::Private(bot) = self.place else {
            panic!("a deep link leads to the private chat: leave `in_chat` out, and `guest` is `user`");
        };
        let raised = patient(self.talk.portal().context(self.id, bot, &context)).await;
        self.taken(raised).await;
    }

    /// Becomes a member of the group. Bots are not told of it.
    ///
    /// # Panics
    /// Outside a group.
    pub async fn joins(self) {
        let group = self.must_be_in_group("joins");
        self.talk.portal().add_chat(group, &[self.id]);
        self.talk.stage.settle().await;
    }

    /// Brings a bot into the group, which hears that it has joined.
    ///
    /// # Panics
    /// Outside a group.
    pub async fn invites(self, bot: &str) {
        let group = self.must_be_in_group("invites");
        let bot = self.talk.bot(bot);
        let raised = patient(self.talk.portal().join(self.id, bot, &format!("chat{group}"))).await;
        self.taken(raised).await;
    }

    fn must_be_in_group(&self, verb: &str) -> i64 {
        match self.place {
            Place::Group(group) => group,
            _ => panic!("where? `talk.user({:?}).in_chat(\"Team\").{verb}(…)`", self.name),
        }
    }

    /// The dialog as this person names it. Opens the line of a guest who has none yet.
    async fn dialog(&mut self) -> String {
        match self.place {
            Place::Private(bot) => bot.to_string(),
            Place::Group(group) => format!("chat{group}"),
            Place::Line(bot) => {
                let (chat, new) = self.talk.line(&self.name, bot);
                if new {
                    let raised = patient(self.talk.portal().open_line(self.id, bot, chat)).await;
                    self.settled(raised.unwrap_or_else(|error| panic!("{error}"))).await;
                }
                format!("chat{chat}")
            }
        }
    }

    /// What stands in this dialog, oldest first.
    fn messages(&self, dialog: &str) -> Vec<PostedMessage> {
        // The portal names private chats after either side; together they name one.
        let own = self.talk.portal().messages(&self.id.to_string());
        let mut messages = self.talk.portal().messages(dialog);
        if matches!(self.place, Place::Private(_)) {
            messages.retain(|message| own.iter().any(|own| own.id == message.id));
        }
        messages
    }

    async fn own(&mut self, text: &str) -> i64 {
        let dialog = self.dialog().await;
        let mut own = self.messages(&dialog);
        own.retain(|message| message.author == self.id);
        let found = own.iter().rev().find(|message| message.text == text);
        let Some(found) = found else {
            let said: Vec<&str> = own.iter().map(|message| message.text.as_str()).collect();
            panic!("{} has not written {text:?} here, only {said:?}", self.name);
        };
        found.id
    }

    /// `@echo` as the portal writes it: `[USER=101]echo[/USER]`. Longest names first, so that `@Ann Lee` is not Ann.
    fn with_mentions(&self, text: &str) -> String {
        let bots = self.talk.bots().map(|(id, bot)| (id, bot.name()));
        let mut names: Vec<(i64, String)> = bots
            .chain(self.talk.people())
            .map(|(id, name)| (id, name.to_owned()))
            .collect();
        names.sort_by_key(|(_, name)| std::cmp::Reverse(name.len()));
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('@') {
            let begins = rest[..at]
                .chars()
                .next_back()
                .is_none_or(|before| !before.is_alphanumeric());
            let after = &rest[at + 1..];
            let ends = |name: &str| {
                after[name.len()..]
                    .chars()
                    .next()
                    .is_none_or(|next| !next.is_alphanumeric())
            };
            let named = names
                .iter()
                .find(|(_, name)| begins && after.starts_with(name.as_str()) && ends(name));
            out.push_str(&rest[..at]);
            match named {
                Some((id, name)) => {
                    out.push_str(&format!("[USER={id}]{name}[/USER]"));
                    rest = &after[name.len()..];
                }
                None => {
                    out.push('@');
                    rest = after;
                }
            }
        }
        out + rest
    }

    async fn sent(self, sent: Result<Sent, PortalError>) {
        self.taken(sent.map(|sent| sent.deliveries)).await;
    }

    async fn taken(mut self, raised: Result<Vec<Delivery>, PortalError>) {
        let raised = raised.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        self.settled(raised).await;
    }

    async fn settled(&mut self, deliveries: Vec<Delivery>) {
        self.talk.stage.taken(&deliveries).await;
    }
}

/// Fails instead of waiting for a clock that nobody moves.
async fn patient<T>(deed: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(super::stage::PATIENCE, deed).await;
    done.unwrap_or_else(|_| panic!("half a minute without an answer: does an event fault wait for the clock?"))
}

impl std::fmt::Debug for Person<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person")
            .field("name", &self.name)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
