//! One request on its way: credentials, the record before the first byte, the budget's token, the exchange. Owns no
//! queue and no consequence; what each answer means is `settle`'s.

use super::engine::Rules;
use super::meter::{Meter, Ticket};
use super::piece::{Piece, Probe, What, Who};
use crate::identity::{Identities, Site};
use crate::rest::{Class, Client, Command, Credentials, Fault, Operated, Reply};
use crate::store::{ClaimedCall, Store, StoreError, Unknown};
use crate::types::{CallId, Clock, Lane};
use std::sync::Arc;
use std::time::Duration;

/// Sends requests and settles what was in them.
pub(super) struct Sender {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) client: Client,
    pub(super) rules: Rules,
    pub(super) identities: Identities,
}

/// Calls that leave together, or one that leaves alone.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) site: Arc<Site>,
    pub(super) meter: Meter,
    pub(super) who: Who,
    /// Not empty.
    pub(super) pieces: Vec<Piece>,
    pub(super) ticket: Ticket,
}

/// How the way to the portal was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing left, or nothing can be said.
    Unsaid,
    Answered,
    TimedOut,
}

/// What the engine learns from a request.
#[derive(Debug)]
pub(super) enum Note {
    /// A method's operating time for the request's identity, and how long the portal took.
    Ran(String, Option<Operated>, Option<f64>),
    /// OPERATION_TIME_LIMIT.
    Shut(String),
    /// A call has left the outbox, or is another one now.
    Settled(CallId),
    /// Not with others again.
    Alone(CallId),
    /// Its credentials were renewed for it.
    Renewed(CallId),
    /// Back to the waiting errands.
    Back(Piece),
    /// Refused, with the portal's code or our reason: the identity, or only this bot.
    Park {
        bot: i64,
        of_bot: bool,
        label: &'static str,
        reason: String,
    },
    /// Its outcome waits for a probe of the identity; its lane stays busy.
    Doubt(Box<ClaimedCall>, Fault),
    /// The authorisation server is in trouble: nothing of this identity for a while.
    Rest(Duration),
    /// The answer to a probe.
    Probed(Probe, Result<(), Fault>),
}

/// What a sending task brings back.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) who: Who,
    /// Lanes that may go on.
    pub(super) free: Vec<Lane>,
    /// It took one of the places in flight.
    pub(super) request: bool,
    pub(super) way: Way,
    pub(super) notes: Vec<Note>,
}

impl Ended {
    pub(super) fn new(who: Who) -> Self {
        Self {
            who,
            free: Vec::new(),
            request: true,
            way: Way::Unsaid,
            notes: Vec::new(),
        }
    }
}

/// A piece and as whom it goes.
type Ready = (Piece, Credentials);

impl Sender {
    /// Brings one request to its end, whatever that is.
    pub(super) async fn carry_out(&self, request: Request) -> Ended {
        let Request {
            site,
            meter,
            who,
            pieces,
            ticket,
        } = request;
        let mut ended = Ended::new(who);
        let ready = self.prepare(pieces, &mut ended).await;
        if ready.is_empty() {
            return ended;
        }
        let (now, provoking) = (self.clock.now(), ticket.is_over());
        if !ticket.spend(now) {
            for (piece, _) in ready {
                self.unsent(piece, &mut ended).await;
            }
            return ended;
        }
        for (piece, _) in &ready {
            if let What::Call(claimed) = &piece.what {
                tracing::debug!(
                    ledger = "started", call_id = claimed.id.0, method = %claimed.call.method, together = ready.len(),
                    "call {} leaves", claimed.id
                );
            }
        }
        let before = now;
        let (outcomes, whole) = self.exchange(&ready).await;
        let now = self.clock.now();
        match &whole {
            None => meter.succeeded(),
            Some(fault) if fault.class == Class::Limit => meter.refused(now, fault.retry_after, provoking),
            Some(_) => {}
        }
        ended.way = way(whole.as_ref());
        if ended.way == Way::TimedOut && ready.len() > 1 {
            // So that the next ones are smaller, if it was their size.
            let each = now.since(before).as_secs_f64() / f64::from(u32::try_from(ready.len()).unwrap_or(u32::MAX));
            let slow = ready
                .iter()
                .map(|(piece, _)| Note::Ran(piece.method().to_owned(), None, Some(each)));
            ended.notes.extend(slow);
        }
        let shared = whole.is_some() && ready.len() > 1;
        self.settle(&site, ready, outcomes, shared, &mut ended).await;
        ended
    }

