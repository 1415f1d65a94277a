//! Installations: who is let in, who waits for an operator, what replaces what, and how one ends. Trusts only what
//! `proof` has proven.

use super::holding::Holding;
use super::identities::Identities;
use super::operator::Unaccepted;
use super::site::{Admission, Application, Site};
use crate::store::{Installation, StoreError};
use crate::telemetry;
use crate::types::{PortalId, Secret, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// How long the application_token before a replacement is still good: events may be on their way.
const OVERLAP: Duration = Duration::from_secs(600);
/// Installations that may wait for an operator.
const CANDIDATES: usize = 200;
/// An uninstalled portal's tokens are erased after this long.
const ERASE_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);
const UNINSTALLED: &str = "the application was uninstalled; install it again, or `imbot portals forget`";

impl Identities {
    /// Puts a stored installation back in its place, at the start.
    pub(super) fn restore(&self, portal: PortalId, mut kept: Installation) {
        let Some(application) = self.application(&kept.app) else {
            tracing::warn!(
                app = kept.app,
                "an installed portal is not served: its [[app]] is not configured any more"
            );
            return;
        };
        if kept.tokens.is_none() && kept.parked.is_none() {
            let why = format!(
                "its tokens cannot be read: store.key is another one; restore it, or {}",
                self.reinstall(&kept)
            );
            tracing::error!(portal = kept.domain, "the application's identity is parked: {why}");
            kept.parked = Some((why, self.0.clock.now()));
        }
        // One that was listed since is served under its configured name.
        let site = self
            .whose(Some(&kept.member_id), Some(&kept.domain))
            .or_else(|| self.site(portal));
        match site {
            Some(site) if site.app.as_deref() == Some(&kept.app) => self.hold(site.id, application, kept),
            Some(site) => tracing::warn!(
                portal = site.name,
                "an installation is not used: its [[portal]] does not name the application"
            ),
            None => {
                let name = self
                    .0
                    .store
                    .portal_name(portal)
                    .unwrap_or_else(|| short(&kept.member_id));
                self.serve(installed_site(portal, name, &application, &kept));
                self.hold(portal, application, kept);
            }
        }
    }

    /// Serves an installation: its tokens are given to calls and its events are let in.
    fn hold(&self, portal: PortalId, application: Arc<Application>, kept: Installation) {
        let installed = proofs(&kept);
        self.0.table.change(portal, |site| {
            site.installed = installed;
            site.parked = kept.parked.as_ref().map(|(why, _)| why.clone());
            site.member_id.get_or_insert_with(|| kept.member_id.clone());
            if !site.configured {
                (site.domain, site.endpoint) = (kept.domain.clone(), kept.endpoint.clone());
            }
            telemetry::identity_parked(&site.name, "application", site.parked.is_some());
        });
        if let Some(site) = self.site(portal) {
            self.let_call(&site);
        }
        let holding = Holding::new(portal, application, kept);
        self.holdings().insert(portal, Arc::new(holding));
    }

