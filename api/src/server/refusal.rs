//! Refusals before a request reaches a surface, in the shape of the surface that was requested.

use axum::response::{IntoResponse, Response};

use crate::error::Error;
use crate::v0::wire::refusal::Refusal;
use crate::v1;

/// Returns the answer for an error, in the shape of the surface that serves `path`.
pub(super) fn refusal(path: &str, error: Error) -> Response {
    if path == "/api/v1.0" || path.starts_with("/api/v1.0/") {
        v1::refusal::Refusal::from(error).into_response()
    } else {
        Refusal::from(error).into_response()
    }
}
