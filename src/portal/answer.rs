//! What the portal answers: the envelope of a success with its `time`, the body of an error, a page of HTML.
//! Owns shapes only; never decides.

use super::fault::Shape;
use crate::types::Timestamp;
use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

/// An error answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) description: &'static str,
}

impl Refusal {
    pub(super) const fn new(status: u16, code: &'static str, description: &'static str) -> Self {
        Self {
            status,
            code,
            description,
        }
    }

    /// An error of a method: 400, whatever it is about.
    pub(super) const fn method(code: &'static str, description: &'static str) -> Self {
        Self::new(400, code, description)
    }
}

/// A success. An empty map must already be `[]`, because the real portal is PHP.
pub(super) fn success(result: &Value, start: Timestamp, finish: Timestamp) -> Response<Body> {
    let seconds = |at: Timestamp| at.0 as f64 / 1000.0;
    let duration = seconds(finish) - seconds(start);
    let body = json!({
        "result": result,
        "time": {
            "start": seconds(start),
            "finish": seconds(finish),
            "duration": duration,
            "processing": duration,
            "date_start": iso(start),
            "date_finish": iso(finish),
            // Nothing is counted against operating time yet, so `operating_reset_at` is missing, as on a real portal.
            "operating": 0,
        },
    });
    respond(200, "application/json; charset=utf-8", body.to_string())
}

/// An error in the shape that a portal, or the web server before it, gives.
pub(super) fn error(status: u16, code: &str, description: &str, shape: Shape) -> Response<Body> {
    match shape {
        Shape::Json => {
            let body = json!({ "error": code, "error_description": description });
            respond(status, "application/json; charset=utf-8", body.to_string())
        }
        Shape::Html => html(status, description),
    }
}

/// A page.
pub(super) fn html(status: u16, title: &str) -> Response<Body> {
    let page =
        format!("<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
    respond(status, "text/html; charset=utf-8", page)
}

fn respond(status: u16, media: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let media = header::HeaderValue::from_static(media);
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}

/// ISO 8601 with an offset, as Bitrix24 writes dates: `2026-02-26T09:26:03+00:00`.
pub(super) fn iso(at: Timestamp) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(at.unix_seconds());
    let moment = moment.unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (date, time) = (moment.date(), moment.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}+00:00",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_with_an_offset() {
        assert_eq!(iso(Timestamp(1_772_097_963_999)), "2026-02-26T09:26:03+00:00");
        assert_eq!(iso(Timestamp(0)), "1970-01-01T00:00:00+00:00");
    }
}
