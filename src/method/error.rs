//! Classes of errors: what kind of failure a code stands for. Owns what the code alone does not tell; decides no retry.

use super::ErrorCode;

/// What kind of failure it is, hence what can help.
/// Source: outbound rules, "What each failure means".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Not carried out, because too much was asked: again later.
    Limit,
    /// The identity or the bot's token was refused; an expired access token can be refreshed.
    Auth,
    /// Nothing that this identity sends can succeed until a person acts.
    Fatal,
    /// The bot is gone from the portal.
    BotGone,
    /// No right to this chat, message or method.
    Access,
    /// The call itself is wrong and always will be.
    Invalid,
    /// The portal is in trouble: again with growing pauses.
    Transient,
    /// Part of it was done: again may do it twice.
    Unknown,
}

impl ErrorClass {
    /// The name of the class.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Auth => "auth",
            Self::Fatal => "fatal",
            Self::BotGone => "bot_gone",
            Self::Access => "access",
            Self::Invalid => "invalid",
            Self::Transient => "transient",
            Self::Unknown => "unknown",
        }
    }
}

impl ErrorCode {
    /// The class with the help of `error_description`: `ACCESS_DENIED` means a chat without the bot, or a plan without
    /// REST, which stops everything.
    #[must_use]
    pub fn class_said(&self, description: &str) -> Option<ErrorClass> {
        match self {
            Self::AccessDenied if speaks_of_the_plan(description) => Some(ErrorClass::Fatal),
            code => code.class(),
        }
    }

    /// The class of an answer of the authorisation server, which gives `insufficient_scope` another meaning.
    #[must_use]
    pub const fn class_at_auth_server(&self) -> Option<ErrorClass> {
        match self {
            Self::InsufficientScope => Some(ErrorClass::Transient),
            code => code.class(),
        }
    }

    /// What the authorisation server means: its `error`, or without one its status (0 for no answer).
    #[must_use]
    pub fn of_auth_server(error: Option<&str>, status: u16) -> Self {
        match (error, status) {
            (Some(code), _) => Self::from(code),
            (None, 404) => Self::PortalUnknown,
            (None, 0 | 500..) => Self::AuthServerDown,
            (None, status) => Self::Other(format!("(HTTP {status})")),
        }
    }
}

fn speaks_of_the_plan(description: &str) -> bool {
    description.contains("commercial plans") || description.contains("by subscription")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_in_its_exact_case_and_a_strange_one_is_kept() {
        assert_eq!(ErrorCode::from("INVALID_REQUEST").class(), Some(ErrorClass::Fatal));
        assert_eq!(ErrorCode::from("invalid_request").class(), Some(ErrorClass::Transient));
        assert_eq!(ErrorCode::from("WRONG_CLIENT"), ErrorCode::WrongClient);
        let strange = ErrorCode::from("SOMETHING_NEW");
        assert_eq!((strange.as_str(), strange.class()), ("SOMETHING_NEW", None));
    }

    #[test]
    fn codes_are_told_apart_and_come_back() {
        for code in ErrorCode::ALL {
            assert_eq!(&ErrorCode::from(code.as_str()), code);
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(&serde_json::from_str::<ErrorCode>(&json).unwrap(), code);
        }
    }

    #[test]
    fn the_description_tells_plan_from_chat() {
        let plan = ErrorCode::AccessDenied.class_said("REST API is available only on commercial plans");
        assert_eq!(plan, Some(ErrorClass::Fatal));
        assert_eq!(
            ErrorCode::AccessDenied.class_said("Access denied"),
            Some(ErrorClass::Access)
        );
        assert_eq!(
            ErrorCode::BotNotFound.class_said("by subscription"),
            Some(ErrorClass::BotGone)
        );
    }

    #[test]
    fn the_authorisation_server_speaks_by_code_or_status() {
        assert_eq!(
            ErrorCode::of_auth_server(Some("invalid_grant"), 400),
            ErrorCode::InvalidGrant
        );
        assert_eq!(ErrorCode::of_auth_server(None, 404), ErrorCode::PortalUnknown);
        for status in [0, 500, 504] {
            assert_eq!(ErrorCode::of_auth_server(None, status), ErrorCode::AuthServerDown);
        }
        let scope = ErrorCode::InsufficientScope;
        assert_ne!(scope.class(), scope.class_at_auth_server());
    }
}
