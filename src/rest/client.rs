//! One REST call: credentials added, sent once, answered or not. Never repeats, never waits for its turn.

use super::fault::{Executed, Fault};
use crate::method::{self, Address};
use crate::telemetry::{self, Stopwatch};
use crate::types::Secret;
use serde_json::{Map, Value};
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
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

    fn add_to(&self, name: &str, params: &mut Map<String, Value>) {
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

/// The HTTP client: https with the system's roots, no redirects, every wait bounded. Cloning shares connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
}

impl Client {
    /// A client for all portals.
    ///
    /// # Errors
    /// The TLS library or the system's root certificates could not be set up.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // Fails only if somebody installed a provider before, and then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("imbot/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .pool_max_idle_per_host(8)
            .no_proxy()
            .build()?;
        Ok(Self { http })
    }

    /// Sends one call. `params` is a JSON object without credentials, as stored.
    ///
    /// # Errors
    /// [`Fault`] says what went wrong and whether the portal may have carried the call out.
    pub(crate) async fn call(&self, credentials: &Credentials, name: &str, params: &str) -> Result<Value, Fault> {
        let watch = Stopwatch::start();
        let answer = self.exchange(credentials, name, params).await;
        let outcome = answer.as_ref().map_or_else(|fault| fault.class.label(), |_| "ok");
        telemetry::rest_request(method::label(name), outcome, watch.elapsed());
        answer
    }

    async fn exchange(&self, credentials: &Credentials, name: &str, params: &str) -> Result<Value, Fault> {
        let mut object: Map<String, Value> =
            serde_json::from_str(params).map_err(|_| Fault::coded("stored_params_broken", "", 400))?;
        credentials.add_to(name, &mut object);
        let body = Value::Object(object).to_string();
        let response = self
            .http
            .post(credentials.url(name))
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(body)
            .send()
            .await
            .map_err(|error| transport(&error))?;
        let status = response.status().as_u16();
        let text = read(response).await?;
        judge(status, &text)
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Fault> {
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

/// reqwest's own text names the address, which holds the webhook's code: only the kind of failure is kept.
fn transport(error: &reqwest::Error) -> Fault {
    if error.is_builder() {
        Fault::coded("address_invalid", "", 400)
    } else if error.is_connect() {
        Fault::transport("connect", Executed::No)
    } else if error.is_timeout() {
        Fault::transport("timeout", Executed::Unknown)
    } else {
        Fault::transport("connection_broken", Executed::Unknown)
    }
}

fn judge(status: u16, text: &[u8]) -> Result<Value, Fault> {
    let Ok(Value::Object(mut answer)) = serde_json::from_slice::<Value>(text) else {
        return Err(Fault::unreadable(status));
    };
    // An error may come with HTTP 200.
    if let Some(code) = answer.get("error").and_then(Value::as_str) {
        let description = answer
            .get("error_description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        return Err(Fault::coded(code, description, status));
    }
    match answer.remove("result") {
        Some(result) if status < 300 => Ok(result),
        _ => Err(Fault::unreadable(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::Class;
    use serde_json::json;

    #[test]
    fn an_answer_is_its_result_or_its_error() {
        assert_eq!(judge(200, br#"{"result":{"id":5},"time":{}}"#), Ok(json!({ "id": 5 })));
        let error = judge(200, br#"{"error":"EMPTY_MESSAGE","error_description":"x"}"#).unwrap_err();
        assert_eq!((error.class, error.status), (Class::Invalid, 200));
        assert_eq!(judge(503, b"<html>busy</html>").unwrap_err().class, Class::Limit);
        assert_eq!(judge(200, br#"{"result":"#).unwrap_err().executed, Executed::Unknown);
        assert_eq!(judge(500, br#"{"result":true}"#).unwrap_err().class, Class::Transient);
    }

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
