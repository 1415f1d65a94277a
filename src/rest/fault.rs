//! What a failed call means: its class, whether it may have been carried out. Knows Bitrix24's codes; decides no time.
//!
//! The `error` code is looked at before the HTTP status: portals disagree about statuses, and error pages may be HTML.
//! Source: outbound rules, "What each failure means".

use crate::method::{ErrorClass, ErrorCode};
use std::fmt;
use std::time::Duration;

/// What kind of failure it is, hence what can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// The portal's request counter is over its limit: the whole portal waits.
    Limit,
    /// This method has used up its operating time for this identity.
    OperatingTime,
    /// The access token is out of date.
    Expired,
    /// The identity is refused: nothing it sends can succeed until an operator acts.
    Identity,
    /// This bot's token or ownership is refused.
    Bot,
    /// The bot is gone from the portal.
    BotGone,
    /// No right to this chat or method.
    Access,
    /// The request itself is wrong; it will always be.
    Invalid,
    /// The portal or the way to it is in trouble.
    Transient,
    /// The portal has recorded the message's template id but not the message.
    Sending,
}

impl Class {
    /// All of them, for the guide.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) const ALL: [Self; 10] = [
        Self::Limit,
        Self::OperatingTime,
        Self::Expired,
        Self::Identity,
        Self::Bot,
        Self::BotGone,
        Self::Access,
        Self::Invalid,
        Self::Transient,
        Self::Sending,
    ];

    /// The metric label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::OperatingTime => "operating_time",
            Self::Expired => "expired_token",
            Self::Identity => "identity",
            Self::Bot => "bot",
            Self::BotGone => "bot_gone",
            Self::Access => "access",
            Self::Invalid => "invalid",
            Self::Transient => "transient",
            Self::Sending => "sending",
        }
    }
}

/// Whether the portal may have carried the call out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Executed {
    /// Surely not.
    No,
    /// Nobody knows.
    Unknown,
}

/// A call that failed. Holds the portal's code, never its free text and never a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) class: Class,
    pub(crate) executed: Executed,
    /// Bitrix24's code, or one of ours in lower case (`timeout`, `connect`, `no_json` …).
    pub(crate) code: String,
    /// 0 if there was no answer.
    pub(crate) status: u16,
    /// What a `Retry-After` header asked for.
    pub(crate) retry_after: Option<Duration>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if self.status > 0 {
            write!(f, " (HTTP {})", self.status)?;
        }
        if self.executed == Executed::Unknown {
            f.write_str(", outcome unknown")?;
        }
        Ok(())
    }
}

impl Fault {
    /// A failure on the way, without an answer.
    pub(crate) fn transport(code: &str, executed: Executed) -> Self {
        Self {
            class: Class::Transient,
            executed,
            code: code.to_owned(),
            status: 0,
            retry_after: None,
        }
    }

    /// An answer that is no JSON: a proxy's page, a limit page, a cut text.
    pub(crate) fn unreadable(status: u16) -> Self {
        let (class, executed) = match status {
            429 | 503 => (Class::Limit, Executed::No),
            401 | 403 => (Class::Access, Executed::No),
            404 | 405 | 413 => (Class::Invalid, Executed::No),
            // A redirect was not followed, so nothing was carried out; the portal may have moved.
            300..=399 => (Class::Transient, Executed::No),
            _ => (Class::Transient, Executed::Unknown),
        };
        Self {
            class,
            executed,
            code: "no_json".to_owned(),
            status,
            retry_after: None,
        }
    }

    /// An answer with an `error` code.
    pub(crate) fn coded(code: &str, description: &str, status: u16) -> Self {
        let known = ErrorCode::from(code);
        let class = classify(&known, description, status);
        let executed = carried_out(&known, class);
        // A code is short and of fixed alphabet; anything else is not repeated into logs.
        let plain = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let code = if plain {
            code.to_owned()
        } else {
            "unreadable_code".to_owned()
        };
        Self {
            class,
            executed,
            code,
            status,
            retry_after: None,
        }
    }
}

