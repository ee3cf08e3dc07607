//! The parts of the API's documents that this program reads. The API owns them
//! (`/api/v0/docs.json`); fields that are not named here are let through unread.

mod locks;
mod queues;

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use shared::job::{JobId, Status, Timestamp};

pub(crate) use locks::{Lock, Locks};
pub(crate) use queues::{Queue, Queues};

/// Units by type; `None` on the wire is null.
pub(crate) type Units = Option<BTreeMap<String, u64>>;

/// A job.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    pub(crate) id: JobId,
    /// Empty when nobody has claimed it.
    #[serde(rename = "workerID", default)]
    pub(crate) worker_id: String,
    pub(crate) status: Status,
    pub(crate) action: String,
    pub(crate) scheduled_at: Timestamp,
    #[serde(default)]
    pub(crate) capacity_map: Units,
    #[serde(default)]
    pub(crate) attempt: u32,
    #[serde(default, deserialize_with = "none_when_empty")]
    pub(crate) created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "none_when_empty")]
    pub(crate) started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "none_when_empty")]
    pub(crate) finished_at: Option<Timestamp>,
    /// The job that carries on after this one ended badly.
    #[serde(rename = "followUpID", default, deserialize_with = "none_when_empty")]
    pub(crate) follow_up_id: Option<JobId>,
    /// The job that it retries; its own id when it is no retry.
    #[serde(rename = "retryFromID", default, deserialize_with = "none_when_empty")]
    pub(crate) retry_from_id: Option<JobId>,
    #[serde(default)]
    pub(crate) cron: Option<String>,
    #[serde(default)]
    pub(crate) parameters: Value,
    #[serde(default)]
    pub(crate) result: Value,
    #[serde(default)]
    pub(crate) exception: Option<Exception>,
}

/// Why a job ended in an error.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Exception {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) message: String,
}

/// A page of jobs.
#[derive(Debug, Deserialize)]
pub(crate) struct Jobs {
    pub(crate) jobs: Vec<Job>,
}

/// A worker.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) capacity_map: Units,
    #[serde(default)]
    pub(crate) free: Units,
    #[serde(default)]
    pub(crate) actions: Vec<String>,
    #[serde(default)]
    pub(crate) heartbeat_expiration: String,
    /// The jobs it runs, or how many.
    #[serde(default)]
    pub(crate) jobs: Value,
}

/// All workers.
#[derive(Debug, Deserialize)]
pub(crate) struct Workers {
    pub(crate) workers: Vec<Worker>,
}

/// A cron.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cron {
    pub(crate) name: String,
    pub(crate) action: String,
    pub(crate) schedule: String,
    #[serde(default)]
    pub(crate) time_zone: String,
    #[serde(default, deserialize_with = "none_when_empty")]
    pub(crate) next_run: Option<Timestamp>,
    #[serde(default, deserialize_with = "none_when_empty")]
    pub(crate) last_run: Option<Timestamp>,
    #[serde(default)]
    pub(crate) paused: bool,
    #[serde(default)]
    pub(crate) declared: bool,
    #[serde(default)]
    pub(crate) fired: u64,
    #[serde(default)]
    pub(crate) skipped: u64,
    #[serde(default)]
    pub(crate) last_skip: Option<Map<String, Value>>,
}

/// A page of crons.
#[derive(Debug, Deserialize)]
pub(crate) struct Crons {
    pub(crate) crons: Vec<Cron>,
}

/// The next ticks of a cron.
#[derive(Debug, Deserialize)]
pub(crate) struct NextTicks {
    pub(crate) next: Vec<Timestamp>,
}

/// A line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct LogLine {
    pub(crate) data: String,
    /// From 0.
    #[serde(rename = "lineNum", default)]
    pub(crate) number: u64,
}

/// What the API says when it refuses.
#[derive(Debug, Deserialize)]
pub(crate) struct Errors {
    pub(crate) errors: Vec<Error>,
}

/// One of its reasons.
#[derive(Debug, Deserialize)]
pub(crate) struct Error {
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) detail: Value,
}

/// Units as people write them, `cpu=2,scan=1`.
pub(crate) fn units_text(units: &Units) -> String {
    let units = units.iter().flatten().map(|(name, units)| format!("{name}={units}"));
    units.collect::<Vec<_>>().join(",")
}

/// Units of one type; 0 when there are none.
pub(crate) fn units_of(units: &Units, name: &str) -> u64 {
    units.as_ref().and_then(|units| units.get(name)).copied().unwrap_or(0)
}

/// Null, an absent field and the empty text are all nothing.
fn none_when_empty<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: std::fmt::Display,
{
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_job_is_read_with_fields_null_empty_or_absent() {
        let id = JobId::random();
        let mut document = json!({
            "id": id, "workerID": "", "status": "waiting", "action": "sleep", "unknown": 1,
            "scheduledAt": "2026-11-20T16:30:00Z", "capacityMap": null, "startedAt": null,
            "finishedAt": "", "followUpID": "",
        });
        let job: Job = serde_json::from_value(document.clone()).unwrap();
        assert_eq!((job.id, job.status), (id, Status::Waiting));
        assert_eq!((job.started_at, job.finished_at, job.follow_up_id), (None, None, None));
        assert_eq!(units_text(&job.capacity_map), "");

        document["followUpID"] = json!(id);
        document["capacityMap"] = json!({"scan": 1, "cpu": 2});
        document["startedAt"] = json!("2026-11-20T16:30:00.250Z");
        let job: Job = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(job.follow_up_id, Some(id));
        assert_eq!(job.started_at.unwrap().ms() - job.scheduled_at.ms(), 250);
        assert_eq!(units_text(&job.capacity_map), "cpu=2,scan=1");
        assert_eq!(units_of(&job.capacity_map, "cpu"), 2);

        document["startedAt"] = json!("yesterday");
        assert!(serde_json::from_value::<Job>(document).is_err());
    }
}
