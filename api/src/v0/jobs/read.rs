//! Listing and showing jobs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue};
use store::JobPage;

use super::filter::{ListQuery, list_query};
use super::job::{JobInDetail, Jobs};
use crate::app::App;
use crate::error::Error;
use crate::v0::wire::path::JobPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoJob, StoreUnavailable};
use crate::v0::wire::schemas;
use crate::wait_reason::wait_reason;

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
        ("status" = Option<schemas::Statuses>, Query, example = "error,worker_dead",
            description = "only jobs in one of these statuses, with commas between"),
        ("since" = Option<schemas::Moment>, Query, example = "2026-11-20T16:30:00Z",
            description = "only jobs due at this moment or later, as RFC 3339"),
        ("until" = Option<schemas::Moment>, Query, example = "2026-11-20T17:30:00Z",
            description = "only jobs due at this moment or earlier, as RFC 3339"),
        ("parent" = Option<schemas::JobIdOrNone>, Query, example = "a261713a-9514-43f9-a7e5-50e7a9fa1d48",
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
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<(HeaderMap, Json<Jobs>), Refusal> {
    let ListQuery { filter, start, limit } = list_query(raw.as_deref())?;
    app.reach_store().await?;
    let page = match filter {
        Some(filter) => app.store.jobs(&filter, start, limit).await?,
        None => JobPage { jobs: Vec::new(), total: 0, cut: false },
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-total-count", page.total.into());
    if page.cut {
        headers.insert("x-result-truncated", HeaderValue::from_static("true"));
    }
    Ok((headers, Json(page.jobs.into_iter().collect())))
}

/// Shows a job, and why it waits if it does.
#[utoipa::path(
    get, path = "/jobs/{id}", operation_id = "GetJob", tag = "jobs",
    params(JobPath),
    responses((status = 200, body = JobInDetail, description = "the job"), BadQuery, NoJob, StoreUnavailable),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    JobPath(id): JobPath,
    _: NoQuery,
) -> Result<Json<JobInDetail>, Refusal> {
    let job = app.store.job(id).await?.ok_or_else(|| Error::NoSuchJob(id.to_string()))?;
    let reason = wait_reason(&app.store, &job).await?;
    let open = app.store.open_children(&job).await?;
    Ok(Json(JobInDetail::new(job, open, reason)))
}
