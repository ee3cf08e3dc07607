//! What the model holds: jobs and workers as plain values, and nothing twice. Every index, stream and key that the
//! store must have is worked out from them.

use std::collections::{BTreeMap, BTreeSet};

use domain::job::{JobId, Priority, Status, WorkerId};
use store::{Dumped, NewLogLine};

use super::relations::Note;
use super::waiting::Position;

pub(super) type World = BTreeMap<String, Dumped>;
pub(super) type Fields = BTreeMap<String, String>;

/// All that the job part of a namespace is.
#[derive(Default)]
pub(super) struct Model {
    /// The moment of the step.
    pub(super) now: i64,
    pub(super) number: u64,
    pub(super) token: u64,
    pub(super) jobs: BTreeMap<JobId, Record>,
    pub(super) workers: BTreeMap<WorkerId, WorkerRecord>,
    /// Ids that are not to be used again, and the job that was answered.
    pub(super) used_ids: BTreeMap<JobId, JobId>,
    /// Of the jobs of one submission, which job was answered instead.
    pub(super) stands_for: BTreeMap<JobId, JobId>,
    pub(super) queues: BTreeSet<String>,
    /// How many jobs of each share are offered, and those that left it in this step.
    pub(super) offered: BTreeMap<String, u64>,
    pub(super) withdrawn: Vec<(String, u64)>,
    /// Permits that were set, what is paused, and who holds what.
    pub(super) permits: BTreeMap<String, u64>,
    pub(super) paused: BTreeSet<String>,
    pub(super) holders: BTreeMap<String, BTreeMap<JobId, u64>>,
    /// When turns at a lock are over.
    pub(super) grants: BTreeMap<String, i64>,
    /// Who waits for a job, who is whose child, each by scheduledAt; and who the parent of a family is.
    pub(super) dependents: BTreeMap<JobId, BTreeMap<JobId, i64>>,
    pub(super) children: BTreeMap<JobId, BTreeMap<JobId, i64>>,
    pub(super) stopping: BTreeMap<JobId, BTreeMap<JobId, i64>>,
    pub(super) parents: BTreeMap<JobId, JobId>,
    /// What is still to be told, and whether this step has added to it.
    pub(super) propagations: Vec<Note>,
    pub(super) end_noted: bool,
    /// When the last one of a queue to be claimed was offered.
    pub(super) claimed_up_to: BTreeMap<String, i64>,
    pub(super) outbox: Vec<Fields>,
    pub(super) events: Vec<Fields>,
    /// Which moves of the table were made.
    pub(super) transitions: BTreeSet<String>,
}

/// A job.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) status: Status,
    pub(super) action: String,
    pub(super) class: String,
    pub(super) priority: Priority,
    pub(super) spec: String,
    pub(super) scheduled_at: i64,
    pub(super) created_at: i64,
    pub(super) last_updated: i64,
    pub(super) started_at: Option<i64>,
    pub(super) finished_at: Option<i64>,
    /// Where it stands while it waits.
    pub(super) position: Position,
    pub(super) fairness_group: String,
    pub(super) locks: Vec<(String, u64)>,
    pub(super) awaited_locks: Vec<String>,
    pub(super) holds: Option<String>,
    pub(super) next: Option<JobId>,
    pub(super) blockers: u64,
    pub(super) when_finished: bool,
    pub(super) parent_group: Option<JobId>,
    pub(super) child_group: Option<JobId>,
    pub(super) awaits_children: bool,
    pub(super) failed_children: u64,
    pub(super) worker: Option<WorkerId>,
    pub(super) token: Option<u64>,
    pub(super) retry_from: Option<JobId>,
    pub(super) follow_up: Option<JobId>,
    pub(super) retries: u32,
    pub(super) retries_left: u32,
    pub(super) attempt: u32,
    pub(super) crashes: u32,
    pub(super) unique_key: Option<String>,
    pub(super) expires_at: Option<i64>,
    pub(super) fails_with_its_worker: bool,
    pub(super) backoff_base_ms: Option<i64>,
    pub(super) backoff_max_ms: Option<i64>,
    pub(super) result: Option<String>,
    pub(super) exception: Option<String>,
    pub(super) progress: Option<String>,
    pub(super) cancel_by: String,
    pub(super) cancel_reason: String,
    pub(super) deleting: bool,
    /// None until something was logged, even if it was no line.
    pub(super) log: Option<Vec<(i64, NewLogLine)>>,
}

/// A worker.
#[derive(Clone)]
pub(super) struct WorkerRecord {
    /// `running`, `dead` or `shutdown`.
    pub(super) status: &'static str,
    pub(super) started_at: i64,
    /// Until when its lease is, or was, good.
    pub(super) until: i64,
    /// Whether the lease is still to be ended.
    pub(super) leased: bool,
    /// What it said of itself.
    pub(super) told: Fields,
    pub(super) drain: Option<String>,
    pub(super) wanted_map: Option<String>,
}

impl Record {
    pub(super) fn waits(&self) -> bool {
        self.status == Status::Waiting
    }

    /// Its follow-up, as its record says.
    pub(super) fn carried_on_by(&self) -> Option<JobId> {
        self.follow_up.filter(|_| self.is_there())
    }

    pub(super) fn is_there(&self) -> bool {
        self.status != Status::Deleted
    }
}
