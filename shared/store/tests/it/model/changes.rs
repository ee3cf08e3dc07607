//! Calls that change a job or a worker and neither start nor end it: change, log, progress,
//! commands.

use domain::job::{FencingToken, JobId, Priority, Status, Timestamp, WorkerId};
use serde_json::{Map, Value};
use store::{AppendAnswer, ChangeAnswer, CommandAnswer, JobChange, NewLogLine, WorkerCommand};

use super::jobs::fields;
use super::routing::Kind;
use super::state::Model;

impl Model {
    /// The error is a queue for which there is no room.
    pub(super) fn change(&mut self, id: JobId, change: JobChange) -> Result<ChangeAnswer, String> {
        let Some(job) = self.jobs.get(&id) else { return Ok(ChangeAnswer::Gone) };
        if job.status != Status::Waiting || job.awaits() {
            return Ok(ChangeAnswer::Refused(job.status));
        }
        let at = change.scheduled_at.map_or(job.scheduled_at, Timestamp::ms);
        let priority = change.priority.unwrap_or(job.priority);
        if let Some(expires) = job.expires_at.filter(|expires| at >= *expires) {
            return Ok(ChangeAnswer::TooLate(Timestamp::from_ms(expires)));
        }
        if (at, priority) == (job.scheduled_at, job.priority) {
            return Ok(ChangeAnswer::Changed);
        }
        let (blocked, now) = (job.blockers > 0, self.now);
        let (class, action, owner) = (job.class.clone(), job.action.clone(), job.owner.clone());
        let kind = Kind { class: &class, action: &action, priority, owner: &owner };
        self.open_all(&[kind])?;
        if !blocked {
            self.withdraw(id);
        }
        let job = self.job_mut(id);
        (job.priority, job.scheduled_at, job.last_updated) = (priority, at, now);
        if change.priority.is_some() {
            let mut spec: Map<String, Value> = serde_json::from_str(&job.spec).unwrap();
            spec.remove("priority");
            if priority != Priority::Normal {
                spec.insert("priority".to_owned(), priority.as_str().into());
            }
            job.spec = serde_json::to_string(&spec).unwrap();
        }
        if !blocked {
            self.schedule(id);
        }
        self.refill_offers();
        self.emit_job(id);
        Ok(ChangeAnswer::Changed)
    }

    pub(super) fn log(
        &mut self,
        id: JobId,
        token: FencingToken,
        first: u64,
        lines: &[NewLogLine],
    ) -> AppendAnswer {
        let now = self.now;
        let Some(job) = self.running(id, token) else { return AppendAnswer::Stale };
        let mut at = job.logged_at();
        let log = job.log.get_or_insert_default();
        let known = log.len().saturating_sub(first as usize);
        for line in lines.iter().skip(known) {
            at = at.max(Some(now - line.age.as_millis() as i64));
            log.extend(at.map(|at| (at, line.clone())));
        }
        AppendAnswer::Recorded
    }

    pub(super) fn progress(
        &mut self,
        id: JobId,
        token: FencingToken,
        value: &Value,
    ) -> AppendAnswer {
        let Some(job) = self.running(id, token) else { return AppendAnswer::Stale };
        job.progress = Some(value.to_string());
        let event = fields([
            ("job", id.to_string()),
            ("number", job.number.to_string()),
            ("action", job.action.clone()),
            ("progress", value.to_string()),
        ]);
        self.events.push(event);
        AppendAnswer::Recorded
    }

    pub(super) fn save_checkpoint(
        &mut self,
        id: JobId,
        token: FencingToken,
        checkpoint: &str,
    ) -> AppendAnswer {
        let Some(job) = self.running(id, token) else { return AppendAnswer::Stale };
        job.checkpoint = Some(checkpoint.to_owned()).filter(|checkpoint| checkpoint != "null");
        AppendAnswer::Recorded
    }

    pub(super) fn command_worker(
        &mut self,
        id: &WorkerId,
        wanted: &WorkerCommand,
    ) -> CommandAnswer {
        let Some(worker) = self.workers.get_mut(id) else { return CommandAnswer::Gone };
        if worker.status != "running" {
            return CommandAnswer::Over;
        }
        let (field, value) = match wanted {
            WorkerCommand::Drain => ("drain", "1".to_owned()),
            WorkerCommand::Resume => ("drain", String::new()),
            WorkerCommand::Capacity(map) => ("wantedMap", serde_json::to_string(map).unwrap()),
        };
        let kept = if field == "drain" { &mut worker.drain } else { &mut worker.wanted_map };
        *kept = Some(value.clone());
        self.events.push(fields([("worker", id.to_string()), (field, value)]));
        CommandAnswer::Accepted
    }
}
