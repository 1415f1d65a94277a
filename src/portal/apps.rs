//! OAuth applications and their tokens: who is installed, which token acts as whom and until when. Answers no request.

use super::config::{AppConfig, AppSeed};
use super::payload::Tokens;
use super::state::State;
use crate::types::{Secret, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long an access token works.
pub(super) const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// An application that was installed at some time.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
    pub(super) application_token: Secret,
    pub(super) scope: String,
    pub(super) url: Option<String>,
    pub(super) active: bool,
    pub(super) paid: bool,
    /// `None`: everybody.
    pub(super) allowed_users: Option<BTreeSet<i64>>,
}

/// An access token of an application: whom it acts as, and until when.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) client_id: String,
    pub(super) user: i64,
    pub(super) expires: Timestamp,
}

/// A refresh token.
#[derive(Clone)]
pub(super) struct Refresh {
    pub(super) client_id: String,
    pub(super) user: i64,
    pub(super) issued: Timestamp,
    pub(super) used: bool,
}

/// An authorisation code, good for half a minute.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) client_id: String,
    pub(super) user: i64,
    pub(super) expires: Timestamp,
}

impl App {
    /// The application as the owner of a bot.
    pub(super) fn seed(&self) -> AppSeed {
        AppSeed {
            client_id: self.client_id.clone(),
            access_token: Secret::new(""),
            application_token: self.application_token.clone(),
            scope: self.scope.clone(),
        }
    }
}

impl State {
    pub(super) fn add_app(&mut self, app: &AppConfig) {
        let app = App {
            client_id: app.client_id.clone(),
            client_secret: app.client_secret.clone(),
            application_token: app.application_token.clone(),
            scope: app.scope.clone(),
            url: app.handler_url.clone(),
            active: true,
            paid: true,
            allowed_users: None,
        };
        self.apps.insert(app.client_id.clone(), app);
    }

    /// The application of a bot that is there from the start; its secret is made up.
    pub(super) fn app_of_bot(&mut self, seed: &AppSeed) {
        if !self.apps.contains_key(&seed.client_id) {
            self.add_app(&AppConfig {
                client_id: seed.client_id.clone(),
                client_secret: Secret::new(token("secret", &seed.client_id, 0)),
                application_token: seed.application_token.clone(),
                scope: seed.scope.clone(),
                handler_url: None,
            });
        }
    }

    /// Makes the token good for an hour from now.
    pub(super) fn renew_token(&mut self, app: &AppSeed, token: &Secret, user: i64, now: Timestamp) {
        let record = Token {
            client_id: app.client_id.clone(),
            user,
            expires: now + TOKEN_LIFE,
        };
        self.tokens.insert(token.expose().to_owned(), record);
    }

    /// Tokens that act as `user`, good for an hour; the access token is the given one or one of the user's own.
    pub(super) fn tokens_of(&mut self, app: &AppSeed, given: Option<&Secret>, user: i64, now: Timestamp) -> Tokens {
        let own = Secret::new(token("access", &app.client_id, user));
        let access = given.filter(|given| !given.expose().is_empty()).unwrap_or(&own);
        self.renew_token(app, access, user, now);
        let refresh = token("refresh", &app.client_id, user);
        self.refreshes.insert(
            refresh.clone(),
            Refresh {
                client_id: app.client_id.clone(),
                user,
                issued: now,
                used: false,
            },
        );
        self.pair(app, access.expose(), &refresh, user, now)
    }

    /// A fresh pair, never given before.
    pub(super) fn mint(&mut self, app: &AppSeed, user: i64, now: Timestamp) -> Tokens {
        self.minted += 1;
        let access = token(&format!("access {}", self.minted), &app.client_id, user);
        let refresh = token(&format!("refresh {}", self.minted), &app.client_id, user);
        self.renew_token(app, &Secret::new(access.as_str()), user, now);
        self.refreshes.insert(
            refresh.clone(),
            Refresh {
                client_id: app.client_id.clone(),
                user,
                issued: now,
                used: false,
            },
        );
        self.pair(app, &access, &refresh, user, now)
    }

    fn pair(&self, app: &AppSeed, access: &str, refresh: &str, user: i64, now: Timestamp) -> Tokens {
        Tokens {
            access_token: access.to_owned(),
            refresh_token: refresh.to_owned(),
            expires: now.unix_seconds() + 3600,
            scope: app.scope.clone(),
            user_id: user,
            client_id: app.client_id.clone(),
        }
    }
}

/// A made-up token: hex, the same each time.
pub(super) fn token(kind: &str, client: &str, user: i64) -> String {
    let digest = Sha256::digest(format!("{kind} {client} {user}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
