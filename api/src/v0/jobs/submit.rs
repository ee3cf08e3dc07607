//! Submitting jobs, one or a batch.

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
use crate::submit::{Acceptance, Accepted, DraftBatch};
use crate::v0::wire::body;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadBody, Conflicts, StoreUnavailable, TooLarge, WrongType};

const BODY_BYTES: usize = 1024 * 1024;
const BATCH_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Submits a job. An action that no live worker knows is taken too: workers come and go.
#[utoipa::path(
    post, path = "/jobs", operation_id = "CreateJob", tag = "jobs",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, pattern = "^[ -~]{1,255}$", example = "order-17",
        description = "1 to 255 printable ASCII characters. A repeat within a day makes no job: it \
            answers the first one as it is now, whatever its body says")),
    request_body(content = JobSubmission, description = "at most 1 MiB"),
    responses(
        (status = 202, body = Job, description = "it is recorded and waits to be claimed; or it \
            was, under the same Idempotency-Key"),
        (status = 200, body = Job, description = "none is made: this job has the `uniqueKey`"),
        BadBody, Conflicts, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn submit(
    State(app): State<Arc<App>>,
    IdempotencyHeader(key): IdempotencyHeader,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let submission: JobSubmission = body::read(request, BODY_BYTES).await?;
    let draft = submission.draft(key.as_ref(), &caller)?;
    let Accepted { job, how } = app.submissions.one(draft).await?;
    app.metrics.submitted(usize::from(how == Acceptance::Created));
    caller.set_subject(job.id);
    let status = match how {
        Acceptance::Created | Acceptance::Repeated => StatusCode::ACCEPTED,
        Acceptance::UniqueKeyTaken => StatusCode::OK,
    };
    Ok((status, Json(job.into())))
}

/// Submits many jobs: all of them, or none when one is refused; the error names its `index`. Where
/// a `uniqueKey` is taken, the job that has it is answered in that place.
#[utoipa::path(
    post, path = "/jobs/batch", operation_id = "CreateJobs", tag = "jobs",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, pattern = "^[ -~]{1,255}$", example = "orders-of-monday",
        description = "1 to 255 printable ASCII characters. A repeat within a day answers in each \
            place the job that the first one made there, as it is now, whatever its body says; \
            places that the first one did not have are made")),
    request_body(content = BatchSubmission, description = "at most 10 MiB"),
    responses(
        (status = 202, body = Jobs, description = "they are recorded, in this order"),
        BadBody, Conflicts, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn submit_batch(
    State(app): State<Arc<App>>,
    IdempotencyHeader(key): IdempotencyHeader,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Jobs>), Refusal> {
    let batch: BatchSubmission = body::read(request, BATCH_BODY_BYTES).await?;
    let drafts = batch.drafts(key.as_ref(), &caller)?;
    let id = key.map_or_else(Uuid::new_v4, |key| key.batch());
    caller.set_subject(format_args!("batch {id} of {}", drafts.len()));
    let batch = DraftBatch { id, drafts };
    let none = batch.drafts.is_empty();
    let jobs = if none { Vec::new() } else { app.submissions.batch(batch).await? };
    app.metrics.submitted(jobs.iter().filter(|one| one.how == Acceptance::Created).count());
    Ok((StatusCode::ACCEPTED, Json(jobs.into_iter().map(|one| one.job).collect())))
}
