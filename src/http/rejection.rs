//! Why a request is not let in: one enum for the status, the body, the metric label and the log line.

use crate::wire;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A refused request. The answer says the reason in one word; the detail stays with the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The body is over `server.max_body_bytes`.
    TooLarge,
    /// Neither a form nor JSON, or compressed.
    UnsupportedMedia,
    /// The body did not come in time or broke off.
    BodyBroken,
    /// Not a form or JSON that can be read.
    Malformed(&'static str),
    /// Read, but it names no event.
    NoEvent,
    /// Not authentic; the detail is for the operator alone.
    Forbidden(&'static str),
    /// Too much is being read or written at this moment.
    Busy,
    /// An installation that the install door has no room for; the detail is for the operator alone.
    NoRoom(&'static str),
    /// The server is stopping.
    Draining,
    /// `store.max_bytes` is reached.
    Full,
    /// The disk failed: nothing is acknowledged any more.
    StorageFailed,
}

impl Rejection {
    fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyBroken => StatusCode::REQUEST_TIMEOUT,
            Self::Malformed(_) | Self::NoEvent => StatusCode::BAD_REQUEST,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Busy | Self::NoRoom(_) | Self::Draining | Self::Full | Self::StorageFailed => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The word in the answer's body.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::UnsupportedMedia => "unsupported_media",
            Self::BodyBroken => "body_broken",
            Self::Malformed(reason) => reason,
            Self::NoEvent => "no_event",
            Self::Forbidden(_) => "forbidden",
            Self::Busy | Self::NoRoom(_) => "busy",
            Self::Draining => "draining",
            Self::Full => "full",
            Self::StorageFailed => "storage_failed",
        }
    }

    /// The metric label and log field: the reason, finer where the sender must not know.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::Forbidden(detail) | Self::NoRoom(detail) => detail,
            other => other.reason(),
        }
    }
}

/// Every word that a refusal's body may hold, for the test that holds `openapi/imbot.yaml` to it.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn reasons() -> Vec<&'static str> {
    use wire::Refused;
    let read = [
        Refused::Empty,
        Refused::TooManyPairs,
        Refused::TooDeep,
        Refused::BadJson { line: 1, column: 1 },
        Refused::NotAnObject,
        Refused::RepeatedKey("event"),
        Refused::ConflictingKey,
    ];
    let door = [
        Rejection::TooLarge,
        Rejection::UnsupportedMedia,
        Rejection::BodyBroken,
        Rejection::NoEvent,
        Rejection::Forbidden("bad_token"),
        Rejection::Busy,
        Rejection::Draining,
        Rejection::Full,
        Rejection::StorageFailed,
    ];
    let read = read.iter().map(Refused::reason);
    let others = ["method_not_allowed", "internal"];
    read.chain(door.map(Rejection::reason)).chain(others).collect()
}

impl From<wire::Refused> for Rejection {
    fn from(refused: wire::Refused) -> Self {
        Self::Malformed(refused.reason())
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let body = format!("{{\"error\":\"{}\"}}", self.reason());
        let mut response = (self.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            // Bitrix24 does not come back, but a proxy in front may.
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_answer_says_one_word_and_no_more() {
        let response = Rejection::Forbidden("bad_token").into_response();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        assert_eq!(&body[..], b"{\"error\":\"forbidden\"}");
        assert_eq!(Rejection::Forbidden("bad_token").detail(), "bad_token");
    }

    #[test]
    fn a_refusal_for_load_asks_to_come_back() {
        for rejection in [
            Rejection::Busy,
            Rejection::Draining,
            Rejection::Full,
            Rejection::StorageFailed,
        ] {
            let response = rejection.into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        }
    }
}
