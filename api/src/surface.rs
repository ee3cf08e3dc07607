//! What both surfaces answer alike: the status of an error, when to ask again, where nothing is served, which methods
//! a route lacks, a handler that panicked. What a body looks like is each surface's own.

use std::any::Any;

use axum::extract::OriginalUri;
use axum::http::header::RETRY_AFTER;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Serialize;

use crate::error::Error;
use crate::{v0, v1};

/// As much of a path as an answer repeats.
const ROUTE_CHARACTERS: usize = 128;
const METHOD_CHARACTERS: usize = 32;

/// The status of an error.
pub(crate) fn status(error: &Error) -> StatusCode {
    match error {
        Error::NoSuchJob(_)
        | Error::NoSuchWorker(_)
        | Error::NoSuchCron(_)
        | Error::NoSuchLock(_)
        | Error::NoSuchClass(_)
        | Error::NoSuchAction(_)
        | Error::NoSuchActionConfig(_)
        | Error::NoSuchSubscription(_)
        | Error::NoSuchRoute(_) => StatusCode::NOT_FOUND,
        Error::NotAuthenticated(_) => StatusCode::UNAUTHORIZED,
        Error::TooManyWrongTokens => StatusCode::TOO_MANY_REQUESTS,
        Error::NotAuthorized { .. } => StatusCode::FORBIDDEN,
        Error::NotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
        Error::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::Json(_) | Error::Invalid { .. } => StatusCode::BAD_REQUEST,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::TooManyCrons
        | Error::TooManyActionConfigs
        | Error::TooManySubscriptions
        | Error::TooManyQueues(_)
        | Error::Spent { .. }
        | Error::NotOver { .. }
        | Error::NotWaiting { .. }
        | Error::Followed { .. }
        | Error::KeyTaken { .. }
        | Error::WorkerOver(_) => StatusCode::CONFLICT,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Broken => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An answer that refuses; it says when to ask again if that may help.
pub(crate) fn refuse(status: StatusCode, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    response
}

/// The refusal in the shape of the surface that was asked.
pub(crate) fn refusal(path: &str, error: Error) -> Response {
    if path == "/api/v1.0" || path.starts_with("/api/v1.0/") {
        v1::Refusal::from(error).into_response()
    } else {
        v0::Refusal::from(error).into_response()
    }
}

/// The same routes, with the surface's own refusal `R` where there is none.
pub(crate) fn with_fallbacks<S, R>(router: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    R: From<Error> + IntoResponse + 'static,
{
    router.fallback(nowhere::<R>).method_not_allowed_fallback(not_allowed::<R>)
}

async fn nowhere<R: From<Error>>(OriginalUri(uri): OriginalUri) -> R {
    no_such_route(&uri)
}

/// The refusal where nothing is served.
pub(crate) fn no_such_route<R: From<Error>>(uri: &Uri) -> R {
    Error::NoSuchRoute(uri.path().chars().take(ROUTE_CHARACTERS).collect()).into()
}

async fn not_allowed<R: From<Error>>(method: Method, OriginalUri(uri): OriginalUri) -> R {
    let method = method.as_str().chars().take(METHOD_CHARACTERS).collect();
    let route = uri.path().chars().take(ROUTE_CHARACTERS).collect();
    Error::NotAllowed { method, route }.into()
}

/// The refusal for a handler that panicked, of which the log says more.
#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
pub(crate) fn panicked<R: From<Error> + IntoResponse>(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("?"), "a handler panicked");
    R::from(Error::Broken).into_response()
}
