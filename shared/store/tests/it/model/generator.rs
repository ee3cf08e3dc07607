//! Chooses the next call at random, so that most calls have an effect, and some are stale, late, or
//! about something unknown.

mod calls;
mod jobs;
mod queues;
mod rare;
mod windows;

use std::time::Duration;

use domain::cron::TimeZone;
use domain::job::{JobId, Status, WorkerId};
use domain::limit::{CalendarQuota, PER, RateLimit, Window};
use serde_json::json;
use store::Finish;

use super::random::Random;
use super::state::{Model, Record};
use super::step::Step;

/// Later than any history lasts.
const FAR_MS: i64 = 253_402_300_000_000;
const HOUR: Duration = Duration::from_secs(3_600);
/// Over by the next step, which waits for it.
const MOMENT: Duration = Duration::from_millis(1);

/// The kinds of steps, each with its weight.
const KINDS: [(Kind, usize); 32] = [
    (Kind::Flood, 1),
    (Kind::Propagate, 4),
    (Kind::Change, 4),
    (Kind::SetPermits, 3),
    (Kind::SetLimit, 2),
    (Kind::Pause, 3),
    (Kind::ClearLock, 2),
    (Kind::Submit, 18),
    (Kind::Claim, 30),
    (Kind::Finish, 22),
    (Kind::Heartbeat, 11),
    (Kind::Leave, 3),
    (Kind::ExpireLease, 9),
    (Kind::LoseRuns, 3),
    (Kind::Cancel, 7),
    (Kind::Delete, 6),
    (Kind::Retry, 5),
    (Kind::Due, 5),
    (Kind::ClampTimes, 2),
    (Kind::ExpireWaiting, 4),
    (Kind::Redispatch, 5),
    (Kind::Log, 5),
    (Kind::Progress, 3),
    (Kind::Checkpoint, 5),
    (Kind::Signal, 6),
    (Kind::Command, 3),
    (Kind::Trim, 3),
    (Kind::Publish, 5),
    (Kind::Retire, 4),
    (Kind::Declare, 4),
    (Kind::Forget, 2),
    (Kind::Look, 3),
];

#[derive(Clone, Copy)]
enum Kind {
    Flood,
    Propagate,
    Change,
    SetPermits,
    SetLimit,
    Pause,
    ClearLock,
    Submit,
    Claim,
    Finish,
    Heartbeat,
    Leave,
    ExpireLease,
    LoseRuns,
    Cancel,
    Delete,
    Retry,
    Due,
    ClampTimes,
    ExpireWaiting,
    Redispatch,
    Log,
    Progress,
    Checkpoint,
    Signal,
    Command,
    Trim,
    Publish,
    Retire,
    Declare,
    Forget,
    Look,
}

/// Generates the steps of one history.
pub(super) struct Generator {
    pub(super) random: Random,
    /// Ends that were reported before.
    reported: Vec<Finish>,
    flooded: bool,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Generator {
        Generator { random: Random::new(seed), reported: Vec::new(), flooded: false }
    }

