//! The OpenAPI document. What routes refuse is described by the errors themselves, so that the
//! examples are what the service really answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::json;
use shared::bounds::PARAMETERS_BYTES;
use shared::job::{JobId, Status, WorkerId};
use shared::tokens::{Owner, Role};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Info, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
    ResponseBuilder,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::Refusal;
use super::query::NoQuery;
use super::refusal::{Errors, answer};
use super::values::{JobIdOrNone, Statuses};
use crate::app::App;
use crate::error::{Error, Place, WRONG_TOKEN, unknown_name};

/// Clients of DTR choose by this version how to read answers.
const VERSION: &str = "2.9.0";

/// The document before its routes.
pub(super) fn begin() -> OpenApi {
    let mut info = Info::new("Capstan", VERSION);
    info.description = Some(
        "Background jobs on a fleet of workers. Times are RFC 3339 in UTC; durations are written \
         as in Go, like 90s or 1h30m. A trailing slash is accepted. A query parameter or field \
         that is not described is refused; a query parameter with an empty value is the same as none."
            .to_owned(),
    );
    // Refusals and parameters name these without having them collected.
    let mut schemas = vec![
        (Errors::name().into_owned(), Errors::schema()),
        (JobIdOrNone::name().into_owned(), JobIdOrNone::schema()),
        (Statuses::name().into_owned(), Statuses::schema()),
    ];
    Errors::schemas(&mut schemas);
    let components = ComponentsBuilder::new().schemas_from_iter(schemas).build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// This document.
#[utoipa::path(
    get, path = "/docs.json", operation_id = "GetDocs", tag = "docs",
    responses((status = 200, description = "the OpenAPI document", body = Object), BadQuery),
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<impl IntoResponse, Refusal> {
    Ok(([(CONTENT_TYPE, "application/json")], app.docs.clone()))
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $($error:expr),+;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                described(&[$($error),+])
            }
        }
    )*};
}

refusals! {
    /// No token, or a wrong one.
    NoToken: WRONG_TOKEN, Error::TooManyWrongTokens;
    /// A token that may not do this.
    WrongRole: Error::NotAuthorized { owner: Owner::example(), role: Role::Viewer, needed: Role::Admin };
    /// A query that is wrong.
    BadQuery: Error::invalid("strat", unknown_name("query parameter", "strat", &["start"]));
    /// A body that is wrong.
    BadBody: Error::Json("EOF while parsing an object at line 1 column 1".to_owned()),
        Error::invalid("retries", "it must be a whole number from 0 to 100"),
        Error::invalid("action", "it is required").in_job(7);
    /// More than is taken.
    TooLarge: Error::TooLarge { place: Place::field("body"), limit_bytes: 1024 * 1024 },
        Error::TooLarge { place: Place::field("parameters"), limit_bytes: PARAMETERS_BYTES };
    /// A body of another type.
    WrongType: Error::MediaType("text/xml".to_owned());
    /// One kind of capacity too many, or a key whose job is gone.
    Conflicts: Error::TooManyQueues("gpu=4.normal".to_owned()),
        Error::Spent { place: Place::field("Idempotency-Key"), id: some_job() };
    /// A job that cannot be tried again.
    NoRetry: Error::Followed { id: some_job(), follow_up: other_job() },
        Error::NotOver { id: some_job(), status: Status::Running },
        Error::KeyTaken { id: some_job(), holder: other_job() };
    /// Everything would be cancelled.
    NoFilter: Error::invalid("all", "without any filter every job is cancelled");
    /// A worker that is gone.
    WorkerOver: Error::WorkerOver(some_worker());
    /// No such job.
    NoJob: Error::NoSuchJob("1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b".to_owned());
    /// No such cron.
    NoCron: Error::NoSuchCron("gc".to_owned());
    /// No such lock.
    NoLock: Error::NoSuchLock("devices".to_owned());
    /// No such class.
    NoClass: Error::NoSuchClass("scan".to_owned());
    /// No such action.
    NoAction: Error::NoSuchAction("a b".to_owned());
    /// A job that cannot be changed.
    NoChange: Error::NotWaiting { id: some_job(), status: Status::Running },
        Error::TooManyQueues("gpu=4.high".to_owned());
    /// One cron too many.
    TooManyCrons: Error::TooManyCrons;
    /// No such config.
    NoActionConfig: Error::NoSuchActionConfig("gc".to_owned());
    /// One config too many.
    TooManyActionConfigs: Error::TooManyActionConfigs;
    /// No such subscription.
    NoSubscription: Error::NoSuchSubscription("ops".to_owned());
    /// One subscription too many.
    TooManySubscriptions: Error::TooManySubscriptions;
    /// No such worker.
    NoWorker: Error::NoSuchWorker("f97ebb52f0f6".to_owned());
    /// The store does not answer, or holds what it should not.
    Away: Error::Unavailable("the store does not answer"), Error::Broken;
}

/// A job for examples.
fn some_job() -> JobId {
    "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b".parse().unwrap_or_else(|_| JobId::random())
}

fn other_job() -> JobId {
    "a261713a-9514-43f9-a7e5-50e7a9fa1d48".parse().unwrap_or_else(|_| JobId::random())
}

fn some_worker() -> WorkerId {
    "f97ebb52f0f6".parse().unwrap_or_else(|_| WorkerId::random())
}

/// A response for each status that these errors have, with each of them as an example.
fn described(errors: &[Error]) -> BTreeMap<String, RefOr<Response>> {
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
            let header = header.description(Some("seconds to wait before asking again"));
            response = response.header("Retry-After", header.build());
        }
        (status.to_string(), RefOr::T(response.build()))
    });
    responses.collect()
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "something in the request is wrong; the error names it",
        401 => "no token, or a wrong one",
        403 => "the token's role may not do this",
        404 => "there is no such thing",
        409 => "it does not go together with what there is",
        413 => "it is larger than it may be",
        429 => "too many wrong tokens come from this address",
        415 => "the body is of another type than application/json",
        503 => "the store does not answer now; ask again",
        _ => "something is wrong inside of Capstan",
    }
}
