//! Words of the domain, shared by every room: ids, secrets, time, text for people. No I/O, imports no other room.

mod clock;
mod draft;
mod ids;
mod markup;
mod secret;

pub use clock::{Clock, Timestamp};
pub use draft::{Button, Draft, Keyboard};
pub use ids::{CallId, EventId, Lane, PortalId, TemplateId};
pub use markup::Markup;
#[doc(hidden)]
pub use markup::{EscapePiece, Piece};
pub(crate) use secret::revealing;
pub use secret::{Secret, is_credential, reveal};
