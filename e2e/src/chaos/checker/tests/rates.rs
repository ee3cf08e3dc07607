//! Jobs that start sooner than a rate limit allows.

use domain::lock::LockName;

use super::super::{rates, violations::Violations};
use super::*;
use crate::actions::{COUNTED, PACED};

/// How many violations there are if jobs under a key start at these times, in ms.
fn violations(key: &str, starts: impl IntoIterator<Item = i64>) -> usize {
    let started = |(number, at): (u64, i64)| {
        let mut job = job(number, Status::Done);
        job.spec.locks.add(LockName::of_rate(key).unwrap(), 1);
        job.started_at = Some(Timestamp::from_ms(at));
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
    let (key, rate, burst) = PACED;
    assert_eq!((rate, burst), (2, 2));
    for (starts, expected) in [
        (&[0, 0, 500, 1_000, 1_500][..], 0),
        (&[0, 700, 700, 1_200], 0),
        (&[0, 0, 400], 1),
        (&[0, 0, 0, 5_000, 5_000, 5_000], 2),
    ] {
        assert_eq!(violations(key, starts.iter().copied()), expected, "{starts:?}");
    }
}

#[test]
fn starts_beyond_the_quota_of_a_minute_are_found() {
    let (key, quota) = (COUNTED.0, i64::from(COUNTED.1));
    let from = |at, count| (0..count).map(move |n| at + n);
    assert_eq!(violations(key, from(0, quota).chain(from(60_000, quota))), 0);
    assert_eq!(violations(key, from(59_999, quota + 1)), 0, "of two minutes");
    assert_eq!(violations(key, from(0, quota + 1)), 1);
}
