//! The arguments of random calls.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::access_tokens::Role;
use domain::job::{
    Cancellation, Exception, FencingToken, JobId, Outcome, Priority, Status, Timestamp,
};
use domain::lock::LockName;
use domain::signal::{SignalName, SignalWait};
use serde_json::json;
use store::{
    ClaimRequest, Finish, Heartbeat, JobChange, LogSource, NewLogLine, NewSignal, Redispatch,
    Settings, WorkerCommand,
};

use super::super::state::{Model, Record};
use super::super::step::Step;
use super::super::waiting::Position;
use super::{FAR_MS, Generator, HOUR, MOMENT};

impl Generator {
    pub(super) fn claim(&mut self, model: &Model) -> Step {
        let worker = self.worker(model, |until| until > model.now);
        let known = model.workers.get(&worker);
        let urgent = model.jobs.values().any(|job| job.awaits_children) && self.random.percent(50);
        let requests = (0..1 + self.random.below(2)).map(|_| {
            let ids = 0..1 + self.random.below(4);
            let (near, able) = (self.random.percent(70), self.random.percent(92));
            let kind = |job: &Record| {
                if able && known.is_some_and(|worker| !worker.knows(&job.action)) {
                    return false;
                }
                let offered = matches!(job.position, Position::Offered(_));
                let awaited = job.parent_group.is_some_and(|group| {
                    let parent = model.parents.get(&group).and_then(|id| model.jobs.get(id));
                    parent.is_some_and(|parent| parent.awaits_children)
                });
                job.waits() && (!near || offered) && (!near || !urgent || awaited)
            };
            // No worker has an offer of a job for whose queue there was never room.
            let offered = |id: &JobId| {
                model.jobs.get(id).is_none_or(|job| {
                    !matches!(job.position, Position::Due(_))
                        || model.queues.contains_key(&job.queue())
                })
            };
            let ids = ids.map(|_| self.job(model, kind)).filter(offered).collect();
            ClaimRequest { max: self.random.below(4) as u32, ids }
        });
        let requests = requests.collect();
        Step::Claim(worker, requests)
    }

    /// Mostly a current run with its token, sometimes a stale one.
    pub(super) fn run(&mut self, model: &Model) -> (JobId, FencingToken) {
        let dead = model.jobs.values().any(|job| job.status == Status::WorkerDead);
        let back = self.random.percent(if dead { 35 } else { 10 });
        let stopping = self.random.percent(25);
        let wanted = |job: &Record| match (back, stopping) {
            (true, _) => job.status == Status::WorkerDead,
            (false, true) => job.status == Status::CancelRequest,
            (false, false) => job.status.is_running(),
        };
        let id = self.job(model, wanted);
        let token = model.jobs.get(&id).and_then(|job| job.token).unwrap_or(1);
        let stale = [token + 1, token.saturating_sub(1), 0];
        (id, FencingToken(if self.random.percent(85) { token } else { self.random.one(&stale) }))
    }

    pub(super) fn finish(&mut self, model: &Model) -> Finish {
        if !self.reported.is_empty() && self.random.percent(12) {
            return self.random.one(&self.reported);
        }
        let (id, token) = self.run(model);
        let failed = Outcome::Error(Exception::new("Test", "it failed"));
        let mut outcomes = vec![
            Outcome::Done(None),
            Outcome::Done(Some(json!({"answer": 42}))),
            failed.clone(),
            failed,
            Outcome::HeldBack(Exception::new("Test", "try again later")),
            Outcome::Shutdown,
            Outcome::Cancel,
            Outcome::Await(None),
            Outcome::Resurrected,
            self.wait(),
        ];
        let (mine, group) = (model.jobs.get(&id), |job: &Record| job.child_group.is_some());
        if mine.is_some_and(group) {
            outcomes.extend(vec![Outcome::Await(Some(json!("spread"))); 6]);
        }
        if mine.is_some_and(|job| job.parent_group.is_some()) {
            outcomes.extend(vec![Outcome::Done(None); 8]);
        }
        match model.jobs.get(&id).map(|job| job.status) {
            Some(Status::CancelRequest) => outcomes.extend(vec![Outcome::Cancel; 5]),
            Some(Status::WorkerDead) => outcomes.extend(vec![Outcome::Resurrected; 9]),
            Some(_) | None => {}
        }
        let outcome = self.random.one(&outcomes);
        let jitter = self.random.one(&[0.0, 0.25, 0.5, 1.0]);
        let end = Finish { id, token, outcome, follow_up: self.id(), jitter };
        self.reported.push(end.clone());
        end
    }

