//! The endpoint rule: to which addresses a credential may be sent. Pure: looks nothing up, opens nothing.
//!
//! An address is judged as it was written, before any parser repairs it: what a browser would forgive is a trick here.
//! Source: reliability rules on outgoing requests; outbound rules, "Transport rules".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// Why no credential may be sent to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// Not `https://{host}/…`, or with user, query, fragment, blanks, backslashes, dot segments.
    #[error("not a plain web address")]
    NotPlain,
    /// Without TLS.
    #[error("not https")]
    NotHttps,
    /// A port of another service.
    #[error("an odd port")]
    OddPort,
    /// A private or special range, or a name inside this machine or network.
    #[error("a private address")]
    Private,
    /// A number, an octal, a mapped address: a host that is not written as itself.
    #[error("a disguised address")]
    Disguised,
    /// Not the path at which Bitrix24 answers.
    #[error("not a REST endpoint")]
    NotRest,
    /// A host that is neither configured nor verified for this portal.
    #[error("another host than the portal's own")]
    Foreign,
}

/// Reads an address that credentials may be sent to. `insecure`: http and private addresses are allowed.
///
/// # Errors
/// [`Unfit`]; the text is not repeated, since it may be a webhook's.
pub(crate) fn address(text: &str, insecure: bool) -> Result<Url, Unfit> {
    let plain = |sign: char| sign.is_ascii_graphic() && !"\\@?#<>\"^`{|};".contains(sign);
    if text.is_empty() || !text.chars().all(plain) {
        return Err(Unfit::NotPlain);
    }
    let (scheme, rest) = text.split_once("://").ok_or(Unfit::NotPlain)?;
    match scheme.to_ascii_lowercase().as_str() {
        "https" => {}
        "http" if insecure => {}
        "http" => return Err(Unfit::NotHttps),
        _ => return Err(Unfit::NotPlain),
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let crooked = path.contains("//") || path.contains('%') || path.split('/').any(|part| part == "." || part == "..");
    if crooked || authority.contains('%') {
        return Err(Unfit::NotPlain);
    }
    let url = Url::parse(text).map_err(|_| Unfit::NotPlain)?;
    host_rule(&url, authority, insecure)?;
    match url.port_or_known_default() {
        Some(443) => Ok(url),
        Some(80) if insecure => Ok(url),
        Some(port) if port >= 1024 => Ok(url),
        _ => Err(Unfit::OddPort),
    }
}

fn host_rule(url: &Url, authority: &str, insecure: bool) -> Result<(), Unfit> {
    let written = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty() => host,
        _ => authority,
    };
    // The parser turns 2130706433, 0177.1 and ::ffff:7f00:1 into what they mean: then they read differently.
    if !url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(written)) {
        return Err(Unfit::Disguised);
    }
    let private = match url.host() {
        Some(Host::Domain(name)) => {
            if name.ends_with('.') {
                return Err(Unfit::Disguised);
            }
            let inside = ["localhost", "local", "internal", "home.arpa", "lan"];
            !name.contains('.')
                || inside.iter().any(|zone| {
                    name.strip_suffix(zone)
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                })
        }
        Some(Host::Ipv4(address)) => is_special(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) if address.to_ipv4_mapped().is_some() => return Err(Unfit::Disguised),
        Some(Host::Ipv6(address)) => is_special(IpAddr::V6(address)),
        None => return Err(Unfit::NotPlain),
    };
    if private && !insecure {
        return Err(Unfit::Private);
    }
    Ok(())
}

/// The endpoint that the authorisation server tells of a portal: `https://{domain}/rest/` and nothing else.
///
/// # Errors
/// [`Unfit`], also where the endpoint is on another host than `domain`, the portal's name in the same answer.
pub(crate) fn verified(endpoint: &str, domain: &str, insecure: bool) -> Result<Url, Unfit> {
    let url = address(endpoint, insecure)?;
    if url.path() != "/rest/" {
        return Err(Unfit::NotRest);
    }
    // Either may leave the default port out.
    let own = address(&format!("{}://{}/rest/", url.scheme(), domain.trim()), insecure)?;
    if place(&own) != place(&url) {
        return Err(Unfit::Foreign);
    }
    Ok(url)
}

