//! A bot as its author writes it: which function handles which event. Knows no portal and runs nothing itself.

use super::{Ctx, Outcome};
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

/// A slash command: its title for people, and what runs.
#[derive(Clone)]
struct Command {
    title: String,
    run: Function,
}

/// The commands of a bot, for who lists or registers them: name with slash, title.
pub(crate) type Commands = Vec<(String, String)>;

/// A bot: a name and its handlers. `imbot.toml` says which bot of which portal it answers for.
#[derive(Clone)]
pub struct Bot {
    name: String,
    on: BTreeMap<&'static str, Function>,
    commands: BTreeMap<String, Command>,
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

    /// Handles the slash command `name` (`/help`); comes before a handler of [`CommandAdd`].
    #[must_use]
    pub fn command(mut self, name: &str, title: &str, handler: impl Handler<CommandAdd>) -> Self {
        let name = format!("/{}", name.trim_start_matches('/'));
        if name.len() == 1 || name.contains(char::is_whitespace) {
            self.mistakes.push(format!(
                "bot `{}` has a command `{name}`: a command is a slash and one word",
                self.name
            ));
        }
        let command = Command {
            title: title.to_owned(),
            run: function(handler),
        };
        if self.commands.insert(name.clone(), command).is_some() {
            self.mistakes
                .push(format!("bot `{}` has two handlers for {name}: keep one", self.name));
        }
        self
    }

    /// The name that the configuration refers to.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn commands(&self) -> Commands {
        self.commands
            .iter()
            .map(|(name, command)| (name.clone(), command.title.clone()))
            .collect()
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
