//! A block of addresses such as `10.0.0.0/8`. Owns its text form and membership; imports nothing.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An IP network: an address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    address: IpAddr,
    prefix: u8,
}

impl Net {
    /// Whether `peer` lies inside. An IPv4 peer seen through an IPv6 socket (`::ffff:a.b.c.d`) counts as IPv4.
    pub(crate) fn contains(&self, peer: IpAddr) -> bool {
        match (self.address, peer.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(peer)) => {
                let shift = 32 - u32::from(self.prefix);
                (u32::from(net) ^ u32::from(peer)).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(peer)) => {
                let shift = 128 - u32::from(self.prefix);
                (u128::from(net) ^ u128::from(peer)).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Net {
    type Err = ();

    /// `address/bits`, or an address alone, which is itself only.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |bits| bits.parse().map_err(|_| ()))?;
        if prefix > longest {
            return Err(());
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(net: &str, peer: &str) -> bool {
        net.parse::<Net>().unwrap().contains(peer.parse().unwrap())
    }

    #[test]
    fn a_net_holds_exactly_its_addresses() {
        assert!(inside("127.0.0.1/32", "127.0.0.1"));
        assert!(!inside("127.0.0.1/32", "127.0.0.2"));
        assert!(inside("10.0.0.0/8", "10.255.0.9"));
        assert!(!inside("10.0.0.0/8", "11.0.0.1"));
        assert!(inside("0.0.0.0/0", "203.0.113.9"));
        assert!(inside("::/0", "2001:db8::1"));
        assert!(!inside("0.0.0.0/0", "2001:db8::1"), "the families are apart");
        assert!(inside("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!inside("2001:db8::/32", "2001:db9::1"));
        assert!(inside("10.0.0.0/8", "::ffff:10.1.2.3"), "mapped addresses are IPv4");
    }

    #[test]
    fn an_address_alone_is_itself_only() {
        assert_eq!("192.0.2.7".parse::<Net>().unwrap().to_string(), "192.0.2.7/32");
        assert_eq!("::1".parse::<Net>().unwrap().to_string(), "::1/128");
    }

    #[test]
    fn what_is_no_net_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0/8",
            "localhost",
            "::1/129",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Net>().is_err(), "{text}");
        }
    }
}
