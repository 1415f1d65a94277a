//! The way out: two HTTP clients, one for public portals and one for those with `allow_insecure`, both without
//! redirects and proxies. Checks every address, follows a renamed portal once; reads no answer.

use super::endpoint::{self, Unfit};
use super::fault::{Executed, Fault};
use super::resolver::{Checked, Lookup, PrivateAddress};
use reqwest::{Request, Response};
use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::mpsc;
use url::Url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For a request and its answer, where nothing else is asked for.
pub(super) const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Renames that may wait for somebody to note them; more of them say the same.
const MOVES: usize = 64;

pub(super) const JSON: &str = "application/json";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// A portal that answers at another host now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Host, with a port where it is not the default one.
    pub(crate) from: String,
    pub(crate) to: String,
}

/// The way out. Cloning shares connections.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    strict: reqwest::Client,
    loose: reqwest::Client,
    /// Configured hosts, and whether they may be insecure.
    hosts: Arc<RwLock<HashMap<String, bool>>>,
    moves: mpsc::Sender<Moved>,
    moved: Arc<Mutex<Option<mpsc::Receiver<Moved>>>>,
}

impl Transport {
    /// Builds both clients.
    pub(super) fn new(lookup: &Arc<dyn Lookup>) -> Result<Self, reqwest::Error> {
        let strict = Checked::strict(Arc::clone(lookup));
        let loose = Checked::loose(Arc::clone(lookup));
        Self::of(
            builder().dns_resolver(strict).build()?,
            builder().dns_resolver(loose).build()?,
        )
    }

    pub(super) fn of(strict: reqwest::Client, loose: reqwest::Client) -> Result<Self, reqwest::Error> {
        let (moves, moved) = mpsc::channel(MOVES);
        Ok(Self {
            strict,
            loose,
            hosts: Arc::default(),
            moves,
            moved: Arc::new(Mutex::new(Some(moved))),
        })
    }

    /// Makes a host (with its port, where it is not the default one) known as configured.
    pub(super) fn know(&self, host: String, insecure: bool) {
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(host, insecure);
    }

    /// The renames from now on; given once.
    pub(super) fn moves(&self) -> Option<mpsc::Receiver<Moved>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// One POST. A portal that says it has moved is asked once more at its new host, if that may be asked.
    pub(super) async fn post(
        &self,
        url: &str,
        kind: &'static str,
        body: String,
        timeout: Duration,
    ) -> Result<Response, Fault> {
        let url = self.checked(url)?;
        let request = self.request(&url, kind, body, timeout)?;
        // Shares the body, which may be long.
        let again = request.try_clone();
        let response = self.send(request).await?;
        let (Some(location), Some(mut again)) = (location(&response), again) else {
            return Ok(response);
        };
        let known = |host: &str| self.known(host).is_some();
        match endpoint::moved(&url, &location, self.insecure(&url), known) {
            Ok(to) => {
                let moved = Moved {
                    from: endpoint::authority(&url),
                    to: endpoint::authority(&to),
                };
                // Full: the same is already waiting to be noted.
                let _ = self.moves.try_send(moved);
                *again.url_mut() = to;
                self.send(again).await
            }
            Err(unfit) => Err(self.strayed(&url, unfit)),
        }
    }

    /// One POST to a host that has no business to move.
    pub(super) async fn post_here(&self, url: &str, kind: &'static str, body: String) -> Result<Response, Fault> {
        let url = self.checked(url)?;
        let request = self.request(&url, kind, body, TOTAL_TIMEOUT)?;
        self.send(request).await
    }

    /// One GET, as a browser sends it: without its headers the portal's own web server may answer 404. Redirects are not
    /// followed. Source: outbound rules, "Files".
    pub(super) async fn get(&self, url: &Url, referer: &str, timeout: Duration) -> Result<Response, Fault> {
        let request = self.strict.get(url.clone()).timeout(timeout);
        let request = request.header("accept", "*/*").header("accept-language", "en");
        let request = request.header("referer", referer).build();
        self.send(request.map_err(|error| transport(&error))?).await
    }

