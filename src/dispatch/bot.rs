//! A bot as its author writes it: which function handles which event. Knows no portal and runs nothing itself.

use super::{Command, Ctx, Outcome, Profile};
use crate::event::{
    BotDelete, CallSettled, CommandAdd, ContextGet, Data, Event, FromEvent, JoinChat, MessageAdd, MessageDelete,
    MessageUpdate, Other, ReactionChange,
};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Function = Arc<dyn Fn(Ctx, Event) -> Running + Send + Sync>;

/// A function that handles events of type `E`. Implemented by every `async fn(Ctx, E) -> Outcome`.
pub trait Handler<E>: Send + Sync + 'static {
    /// Handles one event. What it queued with [`Ctx`] goes out if it returns `Ok`.
    fn handle(&self, ctx: Ctx, event: E) -> impl Future<Output = Outcome> + Send + 'static;
}

impl<E, F, Fut> Handler<E> for F
where
    F: Fn(Ctx, E) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    fn handle(&self, ctx: Ctx, event: E) -> impl Future<Output = Outcome> + Send + 'static {
        self(ctx, event)
    }
}

/// A slash command and what runs.
#[derive(Clone)]
struct Commanded {
    command: Command,
    run: Function,
}

/// A bot: a name and its handlers. `imbot.toml` says which bot of which portal it answers for.
#[derive(Clone)]
pub struct Bot {
    name: String,
    on: BTreeMap<&'static str, Function>,
    commands: BTreeMap<String, Commanded>,
    profile: Option<Profile>,
    mistakes: Vec<String>,
}

impl Bot {
    /// A bot without handlers. `name` is what `handler = "…"` in `imbot.toml` refers to.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            on: BTreeMap::new(),
            commands: BTreeMap::new(),
            profile: None,
            mistakes: Vec::new(),
        }
    }

    /// Handles the event that `handler` takes as its second argument. Two handlers for one event are refused at start.
    #[must_use]
    pub fn on<E: FromEvent>(mut self, handler: impl Handler<E>) -> Self {
        if self.on.insert(E::NAME, function(handler)).is_some() {
            self.mistakes.push(format!(
                "bot `{}` has two handlers for {}: keep one",
                self.name,
                E::NAME
            ));
        }
        self
    }

    /// Handles the slash command `name` (`/help`), whose English title this is; comes before a handler of [`CommandAdd`].
    #[must_use]
    pub fn command(self, name: &str, title: &str, handler: impl Handler<CommandAdd>) -> Self {
        self.command_with(Command::new(name).title("en", title), handler)
    }

    /// Handles a slash command with texts in several languages, or one that is common or hidden; comes before a handler of
    /// [`CommandAdd`].
    #[must_use]
    pub fn command_with(mut self, command: Command, handler: impl Handler<CommandAdd>) -> Self {
        let name = command.name().to_owned();
        if let Some(mistake) = command.mistake() {
            self.mistakes
                .push(format!("bot `{}` has a command `{name}`: {mistake}", self.name));
        }
        let run = function(handler);
        if self.commands.insert(name.clone(), Commanded { command, run }).is_some() {
            self.mistakes
                .push(format!("bot `{}` has two handlers for {name}: keep one", self.name));
        }
        self
    }

    /// How people see it, where `imbot.toml` says nothing else; `imbot register` brings it to the portals.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        if profile.name.is_empty() {
            let mistake = format!("bot `{}` has a profile without a name: give it one", self.name);
            self.mistakes.push(mistake);
        }
        self.profile = Some(profile);
        self
    }

    /// The name that the configuration refers to.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn commands(&self) -> impl Iterator<Item = &Command> {
        self.commands.values().map(|commanded| &commanded.command)
    }

    pub(crate) fn profile_wished(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    pub(crate) fn mistakes(&self) -> &[String] {
        &self.mistakes
    }

    /// What runs for this event, and the event's name as a metric label. `None` = no handler.
    pub(super) fn handler_for(&self, event: &Event) -> Option<(&Function, &'static str)> {
        if let Data::CommandAdd(asked) = &event.data
            && let Some(command) = self.commands.get(asked.command.command.as_str())
        {
            return Some((&command.run, CommandAdd::NAME));
        }
        self.on
            .get_key_value(name_of(&event.data))
            .map(|(name, run)| (run, *name))
    }
}

impl fmt::Debug for Bot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on: Vec<_> = self.on.keys().collect();
        let commands: Vec<_> = self.commands.keys().collect();
        f.debug_struct("Bot")
            .field("name", &self.name)
            .field("on", &on)
            .field("commands", &commands)
            .finish()
    }
}

/// The name under which [`Bot::on`] keeps the handler of this event.
fn name_of(data: &Data) -> &'static str {
    match data {
        Data::MessageAdd(_) => MessageAdd::NAME,
        Data::MessageUpdate(_) => MessageUpdate::NAME,
        Data::MessageDelete(_) => MessageDelete::NAME,
        Data::JoinChat(_) => JoinChat::NAME,
        Data::BotDelete(_) => BotDelete::NAME,
        Data::ContextGet(_) => ContextGet::NAME,
        Data::CommandAdd(_) => CommandAdd::NAME,
        Data::ReactionChange(_) => ReactionChange::NAME,
        Data::CallSettled(_) => CallSettled::NAME,
        Data::Other(_) => Other::NAME,
    }
}

fn function<E: FromEvent>(handler: impl Handler<E>) -> Function {
    let handler = Arc::new(handler);
    Arc::new(move |ctx, event| {
        let handler = Arc::clone(&handler);
        Box::pin(async move {
            match E::take(event) {
                Some(event) => handler.handle(ctx, event).await,
                // The registry chose by the same name, so this is a mistake in our own table.
                None => Err(super::Failure::fatal("the event is not of the type its handler takes")),
            }
        })
    })
}
