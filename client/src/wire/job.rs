//! Jobs and their logs.

use std::collections::BTreeMap;

use domain::job::{JobId, Status, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::optional::{default_if_null, none_if_empty};
use super::units::Units;

/// A job.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The worker that claimed it; empty when none has.
    #[serde(rename = "workerID", default)]
    pub worker_id: String,
    /// Its status.
    pub status: Status,
    /// Its number, in the order of submission.
    #[serde(default)]
    pub number: u64,
    /// The action it runs.
    pub action: String,
    /// Its priority.
    #[serde(default)]
    pub priority: String,
    /// Who submitted it.
    #[serde(default)]
    pub scheduled_by: Option<String>,
    /// Its comment.
    #[serde(default)]
    pub comment: Option<String>,
    /// Why it waits. Lists leave this out.
    #[serde(default)]
    pub waiting_for: Option<WaitReason>,
    /// When it is due.
    pub scheduled_at: Timestamp,
    /// The capacity it needs.
    #[serde(default, deserialize_with = "default_if_null")]
    pub capacity_map: Units,
    /// The number of this attempt, from 1.
    #[serde(default)]
    pub attempt: u32,
    /// When it was submitted.
    #[serde(default, deserialize_with = "none_if_empty")]
    pub created_at: Option<Timestamp>,
    /// When it started to run.
    #[serde(default, deserialize_with = "none_if_empty")]
    pub started_at: Option<Timestamp>,
    /// When it finished.
    #[serde(default, deserialize_with = "none_if_empty")]
    pub finished_at: Option<Timestamp>,
    /// The job that continues this one after a failure or a lost worker.
    #[serde(rename = "followUpID", default, deserialize_with = "none_if_empty")]
    pub follow_up_id: Option<JobId>,
    /// The job that this one retries; its own id when it is not a retry.
    #[serde(rename = "retryFromID", default, deserialize_with = "none_if_empty")]
    pub retry_from_id: Option<JobId>,
    /// The cron that created it.
    #[serde(default)]
    pub cron: Option<String>,
    /// Its labels.
    #[serde(default, deserialize_with = "default_if_null")]
    pub labels: BTreeMap<String, String>,
    /// Its parameters.
    #[serde(default)]
    pub parameters: Value,
    /// Its result.
    #[serde(default)]
    pub result: Value,
    /// Why it failed.
    #[serde(default)]
    pub exception: Option<Exception>,
}

/// Why a job waits.
#[derive(Debug, Clone, Deserialize)]
pub struct WaitReason {
    /// The kind of reason, for example `lock`.
    #[serde(default)]
    pub code: String,
    /// The message.
    #[serde(default)]
    pub message: String,
}

/// Why a job failed.
#[derive(Debug, Clone, Deserialize)]
pub struct Exception {
    /// The kind of failure, for example `ExitCode`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The message.
    #[serde(default)]
    pub message: String,
}

/// A line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogLine {
    /// The text, with its line break.
    pub data: String,
    /// The number of the line, from 0.
    #[serde(rename = "lineNum", default)]
    pub number: u64,
    /// When it was written.
    #[serde(default)]
    pub at: String,
    /// Where it came from: `stdout`, `stderr` or `capstan`.
    #[serde(default)]
    pub source: String,
}

impl LogLine {
    /// The text without its line break.
    #[must_use]
    pub fn text(&self) -> &str {
        self.data.trim_end_matches('\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn optional_fields_may_be_null_empty_or_absent() {
        let id = JobId::random();
        let mut document = json!({
            "id": id, "workerID": "", "status": "waiting", "action": "sleep", "unknown": 1,
            "scheduledAt": "2026-11-20T16:30:00Z", "capacityMap": null, "startedAt": null,
            "finishedAt": "", "followUpID": "",
        });
        let job: Job = serde_json::from_value(document.clone()).unwrap();
        assert_eq!((job.id, job.status), (id, Status::Waiting));
        assert_eq!((job.started_at, job.finished_at, job.follow_up_id), (None, None, None));
        assert_eq!(job.capacity_map.to_string(), "");

        document["followUpID"] = json!(id);
        document["capacityMap"] = json!({"scan": 1, "cpu": 2});
        document["startedAt"] = json!("2026-11-20T16:30:00.250Z");
        let job: Job = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(job.follow_up_id, Some(id));
        assert_eq!(job.started_at.unwrap().ms() - job.scheduled_at.ms(), 250);
        assert_eq!(job.capacity_map.to_string(), "cpu=2,scan=1");
        assert_eq!(job.capacity_map.of("cpu"), 2);

        document["startedAt"] = json!("yesterday");
        assert!(serde_json::from_value::<Job>(document).is_err());
    }
}
