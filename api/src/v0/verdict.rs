//! The state of the fleet as a sentence, and the waiting jobs by reason.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::job::{JobId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, StoreUnavailable};
use crate::v0::wire::schemas;
use crate::{verdict, waiting};

/// The state of the fleet in words.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "verdict": "13 jobs wait for lock device-sw1, held by job 4711 \
        (a261713a-9514-43f9-a7e5-50e7a9fa1d48) for 12 min.",
    "urgency": "attention",
    "because": [
        "Lock device-sw1 has been held by job 4711 (a261713a-9514-43f9-a7e5-50e7a9fa1d48) for \
            12 min.",
        "3 live workers use 40 % of their capacity of type scan.",
    ],
    "ruledOut": ["A scheduler is running and can publish to RabbitMQ."],
    "drainsInMs": 0,
}))]
pub(in crate::v0) struct Verdict {
    /// The state of the fleet in a sentence: the first cause that applies.
    verdict: String,
    /// `calm`: nothing has to be done. `attention`: someone should look at it. `alarm`: jobs cannot
    /// run.
    #[schema(value_type = schemas::Urgency)]
    urgency: &'static str,
    /// Further sentences that explain it.
    because: Vec<String>,
    /// What was checked and is in order.
    ruled_out: Vec<String>,
    /// The time in milliseconds until the jobs that only wait for workers have started, at the rate
    /// of the last minute and if no more come. `null` if none has started in that minute.
    drains_in_ms: Option<u64>,
}

/// The waiting jobs, grouped by the reason for which they wait.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct Waiting {
    /// The number of waiting jobs.
    total: u64,
    /// The groups: first those that will not start without help, then the largest ones.
    groups: Vec<Group>,
    /// The locks that a job has held for more than 10 minutes while others wait for them.
    long_held: Vec<LongHeld>,
    /// True if there are waiting jobs in none of the groups, because they wait in more places than
    /// are looked at.
    truncated: bool,
}

/// The jobs that wait for the same reason.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WaitingGroup, example = json!({
    "code": "capacity", "subject": "gpu=4", "count": 3, "oldest": "2026-11-20T16:54:34.717Z",
    "sampleID": "a261713a-9514-43f9-a7e5-50e7a9fa1d48", "sampleNumber": 4711,
    "message": "no live worker offers gpu=4",
}))]
struct Group {
    /// The reason, as in `waitingFor` of a job.
    #[schema(value_type = schemas::WaitReasonCode)]
    code: &'static str,
    /// What the jobs wait for: the name of a lock, the capacity, the action, or the queue. Empty if
    /// the code says it, or if that differs from job to job.
    subject: String,
    /// The number of jobs. A job that waits for several locks is counted for each of them.
    count: u64,
    /// The time at which the first of them was or is due.
    #[schema(value_type = String, format = DateTime)]
    oldest: Timestamp,
    /// The first of them.
    #[serde(rename = "sampleID")]
    #[schema(value_type = String, format = Uuid)]
    sample: JobId,
    /// Its number.
    sample_number: u64,
    /// Why it waits, for people.
    message: String,
}

/// A lock that a job has held for long while others wait for it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LongHeld {
    /// The name of the lock.
    name: String,
    /// The job that holds it.
    #[serde(rename = "jobID")]
    #[schema(value_type = String, format = Uuid)]
    job: JobId,
    /// The number of that job.
    job_number: u64,
    /// The time since which it holds the lock.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// The number of jobs that wait for the lock.
    waiting: u64,
}

/// Returns the state of the fleet in words: the main cause for which jobs wait, what explains it,
/// and what was ruled out.
///
/// It is computed from the store for each request. The answer is 200 even if the store does not
/// answer; the sentence then says so.
#[utoipa::path(
    get, path = "/verdict", operation_id = "GetVerdict", tag = "meta",
    responses(
        (status = 200, body = Verdict, description = "The state of the fleet in words."),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<Verdict>, Refusal> {
    let verdict = verdict::verdict(&app.store).await?;
    Ok(Json(Verdict {
        verdict: verdict.text,
        urgency: verdict.urgency.as_str(),
        because: verdict.because,
        ruled_out: verdict.ruled_out,
        drains_in_ms: verdict.drains_in_ms,
    }))
}

/// Returns the waiting jobs, grouped by the reason for which they wait.
///
/// The numbers come from the indexes of the store, so they are exact for any number of jobs, but
/// not of one moment. The reason of a group is that of its first jobs.
#[utoipa::path(
    get, path = "/waiting", operation_id = "ListWaiting", tag = "meta",
    responses(
        (status = 200, body = Waiting, description = "The groups."), BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list_waiting(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<Waiting>, Refusal> {
    let now = app.store.now().await?;
    Ok(Json(waiting::waiting(&app.store, now).await?.into()))
}

impl From<waiting::Waiting> for Waiting {
    fn from(waiting: waiting::Waiting) -> Waiting {
        Waiting {
            total: waiting.total,
            groups: waiting.groups.into_iter().map(Group::from).collect(),
            long_held: waiting.long_held.into_iter().map(LongHeld::from).collect(),
            truncated: waiting.is_cut,
        }
    }
}

impl From<waiting::Group> for Group {
    fn from(group: waiting::Group) -> Group {
        let waiting::Group { code, subject, count, oldest, sample, sample_number, message } = group;
        Group { code, subject, count, oldest, sample, sample_number, message }
    }
}

impl From<waiting::LongHeld> for LongHeld {
    fn from(held: waiting::LongHeld) -> LongHeld {
        LongHeld {
            name: held.name.to_string(),
            job: held.holder,
            job_number: held.holder_number,
            since: held.since,
            waiting: held.waiting,
        }
    }
}
