//! Who hears of what: turns something that happened into the events of the bots concerned, sent or queued, and into
//! the recorded events of subscribed users. Sends nothing itself.

use super::event::{Happening, Scene, around, body};
use super::form::Node;
use super::model::{Bot, BotKind, Chat, ChatKind, Command, Message, Session};
use super::queue::{Queued, Reader};
use super::sender::Outgoing;
use super::state::State;
use super::views;
use crate::types::Timestamp;
use serde_json::Value;

impl State {
    /// The event for one bot, or `None`: there is no such bot, or it fetches its events and this one is queued. While its
    /// mode changes it may be both.
    pub(super) fn compose(
        &mut self,
        bot: i64,
        (chat, user): (Option<i64>, Option<i64>),
        happening: &Happening<'_>,
        now: Timestamp,
    ) -> Option<Outgoing> {
        let bot = self.bots.get(&bot)?.clone();
        let both = bot.both_ways(self.knobs.both_ways, now);
        if bot.fetch || both {
            self.enqueue(Reader::Bot(bot.id), (chat, user), happening, now);
        }
        if bot.fetch && !both {
            return None;
        }
        if self.is_deaf(bot.id, happening.event()) {
            return None;
        }
        let credentials = self.credentials(&bot.owner, bot.id, user, now);
        let scene = self.scene(chat, user);
        let head = (&self.site, self.language.as_str(), now.unix_seconds());
        Some(Outgoing {
            bot_id: bot.id,
            event: happening.event(),
            body: body(head, &bot, &credentials, &scene, happening),
            url: bot.address(),
        })
    }

    fn scene(&self, chat: Option<i64>, user: Option<i64>) -> Scene<'_> {
        Scene {
            chat: chat.and_then(|id| self.chats.get(&id)),
            user: user.and_then(|id| self.users.get(&id)),
        }
    }

    /// Queues typed JSON: for a bot with its whole object, for a user without.
    fn enqueue(
        &mut self,
        reader: Reader,
        (chat, user): (Option<i64>, Option<i64>),
        happening: &Happening<'_>,
        now: Timestamp,
    ) {
        let who = match reader {
            Reader::Bot(id) | Reader::User(id) => id,
        };
        let data = Node::Map(around(&self.language, who, &self.scene(chat, user), happening));
        let mut data = data.json();
        if let (Reader::Bot(id), Value::Object(data)) = (reader, &mut data) {
            data.insert("bot".to_owned(), views::bot(self, id, true));
        }
        let event = match reader {
            Reader::Bot(_) => happening.event(),
            Reader::User(_) => happening.user_event(),
        };
        self.queue.push(Queued {
            reader,
            event,
            at: now,
            data,
        });
    }

    /// What a stored message raises: the commands it names, or itself; subscribed users hear it in any case.
    pub(super) fn raise_message(&mut self, id: i64, now: Timestamp) -> Vec<Outgoing> {
        let Some(message) = self.messages.get(&id).cloned() else {
            return Vec::new();
        };
        // The bots' own texts are not typed by anybody.
        let commands = if message.bot.is_none() {
            self.commands_in(&message)
        } else {
            Vec::new()
        };
        if commands.is_empty() {
            return self.tell_hearers(&message, &Happening::MessageAdd(&message), now);
        }
        self.record(&message, Some(message.author), &Happening::MessageAdd(&message), now);
        let mut raised = Vec::new();
        for (command, params) in commands {
            raised.extend(self.raise_command(message.author, &message, &command, (&params, "textarea"), now));
        }
        raised
    }

    /// The events of a message's bots and subscribed users.
    pub(super) fn tell_hearers(
        &mut self,
        message: &Message,
        happening: &Happening<'_>,
        now: Timestamp,
    ) -> Vec<Outgoing> {
        let author = (message.author > 0).then_some(message.author);
        self.record(message, author, happening, now);
        let mut raised = Vec::new();
        for bot in self.hearers(message) {
            raised.extend(self.compose(bot, (Some(message.chat), author), happening, now));
        }
        raised
    }

    /// The event of a slash command, and the right to answer it.
    pub(super) fn raise_command(
        &mut self,
        user: i64,
        message: &Message,
        command: &Command,
        (params, context): (&str, &str),
        now: Timestamp,
    ) -> Option<Outgoing> {
        self.grant(message.id, command.id, now);
        let happening = Happening::CommandAdd {
            command,
            params,
            context,
            message,
        };
        self.compose(command.bot, (Some(message.chat), Some(user)), &happening, now)
    }

    /// A reaction on a message: its bot hears it, subscribed users too.
    pub(super) fn raise_reaction(
        &mut self,
        user: i64,
        message: &Message,
        (reaction, added): (&str, bool),
        now: Timestamp,
    ) -> Option<Outgoing> {
        let happening = Happening::ReactionChange {
            reaction,
            added,
            message,
        };
        self.record(message, Some(user), &happening, now);
        let bot = message.bot.filter(|bot| *bot != user)?;
        self.compose(bot, (Some(message.chat), Some(user)), &happening, now)
    }

    fn record(&mut self, message: &Message, user: Option<i64>, happening: &Happening<'_>, now: Timestamp) {
        let listening: Vec<i64> = match self.chats.get(&message.chat) {
            Some(chat) => chat.members.intersection(&self.queue.subscribers).copied().collect(),
            None => Vec::new(),
        };
        for reader in listening {
            self.enqueue(Reader::User(reader), (Some(message.chat), user), happening, now);
        }
    }

    /// The bots that hear of a message, by their type; never who posted it.
    pub(super) fn hearers(&self, message: &Message) -> Vec<i64> {
        let Some(chat) = self.chats.get(&message.chat) else {
            return Vec::new();
        };
        let others = chat.members.iter().filter_map(|id| self.bots.get(id));
        let others = others.filter(|bot| bot.id != message.author && Some(bot.id) != message.bot);
        others
            .filter(|bot| bot.kind.hears_all() || hears(chat, bot, &message.text))
            .map(|bot| bot.id)
            .collect()
    }

    /// The commands that a message names at the beginning of its lines, each with what follows it.
    fn commands_in(&self, message: &Message) -> Vec<(Command, String)> {
        let mut found = Vec::new();
        for line in message.text.lines() {
            let Some(typed) = line.strip_prefix('/') else { continue };
            let (name, params) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
            let named = self.commands.values().filter(|command| command.name == name);
            let reach = named.filter(|command| command.common || self.inside(message.chat, command.bot));
            found.extend(reach.map(|command| (command.clone(), params.trim().to_owned())));
        }
        found
    }
}

/// Whether a bot that does not hear everything hears this.
fn hears(chat: &Chat, bot: &Bot, text: &str) -> bool {
    let serves = bot.kind == BotKind::OpenLine || bot.open_line;
    match &chat.kind {
        ChatKind::Private => true,
        // The line's bot serves it until an operator does.
        ChatKind::Lines { session, .. } if serves => *session == Session::Bot,
        ChatKind::Group { .. } | ChatKind::Lines { .. } => {
            let text = text.to_lowercase();
            let mark = format!("[user={}", bot.id);
            let named = text.contains(&format!("{mark}]")) || text.contains(&format!("{mark} "));
            named || text.contains("[user=all]")
        }
    }
}
