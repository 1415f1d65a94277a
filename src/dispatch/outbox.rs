//! Calls without an event: reminders and notices, queued by the program itself or over the admin address. Owns what may
//! be queued so, and the key by which a repeat is known; sends nothing.

use super::named::NamedCall;
use super::plan::{Planner, Source};
use super::queued::{Call, wrong_tag};
use crate::identity::Identities;
use crate::method::Method;
use crate::store::{KeyedCall, Queueing, Store, StoreError};
use crate::types::Priority;
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::watch;

/// The longest key, in bytes.
const MAX_KEY: usize = 255;

/// Queues calls that no event caused, from any task of the program: [`App::outbox`](crate::App::outbox). Cloning shares it.
///
/// They leave behind everything that somebody waits for, in the order of their dialog, and are as durable as any call.
///
/// ```no_run
/// use imbot::method::MessageSend;
/// use imbot::{App, Outbox, OutboxError};
/// # use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     let app = App::new();
///     let outbox = app.outbox();
///     std::thread::spawn(move || remind(outbox));
///     app.run()
/// }
///
/// # fn remind(_: Outbox) {}
/// async fn reminder(outbox: &Outbox, day: &str) -> Result<(), OutboxError> {
///     let text = MessageSend::new("27", "Your appointment is tomorrow.");
///     // However often this runs, the message is sent once a day.
///     outbox.call("acme", 456, format!("reminder-{day}"), text).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Default)]
pub struct Outbox(Arc<watch::Sender<Option<Arc<Open>>>>);

/// What a running server gives it.
struct Open {
    store: Store,
    planner: Planner,
    identities: Identities,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It waits in the outbox under this number.
    Queued(i64),
    /// A call with this key has been queued for this bot already (within `store.dedup_window`).
    Known,
}

/// Why a call was not queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The configuration names no such bot.
    #[error("portal `{portal}` has no bot {bot} in the configuration")]
    UnknownBot {
        /// The portal as it was given.
        portal: String,
        /// The bot as it was given.
        bot: i64,
    },
    /// The call itself is wrong; the text says what the portal would refuse.
    #[error("{0}")]
    Refused(String),
    /// A key or a tag is empty or over 255 bytes.
    #[error("{0}")]
    BadWord(&'static str),
    /// `store.max_bytes` is used up.
    #[error("the store is full")]
    Full,
    /// The server has stopped, or its store has failed.
    #[error("the server has stopped")]
    Stopped,
}

impl Outbox {
    /// Queues a call of a bot, by the portal's configured name and the bot's number. `key` is yours: a call with a key that
    /// this bot has had within `store.dedup_window` (72 hours) is not queued again, so that a caller who does not know
    /// whether it has been queued can try again. Nothing happens before the `.await`; before the server has started, that
    /// waits for it.
    pub fn call<M: Method>(
        &self,
        portal: impl Into<String>,
        bot: i64,
        key: impl Into<String>,
        method: M,
    ) -> OutboxCall {
        self.checked(portal.into(), bot, key.into(), Call::of(method))
    }

    /// The same for a method by its name.
    pub(crate) fn named(&self, portal: String, bot: i64, key: String, call: NamedCall) -> OutboxCall {
        self.checked(portal, bot, key, call.checked())
    }

    fn checked(&self, portal: String, bot: i64, key: String, call: Result<Call, String>) -> OutboxCall {
        OutboxCall {
            outbox: self.clone(),
            portal,
            bot,
            key,
            call,
        }
    }

    /// The server has started.
    pub(super) fn open(&self, store: Store, planner: Planner, identities: Identities) {
        let open = Open {
            store,
            planner,
            identities,
        };
        self.0.send_replace(Some(Arc::new(open)));
    }

    async fn opened(&self) -> Result<Arc<Open>, OutboxError> {
        let mut state = self.0.subscribe();
        let open = state.wait_for(Option::is_some).await;
        open.ok().and_then(|open| open.clone()).ok_or(OutboxError::Stopped)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.0.borrow().is_some();
        f.debug_struct("Outbox").field("open", &open).finish()
    }
}

/// A call that is queued with `.await`.
#[derive(Debug)]
#[must_use = "nothing is queued before the .await"]
pub struct OutboxCall {
    outbox: Outbox,
    portal: String,
    bot: i64,
    key: String,
    call: Result<Call, String>,
}

impl OutboxCall {
    /// Asks for [`CallSettled`](crate::CallSettled) when the call has ended: an event with this tag for the bot's handler, in
    /// the dialog of the call.
    pub fn then(mut self, tag: impl Into<String>) -> Self {
        if let Ok(call) = &mut self.call {
            call.tag = Some(tag.into());
        }
        self
    }

    async fn queue(self) -> Result<Placed, OutboxError> {
        let call = self.call.map_err(OutboxError::Refused)?;
        if self.key.is_empty() || self.key.len() > MAX_KEY {
            return Err(OutboxError::BadWord("a key has 1 to 255 bytes"));
        }
        if let Some(reason) = call.tag.as_deref().and_then(wrong_tag) {
            return Err(OutboxError::BadWord(reason));
        }
        let open = self.outbox.opened().await?;
        let sites = open.identities.sites();
        let site = sites.iter().find(|site| site.name == self.portal);
        let Some(site) = site.filter(|site| site.bots.contains_key(&self.bot)) else {
            let (portal, bot) = (self.portal, self.bot);
            return Err(OutboxError::UnknownBot { portal, bot });
        };
        let (portal, identity) = (site.id, site.identity(self.bot));
        let origin = [
            b"c".as_slice(),
            &portal.0.to_be_bytes(),
            &self.bot.to_be_bytes(),
            self.key.as_bytes(),
        ]
        .concat();
        let source = Source {
            portal,
            bot: self.bot,
            identity,
            token: None,
            origin: &origin,
            event: None,
            received: open.planner.clock.now(),
            priority: Priority::Bulk,
            home: None,
        };
        let keyed = KeyedCall {
            key: Some(self.key),
            call: open.planner.plan(&source, call),
        };
        let queued = open.store.queue_calls(vec![keyed]).await.map_err(|error| match error {
            StoreError::Full => OutboxError::Full,
            _ => OutboxError::Stopped,
        })?;
        match queued.first() {
            Some(Queueing::Queued(id)) => Ok(Placed::Queued(id.0)),
            Some(Queueing::Duplicate) => Ok(Placed::Known),
            None => Err(OutboxError::Stopped),
        }
    }
}

impl IntoFuture for OutboxCall {
    type Output = Result<Placed, OutboxError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.queue())
    }
}
