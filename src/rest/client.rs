//! One REST call: credentials added, sent once, answered or not. Never repeats, never waits for its turn.

use super::batch::{self, Command};
use super::fault::{Executed, Fault};
use super::reply::{Reply, judge};
use super::resolver::{Lookup, System};
use super::transport::{JSON, Moved, TOTAL_TIMEOUT, Transport};
use crate::method::{self, Address};
use crate::telemetry::{self, Stopwatch};
use crate::types::Secret;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// For uploads and batches: the cloud itself ends a request after 60 seconds.
const LONG_TIMEOUT: Duration = Duration::from_secs(65);
/// A `Retry-After` beyond this is not believed.
const LONGEST_RETRY: Duration = Duration::from_secs(600);
/// An answer longer than this is cut off: nothing a bot asks for is that long.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// As whom, and where. The address is the configured one, never one that an event names.
#[derive(Clone, Debug)]
pub(crate) enum Credentials {
    /// `https://{portal}/rest/{user}/{code}/` and the bot's own token.
    Webhook { url: Secret, bot_token: Option<Secret> },
    /// `https://{portal}/rest/` and an access token.
    Token { endpoint: String, token: Secret },
}

impl Credentials {
    fn url(&self, method: &str) -> String {
        match self {
            Self::Webhook { url, .. } => join(url.expose(), method),
            Self::Token { endpoint, .. } => join(endpoint, method),
        }
    }

    pub(super) fn add_to(&self, name: &str, params: &mut Map<String, Value>) {
        match self {
            Self::Webhook {
                bot_token: Some(token), ..
            } => {
                let address = method::find(name).map_or(Address::BOT, |entry| entry.address);
                address.put_token(params, token.expose());
            }
            Self::Webhook { bot_token: None, .. } => {}
            Self::Token { token, .. } => {
                params.insert("auth".to_owned(), token.expose().into());
            }
        }
    }
}

fn join(base: &str, method: &str) -> String {
    format!("{}/{method}", base.trim_end_matches('/'))
}

/// The HTTP client: https with the system's roots, every address checked, every wait bounded. Cloning shares connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(super) http: Transport,
}

impl Client {
    /// A client for all portals.
    ///
    /// # Errors
    /// The TLS library or the system's root certificates could not be set up.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        Self::with(&(Arc::new(System) as Arc<dyn Lookup>))
    }

    /// A client that finds names in its own way.
    pub(crate) fn with(lookup: &Arc<dyn Lookup>) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: Transport::new(lookup)?,
        })
    }

    /// Makes a host (with its port, where it is not the default one) known as configured; `insecure`: it may be private.
    pub(crate) fn know(&self, host: String, insecure: bool) {
        self.http.know(host, insecure);
    }

    /// Portals that were found to answer at another host, from now on; given once.
    pub(crate) fn moves(&self) -> Option<mpsc::Receiver<Moved>> {
        self.http.moves()
    }

    /// Sends one call. `params` is a JSON object without credentials, as stored.
    ///
    /// # Errors
    /// [`Fault`] says what went wrong and whether the portal may have carried the call out.
    pub(crate) async fn call(&self, credentials: &Credentials, name: &str, params: &str) -> Result<Reply, Fault> {
        let mut object: Map<String, Value> =
            serde_json::from_str(params).map_err(|_| Fault::coded("stored_params_broken", "", 400))?;
        credentials.add_to(name, &mut object);
        let timeout = if name.ends_with(".File.upload") {
            LONG_TIMEOUT
        } else {
            TOTAL_TIMEOUT
        };
        let body = Value::Object(object).to_string();
        self.measured(credentials, name, body, timeout).await
    }

    /// Sends at most [`batch::MOST`] calls in one request: an outcome for each, in their order.
    ///
    /// # Errors
    /// The request as a whole failed; if that leaves its outcome unknown, then that of every command.
    pub(crate) async fn batch(
        &self,
        credentials: &Credentials,
        commands: &[Command<'_>],
    ) -> Result<Vec<Result<Reply, Fault>>, Fault> {
        debug_assert!(commands.len() <= batch::MOST, "the portal refuses the surplus");
        let body = batch::encode(credentials, commands);
        let reply = self.measured(credentials, "batch", body, LONG_TIMEOUT).await?;
        Ok(batch::decode(&reply.result, commands))
    }

    async fn measured(
        &self,
        credentials: &Credentials,
        name: &str,
        body: String,
        timeout: Duration,
    ) -> Result<Reply, Fault> {
        let watch = Stopwatch::start();
        let answer = self.exchange(&credentials.url(name), body, timeout).await;
        let outcome = answer.as_ref().map_or_else(|fault| fault.class.label(), |_| "ok");
        let label = if name == "batch" { "batch" } else { method::label(name) };
        telemetry::rest_request(label, outcome, watch.elapsed());
        answer
    }

    async fn exchange(&self, url: &str, body: String, timeout: Duration) -> Result<Reply, Fault> {
        let response = self.http.post(url, JSON, body, timeout).await?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let text = read(response).await?;
        judge(status, &text).map_err(|fault| Fault { retry_after, ..fault })
    }
}

/// Bitrix24 sends none, but a proxy before it may: seconds only, as that is what proxies send.
fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY))
}

pub(super) async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|_| Fault::transport("answer_cut", Executed::Unknown))?
    {
        if text.len() + chunk.len() > MAX_ANSWER {
            return Err(Fault::transport("answer_too_long", Executed::Unknown));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn credentials_go_where_bitrix24_wants_them() {
        let webhook = Credentials::Webhook {
            url: Secret::new("https://a.example/rest/1/code/"),
            bot_token: Some(Secret::new("tok")),
        };
        for (name, placed) in [
            ("imbot.v2.Chat.get", json!({ "botToken": "tok" })),
            ("imopenlines.bot.session.finish", json!({ "CLIENT_ID": "tok" })),
            ("imbot.v2.Revision.get", json!({})),
            ("crm.deal.get", json!({ "botToken": "tok" })),
        ] {
            let mut params = Map::new();
            webhook.add_to(name, &mut params);
            assert_eq!(Value::Object(params), placed, "{name}");
        }
        assert_eq!(
            webhook.url("imbot.v2.Revision.get"),
            "https://a.example/rest/1/code/imbot.v2.Revision.get"
        );
        let token = Credentials::Token {
            endpoint: "https://a.example/rest/".into(),
            token: Secret::new("acc"),
        };
        let mut params = Map::new();
        token.add_to("imbot.v2.Chat.get", &mut params);
        assert_eq!(Value::Object(params), json!({ "auth": "acc" }));
        assert!(!format!("{webhook:?} {token:?}").contains("code"), "no secret in Debug");
        assert!(!format!("{token:?}").contains("acc\""));
    }

    #[tokio::test]
    async fn nobody_at_the_address_means_not_carried_out() {
        let client = Client::new().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let nowhere = Credentials::Token {
            endpoint: format!("http://127.0.0.1:{port}/rest/"),
            token: Secret::new("t"),
        };
        let fault = client.call(&nowhere, "imbot.v2.Revision.get", "{}").await.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.executed), ("connect", Executed::No));
    }
}
