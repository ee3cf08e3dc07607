//! Lists and shows jobs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::response::Response;

use super::job::{Job, JobDetails, Jobs};
use crate::app::App;
use crate::error::Error;
use crate::job_filter::list_query;
use crate::job_list::{Frame, Show, answer, array};
use crate::v0::wire::path::JobPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoJob, StoreUnavailable};
use crate::v0::wire::schemas;
use crate::wait_reason::wait_reason;

/// The default and the largest number of jobs in a page.
const LIMITS: (u32, u32) = (10, 1000);
/// The body of a list, as [`Jobs`] describes it.
const JOBS: Frame = Frame { open: r#"{"jobs":["#, close: "]}" };

/// Lists jobs by due time, latest first by default.
#[utoipa::path(
    get, path = "/jobs", operation_id = "ListJobs", tag = "jobs",
    params(
        ("q" = Option<String>, Query, max_length = 512, example = "status:error param.host:sw1",
            description = "A search: terms like `key:value`, each of which must hold, or not after \
                a `-`; a text without a key must occur in the job. The keys are `status`, \
                `action`, `worker`, `parent`, `cron`, `by`, `key`, `unique`, `priority`, `lock`, \
                `ticket`, `label`, `since`, `until`, `text`, and `param.NAME`."),
        ("action" = Option<String>, Query, pattern = "^[A-Za-z0-9_.-]{0,64}$", example = "any",
            description = "Only jobs of this action. `any` selects all actions."),
        ("worker" = Option<String>, Query, pattern = "^(any|[0-9a-f]{12})?$", example = "any",
            description = "Only jobs claimed by this worker. `any` selects all workers."),
        ("running" = Option<String>, Query,
            pattern = "^(any|1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)?$", example = "any",
            description = "`true` selects only running jobs, `false` only jobs that are not \
                running, `any` all. `t`, `1`, `f` and `0` are also accepted."),
        ("start" = Option<i32>, Query, minimum = 0, example = 0,
            description = "The offset of the first job. Defaults to 0."),
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 1000, example = 10,
            description = "The maximum number of jobs. Defaults to 10."),
        ("status" = Option<schemas::Statuses>, Query, example = "error,worker_dead",
            description = "Only jobs in one of these statuses, separated by commas."),
        ("since" = Option<schemas::OptionalTime>, Query, example = "2026-11-20T16:30:00Z",
            description = "Only jobs that are due at or after this time, as RFC 3339."),
        ("until" = Option<schemas::OptionalTime>, Query, example = "2026-11-20T17:30:00Z",
            description = "Only jobs that are due at or before this time, as RFC 3339."),
        ("parent" = Option<schemas::OptionalJobId>, Query,
            example = "a261713a-9514-43f9-a7e5-50e7a9fa1d48",
            description = "Only children of this job, or of a job that it retries."),
        ("label" = Option<Vec<String>>, Query, example = json!(["team:network"]),
            description = "Only jobs with this label, as `name:text`. May be given several times: \
                all must match."),
        ("cron" = Option<String>, Query, pattern = "^[A-Za-z0-9_.-]{0,64}$", example = "gc",
            description = "Only jobs that this cron created."),
        ("scheduledBy" = Option<String>, Query, example = "ci",
            description = "Only jobs that the token with this name submitted."),
        ("fairnessKey" = Option<String>, Query, example = "tenant-7",
            description = "Only jobs with this fairness key."),
        ("fingerprint" = Option<String>, Query, pattern = "^([0-9a-f]{16})?$",
            example = "4f0c1c39d2c0a7be",
            description = "Only jobs that failed in this way; `GET /failures` lists the \
                fingerprints. The records of failed jobs are read, so the walk may be cut."),
        ("sort" = Option<String>, Query, pattern = "^(-?scheduledAt|-createdAt)?$",
            example = "-scheduledAt",
            description = "The order: by due time, the latest first (`-scheduledAt`, the default) \
                or the earliest first (`scheduledAt`), or by submission, the newest first \
                (`-createdAt`)."),
    ),
    responses(
        (status = 200, body = Jobs, description = "A page of jobs.",
            headers(
                ("X-Total-Count" = u64, description = "The total number of jobs that match."),
                ("X-Result-Truncated" = Option<bool>, description = "`true` if the search reached \
                    its time limit, so that more jobs may match. Occurs only with several \
                    filters, or with one or a search that no index serves."),
            )),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let query = list_query(raw.as_deref(), LIMITS)?;
    app.reach_store().await?;
    let page = query.find(&app).await?;
    let show: Show = Box::new(|jobs| {
        let jobs: Vec<Job> = jobs.into_iter().map(Job::from).collect();
        Box::pin(std::future::ready(array(&jobs)))
    });
    let mut response = answer(app.store.clone(), page.ids, JOBS, show).await?;
    let headers = response.headers_mut();
    headers.insert("x-total-count", page.total.into());
    if page.cut {
        headers.insert("x-result-truncated", HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Returns a job. For a waiting job, `waitingFor` contains the reason.
#[utoipa::path(
    get, path = "/jobs/{id}", operation_id = "GetJob", tag = "jobs",
    params(JobPath),
    responses(
        (status = 200, body = JobDetails, description = "The job."),
        BadQuery, NoJob, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    JobPath(id): JobPath,
    _: NoQuery,
) -> Result<Json<JobDetails>, Refusal> {
    let job = app.store.job(id).await?.ok_or_else(|| Error::NoSuchJob(id.to_string()))?;
    let reason = wait_reason(&app.store, &job).await?;
    let checkpoint = app.store.checkpoint_of(&job).await?;
    let signal = app.store.signal_of(&job).await?;
    let open = app.store.open_children(&job).await?;
    Ok(Json(JobDetails::new(job, (checkpoint, signal), open, reason)))
}
