//! What a failed call means: its class, whether it may have been carried out. Knows Bitrix24's codes; decides no time.
//!
//! The `error` code is looked at before the HTTP status: portals disagree about statuses, and error pages may be HTML.
//! Source: outbound rules, "What each failure means".

use std::fmt;

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
        }
    }

    /// An answer with an `error` code.
    pub(crate) fn coded(code: &str, description: &str, status: u16) -> Self {
        let class = classify(code, description, status);
        let executed = match class {
            Class::Transient => Executed::Unknown,
            _ => Executed::No,
        };
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
        }
    }
}

fn classify(code: &str, description: &str, status: u16) -> Class {
    match code {
        "QUERY_LIMIT_EXCEEDED" => Class::Limit,
        "OPERATION_TIME_LIMIT" => Class::OperatingTime,
        "expired_token" | "invalid_token" => Class::Expired,
        "NO_AUTH_FOUND"
        | "INVALID_CREDENTIALS"
        | "insufficient_scope"
        | "APPLICATION_NOT_FOUND"
        | "PAYMENT_REQUIRED"
        | "PORTAL_DELETED"
        | "OVERLOAD_LIMIT"
        | "user_access_error"
        | "INVALID_REQUEST" => Class::Identity,
        "BOT_OWNERSHIP_ERROR" | "BOT_TOKEN_NOT_SPECIFIED" => Class::Bot,
        "BOT_NOT_FOUND" | "BOT_ID_ERROR" => Class::BotGone,
        // One code, two meanings: a plan without REST stops everything, a chat without the bot only this call.
        "ACCESS_DENIED" if description.contains("commercial plans") || description.contains("by subscription") => {
            Class::Identity
        }
        "ACCESS_DENIED" | "BOT_TYPE_NOT_ALLOWED" | "MESSAGE_ACCESS_DENIED" => Class::Access,
        "SENDING_FAILED" | "MESSAGE_DUPLICATED_BY_UUID" => Class::Sending,
        "INTERNAL_SERVER_ERROR" | "ERROR_UNEXPECTED_ANSWER" | "CONNECTION_ERROR" => Class::Transient,
        _ if status >= 500 => Class::Transient,
        _ => Class::Invalid,
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
