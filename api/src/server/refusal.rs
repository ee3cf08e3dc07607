//! Refusals before a request reaches a surface, in the shape of the surface that was requested.

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};

use crate::error::Error;
use crate::v0::wire::refusal::Refusal;
use crate::{v1, web};

/// A surface of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    /// `/api/v0`, and everything that no other surface serves.
    V0,
    /// `/api/v1.0`.
    V1,
    /// The web page.
    Web,
}

impl Surface {
    /// Returns the surface that serves a request.
    pub(super) fn of(request: &Request) -> Surface {
        let path = request.uri().path();
        let route = request.extensions().get::<MatchedPath>();
        if path == "/api/v1.0" || path.starts_with("/api/v1.0/") {
            Surface::V1
        } else if route.is_some_and(|route| web::serves(route.as_str())) {
            Surface::Web
        } else {
            Surface::V0
        }
    }

    /// Returns the answer for an error, in the shape of the surface.
    pub(super) fn refuse(self, error: Error) -> Response {
        match self {
            Surface::V0 => Refusal::from(error).into_response(),
            Surface::V1 => v1::refusal::Refusal::from(error).into_response(),
            Surface::Web => web::Refusal::from(error).into_response(),
        }
    }
}
