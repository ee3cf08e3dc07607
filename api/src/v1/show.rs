//! GET /job/{number}: returns a job.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};

use super::envelope::{Jobs, Success};
use super::filter::omitted_tasks_of;
use super::job_number::JobNumber;
use super::list::show_jobs;
use super::refusal::Refusal;
use crate::app::App;
use crate::deadline::in_time;

/// Returns a job.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    number: JobNumber,
    RawQuery(raw): RawQuery,
) -> Result<Json<Success<Jobs>>, Refusal> {
    in_time(async {
        let job = number.job(&app.store).await?;
        let jobs = show_jobs(&app.store, vec![job], &omitted_tasks_of(raw.as_deref())).await?;
        Ok(Json(Success::jobs(jobs)))
    })
    .await
}
