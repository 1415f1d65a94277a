//! `Identities`: who is served, and where every call gets its credentials. Its other files prove installations, renew
//! tokens and watch over both. Never logs a token.

use super::changes::Kept;
use super::holding::Holding;
use super::renewal::Renewal;
use super::site::{Application, Site};
use super::table::Table;
use crate::rest::{Client, Credentials, Moved, endpoint};
use crate::store::{Activity, Identity, Store, StoreError};
use crate::types::{Clock, PortalId, Secret};
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, watch};
use url::Url;

/// The portals served now and their credentials. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Identities(pub(super) Arc<Inner>);

/// What identities are made from.
pub(crate) struct Setup {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    /// The configured portals.
    pub(crate) sites: Vec<Site>,
    pub(crate) applications: Vec<Application>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) client: Client,
    pub(super) table: Table,
    pub(super) applications: Vec<Arc<Application>>,
    holdings: Mutex<HashMap<PortalId, Arc<Holding>>>,
    /// Rings when somebody knocked at the install door, and how often that was.
    pub(super) knocked: Notify,
    pub(super) knocks: AtomicU64,
    pub(super) activity: watch::Sender<Activity>,
    pub(super) moves: Mutex<Option<mpsc::Receiver<Moved>>>,
    /// Changes of bots, as the store has them.
    pub(super) kept: Mutex<Kept>,
}

