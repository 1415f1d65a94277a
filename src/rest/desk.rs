//! Calls whose answer somebody waits for: the desk takes errands, the deliverer carries them out under the same budget
//! as the outbox. Nothing here is durable: an errand that cannot leave in time is given back.

use super::fault::Fault;
use crate::types::{Lane, PortalId, Priority, Secret, Timestamp};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};

/// Errands that wait at most; beyond it the desk is [`AskError::Busy`].
const WAITING: usize = 256;

/// A call to be made now, by whoever holds the budget.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) portal: PortalId,
    /// As which bot; 0 = the portal's own identity without a bot (Revision.get, uncatalogued methods).
    pub(crate) bot: i64,
    /// The bot's identity is added to the call; false = sent as it is, but for the REST credentials.
    pub(crate) with_bot: bool,
    pub(crate) method: String,
    /// A JSON object without credentials.
    pub(crate) params: String,
    pub(crate) priority: Priority,
    /// The dialog a typing notice belongs to: it is dropped when a message of that dialog is queued.
    pub(crate) lane: Option<Lane>,
    /// Leaves at once or not at all (typing notices).
    pub(crate) now_or_never: bool,
    /// May be tried again within the deadline when that does no harm (reads).
    pub(crate) repeatable: bool,
    /// Shares a request with others like it also where there are tokens for all (polls: what comes back is the same).
    pub(crate) in_company: bool,
    /// Leaves also where the budget is used up, by itself and once: it asks what the portal does then. Never while the
    /// portal's last refusal is waited for.
    pub(crate) over_budget: bool,
    /// Given back as [`AskError::NoBudget`] if it could not leave by then.
    pub(crate) deadline: Timestamp,
    /// Part of a change of the bot's token: it leaves although the bot's other calls wait, and alone.
    pub(crate) change: Option<TokenChange>,
    pub(crate) answer: oneshot::Sender<Result<Value, AskError>>,
}

/// Which token an errand goes with, instead of the one in use.
#[derive(Clone, Debug)]
pub(crate) struct TokenChange {
    pub(crate) token: Secret,
    /// What the bot's token is to be from then on (`fields.botToken`).
    pub(crate) to: Option<Secret>,
}

/// Why an errand brought no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskError {
    /// The portal answered with an error, or the way to it failed.
    #[error("{0}")]
    Fault(Fault),
    /// The portal's budget, the method's operating time or the circuit did not allow it in time.
    #[error("no budget before the deadline ({0})")]
    NoBudget(&'static str),
    /// No configured or stored identity serves this portal and bot.
    #[error("no identity for this portal and bot")]
    NoIdentity,
    /// The identity or the bot is parked, or an operator has paused it.
    #[error("parked: {0}")]
    Parked(String),
    /// Too many errands wait.
    #[error("too many calls are waiting")]
    Busy,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// Where errands are handed in. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    sender: mpsc::Sender<Errand>,
    handed: Arc<AtomicU64>,
}

/// The end at which the deliverer takes the errands.
#[derive(Debug)]
pub(crate) struct Errands {
    receiver: mpsc::Receiver<Errand>,
    taken: u64,
}

impl Errands {
    /// The next errand; `None`: no desk is left.
    pub(crate) async fn next(&mut self) -> Option<Errand> {
        let errand = self.receiver.recv().await;
        self.taken += u64::from(errand.is_some());
        errand
    }

    /// An errand that is there already.
    pub(crate) fn try_next(&mut self) -> Option<Errand> {
        let errand = self.receiver.try_recv().ok();
        self.taken += u64::from(errand.is_some());
        errand
    }

    /// How many have been taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }
}

impl Desk {
    /// A desk and the end at which the deliverer takes the errands.
    pub(crate) fn open() -> (Self, Errands) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let handed = Arc::default();
        (Self { sender, handed }, Errands { receiver, taken: 0 })
    }

    /// How many have been handed in. As long as fewer were taken, some are on their way.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn handed(&self) -> u64 {
        self.handed.load(Ordering::Acquire)
    }

    /// Hands an errand in and waits for its answer. `make` gets the end to answer into.
    ///
    /// # Errors
    /// [`AskError`] says why there is no answer.
    pub(crate) async fn ask(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<Value, AskError>>) -> Errand,
    ) -> Result<Value, AskError> {
        self.hand_in(make)?.await.unwrap_or(Err(AskError::Stopping))
    }

    /// Hands an errand in. Whoever drops the answer's end has given the errand up.
    ///
    /// # Errors
    /// The desk takes none.
    pub(crate) fn hand_in(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<Value, AskError>>) -> Errand,
    ) -> Result<oneshot::Receiver<Result<Value, AskError>>, AskError> {
        let (answer, waiting) = oneshot::channel();
        // Counted before it is there: who compares never misses one.
        self.handed.fetch_add(1, Ordering::AcqRel);
        if let Err(error) = self.sender.try_send(make(answer)) {
            self.handed.fetch_sub(1, Ordering::AcqRel);
            return Err(match error {
                mpsc::error::TrySendError::Full(_) => AskError::Busy,
                mpsc::error::TrySendError::Closed(_) => AskError::Stopping,
            });
        }
        Ok(waiting)
    }
}
