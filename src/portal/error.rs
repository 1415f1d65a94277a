//! What the emulator's own interface refuses. REST errors are not here: they are answers.

/// Why the portal could not do what a test or an operator asked of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortalError {
    /// No bot of this id is registered; add it to [`PortalConfig::bots`](super::PortalConfig::bots).
    #[error("no bot {0} on this portal")]
    UnknownBot(i64),
    /// No message has this id.
    #[error("no message {0} on this portal")]
    UnknownMessage(i64),
    /// A dialog is `chatN`, or the id of a bot.
    #[error("no dialog `{0}`: expected `chatN` or the id of a bot")]
    UnknownDialog(String),
    /// The message has no command button of this text.
    #[error("message {message} has no command button `{button}`")]
    UnknownButton {
        /// The message looked at.
        message: i64,
        /// The text looked for.
        button: String,
    },
    /// The bot has no such slash command.
    #[error("bot {bot} has no command /{command}")]
    UnknownCommand {
        /// The bot.
        bot: i64,
        /// The command without its slash.
        command: String,
    },
    /// The bot was registered through a webhook: no application to install.
    #[error("bot {0} belongs to no application")]
    NoApplication(i64),
    /// No application of this name is installed.
    #[error("no application `{0}` on this portal")]
    UnknownApplication(String),
}
