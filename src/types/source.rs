//! Where a bot's token was written, so that people can be told which place to change, and what the portal makes of it to
//! prove its events. Reads nothing, shows no value.

use super::secret::Secret;
use std::fmt;
use std::path::PathBuf;

/// The place of a credential in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// In the configuration file itself.
    #[default]
    Literal,
    /// A variable of the environment.
    Variable(String),
    /// A file of its own.
    File(PathBuf),
    /// A systemd credential.
    Credential(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal => f.write_str("bot_token in imbot.toml"),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Credential(name) => write!(f, "the systemd credential {name} (LoadCredential={name}:…)"),
        }
    }
}

impl Secret {
    /// The `application_token` of the events of a bot that an incoming webhook registered with this token: `custom` and
    /// the token, cut to 50 characters. Source: wire rules 2.2.
    pub(crate) fn proof_of_bot(&self) -> Self {
        let all = "custom".chars().chain(self.expose().chars());
        Self::new(all.take(50).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_cut_to_fifty_characters() {
        assert_eq!(Secret::new("tok").proof_of_bot().expose(), "customtok");
        assert_eq!(Secret::new("x".repeat(64)).proof_of_bot().expose().len(), 50);
    }
}
