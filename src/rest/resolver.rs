//! Names to addresses, checked: reqwest dials what this hands out, so the checked address is the one dialled and there
//! is no second look-up. Knows no portal.

use super::endpoint::is_special;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

/// Addresses of a name, found at some time.
pub(crate) type Found = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of a name.
pub(crate) trait Lookup: Send + Sync {
    /// Asks once.
    fn find(&self, name: &str) -> Found;
}

/// The machine's own resolver.
#[derive(Debug)]
pub(crate) struct System;

impl Lookup for System {
    fn find(&self, name: &str) -> Found {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name whose addresses no credential may be sent to.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to a private or special address")]
pub(super) struct PrivateAddress;

/// A look-up whose answers are checked, all of them.
#[derive(Clone)]
pub(super) struct Checked {
    pub(super) lookup: Arc<dyn Lookup>,
    /// What is refused; private ranges may be allowed.
    pub(super) refuses: fn(IpAddr) -> bool,
}

impl Checked {
    /// Refuses private and special ranges.
    pub(super) fn strict(lookup: Arc<dyn Lookup>) -> Self {
        let refuses = is_special;
        Self { lookup, refuses }
    }

    /// Refuses nothing: for portals with `allow_insecure`.
    pub(super) fn loose(lookup: Arc<dyn Lookup>) -> Self {
        Self {
            lookup,
            refuses: |_| false,
        }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, refuses) = (self.lookup.find(name.as_str()), self.refuses);
        Box::pin(async move {
            let found = found.await?;
            // One bad answer among good ones is how rebinding looks.
            if found.iter().any(|address| refuses(*address)) {
                return Err(PrivateAddress.into());
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
