//! A portal's configuration as TOML, every key optional. Reads text and names what is wrong; opens no file.

use super::config::{AppConfig, BotSeed, PortalConfig};
use super::knobs::Profile;
use crate::types::{Clock, Secret};
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Duration;

/// What may stand in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    listen: Option<SocketAddr>,
    control: Option<SocketAddr>,
    authorisation: Option<SocketAddr>,
    host: Option<String>,
    member_id: Option<String>,
    webhook_user: Option<i64>,
    webhook_code: Option<String>,
    webhook_scope: Option<String>,
    language: Option<String>,
    burst: Option<u32>,
    rate: Option<u32>,
    operating_limit_s: Option<u64>,
    on_demand: Option<bool>,
    profile: Option<String>,
    seed: u64,
    user: Vec<UserTable>,
    bot: Vec<BotTable>,
    app: Vec<AppTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserTable {
    id: i64,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BotTable {
    id: i64,
    code: String,
    bot_token: String,
    webhook_url: Option<String>,
    #[serde(default)]
    commands: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AppTable {
    client_id: String,
    client_secret: String,
    application_token: String,
    scope: Option<String>,
    handler_url: Option<String>,
}

impl PortalConfig {
    /// Reads a configuration; what is not said is as in [`PortalConfig::new`].
    ///
    /// ```
    /// use imbot::portal::PortalConfig;
    /// use imbot::types::Clock;
    ///
    /// let text = "profile = 'observed'\n[[user]]\nid = 27\nname = 'Ann Lee'\n";
    /// let config = PortalConfig::from_toml(text, Clock::system()).expect("a sound configuration");
    /// assert_eq!(config.users.len(), 1);
    /// ```
    ///
    /// # Errors
    /// The text is no TOML, a key is unknown, a value is of the wrong kind, or no profile has this name.
    pub fn from_toml(text: &str, clock: Clock) -> Result<Self, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
        let name = written.profile.as_deref().unwrap_or("strict");
        let profile = Profile::named(name, written.seed);
        let profile = profile.ok_or_else(|| format!("no profile `{name}`: strict, observed or hostile"))?;
        let plain = Self::new(clock).profile(profile);
        Ok(Self {
            listen: written.listen.unwrap_or(plain.listen),
            control: written.control,
            authorisation: written.authorisation,
            host: written.host.unwrap_or(plain.host),
            member_id: written.member_id.unwrap_or(plain.member_id),
            webhook_user: written.webhook_user.unwrap_or(plain.webhook_user),
            webhook_code: written.webhook_code.map_or(plain.webhook_code, Secret::new),
            webhook_scope: written.webhook_scope.unwrap_or(plain.webhook_scope),
            language: written.language.unwrap_or(plain.language),
            burst: written.burst.unwrap_or(plain.burst),
            rate: written.rate.unwrap_or(plain.rate),
            operating_limit: written.operating_limit_s.map(Duration::from_secs),
            on_demand: written.on_demand.unwrap_or(plain.on_demand),
            users: written.user.into_iter().map(|user| (user.id, user.name)).collect(),
            bots: written.bot.into_iter().map(BotTable::seed).collect(),
            apps: written.app.into_iter().map(AppTable::config).collect(),
            ..plain
        })
    }
}

impl BotTable {
    fn seed(self) -> BotSeed {
        let mut seed = BotSeed::webhook(self.id, &self.code, &self.bot_token);
        seed.webhook_url = self.webhook_url;
        self.commands.iter().fold(seed, |seed, command| seed.command(command))
    }
}

impl AppTable {
    fn config(self) -> AppConfig {
        AppConfig {
            client_id: self.client_id,
            client_secret: Secret::new(self.client_secret),
            application_token: Secret::new(self.application_token),
            scope: self.scope.unwrap_or_else(|| "imbot,im".to_owned()),
            handler_url: self.handler_url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PortalConfig, String> {
        PortalConfig::from_toml(text, Clock::system())
    }

    #[test]
    fn nothing_is_a_whole_portal() {
        let config = read("").unwrap();
        assert_eq!((config.burst, config.rate, config.bots.len()), (50, 2, 0));
    }

    #[test]
    fn tables_become_users_bots_and_applications() {
        let text = "host = 'x.test'\n[[user]]\nid = 2\nname = 'Ann'\n\
            [[bot]]\nid = 9\ncode = 'b'\nbot_token = 't'\ncommands = ['/help']\n\
            [[app]]\nclient_id = 'local.a'\nclient_secret = 's'\napplication_token = 't'\n";
        let config = read(text).unwrap();
        assert_eq!((config.host.as_str(), config.users.len()), ("x.test", 1));
        assert_eq!(config.bots[0].commands[0].name, "help");
        assert_eq!(config.apps[0].scope, "imbot,im");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, named) in [
            ("brust = 5", "brust"),
            ("burst = 'x'", "burst"),
            ("profile = 'lax'", "lax"),
            ("[[bot]]\nid = 1", "code"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
