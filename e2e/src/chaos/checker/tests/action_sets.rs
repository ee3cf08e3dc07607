//! Workers that run actions which they do not know.

use domain::job::Status;

use super::super::{action_sets, violations::Violations};
use super::*;
use crate::actions::COMMON_ACTION;

fn violations_of(observations: &Observations) -> Vec<&'static str> {
    let mut violations = Violations::new(Vec::new());
    action_sets::check(observations, &mut violations);
    violations.into_inner().into_iter().map(|violation| violation.invariant).collect()
}

#[test]
fn a_pid_that_is_used_again_is_judged_by_the_process_of_the_time() {
    let done = job(1, Status::Done);
    let processes =
        [((PID, 0), worker_process(&[ACTION])), ((PID, 3_000_000), worker_process(&[]))];
    let ran_at = |start| {
        violations_of(&Observations {
            runs: vec![run(&done, start, start + 1)],
            jobs: HashMap::from([(done.id, done.clone())]),
            worker_processes: WorkerProcesses(processes.clone().into()),
            ..observations()
        })
    };
    assert_eq!(ran_at(1), NONE);
    assert_ne!(ran_at(4), NONE);
}

#[test]
fn a_run_on_a_process_that_does_not_know_its_action_is_found() {
    let ran_by = |processes: &[(u32, &[&'static str])]| {
        let done = job(1, Status::Done);
        let processes = processes.iter().map(|(pid, actions)| ((*pid, 0), worker_process(actions)));
        violations_of(&Observations {
            runs: vec![run(&done, 1, 2)],
            jobs: HashMap::from([(done.id, done)]),
            worker_processes: WorkerProcesses(processes.collect()),
            ..observations()
        })
    };
    assert_eq!(ran_by(&[(PID, &[ACTION])]), NONE);
    const INVARIANT: &str = "a worker runs only actions that it knows, by runs";
    assert_eq!(ran_by(&[(PID, &[COMMON_ACTION])]), [INVARIANT]);
    let another_process_knows_it: [(u32, &[&'static str]); 2] =
        [(PID, &[]), (OTHER_PID, &[ACTION])];
    assert_eq!(ran_by(&another_process_knows_it), [INVARIANT]);
}

#[test]
fn a_start_on_a_worker_that_has_not_announced_the_action_is_found() {
    let started_with = |announced: &[&str], action: &str| {
        let id = JobId::random().to_string();
        let start = [("job", id.as_str()), ("status", "running"), ("action", action)];
        violations_of(&Observations {
            events: vec![event(1, &start)],
            workers: vec![worker(announced)],
            ..observations()
        })
    };
    assert_eq!(started_with(&["noop", ACTION], ACTION), NONE);
    assert_eq!(started_with(&["noop", ACTION], "noop"), NONE);
    let expected = ["a worker runs only actions that it knows, by events"];
    assert_eq!(started_with(&["noop", ACTION], COMMON_ACTION), expected);
    assert_eq!(started_with(&[ACTION], "noop"), expected);
}

#[test]
fn announced_actions_that_no_process_of_the_worker_was_started_with_are_found() {
    let announced = |actions: &[&str]| {
        violations_of(&Observations { workers: vec![worker(actions)], ..observations() })
    };
    assert_eq!(announced(&["noop", ACTION]), NONE);
    const INVARIANT: &str = "a worker announces the actions that it knows";
    assert_eq!(announced(&["noop"]), [INVARIANT]);
    assert_eq!(announced(&[ACTION, COMMON_ACTION]), [INVARIANT]);
}
