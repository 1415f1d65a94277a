//! The way of an event from outside in: DNS, TLS, the proxy, with a form as Bitrix24 sends it, small and over 64 KiB.
//! Posts to the configured address alone, carries a nonce and no secret, follows nothing.

use super::finding::{self, Kind};
use crate::cli::beside::{Beside, Trouble};
use crate::cli::client;
use crate::http;
use reqwest::{Certificate, Client, Response};
use rustls::CertificateError;
use serde_json::{Value, json};
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;
use url::{Host, Url};

/// For one request with its answer.
const PATIENCE: Duration = Duration::from_secs(10);
const DNS_PATIENCE: Duration = Duration::from_secs(5);
/// Of the larger body: over 64 KiB, which is where some proxies stop.
const PADDING: usize = 80 * 1024;
/// Of an answer, that is read.
const LONGEST: usize = 4 * 1024;

/// `HOST:PORT:ADDRESS`, as curl has it: this host at this port is there, whatever DNS says.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Resolve {
    host: String,
    port: u16,
    address: IpAddr,
}

impl FromStr for Resolve {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const HOW: &str = "write HOST:PORT:ADDRESS, for example bots.example.com:443:127.0.0.1";
        let mut parts = text.splitn(3, ':');
        let (Some(host), Some(port), Some(address)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(HOW);
        };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port: port.parse().map_err(|_| HOW)?,
            address: address.parse().map_err(|_| HOW)?,
        })
    }
}

/// What the operator adds to the way.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Way {
    pub(in crate::cli) resolve: Vec<Resolve>,
    /// Trusted beside those of the machine.
    pub(in crate::cli) roots: Vec<Certificate>,
}

/// Where the way ended.
#[derive(Debug)]
pub(in crate::cli) struct Stray {
    pub(in crate::cli) kind: &'static Kind,
    pub(in crate::cli) detail: String,
}

fn stray(kind: &'static Kind, detail: impl Into<String>) -> Stray {
    let detail = detail.into();
    Stray { kind, detail }
}

/// Posts a small and a large probe to `url` and holds each answer against what the running server must say.
///
/// # Errors
/// Where the way ends, in the order in which an event meets it. Without a running server nothing can be proved, which is
/// [`finding::SERVER_SILENT`].
pub(in crate::cli) async fn round_trip(beside: &Beside, url: &str, way: &Way) -> Result<(), Stray> {
    // The settings have read it as one.
    let url = Url::parse(url).map_err(|_| stray(&finding::NO_ADDRESS, "this is no address"))?;
    let client = client_for(&url, way).await?;
    post(beside, &client, &url, 0).await?;
    post(beside, &client, &url, PADDING).await.map_err(|ended| {
        let size = PADDING / 1024;
        stray(
            &finding::LARGE_BODY_LOST,
            format!("a body of {size} KiB: {}", ended.detail),
        )
    })
}

/// A client that knows where the name leads, so that what was looked up is what is dialled.
async fn client_for(url: &Url, way: &Way) -> Result<Client, Stray> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let mut builder = client::builder(PATIENCE)
        // Each post on a connection of its own, as Bitrix24 does it.
        .pool_max_idle_per_host(0)
        .tls_certs_merge(way.roots.iter().cloned());
    if let Some(Host::Domain(name)) = url.host() {
        let given = way
            .resolve
            .iter()
            .find(|given| given.host == name && given.port == port);
        let addresses = match given {
            Some(given) => vec![SocketAddr::new(given.address, port)],
            None => look_up(name, port).await?,
        };
        builder = builder.resolve_to_addrs(host, &addresses);
    }
    let built = builder.build();
    built.map_err(|_| stray(&finding::TLS_FAILED, "this machine's root certificates cannot be read"))
}

async fn look_up(name: &str, port: u16) -> Result<Vec<SocketAddr>, Stray> {
    let found = tokio::time::timeout(DNS_PATIENCE, tokio::net::lookup_host((name, port))).await;
    let why = match found {
        Ok(Ok(addresses)) => {
            let addresses: Vec<_> = addresses.collect();
            if !addresses.is_empty() {
                return Ok(addresses);
            }
            "has no address"
        }
        Ok(Err(_)) => "has no address",
        Err(_) => "was not answered by DNS within 5 s",
    };
    Err(stray(&finding::NO_ADDRESS, format!("{name} {why}")))
}

