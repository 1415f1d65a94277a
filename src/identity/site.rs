//! A portal as it is served, and an application as it is configured. Plain data; looks nothing up.

use crate::store::{Identity, Rotation, Switching};
use crate::types::{PortalId, Secret, SecretSource, Timestamp};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A portal that is served: configured, or installed and accepted.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) id: PortalId,
    /// For people, metrics and `PORTAL/BOT` arguments; unique.
    pub(crate) name: String,
    /// Host, with a port where it has one, in lower case.
    pub(crate) domain: String,
    /// Configured, proven at an installation, or pinned.
    pub(crate) member_id: Option<String>,
    /// `https://{portal}/rest/`: configured or verified, whatever an event says.
    pub(crate) endpoint: String,
    /// http and private addresses are allowed.
    pub(crate) allow_insecure: bool,
    pub(crate) incoming_webhook: Option<Secret>,
    /// The portal's configured `application_token`.
    pub(crate) application_token: Option<Secret>,
    /// What its application has proved itself with since the installation, and until when each is good.
    pub(crate) installed: Vec<(Secret, Option<Timestamp>)>,
    /// Requests at once, and requests a second.
    pub(crate) burst: u32,
    pub(crate) rate: f64,
    /// The `[[app]]` it belongs to.
    pub(crate) app: Option<String>,
    /// Whether it stands in the configuration; else it is there by its installation alone.
    pub(crate) configured: bool,
    /// Why its application's tokens do not work now; for people.
    pub(crate) parked: Option<String>,
    pub(crate) bots: HashMap<i64, SiteBot>,
    /// Bots whose number at this portal is not known yet, by code.
    pub(crate) unnumbered: HashMap<String, SiteBot>,
}

/// A bot of a portal.
#[derive(Clone, Debug, Default)]
pub(crate) struct SiteBot {
    /// Which bot of the program answers.
    pub(crate) handler: String,
    /// For calls through the incoming webhook, as configured; [`token`](Self::token) is the one in use.
    pub(crate) bot_token: Option<Secret>,
    /// Where `bot_token` was written.
    pub(crate) token_source: SecretSource,
    /// The `application_token` of its events, given or derived; `None`: the portal's own.
    pub(crate) event_token: Option<Secret>,
    /// What the store knows of a change of its token: wins over what is configured.
    pub(crate) rotation: Option<Rotation>,
    /// The file of its token could not be rewritten; not tried again before the configuration is read again.
    pub(crate) unwritable: bool,
    /// Its code, where its number was learned by it.
    pub(crate) code: Option<String>,
    /// The code it has in the configuration; may be empty.
    pub(crate) label: String,
    /// Its events are to be fetched from the portal's queue, as configured; [`polls`](Self::polls) says whether they are.
    pub(crate) fetches: bool,
    /// What the store knows of a change of the way its events come: wins over what is configured.
    pub(crate) switching: Option<Switching>,
    /// Where the portal is told to post its events.
    pub(crate) event_url: Option<String>,
}

impl SiteBot {
    /// What it calls with: as long as nobody knows which token the portal has, the one before.
    pub(crate) fn token(&self) -> Option<&Secret> {
        match &self.rotation {
            Some(rotation) if rotation.done.is_some() => Some(&rotation.new),
            Some(rotation) => Some(&rotation.old),
            None => self.bot_token.as_ref(),
        }
    }

    /// Nobody knows which token the portal has: its calls wait.
    pub(crate) fn is_held(&self) -> bool {
        self.rotation.as_ref().is_some_and(|rotation| rotation.done.is_none())
    }

    /// Whether this proves an event to be for it; `None`: the portal's own token does. Looks at all, so that the time
    /// does not tell which one matched.
    pub(crate) fn proves(&self, presented: &[u8], now: Timestamp) -> Option<bool> {
        let given = self.event_token.as_ref()?;
        let Some(rotation) = &self.rotation else {
            return Some(given.matches(presented));
        };
        let own = |token: &Secret| token.proof_of_bot().matches(presented);
        let former = rotation.former.iter();
        let former = former.filter(|(token, until)| own(token) & (now < *until)).count() > 0;
        let before = own(&rotation.old) & rotation.done.is_none();
        // One that was written by hand and is no bot token's stays good.
        let derived = [&rotation.configured, &rotation.old].map(Secret::proof_of_bot);
        let by_hand = given.matches(presented) & !derived.contains(given);
        Some(own(&rotation.new) | former | before | by_hand)
    }

    /// Whether its events are fetched now; those that come to the door are taken in any case.
    pub(crate) fn polls(&self) -> bool {
        self.switching.map_or(self.fetches, |switching| {
            switching.fetch || switching.finished.is_none()
        })
    }

    /// Whether it has this name in the configuration, at the portal, or as its number.
    pub(crate) fn is_called(&self, number: i64, name: &str) -> bool {
        let by_code = !name.is_empty() && (self.label == name || self.code.as_deref() == Some(name));
        by_code || name.parse() == Ok(number)
    }
}

