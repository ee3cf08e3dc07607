//! Submitting, listing and showing jobs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use shared::store::JobPage;
use uuid::Uuid;

use super::docs::{Away, BadBody, BadQuery, Conflicts, NoJob, TooLarge, WrongType};
use super::job::{Job, JobInDetail, Jobs};
use super::key::OfKey;
use super::list::wanted;
use super::path::OfJob;
use super::query::NoQuery;
use super::submission::{BatchSubmission, JobSubmission};
use super::values;
use super::{Refusal, body};
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::submit::{Admission, Admitted, DraftBatch};
use crate::waiting;

const BODY_BYTES: usize = 1024 * 1024;
const BATCH_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Lists jobs, the one that is due last first unless `sort` says otherwise.
#[utoipa::path(
    get, path = "/jobs", operation_id = "ListJobs", tag = "jobs",
    params(
        ("action" = Option<String>, Query, pattern = "^[A-Za-z0-9_.-]{0,64}$", example = "any",
            description = "only jobs of this action; `any` is all"),
        ("worker" = Option<String>, Query, pattern = "^(any|[0-9a-f]{12})?$", example = "any",
            description = "only jobs that this worker claimed; `any` is all"),
        ("running" = Option<String>, Query,
            pattern = "^(any|1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)?$", example = "any",
            description = "`true`: only running ones; `false`: only others; `any`: all. \
                Also `t`, `1`, `f`, `0`, in either case"),
        ("start" = Option<i32>, Query, minimum = 0, example = 0,
            description = "from which place of the list on; 0 unless given"),
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 1000, example = 10,
            description = "how many at most; 10 unless given"),
        ("status" = Option<values::Statuses>, Query, example = "error,worker_dead",
            description = "only jobs in one of these statuses, with commas between"),
        ("since" = Option<values::Moment>, Query, example = "2026-11-20T16:30:00Z",
            description = "only jobs due at this moment or later, as RFC 3339"),
        ("until" = Option<values::Moment>, Query, example = "2026-11-20T17:30:00Z",
            description = "only jobs due at this moment or earlier, as RFC 3339"),
        ("parent" = Option<values::JobIdOrNone>, Query, example = "a261713a-9514-43f9-a7e5-50e7a9fa1d48",
            description = "only children of this job, or of one that it carries on"),
        ("sort" = Option<String>, Query, pattern = "^(-?scheduledAt)?$", example = "-scheduledAt",
            description = "`-scheduledAt`: the one that is due last first, as without it; \
                `scheduledAt`: the one that is due first first"),
    ),
    responses(
        (status = 200, body = Jobs, description = "a page of the list",
            headers(
                ("X-Total-Count" = u64, description = "how many jobs match in all"),
                ("X-Result-Truncated" = Option<bool>, description = "`true`: there was no time to \
                    look at all jobs, and there may be more that match. Only with filters by \
                    several things at once"),
            )),
        BadQuery, Away,
    ),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<(HeaderMap, Json<Jobs>), Refusal> {
    let wanted = wanted(raw.as_deref())?;
    app.reach_store().await?;
    let page = match wanted.filter {
        Some(filter) => app.store.jobs(&filter, wanted.start, wanted.limit).await?,
        None => JobPage { jobs: Vec::new(), total: 0, cut: false },
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-total-count", page.total.into());
    if page.cut {
        headers.insert("x-result-truncated", HeaderValue::from_static("true"));
    }
    Ok((headers, Json(page.jobs.into_iter().collect())))
}

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
        BadBody, Conflicts, TooLarge, WrongType, Away,
    ),
)]
pub(super) async fn submit(
    State(app): State<Arc<App>>,
    OfKey(key): OfKey,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Job>), Refusal> {
    let submission: JobSubmission = body::read(request, BODY_BYTES).await?;
    let draft = submission.draft(key.as_ref(), &caller)?;
    let Admitted { job, how } = app.submissions.one(draft).await?;
    app.metrics.submitted(usize::from(how == Admission::Made));
    caller.made(job.id);
    let status = match how {
        Admission::Made | Admission::Repeated => StatusCode::ACCEPTED,
        Admission::Taken => StatusCode::OK,
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
        BadBody, Conflicts, TooLarge, WrongType, Away,
    ),
)]
pub(super) async fn submit_batch(
    State(app): State<Arc<App>>,
    OfKey(key): OfKey,
    caller: Caller,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Jobs>), Refusal> {
    let batch: BatchSubmission = body::read(request, BATCH_BODY_BYTES).await?;
    let drafts = batch.drafts(key.as_ref(), &caller)?;
    let id = key.map_or_else(Uuid::new_v4, |key| key.batch());
    caller.made(format_args!("batch {id} of {}", drafts.len()));
    let batch = DraftBatch { id, drafts };
    let none = batch.drafts.is_empty();
    let jobs = if none { Vec::new() } else { app.submissions.all(batch).await? };
    app.metrics.submitted(jobs.iter().filter(|one| one.how == Admission::Made).count());
    Ok((StatusCode::ACCEPTED, Json(jobs.into_iter().map(|one| one.job).collect())))
}

/// Shows a job, and why it waits if it does.
#[utoipa::path(
    get, path = "/jobs/{id}", operation_id = "GetJob", tag = "jobs",
    params(("id" = String, Path, description = "the job's id", format = Uuid,
            example = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b")),
    responses((status = 200, body = JobInDetail, description = "the job"), BadQuery, NoJob, Away),
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    OfJob(id): OfJob,
    _: NoQuery,
) -> Result<Json<JobInDetail>, Refusal> {
    let job = app.store.job(id).await?.ok_or_else(|| Error::NoSuchJob(id.to_string()))?;
    let reason = waiting::reason(&app.store, &job).await?;
    let open = app.store.open_children(&job).await?;
    Ok(Json(JobInDetail::new(job, open, reason)))
}
