//! A call as a handler queued it, and the handle by which it asks to hear of its end. Plans and sends nothing.

use super::ctx::Ctx;
use super::outcome::{Failure, Outcome};
use crate::method::{Address, Method, Repeat};
use crate::types::is_credential;
use serde_json::{Map, Value};

/// The longest tag, in bytes.
const MAX_TAG: usize = 255;

/// A call that has been checked.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) address: Address,
    pub(super) repeat: Repeat,
    pub(super) dialog: Option<String>,
    pub(super) params: Map<String, Value>,
    /// Its place among the calls of its run, and among the parts of its text.
    pub(super) step: u32,
    pub(super) part: u32,
    pub(super) tag: Option<String>,
    /// Sent instead if the portal denies access.
    pub(super) fallback: Option<Box<Call>>,
}

impl Call {
    /// Checks a call. The reason of a refusal is for people.
    pub(super) fn of<M: Method>(method: M) -> Result<Self, String> {
        method
            .check()
            .map_err(|refused| format!("{} is not queued: {refused}", M::NAME))?;
        let (repeat, dialog) = (method.repeat(), method.dialog().map(str::to_owned));
        let params = method.params();
        if holds_token(&params) {
            let reason = "a bot's token is not queued, because the queue is kept on disk: use `imbot register`";
            return Err(format!("{}: {reason}", M::NAME));
        }
        Ok(Self {
            method: M::NAME.to_owned(),
            address: M::ADDRESS,
            repeat,
            dialog,
            params,
            step: 0,
            part: 0,
            tag: None,
            fallback: None,
        })
    }
}

/// Whether a credential stands where a method would take one.
pub(super) fn holds_token(params: &Map<String, Value>) -> bool {
    let inner = params.get("fields").and_then(Value::as_object);
    let names = params.keys().chain(inner.into_iter().flat_map(|fields| fields.keys()));
    names.into_iter().any(|name| is_credential(name))
}

/// Why a tag cannot be one.
pub(super) fn wrong_tag(tag: &str) -> Option<&'static str> {
    (tag.is_empty() || tag.len() > MAX_TAG).then_some("a tag has 1 to 255 bytes")
}

/// A call that waits for the end of its handler. Nothing needs to be done with it.
///
/// [`then`](Self::then) asks to hear of the call's end; [`Then`] lets it follow `ctx.call(..)` without a `?` in between.
#[derive(Clone, Debug)]
pub struct Queued {
    ctx: Ctx,
    at: usize,
}

impl Queued {
    pub(super) fn new(ctx: Ctx, at: usize) -> Self {
        Self { ctx, at }
    }

    /// Asks for [`CallSettled`](crate::CallSettled) when the call has ended, well or not: an event with this tag in the
    /// dialog of the event that is being handled. It is as durable as the call and comes once.
    ///
    /// # Errors
    /// Fatal if the tag is empty or over 255 bytes, or the handler has ended already.
    pub fn then(self, tag: impl Into<String>) -> Outcome {
        let tag = tag.into();
        match wrong_tag(&tag) {
            Some(reason) => Err(Failure::fatal(reason)),
            None => self.ctx.tag(self.at, tag),
        }
    }
}

/// `ctx.call(..).then("tag")`: see [`Queued::then`].
///
/// ```
/// use imbot::method::ChatAdd;
/// use imbot::{CommandAdd, Ctx, Outcome, Then as _};
/// async fn room(ctx: Ctx, _asked: CommandAdd) -> Outcome {
///     ctx.call(ChatAdd::new().title("War room"))?;
///     ctx.call(ChatAdd::new().title("Quiet room")).then("made")
/// }
/// # let _ = imbot::Bot::new("rooms").command("/room", "Makes rooms", room);
/// ```
pub trait Then {
    /// Asks for [`CallSettled`](crate::CallSettled) with this tag when the call has ended.
    ///
    /// # Errors
    /// As [`Queued::then`], and why the call was not queued.
    fn then(self, tag: impl Into<String>) -> Outcome;
}

impl Then for Result<Queued, Failure> {
    fn then(self, tag: impl Into<String>) -> Outcome {
        self?.then(tag)
    }
}