/// A bot of an application.
#[derive(Clone, Debug)]
pub(crate) struct AppBot {
    /// May be empty.
    pub(crate) code: String,
    /// Where it is the same at every portal.
    pub(crate) id: Option<i64>,
    pub(crate) handler: String,
    pub(crate) fetches: bool,
    pub(crate) event_url: Option<String>,
}

/// The number under which a bot is called whose number is not known yet: below 0, which no portal gives.
fn stand_in(code: &str) -> i64 {
    let mut hasher = DefaultHasher::new();
    code.hash(&mut hasher);
    // Half of the numbers, all below -1.
    -2 - i64::try_from(hasher.finish() >> 2).unwrap_or(i64::MAX - 2)
}

impl Site {
    /// A bot by its number, or by the stand-in for it.
    pub(crate) fn bot(&self, number: i64) -> Option<&SiteBot> {
        if number > 0 {
            return self.bots.get(&number);
        }
        let mut unnumbered = self.unnumbered.iter();
        unnumbered
            .find(|(code, _)| stand_in(code) == number)
            .map(|(_, bot)| bot)
    }

    /// The number of the bot that is known by this code alone: as it was learned, else one that stands in for it.
    pub(crate) fn numbered(&self, code: &str) -> Option<i64> {
        let known = self.bots.iter().find(|(_, bot)| bot.code.as_deref() == Some(code));
        let new = || self.unnumbered.contains_key(code).then(|| stand_in(code));
        known.map(|(number, _)| *number).or_else(new)
    }

    /// As whom a bot calls: the webhook with its own token, else the application, else the token of its events.
    /// Bot 0 is the portal itself: the webhook, else the application.
    pub(crate) fn identity(&self, bot: i64) -> Identity {
        let token = self.bot(bot).and_then(SiteBot::token);
        if self.incoming_webhook.is_some() && (token.is_some() || bot == 0) {
            Identity::Webhook
        } else if self.app.is_some() {
            Identity::App
        } else {
            Identity::EventToken
        }
    }

    /// The number of a bot that is known by its code is this; an older number of the same code goes.
    pub(super) fn number(&mut self, code: &str, bot: i64) {
        let known = self.bots.iter().find(|(_, bot)| bot.code.as_deref() == Some(code));
        let known = known.map(|(number, _)| *number);
        let taken = known.and_then(|number| self.bots.remove(&number));
        if let Some(mut found) = taken.or_else(|| self.unnumbered.get(code).cloned()) {
            found.code = Some(code.to_owned());
            self.bots.insert(bot, found);
        }
    }

    /// Whether this is the portal's own `application_token` now: configured, or of its application. Looks at all, so
    /// that the time does not tell which one matched.
    pub(crate) fn proves(&self, presented: &[u8], now: Timestamp) -> bool {
        let configured = self.application_token.iter().filter(|token| token.matches(presented));
        let good = |until: &Option<Timestamp>| until.is_none_or(|until| now < until);
        let installed = self.installed.iter();
        let installed = installed.filter(|(token, until)| token.matches(presented) & good(until));
        configured.count() + installed.count() > 0
    }
}

#[cfg(test)]
impl Site {
    /// For tests: portal `acme`, configured, without bots and tokens.
    pub(crate) fn acme(id: PortalId) -> Self {
        Self {
            id,
            name: "acme".to_owned(),
            domain: "acme.bitrix24.com".to_owned(),
            member_id: None,
            endpoint: "https://acme.bitrix24.com/rest/".to_owned(),
            allow_insecure: false,
            incoming_webhook: None,
            application_token: None,
            installed: Vec::new(),
            burst: 50,
            rate: 2.0,
            app: None,
            configured: true,
            parked: None,
            bots: HashMap::new(),
            unnumbered: HashMap::new(),
        }
    }
}

/// An `[[app]]` of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    pub(crate) name: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) admission: Admission,
    /// `https://{host}` each.
    pub(crate) auth_servers: Vec<String>,
    pub(crate) allow_insecure: bool,
    pub(crate) burst: u32,
    pub(crate) rate: f64,
    pub(crate) bots: Vec<AppBot>,
}

/// Which portals may install an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The listed ones; any other waits for an operator.
    Ask,
    /// The listed ones alone.
    Listed,
    /// Any that proves itself.
    Open,
}

impl Application {
    /// The bots of a portal: those of known number, and those to be learned by their code.
    pub(crate) fn bots(&self) -> (HashMap<i64, SiteBot>, HashMap<String, SiteBot>) {
        let (mut numbered, mut unnumbered) = (HashMap::new(), HashMap::new());
        for AppBot {
            code,
            id,
            handler,
            fetches,
            event_url,
        } in &self.bots
        {
            let bot = SiteBot {
                handler: handler.clone(),
                fetches: *fetches,
                label: code.clone(),
                event_url: event_url.clone(),
                ..SiteBot::default()
            };
            match id {
                Some(id) => drop(numbered.insert(*id, bot)),
                None => drop(unnumbered.insert(code.clone(), bot)),
            }
        }
        (numbered, unnumbered)
    }
}
