//! A conversation under test: who takes part, what is heard, time, crashes, and the end that forgets nothing. What
//! people do is in `person`, the words for what bots did in `told`.

use super::builder::{FIRST_BOT, StageBuilder};
use super::person::{Person, Place};
use super::stage::Stage;
use super::told;
use crate::dispatch::Bot;
use crate::portal::{Act, Portal};
use std::time::Duration;

/// People get ids from here, in the order in which they are first named.
const FIRST_USER: i64 = 27;
/// Groups and open lines are `chat5`, `chat6`, … in the same way.
const FIRST_CHAT: i64 = 5;

/// Starts a server with these bots, an emulated portal and a clock that stands still until it is moved. Takes one
/// [`Bot`], a whole [`App`](crate::App), or a [`StageBuilder`] with settings of its own
/// (`Stage::builder().bot(..).config("workers.max_attempts = 2")`).
///
/// # Panics
/// If something cannot start, or there is no bot.
pub async fn with(cast: impl Into<StageBuilder>) -> Talk {
    let stage = cast.into().start().await;
    assert!(!stage.app.bots.is_empty(), "there is nobody to talk with: add a bot");
    Talk {
        stage,
        names: Vec::new(),
        chats: Vec::new(),
        unheard: Vec::new(),
        letters_read: 0,
        over: false,
    }
}

/// A running conversation. Ends with [`over`](Self::over), always: a `Talk` that is only dropped fails its test.
#[must_use = "a conversation ends with `talk.over().await`"]
pub struct Talk {
    pub(super) stage: Stage,
    /// The people, in the order of their ids.
    names: Vec<String>,
    /// Groups and open lines, in the order of their ids.
    chats: Vec<(String, Kind)>,
    /// Taken from the portal, not read by the test yet.
    unheard: Vec<Act>,
    /// So many dead letters the test has seen.
    letters_read: usize,
    over: bool,
}

/// What a chat with a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Group,
    /// An open line of this bot.
    Line(i64),
}

