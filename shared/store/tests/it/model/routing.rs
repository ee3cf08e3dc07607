//! Routing in the model: through which queue a job is offered, which queues are in use, and how
//! they retire.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::job::{JobId, NewJob, Priority};

use super::state::{Model, Record, WorkerRecord};
use super::waiting::Position;

/// How long a job waits when there is no room for its queue.
pub(super) const NO_QUEUE_MS: i64 = 5_000;
pub(super) const MAX_SHARED_QUEUES: usize = 256;
pub(super) const MAX_ACTION_QUEUES: usize = 1_024;

/// Cases that some histories must reach.
pub(super) const CASES: [&str; 17] = [
    "a job of an action that all know is offered",
    "a job of an action that some know is offered",
    "a job of an action that none knows is offered",
    "a job of an action queue is offered through the shared queue",
    "a job of a shared queue moves to the queue of its action",
    "a job that moves keeps its place in a wait queue",
    "a job joins the backlog of an action queue",
    "a fairness group waits for its turn",
    "a fairness group gets its turn",
    "a submission or a change is refused for lack of room",
    "there is no room for the queue of a job that is offered",
    "a submission joins a batch",
    "a batch is full",
    "a batch has no room for more parameters",
    "a queue retires",
    "a queue does not retire because a job waits in it",
    "a queue is in use again before it is forgotten",
];

/// What decides the queue of a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind<'a> {
    pub(super) class: &'a str,
    pub(super) action: &'a str,
    pub(super) priority: Priority,
    pub(super) owner: &'a str,
}

impl<'a> Kind<'a> {
    pub(super) fn of(job: &'a NewJob) -> Kind<'a> {
        let (class, action) = (job.class.as_str(), job.spec.action.as_str());
        let owner = job.spec.scheduled_by.as_deref().unwrap_or_default();
        Kind { class, action, priority: job.spec.priority, owner }
    }

    pub(super) fn shared_queue(&self) -> String {
        format!("{}.{}", self.class, self.priority)
    }

    pub(super) fn action_queue(&self) -> String {
        format!("{}@{}.{}", self.class, self.action, self.priority)
    }
}

fn is_shared(queue: &str) -> bool {
    !queue.contains('@')
}

impl Model {
    /// Records that a case occurred.
    pub(super) fn occurred(&mut self, case: &str) {
        assert!(CASES.contains(&case), "{case}");
        self.transitions.insert(case.to_owned());
    }

    fn live_workers(&self) -> impl Iterator<Item = &WorkerRecord> {
        self.workers.values().filter(|worker| worker.status == "running")
    }

    /// The queue through which such a job is offered now.
    fn route(&self, kind: &Kind<'_>) -> String {
        let all_know = self.live_workers().all(|worker| worker.knows(kind.action));
        if all_know { kind.shared_queue() } else { kind.action_queue() }
    }

