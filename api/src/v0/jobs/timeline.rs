//! Where the time of a job went.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::job::{JobId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::Error;
use crate::expected_start::{self, expected_start};
use crate::timeline;
use crate::v0::wire::path::JobPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, NoJob, StoreUnavailable};
use crate::v0::wire::schemas;

/// The steps of a job over all its attempts, and where its time went.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct Timeline {
    /// The steps of all attempts, in the order in which they happened.
    steps: Vec<Step>,
    /// How long it waited for each thing, in milliseconds; the sum over the attempts.
    wait: Wait,
    /// How long it ran, in milliseconds; the sum over the attempts.
    run_ms: u64,
    /// The number of attempts.
    attempts: u64,
    /// The number of attempts that are not shown, because there are more than 50.
    more: u64,
    /// The probable start of a job that waits to start. `null` for any other job.
    expected_start: Option<ExpectedStart>,
}

/// A step of a job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimelineStep, example = json!({
    "at": "2026-11-20T16:54:34.717Z", "what": "started", "who": "worker f97ebb52f0f6",
    "why": "fencing token 17", "jobID": "a261713a-9514-43f9-a7e5-50e7a9fa1d48", "attempt": 1,
}))]
struct Step {
    /// The time.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What happened. `submitted`: the job was submitted. `retried`: a further attempt was created.
    /// `unblocked`: the jobs that it depends on have ended. `due`: its time has come. `parked`: it
    /// began to wait for a lock. `granted`: it was offered to workers again because it was granted
    /// the lock. `started`: a worker has started it. `cancel_requested`: its worker was asked to
    /// stop it. `awaits_children`, `awaits_signal`: its run has ended, and it began to wait for its
    /// children or for a signal. `continued`: the signal was sent, or its time was over, and a
    /// further attempt was created. Any other value is the final status of the attempt.
    #[schema(value_type = schemas::StepKind)]
    what: &'static str,
    /// Who caused it, for people: a user or a worker. Empty if unknown.
    who: String,
    /// Why, for people. Empty if there is nothing to say.
    why: String,
    /// The job of the attempt.
    #[serde(rename = "jobID")]
    #[schema(value_type = String, format = Uuid)]
    job: JobId,
    /// The number of the attempt, from 1.
    attempt: u32,
}

/// How long a job waited for each thing, in milliseconds. What an older version of Capstan has not
/// recorded is counted as `queue`.
#[derive(Debug, Serialize, ToSchema)]
struct Wait {
    /// For its time, or for the back-off before a retry.
    due: u64,
    /// For the jobs that it depends on.
    dependency: u64,
    /// For locks, limits and pauses.
    lock: u64,
    /// For rate limits.
    rate: u64,
    /// For a worker, and for other jobs of its fairness group.
    queue: u64,
    /// For its children, after its run.
    children: u64,
    /// For a signal, after its run.
    signal: u64,
}

/// The probable start of a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "at": "2026-11-20T16:55:04.717Z", "why": "9 ahead of it, and 30 started in the last 60 s",
}))]
struct ExpectedStart {
    /// The time. `null` if it is unknown.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// How it was estimated, or why it is unknown, for people.
    why: String,
}

/// Returns the steps of a job over all its attempts, how long it waited for each thing, and how
/// long it ran.
#[utoipa::path(
    get, path = "/jobs/{id}/timeline", operation_id = "GetJobTimeline", tag = "jobs",
    params(JobPath),
    responses(
        (status = 200, body = Timeline, description = "The time line."),
        BadQuery, NoJob, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    JobPath(id): JobPath,
    _: NoQuery,
) -> Result<Json<Timeline>, Refusal> {
    let job = app.store.job(id).await?.ok_or_else(|| Error::NoSuchJob(id.to_string()))?;
    let timeline = timeline::timeline(&app.store, &job).await?;
    let expected = expected_start(&app.store, &job).await?;
    let timeline::Wait { due, dependency, lock, rate, queue, children, signal } =
        timeline.spans.wait;
    Ok(Json(Timeline {
        wait: Wait { due, dependency, lock, rate, queue, children, signal },
        run_ms: timeline.spans.run_ms,
        attempts: timeline.attempts.len() as u64 + timeline.more,
        more: timeline.more,
        steps: timeline.steps.into_iter().map(Step::from).collect(),
        expected_start: expected.map(ExpectedStart::from),
    }))
}

impl From<timeline::Step> for Step {
    fn from(step: timeline::Step) -> Step {
        let timeline::Step { at, what, who, why, job, attempt } = step;
        Step { at, what, who, why, job, attempt }
    }
}

impl From<expected_start::ExpectedStart> for ExpectedStart {
    fn from(expected: expected_start::ExpectedStart) -> ExpectedStart {
        let expected_start::ExpectedStart { at, why } = expected;
        ExpectedStart { at, why }
    }
}
