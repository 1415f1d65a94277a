//! What goes into the store and comes out of it: plain data, no SQL.

use super::moves::Head;
use super::twins::EventKey;
use crate::types::{CallId, EventId, Lane, PortalId, Priority, Secret, TemplateId, Timestamp};
use std::collections::VecDeque;

/// How a kept body is to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `application/x-www-form-urlencoded`, as PHP writes it.
    Form,
    /// The same with numbers in place of known keys, see `event::vocabulary`.
    Packed,
    /// JSON.
    Json,
    /// JSON of our own: how a tagged call ended. The door never makes it, so nobody can send one in.
    Settled,
}

/// An authentic event on its way in.
#[derive(Clone, Debug)]
pub(crate) struct NewEvent {
    pub(crate) portal: PortalId,
    /// The bot it names; 0 for an event of the portal itself (application events).
    pub(crate) bot: i64,
    pub(crate) lane: Lane,
    /// The dialog as the portal writes it, empty if the event has none.
    pub(crate) dialog: String,
    /// Event name in capitals, cut to 64 bytes: for people and dead letters.
    pub(crate) name: String,
    /// `None` = never a duplicate.
    pub(crate) key: Option<EventKey>,
    pub(crate) received: Timestamp,
    pub(crate) format: Format,
    /// The body with every credential cut out.
    pub(crate) body: Vec<u8>,
    /// The bot's access token, kept only where the bot has no other identity; deleted with the event.
    pub(crate) token: Option<Secret>,
    /// Why it cannot be handled: then it goes to the dead letters (queue `quarantine`) at once.
    pub(crate) quarantine: Option<&'static str>,
}

/// What became of an event offered to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enqueued {
    /// Stored as durably as the ack mode says.
    Stored(EventId),
    /// Stored in the dead letters.
    Quarantined(EventId),
    /// It came before, within the deduplication window or by the other way.
    Duplicate,
    /// Ack mode `memory`: taken, not yet looked at.
    Taken,
}

/// An event handed to dispatch. It stays in the store until `complete_event`, `retry_event` or `bury_event`.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedEvent {
    pub(crate) id: EventId,
    pub(crate) portal: PortalId,
    pub(crate) bot: i64,
    pub(crate) lane: Lane,
    pub(crate) dialog: String,
    pub(crate) name: String,
    pub(crate) received: Timestamp,
    /// Failed attempts so far.
    pub(crate) attempts: u32,
    pub(crate) first_failed: Option<Timestamp>,
    pub(crate) format: Format,
    pub(crate) body: Vec<u8>,
    pub(crate) token: Option<Secret>,
    /// What template ids are derived from: the portal and the deduplication key, else the store's number.
    pub(crate) origin: Vec<u8>,
    /// The value remembered for this bot and dialog, as JSON text.
    pub(crate) memory: Option<String>,
}

/// What a claim found.
#[derive(Clone, Debug)]
pub(crate) struct Claim<T> {
    /// At most the asked number, at most one a lane, portals taking turns.
    pub(crate) items: Vec<T>,
    /// When the next waiting row of the asked portals becomes ready, if it is later than now. Busy lanes do not count.
    /// Not looked for (`None`) when the claim found all it was asked for: then there may be more to claim at once.
    pub(crate) next_due: Option<Timestamp>,
}

/// Which calls of a portal could be made now.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// Interactive, typing, bulk; within each, the lane that has been ready longest comes first.
    pub(crate) heads: [VecDeque<Head>; 3],
    /// When the next lane becomes ready that is neither busy nor ready now.
    pub(crate) next_due: Option<Timestamp>,
}

/// What is known of the request counter of a REST host.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Budget {
    pub(crate) host: String,
    /// Requests counted and not yet drained, at that time.
    pub(crate) level: f64,
    pub(crate) at: Timestamp,
    /// Written after the last request of a process. If not, nobody knows how many followed.
    pub(crate) clean: bool,
}

/// How an event ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// A handler ran and succeeded.
    Done,
    /// By rule no handler ran (own, system or other bots' message; no handler for it).
    Ignored,
}

/// What a handler did to the value kept for its bot and dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    Keep,
    /// JSON text, at most 64 KiB (the caller checks).
    Set(String),
    Forget,
}

