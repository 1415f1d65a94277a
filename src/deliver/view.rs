//! What operators see of the deliverer and may tell it: plain data and a line to the engine. Decides nothing.

use crate::types::{PortalId, Timestamp};
use tokio::sync::{mpsc, oneshot};

/// Orders that wait at most.
const WAITING: usize = 16;

/// One portal as the deliverer has it now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PortalView {
    pub(crate) portal: PortalId,
    /// The configured name.
    pub(crate) name: String,
    /// The REST host whose budget it shares with others of this host.
    pub(crate) host: String,
    /// Requests that may leave at once, and the most that ever may.
    pub(crate) tokens: u32,
    pub(crate) capacity: u32,
    /// How full the portal's counter is at most, by our count.
    pub(crate) counted: u32,
    /// The portal said QUERY_LIMIT_EXCEEDED: nothing leaves before this.
    pub(crate) paused_until: Option<Timestamp>,
    /// The circuit is open: the next try is not before this.
    pub(crate) circuit_open_until: Option<Timestamp>,
    /// Methods that have used up their operating time.
    pub(crate) gates: Vec<GateView>,
    /// Identities and bots that the portal refuses; their calls are kept.
    pub(crate) parked: Vec<ParkView>,
    /// Requests under way.
    pub(crate) in_flight: usize,
    /// Errands (questions of handlers, `imbot call`) that wait for the budget.
    pub(crate) errands: usize,
}

/// A method that an identity may not call for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GateView {
    /// `webhook`, `application` or `event token`.
    pub(crate) identity: &'static str,
    pub(crate) method: String,
    pub(crate) until: Timestamp,
}

/// An identity or a bot that the portal refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParkView {
    /// `webhook`, `application` or `event token`.
    pub(crate) identity: &'static str,
    /// Only this bot; `None` = all that use the identity.
    pub(crate) bot: Option<i64>,
    /// The portal's code, or ours: `NO_AUTH_FOUND`, `BOT_OWNERSHIP_ERROR`, `invalid_grant` …
    pub(crate) reason: String,
    pub(crate) since: Timestamp,
    /// When it is asked for again.
    pub(crate) probe_at: Timestamp,
}

/// What is asked of the engine.
#[derive(Debug)]
pub(super) enum Order {
    Look(oneshot::Sender<Vec<PortalView>>),
    Unpark {
        portal: PortalId,
        bot: Option<i64>,
        done: oneshot::Sender<usize>,
    },
}

/// The engine's end of the line.
#[derive(Debug)]
pub(crate) struct Orders(pub(super) mpsc::Receiver<Order>);

/// A line to the deliverer. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct DeliverView(mpsc::Sender<Order>);

impl DeliverView {
    /// A line, and the end at which the engine listens.
    pub(crate) fn open() -> (Self, Orders) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), Orders(receiver))
    }

    /// Every portal, by name. `None`: the deliverer does not run (`--paused`, or the server is stopping).
    pub(crate) async fn portals(&self) -> Option<Vec<PortalView>> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Order::Look(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Tries parked identities again at once: those of one bot (its identity included), or all of the portal. Returns
    /// how many there were.
    pub(crate) async fn unpark(&self, portal: PortalId, bot: Option<i64>) -> usize {
        let (done, answered) = oneshot::channel();
        if self.0.send(Order::Unpark { portal, bot, done }).await.is_err() {
            return 0;
        }
        answered.await.unwrap_or(0)
    }
}
