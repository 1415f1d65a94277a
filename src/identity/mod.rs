//! Who we are at each portal: the portals served now, configured or installed, and the credentials of each call.
//! Imports `types`, `telemetry`, `event`, `store`, `rest`; decides no pace and no queue, and never gives an author's token.

mod changes;
mod holding;
mod identities;
mod installs;
mod operator;
mod proof;
mod renewal;
mod rotation;
mod site;
mod switching;
mod table;
#[cfg(test)]
mod tests;
mod twins;
mod unchanged;
mod work;
mod written;

pub(crate) use changes::Changes;
pub(crate) use identities::{Identities, Setup};
pub(crate) use operator::Unaccepted;
pub(crate) use renewal::Renewal;
pub(crate) use site::{Admission, AppBot, Application, Site, SiteBot};
pub(crate) use twins::event_key;
pub(crate) use unchanged::Unchanged;
