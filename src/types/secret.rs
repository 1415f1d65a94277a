//! Values that must not be seen: owns how they compare, print and serialize. Never logs, never stores.

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use std::cell::Cell;
use std::fmt;
use subtle::ConstantTimeEq;

/// What stands in a capture in place of a credential, followed by the name of its field. Never a credential itself.
pub(crate) const REDACTED: &str = "IMBOT_REDACTED_";

/// A credential. `Debug` and serialization give `***`; the memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a credential.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The credential itself. Every caller is a place to review.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Exact bytes, compared in a time that does not depend on where they differ (it does tell the length).
    #[must_use]
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.expose().as_bytes().ct_eq(presented).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose().as_bytes())
    }
}

impl Eq for Secret {}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if revealing() { self.expose() } else { "***" })
    }
}

thread_local! {
    static REVEALING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `serialize` on this thread with secrets in clear: the one function behind `decode --show-secrets`.
pub fn reveal<T>(serialize: impl FnOnce() -> T) -> T {
    struct Hide;
    impl Drop for Hide {
        fn drop(&mut self) {
            REVEALING.set(false);
        }
    }
    REVEALING.set(true);
    let _hide = Hide;
    serialize()
}

/// Whether this thread is inside [`reveal`]; free-form data asks before it redacts.
pub(crate) fn revealing() -> bool {
    REVEALING.get()
}

/// Names of credentials, in lower case and without separators.
const NAMES: [&str; 10] = [
    "accesstoken",
    "refreshtoken",
    "applicationtoken",
    "bottoken",
    "clientsecret",
    "authid",
    "refreshid",
    "apppassword",
    "webhookcode",
    "incomingwebhook",
];

/// Whether a field of this name holds a credential, in any spelling Bitrix24 uses: `access_token`, `ACCESS_TOKEN`,
/// `accessToken`, `botToken`, `bot_token`, `AUTH_ID` … Used to cut stored bodies and to redact free-form data.
#[must_use]
pub fn is_credential(name: &str) -> bool {
    is_credential_name(name.as_bytes())
}

/// The same for a name's bytes.
#[inline]
pub(crate) fn is_credential_name(name: &[u8]) -> bool {
    // Nothing shorter or much longer can be one of the names, however many separators it has; this bounds the work. Most
    // names are told by their ends, unless a separator stands there.
    let ([first, .., last], 6..=64) = (name, name.len()) else {
        return false;
    };
    let possible = match (first.to_ascii_lowercase(), last.to_ascii_lowercase()) {
        (b'a' | b'r' | b'b', b'n') | (b'a' | b'r', b'd') | (b'c', b't') | (b'w', b'e') | (b'i', b'k') => true,
        (first, last) => matches!(first, b'_' | b'-') || matches!(last, b'_' | b'-'),
    };
    possible && is_one_of_the_names(name)
}

fn is_one_of_the_names(name: &[u8]) -> bool {
    let mut folded = [0_u8; 16];
    let mut length = 0;
    for byte in name.iter().filter(|byte| !matches!(byte, b'_' | b'-')) {
        if length == folded.len() {
            return false;
        }
        folded[length] = byte.to_ascii_lowercase();
        length += 1;
    }
    NAMES.iter().any(|known| known.as_bytes() == &folded[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_only_stars_unless_revealed() {
        let secret = Secret::new("plain-text-marker");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert_eq!(
            reveal(|| serde_json::to_string(&secret).unwrap()),
            "\"plain-text-marker\""
        );
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
    }

    #[test]
    fn a_panic_inside_reveal_hides_again() {
        let _ = std::panic::catch_unwind(|| reveal(|| panic!("inside")));
        assert!(!revealing());
    }

    #[test]
    fn compares_exact_bytes() {
        let secret = Secret::new("abc");
        assert!(secret.matches(b"abc"));
        for other in [&b""[..], b"ab", b"abcd", b"ABC", b" abc"] {
            assert!(!secret.matches(other), "{other:?}");
        }
    }

    #[test]
    fn knows_credentials_in_every_spelling() {
        for name in [
            "access_token",
            "ACCESS_TOKEN",
            "accessToken",
            "botToken",
            "bot_token",
            "application_token",
            "AUTH_ID",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for known in NAMES {
            assert!(is_credential(known) && is_credential(&known.to_uppercase()), "{known}");
            for at in 0..=known.len() {
                let (before, behind) = known.split_at(at);
                for separated in [
                    format!("{before}_{behind}"),
                    format!("{before}-{}", behind.to_uppercase()),
                ] {
                    assert!(is_credential(&separated), "{separated}");
                }
            }
        }
        for name in [
            "token",
            "access",
            "expires",
            "user_id",
            "text",
            "",
            "access_token_of_somebody_else_entirely",
        ] {
            assert!(!is_credential(name), "{name}");
        }
    }
}
