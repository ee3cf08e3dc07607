//! The one place where an error becomes an answer of the v1.0 surface, which is
//! `{"status":"error","message":…}`. If the reference has a text for the status, the message begins
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

/// The body of an error.
#[derive(Serialize)]
struct Body {
    status: &'static str,
    message: String,
}

impl Refusal {
    /// Creates a refusal with this status and a text of the reference.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into() }
    }

    /// Creates a refusal with the status 400 and a text of the reference.
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
            // The reference uses this older name of the status.
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
