//! Submits a job or a batch of jobs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use uuid::Uuid;

use super::idempotency_key::IdempotencyHeader;
use super::job::{Job, Jobs};
use super::submission::{BatchSubmission, JobSubmission};
use crate::app::App;
use crate::auth::Caller;
use crate::submit::{
    Acceptance, Accepted, DraftBatch, IdempotencyKey, check_expiries, check_expiry,
};
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, Conflicts, OtherRequest, QuotaReached, StoreUnavailable, TooLarge, WrongType,
};

const BODY_BYTES: usize = 1024 * 1024;
const BATCH_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Submits a job.
///
/// A job is accepted even if no live worker knows its action: it waits until one does.
#[utoipa::path(
    post, path = "/jobs", operation_id = "CreateJob", tag = "jobs",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false,
        pattern = "^[ -~]{1,255}$", example = "order-17",
        description = "1 to 255 printable ASCII characters. A request that repeats a key within a \
            day creates no job and returns the job that was created with it, in its current \
            state. The key belongs to the token; with another body, it is refused.")),
    request_body(content = JobSubmission, description = "At most 1 MiB."),
    responses(
        (status = 202, body = Job, description = "The job that was created, now or earlier with \
            the same `Idempotency-Key`."),
        (status = 200, body = Job, description = "The unfinished job that already has the \
            `uniqueKey`, or the job with the `batchKey` to which the parameters were added. No job \
            was created."),
        BadBody, Conflicts, OtherRequest, QuotaReached, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn submit(
    State(app): State<Arc<App>>,
    header: IdempotencyHeader,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let (submission, key): (JobSubmission, _) =
        header.read(&app, &caller, (request, BODY_BYTES), IdempotencyKey::job).await?;
    let draft = submission.draft(key.as_ref(), &caller)?;
    check_expiry(&app.store, &draft).await?;
    let Accepted { job, how } = app.submissions.one(draft).await?;
    app.metrics.submitted(usize::from(how == Acceptance::Created));
    caller.set_subject(job.id);
    let status = match how {
        Acceptance::Created | Acceptance::Repeated => StatusCode::ACCEPTED,
        Acceptance::Existing => StatusCode::OK,
    };
    Ok((status, Json(job.into())))
}

/// Submits a batch of jobs.
///
/// If one job is refused, none is created, and the error contains the `index` of that job. If the
/// `uniqueKey` of a job is taken, or the job joins another one by its `batchKey`, that other job is
/// returned at its index.
#[utoipa::path(
    post, path = "/jobs/batch", operation_id = "CreateJobs", tag = "jobs",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false,
        pattern = "^[ -~]{1,255}$", example = "orders-of-monday",
        description = "1 to 255 printable ASCII characters. A request that repeats a key within a \
            day returns at each index the job that was created there, in its current state. The \
            key belongs to the token; with another body, it is refused.")),
    request_body(content = BatchSubmission, description = "At most 10 MiB."),
    responses(
        (status = 202, body = Jobs, description = "The jobs, in the order of the request."),
        BadBody, Conflicts, OtherRequest, QuotaReached, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn submit_batch(
    State(app): State<Arc<App>>,
    header: IdempotencyHeader,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Jobs>), Refusal> {
    let request = (request, BATCH_BODY_BYTES);
    let (batch, key): (BatchSubmission, _) =
        header.read(&app, &caller, request, |key| key.job_of_batch(0)).await?;
    let drafts = batch.drafts(key.as_ref(), &caller)?;
    check_expiries(&app.store, &drafts).await?;
    let id = key.map_or_else(Uuid::new_v4, |key| key.batch());
    caller.set_subject(format_args!("batch {id} of {}", drafts.len()));
    let batch = DraftBatch { id, drafts };
    let is_empty = batch.drafts.is_empty();
    let jobs = if is_empty { Vec::new() } else { app.submissions.batch(batch).await? };
    app.metrics.submitted(jobs.iter().filter(|one| one.how == Acceptance::Created).count());
    Ok((StatusCode::ACCEPTED, Json(jobs.into_iter().map(|one| one.job).collect())))
}
