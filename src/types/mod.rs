//! Words of the domain, shared by every room: ids, secrets, time, text for people. No I/O, imports no other room.

mod attachment;
mod blocks;
mod clock;
mod draft;
mod fields;
mod ids;
mod keyboard;
mod markup;
mod priority;
mod refused;
mod secret;
mod source;
mod split;
mod tags;
mod words;

pub use attachment::Attachment;
pub use blocks::{Block, FileLink, GridRow, Image, Link, UserCard};
pub use clock::{Clock, Timestamp};
pub use draft::Draft;
pub(crate) use fields::{Fields, put};
pub use ids::{CallId, EventId, Lane, PortalId, TemplateId};
pub use keyboard::{Button, Keyboard};
pub use markup::Markup;
#[doc(hidden)]
pub use markup::{EscapePiece, Piece};
pub use priority::Priority;
pub use refused::{Reason, Refused};
pub(crate) use secret::is_credential_name;
pub(crate) use secret::{REDACTED, revealing};
pub use secret::{Secret, is_credential, reveal};
pub(crate) use source::SecretSource;
pub(crate) use words::words;
pub use words::{AvatarType, ColorToken, Device, Display, Layout};
