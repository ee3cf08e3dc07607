//! Submit and claim in the model, and what several calls share. `Status::next` decides every
//! transition.

use domain::job::{
    ClaimedJob, FencingToken, JobId, JobSpec, NewJob, OnWorkerLost, Passed, Status, Timestamp,
    Transition, WorkerId,
};
use store::{ClaimAnswer, ClaimRequest, Claims, Submission, Submitted};

use super::routing::Kind;
use super::signals::Signals;
use super::state::{Fields, Model, Record};
use super::waiting::Position;

/// The fields of a stream entry or a hash.
pub(super) fn fields<const COUNT: usize>(pairs: [(&str, String); COUNT]) -> Fields {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Model {
    /// The status to which a transition leads a job. Records that the transition occurred.
    pub(super) fn next(&mut self, id: JobId, event: Transition) -> Option<Status> {
        let from = self.jobs[&id].status;
        let to = from.next(event)?;
        self.transitions.insert(format!("{from} {event:?}"));
        Some(to)
    }

    pub(super) fn job_mut(&mut self, id: JobId) -> &mut Record {
        self.jobs.get_mut(&id).unwrap()
    }

    /// Emits the event of a job that has changed its status: with the time from which a start had
    /// waited, or from which a run lasts.
    pub(super) fn emit_move(&mut self, id: JobId, from: Status) {
        let job = &self.jobs[&id];
        let class = Some(("class".to_owned(), job.class.clone()));
        let class = class.filter(|(_, class)| class != "default=1");
        let since = match (job.status, from) {
            (Status::Running, _) => Some(("scheduledAt".to_owned(), job.scheduled_at.to_string())),
            (_, Status::Running | Status::CancelRequest) => {
                job.started_at.map(|at| ("startedAt".to_owned(), at.to_string()))
            }
            _ => None,
        };
        self.emit_job(id);
        self.events.last_mut().unwrap().extend(since.into_iter().chain(class));
    }

    /// Emits the event of a job's status.
    pub(super) fn emit_job(&mut self, id: JobId) {
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

    pub(super) fn emit_worker(&mut self, id: &WorkerId, field: &str, value: &str) {
        self.events.push(fields([("worker", id.to_string()), (field, value.to_owned())]));
    }

    /// Offers a job, or offers it again.
    pub(super) fn publish(&mut self, id: JobId) {
        let now = self.now;
        let job = self.job_mut(id);
        job.position = Position::Offered(now);
        let entry = fields([
            ("job", id.to_string()),
            ("queue", job.queue()),
            ("scheduledAt", job.scheduled_at.to_string()),
            ("number", job.number.to_string()),
        ]);
        self.outbox.push(entry);
    }

    pub(super) fn create(&mut self, id: JobId, job: Record) {
        if let Some(group) = job.parent_group.filter(|group| self.parents.contains_key(group)) {
            self.children.entry(group).or_default().insert(id, job.scheduled_at);
        }
        let blocked = job.blockers > 0;
        self.jobs.insert(id, job);
        self.emit_job(id);
        if !blocked {
            self.schedule(id);
        }
    }

    /// A new waiting job.
    pub(super) fn new_record(&self, action: &str, class: &str, spec: &JobSpec) -> Record {
        let backoff = |which: fn(&domain::job::Backoff) -> &domain::job::GoDuration| {
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
            position: Position::Nowhere,
            action_queue: false,
            owner: spec.scheduled_by.clone().unwrap_or_default(),
            fairness_key: spec.fairness_key.clone(),
            locks: spec.locks.iter().map(|(n, p)| (n.to_string(), u64::from(p))).collect(),
            awaited_locks: Vec::new(),
            holds: None,
            next: None,
            blockers: 0,
            when_finished: false,
            parent_group: None,
            child_group: None,
            awaits_children: false,
            failed_children: 0,
            worker: None,
            token: None,
            retry_from: None,
            follow_up: None,
            first: None,
            retries: spec.retries,
            retries_left: spec.retries,
            attempt: 1,
            crashes: 0,
            held_back: 0,
            unique_key: spec.unique_key.clone(),
            replaced: None,
            replaced_by: None,
            expires_at: spec.expires_at.map(Timestamp::ms),
            fails_with_its_worker: spec.on_worker_lost == OnWorkerLost::Fail,
            backoff_base_ms: backoff(|backoff| &backoff.base),
            backoff_max_ms: backoff(|backoff| &backoff.max),
            result: None,
            exception: None,
            progress: None,
            checkpoint: None,
            signals: Signals::default(),
            cancel_by: String::new(),
            cancel_reason: String::new(),
            passed: Passed::default(),
            parked_for: None,
            deleting: false,
            log: None,
        }
    }

    /// The job that has this unique key and is not over.
    pub(super) fn holder(&self, key: &str) -> Option<JobId> {
        let has = |job: &Record| !job.status.is_final() && job.unique_key.as_deref() == Some(key);
        self.jobs.iter().find(|(_, job)| has(job)).map(|(id, _)| *id)
    }

    /// The error is why they are refused: a key of another request, a wrong relation, or a queue
    /// for which there is no room.
    pub(super) fn submit(&mut self, jobs: &[NewJob]) -> Result<Vec<Submitted>, String> {
        for (index, job) in jobs.iter().enumerate() {
            if let Some(id) = self.job_of_other_request(job, &jobs[..index]) {
                return Err(format!("{id:?}"));
            }
            if let Some(bad) = self.bad_relation(&jobs[..=index]) {
                return Err(format!("{bad:?}"));
            }
        }
        let kinds: Vec<Kind<'_>> = jobs.iter().map(Kind::of).collect();
        self.open_all(&kinds)?;
        self.stands_for.clear();
        self.numbers.begin();
        let left = (1..=jobs.len() as u64).rev();
        let submitted = jobs.iter().zip(left).map(|(job, left)| self.submit_one(job, left));
        let submitted = submitted.collect();
        for id in std::mem::take(&mut self.joined_batches) {
            self.emit_job(id);
        }
        self.numbers.begin();
        Ok(submitted)
    }

    /// The job that answers another request with the key of this one.
    fn job_of_other_request(&self, job: &NewJob, before: &[NewJob]) -> Option<JobId> {
        let hash = job.request_hash?;
        let same = before.iter().rev().find(|other| other.id == job.id);
        let earlier = same.and_then(|other| other.request_hash);
        let kept = earlier.or_else(|| self.requests.get(&job.id).copied())?;
        let answered = self.used_ids.get(&job.id).copied().unwrap_or(job.id);
        (kept != hash).then_some(answered)
    }

    fn submit_one(&mut self, job: &NewJob, most: u64) -> Submitted {
        let holder = job.spec.unique_key.as_ref().and_then(|key| self.holder(key));
        let keeps_id = job.reserve_id || job.spec.batch_key.is_some();
        let (word, id) = if self.jobs.contains_key(&job.id) {
            (Submission::Known, job.id)
        } else if let Some(answered) = self.used_ids.get(&job.id).filter(|_| keeps_id) {
            let kept = self.jobs.contains_key(answered);
            if kept { (Submission::Taken, *answered) } else { (Submission::Spent, job.id) }
        } else if let Some(joined) = self.join_batch(job) {
            self.stands_for.insert(job.id, joined);
            self.used_ids.insert(job.id, joined);
            self.requests.extend(job.request_hash.map(|hash| (job.id, hash)));
            (Submission::Joined, joined)
        } else if let Some(holder) = holder {
            self.stands_for.insert(job.id, holder);
            if job.reserve_id {
                self.used_ids.insert(job.id, holder);
            }
            self.requests.extend(job.request_hash.map(|hash| (job.id, hash)));
            let replaced = self.replace(holder, job);
            (if replaced { Submission::Replaced } else { Submission::Taken }, holder)
        } else {
            if job.reserve_id {
                self.used_ids.insert(job.id, job.id);
            }
            self.requests.extend(job.request_hash.map(|hash| (job.id, hash)));
            let mut record =
                self.new_record(job.spec.action.as_str(), job.class.as_str(), &job.spec);
            record.scheduled_at = job.scheduled_at.map_or(self.now, Timestamp::ms);
            if let Some(wait) = job.spec.debounce.duration() {
                record.scheduled_at = self.now + wait.as_millis() as i64;
                record.replaced = Some(0);
            }
            if let Some(wait) = job.spec.batch_wait.duration() {
                record.scheduled_at = self.now + wait.as_millis() as i64;
                self.begin_batch(job);
            }
            record.number = self.numbers.next(most);
            if let Some(parent) = job.spec.parent {
                self.join_parent(job.id, &mut record, parent);
            }
            self.depend_on(job.id, &mut record, job);
            self.create(job.id, record);
            (Submission::Created, job.id)
        };
        let (number, created_at, scheduled_at) = match self.jobs.get(&id) {
            Some(job) => (job.number, job.created_at, job.scheduled_at),
            None => (0, 0, 0),
        };
        let (created_at, scheduled_at) =
            (Timestamp::from_ms(created_at), Timestamp::from_ms(scheduled_at));
        Submitted { outcome: word, id, number, created_at, scheduled_at }
    }

    pub(super) fn claim(&mut self, worker: &WorkerId, requests: &[ClaimRequest]) -> Claims {
        let Some(claimer) = self.workers.get(worker).filter(|found| found.status == "running")
        else {
            return Claims::LeaseLost;
        };
        if claimer.until <= self.now {
            return Claims::LeaseEnded;
        }
        self.tokens.begin();
        self.claimed_now.clear();
        let answers = requests.iter().map(|request| {
            let (mut answers, mut room) = (Vec::new(), request.max);
            for (index, id) in request.ids.iter().enumerate() {
                if room == 0 {
                    break;
                }
                let left = request.ids.len() - index;
                let answer = self.claim_one(worker, *id, u64::from(room).min(left as u64));
                room -= u32::from(matches!(answer, ClaimAnswer::Claimed(_)));
                answers.push(answer);
            }
            answers
        });
        let answers = answers.collect();
        self.refill_offers();
        self.claimed_now.clear();
        Claims::Answered(answers)
    }

    fn claim_one(&mut self, worker: &WorkerId, id: JobId, most: u64) -> ClaimAnswer {
        let Some(job) = self.jobs.get(&id) else { return ClaimAnswer::Gone };
        let mine = job.status.is_running() && job.worker.as_ref() == Some(worker);
        let due = job.scheduled_at <= self.now;
        let in_time = job.expires_at.is_none_or(|expires| expires > self.now);
        if !mine {
            let free = due && in_time && job.blockers == 0 && !job.awaits();
            if free && job.waits() && !self.workers[worker].knows(&job.action) {
                self.offer_by_action(id);
                return ClaimAnswer::Refused(Status::Waiting);
            }
            let to = if free { self.next(id, Transition::Claim) } else { None };
            let Some(to) = to else { return ClaimAnswer::Refused(self.jobs[&id].status) };
            if self.jobs[&id].position == Position::Backlog {
                return ClaimAnswer::Refused(Status::Waiting);
            }
            let needs = self.needs_of(id);
            if let Some(busy) = self.park(id, &needs) {
                return ClaimAnswer::Parked(busy.parse().unwrap());
            }
            let (token, now) = (self.tokens.next(most), self.now);
            let job = self.job_mut(id);
            job.status = to;
            (job.token, job.worker) = (Some(token), Some(worker.clone()));
            (job.started_at, job.last_updated) = (Some(now), now);
            let (queue, position) = (job.queue(), job.position);
            if let Position::Offered(offered) = position {
                let was_parked = job.passed.parked_at.is_some();
                job.passed.granted_at = was_parked.then(|| Timestamp::from_ms(offered));
                for reached in [&mut self.claimed_up_to, &mut self.claimed_now] {
                    let reached = reached.entry(queue.clone()).or_insert(offered);
                    *reached = offered.max(*reached);
                }
            }
            self.emit_move(id, Status::Waiting);
            self.hold_locks(id, &needs);
            self.withdraw(id);
            needs.iter().for_each(|(name, _)| self.wake_waiters(name));
        }
        let job = &self.jobs[&id];
        ClaimAnswer::Claimed(Box::new(ClaimedJob {
            id,
            number: job.number,
            token: FencingToken(job.token.unwrap()),
            attempt: job.attempt,
            spec: serde_json::from_str(&job.spec).unwrap(),
        }))
    }

    /// The job, if it runs with this token.
    pub(super) fn running(&mut self, id: JobId, token: FencingToken) -> Option<&mut Record> {
        let run = self.jobs.get_mut(&id)?;
        (run.token == Some(token.0) && run.status.is_running()).then_some(run)
    }
}
