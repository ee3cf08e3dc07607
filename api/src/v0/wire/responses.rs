//! The responses of refused requests in the OpenAPI document. They are generated from the errors,
//! so the examples are real answers.

use std::collections::BTreeMap;

use domain::access_tokens::{Owner, Role};
use domain::bounds::PARAMETERS_BYTES;
use domain::job::{JobId, Status, Timestamp, WorkerId};
use domain::signal::SignalName;
use serde_json::json;
use store::{Quota, QuotaExceeded};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::refusal::{Errors, answer};
use crate::error::{CANCEL_ALL, Error, FieldPath, STORE_UNAVAILABLE, WRONG_TOKEN, unknown_name};

macro_rules! responses {
    ($($(#[$doc:meta])* $name:ident: $($error:expr),+;)*) => {$(
        $(#[$doc])*
        pub(in crate::v0) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                responses_of(&[$($error),+])
            }
        }
    )*};
}

responses! {
    /// The token is missing or unknown.
    NoToken: WRONG_TOKEN, Error::TooManyWrongTokens,
        Error::TooManyRequests { owner: Owner::example(), rate: "600/1m".to_owned(), wait_s: 3 };
    /// The role of the token is too low, or a page of another site sent the request.
    WrongRole: Error::NotAuthorized {
        owner: Owner::example(), role: Role::Viewer, needed: Role::Admin,
    }, Error::CrossSite;
    /// A query parameter is unknown or invalid.
    BadQuery: Error::invalid("strat", unknown_name("query parameter", "strat", &["start"]));
    /// The body is invalid.
    BadBody: Error::Json("EOF while parsing an object at line 1 column 1".to_owned()),
        Error::invalid("retries", "it must be a whole number from 0 to 100"),
        Error::invalid("action", "it is required").in_job(7);
    /// The body or a field is too large.
    TooLarge: Error::TooLarge { at: FieldPath::new("body"), limit_bytes: 1024 * 1024 },
        Error::TooLarge { at: FieldPath::new("parameters"), limit_bytes: PARAMETERS_BYTES };
    /// The body is not JSON.
    WrongType: Error::MediaType("text/xml".to_owned());
    /// There are too many queues, or the job of an idempotency key has been removed.
    Conflicts: Error::TooManyQueues("gpu=4.normal".to_owned()),
        Error::SpentKey { at: FieldPath::new("Idempotency-Key"), id: some_job() };
    /// The idempotency key was used for another request.
    OtherRequest: Error::OtherRequest(some_job());
    /// The submitter has as many jobs waiting as it may have.
    QuotaReached: Error::QuotaExceeded(some_quota()), Error::TooManyWrongTokens;
    /// The job cannot be retried.
    NoRetry: Error::AlreadyRetried { id: some_job(), follow_up: other_job() },
        Error::NotFinished { id: some_job(), status: Status::Running },
        Error::UniqueKeyTaken { id: some_job(), holder: other_job() };
    /// The job cannot receive the signal.
    NoSignal: Error::SignalSent {
            id: some_job(),
            name: SignalName::example(),
            at: Timestamp::from_ms(1_795_107_000_000),
        },
        Error::JobOver { id: some_job(), status: Status::Done },
        Error::TooManySignals(some_job());
    /// The link was not made by this fleet.
    NoSignalLink: Error::NoSuchSignalLink;
    /// The request would cancel every job.
    NoFilter: Error::invalid("all", CANCEL_ALL);
    /// The worker no longer takes commands.
    WorkerGone: Error::WorkerGone(some_worker());
    /// The job does not exist.
    NoJob: Error::NoSuchJob("1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b".to_owned());
    /// The cron does not exist.
    NoCron: Error::NoSuchCron("gc".to_owned());
    /// The lock does not exist.
    NoLock: Error::NoSuchLock("devices".to_owned());
    /// The rate limit does not exist.
    NoLimit: Error::NoSuchLimit("mail".to_owned());
    /// The class is invalid.
    NoClass: Error::NoSuchClass("scan".to_owned());
    /// The action name is invalid.
    NoAction: Error::NoSuchAction("a b".to_owned());
    /// The job cannot be changed.
    NoChange: Error::AlreadyStarted { id: some_job(), status: Status::Running },
        Error::TooManyQueues("gpu=4.high".to_owned());
    /// The limit of crons is reached.
    TooManyCrons: Error::TooManyCrons;
    /// The limit of rate limits is reached.
    TooManyLimits: Error::TooManyLimits;
    /// The action has no configuration.
    NoActionConfig: Error::NoSuchActionConfig("gc".to_owned());
    /// The limit of configured actions is reached.
    TooManyActionConfigs: Error::TooManyActionConfigs;
    /// The subscription does not exist.
    NoSubscription: Error::NoSuchSubscription("ops".to_owned());
    /// The limit of subscriptions is reached.
    TooManySubscriptions: Error::TooManySubscriptions;
    /// The bulk operation does not exist.
    NoBulkOperation: Error::NoSuchBulkOperation("8e5c4a0a-9a55-4d29-9dd5-0a4a8e9b7a11".to_owned());
    /// The limit of bulk operations is reached.
    TooManyBulkOperations: Error::TooManyBulkOperations;
    /// The worker does not exist.
    NoWorker: Error::NoSuchWorker("f97ebb52f0f6".to_owned());
    /// The store does not answer, or an internal error occurred.
    StoreUnavailable: STORE_UNAVAILABLE, Error::Internal;
}

