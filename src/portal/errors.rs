//! The system errors of the portal and of the authorisation server by name, each with its documented status and text.
//! Faults name them; nothing is refused here.

/// An error by its name.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) code: &'static str,
    pub(super) status: u16,
    pub(super) description: &'static str,
}

const fn known(code: &'static str, status: u16, description: &'static str) -> Known {
    Known {
        code,
        status,
        description,
    }
}

const ALL: [Known; 37] = [
    known("INTERNAL_SERVER_ERROR", 500, "Internal server error"),
    known("ERROR_UNEXPECTED_ANSWER", 500, "Server returned an unexpected response"),
    known("QUERY_LIMIT_EXCEEDED", 503, "Too many requests"),
    known(
        "OPERATION_TIME_LIMIT",
        429,
        "Method is blocked due to operation time limit.",
    ),
    known(
        "ERROR_BATCH_METHOD_NOT_ALLOWED",
        405,
        "Method is not allowed for batch usage",
    ),
    known("ERROR_BATCH_LENGTH_EXCEEDED", 400, "Max batch length exceeded"),
    known("NO_AUTH_FOUND", 401, "Wrong authorization data"),
    known("INVALID_REQUEST", 400, "Https required."),
    known("OVERLOAD_LIMIT", 503, "REST API is blocked due to overload"),
    known("ACCESS_DENIED", 403, "REST API is available only on commercial plans"),
    known("INVALID_CREDENTIALS", 403, "Invalid request credentials"),
    known("ERROR_MANIFEST_IS_NOT_AVAILABLE", 404, "Manifest is not available"),
    known(
        "insufficient_scope",
        403,
        "The request requires higher privileges than provided by the webhook token",
    ),
    known("expired_token", 401, "The access token provided has expired"),
    known(
        "user_access_error",
        403,
        "The user does not have access to the application",
    ),
    known("PORTAL_DELETED", 500, "Portal was deleted"),
    known("ERROR_METHOD_NOT_FOUND", 404, "Method not found!"),
    known("invalid_token", 401, "Unable to get application by token"),
    known("authorization_error", 401, "Unable to authorize user"),
    known("APPLICATION_NOT_FOUND", 401, "Application not found"),
    known("NOT_INSTALLED", 401, "Application not installed"),
    known("ERROR_OAUTH", 401, "OAuth error"),
    known("CONNECTION_ERROR", 500, "Error connecting to authorization server"),
    known("PAYMENT_REQUIRED", 401, "Payment required"),
    known(
        "WRONG_AUTH_TYPE",
        403,
        "Current authorization type is denied for this method",
    ),
    known("ALLOWED_ONLY_INTRANET_USER", 403, "Allowed only intranet user"),
    known("METHOD_CONFIRM_WAITING", 401, "Waiting for confirmation"),
    known("METHOD_CONFIRM_DENIED", 403, "Method call denied"),
    known("WRONG_ENCODING", 200, "Wrong request encoding"),
    known("invalid_request", 400, "Invalid request"),
    known("invalid_client", 400, "Invalid client"),
    known("wrong_client", 200, "Wrong client"),
    known("invalid_grant", 400, "Invalid grant"),
    known("bad_verification_code", 400, "Bad verification code"),
    known("invalid_scope", 400, "Invalid scope"),
    known("SENDING_FAILED", 400, "Message sending failed"),
    known("MESSAGE_DUPLICATED_BY_UUID", 400, "Message is being created"),
];

/// The error of this name, in its own case.
pub(super) fn named(code: &str) -> Option<&'static Known> {
    all().iter().find(|known| known.code == code)
}

/// Every error that can be injected by name.
pub(super) fn all() -> &'static [Known] {
    static KNOWN: [Known; 37] = ALL;
    &KNOWN
}

/// The text of an injected error. The system's own only with the system's own status: a method has an `ACCESS_DENIED`
/// too, and callers tell the two apart by their text.
pub(super) fn described(code: &str, status: u16) -> &'static str {
    let known = named(code).filter(|known| known.status == status);
    known.map_or("Injected by a fault of the emulated portal", |known| known.description)
}
