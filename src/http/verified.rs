//! The extractor that yields only verified, typed input: nothing else can make a [`Verified`]. An installation, which
//! nothing known can verify yet, has a way of its own. Owns the order of the
//! checks: size, content type, parse, token, event. Stores nothing.

use super::gate::{Admitted, Gate};
use super::knocks::{self, Knocks};
use super::probe::Probes;
use super::rejection::Rejection;
use super::server::Peer;
use crate::capture::{Capture, Fate, Taken};
use crate::event::{self, Installing, Label};
use crate::identity::event_key;
use crate::store::{Format, NewEvent, Source, Store};
use crate::telemetry::{self, Stopwatch};
use crate::types::{Clock, Lane};
use crate::wire::{self, Limits};
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bodies being read at one time, in KiB: 64 MiB.
const IN_FLIGHT_KIB: usize = 64 * 1024;

/// What the door works with. Shared by all requests.
pub(crate) struct Door {
    pub(crate) store: Store,
    pub(crate) gate: Gate,
    pub(crate) clock: Clock,
    pub(crate) max_body: usize,
    /// A body must be here this long after its headers.
    pub(crate) body_deadline: Duration,
    /// Waiting for the disk ends here with 503.
    pub(crate) ack_deadline: Duration,
    /// Whether `X-Forwarded-For` of this peer is believed.
    pub(crate) trusted: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// Told of each outcome: `imbot dev` prints a line.
    pub(crate) observer: Option<Observer>,
    /// What an operator may bring to see whether the way here is open.
    pub(crate) probes: Option<Arc<Probes>>,
    pub(crate) capture: Capture,
    bodies: Semaphore,
    knocks: Knocks,
}

/// Who wants to know what came in.
pub(crate) type Observer = Box<dyn Fn(Seen<'_>) + Send + Sync>;

/// An authentic event and what became of it at the door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) outcome: &'static str,
    pub(crate) name: &'a str,
    pub(crate) bot: i64,
    pub(crate) dialog: &'a str,
}

impl Door {
    /// What a capture needs of a request; `None` while nothing is captured.
    fn taken(&self, headers: &HeaderMap, body: &Bytes) -> Option<Taken> {
        self.capture.is_on().then(|| Taken {
            received: self.clock.now(),
            content_type: headers
                .get(header::CONTENT_TYPE)
                .map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned())
                .unwrap_or_default(),
            body: body.clone(),
        })
    }

    /// Captures what ends here; an event takes its body along until its end is known.
    fn captured(&self, arrived: Result<Arrived, Rejection>, taken: Option<Taken>) -> Result<Arrived, Rejection> {
        let Some(taken) = taken else { return arrived };
        let (outcome, reason) = match arrived {
            Ok(Arrived::Event(mut verified)) => {
                verified.taken = Some(taken);
                return Ok(Arrived::Event(verified));
            }
            // No event, and its nonce is used up.
            Ok(Arrived::Probe(proof)) => return Ok(Arrived::Probe(proof)),
            Ok(Arrived::Install { .. }) => ("installation", None),
            Err(rejection) => ("refused", Some(rejection.detail())),
        };
        let fate = Fate {
            outcome,
            reason,
            portal: None,
            event: None,
        };
        self.capture.keep(taken, fate);
        arrived
    }

    /// A door onto this store.
    pub(crate) fn new(store: Store, gate: Gate, clock: Clock, max_body: usize) -> Self {
        Self {
            store,
            gate,
            clock,
            max_body,
            body_deadline: Duration::from_secs(10),
            ack_deadline: Duration::from_secs(2),
            trusted: Box::new(|_| false),
            observer: None,
            probes: None,
            capture: Capture::default(),
            bodies: Semaphore::new(IN_FLIGHT_KIB),
            knocks: Knocks::default(),
        }
    }
}

/// An event whose sender has been proved, ready to be stored.
pub(crate) struct Verified {
    pub(super) admitted: Admitted,
    pub(super) event: NewEvent,
    pub(super) watch: Stopwatch,
    /// The portal's clock, unix seconds.
    pub(super) sent: Option<i64>,
    /// The application says that it is gone from the portal.
    pub(super) uninstalled: bool,
    /// The body as it came, while bodies are captured.
    pub(super) taken: Option<Taken>,
}

/// What came in at the door.
pub(crate) enum Arrived {
    /// An event whose sender has been proved.
    Event(Box<Verified>),
    /// An operator's probe of the way here, with its proof.
    Probe(String),
    /// An installation of an application, to be proved outside the request.
    Install { format: Format, body: Bytes },
}

impl FromRequest<Arc<Door>> for Arrived {
    type Rejection = Rejection;

    async fn from_request(request: Request, door: &Arc<Door>) -> Result<Self, Rejection> {
        let watch = Stopwatch::start();
        let (head, body) = request.into_parts();
        let verified = async {
            let json = is_json(&head.headers)?;
            let (body, _held) = read(body, &head.headers, door).await?;
            let taken = door.taken(&head.headers, &body);
            let arrived = arrived(&body, json, door, (&head, watch));
            door.captured(arrived, taken)
        };
        let result = verified.await;
        if let Err(rejection) = &result {
            telemetry::webhook_request("rejected", rejection.detail());
            telemetry::webhook_ack(watch.elapsed());
            tracing::info!(
                outcome = "rejected",
                reason = rejection.detail(),
                from = sender(&head, door).map(tracing::field::display),
                "request refused: {}",
                rejection.detail()
            );
        }
        result
    }
}

/// Where a request came from: the connection's other end, or what a trusted proxy there says, read from the right.
fn sender(head: &Parts, door: &Door) -> Option<IpAddr> {
    let mut sender = head.extensions.get::<Peer>()?.0;
    let forwarded = head
        .headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).collect();
    for hop in hops.into_iter().rev() {
        if !(door.trusted)(sender) {
            break;
        }
        let Ok(before) = hop.trim().parse() else { break };
        sender = before;
    }
    Some(sender)
}

