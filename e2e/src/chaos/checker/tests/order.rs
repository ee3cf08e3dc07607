//! Jobs that start before others which were submitted earlier.

use domain::job::Status;

use super::super::{Order, order, violations::Violations};
use super::*;
use crate::fleet::{SERIAL, WorkerProcesses, only_worker_for};
use crate::history::LossCause;
use crate::workload::PROBE;

const INVARIANT: &str = "jobs of one moment start in the order of their submission";

/// Jobs of a batch that was created at second 10, is due at second 20, and ended at second 25.
fn batch(count: u64) -> Vec<Job> {
    let of_batch = |number| {
        let mut new = testkit::job(ACTION, SERIAL);
        new.spec.fairness_key = Some("batch".to_owned());
        let mut job = Job::waiting(new, number, seconds(10), seconds(20));
        (job.status, job.finished_at) = (Status::Done, Some(seconds(25)));
        job
    };
    (1..=count).map(of_batch).collect()
}

/// Judges jobs that started in this order, given by their numbers.
fn judge(jobs: &[Job], started: &[u64], history: &History) -> (Vec<&'static str>, Order) {
    let start = |number: &u64| {
        let job = jobs.iter().find(|job| job.number == *number).unwrap();
        event(20, &[("job", &job.id.to_string()), ("status", "running")])
    };
    let worker = only_worker_for(&SERIAL.parse().unwrap()).unwrap();
    let process = WorkerProcess { name: worker, ..worker_process(&[ACTION]) };
    let observations = Observations {
        events: started.iter().map(start).collect(),
        jobs: jobs.iter().map(|job| (job.id, job.clone())).collect(),
        worker_processes: WorkerProcesses(BTreeMap::from([((PID, 0), process)])),
        ..observations()
    };
    let mut violations = Violations::new(Vec::new());
    let order = order::check(&observations, history, &mut violations);
    (violations.into_inner().into_iter().map(|violation| violation.invariant).collect(), order)
}

const JUDGED: Order = Order { judged: 1, disturbed: 0 };
const DISTURBED: Order = Order { judged: 0, disturbed: 1 };

#[test]
fn jobs_of_a_batch_that_start_out_of_order_are_found() {
    let judge = |started: &[u64]| judge(&batch(4), started, &history());
    assert_eq!(judge(&[1, 2, 3, 4]), (vec![], JUDGED));
    assert_eq!(judge(&[1, 3, 2, 4]), (vec![INVARIANT], JUDGED));
    assert_eq!(judge(&[4, 1, 2, 3]), (vec![INVARIANT], JUDGED));
}

#[test]
fn jobs_that_differ_in_time_priority_action_or_group_may_start_in_any_order() {
    let changes: [fn(&mut Job); 5] = [
        |job| job.scheduled_at = seconds(21),
        |job| job.created_at = seconds(11),
        |job| job.spec.priority = domain::job::Priority::Low,
        |job| job.spec.action = "swept".parse().unwrap(),
        |job| job.spec.fairness_key = Some("another".to_owned()),
    ];
    for change in changes {
        let mut jobs = batch(2);
        change(&mut jobs[0]);
        let (violations, _) = judge(&jobs, &[2, 1], &history());
        assert_eq!(violations, NONE, "{:?}", jobs[0]);
    }
}

#[test]
fn batches_whose_order_is_not_certain_are_not_judged() {
    let changes: [fn(&mut Job); 3] = [
        |job| job.spec.fairness_key = None,
        |job| job.spec.locks = "devices".parse().unwrap(),
        |job| job.class = testkit::job(ACTION, "cpu=1").class,
    ];
    for change in changes {
        let mut jobs = batch(2);
        jobs.iter_mut().for_each(change);
        assert_eq!(judge(&jobs, &[2, 1], &history()), (vec![], Order::default()));
    }
    let mut jobs = batch(2);
    jobs[1].status = Status::WorkerDead;
    assert_eq!(judge(&jobs, &[2, 1], &history()), (vec![], DISTURBED));
}

#[test]
fn a_fault_or_the_loss_of_the_worker_excuses_another_order_but_one_elsewhere_does_not() {
    let at = |second: i64| second * 1_000_000;
    let only_worker = only_worker_for(&SERIAL.parse().unwrap()).unwrap();
    for worker in [None, Some(only_worker)] {
        let history = history();
        history.add_disorder(at(24), std::time::Duration::ZERO, worker);
        assert_eq!(judge(&batch(2), &[2, 1], &history), (vec![], DISTURBED));
        let mut probe = batch(2);
        probe.iter_mut().for_each(|job| job.spec.comment = Some(PROBE.to_owned()));
        assert_eq!(judge(&probe, &[2, 1], &history), (vec![INVARIANT], JUDGED));
    }
    let elsewhere = history();
    elsewhere.add_disorder(at(24), std::time::Duration::ZERO, Some("worker-1"));
    assert_eq!(judge(&batch(2), &[2, 1], &elsewhere), (vec![INVARIANT], JUDGED));
    let later = history();
    later.add_disorder(at(26), std::time::Duration::ZERO, None);
    assert_eq!(judge(&batch(2), &[2, 1], &later), (vec![INVARIANT], JUDGED));
    for (second, expected) in [(10, JUDGED), (19, DISTURBED), (24, DISTURBED), (26, JUDGED)] {
        let history = history();
        history.add_loss_at(at(second), PID, LossCause::Killed);
        assert_eq!(judge(&batch(2), &[1, 2], &history).1, expected, "lost at {second}");
    }
}
