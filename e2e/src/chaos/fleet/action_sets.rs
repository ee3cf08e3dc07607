//! Which actions each worker knows. Every process of a worker is started with a set of its own,
//! drawn from the seed, so that sets overlap, leave gaps, and change with every restart.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::capacity::CapacityMap;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::layout::{initial_capacity, needs};
use crate::actions::{ACTIONS, ActionSet};

/// The sets of the workers of a fleet.
pub(super) struct ActionSets {
    seed: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    workers: BTreeMap<&'static str, WorkerActions>,
    /// The actions that are or were rolled out, in order.
    rolled_out: Vec<&'static str>,
    /// Restarts change no set any more.
    settled: bool,
}

/// What one worker knows.
#[derive(Default)]
struct WorkerActions {
    /// The set of its latest process.
    current: ActionSet,
    /// The actions that were rolled out to it. It keeps them.
    kept: ActionSet,
    processes: u64,
}

impl ActionSets {
    pub(super) fn new(seed: u64) -> ActionSets {
        ActionSets { seed, inner: Mutex::default() }
    }

    /// Returns the set with which the next process of a worker starts.
    pub(super) fn next(&self, worker: &'static str) -> ActionSet {
        let mut inner = self.lock();
        let settled = inner.settled;
        let actions = inner.workers.entry(worker).or_default();
        if !settled {
            actions.current = draw(self.seed, worker, actions.processes);
            actions.current.extend(&actions.kept);
        }
        actions.processes += 1;
        actions.current.clone()
    }

    /// Begins to roll out an action: jobs use it from now on.
    pub(super) fn introduce(&self, action: &'static str) {
        let mut inner = self.lock();
        if !inner.rolled_out.contains(&action) {
            inner.rolled_out.push(action);
        }
    }

    /// Adds an action to every later process of a worker.
    pub(super) fn install(&self, worker: &'static str, action: &'static str) {
        self.lock().workers.entry(worker).or_default().kept.insert(action);
    }

    /// The actions that jobs use.
    pub(super) fn in_use(&self) -> Vec<&'static str> {
        self.lock().in_use()
    }

    /// The set of the latest process of each worker.
    pub(super) fn current(&self) -> BTreeMap<&'static str, ActionSet> {
        self.lock().current()
    }

    /// Completes the sets, so that jobs of every action in use can run, whatever they need. From
    /// now on each worker keeps its set. Returns the workers to restart.
    pub(super) fn settle(&self) -> Vec<&'static str> {
        let mut inner = self.lock();
        inner.settled = true;
        let mut sets = inner.current();
        complete(&mut sets, &inner.in_use());
        let mut changed = Vec::new();
        for (worker, set) in sets {
            let actions = inner.workers.entry(worker).or_default();
            if actions.current != set {
                actions.current = set;
                changed.push(worker);
            }
        }
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn in_use(&self) -> Vec<&'static str> {
        ACTIONS.iter().map(|(name, _)| *name).chain(self.rolled_out.iter().copied()).collect()
    }

    fn current(&self) -> BTreeMap<&'static str, ActionSet> {
        let workers = self.workers.iter();
        workers.map(|(worker, actions)| (*worker, actions.current.clone())).collect()
    }
}

/// Draws the set of one process of a worker.
fn draw(seed: u64, worker: &str, process: u64) -> ActionSet {
    let name = worker.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(name << 32).wrapping_add(process));
    let known = ACTIONS.iter().filter(|(_, percent)| rng.random_range(0..100) < *percent);
    known.map(|(action, _)| *action).collect()
}

/// Adds each action to a worker with enough capacity where none of those that know it has enough.
fn complete(sets: &mut BTreeMap<&'static str, ActionSet>, actions: &[&'static str]) {
    let needs = needs();
    for (action, need) in
        actions.iter().flat_map(|action| needs.iter().map(move |need| (action, need)))
    {
        let fitting = || sets.iter().filter(|(worker, _)| can_run(worker, need));
        if fitting().any(|(_, set)| set.contains(action)) {
            continue;
        }
        // The one that knows most gets this one too, so that the others keep their gaps.
        let chosen = fitting().max_by_key(|(_, set)| set.len()).map(|(worker, _)| *worker);
        if let Some(set) = chosen.and_then(|worker| sets.get_mut(worker)) {
            set.insert(action);
        }
    }
}

fn can_run(worker: &str, need: &CapacityMap) -> bool {
    initial_capacity(worker).fits(need) > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::ROLLED_OUT;
    use crate::fleet::layout::{PROCESSES, Role};

    fn workers() -> Vec<&'static str> {
        let workers = PROCESSES.iter().filter(|process| process.role == Role::Worker);
        workers.map(|process| process.name).collect()
    }

    #[test]
    fn sets_follow_from_the_seed_differ_and_change_with_each_process() {
        let sets = |seed| {
            let sets = ActionSets::new(seed);
            let two = workers().into_iter().map(|worker| [sets.next(worker), sets.next(worker)]);
            two.collect::<Vec<_>>()
        };
        assert_eq!(sets(1), sets(1));
        assert_ne!(sets(1), sets(2));
        for seed in 0..50 {
            let drawn = sets(seed);
            assert!(drawn.iter().any(|[first, _]| *first != drawn[0][0]), "seed {seed}");
            assert!(drawn.iter().any(|[first, second]| first != second), "seed {seed}");
        }
    }

    #[test]
    fn an_action_that_was_rolled_out_to_a_worker_stays() {
        let sets = ActionSets::new(1);
        sets.introduce(ROLLED_OUT[0]);
        sets.install("worker-1", ROLLED_OUT[0]);
        for _ in 0..20 {
            assert!(sets.next("worker-1").contains(ROLLED_OUT[0]));
            assert!(!sets.next("worker-2").contains(ROLLED_OUT[0]));
        }
        assert!(sets.in_use().contains(&ROLLED_OUT[0]));
    }

    #[test]
    fn after_settling_every_job_can_run_and_restarts_change_nothing() {
        for seed in 0..200 {
            let sets = ActionSets::new(seed);
            workers().into_iter().for_each(|worker| drop(sets.next(worker)));
            sets.introduce(ROLLED_OUT[0]);
            let before = sets.current();
            let restarted = sets.settle();
            let settled = sets.current();
            for action in sets.in_use() {
                for need in &needs() {
                    let runs = |(worker, set): (&&str, &ActionSet)| {
                        set.contains(action) && can_run(worker, need)
                    };
                    assert!(settled.iter().any(runs), "seed {seed}: {action} with {need}");
                }
            }
            for worker in workers() {
                assert_eq!(before[worker] != settled[worker], restarted.contains(&worker));
                assert_eq!(sets.next(worker), settled[worker]);
            }
            let gaps = settled.values().filter(|set| set.len() < sets.in_use().len());
            assert!(gaps.count() > 0, "seed {seed}: every worker knows every action");
        }
    }
}
