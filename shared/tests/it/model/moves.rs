//! What each call does to the model and answers: the headers of the scripts, said once more, over plain values. Where a
//! job goes is asked of `Status::next`, the one table.

use std::collections::BTreeSet;

use shared::job::{
    Cancelled, Claimed, Event, JobId, NewJob, OnWorkerLost, Outcome, Spec, Status, Timestamp,
    Token, WorkerId,
};
use shared::store::{
    Beat, Cancelling, ClaimAnswer, ClaimRequest, Claims, Deleting, Expired, Finish, Finished, Left,
    Orders, Pulse, Retrying, Submission, Submitted, Verdict,
};

use super::state::{Fields, Model, Record, WorkerRecord};

/// Fields of an entry or of a hash.
pub(super) fn fields<const COUNT: usize>(pairs: [(&str, String); COUNT]) -> Fields {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Model {
    /// Where `event` leads a job; the table is asked, and what was asked is remembered.
    fn next(&mut self, id: JobId, event: Event) -> Option<Status> {
        let from = self.jobs[&id].status;
        let to = from.next(event)?;
        self.walked.insert(format!("{from} {event:?}"));
        Some(to)
    }

    fn job_mut(&mut self, id: JobId) -> &mut Record {
        self.jobs.get_mut(&id).unwrap()
    }

    /// Tells where a job is now.
    fn tell(&mut self, id: JobId) {
        let job = &self.jobs[&id];
        self.events.push(fields([
            ("job", id.to_string()),
            ("number", job.number.to_string()),
            ("action", job.action.clone()),
            ("status", job.status.to_string()),
            ("worker", job.worker.as_ref().map(ToString::to_string).unwrap_or_default()),
            ("token", job.token.map(|token| token.to_string()).unwrap_or_default()),
        ]));
    }

    fn tell_of_worker(&mut self, id: &WorkerId, field: &str, value: &str) {
        self.events.push(fields([("worker", id.to_string()), (field, value.to_owned())]));
    }

    pub(super) fn offer(&mut self, id: JobId) {
        let now = self.now;
        let job = self.job_mut(id);
        job.offered_at = Some(now);
        let entry = fields([
            ("job", id.to_string()),
            ("class", job.class.clone()),
            ("priority", job.priority.to_string()),
            ("scheduledAt", job.scheduled_at.to_string()),
        ]);
        self.outbox.push(entry);
    }

    fn create(&mut self, id: JobId, mut job: Record) {
        self.number += 1;
        job.number = self.number;
        let due = job.scheduled_at <= self.now;
        self.jobs.insert(id, job);
        self.tell(id);
        if due {
            self.offer(id);
        }
    }

    /// A job that waits, in which nothing has happened yet.
    fn fresh(&self, action: &str, class: &str, spec: &Spec) -> Record {
        let backoff = |which: fn(&shared::job::Backoff) -> &shared::job::Span| {
            let span = spec.backoff.as_ref().and_then(|backoff| which(backoff).duration());
            span.map(|span| span.as_millis() as i64)
        };
        Record {
            number: 0,
            status: Status::Waiting,
            action: action.to_owned(),
            class: class.to_owned(),
            priority: spec.priority,
            spec: serde_json::to_string(spec).unwrap(),
            scheduled_at: self.now,
            created_at: self.now,
            last_updated: self.now,
            started_at: None,
            finished_at: None,
            offered_at: None,
            worker: None,
            token: None,
            retry_from: None,
            follow_up: None,
            retries: spec.retries,
            retries_left: spec.retries,
            attempt: 1,
            crashes: 0,
            unique_key: spec.unique_key.clone(),
            expires_at: spec.expires_at.map(Timestamp::ms),
            fails_with_its_worker: spec.on_worker_lost == OnWorkerLost::Fail,
            backoff_base_ms: backoff(|backoff| &backoff.base),
            backoff_max_ms: backoff(|backoff| &backoff.max),
            result: None,
            exception: None,
            progress: None,
            cancel_by: String::new(),
            cancel_reason: String::new(),
            deleting: false,
            log: None,
        }
    }

    /// Who has this unique key: the one job that has it and is not over.
    fn holder(&self, key: &str) -> Option<JobId> {
        let has = |job: &Record| !job.status.is_final() && job.unique_key.as_deref() == Some(key);
        self.jobs.iter().find(|(_, job)| has(job)).map(|(id, _)| *id)
    }

    pub(super) fn submit(&mut self, jobs: &[NewJob]) -> Vec<Submitted> {
        jobs.iter().map(|job| self.submit_one(job)).collect()
    }

    fn submit_one(&mut self, job: &NewJob) -> Submitted {
        self.queues.insert(format!("{}.{}", job.class, job.spec.priority));
        let holder = job.spec.unique_key.as_ref().and_then(|key| self.holder(key));
        let (word, id) = if self.jobs.contains_key(&job.id) {
            (Submission::Known, job.id)
        } else if job.once && self.once.contains(&job.id) {
            (Submission::Spent, job.id)
        } else if let Some(holder) = holder {
            (Submission::Taken, holder)
        } else {
            if job.once {
                self.once.insert(job.id);
            }
            let mut record = self.fresh(job.spec.action.as_str(), job.class.as_str(), &job.spec);
            record.scheduled_at = job.scheduled_at.map_or(self.now, Timestamp::ms);
            self.create(job.id, record);
            (Submission::Created, job.id)
        };
        let (number, created_at, scheduled_at) = match self.jobs.get(&id) {
            Some(job) => (job.number, job.created_at, job.scheduled_at),
            None => (0, 0, 0),
        };
        let (created_at, scheduled_at) =
            (Timestamp::from_ms(created_at), Timestamp::from_ms(scheduled_at));
        Submitted { word, id, number, created_at, scheduled_at }
    }

    pub(super) fn claim(&mut self, worker: &WorkerId, requests: &[ClaimRequest]) -> Claims {
        let Some(claimer) = self.workers.get(worker).filter(|found| found.status == "running")
        else {
            return Claims::LeaseLost;
        };
        if claimer.until <= self.now {
            return Claims::LeaseLate;
        }
        let answers = requests.iter().map(|request| {
            let (mut answers, mut room) = (Vec::new(), request.max);
            for id in &request.ids {
                if room == 0 {
                    break;
                }
                let answer = self.claim_one(worker, *id);
                room -= u32::from(matches!(answer, ClaimAnswer::Claimed(_)));
                answers.push(answer);
            }
            answers
        });
        Claims::Answered(answers.collect())
    }

    fn claim_one(&mut self, worker: &WorkerId, id: JobId) -> ClaimAnswer {
        let Some(job) = self.jobs.get(&id) else { return ClaimAnswer::Gone };
        let mine = job.status.is_running() && job.worker.as_ref() == Some(worker);
        let due = job.scheduled_at <= self.now;
        let in_time = job.expires_at.is_none_or(|expires| expires > self.now);
        if !mine {
            let to = if due && in_time { self.next(id, Event::Claim) } else { None };
            let Some(to) = to else { return ClaimAnswer::Refused(self.jobs[&id].status) };
            self.token += 1;
            let (token, now) = (self.token, self.now);
            let job = self.job_mut(id);
            job.status = to;
            (job.token, job.worker) = (Some(token), Some(worker.clone()));
            (job.started_at, job.last_updated) = (Some(now), now);
            let (queue, offered) = (job.queue(), job.offered_at);
            if let Some(offered) = offered {
                let reached = self.reached.entry(queue).or_insert(offered);
                *reached = offered.max(*reached);
            }
            self.tell(id);
        }
        let job = &self.jobs[&id];
        ClaimAnswer::Claimed(Box::new(Claimed {
            id,
            number: job.number,
            token: Token(job.token.unwrap()),
            attempt: job.attempt,
            spec: serde_json::from_str(&job.spec).unwrap(),
        }))
    }

    pub(super) fn finish(&mut self, end: &Finish) -> Finished {
        let Some(job) = self.jobs.get(&end.id) else { return Finished::Gone };
        if job.token != Some(end.token.0) {
            return Finished::Stale;
        }
        let (status, wanted) = (job.status, job.status != Status::CancelRequest);
        let event = match end.outcome {
            Outcome::Done(_) => Event::Finish,
            Outcome::Error(_) => Event::Fail,
            Outcome::Cancel => Event::Stopped,
            Outcome::Shutdown => Event::Shutdown,
            Outcome::Resurrected => Event::Resurrect,
        };
        let Some(to) = self.next(end.id, event) else {
            let running = status.is_running();
            return if running { Finished::Refused(status) } else { Finished::Already(status) };
        };
        if to == Status::WorkerResurrection {
            let now = self.now;
            let job = self.job_mut(end.id);
            (job.status, job.last_updated) = (to, now);
            self.tell(end.id);
            return Finished::Recorded(to);
        }
        if wanted {
            self.carry_on(end, to);
        }
        let job = self.job_mut(end.id);
        match &end.outcome {
            Outcome::Done(result) => job.result = result.as_ref().map(ToString::to_string),
            Outcome::Error(exception) => {
                job.exception = Some(serde_json::to_string(exception).unwrap());
            }
            Outcome::Cancel | Outcome::Shutdown | Outcome::Resurrected => {}
        }
        self.end(end.id, to);
        Finished::Recorded(to)
    }

    /// The job after one that failed with retries left, or whose worker shuts down.
    fn carry_on(&mut self, end: &Finish, to: Status) {
        let job = &self.jobs[&end.id];
        let (left, crashes) = (job.retries_left, job.crashes);
        if to == Status::WorkerShutdown {
            self.follow(end.id, end.follow_up, (left, crashes), 0);
        } else if to == Status::Error && left > 0 {
            let base = job.backoff_base_ms.unwrap_or(1_000) as f64;
            let longest = job.backoff_max_ms.unwrap_or(300_000) as f64;
            let doubled = base * 2_f64.powi(job.attempt.min(31) as i32 - 1);
            let delay = (doubled.min(longest) * (0.5 + end.jitter / 2.0)).floor();
            self.follow(end.id, end.follow_up, (left - 1, 0), delay as i64);
        }
    }

    /// Makes the job that carries on after `id`, with so many retries left and crashes behind it.
    fn follow(&mut self, id: JobId, new: JobId, (left, crashes): (u32, u32), delay_ms: i64) {
        let old = self.jobs[&id].clone();
        let spec: Spec = serde_json::from_str(&old.spec).unwrap();
        let mut job = self.fresh(&old.action, &old.class, &spec);
        job.scheduled_at = self.now + delay_ms;
        (job.retry_from, job.attempt) = (Some(id), old.attempt + 1);
        (job.retries_left, job.crashes) = (left, crashes);
        // It was started in time once.
        job.expires_at = None;
        self.create(new, job);
        self.job_mut(id).follow_up = Some(new);
    }

    /// A job is over.
    fn end(&mut self, id: JobId, to: Status) {
        let now = self.now;
        let job = self.job_mut(id);
        (job.status, job.last_updated, job.finished_at) = (to, now, Some(now));
        let deleting = job.deleting;
        self.tell(id);
        if deleting {
            self.bury(id);
        }
    }

    /// A tombstone takes the place of a job.
    fn bury(&mut self, id: JobId) {
        let to = self.next(id, Event::Delete).unwrap();
        let now = self.now;
        let job = self.job_mut(id);
        (job.status, job.last_updated, job.finished_at) = (to, now, Some(now));
        self.tell(id);
        let job = self.job_mut(id);
        (job.worker, job.token, job.expires_at, job.unique_key) = (None, None, None, None);
    }

    pub(super) fn beat(&mut self, beat: &Beat) -> Pulse {
        let known = self.workers.get(&beat.worker);
        if known.is_some_and(|worker| worker.status != "running") {
            return Pulse::Dead;
        }
        if known.is_none() {
            self.tell_of_worker(&beat.worker, "status", "running");
        }
        let json = |map| serde_json::to_string(map).unwrap();
        let actions: Vec<&str> = beat.actions.iter().map(|action| action.as_str()).collect();
        let told = fields([
            ("name", beat.name.clone()),
            ("version", beat.version.clone()),
            ("capacityMap", json(&beat.capacity_map)),
            ("free", json(&beat.free)),
            ("actions", actions.join(",")),
        ]);
        let until = self.now + beat.lease.as_millis() as i64;
        let new = WorkerRecord {
            status: "running",
            started_at: self.now,
            until,
            leased: true,
            told: Fields::new(),
            drain: None,
            wanted_map: None,
        };
        let worker = self.workers.entry(beat.worker.clone()).or_insert(new);
        (worker.told, worker.until, worker.leased) = (told, until, true);
        let verdict = |(id, token): &(JobId, Token)| {
            let job = self.jobs.get(id).filter(|job| job.token == Some(token.0));
            match job.map(|job| job.status) {
                Some(Status::Running) => None,
                Some(Status::CancelRequest) => Some((*id, Verdict::Cancel)),
                Some(_) | None => Some((*id, Verdict::Lost)),
            }
        };
        let verdicts = beat.running.iter().filter_map(verdict).collect();
        let drain = worker.drain.as_deref().is_some_and(|drain| !drain.is_empty());
        let wanted = worker.wanted_map.as_ref().map(|json| serde_json::from_str(json).unwrap());
        Pulse::Alive(Orders { until: Timestamp::from_ms(until), drain, wanted, verdicts })
    }

    fn held(&self, worker: &WorkerId) -> BTreeSet<JobId> {
        let mine = |job: &Record| job.status.is_running() && job.worker.as_ref() == Some(worker);
        self.jobs.iter().filter(|(_, job)| mine(job)).map(|(id, _)| *id).collect()
    }

    pub(super) fn leave(&mut self, id: &WorkerId) -> Left {
        let held = self.held(id).len();
        let Some(worker) = self.workers.get_mut(id).filter(|worker| worker.status != "dead") else {
            return Left::Gone;
        };
        if held > 0 {
            return Left::Holds(held as u64);
        }
        if worker.status == "running" {
            (worker.status, worker.leased) = ("shutdown", false);
            self.tell_of_worker(id, "status", "shutdown");
        }
        Left::Done
    }

    /// Ends a lease. The store chooses in which order its jobs end and what their follow-ups are called: `ended` says
    /// what it chose.
    pub(super) fn expire(&mut self, id: &WorkerId, ended: &[(JobId, Option<JobId>)]) -> Expired {
        let over = |worker: &WorkerRecord| worker.leased && worker.until <= self.now;
        if !self.workers.get(id).is_some_and(over) {
            return Expired::Alive;
        }
        let held = self.held(id);
        let chosen: BTreeSet<JobId> = ended.iter().map(|(id, _)| *id).collect();
        assert_eq!(chosen, held, "a lost lease ends all the jobs that its worker held");
        let worker = self.workers.get_mut(id).unwrap();
        (worker.status, worker.leased) = ("dead", false);
        self.tell_of_worker(id, "status", "dead");
        for (job, follow_up) in ended {
            self.expire_one(id, *job, *follow_up);
        }
        Expired::Ended(held.len() as u64, 0)
    }

    fn expire_one(&mut self, worker: &WorkerId, id: JobId, follow_up: Option<JobId>) {
        let to = self.next(id, Event::Expire).unwrap();
        if to == Status::WorkerDead {
            let message = format!("the lease of worker {worker} ended");
            let exception = format!(r#"{{"type":"WorkerDead","message":"{message}"}}"#);
            let job = self.job_mut(id);
            job.exception = Some(exception);
            let (left, crashes) = (job.retries_left, job.crashes);
            if crashes < 3 && !job.fails_with_its_worker {
                let new = follow_up.expect("a job of a dead worker is carried on");
                assert!(!self.jobs.contains_key(&new), "a follow-up is a new job");
                self.follow(id, new, (left, crashes + 1), 0);
            }
        }
        self.end(id, to);
    }

    pub(super) fn cancel(&mut self, id: JobId, why: &Cancelled) -> Cancelling {
        let Some(job) = self.jobs.get(&id) else { return Cancelling::Gone };
        let status = job.status;
        if self.next(id, Event::Cancel).is_none() {
            return Cancelling::Already(status);
        }
        Cancelling::Asked(self.stop(id, why))
    }

    fn stop(&mut self, id: JobId, why: &Cancelled) -> Status {
        let to = self.next(id, Event::Cancel).unwrap();
        let now = self.now;
        let job = self.job_mut(id);
        (job.cancel_by, job.cancel_reason) = (why.by.clone(), why.reason.clone());
        if to.is_final() {
            self.end(id, to);
        } else {
            (job.status, job.last_updated) = (to, now);
            self.tell(id);
        }
        to
    }

    pub(super) fn delete(&mut self, id: JobId) -> Deleting {
        let Some(job) = self.jobs.get_mut(&id) else { return Deleting::Gone };
        match job.status {
            Status::Deleted => Deleting::Gone,
            Status::CancelRequest => {
                job.deleting = true;
                Deleting::Requested
            }
            Status::Running => {
                job.deleting = true;
                assert_eq!(self.next(id, Event::Delete), Some(Status::CancelRequest));
                self.stop(id, &Cancelled::default());
                Deleting::Requested
            }
            Status::Waiting => {
                job.deleting = true;
                assert_eq!(self.next(id, Event::Delete), Some(Status::Deleted));
                self.stop(id, &Cancelled::default());
                Deleting::Deleted
            }
            Status::Done
            | Status::Error
            | Status::Cancel
            | Status::WorkerDead
            | Status::WorkerShutdown
            | Status::WorkerResurrection => {
                self.bury(id);
                Deleting::Deleted
            }
        }
    }

    pub(super) fn retry(&mut self, id: JobId, new: JobId) -> Retrying {
        let Some(job) = self.jobs.get(&id) else { return Retrying::Gone };
        if !job.status.is_final() || job.status == Status::Deleted {
            return Retrying::Refused(job.status);
        }
        match job.follow_up {
            Some(known) if known == new => return Retrying::Created,
            Some(known) => return Retrying::Followed(known),
            None => {}
        }
        if let Some(holder) = job.unique_key.as_ref().and_then(|key| self.holder(key)) {
            return Retrying::Taken(holder);
        }
        let retries = job.retries;
        self.follow(id, new, (retries, 0), 0);
        Retrying::Created
    }

    /// Ends a job that was not started in time.
    pub(super) fn refuse(&mut self, id: JobId) {
        let to = self.next(id, Event::Refuse).unwrap();
        let message = r#"{"type":"Expired","message":"it was not started before it expired"}"#;
        self.job_mut(id).exception = Some(message.to_owned());
        self.end(id, to);
    }

    /// The job, if it runs with this token.
    pub(super) fn running(&mut self, id: JobId, token: Token) -> Option<&mut Record> {
        let run = self.jobs.get_mut(&id)?;
        (run.token == Some(token.0) && run.status.is_running()).then_some(run)
    }
}
