//! Steps that random choice alone would rarely make.

use domain::job::{Exception, FencingToken, JobId, Outcome, Status};
use store::{ClaimRequest, Finish, Heartbeat, NewSignal};

use super::super::state::{Model, Record};
use super::super::step::Step;
use super::super::waiting::Position;
use super::{Generator, MOMENT};

/// The first job of this status.
fn first(model: &Model, status: Status) -> Option<(JobId, &Record)> {
    let found = model.jobs.iter().find(|(_, job)| job.status == status);
    found.map(|(id, job)| (*id, job))
}

fn ended(id: JobId, job: &Record, outcome: Outcome) -> Step {
    let token = FencingToken(job.token.unwrap_or(0));
    let follow_up = JobId::derived(uuid::Uuid::nil(), &format!("{id} {}", token.0));
    Step::Finish(vec![Finish { id, token, outcome, follow_up, jitter: 0.5 }])
}

fn failed() -> Outcome {
    Outcome::Error(Exception::new("Test", "it failed"))
}

impl Generator {
    /// A step that random choice alone would rarely make.
    pub(super) fn rare(&mut self, model: &Model) -> Option<Step> {
        self.rare_end(model)
            .or_else(|| self.rare_grant(model))
            .or_else(|| self.ignorant_claim(model))
            .or_else(|| self.rare_child(model))
            .or_else(|| self.rare_signal(model))
    }

    /// A run ends that was asked to stop or that its worker has lost, or such a job is deleted.
    fn rare_end(&mut self, model: &Model) -> Option<Step> {
        if self.random.percent(18)
            && let Some((id, job)) = first(model, Status::CancelRequest)
        {
            if self.random.percent(40) {
                let worker = job.worker.clone().unwrap();
                return Some(Step::Heartbeat(Heartbeat {
                    worker,
                    lease: MOMENT,
                    ..self.heartbeat(model)
                }));
            }
            let stopped = [
                Outcome::Done(None),
                failed(),
                Outcome::Cancel,
                Outcome::Await(None),
                Outcome::Shutdown,
            ];
            return Some(ended(id, job, self.random.one(&stopped)));
        }
        for status in [Status::WorkerResurrection, Status::WorkerShutdown] {
            if self.random.percent(10)
                && let Some((id, _)) = first(model, status)
            {
                return Some(Step::Delete(id));
            }
        }
        if self.random.percent(12)
            && let Some((id, job)) = first(model, Status::WorkerDead)
        {
            let back = self.random.percent(60);
            return Some(if back {
                ended(id, job, Outcome::Resurrected)
            } else {
                Step::Delete(id)
            });
        }
        None
    }

    /// A job that waits for a lock in a shared queue is granted it.
    fn rare_grant(&mut self, model: &Model) -> Option<Step> {
        if !self.random.percent(12) {
            return None;
        }
        let parked =
            |job: &&Record| job.waits() && job.position == Position::Parked && !job.action_queue;
        let mut locks = model.jobs.values().filter(parked).flat_map(|job| &job.awaited_locks);
        let holders = locks.find_map(|name| model.holders.get(name))?;
        let (id, job) = holders.keys().find_map(|id| Some((*id, model.jobs.get(id)?)))?;
        Some(ended(id, job, Outcome::Done(None)))
    }

    /// The signal for which a job waits is sent, or a job begins to wait for one.
    fn rare_signal(&mut self, model: &Model) -> Option<Step> {
        let awaited = |job: &Record| job.signals.awaited.clone().filter(|_| job.waits());
        let waiting = model.jobs.iter().find_map(|(id, job)| Some((*id, awaited(job)?)));
        if let Some((id, name)) = waiting
            && self.random.percent(15)
        {
            let Step::Signal(_, signal) = self.signal(model) else { return None };
            return Some(Step::Signal(id, NewSignal { name: name.parse().unwrap(), ..signal }));
        }
        let (id, job) = first(model, Status::Running)?;
        self.random.percent(2).then(|| ended(id, job, self.wait()))
    }

    /// The last child of a parent that waits for it starts or ends, or a job gets a child.
    fn rare_child(&mut self, model: &Model) -> Option<Step> {
        let awaiting = model.jobs.values().find(|job| job.awaits_children);
        if let Some(group) = awaiting.and_then(|job| job.child_group)
            && self.random.percent(40)
        {
            let child = model.children.get(&group).and_then(|children| children.keys().next())?;
            let job = model.jobs.get(child)?;
            if job.status.is_running() {
                let succeeds = self.random.percent(80);
                let outcome = if succeeds { Outcome::Done(None) } else { failed() };
                return Some(ended(*child, job, outcome));
            }
            let worker = self.claimer(model, &job.action);
            return Some(Step::Claim(worker, vec![ClaimRequest { max: 1, ids: vec![*child] }]));
        }
        let (id, job) = first(model, Status::Running)?;
        if !self.random.percent(6) {
            return None;
        }
        if job.child_group.is_some() {
            return Some(ended(id, job, Outcome::Await(None)));
        }
        let mut child = testkit::job("noop", "");
        (child.id, child.spec.parent) = (self.id(), Some(id));
        Some(Step::Submit(vec![child]))
    }
}
