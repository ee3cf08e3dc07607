//! The one place where an error becomes an answer of the v1.0 surface:
//! `{"status":"error","message":…}`. Where the reference has a text of its own, the message begins
//! with it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use store::StoreError;

use crate::error::{Error, WRONG_TOKEN};
use crate::http_error;

/// An error on its way to a client.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

/// Its body, in the order of the reference.
#[derive(Serialize)]
struct Body {
    status: &'static str,
    message: String,
}

impl Refusal {
    /// A request that is refused with this status, in the reference's words.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into() }
    }

    /// A request that is refused in the reference's words.
    pub(super) fn bad(message: impl Into<String>) -> Refusal {
        Refusal { status: StatusCode::BAD_REQUEST, message: message.into() }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        let status = http_error::status(&error);
        let text = match status {
            StatusCode::UNAUTHORIZED if error == WRONG_TOKEN => "Could not decode JWT token",
            StatusCode::UNAUTHORIZED => "JWT token missing?",
            StatusCode::FORBIDDEN => "You don't seem to have the rights to execute this call",
            // As the reference's server calls it.
            StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
            other => other.canonical_reason().unwrap_or("Error"),
        };
        Refusal { status, message: format!("{text}: {error}").replace("?:", "?") }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        Error::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        http_error::refuse(self.status, Body { status: "error", message: self.message })
    }
}
