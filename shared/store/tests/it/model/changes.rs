//! What is said of a job or a worker, and neither starts nor ends it.

use domain::job::{JobId, JobSpec, Status, Timestamp, FencingToken, WorkerId};
use serde_json::Value;
use store::{Appended, Changed, JobChange, Line, Steer, Steered};

use super::moves::fields;
use super::state::Model;

impl Model {
    pub(super) fn change(&mut self, id: JobId, change: JobChange) -> Changed {
        let Some(job) = self.jobs.get(&id) else { return Changed::Gone };
        if job.status != Status::Waiting || job.awaits {
            return Changed::Refused(job.status);
        }
        let at = change.scheduled_at.map_or(job.scheduled_at, Timestamp::ms);
        let priority = change.priority.unwrap_or(job.priority);
        if let Some(expires) = job.expires_at.filter(|expires| at >= *expires) {
            return Changed::TooLate(Timestamp::from_ms(expires));
        }
        if (at, priority) == (job.scheduled_at, job.priority) {
            return Changed::Done;
        }
        let (blocked, now) = (job.blockers > 0, self.now);
        self.queues.insert(format!("{}.{priority}", job.class));
        if !blocked {
            self.take_out(id);
        }
        let job = self.job_mut(id);
        (job.priority, job.scheduled_at, job.last_updated) = (priority, at, now);
        if change.priority.is_some() {
            let mut spec: JobSpec = serde_json::from_str(&job.spec).unwrap();
            spec.priority = priority;
            job.spec = serde_json::to_string(&spec).unwrap();
        }
        if !blocked {
            self.place(id);
        }
        self.refill();
        self.tell(id);
        Changed::Done
    }

    pub(super) fn log(&mut self, id: JobId, token: FencingToken, first: u64, lines: &[Line]) -> Appended {
        let now = self.now;
        let Some(job) = self.running(id, token) else { return Appended::Stale };
        let log = job.log.get_or_insert_default();
        let known = log.len().saturating_sub(first as usize);
        log.extend(lines.iter().skip(known).map(|line| (now, line.clone())));
        Appended::All
    }

    pub(super) fn progress(&mut self, id: JobId, token: FencingToken, value: &Value) -> Appended {
        let Some(job) = self.running(id, token) else { return Appended::Stale };
        job.progress = Some(value.to_string());
        let told = fields([
            ("job", id.to_string()),
            ("number", job.number.to_string()),
            ("action", job.action.clone()),
            ("progress", value.to_string()),
        ]);
        self.events.push(told);
        Appended::All
    }

    pub(super) fn steer(&mut self, id: &WorkerId, wanted: &Steer) -> Steered {
        let Some(worker) = self.workers.get_mut(id) else { return Steered::Gone };
        if worker.status != "running" {
            return Steered::Over;
        }
        let (field, value) = match wanted {
            Steer::Drain => ("drain", "1".to_owned()),
            Steer::Resume => ("drain", String::new()),
            Steer::Capacity(map) => ("wantedMap", serde_json::to_string(map).unwrap()),
        };
        let place = if field == "drain" { &mut worker.drain } else { &mut worker.wanted_map };
        *place = Some(value.clone());
        self.events.push(fields([("worker", id.to_string()), (field, value)]));
        Steered::Told
    }
}