impl Talk {
    /// A colleague; known to the portal from the first mention on. Talks to the first bot in private, unless
    /// [`Person::to`] or [`Person::in_chat`] says otherwise.
    ///
    /// # Panics
    /// If a bot or a group has this name: nobody could tell them apart in what is heard.
    pub fn user(&mut self, name: &str) -> Person<'_> {
        let id = self.person(name);
        Person::new(self, id, name, Place::Private(FIRST_BOT))
    }

    /// A customer from outside, who writes through an open line to the first bot, unless [`Person::to`] says
    /// otherwise. The line is opened with the first thing that the guest does.
    ///
    /// # Panics
    /// As [`user`](Self::user).
    pub fn guest(&mut self, name: &str) -> Person<'_> {
        let id = self.person(name);
        Person::new(self, id, name, Place::Line(FIRST_BOT))
    }

    /// Everything that bots did since the last time, once nothing is running or due: one line each, and below it,
    /// indented by two blanks, further lines of the text, files, attachments and buttons. Empty if there was nothing.
    ///
    /// ```text
    /// echo -> Ann: hi
    /// helpdesk -> Team: Hello!
    ///   [Open a ticket: /ticket] [Help: /help]
    /// helpdesk edits "Hello!" -> Team: Good bye!
    /// echo is typing -> Ann
    /// ```
    /// It is in order of time. What happened at one moment stands dialog by dialog, in the order in which the test first
    /// named people and groups, because dialogs do not wait for each other. A zero-width space, which takes the meaning
    /// from a stranger's BB code, is written `<ZWSP>`.
    pub async fn heard(&mut self) -> String {
        self.listen().await;
        let acts = std::mem::take(&mut self.unheard);
        self.tell(acts)
    }

    async fn listen(&mut self) {
        self.stage.settle().await;
        let acts = self.stage.portal().take_acts();
        self.unheard.extend(acts);
    }

    fn tell(&self, acts: Vec<Act>) -> String {
        let chats = self.chats.iter().map(|(name, _)| name);
        let places: Vec<String> = self.names.iter().chain(chats).cloned().collect();
        told::tell(acts, &places)
    }

    /// What could not be handled or sent, oldest first, one line each: `calls imbot.v2.Chat.Message.send: ACCESS_DENIED
    /// after 1 attempt`. A test that expects some must look here, or [`over`](Self::over) fails.
    pub async fn dead_letters(&mut self) -> String {
        let letters = self.letters().await;
        let new = letters[self.letters_read..].join("\n");
        self.letters_read = letters.len();
        new
    }

    async fn letters(&mut self) -> Vec<String> {
        self.stage.settle().await;
        let letters = self.stage.dead_letters().await.into_iter().rev();
        let line = |letter: super::Letter| {
            let times = if letter.attempts == 1 { "attempt" } else { "attempts" };
            format!(
                "{} {}: {} after {} {times}",
                letter.queue, letter.name, letter.reason, letter.attempts
            )
        };
        letters.map(line).collect()
    }

    /// Moves time on, second by second, and lets everything settle in between: retries, reminders, the portal's limits.
    ///
    /// # Panics
    /// If the stage runs on real time.
    pub async fn pass(&mut self, time: Duration) {
        assert!(
            self.stage.clock().is_manual(),
            "this stage runs on real time: leave `real_time()` out to move it"
        );
        self.stage.pass(time).await;
    }

    /// Stops the server as an operator does and starts it again on the same store.
    pub async fn restart(&mut self) {
        self.stage.restart().await;
    }

    /// Ends the server as `kill -9` does and starts it again on what was on disk. Nobody knows then how much of the
    /// portal's budget is left, so the server takes it as used up: its next words come within seconds, after
    /// [`pass`](Self::pass).
    pub async fn kill(&mut self) {
        self.stage.kill().await;
    }

    /// The portal, for its faults and its log:
    ///
    /// | what goes wrong | how |
    /// | --- | --- |
    /// | a call is refused | `talk.portal().answer_error(None, 400, "ACCESS_DENIED", 1)` |
    /// | the answer is lost, the message is not | `talk.portal().execute_then_reset(None, 1)` |
    /// | the connection breaks before anything happens | `talk.portal().reset(None, 1)` |
    /// | too many requests, for a while | `talk.portal().refuse_for(Duration::from_secs(20), Shape::Json)` |
    /// | the bot is thrown out, the plan ends, … | `talk.portal().apply(&Deed::EndPlan)` |
    /// | an event comes twice, late, forged, … | `talk.portal().event_fault(..)` |
    ///
    /// The first argument is a method, or `None` for all; the last is how often.
    #[must_use]
    pub fn portal(&self) -> &Portal {
        self.stage.portal()
    }

    /// The floor below: bodies, statuses, counts.
    pub fn stage(&mut self) -> &mut Stage {
        &mut self.stage
    }

    /// The end: fails the test if the bots said something that [`heard`](Self::heard) did not give, if an event or call
    /// still waits, if a dead letter was not looked at, if a counted fault never struck, or if the store's books do not
    /// balance. Then stops the server.
    ///
    /// # Panics
    /// If something was left.
    pub async fn over(mut self) {
        self.over = true;
        self.listen().await;
        let mut left = Vec::new();
        if !self.unheard.is_empty() {
            let acts = std::mem::take(&mut self.unheard);
            left.push(format!(
                "not heard (read it with `talk.heard().await`):\n{}",
                self.tell(acts)
            ));
        }
        let letters = self.letters().await;
        if letters.len() > self.letters_read {
            let new = letters[self.letters_read..].join("\n");
            left.push(format!(
                "dead letters (look at them with `talk.dead_letters().await`):\n{new}"
            ));
        }
        let totals = self.stage.totals().await;
        if (totals.pending, totals.calls) != (0, 0) {
            left.push(format!(
                "waiting for their next try: events {}, calls {} (move time with `talk.pass(..).await`)",
                totals.pending, totals.calls
            ));
        }
        let faults = self.portal().faults_left();
        if !faults.is_empty() {
            left.push(format!("faults that never struck:\n{}", faults.join("\n")));
        }
        let ended = totals.done + totals.ignored + totals.dead + totals.pending;
        if totals.accepted != ended {
            left.push(format!("the store's books do not balance: {totals:?}"));
        }
        self.stage.stop().await;
        assert!(left.is_empty(), "the conversation is not over\n{}", left.join("\n"));
    }

    /// The id of a person, who is made known at the first mention.
    fn person(&mut self, name: &str) -> i64 {
        self.must_be_free(name, |talk| {
            talk.chats
                .iter()
                .any(|(chat, kind)| chat == name && *kind == Kind::Group)
        });
        if let Some(at) = self.names.iter().position(|known| known == name) {
            return FIRST_USER + nth(at);
        }
        let id = FIRST_USER + nth(self.names.len());
        assert!(
            id < FIRST_BOT,
            "the bots' ids begin here: a conversation of {} people is too large",
            nth(74)
        );
        self.names.push(name.to_owned());
        self.portal().add_user(id, name);
        id
    }

    fn must_be_free(&self, name: &str, taken: impl Fn(&Self) -> bool) {
        assert!(!name.trim().is_empty(), "a name must not be blank");
        let bot = self.bots().any(|(_, bot)| bot.name() == name);
        assert!(
            !bot && !taken(self),
            "`{name}` is somebody else here: give people, groups and bots different names"
        );
    }

    /// The id of a group, made with this member and every bot at the first mention.
    pub(super) fn group(&mut self, title: &str, member: i64) -> i64 {
        self.must_be_free(title, |talk| talk.names.iter().any(|name| name == title));
        let known = self
            .chats
            .iter()
            .position(|(chat, kind)| chat == title && *kind == Kind::Group);
        let bots: Vec<i64> = self.bots().map(|(id, _)| id).collect();
        if let Some(at) = known {
            return FIRST_CHAT + nth(at);
        }
        let id = self.chat(title, Kind::Group);
        self.portal().add_chat(id, &[member]);
        self.portal().add_chat(id, &bots);
        let named = self.portal().name_chat(id, title);
        named.unwrap_or_else(|error| panic!("{error}"));
        id
    }

    /// The open line of a guest with a bot: its id, and whether it is new.
    pub(super) fn line(&mut self, guest: &str, bot: i64) -> (i64, bool) {
        let known = |(chat, kind): &(String, Kind)| chat == guest && *kind == Kind::Line(bot);
        match self.chats.iter().position(known) {
            Some(at) => (FIRST_CHAT + nth(at), false),
            None => (self.chat(guest, Kind::Line(bot)), true),
        }
    }

    fn chat(&mut self, name: &str, kind: Kind) -> i64 {
        self.chats.push((name.to_owned(), kind));
        FIRST_CHAT + nth(self.chats.len() - 1)
    }

    /// The bots with their ids.
    pub(super) fn bots(&self) -> impl Iterator<Item = (i64, &Bot)> {
        (FIRST_BOT..).zip(&self.stage.app.bots)
    }

    pub(super) fn bot(&self, name: &str) -> i64 {
        let found = self.bots().find(|(_, bot)| bot.name() == name);
        let known: Vec<&str> = self.bots().map(|(_, bot)| bot.name()).collect();
        found.map_or_else(
            || panic!("no bot `{name}` here, only {}", known.join(", ")),
            |(id, _)| id,
        )
    }

    /// The people by name, for `@Ann`.
    pub(super) fn people(&self) -> impl Iterator<Item = (i64, &str)> {
        (FIRST_USER..).zip(self.names.iter().map(String::as_str))
    }
}

fn nth(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

impl Drop for Talk {
    fn drop(&mut self) {
        if !self.over && !std::thread::panicking() {
            panic!(
                "a conversation was dropped without its end: call `talk.over().await`, which checks that nothing is left"
            );
        }
    }
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Talk")
            .field("people", &self.names)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