    /// The next step of a history in this state.
    pub(super) fn step(&mut self, model: &Model) -> Step {
        if model.workers.len() < 2 {
            return Step::Heartbeat(self.heartbeat(model));
        }
        let lost = self.holding(model, |until| until <= model.now);
        if !lost.is_empty() && self.random.percent(45) {
            return Step::ExpireLease(self.random.one(&lost));
        }
        if let Some(step) = self.windows(model).or_else(|| self.rare(model)) {
            return step;
        }
        let mut at = self.random.below(KINDS.iter().map(|(_, weight)| weight).sum());
        let kind = KINDS.into_iter().find(|(_, weight)| {
            let hit = at < *weight;
            at = at.saturating_sub(*weight);
            hit
        });
        match kind.unwrap().0 {
            Kind::Submit => {
                let count = 1 + self.random.below(3);
                let batched = self.random.percent(25);
                let new = |_| if batched { self.batched_job(model) } else { self.new_job(model) };
                let mut jobs: Vec<_> = (0..count).map(new).collect();
                if self.random.percent(10) {
                    jobs.push(jobs[0].clone());
                }
                Step::Submit(jobs)
            }
            Kind::Flood if self.flooded => Step::Propagate,
            Kind::Flood => {
                self.flooded = true;
                Step::Submit(if self.random.percent(50) { self.lone_flood() } else { self.flood() })
            }
            Kind::Propagate => Step::Propagate,
            Kind::Change => self.change(model),
            Kind::SetPermits => {
                let permits = self.random.one(&[None, None, Some(1), Some(2), Some(3)]);
                Step::SetPermits(self.lock_name(true), permits)
            }
            Kind::SetLimit => {
                let burst = self.random.one(&[None, Some(1), Some(2), Some(3)]);
                // No permit is restored within the time of the test.
                let spaced = |burst| RateLimit::new(1, PER.1, burst).unwrap();
                let calendar = |quota| {
                    let month = CalendarQuota::new(quota, Window::Month, TimeZone::default());
                    RateLimit::Calendar(month.unwrap())
                };
                let limit =
                    burst.map(|n| if self.random.percent(50) { spaced(n) } else { calendar(n) });
                Step::SetLimit(self.random.one(&["mail", "api"]).parse().unwrap(), limit)
            }
            Kind::Pause => self.pause(model),
            Kind::ClearLock => self.clear_lock(model),
            Kind::Claim => self.claim(model),
            Kind::Finish => {
                let count = 1 + self.random.below(3);
                Step::Finish((0..count).map(|_| self.finish(model)).collect())
            }
            Kind::Heartbeat => Step::Heartbeat(self.heartbeat(model)),
            Kind::Leave => Step::Leave(self.worker(model, |_| true)),
            Kind::ExpireLease => Step::ExpireLease(self.worker(model, |until| until <= model.now)),
            Kind::LoseRuns => self.lose_runs(model),
            Kind::Cancel => self.cancel(model),
            Kind::Delete => {
                let lost = self.random.percent(30);
                let kind = |job: &Record| {
                    !lost || matches!(job.status, Status::WorkerDead | Status::WorkerResurrection)
                };
                Step::Delete(self.job(model, kind))
            }
            Kind::Retry => Step::Retry(self.job(model, |job| job.status.is_final()), self.id()),
            Kind::Due => Step::Due,
            // The times of rate limits lie in the future, and would be changed.
            Kind::ClampTimes if model.has_rate_times() => Step::Propagate,
            Kind::ClampTimes => Step::ClampTimes,
            Kind::ExpireWaiting => Step::ExpireWaiting,
            Kind::Redispatch => Step::Redispatch(self.redispatch(model)),
            Kind::Log => self.log(model),
            Kind::Progress => {
                let (id, token) = self.run(model);
                Step::Progress(id, token, json!({"percent": self.random.below(100)}))
            }
            Kind::Checkpoint => {
                let (id, token) = self.run(model);
                Step::Checkpoint(id, token, self.random.one(&["1", "2", r#"{"a":3}"#, "null"]))
            }
            Kind::Signal => self.signal(model),
            Kind::Command => self.command(model),
            Kind::Trim => Step::Trim(self.settings()),
            Kind::Publish => Step::Publish,
            Kind::Retire => self.retire(model),
            Kind::Declare => self.declare(model),
            Kind::Forget => self.forget(model),
            Kind::Look => self.look(model),
        }
    }

    fn id(&mut self) -> JobId {
        self.random.hex(32).parse().unwrap()
    }

    /// Mostly a job of this kind, sometimes any, rarely an unknown one.
    fn job(&mut self, model: &Model, kind: impl Fn(&Record) -> bool) -> JobId {
        let all: Vec<JobId> = model.jobs.keys().copied().collect();
        let some: Vec<JobId> = all.iter().copied().filter(|id| kind(&model.jobs[id])).collect();
        if !some.is_empty() && self.random.percent(80) {
            self.random.one(&some)
        } else if !all.is_empty() && self.random.percent(75) {
            self.random.one(&all)
        } else {
            self.id()
        }
    }

    /// Mostly a running worker with a lease of this kind, sometimes any, rarely an unknown one.
    fn worker(&mut self, model: &Model, until: impl Fn(i64) -> bool) -> WorkerId {
        let all: Vec<WorkerId> = model.workers.keys().cloned().collect();
        let fits = |id: &&WorkerId| {
            let worker = &model.workers[*id];
            worker.status == "running" && until(worker.until)
        };
        let some: Vec<WorkerId> = all.iter().filter(fits).cloned().collect();
        if !some.is_empty() && self.random.percent(85) {
            self.random.one(&some)
        } else if !all.is_empty() && self.random.percent(75) {
            self.random.one(&all)
        } else {
            self.random.hex(12).parse().unwrap()
        }
    }

    /// Workers that run jobs and have a lease of this kind.
    fn holding(&self, model: &Model, until: impl Fn(i64) -> bool) -> Vec<WorkerId> {
        let held = model.jobs.values().filter(|job| job.status.is_running());
        let held = held.filter_map(|job| job.worker.clone());
        let mut holding: Vec<_> = held.filter(|id| until(model.workers[id].until)).collect();
        holding.dedup();
        holding
    }
}
