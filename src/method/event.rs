//! Events by polling: `imbot.v2.Event.get` for a bot, `im.v2.Event.*` for the calling user. Owns their parameters.

use super::call::method;
use super::reply::EventsReply;
use crate::types::Fields;

/// `imbot.v2.Event.get`: queued events of a bot in fetch mode. With an offset it deletes everything below it for good, so
/// it is no [`Read`](super::Read): store first, then confirm. One consumer a bot; events are kept for 24 hours.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/imbot.v2/events/event-get.html)
///
/// ```
/// use imbot::method::EventGet;
/// let call = EventGet::new().from(1002).limit(1000);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct EventGet(Fields);

impl EventGet {
    /// The oldest events, confirming none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also events of the calling user: needs the scope `im` and [`UserEventSubscribe`].
    pub fn with_user_events(self) -> Self {
        Self(self.0.with("withUserEvents", true))
    }
}

/// `im.v2.Event.get`: recorded events of the calling user. Confirms like [`EventGet`]; without a subscription the list is
/// empty. One consuming application a user; events are kept for 24 hours.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/im.v2/events/event-get.html)
///
/// ```
/// use imbot::method::UserEventGet;
/// let call = UserEventGet::new().from(2002).limit(50);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct UserEventGet(Fields);

impl UserEventGet {
    /// The oldest events, confirming none.
    pub fn new() -> Self {
        Self::default()
    }
}

/// What both polls have in common.
macro_rules! page {
    ($type:ident) => {
        impl $type {
            /// Events from this number on. Confirms and **deletes** all below; leave it out in the first call.
            pub fn from(self, offset: i64) -> Self {
                Self(self.0.number("offset", offset, 0, i64::MAX))
            }

            /// So many, 1 to 1000. Default: 100.
            pub fn limit(self, limit: i64) -> Self {
                Self(self.0.number("limit", limit, 1, 1_000))
            }
        }
    };
}
page!(EventGet);
page!(UserEventGet);

method!(EventGet: "imbot.v2.Event.get", Harmless, BOT, ["offset", "limit", "withUserEvents"] -> EventsReply);
method!(UserEventGet: "im.v2.Event.get", Harmless, USER, ["offset", "limit"] -> EventsReply);

/// `im.v2.Event.subscribe`: starts recording events of the calling user.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/im.v2/events/event-subscribe.html)
///
/// ```
/// use imbot::method::UserEventSubscribe;
/// let call = UserEventSubscribe::new();
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct UserEventSubscribe(Fields);

impl UserEventSubscribe {
    /// For the calling user.
    pub fn new() -> Self {
        Self::default()
    }
}

method!(UserEventSubscribe: "im.v2.Event.subscribe", Harmless, USER, [] -> bool);

/// `im.v2.Event.unsubscribe`: stops recording; what is recorded stays for up to 24 hours.
/// [Source](https://apidocs.bitrix24.com/api-reference/chat-bots/chat-bots-v2/im.v2/events/event-unsubscribe.html)
///
/// ```
/// use imbot::method::UserEventUnsubscribe;
/// let call = UserEventUnsubscribe::new();
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct UserEventUnsubscribe(Fields);

impl UserEventUnsubscribe {
    /// For the calling user.
    pub fn new() -> Self {
        Self::default()
    }
}

method!(UserEventUnsubscribe: "im.v2.Event.unsubscribe", Harmless, USER, [] -> bool);