impl Identities {
    /// Serves the configured portals and those whose installation is stored. Blocks for the disk.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn new(setup: Setup) -> Result<Self, StoreError> {
        let Setup {
            store,
            clock,
            client,
            sites,
            applications,
        } = setup;
        let (kept, learned) = (store.installations()?, store.learned_bots()?);
        let inner = Inner {
            kept: Mutex::new(Kept::load(&store)?),
            moves: Mutex::new(client.moves()),
            store,
            clock,
            client,
            table: Table::default(),
            applications: applications.into_iter().map(Arc::new).collect(),
            holdings: Mutex::default(),
            knocked: Notify::new(),
            knocks: AtomicU64::new(0),
            activity: watch::Sender::new(Activity::default()),
        };
        let identities = Self(Arc::new(inner));
        for site in sites {
            identities.serve(site);
        }
        for (portal, kept) in kept {
            identities.restore(portal, kept);
        }
        for (portal, code, bot) in learned {
            identities.numbered(portal, &code, bot);
        }
        Ok(identities)
    }

    /// All portals served now, in the order of their numbers.
    pub(crate) fn sites(&self) -> Vec<Arc<Site>> {
        self.0.table.all()
    }

    /// One portal; `None`: it is not served (any more).
    pub(crate) fn site(&self, portal: PortalId) -> Option<Arc<Site>> {
        self.0.table.get(portal)
    }

    /// The portal that an event is of: by its `member_id`, else by its host. A configured portal whose `member_id` is
    /// not known yet is found by its host.
    pub(crate) fn whose(&self, member: Option<&str>, domain: Option<&str>) -> Option<Arc<Site>> {
        let by_domain = || self.0.table.by_domain(domain?);
        match member {
            None => by_domain(),
            Some(member) => self
                .0
                .table
                .by_member(member)
                .or_else(|| by_domain().filter(|site| site.member_id.is_none())),
        }
    }

    /// Binds a portal to the first `member_id` that proved itself. `Some(true)`: it was not bound before.
    pub(crate) fn pin(&self, portal: PortalId, member: &str) -> Option<bool> {
        if self.site(portal)?.member_id.as_deref() == Some(member) {
            return Some(false);
        }
        self.0.table.change(portal, |site| match &site.member_id {
            Some(bound) => (bound == member).then_some(false),
            None => {
                site.member_id = Some(member.to_owned());
                Some(true)
            }
        })?
    }

    /// Keeps the number of a bot that an authentic event told, and serves it from now on.
    ///
    /// # Errors
    /// The store does not take it.
    pub(crate) async fn learn(&self, portal: PortalId, code: &str, bot: i64) -> Result<(), StoreError> {
        self.0.store.learn_bot(portal, code, bot).await?;
        self.numbered(portal, code, bot);
        Ok(())
    }

    /// Changes whenever a portal comes, goes, or has other credentials: look at [`sites`](Self::sites) again, and try
    /// parked identities.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.table.changes()
    }

    /// The credentials for one call. `token` is the one that came with the call's event. `None`: there are none.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn credentials(
        &self,
        portal: PortalId,
        bot: i64,
        identity: Identity,
        token: Option<&Secret>,
    ) -> Result<Option<Credentials>, StoreError> {
        let Some(site) = self.site(portal) else {
            return Ok(None);
        };
        let application = || {
            let token = self.holding(portal)?.access()?;
            let endpoint = site.endpoint.clone();
            Some(Credentials::Token { endpoint, token })
        };
        if identity == Identity::Webhook {
            return Ok(webhook(&site, bot));
        }
        if identity == Identity::App
            && site.parked.is_none()
            && let Some(found) = application()
        {
            return Ok(Some(found));
        }
        // The last resort; where there is none, the portal is to say why the application's own is refused.
        let event = self.event_token(&site, bot, token).await?;
        Ok(event.or_else(application))
    }

    /// What to do about credentials that the portal has called expired or unknown.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub(crate) async fn expired(&self, portal: PortalId, bot: i64, used: &Credentials) -> Result<Renewal, StoreError> {
        let Credentials::Token { token: used, .. } = used else {
            let why = "the portal calls the incoming webhook expired: make a new one and configure it";
            return Ok(Renewal::Refused(why.to_owned()));
        };
        let parked = self.site(portal).and_then(|site| site.parked.clone());
        if let Some(holding) = self.holding(portal) {
            if holding.access().is_some_and(|access| access == *used) {
                let renewal = self.renew(holding, used.clone()).await?;
                // The last resort: the token of an event that came lately.
                let event =
                    matches!(renewal, Renewal::Refused(_)) && self.0.store.newest_token(portal, bot).await?.is_some();
                return Ok(if event { Renewal::Again } else { renewal });
            }
            if parked.is_none() && holding.access().is_some() {
                return Ok(Renewal::Again);
            }
        }
        let newest = self.0.store.newest_token(portal, bot).await?;
        if newest.is_some_and(|newest| newest != *used) {
            return Ok(Renewal::Again);
        }
        let why = "the token that came with the event has expired, and no newer one was seen";
        Ok(Renewal::Refused(parked.unwrap_or_else(|| why.to_owned())))
    }

    /// The newest token seen for this bot lives longest; the call's own is the fallback.
    async fn event_token(
        &self,
        site: &Site,
        bot: i64,
        token: Option<&Secret>,
    ) -> Result<Option<Credentials>, StoreError> {
        let newest = self.0.store.newest_token(site.id, bot).await?;
        let token = newest.or_else(|| token.cloned());
        Ok(token.map(|token| Credentials::Token {
            endpoint: site.endpoint.clone(),
            token,
        }))
    }

    /// Serves these configured portals from now on, and no other configured ones. What came by an application stays as it
    /// is, and so does a member_id that proved itself, or a bot's number that was learned. Blocks for the disk.
    ///
    /// # Errors
    /// The store cannot be read: then everything is as before.
    pub(crate) fn configure(&self, sites: Vec<Site>) -> Result<(), StoreError> {
        let learned = self.0.store.learned_bots()?;
        let by_hand = |site: &Site| site.configured && site.app.is_none();
        for gone in self.sites() {
            if by_hand(&gone) && sites.iter().all(|site| site.id != gone.id) {
                self.0.table.remove(gone.id);
            }
        }
        for mut site in sites.into_iter().filter(by_hand) {
            let before = self.site(site.id);
            let bound = before.as_ref().and_then(|before| before.member_id.clone());
            site.member_id = site.member_id.or(bound);
            if before.as_ref().is_none_or(|before| by_hand(before)) {
                let portal = site.id;
                for (_, code, bot) in learned.iter().filter(|(of, ..)| *of == portal) {
                    site.number(code, *bot);
                }
                self.go_on_fetching(before.as_deref(), &site);
                self.serve(site);
            }
        }
        Ok(())
    }

    /// Puts a portal in and lets its host be called.
    pub(super) fn serve(&self, mut site: Site) {
        self.recall(&mut site);
        self.let_call(&site);
        self.0.table.put(site);
    }

    pub(super) fn let_call(&self, site: &Site) {
        if let Ok(url) = Url::parse(&site.endpoint) {
            self.0.client.know(endpoint::authority(&url), site.allow_insecure);
        }
    }

    /// A bot's number at a portal is known from now on; an older number of the same code goes.
    fn numbered(&self, portal: PortalId, code: &str, bot: i64) {
        let kept = self.kept();
        self.0.table.change(portal, |site| {
            site.number(code, bot);
            if let Some(found) = site.bots.get_mut(&bot) {
                kept.recall((portal, bot), found);
            }
        });
    }

    /// Forgets the number of a bot: it is known by its code alone again, if it was before.
    ///
    /// # Errors
    /// The store does not take it.
    pub(crate) async fn unlearn(&self, portal: PortalId, bot: i64) -> Result<(), StoreError> {
        self.0.store.forget_bot(portal, bot).await?;
        self.0.table.change(portal, |site| {
            if site.bots.get(&bot).is_some_and(|bot| bot.code.is_some()) {
                site.bots.remove(&bot);
            }
        });
        Ok(())
    }

    pub(super) fn application(&self, name: &str) -> Option<Arc<Application>> {
        self.0.applications.iter().find(|app| app.name == name).cloned()
    }

    pub(super) fn holding(&self, portal: PortalId) -> Option<Arc<Holding>> {
        self.holdings().get(&portal).cloned()
    }

    pub(super) fn holdings(&self) -> MutexGuard<'_, HashMap<PortalId, Arc<Holding>>> {
        self.0.holdings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn webhook(site: &Site, bot: i64) -> Option<Credentials> {
    let url = site.incoming_webhook.clone()?;
    Some(Credentials::Webhook {
        url,
        bot_token: site.bot(bot).and_then(|bot| bot.token().cloned()),
    })
}
