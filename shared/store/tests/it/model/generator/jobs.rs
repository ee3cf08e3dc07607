//! Random new jobs: their keys, locks and relations.

use domain::job::{Backoff, DependencyCondition, JobId, NewJob, OnWorkerLost, Priority, Timestamp};
use domain::lock::LockName;
use serde_json::json;
use uuid::Uuid;

use super::super::state::{Model, Record};
use super::{FAR_MS, Generator};

impl Generator {
    pub(super) fn new_job(&mut self, model: &Model) -> NewJob {
        let action = self.random.one(&["noop", "noop", "sleep", "false"]);
        let capacity = self.random.one(&["", "scan=1", "scan=1", "cpu=2,scan=1"]);
        let mut job = testkit::job(action, capacity);
        job.id = self.id();
        if self.random.percent(15) {
            let once: Vec<JobId> = model.used_ids.keys().copied().collect();
            let again = self.random.percent(50) && !once.is_empty();
            job.id = if again { self.random.one(&once) } else { self.job(model, |_| true) };
        }
        let past = Timestamp::from_ms(1_000_000 + self.random.below(1_000) as i64);
        let far = Timestamp::from_ms(FAR_MS);
        job.scheduled_at = self.random.one(&[None, None, None, Some(past), Some(far)]);
        job.reserve_id = self.random.percent(25);
        if job.reserve_id {
            job.request_hash = self.random.one(&[None, Some(1), Some(2)]).map(Uuid::from_u128);
        }
        self.relate(model, &mut job);
        if self.random.percent(40) {
            for _ in 0..1 + self.random.below(2) {
                let permits = self.random.one(&[1, 1, 1, 2]);
                let name = self.lock_name(false);
                job.spec.locks.add(name, permits);
            }
        }
        if self.random.percent(6) {
            let key = self.random.one(&["mail", "api"]);
            job.spec.locks.add(LockName::of_rate(key).unwrap(), self.random.one(&[1, 1, 2]));
        }
        let spec = &mut job.spec;
        if self.random.percent(30) {
            spec.fairness_key = Some(self.random.one(&["flood", "key:0", "other"]).to_owned());
        }
        spec.scheduled_by = self.random.one(&[None, None, Some("anna".to_owned())]);
        spec.priority =
            self.random.one(&[Priority::Normal, Priority::Normal, Priority::High, Priority::Low]);
        spec.expires_at = self.random.one(&[None, None, None, None, Some(far), Some(past)]);
        if self.random.percent(25) {
            spec.unique_key = Some(self.random.one(&["a", "b", "c:1"]).to_owned());
            let alone = spec.parent.is_none() && spec.depends_on.is_empty();
            if alone && job.scheduled_at.is_none() && self.random.percent(60) {
                let (wait, max) =
                    self.random.one(&[("1h", ""), ("1h", "1h"), ("2h", "3h"), ("1ms", "2ms")]);
                (spec.debounce, spec.debounce_max) = (wait.parse().unwrap(), max.parse().unwrap());
                spec.expires_at = None;
            }
        }
        if self.random.percent(20) {
            spec.on_worker_lost = OnWorkerLost::Fail;
        }
        if self.random.percent(50) {
            spec.retries = 1 + self.random.below(3) as u32;
            let (base, max) =
                self.random.one(&[("1ms", "2ms"), ("1h", ""), ("1h", "2ms"), ("1h", "2h")]);
            let (base, max) = (base.parse().unwrap(), max.parse().unwrap());
            spec.backoff = Some(Backoff { base, max });
        }
        job
    }

    /// A job that others may join: it is one of few kinds.
    pub(super) fn batched_job(&mut self, model: &Model) -> NewJob {
        let mut job = testkit::job("noop", "scan=1");
        let used: Vec<JobId> = model.used_ids.keys().copied().collect();
        let again = self.random.percent(10) && !used.is_empty();
        job.id = if again { self.random.one(&used) } else { self.id() };
        job.reserve_id = self.random.percent(25);
        let large = "x".repeat(self.random.one(&[0, 0, 0, 30_000]));
        let n = self.random.below(1_000);
        let spec = &mut job.spec;
        spec.parameters = json!({"n": n, "text": large, "none": {}}).as_object().cloned();
        spec.begin_batch();
        let (key, size) = self.random.one(&[("a", 2), ("\"parameters\":{\"batch\":[", 5)]);
        (spec.batch_key, spec.batch_size) = (Some(key.to_owned()), size);
        spec.batch_wait = self.random.one(&["1h", "1h", "1h", "1ms"]).parse().unwrap();
        job
    }

    /// Gives a job a parent and dependencies.
    pub(super) fn relate(&mut self, model: &Model, job: &mut NewJob) {
        if self.random.percent(20) {
            let parent = self.job(model, |job| job.status.is_running());
            job.spec.parent = Some(parent);
        }
        if self.random.percent(25) {
            let count = 1 + self.random.below(3);
            let group =
                job.spec.parent.and_then(|id| model.jobs.get(&id)).and_then(|p| p.child_group);
            let near = |other: &Record| {
                if group.is_some() { other.parent_group == group } else { !other.status.is_final() }
            };
            let mut on: Vec<JobId> = (0..count).map(|_| self.job(model, near)).collect();
            on.dedup();
            job.spec.depends_on = on;
            if self.random.percent(30) {
                job.spec.when = DependencyCondition::Finished;
            }
        }
    }

    pub(super) fn lock_name(&mut self, limits: bool) -> LockName {
        let names = ["a", "a", "b", "c:1", "action:noop", "class:scan=1"];
        self.random.one(&names[..if limits { 6 } else { 4 }]).parse().unwrap()
    }

    /// More jobs of one fairness group, or of all groups of one owner, than are offered at a time.
    pub(super) fn flood(&mut self) -> Vec<NewJob> {
        let wide = self.random.percent(20);
        let count = if wide { 200 } else { 66 } + self.random.below(4);
        let jobs = (0..count).map(|index| {
            let mut job = testkit::job("noop", "scan=1");
            job.id = self.id();
            let key = if wide { format!("key:{}", index % 5) } else { "flood".to_owned() };
            job.spec.fairness_key = Some(key);
            job
        });
        jobs.collect()
    }
}