    /// The job waits for a signal.
    pub(super) fn wait(&mut self) -> Outcome {
        let timeout = self.random.one(&["", "1ms", "1h"]);
        let roles = self.random.one(&[vec![], vec![], vec![Role::Admin]]);
        let wait =
            SignalWait { signal: self.signal_name(), timeout: timeout.parse().unwrap(), roles };
        Outcome::Wait(self.random.one(&[None, Some(json!("asked"))]), wait)
    }

    fn signal_name(&mut self) -> SignalName {
        self.random.one(&["approved", "checked"]).parse().unwrap()
    }

    /// Mostly the signal for which a job waits, or one for a job that may wait for it later.
    pub(super) fn signal(&mut self, model: &Model) -> Step {
        let waits = |job: &Record| job.waits() && job.signals.awaited.is_some();
        let early = self.random.percent(40);
        let id = self.job(model, |job| if early { !job.status.is_final() } else { waits(job) });
        let signal = NewSignal {
            name: self.signal_name(),
            role: self.random.one(&[Role::Operator, Role::Admin]),
            by: self.random.one(&["ann", "bob"]).to_owned(),
            body: self.random.one(&["null", r#"{"ok": true}"#, "\"a b\""]).to_owned(),
        };
        Step::Signal(id, signal)
    }

    pub(super) fn heartbeat(&mut self, model: &Model) -> Heartbeat {
        let alive = model.workers.values().filter(|worker| worker.status == "running").count();
        let new = alive < 2 || (alive < 4 && self.random.percent(30));
        let holding = self.holding(model, |_| true);
        let worker = if new {
            self.random.hex(12).parse().unwrap()
        } else if !holding.is_empty() && self.random.percent(50) {
            self.random.one(&holding)
        } else {
            self.worker(model, |_| true)
        };
        let mine = model.jobs.iter().filter(|(_, job)| job.worker.as_ref() == Some(&worker));
        let known = mine.filter_map(|(id, job)| Some((*id, FencingToken(job.token?))));
        let mut running: Vec<_> = known.filter(|_| self.random.percent(70)).collect();
        if self.random.percent(20) {
            running.push(self.run(model));
        }
        let actions = self.actions(model, &worker);
        let capacity_map = self.random.one(&["scan=1", "cpu=2,scan=3"]).parse().unwrap();
        let free = self.random.one(&["", "scan=1"]).parse().unwrap();
        Heartbeat {
            worker,
            lease: self.random.one(&[HOUR, MOMENT]),
            name: self.random.one(&["test", "other"]).to_owned(),
            version: "1".to_owned(),
            capacity_map,
            free,
            actions: actions.iter().map(|action| action.parse().unwrap()).collect(),
            running,
            noted: FencingToken(self.random.one(&[0, model.tokens.last / 2, model.tokens.last])),
        }
    }

    /// Mostly runs of the worker with their tokens, sometimes other ones.
    pub(super) fn lose_runs(&mut self, model: &Model) -> Step {
        let runs: Vec<_> = (0..1 + self.random.below(3)).map(|_| self.run(model)).collect();
        let worker = model.jobs.get(&runs[0].0).and_then(|job| job.worker.clone());
        let other = self.random.percent(15);
        let worker = worker.filter(|_| !other).unwrap_or_else(|| self.worker(model, |_| true));
        Step::LoseRuns(worker, runs)
    }

    pub(super) fn cancel(&mut self, model: &Model) -> Step {
        let count = 1 + self.random.below(3);
        let running = self.random.percent(50);
        let kind = |job: &Record| !job.status.is_final() && job.status.is_running() == running;
        let ids = (0..count).map(|_| self.job(model, kind)).collect();
        let by = self.random.one(&["", "somebody"]).to_owned();
        let reason = self.random.one(&["", "no need"]).to_owned();
        Step::Cancel(ids, Cancellation { by, reason })
    }

    pub(super) fn pause(&mut self, model: &Model) -> Step {
        let on = model.paused.is_empty() && self.random.percent(60);
        let paused: Vec<LockName> = model.paused.iter().map(|name| name.parse().unwrap()).collect();
        let other = paused.is_empty() || self.random.percent(20);
        let limits = ["action:noop", "action:sleep", "class:scan=1"];
        let limit = self.random.one(&limits).parse().unwrap();
        Step::Pause(if other { limit } else { self.random.one(&paused) }, on)
    }

    pub(super) fn clear_lock(&mut self, model: &Model) -> Step {
        let held: Vec<LockName> = model.holders.keys().map(|name| name.parse().unwrap()).collect();
        let free = held.is_empty() || self.random.percent(20);
        Step::ClearLock(if free { self.lock_name(true) } else { self.random.one(&held) })
    }

    pub(super) fn command(&mut self, model: &Model) -> Step {
        let map = self.random.one(&["scan=1", "cpu=4,scan=2"]).parse().unwrap();
        let all = [WorkerCommand::Drain, WorkerCommand::Resume, WorkerCommand::Capacity(map)];
        Step::Command(self.worker(model, |_| true), self.random.one(&all))
    }

    pub(super) fn change(&mut self, model: &Model) -> Step {
        let id = self.job(model, |job| job.waits() && !job.awaits());
        let priority = self.random.one(&[None, Some(Priority::High), Some(Priority::Low)]);
        let past = Timestamp::from_ms(1_000_000 + self.random.below(1_000) as i64);
        let scheduled_at = self.random.one(&[None, Some(past), Some(Timestamp::from_ms(FAR_MS))]);
        Step::Change(id, JobChange { priority, scheduled_at })
    }

    /// The model cannot know whether a second has passed between two offers, so it asks only when
    /// that is clear.
    pub(super) fn redispatch(&mut self, model: &Model) -> Redispatch {
        let queues: BTreeSet<String> = model.jobs.values().map(Record::queue).collect();
        let queues: Vec<String> = queues.into_iter().collect();
        let queue =
            if queues.is_empty() { "default=1.normal".into() } else { self.random.one(&queues) };
        let first = model.jobs.values().filter_map(|job| match job.position {
            Position::Offered(at) if job.waits() => Some(at),
            Position::Due(_)
            | Position::Offered(_)
            | Position::Backlog
            | Position::Parked
            | Position::Nowhere => None,
        });
        let first = first.min();
        let clear = model.outbox.is_empty() || first.is_none_or(|first| first > model.now - 500);
        let ages = if clear { [MOMENT, MOMENT, HOUR] } else { [HOUR; 3] };
        let behind = self.random.one(&[None, None, Some(Duration::ZERO), Some(HOUR)]);
        Redispatch { queue: queue.parse().unwrap(), age: self.random.one(&ages), behind }
    }

    pub(super) fn log(&mut self, model: &Model) -> Step {
        let (id, token) = self.run(model);
        let sources = [LogSource::Stdout, LogSource::Stderr, LogSource::Capstan];
        let ages = [Duration::ZERO, Duration::from_millis(50), HOUR];
        // The time of the step is read from the last line, which is written now.
        let lines = (0..self.random.below(4)).rev().map(|after| NewLogLine {
            source: self.random.one(&sources),
            age: if after == 0 { Duration::ZERO } else { self.random.one(&ages) },
            text: "x".repeat(self.random.below(5)),
        });
        let lines = lines.collect();
        let known = model.jobs.get(&id).and_then(|job| job.log.as_ref()).map_or(0, Vec::len);
        let first = [known, known, known.saturating_sub(1)];
        Step::Log(id, token, self.random.one(&first) as u64, lines)
    }

    pub(super) fn settings(&mut self) -> Settings {
        let age = self.random.one(&["", "1h", "1h", "1ms"]);
        Settings {
            job_history_compaction_enabled: true,
            job_history_to_keep: self.random.one(&[0, 3, 8]),
            job_history_max_age: age.parse().unwrap(),
            ..Settings::default()
        }
    }
}
