//! Which call comes next: by chance, but so that most of them lead somewhere, and some are stale, unknown or late.

use std::time::Duration;

use serde_json::json;
use shared::job::{
    Backoff, Cancelled, Exception, JobId, NewJob, OnWorkerLost, Outcome, Priority, Status,
    Timestamp, Token, When, WorkerId,
};
use shared::lock::LockName;
use shared::store::{
    Beat, ClaimRequest, Finish, JobChange, Line, Reoffer, Settings, Source, Steer,
};

use super::dice::Dice;
use super::places::Stand;
use super::state::{Model, Record};
use super::step::Step;

/// So far away that no history sees it come.
const FAR_MS: i64 = 253_402_300_000_000;
const HOUR: Duration = Duration::from_secs(3_600);
/// Over with the next step, which waits for it.
const MOMENT: Duration = Duration::from_millis(1);

/// What can be thrown, and how often.
const KINDS: [(Kind, usize); 23] = [
    (Kind::Flood, 1),
    (Kind::Settle, 4),
    (Kind::Change, 4),
    (Kind::Permits, 3),
    (Kind::Pause, 3),
    (Kind::Clear, 2),
    (Kind::Submit, 18),
    (Kind::Claim, 30),
    (Kind::Finish, 22),
    (Kind::Beat, 11),
    (Kind::Leave, 3),
    (Kind::Expire, 9),
    (Kind::Cancel, 7),
    (Kind::Delete, 6),
    (Kind::Retry, 5),
    (Kind::Due, 5),
    (Kind::Lapse, 4),
    (Kind::Reoffer, 5),
    (Kind::Log, 5),
    (Kind::Progress, 3),
    (Kind::Steer, 3),
    (Kind::Trim, 3),
    (Kind::Publish, 5),
];

#[derive(Clone, Copy)]
enum Kind {
    Flood,
    Settle,
    Change,
    Permits,
    Pause,
    Clear,
    Submit,
    Claim,
    Finish,
    Beat,
    Leave,
    Expire,
    Cancel,
    Delete,
    Retry,
    Due,
    Lapse,
    Reoffer,
    Log,
    Progress,
    Steer,
    Trim,
    Publish,
}