    /// What becomes of a proven installation; a label for the metric.
    pub(super) async fn admit(
        &self,
        kept: Installation,
        application: Arc<Application>,
    ) -> Result<&'static str, StoreError> {
        let site = self.whose(Some(&kept.member_id), Some(&kept.domain));
        let Some(site) = site else {
            return match application.admission {
                Admission::Open => match self.enter(kept, application, None).await {
                    Ok(()) => Ok("accepted"),
                    Err(Unaccepted::Store(error)) => Err(error),
                    Err(_) => Ok("unnamed"),
                },
                Admission::Ask => self.wait(kept, "it is new").await,
                Admission::Listed => Ok(self.refuse(&kept, "not_listed")),
            };
        };
        if site.app.as_deref() != Some(&application.name) {
            return Ok(self.refuse(&kept, "served_otherwise"));
        }
        let old = self.holding(site.id).map(|holding| holding.kept());
        let free = old
            .as_ref()
            .is_none_or(|old| old.parked.is_some() || old.tokens.is_none() || old.user_id == kept.user_id);
        if !free {
            return self
                .wait(kept, "another user has installed it again while its tokens work")
                .await;
        }
        self.replace(&site, kept, application).await?;
        Ok(if old.is_some() { "replaced" } else { "accepted" })
    }

    fn refuse(&self, kept: &Installation, outcome: &'static str) -> &'static str {
        tracing::warn!(
            app = kept.app,
            domain = kept.domain,
            "an installation is refused: {outcome}"
        );
        outcome
    }

    async fn wait(&self, kept: Installation, why: &str) -> Result<&'static str, StoreError> {
        let waiting = self.0.store.candidates().await?;
        let new = waiting.iter().all(|other| other.member_id != kept.member_id);
        if new && waiting.len() >= CANDIDATES {
            return Ok(self.refuse(&kept, "too_many_waiting"));
        }
        tracing::warn!(
            app = kept.app,
            domain = kept.domain,
            "an installation waits for an operator ({why}): `imbot portals accept {}`",
            short(&kept.member_id)
        );
        self.0.store.keep_candidate(kept).await?;
        Ok("waiting")
    }

    /// Serves a portal that was not there.
    pub(super) async fn enter(
        &self,
        kept: Installation,
        application: Arc<Application>,
        name: Option<&str>,
    ) -> Result<(), Unaccepted> {
        let taken = |name: &str| self.sites().iter().any(|site| site.name == name);
        let name = match name {
            Some(name) if !is_name(name) || taken(name) => return Err(Unaccepted::Name),
            Some(name) => name.to_owned(),
            None => [8, 16, 64]
                .map(|length| kept.member_id.chars().take(length).collect::<String>())
                .into_iter()
                .find(|name| !taken(name))
                .ok_or(Unaccepted::Name)?,
        };
        let portal = self.0.store.register_portal(&name).await?;
        self.0.store.keep_installation(portal, kept.clone()).await?;
        self.serve(installed_site(portal, name, &application, &kept));
        tracing::info!(
            portal = self.name(portal),
            domain = kept.domain,
            app = kept.app,
            "a portal is installed"
        );
        self.hold(portal, application, kept);
        Ok(())
    }

    /// New tokens for a portal that is there. The application_token before stays good for ten minutes.
    pub(super) async fn replace(
        &self,
        site: &Site,
        mut kept: Installation,
        application: Arc<Application>,
    ) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let before = self.holding(site.id);
        // A renewal under way must not write the old pair over the new one.
        let _alone = match &before {
            Some(before) => Some(before.alone().await),
            None => None,
        };
        let old = before
            .as_ref()
            .map(|holding| holding.kept())
            .filter(|old| old.parked.is_none());
        if let (Some(tokens), Some(old)) = (&mut kept.tokens, old.and_then(|old| old.tokens))
            && old.application != tokens.application
        {
            tokens.before = Some((old.application, now + OVERLAP));
        }
        if site.configured && site.endpoint != kept.endpoint {
            tracing::warn!(
                portal = site.name,
                "the authorisation server names another endpoint than the configuration, which is used: {}",
                kept.endpoint
            );
        }
        self.0.store.keep_installation(site.id, kept.clone()).await?;
        tracing::info!(
            portal = site.name,
            domain = kept.domain,
            app = kept.app,
            "the application's tokens are new"
        );
        self.hold(site.id, application, kept);
        Ok(())
    }

    /// The portal says, with its application_token, that the application is gone from it.
    ///
    /// # Errors
    /// The store does not take it.
    pub(crate) async fn uninstalled(&self, portal: PortalId) -> Result<(), StoreError> {
        let Some(holding) = self.holding(portal) else {
            return Ok(());
        };
        let _alone = holding.alone().await;
        let kept = holding.kept();
        self.park(&holding, kept, UNINSTALLED).await
    }

    /// Erases the tokens of portals that were uninstalled a week ago; when to look again.
    pub(super) async fn erase(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let holdings: Vec<Arc<Holding>> = self.holdings().values().cloned().collect();
        let mut next: Option<Timestamp> = None;
        for holding in holdings {
            let _alone = holding.alone().await;
            let kept = holding.kept();
            let Some((_, since)) = kept.parked.as_ref().filter(|(why, _)| why == UNINSTALLED) else {
                continue;
            };
            let due = *since + ERASE_AFTER;
            if due > now {
                next = Some(next.map_or(due, |next| next.min(due)));
            } else if kept.tokens.is_some() {
                let erased = Installation { tokens: None, ..kept };
                self.0.store.keep_installation(holding.portal, erased.clone()).await?;
                holding.keep(erased);
                self.0.table.change(holding.portal, |site| site.installed.clear());
            }
        }
        Ok(next)
    }
}

/// A portal that is there by its installation alone.
fn installed_site(portal: PortalId, name: String, application: &Application, kept: &Installation) -> Site {
    let (bots, unnumbered) = application.bots();
    Site {
        id: portal,
        name,
        domain: kept.domain.clone(),
        member_id: Some(kept.member_id.clone()),
        endpoint: kept.endpoint.clone(),
        allow_insecure: application.allow_insecure,
        incoming_webhook: None,
        application_token: None,
        installed: proofs(kept),
        burst: application.burst,
        rate: application.rate,
        app: Some(application.name.clone()),
        configured: false,
        parked: None,
        bots,
        unnumbered,
    }
}

fn proofs(kept: &Installation) -> Vec<(Secret, Option<Timestamp>)> {
    let tokens = kept.tokens.iter();
    tokens
        .flat_map(|tokens| {
            let before = tokens.before.clone().map(|(token, until)| (token, Some(until)));
            [Some((tokens.application.clone(), None)), before]
        })
        .flatten()
        .collect()
}

fn is_name(name: &str) -> bool {
    let count = name.chars().count();
    (1..=64).contains(&count)
        && !name.contains(|letter: char| letter == '/' || letter.is_whitespace() || letter.is_control())
}

pub(super) fn short(member_id: &str) -> String {
    member_id.chars().take(8).collect()
}
