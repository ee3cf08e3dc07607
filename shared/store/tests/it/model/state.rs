//! The state of the model: jobs and workers as plain values, nothing twice. Every index and key
//! that the store must have is derived from them.

use std::collections::{BTreeMap, BTreeSet};

use domain::job::{JobId, Passed, Priority, Status, WorkerId};
use domain::limit::RateLimit;
use store::{Dumped, NewLogLine};
use uuid::Uuid;

use super::batching::OpenBatch;
use super::relations::Note;
use super::signals::Signals;
use super::waiting::Position;

pub(super) type World = BTreeMap<String, Dumped>;
pub(super) type Fields = BTreeMap<String, String>;

/// The jobs and workers of a namespace.
#[derive(Default)]
pub(super) struct Model {
    /// The time of the last step that wrote one.
    pub(super) now: i64,
    /// The clock of the store after the last step, which may be later.
    pub(super) clock: i64,
    pub(super) numbers: Counter,
    pub(super) tokens: Counter,
    pub(super) jobs: BTreeMap<JobId, Record>,
    pub(super) workers: BTreeMap<WorkerId, WorkerRecord>,
    /// Ids that are not used again, and the job that each means.
    pub(super) used_ids: BTreeMap<JobId, JobId>,
    /// The request that each idempotency key stands for, by the id derived from the key.
    pub(super) requests: BTreeMap<JobId, Uuid>,
    /// Jobs of one submission that were not created, and the job that has their unique key.
    pub(super) stands_for: BTreeMap<JobId, JobId>,
    /// The batches that may be open, by what their submissions have in common.
    pub(super) batches: BTreeMap<String, OpenBatch>,
    /// Those that submissions of this step have joined.
    pub(super) joined_batches: Vec<JobId>,
    /// The queues in use, and since when.
    pub(super) queues: BTreeMap<String, i64>,
    /// Who put a queue in use, when that is known.
    pub(super) queue_owners: BTreeMap<String, String>,
    /// The queues that are announced.
    pub(super) declared: BTreeSet<String>,
    /// How many jobs of each fairness group are offered, and how many this step has withdrawn.
    pub(super) offered: BTreeMap<String, u64>,
    pub(super) withdrawn: Vec<(String, u64)>,
    /// The fairness keys of each owner in a queue whose groups wait for their turn.
    pub(super) turns: BTreeMap<String, BTreeMap<String, i64>>,
    /// The sizes of the windows that are wider than usual, by queue.
    pub(super) windows: BTreeMap<String, u64>,
    /// Per queue, when the newest of the jobs that this step has claimed was offered.
    pub(super) claimed_now: BTreeMap<String, i64>,
    /// The permits that were set, the paused actions and classes, and the holders of each lock.
    pub(super) permits: BTreeMap<String, u64>,
    pub(super) paused: BTreeSet<String>,
    pub(super) holders: BTreeMap<String, BTreeMap<JobId, u64>>,
    /// The rate limits, and when all permits of each key are restored.
    pub(super) limits: BTreeMap<String, RateLimit>,
    pub(super) rates: BTreeMap<String, i64>,
    /// How many jobs have started under each key of a calendar limit, until when they count, and in
    /// which windows.
    pub(super) calendar_used: BTreeMap<String, (u64, i64, String)>,
    /// Whether waiters of a lock without a limit are being released.
    pub(super) releasing: bool,
    /// When the grants of a lock expire.
    pub(super) grants: BTreeMap<String, i64>,
    /// The dependents of jobs, with their scheduledAt and number.
    pub(super) dependents: BTreeMap<JobId, BTreeMap<JobId, (i64, u64)>>,
    /// The children of groups, with their scheduledAt; and the parent of each group.
    pub(super) children: BTreeMap<JobId, BTreeMap<JobId, i64>>,
    pub(super) stopping: BTreeMap<JobId, BTreeMap<JobId, i64>>,
    pub(super) parents: BTreeMap<JobId, JobId>,
    /// The ends that are not propagated yet, and whether this step has added one.
    pub(super) propagations: Vec<Note>,
    pub(super) end_noted: bool,
    /// Per queue, when the newest claimed job was offered.
    pub(super) claimed_up_to: BTreeMap<String, i64>,
    pub(super) outbox: Vec<Fields>,
    pub(super) events: Vec<Fields>,
    /// The transitions that occurred, and the rare cases of routing.
    pub(super) transitions: BTreeSet<String>,
}