    /// Puts the queues of such jobs in use for a call that is refused when there is no room.
    pub(super) fn open_all(&mut self, kinds: &[Kind<'_>]) -> Result<(), String> {
        let opened = self.open_queues(kinds);
        if opened.is_err() {
            self.occurred("a submission or a change is refused for lack of room");
        }
        opened
    }

    /// Puts the queues of such jobs in use: all of them, or none when there is no room for this
    /// one.
    fn open_queues(&mut self, kinds: &[Kind<'_>]) -> Result<(), String> {
        let mut new = BTreeMap::new();
        for (queue, owner) in kinds.iter().map(|kind| (self.route(kind), kind.owner)) {
            if self.queues.contains_key(&queue) || new.contains_key(&queue) {
                continue;
            }
            let alike = |other: &&String| is_shared(other) == is_shared(&queue);
            let count = self.queues.keys().chain(new.keys()).filter(alike).count();
            let most = if is_shared(&queue) { MAX_SHARED_QUEUES } else { MAX_ACTION_QUEUES };
            if count >= most {
                return Err(queue);
            }
            new.insert(queue, owner);
        }
        for (queue, owner) in new {
            if !owner.is_empty() {
                self.queue_owners.insert(queue.clone(), owner.to_owned());
            }
            if self.declared.contains(&queue) {
                self.occurred("a queue is in use again before it is forgotten");
            }
            self.queues.insert(queue, self.now);
        }
        Ok(())
    }

    /// Assigns a job to the queue of its route. Returns false when there is no room for it.
    pub(super) fn assign_queue(&mut self, id: JobId) -> bool {
        let Record { class, action, priority, action_queue, owner, .. } = self.jobs[&id].clone();
        let kind = Kind { class: &class, action: &action, priority, owner: &owner };
        if self.open_queues(&[kind]).is_err() {
            self.occurred("there is no room for the queue of a job that is offered");
            return false;
        }
        let shared = is_shared(&self.route(&kind));
        let known = self.live_workers().any(|worker| worker.knows(&action));
        self.occurred(match (shared, known) {
            (true, _) => "a job of an action that all know is offered",
            (false, true) => "a job of an action that some know is offered",
            (false, false) => "a job of an action that none knows is offered",
        });
        if shared && action_queue {
            self.occurred("a job of an action queue is offered through the shared queue");
        }
        self.job_mut(id).action_queue = !shared;
        true
    }

    /// A worker that does not know the action of an offered job has claimed it.
    pub(super) fn offer_by_action(&mut self, id: JobId) {
        let job = &self.jobs[&id];
        if job.action_queue || !matches!(job.position, Position::Offered(_)) {
            return;
        }
        self.withdraw_offer(id);
        let locks = self.jobs[&id].awaited_locks.clone();
        if !self.assign_queue(id) {
            self.job_mut(id).awaited_locks.clear();
            self.job_mut(id).position = Position::Due(self.now + NO_QUEUE_MS);
            locks.iter().for_each(|name| self.wake_waiters(name));
            return;
        }
        self.occurred("a job of a shared queue moves to the queue of its action");
        if locks.is_empty() {
            self.offer(id);
        } else {
            self.occurred("a job that moves keeps its place in a wait queue");
            self.offer_now(id);
        }
    }

    /// True when a job waits in a queue.
    fn is_needed(&self, queue: &str) -> bool {
        let mut waiting = self.jobs.values().filter(|job| job.waits() && job.queue() == queue);
        waiting.any(|job| match job.position {
            Position::Offered(_) | Position::Backlog | Position::Parked => true,
            Position::Due(_) | Position::Nowhere => false,
        })
    }

    pub(super) fn retire_queue(&mut self, queue: &str, unused: Duration) -> bool {
        let Some(since) = self.queues.get(queue) else { return false };
        let claimed = self.claimed_up_to.get(queue).copied().unwrap_or(0);
        if self.is_needed(queue) {
            self.occurred("a queue does not retire because a job waits in it");
            return false;
        }
        if claimed.max(*since) > self.now - unused.as_millis() as i64 {
            return false;
        }
        self.occurred("a queue retires");
        self.queues.remove(queue);
        self.queue_owners.remove(queue);
        self.claimed_up_to.remove(queue);
        self.windows.remove(queue);
        true
    }

    /// The queues that are announced and not in use.
    pub(super) fn retired_queues(&self) -> Vec<String> {
        let retired = self.declared.iter().filter(|queue| !self.queues.contains_key(*queue));
        retired.cloned().collect()
    }

    pub(super) fn forget_queue(&mut self, queue: &str) {
        if !self.queues.contains_key(queue) {
            self.declared.remove(queue);
        }
    }

    /// The hash `routing`.
    pub(super) fn routing(&self) -> BTreeMap<String, u64> {
        let mut routing = BTreeMap::new();
        for worker in self.live_workers() {
            *routing.entry("workers".to_owned()).or_default() += 1;
            for action in worker.actions() {
                *routing.entry(format!("knows:{action}")).or_default() += 1;
            }
        }
        for (queue, since) in &self.queues {
            let kind = if is_shared(queue) { "shared_queues" } else { "action_queues" };
            *routing.entry(kind.to_owned()).or_default() += 1;
            routing.insert(format!("queue:{queue}"), *since as u64);
        }
        let windows = self.windows.iter().map(|(queue, size)| (format!("window:{queue}"), *size));
        routing.extend(windows);
        routing
    }
}
