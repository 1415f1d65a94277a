//! Who may use the page: a browser that came by itself, not one that another site sent, and under an address that no
//! foreign name can be pointed at. Says with which rules the browser shall treat it.

use super::super::answer::Answer;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use std::net::IpAddr;

/// A request that the page refuses, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stranger(&'static str);

impl Stranger {
    pub(super) fn respond(self) -> Response<Body> {
        Answer::text(403, "text/plain; charset=utf-8", format!("{}\n", self.0)).respond(None)
    }
}

/// Checks where a request comes from.
///
/// A host name could be a foreign one that leads to this machine for a moment, so only `localhost` and plain addresses
/// are believed. Programs without a browser send neither `Origin` nor `Sec-Fetch-Site` and may come in.
pub(super) fn admit(request: &Request<Body>) -> Result<(), Stranger> {
    const NAME: Stranger = Stranger("Open the chat page under localhost or an IP address, not under a name.");
    const SITE: Stranger = Stranger("Another web site may not use the chat page.");
    const MEDIA: Stranger = Stranger("The chat page takes application/json only.");
    let said = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = said(header::HOST.as_str()).unwrap_or_default();
    if !is_address(host) {
        return Err(NAME);
    }
    if request.uri().path() == "/" {
        return Ok(());
    }
    if !matches!(said("sec-fetch-site"), None | Some("same-origin" | "none")) {
        return Err(SITE);
    }
    let own = |origin: &str| {
        let bare = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        bare == Some(host)
    };
    if !said(header::ORIGIN.as_str()).is_none_or(own) {
        return Err(SITE);
    }
    let media = said(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if request.method() == Method::POST && !media.starts_with("application/json") {
        return Err(MEDIA);
    }
    Ok(())
}

/// `localhost`, `127.0.0.1:8070`, `[::1]:8070`.
fn is_address(host: &str) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let inner = bare.strip_prefix('[').and_then(|bare| bare.strip_suffix(']'));
    bare.eq_ignore_ascii_case("localhost") || inner.unwrap_or(bare).parse::<IpAddr>().is_ok()
}

/// What the browser may do with an answer of the page: run its own scripts and no others, load pictures, talk to nobody
/// else. `require-trusted-types-for` makes text that is put into the page as HTML an error.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data: http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

pub(super) fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<(), Stranger> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        admit(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn a_foreign_name_for_this_machine_is_refused_and_an_address_is_not() {
        for host in [
            "127.0.0.1:8070",
            "localhost:8070",
            "[::1]:8070",
            "192.168.1.5",
            "LOCALHOST",
        ] {
            assert_eq!(asked("GET", "/_desk/live", &[("host", host)]), Ok(()), "{host}");
        }
        for host in ["evil.example:8070", "localhost.evil.example", "127.0.0.1.nip.io", ""] {
            assert!(asked("GET", "/", &[("host", host)]).is_err(), "{host}");
            assert!(asked("GET", "/_desk/live", &[("host", host)]).is_err(), "{host}");
        }
    }

    #[test]
    fn another_site_cannot_act_and_the_page_itself_can() {
        let host = ("host", "127.0.0.1:8070");
        let json = ("content-type", "application/json");
        let post = |headers: &[(&str, &str)]| asked("POST", "/_desk/say", &[&[host], headers].concat());
        assert_eq!(post(&[json]), Ok(()), "a program without a browser");
        assert_eq!(
            post(&[
                json,
                ("origin", "http://127.0.0.1:8070"),
                ("sec-fetch-site", "same-origin")
            ]),
            Ok(())
        );
        for headers in [
            vec![json, ("origin", "http://evil.example")],
            vec![json, ("origin", "http://127.0.0.1:9999")],
            vec![json, ("origin", "null")],
            vec![json, ("sec-fetch-site", "cross-site")],
            vec![json, ("sec-fetch-site", "same-site")],
            vec![("content-type", "text/plain")],
            vec![],
        ] {
            assert!(post(&headers).is_err(), "{headers:?}");
        }
        assert!(asked("GET", "/_desk/live", &[host, ("sec-fetch-site", "cross-site")]).is_err());
        assert_eq!(
            asked("GET", "/", &[host, ("sec-fetch-site", "cross-site")]),
            Ok(()),
            "a link to it"
        );
    }
}
