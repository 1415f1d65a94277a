//! What wraps every answer of both addresses: a panic becomes a plain 500, nothing is cached or guessed at. Knows no route.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

/// The same router in its shell.
pub(super) fn shell(router: Router) -> Router {
    let layers = ServiceBuilder::new()
        .layer(SetResponseHeaderLayer::overriding(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(CatchPanicLayer::custom(|_| broken()));
    router.layer(layers)
}

/// The panic's place is logged by the panic hook; its text is told to nobody.
fn broken() -> Response<Body> {
    let mut response = Response::new(Body::from("{\"error\":\"internal\"}"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;
    use axum::routing::get;
    use tower::Service as _;

    async fn answer(path: &str) -> Response<Body> {
        #[expect(clippy::panic, reason = "what the test is about")]
        let broken = get(|| async {
            if true {
                panic!("secret-marker")
            }
        });
        let mut router = shell(
            Router::new()
                .route("/broken", broken)
                .route("/", get(|| async { "fine" })),
        );
        router
            .call(Request::builder().uri(path).body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_a_plain_500_that_tells_nothing() {
        let answer = answer("/broken").await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        let body = axum::body::to_bytes(answer.into_body(), 1_000).await.unwrap();
        assert_eq!(&body[..], b"{\"error\":\"internal\"}");
    }

    #[tokio::test]
    async fn a_good_answer_passes() {
        let answer = answer("/").await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
