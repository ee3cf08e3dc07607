//! The verdict on the fleet, the waiting jobs by reason, and the time line of a job.

use domain::job::{JobId, Timestamp};
use serde::Deserialize;

/// The state of the fleet in words.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The state in a sentence.
    pub verdict: String,
    /// Further sentences that explain it.
    #[serde(default)]
    pub because: Vec<String>,
    /// What was checked and is in order.
    #[serde(default)]
    pub ruled_out: Vec<String>,
    /// The time until the jobs that only wait for workers have started; `None` if unknown.
    #[serde(default)]
    pub drains_in_ms: Option<u64>,
}

/// The waiting jobs by reason.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// How many jobs wait.
    #[serde(default)]
    pub total: u64,
    /// The groups.
    #[serde(default)]
    pub groups: Vec<WaitingGroup>,
    /// The locks that a job has held for long while others wait.
    #[serde(default)]
    pub long_held: Vec<LongHeld>,
    /// Whether some jobs are in none of the groups.
    #[serde(default)]
    pub truncated: bool,
}

/// The jobs that wait for the same reason.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingGroup {
    /// The reason, for programs.
    pub code: String,
    /// What they wait for; empty if the code says it.
    #[serde(default)]
    pub subject: String,
    /// How many there are.
    #[serde(default)]
    pub count: u64,
    /// When the first of them was or is due.
    #[serde(default)]
    pub oldest: String,
    /// The number of the first of them.
    #[serde(default)]
    pub sample_number: u64,
    /// Why it waits.
    #[serde(default)]
    pub message: String,
}

/// A lock that a job has held for long.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LongHeld {
    /// Its name.
    pub name: String,
    /// The number of the job that holds it.
    #[serde(default)]
    pub job_number: u64,
    /// Since when.
    #[serde(default)]
    pub since: String,
    /// How many jobs wait for it.
    #[serde(default)]
    pub waiting: u64,
}

/// Where the time of a job went.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The steps of all attempts.
    #[serde(default)]
    pub steps: Vec<TimelineStep>,
    /// What it waited for.
    pub wait: Wait,
    /// How long it ran.
    #[serde(default)]
    pub run_ms: u64,
    /// How many attempts there are.
    #[serde(default)]
    pub attempts: u64,
    /// The probable start of a job that waits to start.
    #[serde(default)]
    pub expected_start: Option<ExpectedStart>,
}

/// A step of a job.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimelineStep {
    /// The time.
    pub at: String,
    /// What happened.
    pub what: String,
    /// Who caused it.
    #[serde(default)]
    pub who: String,
    /// Why.
    #[serde(default)]
    pub why: String,
    /// The job of the attempt.
    #[serde(rename = "jobID")]
    pub job_id: JobId,
    /// The number of the attempt.
    #[serde(default)]
    pub attempt: u32,
}

/// How long a job waited for each thing, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Wait {
    /// For its time.
    #[serde(default)]
    pub due: u64,
    /// For jobs that it depends on.
    #[serde(default)]
    pub dependency: u64,
    /// For locks.
    #[serde(default)]
    pub lock: u64,
    /// For rate limits.
    #[serde(default)]
    pub rate: u64,
    /// For a worker.
    #[serde(default)]
    pub queue: u64,
    /// For a signal.
    #[serde(default)]
    pub signal: u64,
    /// For its children.
    #[serde(default)]
    pub children: u64,
}

/// The probable start of a job.
#[derive(Debug, Clone, Deserialize)]
pub struct ExpectedStart {
    /// The time; `None` if unknown.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// How it was estimated, or why it is unknown.
    #[serde(default)]
    pub why: String,
}
