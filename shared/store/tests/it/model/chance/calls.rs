//! What the calls of a history say, by chance.

use std::time::Duration;

use domain::job::{Cancellation, Exception, JobId, Outcome, Priority, Status, Timestamp, FencingToken};
use serde_json::json;
use store::{Beat, ClaimRequest, Finish, JobChange, Line, Reoffer, Settings, Source};

use super::super::places::Stand;
use super::super::state::{Model, Record};
use super::super::step::Step;
use super::{Chance, FAR_MS, HOUR, MOMENT};

impl Chance {
    pub(super) fn claim(&mut self, model: &Model) -> Step {
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
    pub(super) fn run(&mut self, model: &Model) -> (JobId, FencingToken) {
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
        (id, FencingToken(if self.dice.percent(85) { token } else { self.dice.one(&stale) }))
    }

    pub(super) fn finish(&mut self, model: &Model) -> Finish {
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

    pub(super) fn beat(&mut self, model: &Model) -> Beat {
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
        let told = mine.filter_map(|(id, job)| Some((*id, FencingToken(job.token?))));
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

    pub(super) fn cancel(&mut self, model: &Model) -> Step {
        let count = 1 + self.dice.below(3);
        let running = self.dice.percent(50);
        let kind = |job: &Record| !job.status.is_final() && job.status.is_running() == running;
        let ids = (0..count).map(|_| self.job(model, kind)).collect();
        let by = self.dice.one(&["", "somebody"]).to_owned();
        let reason = self.dice.one(&["", "no need"]).to_owned();
        Step::Cancel(ids, Cancellation { by, reason })
    }

    pub(super) fn change(&mut self, model: &Model) -> Step {
        let id = self.job(model, |job| job.waits() && !job.awaits);
        let priority = self.dice.one(&[None, Some(Priority::High), Some(Priority::Low)]);
        let past = Timestamp::from_ms(1_000_000 + self.dice.below(1_000) as i64);
        let scheduled_at = self.dice.one(&[None, Some(past), Some(Timestamp::from_ms(FAR_MS))]);
        Step::Change(id, JobChange { priority, scheduled_at })
    }

    /// Whether a second has passed between two offers is not for the model to say: it asks only where it is clear.
    pub(super) fn reoffer(&mut self, model: &Model) -> Reoffer {
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

    pub(super) fn log(&mut self, model: &Model) -> Step {
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

    pub(super) fn settings(&mut self) -> Settings {
        let age = self.dice.one(&["", "1h", "1h", "1ms"]);
        Settings {
            job_history_compaction_enabled: true,
            job_history_to_keep: self.dice.one(&[0, 3, 8]),
            job_history_max_age: age.parse().unwrap(),
            scanning_deadline: 0,
        }
    }
}