/// One probe with a nonce of its own.
async fn post(beside: &Beside, client: &Client, url: &Url, padding: usize) -> Result<(), Stray> {
    let silent = |trouble: Trouble| stray(&finding::SERVER_SILENT, trouble.to_string());
    let issued = beside.post("/api/v1/probe", &json!({})).await.map_err(silent)?;
    let nonce = issued["nonce"].as_str().unwrap_or_default();
    let Some(expected) = beside.proof(nonce) else {
        return Err(stray(&finding::SERVER_SILENT, "no server is running"));
    };
    let mut body = format!("event={}&nonce={nonce}", http::PROBE_EVENT);
    if padding > 0 {
        body.push_str("&padding=");
        body.extend(std::iter::repeat_n('x', padding));
    }
    let request = client.post(url.clone());
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let mut response = request.body(body).send().await.map_err(|error| broken(&error, url))?;
    let text = read(&mut response).await.map_err(|error| broken(&error, url))?;
    judge(&response, &text, &expected)
}

async fn read(response: &mut Response) -> reqwest::Result<Vec<u8>> {
    let mut text = Vec::new();
    while let Some(piece) = response.chunk().await? {
        text.extend_from_slice(&piece);
        if text.len() > LONGEST {
            break;
        }
    }
    Ok(text)
}

/// An answer came: is it the server's?
fn judge(response: &Response, text: &[u8], expected: &str) -> Result<(), Stray> {
    let answer: Value = serde_json::from_slice(text).unwrap_or_default();
    let status = response.status().as_u16();
    match status {
        200 if answer["probe"] == expected => Ok(()),
        200..=299 => Err(stray(
            &finding::ANSWERED_BY_OTHER,
            format!("HTTP {status} without the server's proof"),
        )),
        300..=399 => {
            let to = response.headers().get("location").and_then(|to| to.to_str().ok());
            Err(stray(
                &finding::REDIRECTED,
                format!("HTTP {status}, to {}", to.unwrap_or("nowhere")),
            ))
        }
        403 if answer["error"] == "forbidden" => Err(stray(&finding::OTHER_SERVER, "it does not know the nonce")),
        _ => {
            let said = answer["error"].as_str().map(|word| format!(", imbot says {word}"));
            Err(stray(
                &finding::REFUSED_ON_THE_WAY,
                format!("HTTP {status}{}", said.unwrap_or_default()),
            ))
        }
    }
}

/// No answer came.
fn broken(error: &reqwest::Error, url: &Url) -> Stray {
    let host = url.host_str().unwrap_or_default();
    if let Some(found) = tls(error) {
        return match found {
            rustls::Error::InvalidCertificate(why) => certificate(why, host),
            other => stray(&finding::TLS_FAILED, format!("{host}: {other}")),
        };
    }
    if error.is_connect() && !error.is_timeout() {
        let port = url.port_or_known_default().unwrap_or(443);
        return stray(&finding::NOBODY_LISTENS, format!("{host} port {port}: no connection"));
    }
    if error.is_connect() {
        return stray(&finding::NOBODY_LISTENS, format!("{host}: no connection within 10 s"));
    }
    let why = if error.is_timeout() {
        "no answer within 10 s"
    } else {
        "the connection broke before the answer"
    };
    stray(&finding::NO_ANSWER, why)
}

fn certificate(why: &CertificateError, host: &str) -> Stray {
    let kind = match why {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => &finding::CERTIFICATE_EXPIRED,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            &finding::CERTIFICATE_OTHER_NAME
        }
        _ => &finding::CERTIFICATE_UNTRUSTED,
    };
    stray(kind, format!("{host}: {why}"))
}

/// What TLS said, from wherever in the chain it stands.
fn tls(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause = error.source();
    while let Some(found) = cause {
        if let Some(tls) = found.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // An io::Error hides what it wraps from the chain.
        let wrapped = found.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => found.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_can_be_said_to_be_elsewhere() {
        let given: Resolve = "Bots.example.com:443:127.0.0.1".parse().unwrap();
        assert_eq!((given.host.as_str(), given.port), ("bots.example.com", 443));
        let six: Resolve = "a.example:8443:[::1]".parse().unwrap();
        assert_eq!(six.address, IpAddr::from_str("::1").unwrap());
        for wrong in ["", "a", "a:1", "a:x:127.0.0.1", "a:1:b"] {
            assert!(wrong.parse::<Resolve>().is_err(), "{wrong}");
        }
    }
}
