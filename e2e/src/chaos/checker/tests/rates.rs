//! Jobs that start sooner than a rate limit allows.

use domain::lock::LockName;

use super::super::{rates, violations::Violations};
use super::*;
use crate::actions::PACED;

/// How many violations there are if jobs under the limit, of two starts a second and two at once,
/// start at these times, in ms.
fn violations(starts: &[i64]) -> usize {
    let started = |(number, at): (u64, &i64)| {
        let mut job = job(number, Status::Done);
        job.spec.locks.add(LockName::of_rate(PACED.0).unwrap(), 1);
        job.started_at = Some(Timestamp::from_ms(*at));
        (job.id, job)
    };
    let observations =
        Observations { jobs: (1..).zip(starts).map(started).collect(), ..observations() };
    let mut violations = Violations::new(Vec::new());
    rates::check(&observations, &mut violations);
    violations.into_inner().len()
}

#[test]
fn starts_beyond_the_rate_and_the_burst_are_found() {
    assert_eq!(violations(&[0, 0, 500, 1_000, 1_500]), 0);
    assert_eq!(violations(&[0, 700, 700, 1_200]), 0);
    assert_eq!(violations(&[0, 0, 400]), 1);
    assert_eq!(violations(&[0, 0, 0, 5_000, 5_000, 5_000]), 2);
}
