//! How jobs end in the model, through their workers or by request, and the follow-ups that carry
//! them on.

use domain::job::{Cancellation, JobId, JobSpec, Outcome, Status, Timestamp, Transition};
use store::{CancelAnswer, DeleteAnswer, Finish, FinishAnswer, RetryAnswer};

use super::state::Model;

impl Model {
    pub(super) fn finish(&mut self, end: &Finish) -> FinishAnswer {
        let Some(job) = self.jobs.get(&end.id) else { return FinishAnswer::Gone };
        if job.token != Some(end.token.0) {
            return FinishAnswer::Stale;
        }
        let (status, wanted) = (job.status, job.status != Status::CancelRequest);
        let event = match end.outcome {
            Outcome::Done(_) => Transition::Finish,
            Outcome::Error(_) | Outcome::HeldBack(_) => Transition::Fail,
            Outcome::Cancel => Transition::Stopped,
            Outcome::Shutdown => Transition::Shutdown,
            Outcome::Await(_) | Outcome::Wait(..) => Transition::Await,
            Outcome::Resurrected => Transition::Resurrect,
        };
        let Some(to) = self.next(end.id, event) else {
            let running = status.is_running();
            return if running {
                FinishAnswer::Refused(status)
            } else {
                FinishAnswer::Already(status)
            };
        };
        if to == Status::WorkerResurrection {
            let now = self.now;
            let job = self.job_mut(end.id);
            (job.status, job.last_updated) = (to, now);
            self.emit_move(end.id, status);
            return FinishAnswer::Recorded(to);
        }
        if wanted && event != Transition::Await {
            self.carry_on(end, to);
        }
        let job = self.job_mut(end.id);
        match &end.outcome {
            Outcome::Done(result) | Outcome::Await(result) | Outcome::Wait(result, _) => {
                job.result = result.as_ref().map(ToString::to_string);
            }
            Outcome::Error(exception) | Outcome::HeldBack(exception) => {
                job.exception = Some(serde_json::to_string(exception).unwrap());
            }
            Outcome::Cancel | Outcome::Shutdown | Outcome::Resurrected => {}
        }
        let mut to = to;
        if let (Status::Waiting, Outcome::Wait(_, wait)) = (to, &end.outcome) {
            return FinishAnswer::Recorded(self.await_signal(end, wait));
        }
        if to == Status::Waiting {
            match self.await_children(end.id) {
                Some(at_once) => to = at_once,
                None => return FinishAnswer::Recorded(to),
            }
        }
        self.end(end.id, to);
        self.free_locks(end.id);
        FinishAnswer::Recorded(to)
    }

    /// Creates the follow-up of a run that failed with retries left, or whose worker shut down.
    fn carry_on(&mut self, end: &Finish, to: Status) {
        let job = &self.jobs[&end.id];
        let (left, crashes) = (job.retries_left, job.crashes);
        let free = matches!(end.outcome, Outcome::HeldBack(_)) && job.held_back < 20;
        if to == Status::WorkerShutdown && !job.fails_with_its_worker {
            self.follow(end.id, end.follow_up, (left, crashes), 0);
        } else if to == Status::Error && (free || left > 0) {
            let base = job.backoff_base_ms.unwrap_or(1_000) as f64;
            let longest = job.backoff_max_ms.unwrap_or(300_000) as f64;
            let doubled = base * 2_f64.powi((job.retries - left + job.held_back).min(30) as i32);
            let delay = (doubled.min(longest) * (0.5 + end.jitter / 2.0)).floor();
            let left = if free { left } else { left - 1 };
            self.follow(end.id, end.follow_up, (left, 0), delay as i64);
            self.job_mut(end.follow_up).held_back += u32::from(free);
        }
    }

    /// Creates the follow-up of a job, with these numbers of retries left and of crashes.
    pub(super) fn follow(
        &mut self,
        id: JobId,
        new: JobId,
        (left, crashes): (u32, u32),
        delay_ms: i64,
    ) {
        let old = self.jobs[&id].clone();
        let spec: JobSpec = serde_json::from_str(&old.spec).unwrap();
        let mut job = self.new_record(&old.action, &old.class, &spec);
        job.spec.clone_from(&old.spec);
        job.scheduled_at = self.now + delay_ms;
        self.numbers.begin();
        job.number = self.numbers.next(1);
        (job.retry_from, job.attempt) = (Some(id), old.attempt + 1);
        job.first = old.first.or(Some(id));
        (job.retries_left, job.crashes) = (left, crashes);
        job.held_back = old.held_back;
        // The first run was started in time.
        job.expires_at = None;
        (job.parent_group, job.child_group, job.next) =
            (old.parent_group, old.child_group, old.next);
        job.failed_children = old.failed_children;
        // A retry of a job that succeeded starts from the beginning.
        if old.status != Status::Done {
            job.checkpoint = self.job_mut(id).checkpoint.take();
            job.signals = self.job_mut(id).signals.hand_on();
        }
        self.hand_on(id, new);
        self.create(new, job);
        self.job_mut(id).follow_up = Some(new);
    }

