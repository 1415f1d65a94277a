//! Who may use `/api/v1`: whoever has the admin token, and no web page that was led here by a name of its own.

use super::{Admin, Problem};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;

pub(super) async fn authorised(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    if !is_address(request.headers()) {
        let detail = "Host must be an address or localhost: a name could be a foreign page's";
        return Problem::new(StatusCode::FORBIDDEN, "wrong_host", detail).into_response();
    }
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| admin.token.matches(given)) {
        next.run(request).await
    } else {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorised",
            "the admin token is missing or wrong",
        )
        .into_response()
    }
}

/// A page can have its own name resolved to a loopback address, but it cannot make a browser send another `Host`.
fn is_address(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map_or("", |(address, _)| address),
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_addresses_and_localhost_are_hosts() {
        for (host, good) in [
            ("127.0.0.1:9090", true),
            ("127.0.0.1", true),
            ("10.1.2.3:9090", true),
            ("[::1]:9090", true),
            ("localhost:9090", true),
            ("LOCALHOST", true),
            ("evil.example:9090", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("[::1", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            assert_eq!(is_address(&headers), good, "{host}");
        }
        assert!(!is_address(&HeaderMap::new()));
    }
}
