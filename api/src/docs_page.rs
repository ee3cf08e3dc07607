//! `/docs`: the OpenAPI document for people. The page is three files that show
//! `/api/v0/docs.json`; they load nothing from any other server.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::IntoResponse;
use axum::routing::get;

/// Allows only files of this server, no inline code and no framing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Returns the routes of the page and its files.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let file = |kind: &'static str, text: &'static str| get(async move || answer(kind, text));
    Router::new()
        .route("/docs", file("text/html; charset=utf-8", include_str!("docs_page/docs.html")))
        .route(
            "/docs/docs.js",
            file("text/javascript; charset=utf-8", include_str!("docs_page/docs.js")),
        )
        .route(
            "/docs/docs.css",
            file("text/css; charset=utf-8", include_str!("docs_page/docs.css")),
        )
}

fn answer(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text)
}
