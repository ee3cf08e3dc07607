//! Signals that jobs wait for, and links that send them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::job::{JobId, Timestamp};
use domain::signal::{SIGNAL_BYTES, Signal, SignalName};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType};
use utoipa::{PartialSchema, ToSchema};

use crate::app::App;
use crate::auth::Caller;
use crate::body;
use crate::commands::signal::{Sent, link, read_body, read_link, send, send_by_link};
use crate::deadline::in_time;
use crate::error::Error;
use crate::v0::wire::path::{SignalLinkPath, SignalPath};
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, NoJob, NoSignal, NoSignalLink, StoreUnavailable, TooLarge, WrongType,
};

/// The body of a signal: any JSON, which the next attempt of the job reads.
pub(in crate::v0) struct SignalBody;

impl PartialSchema for SignalBody {
    fn schema() -> RefOr<Schema> {
        let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        let any = any.description(Some("Any JSON. The next attempt of the job reads it."));
        any.examples([json!({"ticket": "NET-7"})]).build().into()
    }
}

impl ToSchema for SignalBody {}

/// The result of a signal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"jobID": "a261713a-9514-43f9-a7e5-50e7a9fa1d48", "kept": false}))]
pub(in crate::v0) struct SignalResult {
    /// The job that reads the signal: the follow-up that continues the job, or the job for which the
    /// signal is kept.
    #[serde(rename = "jobID")]
    #[schema(value_type = String, format = Uuid)]
    job_id: JobId,
    /// True if the job does not wait for the signal yet. It is kept until then.
    kept: bool,
}

impl From<Sent> for SignalResult {
    fn from(sent: Sent) -> SignalResult {
        let (job_id, kept) = match sent {
            Sent::Continued(id) => (id, false),
            Sent::Kept(id) => (id, true),
        };
        SignalResult { job_id, kept }
    }
}

/// The signal that continued a job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct ReceivedSignal {
    /// The name of the signal.
    #[schema(value_type = String)]
    name: SignalName,
    /// The time at which it was sent, or at which the job stopped waiting for it.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The name of the token that sent it. Empty if it was not sent in time.
    by: String,
    /// The body that was sent.
    body: Value,
    /// True if it was not sent in time.
    timed_out: bool,
}

impl From<Signal> for ReceivedSignal {
    fn from(signal: Signal) -> ReceivedSignal {
        let Signal { name, at, by, body, timed_out } = signal;
        ReceivedSignal { name, at, by, body, timed_out }
    }
}

/// A link that sends a signal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "url": "/api/v0/signals/a261713a-9514-43f9-a7e5-50e7a9fa1d48~approved~operator~ci~3b9c",
    "page": "/signals/a261713a-9514-43f9-a7e5-50e7a9fa1d48~approved~operator~ci~3b9c",
}))]
pub(in crate::v0) struct Link {
    /// The path to which a program sends a POST request, with any JSON as its body.
    url: String,
    /// The path of a page on which a person sends the signal.
    page: String,
}

/// Sends a signal to a job.
///
/// A job that waits for the signal continues in a new attempt, which reads the body. Otherwise the
/// signal is kept until the job waits for it. The first signal of a name wins. The signal may be sent
/// to any attempt of the job.
#[utoipa::path(
    post, path = "/jobs/{id}/signals/{name}", operation_id = "SignalJob", tag = "jobs",
    params(SignalPath),
    request_body(content = SignalBody, description = "At most 64 KiB."),
    responses(
        (status = 202, body = SignalResult, description = "The job that reads the signal."),
        BadQuery, BadBody, NoJob, NoSignal, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn signal(
    State(app): State<Arc<App>>,
    path: SignalPath,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<SignalResult>), Refusal> {
    let body = body_of(request).await?;
    let sent = in_time(send(&app, &caller, (path.0, path.1), body)).await?;
    Ok((StatusCode::ACCEPTED, Json(sent.into())))
}

/// Creates a link that sends a signal to a job without a token.
///
/// A link is signed, and can be used once, while the job has not finished. Its signal has the name
/// and the role of the token that created it. A later attempt of the job has another link.
#[utoipa::path(
    post, path = "/jobs/{id}/signals/{name}/link", operation_id = "LinkSignal", tag = "jobs",
    params(SignalPath),
    responses(
        (status = 201, body = Link, description = "The link."),
        BadQuery, NoJob, NoSignal, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn create_link(
    State(app): State<Arc<App>>,
    path: SignalPath,
    caller: Caller,
    _: NoQuery,
) -> Result<(StatusCode, Json<Link>), Refusal> {
    let text = link(&app, &caller, (path.0, path.1)).await?;
    let (url, page) = (format!("/api/v0/signals/{text}"), format!("/signals/{text}"));
    Ok((StatusCode::CREATED, Json(Link { url, page })))
}

/// Sends the signal of a link.
#[utoipa::path(
    post, path = "/signals/{link}", operation_id = "SignalByLink", tag = "jobs",
    params(SignalLinkPath),
    request_body(content = SignalBody, description = "At most 64 KiB."),
    responses(
        (status = 202, body = SignalResult, description = "The job that reads the signal."),
        BadQuery, BadBody, NoSignalLink, NoSignal, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn signal_by_link(
    State(app): State<Arc<App>>,
    SignalLinkPath(text): SignalLinkPath,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<SignalResult>), Refusal> {
    let link = in_time(read_link(&app, &text)).await?;
    let body = body_of(request).await?;
    let sent = in_time(send_by_link(&app, &caller, link, body)).await?;
    Ok((StatusCode::ACCEPTED, Json(sent.into())))
}

/// Reads the body of a signal. Without a body, no content type is required.
async fn body_of(request: Request) -> Result<String, Error> {
    let (head, content) = request.into_parts();
    let bytes = body::read(&head.headers, content, SIGNAL_BYTES).await?;
    if !bytes.is_empty() {
        body::require_json(&head.headers)?;
    }
    read_body(&bytes)
}
