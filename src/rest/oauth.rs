//! The authorisation server: renews tokens, and tells the truth about one. Sends once, decides nothing about again.
//!
//! Source: outbound rules, "OAuth". `domain` is the authorisation server in its token answers and the portal elsewhere,
//! so it is only read from `app.info`.

use super::client::{Client, read};
use super::transport::{FORM, JSON};
use crate::telemetry::{self, Stopwatch};
use crate::types::Secret;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

/// A pair of tokens.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) access: Secret,
    /// Replaces the one before.
    pub(crate) refresh: Secret,
}

/// What the authorisation server says of an access token.
#[derive(Clone, Debug)]
pub(crate) struct TokenInfo {
    pub(crate) client_id: String,
    pub(crate) member_id: String,
    /// The portal's own host.
    pub(crate) domain: String,
    pub(crate) client_endpoint: String,
    pub(crate) user_id: i64,
}

/// Why the authorisation server gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OauthFault {
    /// It says no, and will go on saying it: a code of its own, for example `invalid_grant`.
    #[error("the authorisation server answers {0}")]
    Refused(String),
    /// It could not be asked, or is in trouble.
    #[error("the authorisation server cannot be asked ({0})")]
    Trouble(String),
}

impl Client {
    /// Exchanges a refresh token for a new pair. `server`: `https://{host}`.
    ///
    /// # Errors
    /// [`OauthFault::Refused`]: the refresh token is dead, or the application is.
    pub(crate) async fn refresh(
        &self,
        server: &str,
        (client_id, client_secret): (&str, &Secret),
        refresh: &Secret,
    ) -> Result<Grant, OauthFault> {
        // In the body, so that no secret stands in an address.
        let body = Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", client_id)
            .append_pair("client_secret", client_secret.expose())
            .append_pair("refresh_token", refresh.expose())
            .finish();
        let answer = self
            .authority("oauth.token", &format!("{server}/oauth/token/"), FORM, body)
            .await?;
        let text = |key: &str| answer[key].as_str().filter(|text| !text.is_empty()).map(Secret::new);
        let (Some(access), Some(refresh)) = (text("access_token"), text("refresh_token")) else {
            return Err(OauthFault::Trouble("no_tokens".to_owned()));
        };
        Ok(Grant { access, refresh })
    }

    /// Asks what an access token is.
    ///
    /// # Errors
    /// [`OauthFault::Refused`]: it is none of a living application.
    pub(crate) async fn token_info(&self, server: &str, access: &Secret) -> Result<TokenInfo, OauthFault> {
        let body = json!({ "auth": access.expose() }).to_string();
        let answer = self
            .authority("app.info", &format!("{server}/rest/app.info"), JSON, body)
            .await?;
        let (info, install) = (&answer["result"], &answer["result"]["install"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(TokenInfo {
            client_id: text(&info["client_id"]),
            member_id: text(&install["member_id"]),
            domain: text(&install["domain"]),
            client_endpoint: text(&install["client_endpoint"]),
            user_id: number(&info["user_id"]).unwrap_or(0),
        })
    }

    async fn authority(
        &self,
        name: &'static str,
        url: &str,
        kind: &'static str,
        body: String,
    ) -> Result<Value, OauthFault> {
        let watch = Stopwatch::start();
        let told = self.told(url, kind, body).await;
        let outcome = match &told {
            Ok(_) => "ok",
            Err(OauthFault::Refused(_)) => "identity",
            Err(OauthFault::Trouble(_)) => "transient",
        };
        telemetry::rest_request(name, outcome, watch.elapsed());
        told
    }

    async fn told(&self, url: &str, kind: &'static str, body: String) -> Result<Value, OauthFault> {
        let trouble = |fault: super::Fault| OauthFault::Trouble(fault.code);
        let response = self.http.post_here(url, kind, body).await.map_err(trouble)?;
        let status = response.status().as_u16();
        let text = read(response).await.map_err(trouble)?;
        judge(status, &text)
    }
}

/// A refusal has a code and comes with a status below 500, 200 included.
fn judge(status: u16, text: &[u8]) -> Result<Value, OauthFault> {
    let unreadable = || OauthFault::Trouble(format!("HTTP {status}"));
    let answer: Value = serde_json::from_slice(text).map_err(|_| unreadable())?;
    let code = answer["error"].as_str().unwrap_or_default();
    let plain = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match (status, code) {
        (200..=299, "") if answer.is_object() => Ok(answer),
        (500.. | 429, _) | (_, "") => Err(unreadable()),
        _ if plain => Err(OauthFault::Refused(code.to_owned())),
        _ => Err(OauthFault::Refused("an unknown code".to_owned())),
    }
}

/// PHP may write a number as text.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_trouble() {
        let refused = |code: &str| Err(OauthFault::Refused(code.to_owned()));
        assert_eq!(judge(400, br#"{"error":"invalid_grant"}"#), refused("invalid_grant"));
        assert_eq!(
            judge(200, br#"{"error":"WRONG_CLIENT"}"#),
            refused("WRONG_CLIENT"),
            "seen with 200"
        );
        assert_eq!(
            judge(401, br#"{"error":"PAYMENT_REQUIRED"}"#),
            refused("PAYMENT_REQUIRED")
        );
        assert_eq!(judge(400, br#"{"error":"a b\nc"}"#), refused("an unknown code"));
        for (status, text) in [
            (500, &br#"{"error":"invalid_grant"}"#[..]),
            (502, b"<html>"),
            (302, b"<html>"),
            (200, b"[]"),
            (429, br#"{"error":"QUERY_LIMIT_EXCEEDED"}"#),
            (400, b"{}"),
        ] {
            assert!(matches!(judge(status, text), Err(OauthFault::Trouble(_))), "{status}");
        }
        assert!(judge(200, br#"{"access_token":"a"}"#).is_ok());
    }
}
