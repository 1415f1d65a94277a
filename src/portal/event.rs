//! Events: which fields each kind has, in which order, and the form body they make. Sends nothing.
//! Order and spelling follow captures of live portals.

use super::config::{AppSeed, Owner};
use super::form::{Node, encode, map};
use super::payload::{self, Site, Tokens};
use super::state::{Bot, Chat, Command, Message, State, User};
use crate::types::{Secret, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Something that a bot hears of.
#[derive(Debug)]
pub(super) enum Happening<'a> {
    MessageAdd(&'a Message),
    MessageUpdate(&'a Message),
    MessageDelete(i64),
    JoinChat,
    Delete,
    ContextGet(&'a Value),
    CommandAdd {
        command: &'a Command,
        params: &'a str,
        context: &'a str,
        message: &'a Message,
    },
    ReactionChange {
        reaction: &'a str,
        added: bool,
        message: &'a Message,
    },
}

impl Happening<'_> {
    /// Its place among the bot's eight subscriptions.
    fn subscription(&self) -> i64 {
        match self {
            Self::MessageAdd(_) => 0,
            Self::MessageUpdate(_) => 1,
            Self::MessageDelete(_) => 2,
            Self::JoinChat => 3,
            Self::Delete => 4,
            Self::ContextGet(_) => 5,
            Self::CommandAdd { .. } => 6,
            Self::ReactionChange { .. } => 7,
        }
    }

    /// The name on the wire.
    pub(super) fn event(&self) -> &'static str {
        match self {
            Self::MessageAdd(_) => "ONIMBOTV2MESSAGEADD",
            Self::MessageUpdate(_) => "ONIMBOTV2MESSAGEUPDATE",
            Self::MessageDelete(_) => "ONIMBOTV2MESSAGEDELETE",
            Self::JoinChat => "ONIMBOTV2JOINCHAT",
            Self::Delete => "ONIMBOTV2DELETE",
            Self::ContextGet(_) => "ONIMBOTV2CONTEXTGET",
            Self::CommandAdd { .. } => "ONIMBOTV2COMMANDADD",
            Self::ReactionChange { .. } => "ONIMBOTV2REACTIONCHANGE",
        }
    }

    /// The fields between `bot` and `chat`.
    fn fields(&self, dialog: &str) -> Vec<(&'static str, Node)> {
        match self {
            Self::MessageAdd(message) | Self::MessageUpdate(message) => vec![("message", payload::message(message))],
            Self::MessageDelete(id) => vec![("messageId", (*id).into())],
            Self::JoinChat => vec![("dialogId", dialog.into())],
            Self::Delete => Vec::new(),
            Self::ContextGet(context) => vec![("dialogId", dialog.into()), ("context", (*context).into())],
            Self::CommandAdd {
                command,
                params,
                context,
                message,
            } => {
                let command = map([
                    ("id", command.id.into()),
                    ("command", format!("/{}", command.name).into()),
                    ("params", (*params).into()),
                    ("context", (*context).into()),
                ]);
                vec![("command", command), ("message", payload::message(message))]
            }
            Self::ReactionChange {
                reaction,
                added,
                message,
            } => vec![
                ("reaction", (*reaction).into()),
                ("action", if *added { "add" } else { "delete" }.into()),
                ("message", payload::message(message)),
            ],
        }
    }
}

/// Where it happened and who did it.
#[derive(Debug, Default)]
pub(super) struct Scene<'a> {
    pub(super) chat: Option<&'a Chat>,
    pub(super) user: Option<&'a User>,
}

/// The proofs and tokens of one event.
pub(super) struct Credentials {
    pub(super) bot: Option<Tokens>,
    pub(super) actor: Option<Tokens>,
    pub(super) application_token: String,
}