/// What waits for a bot of a portal. Ages count from the arrival of the event that is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub(crate) portal: PortalId,
    pub(crate) bot: i64,
    pub(crate) events: u64,
    pub(crate) oldest_event: Option<Timestamp>,
    pub(crate) calls: u64,
    pub(crate) oldest_call: Option<Timestamp>,
}

/// The end of an event, one commit: the event is gone, its calls are queued, its memory is changed.
#[derive(Clone, Debug)]
pub(crate) struct Completion {
    pub(crate) id: EventId,
    pub(crate) settled: Settled,
    pub(crate) calls: Vec<NewCall>,
    pub(crate) memory: Memory,
    /// The event shows that the bot is in its (group) dialog: remembered until the portal denies it access there.
    pub(crate) present: bool,
}

/// Another try later, of an event or a call: attempts grow by one.
#[derive(Clone, Debug)]
pub(crate) struct Retry {
    /// Not before this.
    pub(crate) due: Timestamp,
    /// Until then (or until it succeeds) it holds its lane back; afterwards the lane moves on past it.
    pub(crate) hold_until: Timestamp,
    /// Time of the first failure, kept over all attempts.
    pub(crate) first_failed: Timestamp,
}

/// As whom a call is made. The store keeps which, never a configured secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// The portal's configured incoming webhook and the bot's configured token.
    Webhook,
    /// The bot token that came with the event.
    EventToken,
    /// The tokens of the OAuth application, as stored at its installation and renewed since.
    App,
}

/// What to do when it cannot be known whether a call was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Repeating does no harm (idempotent, or it carries a template id).
    Repeat,
    /// It is never repeated: a `started` record precedes each attempt, and an unknown outcome becomes a dead letter.
    Stop,
}

/// A REST call to be queued.
#[derive(Clone, Debug)]
pub(crate) struct NewCall {
    pub(crate) portal: PortalId,
    pub(crate) bot: i64,
    pub(crate) lane: Lane,
    pub(crate) dialog: String,
    pub(crate) method: String,
    /// JSON object, complete but for credentials: exactly what every attempt sends.
    pub(crate) params: String,
    pub(crate) template: Option<TemplateId>,
    pub(crate) identity: Identity,
    /// Only with [`Identity::EventToken`].
    pub(crate) token: Option<Secret>,
    pub(crate) unknown: Unknown,
    pub(crate) priority: Priority,
    /// The event it answers, and when that arrived.
    pub(crate) event: Option<EventId>,
    pub(crate) received: Timestamp,
    /// Unsent by then: dead letter `expired`.
    pub(crate) expires: Timestamp,
    pub(crate) ties: Ties,
}

/// What binds a call to the rest: who hears of its end, which text it is a part of, what is sent in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ties {
    /// Its end comes back as an event.
    pub(crate) then: Option<Then>,
    /// It goes on with the text of the call queued just before it, and is not sent if that one is unknown or dead.
    pub(crate) follows: bool,
    /// What it becomes, once, when the portal denies it access.
    pub(crate) fallback: Option<Fallback>,
}

/// Who wants to hear how a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Then {
    /// The author's own word for it.
    pub(crate) tag: String,
    /// The dialog in which the event comes: that of the event which queued the call, whatever dialog the call is for.
    pub(crate) dialog: String,
}

/// A call to be made in the place of another; never repeated after an unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fallback {
    pub(crate) method: String,
    /// As [`NewCall::params`].
    pub(crate) params: String,
}

/// A call that no event caused, with the key by which its sender will know a repeat.
#[derive(Clone, Debug)]
pub(crate) struct KeyedCall {
    /// Remembered for this portal and bot as long as an event's key; `None` = never a duplicate.
    pub(crate) key: Option<String>,
    pub(crate) call: NewCall,
}

/// What became of a [`KeyedCall`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queueing {
    Queued(CallId),
    /// A call with this key was queued within the deduplication window.
    Duplicate,
}

/// A call handed to deliver. It stays in the store until `complete_call`, `retry_call` or `bury_call`.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedCall {
    pub(crate) id: CallId,
    pub(crate) call: NewCall,
    pub(crate) attempts: u32,
    pub(crate) first_failed: Option<Timestamp>,
}

