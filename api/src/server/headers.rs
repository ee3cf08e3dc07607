//! What every answer says to browsers: take nothing for what it is not said to be, show it in no
//! frame, tell nobody where you came from, and, unless a page says otherwise, load nothing.

use axum::extract::Request;
use axum::http::header::{
    AUTHORIZATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LINK, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::cors::CorsLayer;

use super::Origins;

const SAID: [(HeaderName, HeaderValue); 3] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// Adds what an answer does not say itself.
pub(super) async fn add(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in SAID {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Lets the pages of these origins use the API. Nothing is sent by a browser of its own accord: no
/// cookies.
pub(super) fn cors(origins: &Origins) -> CorsLayer {
    let own = ["idempotency-key", "last-event-id"].map(HeaderName::from_static);
    let total = HeaderName::from_static("x-total-count");
    CorsLayer::new()
        .allow_origin(origins.0.clone())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE].into_iter().chain(own).collect::<Vec<_>>())
        .expose_headers([LINK, RETRY_AFTER, total])
}
