//! The tokens of one installed portal: given to calls, renewed once for all who need it, never used before they are on
//! disk.

use super::identities::Identities;
use super::renewal::Renewal;
use super::site::Application;
use crate::rest::OauthFault;
use crate::store::{Installation, StoreError, Tokens};
use crate::telemetry;
use crate::types::{PortalId, Secret, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A refresh token is renewed at this age even if nobody calls; it dies at 180 days.
pub(super) const RENEW_AFTER: Duration = Duration::from_secs(150 * 24 * 3600);
/// The longest pause while the authorisation server is in trouble.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// An installation that is served.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) portal: PortalId,
    pub(super) application: Arc<Application>,
    kept: Mutex<Installation>,
    /// One renewal at a time; what the next one must wait for.
    flight: tokio::sync::Mutex<Flight>,
}

/// How renewing went so far.
#[derive(Debug, Default)]
pub(super) struct Flight {
    failures: u32,
    not_before: Option<Timestamp>,
}

impl Flight {
    /// Another failure: how long to wait now, 1 s, 2 s … a minute.
    fn failed(&mut self, now: Timestamp) -> Duration {
        let pause = Duration::from_secs(1) * (1 << self.failures.min(6));
        let pause = pause.min(LONGEST_PAUSE);
        self.failures += 1;
        self.not_before = Some(now + pause);
        pause
    }
}

impl Holding {
    pub(super) fn new(portal: PortalId, application: Arc<Application>, kept: Installation) -> Self {
        Self {
            portal,
            application,
            kept: Mutex::new(kept),
            flight: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn kept(&self) -> Installation {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn keep(&self, kept: Installation) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    /// Nobody renews, replaces or parks while this is held.
    pub(super) async fn alone(&self) -> tokio::sync::MutexGuard<'_, Flight> {
        self.flight.lock().await
    }

    pub(super) fn access(&self) -> Option<Secret> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.tokens.as_ref().map(|tokens| tokens.access.clone())
    }

    /// The authorisation server that vouched for it, as long as it is configured.
    fn server(&self, kept: &Installation) -> Option<String> {
        let servers = &self.application.auth_servers;
        let same = servers.iter().find(|server| **server == kept.server);
        same.or(servers.first()).cloned()
    }
}

impl Identities {
    /// Renews the tokens of an installation, unless somebody else has just done it. In a task of its own: a caller who
    /// gives up must not lose the answer.
    pub(super) async fn renew(&self, holding: Arc<Holding>, used: Secret) -> Result<Renewal, StoreError> {
        let identities = self.clone();
        let renewing = tokio::spawn(async move { identities.renew_once(&holding, &used).await });
        // A panic in there leaves the old tokens; they are tried again.
        renewing.await.unwrap_or(Ok(Renewal::Later(LONGEST_PAUSE)))
    }

    async fn renew_once(&self, holding: &Holding, used: &Secret) -> Result<Renewal, StoreError> {
        let mut flight = holding.alone().await;
        // Replaced or forgotten while this one waited.
        if !self
            .holding(holding.portal)
            .is_some_and(|now| std::ptr::eq(&*now, holding))
        {
            return Ok(Renewal::Again);
        }
        let kept = holding.kept();
        if let Some((why, _)) = &kept.parked {
            return Ok(Renewal::Refused(why.clone()));
        }
        let Some(tokens) = kept.tokens.clone() else {
            return Ok(Renewal::Refused("its tokens are gone".to_owned()));
        };
        if tokens.access != *used {
            return Ok(Renewal::Again);
        }
        let now = self.0.clock.now();
        if let Some(moment) = flight.not_before.filter(|moment| now < *moment) {
            return Ok(Renewal::Later(moment.since(now)));
        }
        let server = holding.server(&kept).unwrap_or_default();
        let app = &holding.application;
        let client = (app.client_id.as_str(), &app.client_secret);
        match self.0.client.refresh(&server, client, &tokens.refresh).await {
            Ok(grant) => {
                let tokens = Tokens {
                    access: grant.access,
                    refresh: grant.refresh,
                    ..tokens
                };
                let renewed = Installation {
                    refreshed: self.0.clock.now(),
                    tokens: Some(tokens),
                    ..kept
                };
                // On disk first: after a crash the old pair may be worth nothing.
                self.0.store.keep_installation(holding.portal, renewed.clone()).await?;
                holding.keep(renewed);
                *flight = Flight::default();
                Ok(Renewal::Again)
            }
            Err(OauthFault::Trouble(why)) => {
                let pause = flight.failed(now);
                tracing::warn!(
                    portal = self.name(holding.portal),
                    again_in_s = pause.as_secs(),
                    "tokens could not be renewed: the authorisation server cannot be asked ({why})"
                );
                Ok(Renewal::Later(pause))
            }
            Err(OauthFault::Refused(code)) => {
                let why = format!("the authorisation server answers {code}; {}", self.reinstall(&kept));
                self.park(holding, kept, &why).await?;
                Ok(Renewal::Refused(why))
            }
        }
    }

    /// Stops using an installation's tokens until they are replaced. The caller holds it alone.
    pub(super) async fn park(&self, holding: &Holding, kept: Installation, why: &str) -> Result<(), StoreError> {
        let parked = Installation {
            parked: Some((why.to_owned(), self.0.clock.now())),
            ..kept
        };
        self.0.store.keep_installation(holding.portal, parked.clone()).await?;
        holding.keep(parked);
        tracing::error!(
            portal = self.name(holding.portal),
            "the application's identity is parked: {why}"
        );
        telemetry::identity_parked(&self.name(holding.portal), "application", true);
        self.0
            .table
            .change(holding.portal, |site| site.parked = Some(why.to_owned()));
        Ok(())
    }

    /// What an operator does about dead tokens.
    pub(super) fn reinstall(&self, kept: &Installation) -> String {
        format!(
            "reinstall the application at https://{}/devops/list/ (right-click it there > Reinstall); calls wait until then",
            kept.domain
        )
    }

    pub(super) fn name(&self, portal: PortalId) -> String {
        self.site(portal).map(|site| site.name.clone()).unwrap_or_default()
    }

    /// Renews what has grown old without being used; when to look again.
    pub(super) async fn renew_idle(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let holdings: Vec<Arc<Holding>> = self.holdings().values().cloned().collect();
        let mut next: Option<Timestamp> = None;
        for holding in holdings {
            let kept = holding.kept();
            let (None, Some(tokens)) = (&kept.parked, &kept.tokens) else {
                continue;
            };
            let mut due = kept.refreshed + RENEW_AFTER;
            if due <= now {
                due = match self.renew(Arc::clone(&holding), tokens.access.clone()).await? {
                    Renewal::Again => holding.kept().refreshed + RENEW_AFTER,
                    Renewal::Later(pause) => now + pause,
                    Renewal::Refused(_) => continue,
                };
            }
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        Ok(next)
    }

    /// Publishes how old each refresh token is.
    pub(crate) fn publish_ages(&self) {
        let now = self.0.clock.now();
        let holdings: Vec<Arc<Holding>> = self.holdings().values().cloned().collect();
        for holding in holdings {
            let age = now.since(holding.kept().refreshed);
            telemetry::refresh_token_age(&self.name(holding.portal), age);
        }
    }
}
