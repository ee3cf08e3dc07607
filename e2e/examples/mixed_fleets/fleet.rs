//! A fleet of one size, whose workers know all or some of ten actions.

use std::cell::{Cell, RefCell};
use std::fmt;

use domain::job::NewJob;
use e2e::StartServices;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use store::WorkerStatus;
use testkit::{Service, TestEnv, job};

const ACTIONS: [&str; 10] = ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"];

/// Which actions the workers of a fleet know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sets {
    /// Every worker knows all actions.
    Uniform,
    /// Each action is known by as few workers as possible, and two workers know the same actions
    /// or none in common.
    Disjoint,
    /// Twice as many actions each; every worker shares some with others.
    Overlapping,
    /// As overlapping, and workers are replaced by workers with other actions.
    Changing,
}

impl Sets {
    pub(crate) const ALL: [Sets; 4] =
        [Sets::Uniform, Sets::Disjoint, Sets::Overlapping, Sets::Changing];

    /// The actions of the worker in one place of a fleet. Each replacement shifts them, so that
    /// every action is always known by some worker.
    fn of(self, workers: usize, place: usize, replacements: usize) -> Vec<&'static str> {
        let groups = workers.min(ACTIONS.len());
        let first = (place + replacements) % groups;
        let known = |action: usize| {
            let group = action % groups;
            match self {
                Sets::Uniform => true,
                Sets::Disjoint => group == first,
                Sets::Overlapping | Sets::Changing => {
                    group == first || group == (first + 1) % groups
                }
            }
        };
        (0..ACTIONS.len()).filter(|action| known(*action)).map(|action| ACTIONS[action]).collect()
    }
}

impl fmt::Display for Sets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Sets::Uniform => "uniform",
            Sets::Disjoint => "disjoint",
            Sets::Overlapping => "overlapping",
            Sets::Changing => "changing",
        })
    }
}

/// A running fleet.
pub(crate) struct Fleet {
    pub(crate) env: TestEnv,
    scheduler: Service,
    workers: RefCell<Vec<Service>>,
    sets: Sets,
    replaced: Cell<usize>,
}

const CAPACITY: &str = "--capacity=cpu=4";

impl Fleet {
    /// Starts a fleet and waits until all its workers live.
    pub(crate) async fn start(size: usize, sets: Sets) -> Fleet {
        let env = TestEnv::new().await;
        let scheduler = env.scheduler();
        let start = |place| env.worker_that_knows(&sets.of(size, place, 0), &[CAPACITY]);
        let workers = RefCell::new((0..size).map(start).collect());
        until_live(&env, size).await;
        Fleet { env, scheduler, workers, sets, replaced: Cell::new(0) }
    }

    /// Replaces the worker that has been there for longest by one that knows the next actions.
    pub(crate) async fn replace(&self) {
        let (size, replaced) = (self.workers.borrow().len(), self.replaced.get());
        let (place, replacements) = (replaced % size, replaced / size + 1);
        let actions = self.sets.of(size, place, replacements);
        let new = self.env.worker_that_knows(&actions, &[CAPACITY]);
        until_live(&self.env, size + 1).await;
        let old = std::mem::replace(&mut self.workers.borrow_mut()[place], new);
        old.stop().await;
        self.replaced.set(replaced + 1);
    }

    pub(crate) async fn stop(self) {
        for service in self.workers.into_inner().into_iter().chain([self.scheduler]) {
            service.stop().await;
        }
        self.env.close().await;
    }
}

/// Waits until exactly so many workers live.
pub(crate) async fn until_live(env: &TestEnv, count: usize) {
    let live = async || live_workers(env).await.len() == count;
    env.eventually(&format!("{count} workers live"), live).await;
}

/// The live workers.
pub(crate) async fn live_workers(env: &TestEnv) -> Vec<store::Worker> {
    let mut workers = env.store().workers().await.unwrap_or_default();
    workers.retain(|worker| worker.status == WorkerStatus::Running);
    workers
}

/// One job of each action.
pub(crate) fn one_job_each() -> Vec<NewJob> {
    ACTIONS.map(|action| job(action, "cpu=1")).into()
}

/// A job of a random action.
pub(crate) fn random_job(rng: &mut ChaCha8Rng) -> NewJob {
    job(ACTIONS[rng.random_range(0..ACTIONS.len())], "cpu=1")
}
