//! Whether a body at the install door is what it says: the authorisation server is asked about its token. Believes
//! nothing of the body itself but which questions to ask, and calls no address that it names.

use super::identities::Identities;
use super::site::Application;
use crate::rest::{OauthFault, TokenInfo, endpoint};
use crate::store::{Format, Installation, Tokens};
use crate::types::Secret;
use crate::wire::{self, Limits};
use std::sync::Arc;

/// What a body claims.
#[derive(Debug)]
pub(super) struct Claim {
    access: Secret,
    refresh: Secret,
    application: Secret,
    member_id: String,
    /// Which of the configured authorisation servers to ask first.
    server: String,
}

/// What the authorisation server makes of it.
#[derive(Debug)]
pub(super) enum Proof {
    /// It is an installation of this application.
    Proven(Box<Installation>, Arc<Application>),
    /// It is not; a label for metrics and logs.
    Unproven(&'static str),
    /// The authorisation server could not be asked.
    Unanswered,
}

/// What a body claims; `None`: not enough to prove anything.
pub(super) fn claim(body: &[u8], format: Format) -> Option<Claim> {
    let tree = wire::parse(body, format == Format::Json, &Limits::default()).ok()?;
    let root = tree.root();
    let text = |key: &str| Some(root.path(&["auth", key])?.string()?.into_owned()).filter(|text| !text.is_empty());
    Some(Claim {
        access: Secret::new(text("access_token")?),
        refresh: Secret::new(text("refresh_token")?),
        application: Secret::new(text("application_token")?),
        member_id: text("member_id")
            .filter(|member| member.len() <= 64 && member.bytes().all(|byte| byte.is_ascii_alphanumeric()))?,
        server: text("server_endpoint").unwrap_or_default(),
    })
}

impl Identities {
    /// Asks the configured authorisation servers about a claim.
    pub(super) async fn prove(&self, claim: &Claim) -> Proof {
        let mut unanswered = false;
        for server in self.servers(&claim.server) {
            match self.0.client.token_info(&server, &claim.access).await {
                Ok(info) => return self.weigh(claim, server, &info),
                Err(OauthFault::Refused(_)) => {}
                Err(OauthFault::Trouble(why)) => {
                    tracing::warn!(server, "an installation cannot be proven now: {why}");
                    unanswered = true;
                }
            }
        }
        if unanswered {
            Proof::Unanswered
        } else {
            Proof::Unproven("token_unknown")
        }
    }

    /// All configured authorisation servers, the one of this endpoint first.
    fn servers(&self, named: &str) -> Vec<String> {
        let mut servers: Vec<String> = Vec::new();
        for server in self.0.applications.iter().flat_map(|app| &app.auth_servers) {
            if !servers.contains(server) {
                servers.push(server.clone());
            }
        }
        // Only compared: a body cannot name a server that is not configured.
        servers.sort_by_key(|server| {
            named
                .strip_prefix(server.as_str())
                .is_none_or(|rest| !rest.starts_with('/'))
        });
        servers
    }

    fn weigh(&self, claim: &Claim, server: String, info: &TokenInfo) -> Proof {
        let mut applications = self.0.applications.iter();
        let application =
            applications.find(|app| app.client_id == info.client_id && app.auth_servers.contains(&server));
        let Some(application) = application else {
            return Proof::Unproven("other_application");
        };
        if info.member_id != claim.member_id {
            return Proof::Unproven("other_portal");
        }
        match endpoint::verified(&info.client_endpoint, &info.domain, application.allow_insecure) {
            Ok(verified) => {
                let now = self.0.clock.now();
                let kept = Installation {
                    app: application.name.clone(),
                    member_id: claim.member_id.clone(),
                    domain: endpoint::authority(&verified),
                    endpoint: verified.to_string(),
                    server,
                    user_id: info.user_id,
                    at: now,
                    refreshed: now,
                    parked: None,
                    tokens: Some(Tokens {
                        access: claim.access.clone(),
                        refresh: claim.refresh.clone(),
                        application: claim.application.clone(),
                        before: None,
                    }),
                };
                Proof::Proven(Box::new(kept), Arc::clone(application))
            }
            Err(unfit) => {
                tracing::warn!(
                    app = application.name,
                    "an installation is dropped: its endpoint is {unfit}"
                );
                Proof::Unproven("endpoint_refused")
            }
        }
    }
}