/// A job id for examples.
fn some_job() -> JobId {
    "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b".parse().unwrap_or_else(|_| JobId::random())
}

fn some_quota() -> QuotaExceeded {
    let (waiting, limit) = (1_000_000, 1_000_000);
    QuotaExceeded { owner: "ci".to_owned(), quota: Quota::Jobs, waiting, limit }
}

fn other_job() -> JobId {
    "a261713a-9514-43f9-a7e5-50e7a9fa1d48".parse().unwrap_or_else(|_| JobId::random())
}

fn some_worker() -> WorkerId {
    "f97ebb52f0f6".parse().unwrap_or_else(|_| WorkerId::random())
}

/// Returns a response for each status code of these errors, with the errors as examples.
fn responses_of(errors: &[Error]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<(String, Errors)>> = BTreeMap::new();
    for error in errors {
        let (status, body) = answer(error);
        by_status.entry(status.as_u16()).or_default().push((error.to_string(), body));
    }
    let responses = by_status.into_iter().map(|(status, bodies)| {
        let examples = bodies.into_iter().enumerate().map(|(at, (summary, body))| {
            let example = ExampleBuilder::new().summary(summary).value(Some(json!(body)));
            (format!("example{}", at + 1), example.build())
        });
        let schema = Ref::from_schema_name(Errors::name());
        let content = ContentBuilder::new().schema(Some(schema));
        let content = content.examples_from_iter(examples).build();
        let response = ResponseBuilder::new().description(meaning(status));
        let mut response = response.content("application/json", content);
        if matches!(status, 429 | 503) {
            let header = HeaderBuilder::new().schema(Some(u32::schema()));
            let header = header.description(Some("The number of seconds to wait before a retry."));
            response = response.header("Retry-After", header.build());
        }
        (status.to_string(), RefOr::T(response.build()))
    });
    responses.collect()
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request is invalid. The error names the field or parameter.",
        401 => "The token is missing or unknown.",
        403 => "The role of the token is too low, or a page of another site sent the request.",
        404 => "The resource does not exist.",
        409 => "The request conflicts with the current state.",
        413 => "The body or a field exceeds its size limit.",
        415 => "The content type is not `application/json`.",
        422 => "The idempotency key was used with another body.",
        429 => {
            "The submitter has as many jobs waiting as it may have, the token has sent too many \
                requests, or too many wrong tokens were sent from this address."
        }
        503 => "The store does not answer. Retry the request.",
        _ => "An internal error occurred.",
    }
}
