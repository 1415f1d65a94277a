//! Identifiers that rooms hand to each other. Owns their meaning and their text forms; never looks anything up.

use sha2::{Digest, Sha256};
use std::fmt;

/// A configured portal, numbered by the store when the program starts. Stable for the life of a store folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortalId(pub i64);

/// An accepted event: its number in the inbox. Grows with the order of acceptance and is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub i64);

/// A queued REST call: its number in the outbox. Grows with the order of queueing and is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub i64);

impl fmt::Display for PortalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What runs one at a time and in order: one dialog of one bot of one portal, as a 64-bit digest.
///
/// Two dialogs that share a digest would only wait for each other, so 64 bits are plenty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(pub i64);

impl Lane {
    /// The lane of `dialog` (for example `chat112`, `27`, or `""` for events of a bot without a dialog).
    #[must_use]
    pub fn of(portal: PortalId, bot: i64, dialog: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(portal.0.to_be_bytes());
        hash.update(bot.to_be_bytes());
        hash.update(dialog.as_bytes());
        Self(i64::from_be_bytes(first_eight(&hash.finalize())))
    }
}

fn first_eight(digest: &[u8]) -> [u8; 8] {
    let mut eight = [0; 8];
    eight.copy_from_slice(&digest[..8]);
    eight
}

/// `fields.templateId` of a message: a lower-case UUIDv4 by which a portal recognises a repeated send.
///
/// Derived, not random: the same event and step give the same id after any crash.
/// Source: outbound rules, "Idempotency and ordering" (a portal ignores other UUID versions and upper case).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TemplateId(String);

impl TemplateId {
    /// The id of part `part` (0, 1, …) of step `step` of the event or caller's key identified by `origin`; `salt` is the
    /// store's own random secret.
    #[must_use]
    pub fn derive(salt: &[u8], origin: &[u8], step: u32, part: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update((salt.len() as u64).to_be_bytes());
        hash.update(salt);
        hash.update((origin.len() as u64).to_be_bytes());
        hash.update(origin);
        hash.update(step.to_be_bytes());
        hash.update(part.to_be_bytes());
        let mut id = [0_u8; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        id[6] = (id[6] & 0x0f) | 0x40;
        id[8] = (id[8] & 0x3f) | 0x80;
        let mut text = String::with_capacity(36);
        for (at, byte) in id.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        Self(text)
    }

    /// An id that was derived before and has been kept since.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Whether a portal would take `text` for such an id: others it ignores, and then a repeat is shown twice.
    pub(crate) fn is_one(text: &str) -> bool {
        let sign = |(at, byte): (usize, u8)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'4',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        };
        text.len() == 36 && text.bytes().enumerate().all(sign)
    }

    /// The text as it goes over the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_id_is_a_lower_case_uuid_v4_and_stable() {
        let id = TemplateId::derive(b"salt", b"event", 1, 0);
        let text = id.as_str();
        assert_eq!(text.len(), 36);
        assert_eq!(&text[14..15], "4", "version nibble");
        assert!("89ab".contains(&text[19..20]), "variant nibble");
        assert_eq!(text, text.to_lowercase());
        assert!(TemplateId::is_one(text));
        assert!(!TemplateId::is_one(&text.to_uppercase()) && !TemplateId::is_one(&text[1..]));
        assert_eq!(id, TemplateId::derive(b"salt", b"event", 1, 0));
    }

    #[test]
    fn salt_event_step_and_part_each_change_it() {
        let base = TemplateId::derive(b"salt", b"event", 1, 0);
        assert_ne!(base, TemplateId::derive(b"salu", b"event", 1, 0));
        assert_ne!(base, TemplateId::derive(b"salt", b"evens", 1, 0));
        assert_ne!(base, TemplateId::derive(b"salt", b"event", 2, 0));
        assert_ne!(base, TemplateId::derive(b"salt", b"event", 1, 1));
        assert_ne!(
            TemplateId::derive(b"ab", b"c", 0, 0),
            TemplateId::derive(b"a", b"bc", 0, 0)
        );
    }

    #[test]
    fn lanes_differ_by_portal_bot_and_dialog() {
        let lane = Lane::of(PortalId(1), 456, "27");
        assert_eq!(lane, Lane::of(PortalId(1), 456, "27"));
        assert_ne!(lane, Lane::of(PortalId(2), 456, "27"));
        assert_ne!(lane, Lane::of(PortalId(1), 457, "27"));
        assert_ne!(lane, Lane::of(PortalId(1), 456, "chat27"));
    }
}
