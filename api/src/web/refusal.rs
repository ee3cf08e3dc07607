//! Errors as pages.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use store::StoreError;

use super::layout::{Layout, html};
use crate::error::Error;
use crate::http_error;

/// An error on its way to a browser.
#[derive(Debug)]
pub(crate) struct Refusal(Error);

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    layout: Layout,
    status: StatusCode,
    message: String,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        Refusal(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = http_error::status(&self.0);
        let reason = status.canonical_reason().unwrap_or("Error");
        let page = ErrorPage { layout: Layout::bare(reason), status, message: self.0.to_string() };
        let mut response = html(status, &page);
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(RETRY_AFTER, 1.into());
        }
        response
    }
}
