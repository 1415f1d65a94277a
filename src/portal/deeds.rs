//! What operators and fate do to the portal, carried out. Changes the state; answers nothing.

use super::fault::Deed;
use super::knobs::Knobs;
use super::shared::Locked;
use crate::types::Timestamp;

/// Its name in the request log.
pub(super) fn name(deed: &Deed) -> &'static str {
    match deed {
        Deed::ExpireTokens => "expire_token_now",
        Deed::RenamePortal(_) => "rename_portal",
        Deed::DeletePortal => "delete_portal",
        Deed::UninstallApp(_) => "uninstall_app",
        Deed::EndPayment(_) => "end_payment",
        Deed::AllowUsers(..) => "allow_users",
        Deed::DeleteBot(_) => "delete_bot",
        Deed::KickBot { .. } => "kick_bot_from_chat",
        Deed::RevokeScope(_) => "revoke_scope",
        Deed::BlockOverload => "block_overload",
        Deed::EndPlan => "end_plan",
        Deed::RequireTls => "require_tls",
        Deed::DrainRateLimit => "drain_rate_limit",
        Deed::ResetRateLimit => "reset_rate_limit",
        Deed::FillOperating { .. } => "fill_operating",
    }
}

impl Locked {
    /// Carries a deed out. `source`: whose request counter is meant where there is none yet.
    pub(super) fn apply(&mut self, deed: &Deed, source: &str, now: Timestamp) {
        let portal = &mut self.portal;
        match deed {
            Deed::ExpireTokens => portal.tokens.values_mut().for_each(|token| token.expires = now),
            Deed::RenamePortal(host) => portal.standing.renamed_to = Some(host.clone()),
            Deed::DeletePortal => portal.standing.deleted = true,
            Deed::UninstallApp(client) => {
                if let Some(app) = portal.apps.get_mut(client) {
                    app.active = false;
                }
                portal.forget_rows(client);
            }
            Deed::EndPayment(client) => {
                if let Some(app) = portal.apps.get_mut(client) {
                    app.paid = false;
                }
            }
            Deed::AllowUsers(client, users) => {
                if let Some(app) = portal.apps.get_mut(client) {
                    app.allowed_users = Some(users.iter().copied().collect());
                }
            }
            Deed::DeleteBot(bot) => portal.remove_bot(*bot),
            Deed::KickBot { bot, chat } => {
                if let Some(chat) = portal.chats.get_mut(chat) {
                    chat.members.remove(bot);
                }
            }
            Deed::RevokeScope(right) => self.revoke(right),
            Deed::BlockOverload => portal.standing.overload = true,
            Deed::EndPlan => portal.standing.no_plan = true,
            Deed::RequireTls => portal.standing.tls_required = true,
            Deed::DrainRateLimit => self.buckets.set_all(source, true, now),
            Deed::ResetRateLimit => self.buckets.set_all(source, false, now),
            Deed::FillOperating { method, time } => {
                let spent = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                for identity in self.identities() {
                    self.operating.fill(&identity, method, spent, now);
                }
            }
        }
    }

    fn revoke(&mut self, right: &str) {
        let without = |scope: &str| {
            let kept: Vec<&str> = scope.split(',').filter(|given| *given != right).collect();
            kept.join(",")
        };
        for webhook in &mut self.portal.standing.webhooks {
            webhook.scope = without(&webhook.scope);
        }
        for app in self.portal.apps.values_mut() {
            app.scope = without(&app.scope);
        }
    }

    /// Every identity whose operating time is counted: webhooks and applications.
    fn identities(&self) -> Vec<String> {
        let webhooks = self.portal.standing.webhooks.iter();
        let webhooks = webhooks.map(|webhook| format!("webhook {}", webhook.user));
        webhooks.chain(self.portal.apps.keys().cloned()).collect()
    }

    /// The portal as it stood at first: alive, paid, unblocked. Rights taken away stay away.
    pub(super) fn restore(&mut self) {
        let standing = &mut self.portal.standing;
        standing.renamed_to = None;
        standing.deleted = false;
        standing.overload = false;
        standing.no_plan = false;
        for app in self.portal.apps.values_mut() {
            (app.active, app.paid, app.allowed_users) = (true, true, None);
        }
    }

    /// Other switches from now on.
    pub(super) fn set_knobs(&mut self, knobs: Knobs) {
        self.portal.site.style.null_is_empty = knobs.null_is_empty;
        self.portal.site.style.empty_is_key = knobs.empty_is_key;
        self.portal.knobs = knobs;
    }
}
