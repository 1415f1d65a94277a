//! What an operator sees of installations and decides about them: listed, accepted, forgotten. Shows no token.

use super::identities::Identities;
use super::installs::short;
use crate::store::{Installation, StoreError};
use crate::telemetry;
use serde_json::{Value, json};

/// Why an operator's word about an installation cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unaccepted {
    /// Nothing of this name waits, or is installed.
    #[error("there is no such portal: `imbot portals list` shows them")]
    Unknown,
    /// More than one begins so.
    #[error("more than one portal begins so: give more of its member_id")]
    Ambiguous,
    /// The name is in use, or none.
    #[error("the name is taken or is not a name: at most 64 characters, without blanks and /")]
    Name,
    /// The portal is configured for something else.
    #[error("the portal is served already, not through this application: change its [[portal]], or forget it first")]
    Served,
    /// The application is not configured any more.
    #[error("its [[app]] is not configured any more")]
    NoApplication,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Identities {
    /// An operator lets a waiting installation in, under `name` or the first of its member_id.
    ///
    /// # Errors
    /// [`Unaccepted`] says what to do.
    pub(crate) async fn accept(&self, asked: &str, name: Option<&str>) -> Result<String, Unaccepted> {
        let waiting = self.0.store.candidates().await?;
        let mut found = waiting.into_iter().filter(|kept| is_meant(kept, asked));
        let kept = match (found.next(), found.next()) {
            (Some(kept), None) => kept,
            (None, _) => return Err(Unaccepted::Unknown),
            _ => return Err(Unaccepted::Ambiguous),
        };
        let application = self.application(&kept.app).ok_or(Unaccepted::NoApplication)?;
        let member = kept.member_id.clone();
        match self.whose(Some(&kept.member_id), Some(&kept.domain)) {
            None => self.enter(kept, application, name).await?,
            Some(site) if site.app.as_deref() == Some(&kept.app) => self.replace(&site, kept, application).await?,
            Some(_) => return Err(Unaccepted::Served),
        }
        telemetry::installation("accepted");
        let site = self.whose(Some(&member), None);
        Ok(site.map(|site| site.name.clone()).unwrap_or_default())
    }

    /// An operator forgets an installation, waiting or served: its tokens are gone.
    ///
    /// # Errors
    /// [`Unaccepted`] says what to do.
    pub(crate) async fn forget(&self, asked: &str) -> Result<String, Unaccepted> {
        let served = self.sites().into_iter().find(|site| {
            site.name == asked
                || self
                    .holding(site.id)
                    .is_some_and(|holding| is_meant(&holding.kept(), asked))
        });
        if let Some(site) = served.filter(|site| self.holding(site.id).is_some()) {
            let holding = self.holding(site.id);
            let _alone = match &holding {
                Some(holding) => Some(holding.alone().await),
                None => None,
            };
            self.0.store.forget_installation(site.id).await?;
            self.holdings().remove(&site.id);
            if site.configured {
                self.0.table.change(site.id, |site| {
                    site.installed.clear();
                    site.parked = None;
                });
            } else {
                self.0.table.remove(site.id);
            }
            return Ok(site.name.clone());
        }
        let waiting = self.0.store.candidates().await?;
        let mut found = waiting.into_iter().filter(|kept| is_meant(kept, asked));
        match (found.next(), found.next()) {
            (Some(kept), None) => {
                self.0.store.drop_candidate(&kept.member_id).await?;
                Ok(kept.domain)
            }
            (None, _) => Err(Unaccepted::Unknown),
            _ => Err(Unaccepted::Ambiguous),
        }
    }

    /// The installations as `imbot portals list` shows them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn listed(&self) -> Result<Value, StoreError> {
        let now = self.0.clock.now();
        let mut rows: Vec<Value> = Vec::new();
        for site in self.sites() {
            if let Some(holding) = self.holding(site.id) {
                let kept = holding.kept();
                let state = if kept.parked.is_some() { "parked" } else { "live" };
                let mut row = row(&kept, state);
                row["name"] = json!(site.name);
                row["reason"] = json!(kept.parked.as_ref().map(|(why, _)| why));
                row["token_age_seconds"] = json!(now.since(kept.refreshed).as_secs());
                rows.push(row);
            }
        }
        let waiting = self.0.store.candidates().await?;
        rows.extend(waiting.iter().map(|kept| row(kept, "waiting")));
        Ok(json!({ "portals": rows }))
    }
}

fn row(kept: &Installation, state: &str) -> Value {
    json!({
        "name": short(&kept.member_id),
        "state": state,
        "app": kept.app,
        "domain": kept.domain,
        "member_id": kept.member_id,
        "endpoint": kept.endpoint,
        "user_id": kept.user_id,
        "since": kept.at.rfc3339(),
    })
}

/// Whether an operator means this one: its host, or the beginning of its member_id.
fn is_meant(kept: &Installation, asked: &str) -> bool {
    kept.domain.eq_ignore_ascii_case(asked) || (asked.len() >= 4 && kept.member_id.starts_with(asked))
}
