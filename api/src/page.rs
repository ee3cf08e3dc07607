//! `/docs`: the OpenAPI document for people. The page is three files of our own that show
//! `/api/v0/docs.json`; a browser that shows it asks nobody but this service.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::app::App;

/// Nothing in line, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const NO_SNIFF: HeaderName = HeaderName::from_static("x-content-type-options");

/// The page and what belongs to it.
pub(crate) fn routes() -> Router<Arc<App>> {
    let file = |kind: &'static str, text: &'static str| get(async move || served(kind, text));
    Router::new()
        .route("/docs", file("text/html; charset=utf-8", include_str!("page/docs.html")))
        .route(
            "/docs/docs.js",
            file("text/javascript; charset=utf-8", include_str!("page/docs.js")),
        )
        .route("/docs/docs.css", file("text/css; charset=utf-8", include_str!("page/docs.css")))
}

fn served(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (NO_SNIFF, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text)
}
