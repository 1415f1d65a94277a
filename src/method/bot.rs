//! `imbot.v2.Bot.*`: bots themselves. Owns their parameters; a deployment tool calls them, handlers rarely.

use super::base64::{encode, picture_size};
use super::call::{method, something_changes};
use super::reply::{BotListReply, BotReply, Done};
use super::values::{Background, BotType, Color, EventMode, Gender};
use super::{Reason, Refused, Repeat};
use crate::types::{Fields, Secret};

/// The longest `botToken`, in characters. Source: Bitrix24 change log, enforced since 2026-08-06.
const MAX_TOKEN: usize = 40;
/// The largest avatar, in pixels either way. Source: Bitrix24 documentation, Bot.register.
const MAX_AVATAR: u32 = 5_000;

/// `imbot.v2.Bot.register`: makes a bot, or hands back the existing one with the same code, **unchanged**.
///
/// A repeat never changes type, address or mode: compare, then [`BotUpdate`]. At most 100 bots an application.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/bots/bot-register.html)
///
/// ```
/// use imbot::method::{BotRegister, BotType, Method};
/// let call = BotRegister::new("support_bot", "Support Bot")
///     .kind(BotType::Supervisor)
///     .webhook_url("https://bots.example.com/webhook");
/// assert!(call.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct BotRegister(Fields);

impl BotRegister {
    /// A bot with a code, unique in the application, and a name.
    pub fn new(code: &str, name: &str) -> Self {
        Self(
            Fields::new()
                .filled("fields.code", code)
                .filled("fields.properties.name", name),
        )
    }

    /// Its token: at most 40 characters, needed with an incoming webhook, never with OAuth. It goes into the request in
    /// clear, so a call with it is not queued through a `Ctx`.
    pub fn token(self, token: &Secret) -> Self {
        Self(token_field(self.0, token))
    }

    /// Any other field, at its path.
    pub(crate) fn with(self, path: &str, value: impl Into<serde_json::Value>) -> Self {
        Self(self.0.with(path, value))
    }

    /// What it hears and may do. Default: [`BotType::Bot`].
    pub fn kind(self, kind: BotType) -> Self {
        Self(self.0.with("fields.type", kind))
    }
}

/// `imbot.v2.Bot.update`: changes profile, flags, delivery of events, or the token of a bot.
///
/// Another address or mode makes the portal subscribe anew, except where an OAuth application has several bots.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/bots/bot-update.html)
///
/// ```
/// use imbot::method::{BotUpdate, Color};
/// let call = BotUpdate::new().name("Night shift").color(Color::Graphite).hidden(true);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct BotUpdate(Fields);

impl BotUpdate {
    /// Nothing changed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name that people see.
    pub fn name(self, name: &str) -> Self {
        Self(self.0.filled("fields.properties.name", name))
    }

    /// A **new** token. The old one authorises this call and is dead after it; `application_token` of events changes
    /// with it. Not queued through a `Ctx`: it goes into the request in clear.
    pub fn new_token(self, token: &Secret) -> Self {
        Self(token_field(self.0, token))
    }

    /// No background. Observed portals ignore this.
    pub fn without_background(self) -> Self {
        Self(self.0.with("fields.backgroundId", serde_json::Value::Null))
    }
}

/// What a registration and an update have in common.
macro_rules! profile {
    ($type:ident) => {
        impl $type {
            /// The last name.
            pub fn last_name(self, name: &str) -> Self {
                Self(self.0.with("fields.properties.lastName", name))
            }

            /// The position, shown below the name.
            pub fn work_position(self, position: &str) -> Self {
                Self(self.0.with("fields.properties.workPosition", position))
            }

            /// Its colour. Default: the portal's choice.
            pub fn color(self, color: Color) -> Self {
                Self(self.0.with("fields.properties.color", color))
            }

            /// Its gender.
            pub fn gender(self, gender: Gender) -> Self {
                Self(self.0.with("fields.properties.gender", gender))
            }

            /// Its picture: the bytes of an image file, at most 5000 x 5000 pixels.
            pub fn avatar(self, image: &[u8]) -> Self {
                Self(avatar_field(self.0, "fields.properties.avatar", image))
            }

            /// How it gets its events. Default at registration: [`EventMode::Fetch`].
            pub fn event_mode(self, mode: EventMode) -> Self {
                Self(self.0.with("fields.eventMode", mode))
            }

            /// Webhook mode, with the address that gets the events: http or https, and a host with a dot in it.
            pub fn webhook_url(self, url: &str) -> Self {
                Self(webhook_field(self.0, url))
            }

            /// Not in the list of bots. Default at registration: no.
            pub fn hidden(self, hidden: bool) -> Self {
                Self(self.0.with("fields.isHidden", hidden))
            }

            /// People may put reactions on its messages. Default at registration: yes.
            pub fn reactions(self, enabled: bool) -> Self {
                Self(self.0.with("fields.isReactionsEnabled", enabled))
            }

            /// It may serve open lines. Default at registration: no.
            pub fn openlines(self, supported: bool) -> Self {
                Self(self.0.with("fields.isSupportOpenline", supported))
            }

            /// The background of its private dialogs.
            pub fn background(self, background: Background) -> Self {
                Self(self.0.with("fields.backgroundId", background))
            }
        }
    };
}
profile!(BotRegister);
profile!(BotUpdate);