    /// Finds the credentials of each piece and records what must not be repeated. What cannot go is settled here.
    async fn prepare(&self, pieces: Vec<Piece>, ended: &mut Ended) -> Vec<Ready> {
        let mut ready: Vec<Ready> = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let credentials = match self.credentials(&piece).await {
                Ok(Some(credentials)) => credentials,
                Ok(None) => {
                    self.without_identity(piece, ended).await;
                    continue;
                }
                Err(error) => {
                    stuck(&piece, &error);
                    continue;
                }
            };
            if ready.first().is_some_and(|(_, first)| !together(first, &credentials)) {
                self.unsent(piece, ended).await;
                continue;
            }
            if let What::Call(claimed) = &piece.what
                && claimed.call.unknown == Unknown::Stop
            {
                // Before the first byte leaves: after a crash this record is all that tells of the attempt.
                match self.store.call_started(claimed.id).await {
                    Ok(()) => {}
                    Err(StoreError::Gone) => {
                        ended.free.extend(piece.lane());
                        continue;
                    }
                    Err(error) => {
                        stuck(&piece, &error);
                        continue;
                    }
                }
            }
            ready.push((piece, credentials));
        }
        ready
    }

    async fn credentials(&self, piece: &Piece) -> Result<Option<Credentials>, StoreError> {
        let token = match &piece.what {
            What::Call(claimed) => claimed.call.token.as_ref(),
            What::Errand(_) | What::Probe(_) => None,
        };
        let who = piece.who;
        let found = self
            .identities
            .credentials(who.portal, piece.bot(), who.identity, token)
            .await?;
        Ok(match (&piece.what, found) {
            (What::Errand(errand), Some(Credentials::Webhook { url, .. })) if errand.change.is_some() => {
                let bot_token = errand.change.as_ref().map(|change| change.token.clone());
                Some(Credentials::Webhook { url, bot_token })
            }
            (What::Errand(errand), Some(Credentials::Webhook { url, .. })) if !errand.with_bot => {
                Some(Credentials::Webhook { url, bot_token: None })
            }
            (_, found) => found,
        })
    }

    /// Whether a bot was refused only because its token is being changed, or was changed while this was on its way.
    pub(super) fn is_outdated(&self, piece: &Piece, fault: &Fault, used: &Credentials) -> bool {
        let Credentials::Webhook {
            bot_token: Some(used), ..
        } = used
        else {
            return false;
        };
        let site = self.identities.site(piece.who.portal);
        let bot = site.as_ref().and_then(|site| site.bots.get(&piece.bot()));
        let changed = bot.is_some_and(|bot| bot.is_held() || bot.token() != Some(used));
        fault.class == Class::Bot && !piece.is_change() && changed
    }

    /// The outcome of each piece, and the fault of the request as a whole.
    async fn exchange(&self, ready: &[Ready]) -> (Vec<Result<Reply, Fault>>, Option<Fault>) {
        if let [(piece, credentials)] = ready {
            let outcome = self.client.call(credentials, piece.method(), &piece.sent()).await;
            let whole = outcome.as_ref().err().cloned();
            return (vec![outcome], whole);
        }
        let commands: Vec<Command<'_>> = ready
            .iter()
            .map(|(piece, credentials)| Command {
                method: piece.method(),
                params: piece.params(),
                bot: Some(credentials),
            })
            .collect();
        let Some((_, first)) = ready.first() else {
            return (Vec::new(), None);
        };
        match self.client.batch(first, &commands).await {
            Ok(outcomes) => (outcomes, None),
            Err(fault) => (vec![Err(fault.clone()); ready.len()], Some(fault)),
        }
    }
}

/// Whether both go around a batch as the same REST user.
fn together(one: &Credentials, other: &Credentials) -> bool {
    match (one, other) {
        (Credentials::Webhook { url: one, .. }, Credentials::Webhook { url: other, .. }) => one == other,
        (
            Credentials::Token { endpoint, token },
            Credentials::Token {
                endpoint: there,
                token: other,
            },
        ) => endpoint == there && token == other,
        _ => false,
    }
}

fn way(fault: Option<&Fault>) -> Way {
    match fault {
        None => Way::Answered,
        Some(fault) if fault.status > 0 => Way::Answered,
        Some(fault) if fault.code == "timeout" => Way::TimedOut,
        Some(_) => Way::Unsaid,
    }
}

/// The store does not take it any more: the call stays, and so does its dialog, until a restart.
pub(super) fn stuck(piece: &Piece, error: &StoreError) {
    if let What::Call(claimed) = &piece.what {
        tracing::error!(call_id = claimed.id.0, %error, "call {} could not be settled; it stays in the outbox", claimed.id);
    }
}