/// Whether the headers say JSON; a compressed body, or one that is neither form nor JSON, is not read at all.
fn is_json(headers: &HeaderMap) -> Result<bool, Rejection> {
    let compressed = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity");
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or("unreadable"));
    wire::json_by_content_type(kind)
        .filter(|_| !compressed)
        .ok_or(Rejection::UnsupportedMedia)
}

/// Reads the body within its limits of size and time; the permit bounds what all requests hold together.
async fn read<'d>(body: Body, headers: &HeaderMap, door: &'d Door) -> Result<(Bytes, SemaphorePermit<'d>), Rejection> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > door.max_body) {
        return Err(Rejection::TooLarge);
    }
    let kib = announced.unwrap_or(door.max_body) / 1024 + 1;
    let permits = u32::try_from(kib.min(IN_FLIGHT_KIB)).unwrap_or(u32::MAX);
    let reading = async {
        let held = door.bodies.acquire_many(permits).await.map_err(|_| Rejection::Busy)?;
        let collected = Limited::new(body, door.max_body).collect().await;
        match collected {
            Ok(collected) => Ok((collected.to_bytes(), held)),
            Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => Err(Rejection::TooLarge),
            Err(_) => Err(Rejection::BodyBroken),
        }
    };
    tokio::time::timeout(door.body_deadline, reading)
        .await
        .unwrap_or(Err(Rejection::BodyBroken))
}

fn arrived(body: &Bytes, json: bool, door: &Door, (head, watch): (&Parts, Stopwatch)) -> Result<Arrived, Rejection> {
    let tree = match event::enough(body) {
        Some(wanted) => wire::parse_for(body, json, &Limits::default(), wanted)?,
        None => wire::parse(body, json, &Limits::default())?,
    };
    let label = Label::of(&tree);
    if let Some(proof) = door.probes.as_ref().and_then(|probes| probes.answer(&tree, &label)) {
        return Ok(Arrived::Probe(proof));
    }
    let now = door.clock.now();
    let admitted = door.gate.admit(&tree, &label, now);
    let ours = door.gate.identities.has_applications() && admitted.as_ref().map_or(true, |it| it.portal.app.is_some());
    if ours && label.installing() == Some(Installing::Installed) {
        if body.len() > knocks::LARGEST {
            return Err(Rejection::TooLarge);
        }
        if !door.knocks.permit(sender(head, door), now) {
            return Err(Rejection::NoRoom("install_rate"));
        }
        return Ok(Arrived::Install {
            format: format(&tree),
            body: body.clone(),
        });
    }
    let admitted = admitted.map_err(Rejection::Forbidden)?;
    let verified = verified(&tree, label, admitted, door, watch)?;
    Ok(Arrived::Event(Box::new(verified)))
}

fn format(tree: &wire::Tree<'_>) -> Format {
    match tree.format() {
        wire::Format::Form => Format::Form,
        wire::Format::Json => Format::Json,
    }
}

/// The body that is stored: without its credentials, and packed if it can be.
fn kept(tree: &wire::Tree<'_>) -> (Format, Vec<u8>) {
    let body = wire::cut_credentials(tree);
    match format(tree) {
        Format::Form => match event::vocabulary().pack(&body) {
            Some(packed) => (Format::Packed, packed),
            None => (Format::Form, body),
        },
        other => (other, body),
    }
}

fn verified(
    tree: &wire::Tree<'_>,
    label: Label,
    admitted: Admitted,
    door: &Door,
    watch: Stopwatch,
) -> Result<Verified, Rejection> {
    let uninstalled = label.installing() == Some(Installing::Uninstalled);
    if label.name.is_empty() {
        return Err(Rejection::NoEvent);
    }
    let bot = label.bot.unwrap_or(0);
    let (dialog, quarantine) = label.place();
    let received = door.clock.now();
    let twins = || admitted.portal.has_twins(bot, received);
    let (format, body) = kept(tree);
    let event = NewEvent {
        portal: admitted.portal.id,
        bot,
        lane: Lane::of(admitted.portal.id, bot, &dialog),
        dialog,
        name: label.name,
        key: label.key.map(|key| event_key(key, Source::Posted, twins)),
        received,
        format,
        body,
        token: if admitted.keeps_event_token { label.token } else { None },
        quarantine,
    };
    Ok(Verified {
        admitted,
        event,
        watch,
        sent: label.ts,
        uninstalled,
        taken: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_of(body: &[u8], json: bool) -> (Format, Vec<u8>) {
        kept(&wire::parse(body, json, &Limits::default()).unwrap())
    }

    #[test]
    fn a_form_is_kept_packed_and_anything_odd_as_it_came() {
        let body = include_bytes!("../../tests/captures/public/01_message_add_private.form").trim_ascii_end();
        let cut = wire::cut_credentials(&wire::parse(body, false, &Limits::default()).unwrap());
        let (format, packed) = kept_of(body, false);
        assert_eq!(format, Format::Packed);
        assert!(packed.len() * 2 < cut.len(), "{} of {}", packed.len(), cut.len());
        assert_eq!(event::vocabulary().unpack(&packed), Some(cut));
        let raw = "event=X&data[text]=\u{44f}&auth[application_token]=secret";
        let kept = "event=X&data[text]=\u{44f}&auth[application_token]=";
        assert_eq!(kept_of(raw.as_bytes(), false), (Format::Form, kept.into()));
        assert_eq!(
            kept_of(b"{\"event\":1}", true),
            (Format::Json, b"{\"event\":1}".to_vec())
        );
    }
}