fn token_field(fields: Fields, token: &Secret) -> Fields {
    let (length, most) = (token.expose().chars().count(), MAX_TOKEN);
    let path = "fields.botToken";
    let fields = fields.must(length <= most, path, Reason::TooLong { length, most });
    fields.filled(path, token.expose())
}

/// A picture as base64 text, refused if it is empty or larger than a portal takes.
pub(super) fn avatar_field(fields: Fields, path: &str, image: &[u8]) -> Fields {
    let fields = fields.must(!image.is_empty(), path, Reason::Empty);
    let large = picture_size(image).is_some_and(|(width, height)| width.max(height) > MAX_AVATAR);
    let form = Reason::Form("an image of at most 5000 x 5000 pixels");
    fields.must(!large, path, form).with(path, encode(image))
}

fn webhook_field(fields: Fields, url: &str) -> Fields {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.unwrap_or("").split(['/', '?', '#']).next().unwrap_or("");
    let form = Reason::Form("an http or https address whose host has a dot in it");
    fields
        .must(host.contains('.'), "fields.webhookUrl", form)
        .with("fields.eventMode", EventMode::Webhook)
        .with("fields.webhookUrl", url)
}

fn mode_has_its_url(fields: &Fields) -> Result<(), Refused> {
    let webhook = fields.str("fields.eventMode") == Some(EventMode::Webhook.as_str());
    if webhook && fields.get("fields.webhookUrl").is_none() {
        let rule = Reason::Rule("is missing, and the event mode is webhook: use webhook_url");
        return Err(Refused::new("fields.webhookUrl", rule));
    }
    Ok(())
}

method!(BotRegister: "imbot.v2.Bot.register", Harmless, REGISTRATION, [
    "fields.code", "fields.properties.name", "fields.properties.lastName",
    "fields.properties.workPosition", "fields.properties.color", "fields.properties.gender",
    "fields.properties.avatar", "fields.type", "fields.eventMode", "fields.webhookUrl", "fields.isHidden",
    "fields.isReactionsEnabled", "fields.isSupportOpenline", "fields.backgroundId",
] -> BotReply; whole = mode_has_its_url);

// After a rotation the token that authorised the call is dead, so the same call again can only fail.
method!(BotUpdate: "imbot.v2.Bot.update", Harmless, BOT, [
    "fields.properties.name", "fields.properties.lastName", "fields.properties.workPosition",
    "fields.properties.color", "fields.properties.gender", "fields.properties.avatar", "fields.isHidden",
    "fields.isReactionsEnabled", "fields.isSupportOpenline", "fields.backgroundId", "fields.eventMode",
    "fields.webhookUrl", "fields.botToken",
] -> BotReply; whole = something_changes; repeat = |fields| match fields.get("fields.botToken") {
    Some(_) => Repeat::Never,
    None => Repeat::Harmless,
});

/// `imbot.v2.Bot.get`: one bot, by number or by code. Other applications' bots come in their short form.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/bots/bot-get.html)
///
/// ```
/// use imbot::method::BotGet;
/// let call = BotGet::by_code("support_bot");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct BotGet(Fields);

impl BotGet {
    /// The bot with this number.
    pub fn by_id(bot_id: i64) -> Self {
        Self(Fields::new().id("botId", bot_id))
    }

    /// The bot with this code.
    pub fn by_code(code: &str) -> Self {
        Self(Fields::new().filled("code", code))
    }
}

method!(BotGet: "imbot.v2.Bot.get", Harmless, OWNER, ["botId", "code"] -> BotReply, Read);

/// `imbot.v2.Bot.list`: the bots of the calling application, page by page. With an incoming webhook the token selects the
/// owner, so that the list holds the bots of that token only.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/bots/bot-list.html)
///
/// ```
/// use imbot::method::{BotList, BotType};
/// let call = BotList::new().kind(BotType::Openline).limit(10);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct BotList(Fields);

impl BotList {
    /// All bots, 50 a page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only bots of this type.
    pub fn kind(self, kind: BotType) -> Self {
        let listed = kind != BotType::Network;
        let rule = Reason::Rule("network is no type that the list knows: some portals then list everything");
        Self(self.0.must(listed, "filter.type", rule).with("filter.type", kind))
    }

    /// So many a page. Default: 50.
    pub fn limit(self, limit: i64) -> Self {
        Self(self.0.number("limit", limit, 1, i64::MAX))
    }

    /// Without the first so many. Default: 0.
    pub fn offset(self, offset: i64) -> Self {
        Self(self.0.number("offset", offset, 0, i64::MAX))
    }
}

method!(BotList: "imbot.v2.Bot.list", Harmless, OWNER, ["filter.type", "limit", "offset"] -> BotListReply, Read);

/// `imbot.v2.Bot.unregister`: deletes the bot that calls, with its subscriptions. Again: BOT_NOT_FOUND, which means done.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/bots/bot-unregister.html)
///
/// ```
/// use imbot::method::BotUnregister;
/// let call = BotUnregister::new();
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct BotUnregister(Fields);

impl BotUnregister {
    /// The bot that calls.
    pub fn new() -> Self {
        Self::default()
    }
}

method!(BotUnregister: "imbot.v2.Bot.unregister", Harmless, BOT, [] -> Done);