    fn request(&self, url: &Url, kind: &'static str, body: String, timeout: Duration) -> Result<Request, Fault> {
        let request = self.strict.post(url.clone()).header("content-type", kind);
        let request = request.header("accept", JSON).timeout(timeout).body(body);
        request.build().map_err(|error| transport(&error))
    }

    async fn send(&self, request: Request) -> Result<Response, Fault> {
        let client = if self.insecure(request.url()) {
            &self.loose
        } else {
            &self.strict
        };
        client.execute(request).await.map_err(|error| transport(&error))
    }

    pub(super) fn checked(&self, text: &str) -> Result<Url, Fault> {
        let url = Url::parse(text).map_err(|_| Fault::coded("address_invalid", "", 400))?;
        let checked = endpoint::address(text, self.insecure(&url));
        checked.map_err(|unfit| {
            tracing::error!(host = url.host_str(), "an address is not called: {unfit}");
            Fault::coded("address_invalid", "", 400)
        })
    }

    /// http is only ever configured with `allow_insecure`; https to a private address needs its host to be known so.
    fn insecure(&self, url: &Url) -> bool {
        url.scheme() == "http" || self.known(&endpoint::authority(url)) == Some(true)
    }

    fn known(&self, host: &str) -> Option<bool> {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).copied()
    }

    /// Nothing was carried out: the portal only sent the request away.
    fn strayed(&self, from: &Url, unfit: Unfit) -> Fault {
        tracing::error!(
            host = from.host_str(),
            "the portal sends calls to another address, which is not followed: {unfit}; if it was renamed, set its new \
             domain (and incoming_webhook) in the configuration"
        );
        Fault::transport("redirect_refused", Executed::No)
    }
}

/// Where a redirect leads; `None`: it is none.
fn location(response: &Response) -> Option<String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get("location")?;
    Some(location.to_str().unwrap_or_default().to_owned())
}

pub(super) fn builder() -> reqwest::ClientBuilder {
    // Fails only if somebody installed a provider before, and then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("imbot/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(8)
        .no_proxy()
        .referer(false)
}

/// reqwest's own text names the address, which holds the webhook's code: only the kind of failure is kept.
pub(super) fn transport(error: &reqwest::Error) -> Fault {
    if error.is_builder() {
        Fault::coded("address_invalid", "", 400)
    } else if is_private(error) {
        tracing::error!(
            "a name leads to a private address and is not called; allow_insecure = true is for closed networks"
        );
        Fault::transport("address_private", Executed::No)
    } else if error.is_connect() {
        Fault::transport("connect", Executed::No)
    } else if error.is_timeout() {
        Fault::transport("timeout", Executed::Unknown)
    } else {
        Fault::transport("connection_broken", Executed::Unknown)
    }
}

