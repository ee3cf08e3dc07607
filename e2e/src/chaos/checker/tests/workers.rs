//! What workers run at once, and when they must not start a job.

use std::collections::HashMap;

use domain::job::Status;

use super::super::{capacity, violations::Violations};
use super::*;

#[test]
fn a_worker_that_ran_more_than_its_capacity_is_found() {
    let (first, second) = (job(1, Status::Done), job(2, Status::Done));
    let jobs = [first.clone(), second.clone()];
    let overlapping = vec![run(&first, 1, 3), run(&second, 2, 4)];
    assert_eq!(violated_by(&jobs, overlapping), ["no worker exceeds its capacity, by runs"]);
    assert_eq!(violated_by(&jobs, vec![run(&first, 1, 2), run(&second, 2, 4)]), NONE);
}

#[test]
fn a_worker_that_starts_a_job_against_a_command_is_found() {
    let starts = |command: [(&str, &str); 1], at: i64| {
        let done = job(1, Status::Done);
        let id = done.id.to_string();
        let start = [("job", id.as_str()), ("status", "running")];
        let observations = Observations {
            events: vec![event(100, &command), event(at, &start)],
            jobs: HashMap::from([(done.id, done)]),
            workers: vec![worker(&[])],
            ..observations()
        };
        let mut violations = Violations::new(Vec::new());
        capacity::check_events(&observations, &history(), &mut violations);
        let found = violations.into_inner().into_iter();
        found.map(|violation| violation.invariant).collect::<Vec<_>>()
    };
    assert_eq!(starts([("drain", "1")], 101), NONE);
    assert_eq!(starts([("drain", "1")], 110), ["a drained worker starts no job"]);
    assert_eq!(starts([("drain", "")], 110), NONE);
    let too_little = ("wantedMap", r#"{"scan":1}"#);
    assert_eq!(starts([too_little], 101), NONE);
    assert_eq!(starts([too_little], 110), ["no worker exceeds its capacity, by events"]);
    assert_eq!(starts([("wantedMap", r#"{"cpu":1}"#)], 110), NONE);
}
