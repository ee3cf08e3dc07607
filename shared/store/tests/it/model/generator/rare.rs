//! Steps that random choice alone would rarely make.

use domain::job::{Exception, FencingToken, JobId, Outcome, Status};
use store::{ClaimRequest, Finish, Heartbeat};

use super::super::state::{Model, Record};
use super::super::step::Step;
use super::super::waiting::Position;
use super::{Generator, MOMENT};

impl Generator {
    /// A step that random choice alone would rarely make: the last child of a parent that waits
    /// ends, or a run ends that was asked to stop or that its worker has lost.
    pub(super) fn rare(&mut self, model: &Model) -> Option<Step> {
        let pick = |status: Status| {
            let found = model.jobs.iter().filter(|(_, job)| job.status == status);
            found.map(|(id, job)| (*id, job)).next()
        };
        let ended = |id: JobId, job: &Record, outcome| {
            let token = FencingToken(job.token.unwrap_or(0));
            let follow_up = JobId::derived(uuid::Uuid::nil(), &format!("{id} {}", token.0));
            Step::Finish(vec![Finish { id, token, outcome, follow_up, jitter: 0.5 }])
        };
        if self.random.percent(18)
            && let Some((id, job)) = pick(Status::CancelRequest)
        {
            if self.random.percent(40) {
                let worker = job.worker.clone().unwrap();
                return Some(Step::Heartbeat(Heartbeat {
                    worker,
                    lease: MOMENT,
                    ..self.heartbeat(model)
                }));
            }
            let failed = Outcome::Error(Exception::new("Test", "it failed"));
            let stopped = [
                Outcome::Done(None),
                failed,
                Outcome::Cancel,
                Outcome::Await(None),
                Outcome::Shutdown,
            ];
            return Some(ended(id, job, self.random.one(&stopped)));
        }
        for status in [Status::WorkerResurrection, Status::WorkerShutdown] {
            if self.random.percent(10)
                && let Some((id, _)) = pick(status)
            {
                return Some(Step::Delete(id));
            }
        }
        if self.random.percent(12)
            && let Some((id, job)) = pick(Status::WorkerDead)
        {
            let back = self.random.percent(60);
            return Some(if back {
                ended(id, job, Outcome::Resurrected)
            } else {
                Step::Delete(id)
            });
        }
        // A waiter of a lock in a shared queue is granted it.
        let parked =
            |job: &&Record| job.waits() && job.position == Position::Parked && !job.action_queue;
        let mut locks = model.jobs.values().filter(parked).flat_map(|job| &job.awaited_locks);
        if self.random.percent(12)
            && let Some(holders) = locks.find_map(|name| model.holders.get(name))
            && let Some((id, job)) = holders.keys().find_map(|id| Some((id, model.jobs.get(id)?)))
        {
            return Some(ended(*id, job, Outcome::Done(None)));
        }
        let awaiting = model.jobs.values().find(|job| job.awaits_children);
        if let Some(group) = awaiting.and_then(|job| job.child_group)
            && self.random.percent(40)
        {
            let child = model.children.get(&group).and_then(|children| children.keys().next())?;
            let job = model.jobs.get(child)?;
            if job.status.is_running() {
                let succeeds = self.random.percent(80);
                let failed = Outcome::Error(Exception::new("Test", "it failed"));
                return Some(ended(
                    *child,
                    job,
                    if succeeds { Outcome::Done(None) } else { failed },
                ));
            }
            let worker = self.claimer(model, &job.action);
            return Some(Step::Claim(worker, vec![ClaimRequest { max: 1, ids: vec![*child] }]));
        }
        let running = model.jobs.iter().find(|(_, job)| job.status == Status::Running);
        if let Some((id, job)) = running
            && self.random.percent(6)
        {
            if job.child_group.is_some() {
                return Some(ended(*id, job, Outcome::Await(None)));
            }
            let mut child = testkit::job("noop", "");
            (child.id, child.spec.parent) = (self.id(), Some(*id));
            return Some(Step::Submit(vec![child]));
        }
        None
    }
}