fn is_private(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(found) = cause {
        if found.is::<PrivateAddress>() {
            return true;
        }
        cause = found.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::watched::{Script, answer, hostile, server, watched};
    use std::net::IpAddr;
    use std::sync::atomic::Ordering;

    fn is_second(address: IpAddr) -> bool {
        address == IpAddr::from([127, 0, 0, 2])
    }

    #[tokio::test]
    async fn a_name_that_turns_private_after_the_check_is_not_looked_up_again() {
        let good = answer("200 OK", "", "{}");
        let (port, first) = server("127.0.0.1:0", good.clone()).await;
        let (_, second) = server(&format!("127.0.0.2:{port}"), good).await;
        let lookup = Script::of(&["127.0.0.1", "127.0.0.2"]);
        let (transport, dials) = watched(&lookup, is_second);
        let url = format!("http://portal.example:{port}/rest/m");
        assert_eq!(
            transport
                .post(&url, JSON, "{}".into(), TOTAL_TIMEOUT)
                .await
                .unwrap()
                .status(),
            200
        );
        assert_eq!(
            (lookup.asked.load(Ordering::Relaxed), first.load(Ordering::Relaxed)),
            (1, 1),
            "one look-up, and its answer is what was dialled"
        );
        let fault = transport
            .post(&url, JSON, "{}".into(), TOTAL_TIMEOUT)
            .await
            .unwrap_err();
        assert_eq!((fault.code.as_str(), fault.executed), ("address_private", Executed::No));
        assert_eq!(
            (lookup.asked.load(Ordering::Relaxed), second.load(Ordering::Relaxed)),
            (2, 0)
        );
        assert_eq!(dials.0.load(Ordering::Relaxed), 2, "the second ended at the check");
    }

    #[tokio::test]
    async fn a_public_portal_whose_name_is_private_is_not_dialled() {
        for address in ["10.0.0.7", "169.254.169.254", "::1", "::ffff:127.0.0.1"] {
            let lookup = Script::of(&[address]);
            let lookup: Arc<dyn Lookup> = lookup;
            let transport = Transport::new(&lookup).unwrap();
            let url = "https://acme.bitrix24.com/rest/m";
            let fault = transport.post(url, JSON, "{}".into(), TOTAL_TIMEOUT).await.unwrap_err();
            assert_eq!(fault.code, "address_private", "{address}");
        }
    }

    #[tokio::test]
    async fn a_redirect_to_a_hostile_address_ends_before_any_look_up() {
        for (value, _) in hostile() {
            for location in [
                value.clone(),
                format!("{value}m"),
                value.replace("/rest/", "/rest/1/code/m"),
            ] {
                let redirect = answer("302 Found", &format!("location: {location}\r\n"), "<html>");
                let (port, heard) = server("127.0.0.1:0", redirect).await;
                let lookup = Script::of(&["127.0.0.1"]);
                let (transport, dials) = watched(&lookup, |_| false);
                let url = format!("http://portal.example:{port}/rest/1/code/m");
                let fault = transport
                    .post(&url, JSON, "{}".into(), TOTAL_TIMEOUT)
                    .await
                    .unwrap_err();
                assert_eq!(
                    (fault.code.as_str(), fault.executed),
                    ("redirect_refused", Executed::No),
                    "{location}"
                );
                let counted = (lookup.asked.load(Ordering::Relaxed), dials.0.load(Ordering::Relaxed));
                assert_eq!((counted, heard.load(Ordering::Relaxed)), ((1, 1), 1), "{location}");
            }
        }
    }

    #[tokio::test]
    async fn a_renamed_portal_is_followed_once_with_the_same_body() {
        let (new, heard) = server("127.0.0.1:0", answer("200 OK", "", "{\"result\":true}")).await;
        let there = format!("location: http://portal.example:{new}/rest/1/code/m\r\n");
        let (old, _) = server("127.0.0.1:0", answer("302 Found", &there, "")).await;
        let back = format!("location: http://portal.example:{old}/rest/1/code/m\r\n");
        let (circle, circled) = server("127.0.0.1:0", answer("302 Found", &back, "")).await;
        let (transport, _) = watched(&Script::of(&["127.0.0.1"]), |_| false);
        let mut moves = transport.moves().unwrap();
        let url = |port: u16| format!("http://portal.example:{port}/rest/1/code/m");
        let answer = transport
            .post(&url(old), JSON, "{}".into(), TOTAL_TIMEOUT)
            .await
            .unwrap();
        assert_eq!((answer.status().as_u16(), heard.load(Ordering::Relaxed)), (200, 1));
        let (from, to) = (format!("portal.example:{old}"), format!("portal.example:{new}"));
        assert_eq!(moves.recv().await, Some(Moved { from, to }));
        let answer = transport
            .post(&url(circle), JSON, "{}".into(), TOTAL_TIMEOUT)
            .await
            .unwrap();
        assert_eq!(
            (answer.status().as_u16(), circled.load(Ordering::Relaxed)),
            (302, 1),
            "once, not round and round"
        );
    }
}
