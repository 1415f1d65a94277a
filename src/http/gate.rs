//! Who is let in: compares the token in the body with the ones known now. Believes nothing else of the body before.
//!
//! Only the top-level `auth[application_token]` counts, exact bytes, constant time. A token that belongs to a bot is good
//! for that bot alone; a portal's token is good for its bots without one of their own, for application events and for v1.
//! Without a known token everything is refused. Source: wire format, sections 2 and 6.

use crate::event::{Kind, Label};
use crate::identity::{Identities, Site};
use crate::store::Identity;
use crate::types::Timestamp;
use crate::wire::Tree;
use std::sync::Arc;

/// All portals this server answers for, as they are at each moment.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) identities: Identities,
}

/// Why a sender is not authentic, for metrics and logs.
#[cfg(any(test, feature = "testing"))]
pub(crate) const FORBIDDEN: [&str; 3] = ["token_missing", "unknown_portal", "bad_token"];

/// An authentic sender.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) portal: Arc<Site>,
    /// Whether the event is for a bot we serve (or for the portal itself).
    pub(crate) known_bot: bool,
    /// Whether the token that comes with its events may be its only identity, and must be kept with them.
    pub(crate) keeps_event_token: bool,
    /// A member_id seen for the first time, to be stored.
    pub(crate) pin: Option<String>,
    /// The code of a bot of ours whose number this event tells first.
    pub(crate) learn: Option<String>,
}

impl Gate {
    /// Lets an authentic event in.
    ///
    /// # Errors
    /// A fixed label of what is wrong, for metrics and logs; never a value.
    pub(crate) fn admit(&self, tree: &Tree<'_>, label: &Label, now: Timestamp) -> Result<Admitted, &'static str> {
        let root = tree.root();
        let presented = root.path(&["auth", "application_token"]).ok_or("token_missing")?;
        let presented = presented
            .string()
            .filter(|token| !token.is_empty())
            .ok_or("token_missing")?;
        let member = root.path(&["auth", "member_id"]);
        let member = match member {
            // Empty or null is how a sender writes "absent".
            Some(member) if !member.is_null() && member.string().is_none_or(|member| !member.is_empty()) => {
                Some(member.string().ok_or("unknown_portal")?)
            }
            _ => None,
        };
        let domain = root.path(&["auth", "domain"]).and_then(|domain| domain.string());
        let site = self.identities.whose(member.as_deref(), domain.as_deref());
        let site = site.ok_or("unknown_portal")?;
        let code = root.path(&["data", "bot", "code"]).and_then(|code| code.string());
        let learn = code.filter(|code| label.bot.is_some_and(|bot| is_new(&site, bot, code)));
        let known_bot = authentic(&site, presented.as_bytes(), label, now)? || learn.is_some();
        let pin = match member {
            Some(member) => {
                let new = self.identities.pin(site.id, &member).ok_or("unknown_portal")?;
                new.then(|| member.into_owned())
            }
            None => None,
        };
        Ok(Admitted {
            known_bot,
            keeps_event_token: label.bot.is_some_and(|bot| site.identity(bot) != Identity::Webhook),
            pin,
            learn: learn.map(std::borrow::Cow::into_owned),
            portal: site,
        })
    }
}

/// Whether the event tells the number of a bot that is known by its code alone.
fn is_new(site: &Site, bot: i64, code: &str) -> bool {
    // One with a token of its own is not proved by the portal's; `imbot register` tells its number.
    let waits = site.unnumbered.get(code).is_some_and(|bot| bot.event_token.is_none());
    waits && !site.bots.contains_key(&bot)
}

/// Whether the token is right for what the event names, and whether we serve the bot it names.
fn authentic(site: &Site, presented: &[u8], label: &Label, now: Timestamp) -> Result<bool, &'static str> {
    let portals_own = site.proves(presented, now);
    let verdict = match (label.kind, label.bot) {
        (Kind::ImbotV2, Some(bot)) => match site.bots.get(&bot) {
            Some(found) => found.proves(presented, now).unwrap_or(portals_own).then_some(true),
            None => portals_own.then_some(false),
        },
        // Without a bot the event cannot be handled, only kept: any token of the portal shows whose it is.
        (Kind::ImbotV2, None) => (portals_own || any_bots(site, presented, now)).then_some(true),
        (_, Some(bot)) => portals_own.then_some(site.bots.contains_key(&bot)),
        (_, None) => portals_own.then_some(true),
    };
    verdict.ok_or("bad_token")
}

/// Looks at every bot, so that the time does not tell which one matched.
fn any_bots(site: &Site, presented: &[u8], now: Timestamp) -> bool {
    let bots = site.bots.values();
    bots.filter(|bot| bot.proves(presented, now) == Some(true)).count() > 0
}
