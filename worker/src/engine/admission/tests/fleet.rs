//! When jobs start on a whole fleet, for random arrivals and durations.

use domain::job::Priority;
use proptest::prelude::*;

use super::simulation::{SimulatedJob, Simulation};
use super::*;
use crate::engine::admission::fairness::MAX_OVERTAKEN;

fn job(queue: &str, ready_ms: u64, duration_ms: u64) -> SimulatedJob {
    SimulatedJob { number: 0, queue: name(queue), ready_ms, duration_ms, started: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_high_job_goes_before_a_crowd_of_normal_ones(
        maps in prop::collection::vec(1u32..4, 1..6),
        crowd in prop::collection::vec(5u64..120, 60..150),
        high in prop::collection::vec((0u64..1500, 5u64..300), 1..20),
    ) {
        let maps: Vec<String> = maps.iter().map(|units| format!("cpu={units}")).collect();
        let maps: Vec<&str> = maps.iter().map(String::as_str).collect();
        let crowd = crowd.iter().map(|length| job("cpu=1.normal", 0, *length));
        let high = high.iter().map(|(at, length)| job("cpu=1.high", *at, *length));
        let mut simulation = Simulation::new(&maps, &["cpu=1"], crowd.chain(high).collect());
        simulation.run();
        let started = simulation.started();
        for (position, one) in started.iter().enumerate() {
            if one.queue.priority == Priority::High {
                // Half of the hold to find a worker; then each may be about to start another.
                let late = one.ready_ms + 125;
                let others = started[..position].iter().filter(|other| {
                    other.queue != one.queue && other.started.unwrap().0 > late
                });
                let (count, fleet) = (others.count(), maps.len());
                prop_assert!(count <= fleet, "{count} normal ones before {one:?} on {fleet}");
            }
        }
        let idle_ms = simulation.longest_idle_ms;
        prop_assert!(idle_ms <= 250, "idle for {idle_ms} ms");
    }

    #[test]
    fn a_low_job_gets_its_share_beside_a_crowd_of_high_ones(
        maps in prop::collection::vec(1u32..4, 1..5),
        high in prop::collection::vec(5u64..60, 200..300),
        low in prop::collection::vec(5u64..60, 60..80),
    ) {
        let units = maps.clone();
        let maps: Vec<String> = maps.iter().map(|units| format!("cpu={units}")).collect();
        let maps: Vec<&str> = maps.iter().map(String::as_str).collect();
        let high = high.iter().map(|length| job("cpu=1.high", 0, *length));
        let low = low.iter().map(|length| job("cpu=1.low", 0, *length));
        let mut simulation = Simulation::new(&maps, &["cpu=1"], high.chain(low).collect());
        simulation.run();
        let started = simulation.started();
        let last_low = started.iter().rposition(|one| one.queue.priority == Priority::Low).unwrap();
        for (index, units) in units.iter().enumerate() {
            let here = started[..last_low].iter().filter(|one| one.started.unwrap().1 == index);
            let here: Vec<Priority> = here.map(|one| one.queue.priority).collect();
            let rows = here.split(|priority| *priority == Priority::Low).map(<[Priority]>::len);
            let longest = rows.max().unwrap_or(0);
            let most = (MAX_OVERTAKEN + 4 * units) as usize;
            prop_assert!(longest <= most, "{longest} high ones in a row on a worker of {units}");
        }
        // While both queues are full: at the end a full worker may hold the last high offers.
        let crowd = &started[30..150];
        let low = crowd.iter().filter(|one| one.queue.priority == Priority::Low).count();
        let share = low * 100 / crowd.len();
        prop_assert!(share <= 10, "{share} % are low ones");
    }

    #[test]
    fn a_large_job_starts_after_a_bounded_number_of_small_ones(
        small in prop::collection::vec(5u64..60, 400),
        large in (0usize..3, 0u64..200),
        workers in 1usize..5,
    ) {
        let small = small.iter().map(|length| job("a=1.normal", 0, *length));
        let one = ["a=4.normal", "a=3+b=2.normal", "a=4.low"][large.0];
        let classes = ["a=1", "a=4", "a=3+b=2"];
        let jobs = small.chain([job(one, large.1, 50)]).collect();
        let mut simulation = Simulation::new(&vec!["a=4,b=4"; workers], &classes, jobs);
        simulation.run();
        let started = simulation.started();
        let position = started.iter().position(|job| job.queue == name(one)).unwrap();
        let overtaking = started[..position].iter().filter(|job| job.started.unwrap().0 >= large.1);
        // On each worker: the overtaking jobs, those that fitted beside them, and those that
        // started while the offer moved from worker to worker.
        let (overtaking, most) = (overtaking.count(), workers * (MAX_OVERTAKEN as usize + 8 + 24));
        prop_assert!(overtaking <= most, "{overtaking} small jobs overtook it, at most {most}");
    }

    #[test]
    fn jobs_that_need_two_types_and_jobs_that_need_all_of_one_all_start(
        jobs in prop::collection::vec((0usize..5, 0u64..300, 5u64..100), 1..150),
        workers in 1usize..4,
    ) {
        let queues = ["a=1+b=1.normal", "a=2.high", "b=2.normal", "a=2+b=2.low", "b=1.high"];
        let jobs = jobs.iter().map(|(which, at, length)| job(queues[*which], *at, *length));
        let classes = ["a=1+b=1", "a=2", "b=2", "a=2+b=2", "b=1"];
        Simulation::new(&vec!["a=2,b=2"; workers], &classes, jobs.collect()).run();
    }
}
