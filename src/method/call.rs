//! What a method is: its name, its parameters, its reply, whether a repeat does harm. Owns the contract; never sends.

use super::{Reason, Refused};
use crate::types::{Fields, put};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// A REST method with its parameters.
///
/// The types of this module implement it for everything that a bot is offered. For a method that is not among them,
/// implement it yourself:
///
/// ```
/// use imbot::method::{Method, Repeat};
/// use serde_json::{Map, Value, json};
///
/// struct DealGet(i64);
///
/// impl Method for DealGet {
///     const NAME: &'static str = "crm.deal.get";
///     const REPEAT: Repeat = Repeat::Harmless;
///     type Reply = Value;
///
///     fn dialog(&self) -> Option<&str> {
///         None
///     }
///
///     fn params(self) -> Map<String, Value> {
///         Map::from_iter([("id".to_owned(), json!(self.0))])
///     }
/// }
/// # assert_eq!(DealGet(7).params()["id"], 7);
/// ```
pub trait Method {
    /// The documented name, for example `imbot.v2.Chat.Message.send`.
    const NAME: &'static str;
    /// What a repeat after an unknown outcome may do; [`repeat`](Self::repeat) knows it for one call.
    const REPEAT: Repeat;
    /// Where the bot's number and its token go.
    const ADDRESS: Address = Address::BOT;
    /// Whether it may go in a `batch`.
    const BATCH: bool = true;
    /// The paths of its parameters, without those of [`ADDRESS`](Self::ADDRESS); empty if nobody wrote them down.
    const PARAMS: &'static [&'static str] = &[];
    /// What `result` holds after success.
    type Reply: DeserializeOwned;

    /// The dialog whose order it keeps (`chat112`, `27`); `None` for calls that belong to no dialog.
    fn dialog(&self) -> Option<&str>;

    /// The parameters as JSON, without the bot's number and without credentials.
    fn params(self) -> Map<String, Value>;

    /// What a repeat of this very call may do.
    fn repeat(&self) -> Repeat {
        Self::REPEAT
    }

    /// Looks for what the portal would refuse. A `Ctx` asks before it queues, so nothing refused reaches the outbox.
    ///
    /// # Errors
    /// The first parameter that the portal would refuse, cut or ignore.
    fn check(&self) -> Result<(), Refused> {
        Ok(())
    }
}

/// A method that changes nothing: the only kind whose answer a handler may wait for.
pub trait Read: Method {}

/// Whether a call may be sent again when nobody knows if the portal carried it out.
/// Source: outbound rules, "Idempotency and ordering".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The same call again leaves the same state.
    Harmless,
    /// `fields.templateId` makes the portal recognise a repeat.
    ByTemplate,
    /// A repeat could be seen twice.
    Never,
}

/// The names under which a method takes the bot's number and, from an incoming webhook, the bot's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    bot: Option<&'static str>,
    token: Option<&'static str>,
}

impl Address {
    /// `botId` and `botToken`: most methods.
    pub const BOT: Self = Self::at(Some("botId"), Some("botToken"));
    /// `botToken` only: the bot is found by other parameters, or there is none yet to name.
    pub const OWNER: Self = Self::at(None, Some("botToken"));
    /// `fields.botToken`: the registration, whose token is made with the bot.
    pub const REGISTRATION: Self = Self::at(None, Some("fields.botToken"));
    /// `CLIENT_ID`: methods of open lines.
    pub const CLIENT: Self = Self::at(None, Some("CLIENT_ID"));
    /// `BOT_ID` and `CLIENT_ID`: methods of version 1.
    pub const VERSION_1: Self = Self::at(Some("BOT_ID"), Some("CLIENT_ID"));
    /// Nothing: the method acts for the calling user.
    pub const USER: Self = Self::at(None, None);

    const fn at(bot: Option<&'static str>, token: Option<&'static str>) -> Self {
        Self { bot, token }
    }

