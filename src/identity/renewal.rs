//! What can be done about credentials that have expired. Plain data.

use std::time::Duration;

/// The answer to [`Identities::expired`](super::Identities::expired).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// Newer credentials exist: ask for them and try at once.
    Again,
    /// The authorisation server is in trouble: try after this pause.
    Later(Duration),
    /// There will be none until somebody acts; the text says what to do. Park the identity.
    Refused(String),
}
