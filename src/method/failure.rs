//! Why a call brought no reply, for the author of a bot. Owns the wording; decides nothing.

use super::{ErrorClass, ErrorCode, Refused};

/// A call that brought no reply: of a question ([`Ctx::ask`](crate::Ctx::ask)), or told later by
/// [`CallSettled`](crate::CallSettled). With `?` a handler is tried again later.
///
/// ```
/// use imbot::method::{CallError, ErrorClass, ErrorCode};
/// fn why(error: &CallError) -> &'static str {
///     match error {
///         CallError::Portal(ErrorCode::AccessDenied) => "I am not in that chat.",
///         error if error.class() == Some(ErrorClass::Invalid) => "I asked the wrong thing.",
///         CallError::Unknown(_) => "It may be done, and may be not.",
///         _ => "Try later.",
///     }
/// }
/// assert_eq!(why(&CallError::Portal(ErrorCode::AccessDenied)), "I am not in that chat.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// A parameter that the portal would refuse; nothing was sent.
    #[error("{0}")]
    Refused(Refused),
    /// The portal answered with this error and did not carry the call out.
    #[error("the portal answered {}", .0.as_str())]
    Portal(ErrorCode),
    /// Nobody knows whether the portal carried it out: its code, or how the connection ended (`timeout`).
    #[error("nobody knows whether the portal did it ({})", .0.as_str())]
    Unknown(ErrorCode),
    /// It was not carried out, and the portal is not the reason: `no_budget`, `no_identity`, `parked`, `busy`, `stopping`,
    /// `connect`, `expired`, `earlier_part_failed` …
    #[error("the call was not made ({0})")]
    NotMade(String),
    /// The portal did it, but its reply cannot be read as the type asked for.
    #[error("the reply cannot be read: {0}")]
    Unreadable(String),
}

impl CallError {
    /// The error of a call that ended with `code`: the portal's, or one of ours in lower case.
    #[must_use]
    pub(crate) fn of(code: &str, unknown: bool) -> Self {
        let read = ErrorCode::from(code);
        if unknown {
            return Self::Unknown(read);
        }
        // The portal's own lower-case codes (`expired_token`) are all in the catalogue.
        let ours = matches!(&read, ErrorCode::Other(code) if !code.bytes().any(|byte| byte.is_ascii_uppercase()));
        if ours {
            Self::NotMade(code.to_owned())
        } else {
            Self::Portal(read)
        }
    }

    /// The portal's code, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        match self {
            Self::Portal(code) | Self::Unknown(code) => Some(code),
            Self::Refused(_) | Self::NotMade(_) | Self::Unreadable(_) => None,
        }
    }

    /// What kind of failure the portal's code stands for.
    #[must_use]
    pub fn class(&self) -> Option<ErrorClass> {
        self.code().and_then(ErrorCode::class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_portal_and_words_of_ours_are_told_apart() {
        assert_eq!(
            CallError::of("ACCESS_DENIED", false),
            CallError::Portal(ErrorCode::AccessDenied)
        );
        assert_eq!(
            CallError::of("expired_token", false),
            CallError::Portal(ErrorCode::ExpiredToken)
        );
        assert_eq!(
            CallError::of("SOMETHING_NEW", false).class(),
            None,
            "a new code is kept, without a class"
        );
        assert_eq!(
            CallError::of("no_identity", false),
            CallError::NotMade("no_identity".into())
        );
        let unknown = CallError::of("timeout", true);
        assert_eq!(unknown.code().map(ErrorCode::as_str), Some("timeout"));
    }
}