/// What the catalogue says of the code, in the finer terms of who has to stop.
fn classify(code: &ErrorCode, description: &str, status: u16) -> Class {
    match code {
        ErrorCode::OperationTimeLimit => return Class::OperatingTime,
        ErrorCode::ExpiredToken | ErrorCode::InvalidToken | ErrorCode::ErrorOauth => return Class::Expired,
        ErrorCode::BotOwnershipError | ErrorCode::BotTokenNotSpecified => return Class::Bot,
        ErrorCode::SendingFailed | ErrorCode::MessageDuplicatedByUuid => return Class::Sending,
        // About the one call and its method: the identity is good for others.
        ErrorCode::AppIdError | ErrorCode::AuthError | ErrorCode::ScopeError => return Class::Access,
        // Nearly always a right to answer that has run out, and that does not come back.
        ErrorCode::CommandAnswerFailed => return Class::Invalid,
        _ => {}
    }
    match code.class_said(description) {
        Some(ErrorClass::Limit) => Class::Limit,
        Some(ErrorClass::Auth | ErrorClass::Fatal) => Class::Identity,
        Some(ErrorClass::BotGone) => Class::BotGone,
        Some(ErrorClass::Access) => Class::Access,
        Some(ErrorClass::Invalid) => Class::Invalid,
        Some(ErrorClass::Transient | ErrorClass::Unknown) => Class::Transient,
        None if status >= 500 => Class::Transient,
        None => Class::Invalid,
    }
}

/// Whether a call that failed so may have been carried out.
fn carried_out(code: &ErrorCode, class: Class) -> Executed {
    match code {
        // Said before anything is done: the folder did not open, an administrator has not confirmed.
        ErrorCode::FolderError | ErrorCode::FileFolderError | ErrorCode::MethodConfirmWaiting => Executed::No,
        _ if class == Class::Transient => Executed::Unknown,
        _ => Executed::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides_before_the_status() {
        for (code, status, class) in [
            ("QUERY_LIMIT_EXCEEDED", 503, Class::Limit),
            ("QUERY_LIMIT_EXCEEDED", 429, Class::Limit),
            ("OVERLOAD_LIMIT", 503, Class::Identity),
            ("OPERATION_TIME_LIMIT", 429, Class::OperatingTime),
            ("expired_token", 401, Class::Expired),
            ("BOT_OWNERSHIP_ERROR", 400, Class::Bot),
            ("BOT_NOT_FOUND", 400, Class::BotGone),
            ("EMPTY_MESSAGE", 400, Class::Invalid),
            ("COMMAND_ANSWER_FAILED", 400, Class::Invalid),
            ("SENDING_FAILED", 400, Class::Sending),
            ("SCOPE_ERROR", 400, Class::Access),
            ("NOT_INSTALLED", 401, Class::Identity),
            ("authorization_error", 401, Class::Identity),
            ("ERROR_OAUTH", 401, Class::Expired),
            ("FILE_SEND_FAILED", 400, Class::Transient),
            ("INTERNAL_SERVER_ERROR", 500, Class::Transient),
            ("SOMETHING_NEW", 500, Class::Transient),
            ("SOMETHING_NEW", 400, Class::Invalid),
        ] {
            assert_eq!(Fault::coded(code, "", status).class, class, "{code} {status}");
        }
    }

    #[test]
    fn access_denied_tells_plan_from_chat() {
        let plan = Fault::coded("ACCESS_DENIED", "REST API is available only on commercial plans", 403);
        assert_eq!(plan.class, Class::Identity);
        assert_eq!(Fault::coded("ACCESS_DENIED", "Access denied", 400).class, Class::Access);
    }

    #[test]
    fn only_trouble_inside_the_portal_leaves_the_outcome_unknown() {
        assert_eq!(
            Fault::coded("INTERNAL_SERVER_ERROR", "", 500).executed,
            Executed::Unknown
        );
        assert_eq!(Fault::coded("QUERY_LIMIT_EXCEEDED", "", 503).executed, Executed::No);
        assert_eq!(Fault::coded("FILE_SEND_FAILED", "", 400).executed, Executed::Unknown);
        assert_eq!(Fault::coded("FILE_FOLDER_ERROR", "", 400).executed, Executed::No);
        assert_eq!(Fault::unreadable(503).executed, Executed::No);
        assert_eq!(Fault::unreadable(502).executed, Executed::Unknown);
        assert_eq!(Fault::unreadable(200).executed, Executed::Unknown);
        assert_eq!(Fault::unreadable(302).executed, Executed::No);
    }

    #[test]
    fn a_strange_code_does_not_reach_the_logs() {
        let fault = Fault::coded("token=abc; drop", "", 400);
        assert_eq!(fault.to_string(), "unreadable_code (HTTP 400)");
    }
}