/// Where a renamed portal sends a request on to: `location` of its answer, for a request to `from`.
///
/// The path must be the same. The new host must be configured (`known`), or both hosts must be of the Bitrix24 cloud,
/// or only the port may change on a portal that may be insecure.
///
/// # Errors
/// [`Unfit`]: the request is not repeated there.
pub(crate) fn moved(from: &Url, location: &str, insecure: bool, known: impl Fn(&str) -> bool) -> Result<Url, Unfit> {
    let to = address(location, insecure)?;
    if to.path() != from.path() {
        return Err(Unfit::NotRest);
    }
    if place(&to) == place(from) {
        return Err(Unfit::Foreign);
    }
    let (old, new) = (from.host_str().unwrap_or_default(), to.host_str().unwrap_or_default());
    let default_port = to.port().is_none() || to.port() == from.port();
    let fits = known(&authority(&to))
        || (default_port && is_cloud(old) && is_cloud(new))
        || (insecure && from.scheme() == "http" && old == new);
    if fits { Ok(to) } else { Err(Unfit::Foreign) }
}

/// Host and port as configured domains write them: the default port is left out.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn place(url: &Url) -> (Option<&str>, Option<u16>) {
    (url.host_str(), url.port_or_known_default())
}

/// A portal of the Bitrix24 cloud: one label below one of its zones.
fn is_cloud(host: &str) -> bool {
    const ZONES: [&str; 26] = [
        "bitrix24.com",
        "bitrix24.ru",
        "bitrix24.de",
        "bitrix24.eu",
        "bitrix24.fr",
        "bitrix24.es",
        "bitrix24.it",
        "bitrix24.pl",
        "bitrix24.in",
        "bitrix24.ua",
        "bitrix24.by",
        "bitrix24.kz",
        "bitrix24.uz",
        "bitrix24.com.br",
        "bitrix24.com.tr",
        "bitrix24.cn",
        "bitrix24.vn",
        "bitrix24.jp",
        "bitrix24.id",
        "bitrix24.uk",
        "bitrix24.mx",
        "bitrix24.co",
        "bitrix24.net",
        "bitrix24.tech",
        "bitrix24.site",
        "bitrix24.ae",
    ];
    let Some((label, zone)) = host.split_once('.') else {
        return false;
    };
    !label.is_empty() && ZONES.contains(&zone)
}

/// Whether an address is of no use outside its own machine or network, or is reserved: no credential goes there.
pub(crate) fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> bool {
    const RANGES: [(u32, u32); 15] = [
        (0x0000_0000, 8),  // this network
        (0x0A00_0000, 8),  // private
        (0x6440_0000, 10), // carrier NAT
        (0x7F00_0000, 8),  // loopback
        (0xA9FE_0000, 16), // link local, metadata services
        (0xAC10_0000, 12), // private
        (0xC000_0000, 24), // protocol assignments
        (0xC000_0200, 24), // documentation
        (0xC058_6300, 24), // 6to4 relays
        (0xC0A8_0000, 16), // private
        (0xC612_0000, 15), // benchmarks
        (0xC633_6400, 24), // documentation
        (0xCB00_7100, 24), // documentation
        (0xE000_0000, 4),  // multicast
        (0xF000_0000, 4),  // reserved, broadcast
    ];
    let bits = u32::from(address);
    RANGES
        .iter()
        .any(|(range, length)| (bits ^ range) >> (32 - length) == 0)
}

