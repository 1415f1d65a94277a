//! The install door's limits: how large a body may be, and how often one source may knock. Stores nothing.

use crate::types::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bytes of an installation's body; a real one has about one and a half thousand.
pub(super) const LARGEST: usize = 16 * 1024;
/// One source may knock once in this time.
const PAUSE: Duration = Duration::from_secs(1);
/// Sources remembered at once; beyond it nobody new may knock until some are forgotten.
const SOURCES: usize = 1024;

/// Who knocked lately.
#[derive(Debug, Default)]
pub(crate) struct Knocks(Mutex<HashMap<Option<IpAddr>, Timestamp>>);

impl Knocks {
    /// Whether this source may knock now; then it may not for a second.
    pub(super) fn permit(&self, source: Option<IpAddr>, now: Timestamp) -> bool {
        let source = source.map(network);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SOURCES {
            known.retain(|_, at| now.since(*at) < PAUSE);
        }
        let recent = known.get(&source).is_some_and(|at| now.since(*at) < PAUSE);
        if recent || known.len() >= SOURCES {
            return false;
        }
        known.insert(source, now);
        true
    }
}

/// A household of IPv6 addresses is one source.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_may_knock_once_a_second() {
        let knocks = Knocks::default();
        let from = |text: &str| Some(text.parse().unwrap());
        assert!(knocks.permit(from("8.8.8.8"), Timestamp(0)));
        assert!(!knocks.permit(from("::ffff:8.8.8.8"), Timestamp(999)));
        assert!(knocks.permit(from("8.8.4.4"), Timestamp(999)));
        assert!(knocks.permit(from("8.8.8.8"), Timestamp(1000)));
        assert!(knocks.permit(from("2a00::1"), Timestamp(0)));
        assert!(!knocks.permit(from("2a00::2"), Timestamp(0)), "of the same network");
        assert!(knocks.permit(None, Timestamp(0)) && !knocks.permit(None, Timestamp(0)));
    }

    #[test]
    fn what_is_remembered_of_sources_is_bounded() {
        let knocks = Knocks::default();
        let source = |number: u32| Some(IpAddr::from(number.to_be_bytes()));
        let let_in = (0..2_000)
            .filter(|number| knocks.permit(source(*number), Timestamp(0)))
            .count();
        assert_eq!(let_in, SOURCES);
        assert!(
            knocks.permit(source(5_000), Timestamp(1_000)),
            "the old ones are forgotten"
        );
    }
}
