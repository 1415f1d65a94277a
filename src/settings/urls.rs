//! Addresses of a portal: domain, REST endpoint, incoming webhook. Refuses without repeating them, because a webhook's
//! address is a credential and may have been put into the wrong key.

use super::fields::Found;
use super::report::Wrong;
use super::values;
use crate::rest::endpoint::{self, Unfit};
use crate::types::Secret;
use url::Url;

const INSECURE_HELP: &str =
    "use https and a public name; allow_insecure = true is for the emulator and closed networks";

/// `acme.bitrix24.com`, with a port where it has one, in lower case.
pub(super) fn domain(found: &Found<'_>) -> Result<String, Wrong> {
    let text = values::filled(found)?.to_ascii_lowercase();
    let refused = || {
        Wrong::new(
            "not a domain",
            "write the host alone, for example \"acme.bitrix24.com\"",
        )
    };
    if text.contains(['/', '@', '?', '#', '\\']) || text.contains(char::is_whitespace) {
        return Err(refused());
    }
    let url = Url::parse(&format!("https://{text}/")).map_err(|_| refused())?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(refused());
    }
    Ok(text)
}

/// The REST endpoint, with a final slash.
pub(super) fn endpoint(found: &Found<'_>, allow_insecure: bool) -> Result<Url, Wrong> {
    let text = values::text(found)?;
    let mut url = web_address(text)?;
    if is_webhook(&url) {
        return Err(Wrong::new(
            "this is an incoming webhook",
            "put it into incoming_webhook, and leave endpoint out",
        ));
    }
    secure(text, allow_insecure)?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// The endpoint of a portal that gives none.
pub(super) fn default_endpoint(domain: &str, allow_insecure: bool) -> Result<Url, Wrong> {
    let text = format!("https://{domain}/rest/");
    let url = web_address(&text)?;
    secure(&text, allow_insecure)?;
    Ok(url)
}

/// `https://{host}/rest/{user}/{code}/` on the host of `endpoint` (`None`: that one is wrong itself).
pub(super) fn incoming_webhook(secret: &Secret, endpoint: Option<&Url>, allow_insecure: bool) -> Result<Secret, Wrong> {
    let mut url = web_address(secret.expose())?;
    if !is_webhook(&url) {
        return Err(Wrong::new(
            "not the address of an incoming webhook",
            "copy it from the portal: https://{host}/rest/{user}/{code}/, without a method behind it",
        ));
    }
    secure(secret.expose(), allow_insecure)?;
    let place = |url: &Url| (url.host().map(|host| host.to_owned()), url.port_or_known_default());
    if endpoint.is_some_and(|endpoint| place(endpoint) != place(&url)) {
        return Err(Wrong::new(
            "the webhook is on another host than the portal's endpoint",
            "use the webhook of this portal, or correct domain or endpoint",
        ));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(Secret::new(url.as_str()))
}

/// Where the portal is told to send events.
pub(super) fn event_url(found: &Found<'_>) -> Result<String, Wrong> {
    let text = values::text(found)?;
    let url = Url::parse(text).map_err(|_| not_a_url())?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(not_a_url());
    }
    Ok(text.to_owned())
}

fn not_a_url() -> Wrong {
    Wrong::new(
        "not a web address",
        "write it as https://{host}/{path}, without user or password",
    )
}

fn web_address(text: &str) -> Result<Url, Wrong> {
    let url = Url::parse(text).map_err(|_| not_a_url())?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(not_a_url());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Wrong::new("an address with ? or #", "remove everything from there on"));
    }
    Ok(url)
}

fn is_webhook(url: &Url) -> bool {
    let mut parts: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    if parts.last() == Some(&"") {
        parts.pop();
    }
    match parts[..] {
        ["rest", user, code] => {
            user.bytes().all(|byte| byte.is_ascii_digit())
                && !user.is_empty()
                && !code.is_empty()
                && code
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        }
        _ => false,
    }
}

/// The endpoint rule, in the words of a configuration.
fn secure(text: &str, allow_insecure: bool) -> Result<(), Wrong> {
    endpoint::address(text, allow_insecure)
        .map(drop)
        .map_err(|unfit| match unfit {
            Unfit::NotHttps | Unfit::Private => Wrong::new(unfit.to_string(), INSECURE_HELP),
            Unfit::NotPlain => not_a_url(),
            _ => Wrong::new(
                unfit.to_string(),
                "write the portal's name as its users see it, with port 443 or one above 1023",
            ),
        })
}

/// The authorisation server of an application: a host, or with `allow_insecure` a whole address.
pub(super) fn auth_server(found: &Found<'_>, allow_insecure: bool) -> Result<String, Wrong> {
    let text = values::filled(found)?;
    let whole = if text.contains("://") && allow_insecure {
        text.trim_end_matches('/').to_owned()
    } else {
        format!("https://{}", text.to_ascii_lowercase())
    };
    match endpoint::address(&format!("{whole}/"), allow_insecure) {
        Ok(url) if url.path() == "/" => Ok(whole),
        _ => Err(Wrong::new(
            "not a host",
            "write the host alone, for example \"oauth.bitrix24.tech\"",
        )),
    }
}
