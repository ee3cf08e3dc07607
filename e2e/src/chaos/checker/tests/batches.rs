//! Batched submissions that are lost, in two lists, or in the list of another job.

use serde_json::json;

use super::super::{batches, violations::Violations};
use super::*;

/// A batched job with these submissions.
fn batch(number: u64, marks: &[u64]) -> Job {
    let mut job = job(number, Status::Done);
    job.spec.batch_key = Some("a".to_owned());
    let list: Vec<_> = marks.iter().map(|mark| json!({"mark": mark})).collect();
    job.spec.parameters = json!({"batch": list}).as_object().cloned();
    job
}

/// How many violations there are with these jobs, if submissions were answered by the jobs at these
/// places.
fn violations(jobs: &[Job], answered: &[(u64, usize)]) -> usize {
    let batched = answered.iter().map(|(mark, at)| (*mark, jobs[*at].id)).collect();
    let jobs: HashMap<_, _> = jobs.iter().map(|job| (job.id, job.clone())).collect();
    let ledger = Ledger { batched, ..Ledger::default() };
    let follow_ups = follow_ups(&jobs);
    let observations = Observations { ledger, jobs, follow_ups, ..observations() };
    let mut violations = Violations::new(Vec::new());
    batches::check(&observations, &mut violations);
    violations.into_inner().len()
}

#[test]
fn each_acknowledged_submission_is_in_the_list_of_its_job_and_in_no_other() {
    let jobs = [batch(1, &[1, 2]), batch(2, &[3])];
    assert_eq!(violations(&jobs, &[(1, 0), (2, 0), (3, 1)]), 0);
    // One that was not acknowledged may be in a list or not.
    assert_eq!(violations(&jobs, &[(1, 0)]), 0);
    assert_eq!(violations(&jobs, &[(4, 0)]), 1);
    assert_eq!(violations(&jobs, &[(3, 0)]), 1);
    assert_eq!(violations(&jobs, &[(1, 0), (1, 1)]), 1);
    assert_eq!(violations(&[batch(1, &[1, 1])], &[]), 1);
    assert_eq!(violations(&[batch(1, &[1]), batch(2, &[1])], &[]), 1);
}

#[test]
fn a_follow_up_has_the_same_list() {
    let (first, mut second) = (batch(1, &[1, 2]), batch(2, &[1, 2]));
    second.retry_from = first.id;
    assert_eq!(violations(&[first.clone(), second], &[(1, 0)]), 0);
    let mut other = batch(2, &[1]);
    other.retry_from = first.id;
    assert_eq!(violations(&[first, other], &[(1, 0)]), 1);
}
