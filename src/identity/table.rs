//! The one table of the portals served now. Replaced whole at each change, so a reader keeps what it has; knows no token
//! of an application.

use super::site::Site;
use crate::types::PortalId;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// The portals served now.
#[derive(Debug, Default)]
pub(super) struct Table {
    sites: RwLock<Arc<Index>>,
    /// Grows with each change.
    version: watch::Sender<u64>,
}

#[derive(Clone, Debug, Default)]
struct Index {
    sites: HashMap<PortalId, Arc<Site>>,
    members: HashMap<String, PortalId>,
    domains: HashMap<String, PortalId>,
}

impl Index {
    fn of(sites: HashMap<PortalId, Arc<Site>>) -> Self {
        let (mut members, mut domains) = (HashMap::new(), HashMap::new());
        for site in sites.values() {
            domains.insert(site.domain.to_ascii_lowercase(), site.id);
            members.extend(site.member_id.clone().map(|member| (member, site.id)));
        }
        Self {
            sites,
            members,
            domains,
        }
    }
}

impl Table {
    /// All of them, in the order of their numbers.
    pub(super) fn all(&self) -> Vec<Arc<Site>> {
        let mut sites: Vec<Arc<Site>> = self.now().sites.values().cloned().collect();
        sites.sort_by_key(|site| site.id);
        sites
    }

    pub(super) fn get(&self, portal: PortalId) -> Option<Arc<Site>> {
        self.now().sites.get(&portal).cloned()
    }

    pub(super) fn by_member(&self, member: &str) -> Option<Arc<Site>> {
        let now = self.now();
        now.sites.get(now.members.get(member)?).cloned()
    }

    pub(super) fn by_domain(&self, domain: &str) -> Option<Arc<Site>> {
        let now = self.now();
        now.sites.get(now.domains.get(&domain.to_ascii_lowercase())?).cloned()
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Puts a portal in, or another state of it.
    pub(super) fn put(&self, site: Site) {
        self.alter(|sites| drop(sites.insert(site.id, Arc::new(site))));
    }

    pub(super) fn remove(&self, portal: PortalId) {
        self.alter(|sites| drop(sites.remove(&portal)));
    }

    /// Changes one portal, if it is there; what `change` returns.
    pub(super) fn change<T>(&self, portal: PortalId, change: impl FnOnce(&mut Site) -> T) -> Option<T> {
        let mut result = None;
        self.alter(|sites| {
            if let Some(site) = sites.get_mut(&portal) {
                result = Some(change(Arc::make_mut(site)));
            }
        });
        result
    }

    fn alter(&self, change: impl FnOnce(&mut HashMap<PortalId, Arc<Site>>)) {
        {
            let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
            let mut next = sites.sites.clone();
            change(&mut next);
            *sites = Arc::new(Index::of(next));
        }
        self.version.send_modify(|version| *version += 1);
    }

    fn now(&self) -> Arc<Index> {
        // Replaced whole: a panic elsewhere leaves it good.
        Arc::clone(&self.sites.read().unwrap_or_else(PoisonError::into_inner))
    }
}
