//! The one place where an error becomes an answer of the v1.0 surface:
//! `{"status":"error","message":…}`. Where the reference has a text of its own, the message begins
//! with it.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use shared::store::StoreError;

use crate::error::Error;

/// An error on its way to a client.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
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
        let (status, text) = match error {
            Error::NoSuchRoute(_)
            | Error::NoSuchJob(_)
            | Error::NoSuchWorker(_)
            | Error::NoSuchCron(_)
            | Error::NoSuchLock(_)
            | Error::NoSuchClass(_)
            | Error::NoSuchAction(_)
            | Error::NoSuchActionConfig(_)
            | Error::NoSuchSubscription(_) => (StatusCode::NOT_FOUND, "Not Found"),
            Error::NotAuthenticated(_) => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            Error::TooManyWrongTokens => (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
            Error::NotAuthorized { .. } => (StatusCode::FORBIDDEN, "Forbidden"),
            Error::NotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
            Error::MediaType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type"),
            Error::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
            Error::Json(_) | Error::Invalid { .. } => (StatusCode::BAD_REQUEST, "Bad Request"),
            Error::TooManyCrons
            | Error::TooManyActionConfigs
            | Error::TooManySubscriptions
            | Error::TooManyQueues(_)
            | Error::Spent { .. }
            | Error::NotOver { .. }
            | Error::NotWaiting { .. }
            | Error::Followed { .. }
            | Error::KeyTaken { .. }
            | Error::WorkerOver(_) => (StatusCode::CONFLICT, "Conflict"),
            Error::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
            Error::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
        };
        Refusal { status, message: format!("{text}: {error}") }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        Error::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"status": "error", "message": self.message});
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, 1.into());
        }
        response
    }
}