fn special_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return special_v4(mapped);
    }
    let parts = address.segments();
    let embedded = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match parts {
        // NAT64: what it stands for counts.
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => special_v4(embedded(high, low)),
        // Teredo, ORCHID and other assignments; documentation; 6to4; documentation.
        [0x2001, second, ..] if second < 0x0200 || second == 0x0db8 => true,
        [0x2002, ..] => true,
        [0x3fff, second, ..] if second < 0x1000 => true,
        // Everything else that is global begins with 001.
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hostile_endpoint_is_verified_and_none_is_moved_to() {
        let from = Url::parse("https://acme.bitrix24.com/rest/imbot.v2.Bot.get").unwrap();
        for (endpoint, domain) in crate::rest::watched::hostile() {
            assert!(verified(&endpoint, &domain, false).is_err(), "{endpoint}");
            assert!(moved(&from, &endpoint, false, |_| false).is_err(), "{endpoint}");
            let with_method = format!("{endpoint}imbot.v2.Bot.get");
            assert!(moved(&from, &with_method, false, |_| false).is_err(), "{with_method}");
        }
        assert!(verified("https://acme.bitrix24.com/rest/", "acme.bitrix24.com", false).is_ok());
        assert!(
            verified(
                "https://b24.initech.example:8443/rest/",
                "b24.initech.example:8443",
                false
            )
            .is_ok()
        );
        assert!(verified("https://b24.initech.example:8443/rest/", "b24.initech.example", false).is_err());
    }

    #[test]
    fn tricks_with_addresses_are_seen_through() {
        for (text, why) in [
            ("https://user@acme.bitrix24.com/rest/", Unfit::NotPlain),
            ("https://acme.bitrix24.com/rest/?a=b", Unfit::NotPlain),
            ("https://acme.bitrix24.com/rest/#a", Unfit::NotPlain),
            ("https:\\\\acme.bitrix24.com/rest/", Unfit::NotPlain),
            ("https:acme.bitrix24.com/rest/", Unfit::NotPlain),
            (" https://acme.bitrix24.com/rest/", Unfit::NotPlain),
            ("https://acme.bitrix24\t.com/rest/", Unfit::NotPlain),
            ("https://acme.bitrix24.com/re%73t/", Unfit::NotPlain),
            ("https://acme.bitrix24.com/rest/%2e%2e/", Unfit::NotPlain),
            ("https://acme.bitrix24.com/rest;a/", Unfit::NotPlain),
            ("https://b\u{fc}ro.example/rest/", Unfit::NotPlain),
            ("http://acme.bitrix24.com/rest/", Unfit::NotHttps),
            ("ftp://acme.bitrix24.com/rest/", Unfit::NotPlain),
            ("https://acme.bitrix24.com./rest/", Unfit::Disguised),
            ("https://0x7f000001/rest/", Unfit::Disguised),
            ("https://0177.0.0.1/rest/", Unfit::Disguised),
            ("https://127.1/rest/", Unfit::Disguised),
            ("https://[::ffff:8.8.8.8]/rest/", Unfit::Disguised),
            ("https://[::ffff:7f00:1]/rest/", Unfit::Disguised),
            ("https://127.0.0.1/rest/", Unfit::Private),
            ("https://[::1]/rest/", Unfit::Private),
            ("https://localhost/rest/", Unfit::Private),
            ("https://a.localhost/rest/", Unfit::Private),
            ("https://metadata.google.internal/rest/", Unfit::Private),
            ("https://portal/rest/", Unfit::Private),
            ("https://acme.bitrix24.com:22/rest/", Unfit::OddPort),
            ("https://acme.bitrix24.com:80/rest/", Unfit::OddPort),
        ] {
            assert_eq!(address(text, false), Err(why), "{text}");
        }
        for text in [
            "https://acme.bitrix24.com/rest/",
            "https://b24.example:8443/rest/",
            "https://8.8.8.8/rest/",
        ] {
            assert!(address(text, false).is_ok(), "{text}");
        }
        for text in [
            "http://127.0.0.1:9000/rest/",
            "http://portal/rest/",
            "https://10.0.0.7/rest/",
        ] {
            assert!(address(text, true).is_ok(), "{text}");
        }
        assert_eq!(
            address("http://2130706433/rest/", true),
            Err(Unfit::Disguised),
            "a trick even there"
        );
    }

    #[test]
    fn a_portal_moves_inside_the_cloud_or_to_a_configured_host() {
        let follow = |from: &str, to: &str, insecure| {
            let from = Url::parse(from).unwrap();
            moved(&from, to, insecure, |host| host == "b24.initech.example:8443").map(|url| authority(&url))
        };
        let old = "https://acme.bitrix24.com/rest/1/code/m";
        let path = "/rest/1/code/m";
        assert_eq!(
            follow(old, &format!("https://acme-2.bitrix24.eu{path}"), false).as_deref(),
            Ok("acme-2.bitrix24.eu")
        );
        let known = follow(old, &format!("https://b24.initech.example:8443{path}"), false);
        assert_eq!(known.as_deref(), Ok("b24.initech.example:8443"));
        for to in [
            "https://evil.example",
            "https://bitrix24.com",
            "https://a.b.bitrix24.com",
            "https://x.bitrix24.com:8443",
        ] {
            assert_eq!(follow(old, &format!("{to}{path}"), false), Err(Unfit::Foreign), "{to}");
        }
        assert_eq!(follow(old, &format!("{old}/more"), false), Err(Unfit::NotRest));
        assert_eq!(follow(old, old, false), Err(Unfit::Foreign), "a circle");
        let loose = "http://127.0.0.1:8000/rest/1/code/m";
        assert!(follow(loose, &format!("http://127.0.0.1:8001{path}"), true).is_ok());
        assert_eq!(
            follow(loose, &format!("http://10.0.0.1:8001{path}"), true),
            Err(Unfit::Foreign)
        );
    }

    #[test]
    fn special_ranges_are_known() {
        let special = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.53",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.0.1",
            "198.19.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in special {
            assert!(is_special(text.parse().unwrap()), "{text}");
        }
        for text in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "2a00:1450::1",
            "64:ff9b::808:808",
            "::ffff:8.8.8.8",
        ] {
            assert!(!is_special(text.parse().unwrap()), "{text}");
        }
    }
}
