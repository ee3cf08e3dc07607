//! What the surfaces share when they refuse a request: status codes, `Retry-After`, and the answers
//! for unknown routes, wrong methods and panics. Each surface defines the shape of its bodies.

use std::any::Any;

use axum::extract::OriginalUri;
use axum::http::header::RETRY_AFTER;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Serialize;

use crate::error::Error;

/// Longer paths and methods are cut in answers.
const ROUTE_CHARACTERS: usize = 128;
const METHOD_CHARACTERS: usize = 32;

/// Returns the status code of an error.
pub(crate) fn status(error: &Error) -> StatusCode {
    match error {
        Error::NoSuchJob(_)
        | Error::NoSuchWorker(_)
        | Error::NoSuchCron(_)
        | Error::NoSuchLock(_)
        | Error::NoSuchLimit(_)
        | Error::NoSuchClass(_)
        | Error::NoSuchAction(_)
        | Error::NoSuchActionConfig(_)
        | Error::NoSuchSubscription(_)
        | Error::NoSuchBulkOperation(_)
        | Error::NoSuchSignalLink
        | Error::NoSuchRoute(_) => StatusCode::NOT_FOUND,
        Error::NotAuthenticated(_) => StatusCode::UNAUTHORIZED,
        Error::TooManyWrongTokens | Error::TooManyRequests { .. } | Error::QuotaExceeded(_) => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Error::NotAuthorized { .. } | Error::CrossSite | Error::ForgedForm => StatusCode::FORBIDDEN,
        Error::WrongHost(_) => StatusCode::MISDIRECTED_REQUEST,
        Error::NotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
        Error::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::Json(_) | Error::Invalid { .. } => StatusCode::BAD_REQUEST,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::TooManyCrons
        | Error::TooManyLimits
        | Error::TooManyActionConfigs
        | Error::TooManySubscriptions
        | Error::TooManyBulkOperations
        | Error::TooManyQueues(_)
        | Error::SpentKey { .. }
        | Error::NotFinished { .. }
        | Error::AlreadyStarted { .. }
        | Error::AlreadyRetried { .. }
        | Error::UniqueKeyTaken { .. }
        | Error::SignalSent { .. }
        | Error::JobOver { .. }
        | Error::TooManySignals(_)
        | Error::WorkerGone(_) => StatusCode::CONFLICT,
        Error::OtherRequest(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Unreadable(_) | Error::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns an answer that refuses a request, with `Retry-After` if a retry may succeed.
pub(crate) fn refuse(status: StatusCode, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(RETRY_AFTER, 1.into());
    }
    response
}

/// Adds the answers for unknown routes and wrong methods, in the shape of refusal `R`.
pub(crate) fn with_fallbacks<S, R>(router: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    R: From<Error> + IntoResponse + 'static,
{
    router.fallback(not_found::<R>).method_not_allowed_fallback(not_allowed::<R>)
}

async fn not_found<R: From<Error>>(OriginalUri(uri): OriginalUri) -> R {
    no_such_route(&uri)
}

/// Returns the refusal for a path without a route.
pub(crate) fn no_such_route<R: From<Error>>(uri: &Uri) -> R {
    Error::NoSuchRoute(uri.path().chars().take(ROUTE_CHARACTERS).collect()).into()
}

async fn not_allowed<R: From<Error>>(method: Method, OriginalUri(uri): OriginalUri) -> R {
    let method = method.as_str().chars().take(METHOD_CHARACTERS).collect();
    let route = uri.path().chars().take(ROUTE_CHARACTERS).collect();
    Error::NotAllowed { method, route }.into()
}

/// Returns the answer for a handler that panicked, and logs the panic.
#[expect(clippy::needless_pass_by_value, reason = "the layer requires this signature")]
pub(crate) fn panicked<R: From<Error> + IntoResponse>(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("?"), "a handler panicked");
    R::from(Error::Internal).into_response()
}