    /// Ends a job.
    pub(super) fn end(&mut self, id: JobId, to: Status) {
        let now = self.now;
        let job = self.job_mut(id);
        let from = std::mem::replace(&mut job.status, to);
        (job.last_updated, job.finished_at) = (now, Some(now));
        let (deleting, carried_on) = (job.deleting, job.follow_up.is_some());
        self.emit_move(id, from);
        if !carried_on {
            self.close(id, to);
        }
        if deleting {
            self.bury(id);
        }
    }

    /// Ends a waiting job.
    pub(super) fn end_waiting(&mut self, id: JobId, to: Status) {
        let job = self.job_mut(id);
        if job.blockers > 0 || job.awaits() {
            (job.blockers, job.awaits_children) = (0, false);
            job.signals.continues_as = None;
        } else {
            self.withdraw(id);
            self.refill_offers();
        }
        self.end(id, to);
    }

    /// Replaces a job by a tombstone.
    fn bury(&mut self, id: JobId) {
        let to = self.next(id, Transition::Delete).unwrap();
        let now = self.now;
        let job = self.job_mut(id);
        (job.status, job.last_updated, job.finished_at) = (to, now, Some(now));
        self.emit_job(id);
        let job = self.job_mut(id);
        (job.worker, job.token, job.expires_at, job.unique_key) = (None, None, None, None);
        (job.parent_group, job.child_group, job.next) = (None, None, None);
    }

    pub(super) fn cancel(&mut self, id: JobId, why: &Cancellation) -> CancelAnswer {
        let Some(job) = self.jobs.get(&id) else { return CancelAnswer::Gone };
        let status = job.status;
        if self.next(id, Transition::Cancel).is_none() {
            return CancelAnswer::Already(status);
        }
        CancelAnswer::Requested(self.stop(id, why))
    }

    pub(super) fn stop(&mut self, id: JobId, why: &Cancellation) -> Status {
        let to = self.next(id, Transition::Cancel).unwrap();
        let now = self.now;
        let job = self.job_mut(id);
        (job.cancel_by, job.cancel_reason) = (why.by.clone(), why.reason.clone());
        if to.is_final() {
            self.end_waiting(id, to);
        } else {
            let from = std::mem::replace(&mut job.status, to);
            job.last_updated = now;
            job.passed.cancel_at = Some(Timestamp::from_ms(now));
            self.emit_move(id, from);
        }
        to
    }

    pub(super) fn delete(&mut self, id: JobId) -> DeleteAnswer {
        let Some(job) = self.jobs.get_mut(&id) else { return DeleteAnswer::Gone };
        match job.status {
            Status::Deleted => DeleteAnswer::Gone,
            Status::CancelRequest => {
                job.deleting = true;
                DeleteAnswer::Requested
            }
            Status::Running => {
                job.deleting = true;
                assert_eq!(self.next(id, Transition::Delete), Some(Status::CancelRequest));
                self.stop(id, &Cancellation::default());
                DeleteAnswer::Requested
            }
            Status::Waiting => {
                job.deleting = true;
                assert_eq!(self.next(id, Transition::Delete), Some(Status::Deleted));
                self.stop(id, &Cancellation::default());
                DeleteAnswer::Deleted
            }
            Status::Done
            | Status::Error
            | Status::Cancel
            | Status::WorkerDead
            | Status::WorkerShutdown
            | Status::WorkerResurrection => {
                self.bury(id);
                DeleteAnswer::Deleted
            }
        }
    }

    pub(super) fn retry(&mut self, id: JobId, new: JobId) -> RetryAnswer {
        let Some(job) = self.jobs.get(&id) else { return RetryAnswer::Gone };
        if !job.status.is_final() || job.status == Status::Deleted {
            return RetryAnswer::Refused(job.status);
        }
        match job.follow_up {
            Some(known) if known == new => return RetryAnswer::Created,
            Some(known) => return RetryAnswer::Followed(known),
            None => {}
        }
        if let Some(holder) = job.unique_key.as_ref().and_then(|key| self.holder(key)) {
            return RetryAnswer::Taken(holder);
        }
        let retries = job.retries;
        self.follow(id, new, (retries, 0), 0);
        let job = self.job_mut(new);
        (job.failed_children, job.held_back) = (0, 0);
        RetryAnswer::Created
    }

    /// Ends a job that was not started in time.
    pub(super) fn refuse(&mut self, id: JobId) {
        let to = self.next(id, Transition::Refuse).unwrap();
        let message = r#"{"type":"Expired","message":"it was not started before it expired"}"#;
        self.job_mut(id).exception = Some(message.to_owned());
        self.end_waiting(id, to);
    }
}
