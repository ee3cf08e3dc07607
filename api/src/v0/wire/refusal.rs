//! The one place where an error becomes an answer of this surface: code, message and detail.
//!
//! Some codes are additions to the contract: NO_SUCH_ROUTE, NO_SUCH_CLASS, NO_SUCH_ACTION,
//! NO_SUCH_SUBSCRIPTION, NO_SUCH_BULK_OPERATION, NO_SUCH_LINK, CROSS_SITE, WRONG_HOST, IDEMPOTENCY_MISMATCH and DTR's INTERNAL_ERROR. A
//! 413 has the code INVALID_PARAMETERS, with the limit in its detail; a 429 has the code
//! NOT_AUTHENTICATED, TOO_MANY_REQUESTS or QUOTA_EXCEEDED.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::StoreError;
use utoipa::ToSchema;

use crate::error::{Error, FieldPath};
use crate::http_error;

/// An error on its way to a client.
#[derive(Debug)]
pub(crate) struct Refusal(Error);

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Errors {
    /// The errors. There is always exactly one entry.
    errors: Vec<ErrorEntry>,
}

/// An error.
#[derive(Debug, Serialize, ToSchema)]
struct ErrorEntry {
    /// The error code, for programs.
    code: &'static str,
    /// The error message, for people.
    message: String,
    /// The values in the message, for programs: for example the `field`, the `index` of the job in
    /// its batch, or `limitBytes`.
    detail: Map<String, Value>,
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
        let (status, errors) = answer(&self.0);
        http_error::refuse(status, errors)
    }
}

/// Returns the status code and the body of an error.
pub(in crate::v0) fn answer(error: &Error) -> (StatusCode, Errors) {
    let one = ErrorEntry { code: code(error), message: error.to_string(), detail: detail(error) };
    (http_error::status(error), Errors { errors: vec![one] })
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::NoSuchJob(_) => "NO_SUCH_JOB",
        Error::NoSuchWorker(_) => "NO_SUCH_WORKER",
        Error::NoSuchCron(_) => "NO_SUCH_CRON",
        Error::NoSuchLock(_) => "NO_SUCH_LOCK",
        Error::NoSuchLimit(_) => "NO_SUCH_LIMIT",
        Error::NoSuchClass(_) => "NO_SUCH_CLASS",
        Error::NoSuchAction(_) => "NO_SUCH_ACTION",
        Error::NoSuchActionConfig(_) => "NO_SUCH_ACTION_CONFIG",
        Error::NoSuchSubscription(_) => "NO_SUCH_SUBSCRIPTION",
        Error::NoSuchBulkOperation(_) => "NO_SUCH_BULK_OPERATION",
        Error::NoSuchSignalLink => "NO_SUCH_LINK",
        Error::NoSuchRoute(_) => "NO_SUCH_ROUTE",
        Error::NotAuthenticated(_) | Error::TooManyWrongTokens => "NOT_AUTHENTICATED",
        Error::TooManyRequests { .. } => "TOO_MANY_REQUESTS",
        Error::NotAuthorized { .. } => "NOT_AUTHORIZED",
        Error::CrossSite | Error::ForgedForm => "CROSS_SITE",
        Error::WrongHost(_) => "WRONG_HOST",
        Error::QuotaExceeded(_) => "QUOTA_EXCEEDED",
        Error::NotAllowed { .. } => "NOT_ALLOWED",
        Error::MediaType(_) => "UNSUPPORTED_MEDIA_TYPE",
        Error::Json(_) => "INVALID_JSON",
        Error::Invalid { .. } | Error::TooLarge { .. } => "INVALID_PARAMETERS",
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
        | Error::WorkerGone(_) => "CONFLICT",
        Error::OtherRequest(_) => "IDEMPOTENCY_MISMATCH",
        Error::Unavailable(_) => "UNAVAILABLE",
        Error::Unreadable(_) | Error::Internal => "INTERNAL_ERROR",
    }
}

fn detail(error: &Error) -> Map<String, Value> {
    let mut detail = Map::new();
    let mut add = |name: &str, value: Value| detail.insert(name.to_owned(), value);
    match error {
        Error::NoSuchJob(id) | Error::NoSuchWorker(id) | Error::NoSuchBulkOperation(id) => {
            add("id", json!(id));
        }
        Error::NoSuchCron(name)
        | Error::NoSuchLock(name)
        | Error::NoSuchLimit(name)
        | Error::NoSuchClass(name)
        | Error::NoSuchAction(name)
        | Error::NoSuchSubscription(name) => {
            add("name", json!(name));
        }
        Error::NoSuchActionConfig(action) => {
            add("action", json!(action));
        }
        Error::NoSuchRoute(route) => {
            add("route", json!(route));
        }
        Error::NotAllowed { method, route } => {
            add("method", json!(method));
            add("route", json!(route));
        }
        Error::MediaType(found) => {
            add("contentType", json!(found));
        }
        Error::WrongHost(host) => {
            add("host", json!(host));
        }
        Error::Invalid { at, .. } => add_field(add, at),
        Error::TooLarge { at, limit_bytes } => {
            add("limitBytes", json!(limit_bytes));
            add_field(add, at);
        }
        Error::TooManyQueues(queue) => {
            add("queue", json!(queue));
        }
        Error::QuotaExceeded(exceeded) => {
            add("owner", json!(exceeded.owner));
            add("quota", json!(exceeded.quota.as_str()));
            add("waiting", json!(exceeded.waiting));
            add("limit", json!(exceeded.limit));
        }
        Error::SpentKey { at, id } => {
            add("id", json!(id));
            add_field(add, at);
        }
        Error::NotFinished { id, status }
        | Error::AlreadyStarted { id, status }
        | Error::JobOver { id, status } => {
            add("id", json!(id));
            add("status", json!(status));
        }
        Error::AlreadyRetried { id, follow_up } => {
            add("id", json!(id));
            add("followUpID", json!(follow_up));
        }
        Error::UniqueKeyTaken { id, holder } => {
            add("id", json!(id));
            add("holderID", json!(holder));
        }
        Error::SignalSent { id, name, at } => {
            add("id", json!(id));
            add("name", json!(name));
            add("at", json!(at));
        }
        Error::TooManySignals(id) => {
            add("id", json!(id));
        }
        Error::WorkerGone(id) => {
            add("id", json!(id));
        }
        Error::OtherRequest(id) => {
            add("id", json!(id));
            add("field", json!("Idempotency-Key"));
        }
        Error::TooManyRequests { owner, rate, wait_s } => {
            add("name", json!(owner.as_str()));
            add("rate", json!(rate));
            add("retryAfter", json!(wait_s));
        }
        Error::NotAuthorized { owner, role, needed } => {
            add("name", json!(owner.as_str()));
            add("role", json!(role.as_str()));
            add("needed", json!(needed.as_str()));
        }
        Error::NotAuthenticated(_)
        | Error::TooManyWrongTokens
        | Error::CrossSite
        | Error::ForgedForm
        | Error::NoSuchSignalLink
        | Error::Json(_)
        | Error::TooManyCrons
        | Error::TooManyLimits
        | Error::TooManyActionConfigs
        | Error::TooManySubscriptions
        | Error::TooManyBulkOperations
        | Error::Unavailable(_)
        | Error::Unreadable(_)
        | Error::Internal => {}
    }
    detail
}

fn add_field(mut add: impl FnMut(&str, Value) -> Option<Value>, at: &FieldPath) {
    add("field", json!(at.field));
    if let Some(index) = at.index {
        add("index", json!(index));
    }
}

#[cfg(test)]
mod tests;
