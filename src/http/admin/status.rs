//! `GET /api/v1/status`: what store, deliverer and operator know of each portal and bot, in one answer. Changes nothing.

use super::{Admin, Problem};
use crate::deliver::PortalView;
use crate::identity::{Site, SiteBot};
use crate::store::{Backlog, Gap, Identity, LeftOut};
use crate::types::{PortalId, Timestamp};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What all portals' parts are made from.
struct Seen {
    now: Timestamp,
    paused: Arc<LeftOut>,
    backlog: Vec<Backlog>,
    gaps: Vec<Gap>,
    /// `None` where no deliverer runs.
    views: Option<Vec<PortalView>>,
}

pub(super) async fn status(State(admin): State<Arc<Admin>>) -> Result<Json<Value>, Problem> {
    let counts = admin.store.counts().await.map_err(|error| Problem::store(&error))?;
    let views = admin.deliver.portals().await;
    let paused = Arc::clone(&admin.store.paused().borrow());
    let seen = Seen {
        now: admin.clock.now(),
        paused,
        backlog: admin.store.backlog().await.map_err(|error| Problem::store(&error))?,
        gaps: admin.store.gaps().await.map_err(|error| Problem::store(&error))?,
        views,
    };
    let [events, calls, unknown, quarantine] = counts.letters;
    let names = admin.store.portal_names();
    let portals: Vec<Value> = names
        .iter()
        .map(|(id, name)| portal(&admin, &seen, *id, name))
        .collect();
    Ok(Json(json!({
        "now": seen.now.rfc3339(),
        "delivering": seen.views.is_some(),
        "ack": admin.ack,
        "capture": admin.capture.view(),
        "events": {
            "accepted": counts.accepted, "done": counts.done, "ignored": counts.ignored, "dead": counts.dead,
            "pending": counts.pending_events,
        },
        "calls": { "delivered": counts.delivered, "pending": counts.pending_calls },
        "deadLetters": { "events": events, "calls": calls, "unknown": unknown, "quarantine": quarantine },
        "storeBytes": counts.bytes,
        "portals": portals,
    })))
}

fn portal(admin: &Admin, seen: &Seen, id: PortalId, name: &str) -> Value {
    let site = admin.site(id);
    let view = seen.views.iter().flatten().find(|view| view.portal == id);
    let waiting = seen.backlog.iter().filter(|backlog| backlog.portal == id);
    let bots: BTreeSet<i64> = waiting
        .map(|backlog| backlog.bot)
        .chain(configured(site.as_deref()))
        .collect();
    let bots: Vec<Value> = bots
        .into_iter()
        .map(|number| bot(seen, site.as_deref(), view, (id, number)))
        .collect();
    let gaps = seen.gaps.iter().filter(|gap| gap.portal == id);
    let gaps: Vec<Value> = gaps
        .map(|gap| {
            json!({
                "reason": gap.reason, "events": gap.count, "first": gap.first.rfc3339(), "last": gap.last.rfc3339(),
            })
        })
        .collect();
    let mut found = json!({
        "name": name,
        // Without a configuration nobody knows.
        "served": (!admin.identities.sites().is_empty()).then_some(site.is_some()),
        "paused": seen.paused.contains(&(id, None)),
        "lastEvent": admin.store.last_event(id).map(Timestamp::rfc3339),
        "installation": site.as_ref().and_then(|site| site.parked.as_deref()),
        "gaps": gaps,
        "bots": bots,
    });
    if let Some(view) = view {
        deliverer(&mut found, view);
    }
    found
}

fn configured(site: Option<&Site>) -> impl Iterator<Item = i64> {
    site.into_iter().flat_map(|site| site.bots.keys().copied())
}

/// What only a running deliverer knows.
fn deliverer(found: &mut Value, view: &PortalView) {
    let gate = |gate: &crate::deliver::GateView| json!({ "identity": gate.identity, "method": gate.method, "until": gate.until.rfc3339() });
    let parked = |parked: &crate::deliver::ParkView| {
        json!({
            "identity": parked.identity, "bot": parked.bot, "reason": parked.reason, "since": parked.since.rfc3339(),
            "triedAgain": parked.probe_at.rfc3339(),
        })
    };
    found["budget"] = json!({
        "host": view.host, "free": view.tokens, "of": view.capacity, "counted": view.counted,
        "refusedUntil": view.paused_until.map(Timestamp::rfc3339),
    });
    found["circuitOpenUntil"] = json!(view.circuit_open_until.map(Timestamp::rfc3339));
    found["gates"] = view.gates.iter().map(gate).collect();
    found["parked"] = view.parked.iter().map(parked).collect();
    found["underWay"] = json!(view.in_flight);
    found["waitingErrands"] = json!(view.errands);
}

fn bot(seen: &Seen, site: Option<&Site>, view: Option<&PortalView>, (portal, number): (PortalId, i64)) -> Value {
    let waiting = seen
        .backlog
        .iter()
        .find(|backlog| (backlog.portal, backlog.bot) == (portal, number));
    let age = |oldest: Option<Timestamp>| oldest.map(|at| seen.now.since(at).as_secs());
    let identity = site.map(|site| identity_name(site.identity(number)));
    let found = site.and_then(|site| site.bots.get(&number));
    let parked = view.into_iter().flat_map(|view| &view.parked);
    let parked = parked
        .filter(|parked| Some(parked.identity) == identity)
        .find(|parked| parked.bot.is_none_or(|bot| bot == number));
    json!({
        "id": number,
        "handler": found.map(|bot| bot.handler.as_str()),
        "token": found.map(SiteBot::token_view),
        "eventMode": found.map(SiteBot::mode_view),
        "differences": found.zip(site).map(|(bot, site)| bot.differences(&site.name, number)),
        "identity": identity,
        "parked": parked.map(|parked| parked.reason.as_str()),
        "paused": seen.paused.contains(&(portal, Some(number))),
        "events": waiting.map_or(0, |backlog| backlog.events),
        "oldestEventSeconds": waiting.and_then(|backlog| age(backlog.oldest_event)),
        "calls": waiting.map_or(0, |backlog| backlog.calls),
        "oldestCallSeconds": waiting.and_then(|backlog| age(backlog.oldest_call)),
    })
}

fn identity_name(identity: Identity) -> &'static str {
    match identity {
        Identity::Webhook => "webhook",
        Identity::App => "application",
        Identity::EventToken => "event token",
    }
}
