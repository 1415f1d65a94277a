//! How the portal itself stands: its address, its webhooks, and what the vendor or an operator did to it. Owns the
//! facts that access checks ask for; checks nothing.

use super::config::PortalConfig;
use crate::types::{Secret, Timestamp};

/// Facts about the portal as a whole.
#[derive(Default)]
pub(super) struct Standing {
    /// Where links to this portal lead: `http://ADDRESS`.
    pub(super) base: String,
    pub(super) webhooks: Vec<Webhook>,
    pub(super) renamed_to: Option<String>,
    pub(super) deleted: bool,
    /// Blocked by hand.
    pub(super) overload: bool,
    /// A plan without REST.
    pub(super) no_plan: bool,
    pub(super) tls_required: bool,
}

/// An incoming webhook.
pub(super) struct Webhook {
    pub(super) user: i64,
    pub(super) code: Secret,
    pub(super) scope: String,
    pub(super) active: bool,
    pub(super) expires: Option<Timestamp>,
}

impl Standing {
    pub(super) fn new(config: &PortalConfig) -> Self {
        Self {
            webhooks: vec![Webhook {
                user: config.webhook_user,
                code: config.webhook_code.clone(),
                scope: config.webhook_scope.clone(),
                active: true,
                expires: None,
            }],
            tls_required: config.tls_required,
            ..Self::default()
        }
    }

    /// The webhook of this user and code, if it may be used.
    pub(super) fn webhook(&self, user: i64, code: &str, now: Timestamp) -> Option<&Webhook> {
        let usable = |webhook: &&Webhook| {
            webhook.active
                && webhook.user == user
                && webhook.code.matches(code.as_bytes())
                && webhook.expires.is_none_or(|expires| now < expires)
        };
        self.webhooks.iter().find(usable)
    }

    /// The rights of a user's webhooks.
    pub(super) fn scope_of(&self, user: i64) -> &str {
        let mut webhooks = self.webhooks.iter();
        webhooks
            .find(|webhook| webhook.user == user)
            .map_or("", |webhook| webhook.scope.as_str())
    }
}

/// Whether a list of rights, separated by commas or blanks, has this one.
pub(super) fn has_right(scope: &str, right: &str) -> bool {
    right == "basic" || scope.split([',', ' ']).any(|given| given == right)
}