/// Numbers that only grow. A step draws as many as it may need at once, and leaves the rest unused.
#[derive(Default)]
pub(super) struct Counter {
    pub(super) last: u64,
    left: u64,
}

impl Counter {
    /// A step begins.
    pub(super) fn begin(&mut self) {
        self.left = 0;
    }

    /// The next number; the step needs at most so many, this one included.
    pub(super) fn next(&mut self, most: u64) -> u64 {
        if self.left == 0 {
            (self.last, self.left) = (self.last + most, most);
        }
        self.left -= 1;
        self.last - self.left
    }
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
    /// Where it waits.
    pub(super) position: Position,
    /// Whether it was last offered through the queue of its action.
    pub(super) action_queue: bool,
    pub(super) owner: String,
    pub(super) fairness_key: Option<String>,
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
    /// The first job of its chain, unless it is the first.
    pub(super) first: Option<JobId>,
    pub(super) retries: u32,
    pub(super) retries_left: u32,
    pub(super) attempt: u32,
    pub(super) crashes: u32,
    pub(super) held_back: u32,
    pub(super) unique_key: Option<String>,
    /// How many submissions have replaced it, if it is debounced, and the last of them.
    pub(super) replaced: Option<u64>,
    pub(super) replaced_by: Option<JobId>,
    pub(super) expires_at: Option<i64>,
    pub(super) fails_with_its_worker: bool,
    pub(super) backoff_base_ms: Option<i64>,
    pub(super) backoff_max_ms: Option<i64>,
    pub(super) result: Option<String>,
    pub(super) exception: Option<String>,
    pub(super) progress: Option<String>,
    pub(super) checkpoint: Option<String>,
    pub(super) signals: Signals,
    pub(super) cancel_by: String,
    pub(super) cancel_reason: String,
    pub(super) passed: Passed,
    pub(super) parked_for: Option<String>,
    pub(super) deleting: bool,
    /// The lines with their times. `None` until the first call to log, which may have had no lines.
    pub(super) log: Option<Vec<(i64, NewLogLine)>>,
}

/// A worker.
#[derive(Clone)]
pub(super) struct WorkerRecord {
    /// `running`, `dead` or `shutdown`.
    pub(super) status: &'static str,
    pub(super) started_at: i64,
    /// When its lease ends or ended.
    pub(super) until: i64,
    /// Whether the lease is still listed.
    pub(super) leased: bool,
    /// The record that it reported.
    pub(super) reported: Fields,
    pub(super) drain: Option<String>,
    pub(super) wanted_map: Option<String>,
}

impl Record {
    /// The time of the last line, or of the start.
    pub(super) fn logged_at(&self) -> Option<i64> {
        self.log.as_ref().and_then(|log| log.last()).map(|(at, _)| *at).or(self.started_at)
    }

    pub(super) fn waits(&self) -> bool {
        self.status == Status::Waiting
    }

    /// Its follow-up, unless it is a tombstone.
    pub(super) fn carried_on_by(&self) -> Option<JobId> {
        self.follow_up.filter(|_| self.is_there())
    }

    /// The first job of its chain; `None` when it neither carries one on nor is carried on.
    pub(super) fn chain(&self, id: JobId) -> Option<JobId> {
        self.first.or(self.follow_up.map(|_| id)).filter(|_| self.is_there())
    }

    pub(super) fn is_there(&self) -> bool {
        self.status != Status::Deleted
    }
}
