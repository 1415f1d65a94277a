//! The HTTP client of commands that post or ask: no redirects, no proxy, a deadline. Not for calls to a portal.

use reqwest::redirect::Policy;
use std::time::Duration;

/// A client whose every request ends within `patience`.
pub(super) fn client(patience: Duration) -> reqwest::Result<reqwest::Client> {
    builder(patience).build()
}

/// The same, for who has to add something.
pub(super) fn builder(patience: Duration) -> reqwest::ClientBuilder {
    // An error says that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(Policy::none())
        // A proxy variable meant for the internet must not carry a local token away.
        .no_proxy()
        .timeout(patience)
        .user_agent(concat!("imbot/", env!("CARGO_PKG_VERSION")))
}