/// Throws the steps of one history.
pub(super) struct Chance {
    pub(super) dice: Dice,
    /// Ends that were told before.
    told: Vec<Finish>,
    flooded: bool,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        Chance { dice: Dice::new(seed), told: Vec::new(), flooded: false }
    }

    /// The next step of a history that has come so far.
    pub(super) fn step(&mut self, model: &Model) -> Step {
        if model.workers.len() < 2 {
            return Step::Beat(self.beat(model));
        }
        let lost = self.holding(model, |until| until <= model.now);
        if !lost.is_empty() && self.dice.percent(45) {
            return Step::Expire(self.dice.one(&lost));
        }
        if let Some(step) = self.rare(model) {
            return step;
        }
        let mut at = self.dice.below(KINDS.iter().map(|(_, weight)| weight).sum());
        let kind = KINDS.into_iter().find(|(_, weight)| {
            let hit = at < *weight;
            at = at.saturating_sub(*weight);
            hit
        });
        match kind.unwrap().0 {
            Kind::Submit => {
                let count = 1 + self.dice.below(3);
                let mut jobs: Vec<_> = (0..count).map(|_| self.new_job(model)).collect();
                if self.dice.percent(10) {
                    jobs.push(jobs[0].clone());
                }
                Step::Submit(jobs)
            }
            Kind::Flood if self.flooded => Step::Settle,
            Kind::Flood => {
                self.flooded = true;
                Step::Submit(self.flood())
            }
            Kind::Settle => Step::Settle,
            Kind::Change => self.change(model),
            Kind::Permits => {
                let permits = self.dice.one(&[None, None, Some(1), Some(2), Some(3)]);
                Step::Permits(self.lock_name(true), permits)
            }
            Kind::Pause => {
                let on = model.paused.is_empty() && self.dice.percent(60);
                let paused: Vec<LockName> =
                    model.paused.iter().map(|name| name.parse().unwrap()).collect();
                let other = paused.is_empty() || self.dice.percent(20);
                let limits = ["action:noop", "action:sleep", "class:scan=1"];
                let limit = self.dice.one(&limits).parse().unwrap();
                Step::Pause(if other { limit } else { self.dice.one(&paused) }, on)
            }
            Kind::Clear => {
                let held: Vec<LockName> =
                    model.holders.keys().map(|name| name.parse().unwrap()).collect();
                let free = held.is_empty() || self.dice.percent(20);
                Step::Clear(if free { self.lock_name(true) } else { self.dice.one(&held) })
            }
            Kind::Claim => self.claim(model),
            Kind::Finish => {
                let count = 1 + self.dice.below(3);
                Step::Finish((0..count).map(|_| self.finish(model)).collect())
            }
            Kind::Beat => Step::Beat(self.beat(model)),
            Kind::Leave => Step::Leave(self.worker(model, |_| true)),
            Kind::Expire => Step::Expire(self.worker(model, |until| until <= model.now)),
            Kind::Cancel => self.cancel(model),
            Kind::Delete => {
                let lost = self.dice.percent(30);
                let kind = |job: &Record| {
                    !lost || matches!(job.status, Status::WorkerDead | Status::WorkerResurrection)
                };
                Step::Delete(self.job(model, kind))
            }
            Kind::Retry => Step::Retry(self.job(model, |job| job.status.is_final()), self.id()),
            Kind::Due => Step::Due,
            Kind::Lapse => Step::Lapse,
            Kind::Reoffer => Step::Reoffer(self.reoffer(model)),
            Kind::Log => self.log(model),
            Kind::Progress => {
                let (id, token) = self.run(model);
                Step::Progress(id, token, json!({"percent": self.dice.below(100)}))
            }
            Kind::Steer => {
                let map = self.dice.one(&["scan=1", "cpu=4,scan=2"]).parse().unwrap();
                let all = [Steer::Drain, Steer::Resume, Steer::Capacity(map)];
                Step::Steer(self.worker(model, |_| true), self.dice.one(&all))
            }
            Kind::Trim => Step::Trim(self.settings()),
            Kind::Publish => Step::Publish,
        }
    }

    /// What chance alone would seldom come to: a family whose children are all over, the ends of a run that was asked to
    /// stop or that its worker has lost.
    fn rare(&mut self, model: &Model) -> Option<Step> {
        let pick = |status: Status| {
            let found = model.jobs.iter().filter(|(_, job)| job.status == status);
            found.map(|(id, job)| (*id, job)).next()
        };
        let told = |id: JobId, job: &Record, outcome| {
            let token = Token(job.token.unwrap_or(0));
            let follow_up = JobId::derived(uuid::Uuid::nil(), &format!("{id} {}", token.0));
            Step::Finish(vec![Finish { id, token, outcome, follow_up, jitter: 0.5 }])
        };
        if self.dice.percent(12)
            && let Some((id, job)) = pick(Status::CancelRequest)
        {
            if self.dice.percent(40) {
                let worker = job.worker.clone().unwrap();
                return Some(Step::Beat(Beat { worker, lease: MOMENT, ..self.beat(model) }));
            }
            let failed = Outcome::Error(Exception::new("Test", "it failed"));
            let stopped = [Outcome::Done(None), failed, Outcome::Cancel, Outcome::Await(None)];
            return Some(told(id, job, self.dice.one(&stopped)));
        }
        if self.dice.percent(10)
            && let Some((id, _)) = pick(Status::WorkerResurrection)
        {
            return Some(Step::Delete(id));
        }
        if self.dice.percent(12)
            && let Some((id, job)) = pick(Status::WorkerDead)
        {
            let back = self.dice.percent(60);
            return Some(if back { told(id, job, Outcome::Resurrected) } else { Step::Delete(id) });
        }
        let awaiting = model.jobs.values().find(|job| job.awaits);
        if let Some(family) = awaiting.and_then(|job| job.family)
            && self.dice.percent(40)
        {
            let child = model.children.get(&family).and_then(|children| children.keys().next())?;
            let job = &model.jobs[child];
            if job.status.is_running() {
                let well = self.dice.percent(80);
                let failed = Outcome::Error(Exception::new("Test", "it failed"));
                return Some(told(*child, job, if well { Outcome::Done(None) } else { failed }));
            }
            let worker = self.worker(model, |until| until > model.now);
            return Some(Step::Claim(worker, vec![ClaimRequest { max: 1, ids: vec![*child] }]));
        }
        let running = model.jobs.iter().find(|(_, job)| job.status == Status::Running);
        if let Some((id, job)) = running
            && self.dice.percent(6)
        {
            if job.family.is_some() {
                return Some(told(*id, job, Outcome::Await(None)));
            }
            let mut child = e2e::job("noop", "");
            (child.id, child.spec.parent) = (self.id(), Some(*id));
            return Some(Step::Submit(vec![child]));
        }
        None
    }

    fn id(&mut self) -> JobId {
        self.dice.hex(32).parse().unwrap()
    }

    /// Mostly a job of this kind, sometimes any, rarely one that nobody has heard of.
    fn job(&mut self, model: &Model, kind: impl Fn(&Record) -> bool) -> JobId {
        let all: Vec<JobId> = model.jobs.keys().copied().collect();
        let some: Vec<JobId> = all.iter().copied().filter(|id| kind(&model.jobs[id])).collect();
        if !some.is_empty() && self.dice.percent(80) {
            self.dice.one(&some)
        } else if !all.is_empty() && self.dice.percent(75) {
            self.dice.one(&all)
        } else {
            self.id()
        }
    }

    /// Mostly a living worker whose lease is of this kind, sometimes any, rarely a stranger.
    fn worker(&mut self, model: &Model, until: impl Fn(i64) -> bool) -> WorkerId {
        let all: Vec<WorkerId> = model.workers.keys().cloned().collect();
        let fits = |id: &&WorkerId| {
            let worker = &model.workers[*id];
            worker.status == "running" && until(worker.until)
        };
        let some: Vec<WorkerId> = all.iter().filter(fits).cloned().collect();
        if !some.is_empty() && self.dice.percent(85) {
            self.dice.one(&some)
        } else if !all.is_empty() && self.dice.percent(75) {
            self.dice.one(&all)
        } else {
            self.dice.hex(12).parse().unwrap()
        }
    }

    /// Workers whose lease is of this kind and that hold jobs.
    fn holding(&self, model: &Model, until: impl Fn(i64) -> bool) -> Vec<WorkerId> {
        let held = model.jobs.values().filter(|job| job.status.is_running());
        let held = held.filter_map(|job| job.worker.clone());
        let mut holding: Vec<_> = held.filter(|id| until(model.workers[id].until)).collect();
        holding.dedup();
        holding
    }

    fn new_job(&mut self, model: &Model) -> NewJob {
        let action = self.dice.one(&["noop", "sleep"]);
        let capacity = self.dice.one(&["", "scan=1", "scan=1", "cpu=2,scan=1"]);
        let mut job = e2e::job(action, capacity);
        job.id = self.id();
        if self.dice.percent(15) {
            let once: Vec<JobId> = model.once.keys().copied().collect();
            let again = self.dice.percent(50) && !once.is_empty();
            job.id = if again { self.dice.one(&once) } else { self.job(model, |_| true) };
        }
        let past = Timestamp::from_ms(1_000_000 + self.dice.below(1_000) as i64);
        let far = Timestamp::from_ms(FAR_MS);
        job.scheduled_at = self.dice.one(&[None, None, None, Some(past), Some(far)]);
        job.once = self.dice.percent(25);
        self.relate(model, &mut job);
        if self.dice.percent(40) {
            for _ in 0..1 + self.dice.below(2) {
                let permits = self.dice.one(&[1, 1, 1, 2]);
                let name = self.lock_name(false);
                job.spec.locks.add(name, permits);
            }
        }
        let spec = &mut job.spec;
        if self.dice.percent(30) {
            spec.fairness_key = Some("flood".to_owned());
        }
        spec.priority =
            self.dice.one(&[Priority::Normal, Priority::Normal, Priority::High, Priority::Low]);
        spec.expires_at = self.dice.one(&[None, None, None, None, Some(far), Some(past)]);
        if self.dice.percent(25) {
            spec.unique_key = Some(self.dice.one(&["a", "b", "c:1"]).to_owned());
        }
        if self.dice.percent(20) {
            spec.on_worker_lost = OnWorkerLost::Fail;
        }
        if self.dice.percent(50) {
            spec.retries = 1 + self.dice.below(3) as u32;
            let (base, max) =
                self.dice.one(&[("1ms", "2ms"), ("1h", ""), ("1h", "2ms"), ("1h", "2h")]);
            let (base, max) = (base.parse().unwrap(), max.parse().unwrap());
            spec.backoff = Some(Backoff { base, max });
        }
        job
    }

    fn lock_name(&mut self, limits: bool) -> LockName {
        let names = ["a", "a", "b", "c:1", "action:noop", "class:scan=1"];
        self.dice.one(&names[..if limits { 6 } else { 4 }]).parse().unwrap()
    }

    /// More jobs of one share than are offered at a time.
    fn flood(&mut self) -> Vec<NewJob> {
        let jobs = (0..66 + self.dice.below(4)).map(|_| {
            let mut job = e2e::job("noop", "scan=1");
            job.id = self.id();
            job.spec.fairness_key = Some("flood".to_owned());
            job
        });
        jobs.collect()
    }

    fn change(&mut self, model: &Model) -> Step {
        let id = self.job(model, |job| job.waits() && !job.awaits);
        let priority = self.dice.one(&[None, Some(Priority::High), Some(Priority::Low)]);
        let past = Timestamp::from_ms(1_000_000 + self.dice.below(1_000) as i64);
        let scheduled_at = self.dice.one(&[None, Some(past), Some(Timestamp::from_ms(FAR_MS))]);
        Step::Change(id, JobChange { priority, scheduled_at })
    }

    /// Jobs that this one names.
    fn relate(&mut self, model: &Model, job: &mut NewJob) {
        if self.dice.percent(20) {
            let parent = self.job(model, |job| job.status.is_running());
            job.spec.parent = Some(parent);
        }
        if self.dice.percent(25) {
            let count = 1 + self.dice.below(3);
            let family = job.spec.parent.and_then(|id| model.jobs.get(&id)).and_then(|p| p.family);
            let near = |other: &Record| {
                if family.is_some() { other.parent == family } else { !other.status.is_final() }
            };
            let mut on: Vec<JobId> = (0..count).map(|_| self.job(model, near)).collect();
            on.dedup();
            job.spec.depends_on = on;
            if self.dice.percent(30) {
                job.spec.when = When::Finished;
            }
        }
    }

    fn claim(&mut self, model: &Model) -> Step {
        let worker = self.worker(model, |until| until > model.now);
        let urgent = model.jobs.values().any(|job| job.awaits) && self.dice.percent(50);
        let requests = (0..1 + self.dice.below(2)).map(|_| {
            let ids = 0..1 + self.dice.below(4);
            let near = self.dice.percent(70);
            let kind = |job: &Record| {
                let offered = matches!(job.stand, Stand::Ready(_));
                let awaited = job.parent.is_some_and(|family| {
                    let parent = model.parents.get(&family).and_then(|id| model.jobs.get(id));
                    parent.is_some_and(|parent| parent.awaits)
                });
                job.waits() && (!near || offered) && (!near || !urgent || awaited)
            };
            let ids = ids.map(|_| self.job(model, kind)).collect();
            ClaimRequest { max: self.dice.below(4) as u32, ids }
        });
        let requests = requests.collect();
        Step::Claim(worker, requests)
    }

    /// Mostly a run that is under way with its token, sometimes a stale one.
    fn run(&mut self, model: &Model) -> (JobId, Token) {
        let dead = model.jobs.values().any(|job| job.status == Status::WorkerDead);
        let back = self.dice.percent(if dead { 35 } else { 10 });
        let stopping = self.dice.percent(25);
        let wanted = |job: &Record| match (back, stopping) {
            (true, _) => job.status == Status::WorkerDead,
            (false, true) => job.status == Status::CancelRequest,
            (false, false) => job.status.is_running(),
        };
        let id = self.job(model, wanted);
        let token = model.jobs.get(&id).and_then(|job| job.token).unwrap_or(1);
        let stale = [token + 1, token.saturating_sub(1), 0];
        (id, Token(if self.dice.percent(85) { token } else { self.dice.one(&stale) }))
    }

    fn finish(&mut self, model: &Model) -> Finish {
        if !self.told.is_empty() && self.dice.percent(12) {
            return self.dice.one(&self.told);
        }
        let (id, token) = self.run(model);
        let failed = Outcome::Error(Exception::new("Test", "it failed"));
        let mut outcomes = vec![
            Outcome::Done(None),
            Outcome::Done(Some(json!({"answer": 42}))),
            failed.clone(),
            failed,
            Outcome::Shutdown,
            Outcome::Cancel,
            Outcome::Await(None),
            Outcome::Resurrected,
        ];
        let (mine, family) = (model.jobs.get(&id), |job: &Record| job.family.is_some());
        if mine.is_some_and(family) {
            outcomes.extend(vec![Outcome::Await(Some(json!("spread"))); 6]);
        }
        if mine.is_some_and(|job| job.parent.is_some()) {
            outcomes.extend(vec![Outcome::Done(None); 8]);
        }
        match model.jobs.get(&id).map(|job| job.status) {
            Some(Status::CancelRequest) => outcomes.extend(vec![Outcome::Cancel; 5]),
            Some(Status::WorkerDead) => outcomes.extend(vec![Outcome::Resurrected; 9]),
            Some(_) | None => {}
        }
        let outcome = self.dice.one(&outcomes);
        let jitter = self.dice.one(&[0.0, 0.25, 0.5, 1.0]);
        let end = Finish { id, token, outcome, follow_up: self.id(), jitter };
        self.told.push(end.clone());
        end
    }

    fn beat(&mut self, model: &Model) -> Beat {
        let alive = model.workers.values().filter(|worker| worker.status == "running").count();
        let new = alive < 2 || (alive < 4 && self.dice.percent(30));
        let holding = self.holding(model, |_| true);
        let worker = if new {
            self.dice.hex(12).parse().unwrap()
        } else if !holding.is_empty() && self.dice.percent(50) {
            self.dice.one(&holding)
        } else {
            self.worker(model, |_| true)
        };
        let mine = model.jobs.iter().filter(|(_, job)| job.worker.as_ref() == Some(&worker));
        let told = mine.filter_map(|(id, job)| Some((*id, Token(job.token?))));
        let mut running: Vec<_> = told.filter(|_| self.dice.percent(70)).collect();
        if self.dice.percent(20) {
            running.push(self.run(model));
        }
        let capacity_map = self.dice.one(&["scan=1", "cpu=2,scan=3"]).parse().unwrap();
        let free = self.dice.one(&["", "scan=1"]).parse().unwrap();
        Beat {
            worker,
            lease: self.dice.one(&[HOUR, MOMENT]),
            name: self.dice.one(&["test", "other"]).to_owned(),
            version: "1".to_owned(),
            capacity_map,
            free,
            actions: vec!["noop".parse().unwrap(), "sleep".parse().unwrap()],
            running,
        }
    }

    fn cancel(&mut self, model: &Model) -> Step {
        let count = 1 + self.dice.below(3);
        let running = self.dice.percent(50);
        let kind = |job: &Record| !job.status.is_final() && job.status.is_running() == running;
        let ids = (0..count).map(|_| self.job(model, kind)).collect();
        let by = self.dice.one(&["", "somebody"]).to_owned();
        let reason = self.dice.one(&["", "no need"]).to_owned();
        Step::Cancel(ids, Cancelled { by, reason })
    }

    /// Whether a second has passed between two offers is not for the model to say: it asks only where it is clear.
    fn reoffer(&mut self, model: &Model) -> Reoffer {
        let queues: Vec<String> = model.queues.iter().cloned().collect();
        let queue =
            if queues.is_empty() { "default=1.normal".into() } else { self.dice.one(&queues) };
        let first = model.jobs.values().filter_map(|job| match job.stand {
            Stand::Ready(at) if job.waits() => Some(at),
            Stand::Due(_) | Stand::Ready(_) | Stand::Behind | Stand::Parked | Stand::Nowhere => {
                None
            }
        });
        let first = first.min();
        let clear = model.outbox.is_empty() || first.is_none_or(|first| first > model.now - 500);
        let ages = if clear { [MOMENT, MOMENT, HOUR] } else { [HOUR; 3] };
        let behind = self.dice.one(&[None, None, Some(Duration::ZERO), Some(HOUR)]);
        Reoffer { queue: queue.parse().unwrap(), age: self.dice.one(&ages), behind }
    }

    fn log(&mut self, model: &Model) -> Step {
        let (id, token) = self.run(model);
        let sources = [Source::Stdout, Source::Stderr, Source::Capstan];
        let ages = [Duration::ZERO, Duration::from_millis(50), HOUR];
        // The moment of a step is read off the last line, which is said then.
        let lines = (0..self.dice.below(4)).rev().map(|after| Line {
            source: self.dice.one(&sources),
            age: if after == 0 { Duration::ZERO } else { self.dice.one(&ages) },
            text: "x".repeat(self.dice.below(5)),
        });
        let lines = lines.collect();
        let known = model.jobs.get(&id).and_then(|job| job.log.as_ref()).map_or(0, Vec::len);
        let first = [known, known, known.saturating_sub(1)];
        Step::Log(id, token, self.dice.one(&first) as u64, lines)
    }

    fn settings(&mut self) -> Settings {
        let age = self.dice.one(&["", "1h", "1h", "1ms"]);
        Settings {
            job_history_compaction_enabled: true,
            job_history_to_keep: self.dice.one(&[0, 3, 8]),
            job_history_max_age: age.parse().unwrap(),
            scanning_deadline: 0,
        }
    }
}
