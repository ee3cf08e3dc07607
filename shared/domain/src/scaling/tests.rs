//! The signal as a table, and a pool that follows it through a load curve in virtual time.

mod simulation;

use super::*;

fn map(text: &str) -> CapacityMap {
    text.parse().unwrap()
}

fn demand(free: &[&str], ready: &[(&str, u64)]) -> Demand {
    let free = free.iter().map(|text| map(text)).collect();
    let ready = ready.iter().map(|(need, count)| (map(need), *count)).collect();
    Demand { free, ready, ..Demand::default() }
}

#[test]
fn the_wanted_workers_hold_what_runs_and_what_is_ready() {
    type Case<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, u64)], f64, Option<&'a str>);
    let cases: [Case<'_>; 13] = [
        // Nothing, and idle workers.
        ("cpu=8", &[], &[], 0.0, None),
        ("cpu=8", &["cpu=8", "cpu=8"], &[], 0.0, None),
        // Only ready jobs; the scarcest type decides.
        ("cpu=8", &[], &[("cpu=1", 4)], 0.5, Some("cpu")),
        ("cpu=8", &[], &[("cpu=1", 17)], 2.2, Some("cpu")),
        ("scan=1,cpu=8", &[], &[("scan=1,cpu=2", 3)], 3.0, Some("scan")),
        ("scan=4,cpu=8", &[], &[("scan=1", 2), ("cpu=4", 3)], 1.5, Some("cpu")),
        // Only running jobs.
        ("cpu=8", &["cpu=2", "cpu=8"], &[], 0.8, Some("cpu")),
        // Units that no job can use are not counted as room.
        ("cpu=4", &[], &[("cpu=3", 2)], 2.0, Some("cpu")),
        ("cpu=4", &["cpu=1", "cpu=1"], &[("cpu=2", 1)], 2.5, Some("cpu")),
        // Free units of a live worker are used first.
        ("cpu=4", &["cpu=2", "cpu=4"], &[("cpu=2", 3)], 2.0, Some("cpu")),
        // Running jobs stay, and each further job needs a worker.
        ("gpu=1", &["gpu=0", "gpu=0"], &[("gpu=1", 10)], 12.0, Some("gpu")),
        // Jobs that no worker of this shape holds do not count.
        ("cpu=4", &["cpu=4"], &[("gpu=1", 9), ("cpu=5", 9)], 0.0, None),
        // A job that needs nothing fits anywhere.
        ("cpu=4", &["cpu=4"], &[("", 9)], 0.0, None),
    ];
    for (shape, free, ready, wanted, because) in cases {
        let found = demand(free, ready).scaling(&map(shape));
        assert!(
            found.wanted.is_sign_positive(),
            "{shape}: {} is printed with a sign",
            found.wanted
        );
        let expected = (wanted, because, free.len());
        let found = (found.wanted, found.because.as_deref(), found.live);
        assert_eq!(found, expected, "{shape}: {free:?} {ready:?}");
    }
}

#[test]
fn units_are_reported_by_type() {
    let found = demand(&["scan=0,cpu=5"], &[("scan=1,cpu=2", 3), ("gpu=1", 1)]);
    let found = found.scaling(&map("scan=1,cpu=8"));
    let units = |pairs: &[(&str, u64)]| {
        pairs.iter().map(|(name, units)| ((*name).to_owned(), *units)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(found.running, units(&[("scan", 1), ("cpu", 3)]));
    assert_eq!(found.waiting, units(&[("scan", 3), ("cpu", 6)]));
}

#[test]
fn short_jobs_that_may_wait_need_fewer_workers() {
    let seconds = Duration::from_secs;
    let cases = [
        (None, None, 100.0),
        (Some(seconds(3)), None, 100.0),
        (None, Some(seconds(30)), 100.0),
        (Some(seconds(3)), Some(seconds(30)), 10.0),
        (Some(seconds(60)), Some(seconds(30)), 100.0),
        (Some(Duration::ZERO), Some(seconds(30)), 0.1),
    ];
    for (mean_run, start_within, wanted) in cases {
        let demand = Demand { mean_run, start_within, ..demand(&[], &[("cpu=1", 100)]) };
        assert_eq!(demand.scaling(&map("cpu=1")).wanted, wanted, "{mean_run:?} {start_within:?}");
    }
}