/// The form body of a bot's event.
pub(super) fn body(
    (site, language, ts): (&Site, &str, i64),
    bot: &Bot,
    credentials: &Credentials,
    scene: &Scene<'_>,
    happening: &Happening<'_>,
) -> Vec<u8> {
    let proof = credentials.application_token.as_str();
    let dialog = scene.chat.map(|chat| chat.dialog_for(bot.id)).unwrap_or_default();
    let mut data = vec![(
        "bot",
        payload::bot(site, bot.id, &bot.code, credentials.bot.as_ref(), proof),
    )];
    data.extend(happening.fields(&dialog));
    if !matches!(happening, Happening::Delete) {
        data.push(("chat", scene.chat.map(|chat| payload::chat(chat, bot.id)).into()));
        data.push(("user", scene.user.map(payload::user).into()));
        data.push(("language", language.into()));
    }
    let data = data.into_iter().map(|(key, node)| (key.to_owned(), node)).collect();
    let auth = payload::auth(site, credentials.actor.as_ref(), proof);
    let handler = bot.first_subscription + happening.subscription();
    envelope(happening.event(), handler, Node::Map(data), ts, auth)
}

/// `ONAPPINSTALL`: the first that an application hears, with the installer's tokens.
pub(super) fn install(site: &Site, language: &str, ts: i64, tokens: &Tokens, proof: &str) -> Vec<u8> {
    let data = map([
        ("VERSION", "1".into()),
        ("ACTIVE", "Y".into()),
        ("INSTALLED", "Y".into()),
        ("LANGUAGE_ID", language.into()),
    ]);
    // Commas in every other event, blanks in this one.
    let tokens = Tokens {
        scope: tokens.scope.replace(',', " "),
        ..tokens.clone()
    };
    envelope("ONAPPINSTALL", 1, data, ts, payload::auth(site, Some(&tokens), proof))
}

/// `ONAPPUNINSTALL`: no tokens any more.
pub(super) fn uninstall(site: &Site, language: &str, ts: i64, proof: &str) -> Vec<u8> {
    let data = map([("LANGUAGE_ID", language.into()), ("CLEAN", Node::Int(1))]);
    envelope("ONAPPUNINSTALL", 2, data, ts, payload::auth(site, None, proof))
}

fn envelope(event: &str, handler: i64, data: Node, ts: i64, auth: Node) -> Vec<u8> {
    let root = map([
        ("event", event.into()),
        ("event_handler_id", handler.into()),
        ("data", data),
        ("ts", ts.into()),
        ("auth", auth),
    ]);
    encode(&root).into_bytes()
}

impl State {
    /// The credentials of an event that this user caused; each event renews the tokens it carries.
    pub(super) fn credentials(&mut self, owner: &Owner, bot: i64, actor: Option<i64>, now: Timestamp) -> Credentials {
        let (bot, actor) = match owner {
            Owner::Webhook { .. } => (None, None),
            Owner::App(app) => (
                Some(self.tokens_of(app, Some(&app.access_token), bot, now)),
                actor.map(|actor| self.tokens_of(app, None, actor, now)),
            ),
        };
        Credentials {
            bot,
            actor,
            application_token: owner.application_token(),
        }
    }

    /// Tokens that act as `user`, good for an hour; the access token is the given one or one of the user's own.
    pub(super) fn tokens_of(&mut self, app: &AppSeed, given: Option<&Secret>, user: i64, now: Timestamp) -> Tokens {
        let own = Secret::new(token("access", &app.client_id, user));
        let access = given.unwrap_or(&own);
        self.renew_token(app, access, user, now);
        Tokens {
            access_token: access.expose().to_owned(),
            refresh_token: token("refresh", &app.client_id, user),
            expires: now.unix_seconds() + 3600,
            scope: app.scope.clone(),
            user_id: user,
            client_id: app.client_id.clone(),
        }
    }
}

/// A made-up token: hex, the same each time.
fn token(kind: &str, client: &str, user: i64) -> String {
    let digest = Sha256::digest(format!("{kind} {client} {user}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
