//! Random steps about workers' actions, queues, and where jobs wait.

use std::collections::BTreeSet;

use domain::job::WorkerId;
use domain::queue::QueueName;
use store::{ClaimRequest, Heartbeat};

use super::super::state::{Model, Record};
use super::super::step::Step;
use super::super::waiting::Position;
use super::{Generator, HOUR, MOMENT};

/// All actions of these histories.
pub(super) const ACTIONS: [&str; 3] = ["noop", "sleep", "false"];

impl Generator {
    /// The actions that a worker reports: often all, so that some of its jobs are in shared queues;
    /// mostly the same as before.
    pub(super) fn actions(&mut self, model: &Model, worker: &WorkerId) -> Vec<&'static str> {
        let known = model.workers.get(worker);
        if let Some(known) = known
            && self.random.percent(65)
        {
            return ACTIONS.into_iter().filter(|action| known.knows(action)).collect();
        }
        let sets: [&[&str]; 8] = [
            &ACTIONS,
            &ACTIONS,
            &ACTIONS,
            &ACTIONS,
            &["noop", "sleep"],
            &["sleep", "false"],
            &["noop"],
            &[],
        ];
        self.random.one(&sets).to_vec()
    }

    /// A worker with a lease, mostly one that knows this action.
    pub(super) fn claimer(&mut self, model: &Model, action: &str) -> WorkerId {
        let fits = |(id, _): &(&WorkerId, _)| {
            let worker = &model.workers[*id];
            worker.status == "running" && worker.until > model.now && worker.knows(action)
        };
        let able: Vec<WorkerId> =
            model.workers.iter().filter(fits).map(|(id, _)| id.clone()).collect();
        if !able.is_empty() && self.random.percent(85) {
            return self.random.one(&able);
        }
        self.worker(model, |until| until > model.now)
    }

    /// Mostly a queue in use, and often one in which no job waits.
    fn queue(&mut self, model: &Model) -> QueueName {
        let (idle, filler) = (self.random.percent(60), self.random.percent(10));
        let waiting = model.jobs.values().filter(|job| job.waits());
        let needed: BTreeSet<String> = waiting
            .filter(|job| !matches!(job.position, Position::Due(_) | Position::Nowhere))
            .map(Record::queue)
            .collect();
        let kind = |queue: &&String| {
            idle != needed.contains(*queue) && filler == queue.starts_with("filler")
        };
        let queues: Vec<&String> = model.queues.keys().filter(kind).collect();
        let any = queues.is_empty() || self.random.percent(5);
        let queue = if any { "default=1@sleep.high" } else { self.random.one(&queues).as_str() };
        queue.parse().unwrap()
    }

    pub(super) fn retire(&mut self, model: &Model) -> Step {
        let unused = self.random.one(&[MOMENT, MOMENT, MOMENT, HOUR]);
        Step::Retire(self.queue(model), unused)
    }

    /// A relay announces the queues in the outbox.
    pub(super) fn declare(&mut self, model: &Model) -> Step {
        let queues = model.outbox.iter().map(|entry| entry["queue"].parse().unwrap());
        let mut queues: Vec<QueueName> = queues.collect();
        queues.sort();
        queues.dedup();
        if queues.is_empty() {
            queues.push(self.queue(model));
        }
        Step::Declare(queues)
    }

    pub(super) fn forget(&mut self, model: &Model) -> Step {
        let retired = model.retired_queues();
        let any = retired.is_empty() || self.random.percent(20);
        Step::Forget(if any {
            self.queue(model)
        } else {
            self.random.one(&retired).parse().unwrap()
        })
    }

    /// A worker that does not know the action of a job in a shared queue claims the job, or
    /// reports that it does not know it. Most rarely, that job was granted a lock.
    pub(super) fn ignorant_claim(&mut self, model: &Model) -> Option<Step> {
        let shared = |job: &&Record| {
            job.waits() && !job.action_queue && matches!(job.position, Position::Offered(_))
        };
        let (mut jobs, mut granted) = (Vec::new(), Vec::new());
        for (id, job) in model.jobs.iter().filter(|(_, job)| shared(job)) {
            let list = if job.awaited_locks.is_empty() { &mut jobs } else { &mut granted };
            list.push((*id, job.action.clone()));
        }
        let often = if granted.is_empty() { 4 } else { 40 };
        if !self.random.percent(often) {
            return None;
        }
        let (id, action) =
            [granted, jobs].into_iter().find(|list| !list.is_empty())?.swap_remove(0);
        let ignorant = model.workers.iter().find(|(_, worker)| {
            let lives = worker.status == "running" && worker.until > model.now;
            lives && !worker.knows(&action)
        });
        Some(match ignorant {
            Some((worker, _)) => {
                Step::Claim(worker.clone(), vec![ClaimRequest { max: 1, ids: vec![id] }])
            }
            None => {
                let actions = ACTIONS.into_iter().filter(|own| *own != action);
                let actions = actions.map(|own| own.parse().unwrap()).collect();
                Step::Heartbeat(Heartbeat { lease: HOUR, actions, ..self.heartbeat(model) })
            }
        })
    }

    pub(super) fn look(&mut self, model: &Model) -> Step {
        Step::Look(self.job(model, Record::waits))
    }
}
