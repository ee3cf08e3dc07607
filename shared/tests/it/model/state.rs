//! What the model holds: jobs and workers as plain values, and nothing twice. Every index, stream and key that the
//! store must have is worked out from them.

use std::collections::{BTreeMap, BTreeSet};

use shared::job::{JobId, Priority, Status, WorkerId};
use shared::store::{Dumped, Line};

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
    pub(super) once: BTreeMap<JobId, JobId>,
    pub(super) queues: BTreeSet<String>,
    /// When the last one of a queue to be claimed was offered.
    pub(super) reached: BTreeMap<String, i64>,
    pub(super) outbox: Vec<Fields>,
    pub(super) events: Vec<Fields>,
    /// Which moves of the table were made.
    pub(super) walked: BTreeSet<String>,
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
    /// When it was offered last; none is: it is due later.
    pub(super) offered_at: Option<i64>,
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
    pub(super) log: Option<Vec<(i64, Line)>>,
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
    pub(super) fn queue(&self) -> String {
        format!("{}.{}", self.class, self.priority)
    }

    fn is_there(&self) -> bool {
        self.status != Status::Deleted
    }

    /// The fields of its hash.
    fn fields(&self, id: JobId) -> Fields {
        let number = |number: i64| Some(number.to_string());
        let word = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let count = |count: u32| (count > 0).then(|| count.to_string());
        let here = self.is_there();
        let lines = self.log.as_ref();
        let bytes =
            |log: &Vec<(i64, Line)>| log.iter().map(|(_, l)| l.text.len() + 16).sum::<usize>();
        let kept = [
            ("number", Some(self.number.to_string())),
            ("status", word(self.status.as_str())),
            ("action", word(&self.action)),
            ("class", word(&self.class)),
            ("scheduledAt", number(self.scheduled_at)),
            ("createdAt", number(self.created_at)),
            ("lastUpdated", number(self.last_updated)),
            ("finishedAt", self.finished_at.and_then(number)),
        ];
        let rest = [
            ("priority", word(self.priority.as_str())),
            ("startedAt", self.started_at.and_then(number)),
            ("workerID", self.worker.as_ref().map(ToString::to_string)),
            ("token", self.token.map(|token| token.to_string())),
            ("retryFromID", self.retry_from.filter(|from| *from != id).map(|id| id.to_string())),
            ("followUpID", self.follow_up.map(|id| id.to_string())),
            ("retriesLeft", count(self.retries_left)),
            ("attempt", Some(self.attempt).filter(|attempt| *attempt > 1).and_then(count)),
            ("crashes", count(self.crashes)),
            ("uniqueKey", self.unique_key.clone()),
            ("expiresAt", self.expires_at.and_then(number)),
            ("onWorkerLost", self.fails_with_its_worker.then(|| "fail".to_owned())),
            ("backoffBase", self.backoff_base_ms.and_then(number)),
            ("backoffMax", self.backoff_max_ms.and_then(number)),
            ("result", self.result.clone()),
            ("exception", self.exception.clone()),
            ("progress", self.progress.clone()),
            ("cancelBy", word(&self.cancel_by)),
            ("cancelReason", word(&self.cancel_reason)),
            ("deleting", self.deleting.then(|| "1".to_owned())),
            ("logLines", lines.map(|log| log.len().to_string())),
            ("logBytes", lines.map(|log| bytes(log).to_string())),
        ];
        let all = kept.into_iter().chain(rest.into_iter().filter(|_| here));
        all.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

impl WorkerRecord {
    fn fields(&self) -> Fields {
        let mut fields = self.told.clone();
        let mut add = |name: &str, value: String| fields.insert(name.to_owned(), value);
        add("status", self.status.to_owned());
        add("startedAt", self.started_at.to_string());
        add("heartbeatExpiration", self.until.to_string());
        if let Some(drain) = &self.drain {
            add("drain", drain.clone());
        }
        if let Some(map) = &self.wanted_map {
            add("wantedMap", map.clone());
        }
        fields
    }
}

impl Model {
    /// Every key that the store must have, with its value.
    pub(super) fn world(&self) -> World {
        let mut keys = Keys(World::new());
        for (id, job) in &self.jobs {
            keys.0.insert(format!("job:{id}"), Dumped::Hash(job.fields(*id)));
            if job.is_there() {
                keys.indexes_of(&id.to_string(), job);
            }
        }
        for (id, worker) in &self.workers {
            keys.0.insert(format!("worker:{id}"), Dumped::Hash(worker.fields()));
            keys.sorted("workers".into(), id.as_str(), worker.until);
            if worker.leased {
                keys.sorted("leases".into(), id.as_str(), worker.until);
            }
        }
        for queue in &self.queues {
            keys.member("queues".into(), queue);
        }
        for (id, answered) in &self.once {
            keys.text(format!("once:{id}"), &answered.to_string());
        }
        for (name, count) in [("number", self.number), ("token", self.token)] {
            if count > 0 {
                keys.text(name.to_owned(), &count.to_string());
            }
        }
        if !self.reached.is_empty() {
            let reached = self.reached.iter().map(|(queue, at)| (queue.clone(), at.to_string()));
            keys.0.insert("reached".into(), Dumped::Hash(reached.collect()));
        }
        for (name, stream) in [("outbox", &self.outbox), ("events", &self.events)] {
            if !stream.is_empty() {
                keys.0.insert(name.to_owned(), Dumped::Stream(stream.clone()));
            }
        }
        keys.0
    }
}

/// A world while it is put together.
struct Keys(World);

impl Keys {
    fn text(&mut self, key: String, value: &str) {
        self.0.insert(key, Dumped::Text(value.to_owned()));
    }

    fn member(&mut self, key: String, member: &str) {
        let set = self.0.entry(key).or_insert_with(|| Dumped::Set(BTreeSet::new()));
        if let Dumped::Set(set) = set {
            set.insert(member.to_owned());
        }
    }

    fn sorted(&mut self, key: String, member: &str, score: i64) {
        let set = self.0.entry(key).or_insert_with(|| Dumped::Sorted(BTreeMap::new()));
        if let Dumped::Sorted(set) = set {
            set.insert(member.to_owned(), score as f64);
        }
    }

    fn indexes_of(&mut self, id: &str, job: &Record) {
        let at = job.scheduled_at;
        self.text(format!("spec:{id}"), &job.spec);
        self.sorted("jobs".into(), id, at);
        self.sorted("jobs:number".into(), id, job.number as i64);
        self.sorted(format!("jobs:status:{}", job.status), id, at);
        self.sorted(format!("jobs:action:{}", job.action), id, at);
        if let Some(worker) = &job.worker {
            self.sorted(format!("jobs:worker:{worker}"), id, at);
            if job.status.is_running() {
                self.member(format!("held:{worker}"), id);
            }
        }
        if let Some(key) = job.unique_key.as_ref().filter(|_| !job.status.is_final()) {
            self.text(format!("unique:{key}"), id);
        }
        if job.status == Status::Waiting {
            match job.offered_at {
                Some(offered) => self.sorted(format!("ready:{}", job.queue()), id, offered),
                None => self.sorted("due".into(), id, at),
            }
            if let Some(expires) = job.expires_at {
                self.sorted("expiring".into(), id, expires);
            }
        }
        let lines = job.log.iter().flatten().map(|(at, line)| {
            let fields = [
                ("at", (at - line.age.as_millis() as i64).to_string()),
                ("source", line.source.to_string()),
                ("text", line.text.clone()),
            ];
            fields.map(|(name, value)| (name.to_owned(), value)).into()
        });
        let lines: Vec<Fields> = lines.collect();
        if !lines.is_empty() {
            self.0.insert(format!("log:{id}"), Dumped::Stream(lines));
        }
    }
}