    /// Where the bot's number goes.
    #[must_use]
    pub const fn bot_path(self) -> Option<&'static str> {
        self.bot
    }

    /// Where the token of a bot behind an incoming webhook goes.
    #[must_use]
    pub const fn token_path(self) -> Option<&'static str> {
        self.token
    }

    /// Puts the bot's number into the parameters, and into a keyboard object that lacks it (an edited keyboard needs
    /// it). What is there already stays.
    pub fn put_bot(self, params: &mut Map<String, Value>, bot: i64) {
        if let Some(path) = self.bot {
            put_if_absent(params, path, json!(bot));
        }
        let keyboard = params.get_mut("fields").and_then(|fields| fields.get_mut("keyboard"));
        if let Some(Value::Object(keyboard)) = keyboard {
            keyboard.entry("BOT_ID").or_insert_with(|| json!(bot));
        }
    }

    /// Puts the token of a bot behind an incoming webhook into the parameters. What is there already stays.
    pub fn put_token(self, params: &mut Map<String, Value>, token: &str) {
        if let Some(path) = self.token {
            put_if_absent(params, path, json!(token));
        }
    }
}

fn put_if_absent(params: &mut Map<String, Value>, path: &str, value: Value) {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let there = params
        .get(first)
        .is_some_and(|inner| rest.is_empty() || inner.get(rest).is_some());
    if !there {
        put(params, path, value);
    }
}

/// Implements [`Method`] for a type that wraps its `Fields`. `whole` refuses what only the complete call shows, `repeat`
/// tells one call's kind from its method's, `alone` keeps the method out of batches.
macro_rules! method {
    (
        $type:ty: $name:literal, $repeat:ident, $address:ident,
        [$($path:literal),* $(,)?] -> $reply:ty
        $(, $read:ident)? $(; whole = $whole:expr)? $(; repeat = $kind:expr)? $(; batch = $batch:literal)?
    ) => {
        impl $crate::method::Method for $type {
            const NAME: &'static str = $name;
            const REPEAT: $crate::method::Repeat = $crate::method::Repeat::$repeat;
            const ADDRESS: $crate::method::Address = $crate::method::Address::$address;
            const PARAMS: &'static [&'static str] = &[$($path),*];
            $(const BATCH: bool = $batch;)?
            type Reply = $reply;

            fn dialog(&self) -> Option<&str> {
                self.0.order()
            }

            fn params(self) -> serde_json::Map<String, serde_json::Value> {
                self.0.into_object()
            }

            $(fn repeat(&self) -> $crate::method::Repeat {
                let kind: fn(&$crate::types::Fields) -> $crate::method::Repeat = $kind;
                kind(&self.0)
            })?

            fn check(&self) -> Result<(), $crate::method::Refused> {
                self.0.check()?;
                $(
                    let whole: fn(&$crate::types::Fields) -> Result<(), $crate::method::Refused> = $whole;
                    whole(&self.0)?;
                )?
                Ok(())
            }
        }
        $(impl $crate::method::$read for $type {})?
    };
}
pub(super) use method;

/// Refuses an update that changes nothing.
pub(super) fn something_changes(fields: &Fields) -> Result<(), Refused> {
    match fields.get("fields") {
        Some(_) => Ok(()),
        None => Err(Refused::new("fields", Reason::Empty)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(address: Address, params: Value) -> Value {
        let Value::Object(mut params) = params else {
            panic!("an object")
        };
        address.put_bot(&mut params, 456);
        address.put_token(&mut params, "tok");
        Value::Object(params)
    }

    #[test]
    fn number_and_token_go_where_the_method_looks_for_them() {
        for (address, expected) in [
            (Address::BOT, json!({ "botId": 456, "botToken": "tok" })),
            (Address::OWNER, json!({ "botToken": "tok" })),
            (Address::REGISTRATION, json!({ "fields": { "botToken": "tok" } })),
            (Address::CLIENT, json!({ "CLIENT_ID": "tok" })),
            (Address::VERSION_1, json!({ "BOT_ID": 456, "CLIENT_ID": "tok" })),
            (Address::USER, json!({})),
        ] {
            assert_eq!(placed(address, json!({})), expected);
        }
    }

    #[test]
    fn what_the_caller_gave_stays() {
        let given = json!({ "botId": 7, "botToken": "own" });
        assert_eq!(placed(Address::BOT, given.clone()), given);
        let given = json!({ "fields": { "code": "x", "botToken": "own" } });
        assert_eq!(placed(Address::REGISTRATION, given.clone()), given);
    }

    #[test]
    fn an_edited_keyboard_learns_its_bot() {
        let edited = placed(Address::BOT, json!({ "fields": { "keyboard": { "BUTTONS": [] } } }));
        assert_eq!(edited["fields"]["keyboard"]["BOT_ID"], 456);
        let removed = placed(Address::BOT, json!({ "fields": { "keyboard": "N" } }));
        assert_eq!(removed["fields"]["keyboard"], "N");
    }
}