/// Reason of a call that grew too old. Giving it up is not an attempt, so its dead letter counts one less.
pub(crate) const EXPIRED: &str = "expired";

/// Reason of a part whose text broke off before it.
pub(crate) const EARLIER_PART_FAILED: &str = "earlier_part_failed";

/// Reason of a call that had a `started` record and no end when the store was opened.
pub(crate) const CRASHED: &str = "crashed_while_sending";

/// Reason of the gap that a full store leaves.
pub(crate) const STORE_FULL: &str = "store_full";

/// The four queues of the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DeadQueue {
    /// Events whose handler never succeeded.
    Events,
    /// Calls the portal refused for good, or that grew too old.
    Calls,
    /// Calls of which nobody knows whether the portal carried them out.
    Unknown,
    /// Authentic events that cannot be read.
    Quarantine,
}

impl DeadQueue {
    /// In the order of [`Counts::letters`].
    pub(crate) const ALL: [Self; 4] = [Self::Events, Self::Calls, Self::Unknown, Self::Quarantine];

    /// Its place in [`ALL`](Self::ALL), and how the store writes it.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Events => 0,
            Self::Calls => 1,
            Self::Unknown => 2,
            Self::Quarantine => 3,
        }
    }

    /// The name operators use: `events`, `calls`, `unknown`, `quarantine`.
    pub(crate) fn as_str(self) -> &'static str {
        ["events", "calls", "unknown", "quarantine"][self.index()]
    }
}

/// Something that was given up, and why. Contains no credential.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    pub(crate) id: i64,
    pub(crate) queue: DeadQueue,
    pub(crate) at: Timestamp,
    pub(crate) portal: PortalId,
    pub(crate) bot: i64,
    pub(crate) dialog: String,
    /// Event name or REST method.
    pub(crate) name: String,
    /// Short and fixed, for example `handler_failed`, `expired`, `ACCESS_DENIED`.
    pub(crate) reason: String,
    /// For people; no message text, no credential.
    pub(crate) detail: String,
    /// Attempts made, the last one included.
    pub(crate) attempts: u32,
    /// The event's number, or the call's.
    pub(crate) origin: i64,
    pub(crate) received: Timestamp,
    pub(crate) format: Format,
    /// The event's body (credentials cut), or the call's parameters as JSON.
    pub(crate) body: Vec<u8>,
}

/// Totals since the store folder was made, and what is there now.
/// Always accepted = done + ignored + dead + pending (duplicates and quarantined are not in `accepted`; a dead letter that
/// is put back counts as accepted again, so that no total ever shrinks).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) done: u64,
    pub(crate) ignored: u64,
    /// Events buried (queue `events`), ever.
    pub(crate) dead: u64,
    pub(crate) pending_events: u64,
    pub(crate) pending_calls: u64,
    /// Calls that the portal accepted, ever.
    pub(crate) delivered: u64,
    pub(crate) oldest_event: Option<i64>,
    pub(crate) oldest_call: Option<i64>,
    /// Letters in `events`, `calls`, `unknown`, `quarantine` now.
    pub(crate) letters: [u64; 4],
    /// Size of the store folder in bytes.
    pub(crate) bytes: u64,
}

/// Events that were refused, so that Bitrix24 will not send them again: one record a portal and reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) portal: PortalId,
    pub(crate) reason: String,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) count: u64,
}

/// What a loop that works from the store last saw, for who waits until nothing is running and nothing is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Activity {
    /// The store's generation when the loop last looked and found no more to start, and when it looks again.
    pub(crate) looked: Option<(u64, Timestamp)>,
    pub(crate) running: usize,
    /// Errands that wait for the clock.
    pub(crate) held: usize,
}

impl Activity {
    /// Whether only `hanging` tasks run (which wait for something outside) and nothing can start before the clock moves
    /// or the store changes.
    #[cfg(feature = "testing")]
    pub(crate) fn is_idle(self, hanging: usize, generation: u64, now: Timestamp) -> bool {
        self.running == hanging && self.looked.is_some_and(|(seen, next)| seen == generation && now < next)
    }
}
