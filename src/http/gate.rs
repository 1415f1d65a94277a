//! Who is let in: compares the token in the body with the ones configured. Believes nothing else of the body before.
//!
//! Only the top-level `auth[application_token]` counts, exact bytes, constant time. A token that belongs to a bot is good
//! for that bot alone; a portal's token is good for its bots without one of their own, for application events and for v1.
//! Without a known token everything is refused. Source: wire format, sections 2 and 6.

use crate::event::{Kind, Label};
use crate::types::{PortalId, Secret};
use crate::wire::Tree;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// What is known of a portal's credentials (from the settings).
#[derive(Debug)]
pub(crate) struct PortalPass {
    pub(crate) id: PortalId,
    pub(crate) name: String,
    /// Host, with a port if it has one, in lower case.
    pub(crate) domain: String,
    /// Configured, or pinned in an earlier run.
    pub(crate) member_id: Option<String>,
    pub(crate) token: Option<Secret>,
    pub(crate) bots: HashMap<i64, BotPass>,
}

/// What is known of a bot's credentials.
#[derive(Clone, Debug, Default)]
pub(crate) struct BotPass {
    /// Given, or derived from its bot token.
    pub(crate) token: Option<Secret>,
    /// Whether the token that comes with its events is its only identity, and must be kept with them.
    pub(crate) keeps_event_token: bool,
}

/// All portals this server answers for.
#[derive(Debug)]
pub(crate) struct Gate {
    portals: Vec<Known>,
    by_member: HashMap<String, usize>,
    by_domain: HashMap<String, usize>,
}

#[derive(Debug)]
struct Known {
    pass: Arc<PortalPass>,
    /// The member_id of the first verified event, where none was configured.
    pinned: OnceLock<String>,
}

/// An authentic sender.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) portal: Arc<PortalPass>,
    /// Whether the event is for a bot we serve (or for the portal itself).
    pub(crate) known_bot: bool,
    pub(crate) keeps_event_token: bool,
    /// A member_id seen for the first time, to be stored.
    pub(crate) pin: Option<String>,
}

impl Gate {
    /// A gate for these portals; domains and member ids must differ (the settings see to it).
    pub(crate) fn new(portals: Vec<PortalPass>) -> Self {
        let mut gate = Self {
            portals: Vec::new(),
            by_member: HashMap::new(),
            by_domain: HashMap::new(),
        };
        for (at, pass) in portals.into_iter().enumerate() {
            if let Some(member) = &pass.member_id {
                gate.by_member.insert(member.clone(), at);
            }
            gate.by_domain.insert(pass.domain.to_ascii_lowercase(), at);
            gate.portals.push(Known {
                pass: Arc::new(pass),
                pinned: OnceLock::new(),
            });
        }
        gate
    }

    /// Lets an authentic event in.
    ///
    /// # Errors
    /// A fixed label of what is wrong, for metrics and logs; never a value.
    pub(crate) fn admit(&self, tree: &Tree<'_>, label: &Label) -> Result<Admitted, &'static str> {
        let root = tree.root();
        let presented = root.path(&["auth", "application_token"]).ok_or("token_missing")?;
        let presented = presented
            .string()
            .filter(|token| !token.is_empty())
            .ok_or("token_missing")?;
        let member = root.path(&["auth", "member_id"]);
        let domain = root.path(&["auth", "domain"]).and_then(|domain| domain.string());
        let (known, member) = match member {
            // Empty or null is how a sender writes "absent".
            Some(member) if !member.is_null() && member.string().is_none_or(|member| !member.is_empty()) => {
                let member = member.string().ok_or("unknown_portal")?;
                (
                    self.by_member(&member, domain.as_deref()).ok_or("unknown_portal")?,
                    Some(member),
                )
            }
            _ => (
                domain
                    .as_deref()
                    .and_then(|domain| self.by_domain(domain))
                    .ok_or("unknown_portal")?,
                None,
            ),
        };
        let known_bot = authentic(&known.pass, presented.as_bytes(), label)?;
        let pin = match member {
            Some(member) if known.pass.member_id.is_none() => known.pin(&member)?,
            _ => None,
        };
        let bot = label.bot.and_then(|bot| known.pass.bots.get(&bot));
        let keeps_event_token = bot.is_some_and(|bot| bot.keeps_event_token);
        Ok(Admitted {
            portal: Arc::clone(&known.pass),
            known_bot,
            keeps_event_token,
            pin,
        })
    }

    fn by_member(&self, member: &str, domain: Option<&str>) -> Option<&Known> {
        if let Some(at) = self.by_member.get(member) {
            return self.portals.get(*at);
        }
        // A portal configured without member_id is found by its domain, until one is pinned.
        let known = self.by_domain(domain?)?;
        let open = known.pass.member_id.is_none() && known.pinned.get().is_none_or(|pinned| pinned == member);
        open.then_some(known)
    }

    fn by_domain(&self, domain: &str) -> Option<&Known> {
        self.portals.get(*self.by_domain.get(&domain.to_ascii_lowercase())?)
    }
}

impl Known {
    fn pin(&self, member: &str) -> Result<Option<String>, &'static str> {
        let mut new = false;
        let pinned = self.pinned.get_or_init(|| {
            new = true;
            member.to_owned()
        });
        if pinned == member {
            Ok(new.then(|| member.to_owned()))
        } else {
            Err("unknown_portal")
        }
    }
}

/// Whether the token is right for what the event names, and whether we serve the bot it names.
fn authentic(pass: &PortalPass, presented: &[u8], label: &Label) -> Result<bool, &'static str> {
    let portals_own = pass.token.as_ref().is_some_and(|token| token.matches(presented));
    let verdict = match (label.kind, label.bot) {
        (Kind::ImbotV2, Some(bot)) => match pass.bots.get(&bot) {
            Some(BotPass { token: Some(token), .. }) => token.matches(presented).then_some(true),
            Some(BotPass { token: None, .. }) => portals_own.then_some(true),
            None => portals_own.then_some(false),
        },
        // Without a bot the event cannot be handled, only kept: any token of the portal shows whose it is.
        (Kind::ImbotV2, None) => (portals_own || any_bots(pass, presented)).then_some(true),
        (_, Some(bot)) => portals_own.then_some(pass.bots.contains_key(&bot)),
        (_, None) => portals_own.then_some(true),
    };
    verdict.ok_or("bad_token")
}

/// Looks at every bot, so that the time does not tell which one matched.
fn any_bots(pass: &PortalPass, presented: &[u8]) -> bool {
    let tokens = pass.bots.values().filter_map(|bot| bot.token.as_ref());
    tokens.filter(|token| token.matches(presented)).count() > 0
}
