//! Jobs of equal priority and `scheduledAt` start in the order of their numbers.

use proptest::prelude::*;

use super::simulation::{SimulatedJob, Simulation};
use super::*;

#[test]
fn offers_of_equal_priority_and_schedule_are_claimed_by_number() {
    let queues = ["cpu=1.normal", "cpu=2.normal", "cpu=1@push.normal"];
    let mut case = Case::new("cpu=4", &[]);
    case.admission.discovered(&queues.map(name));
    case.at(0);
    let third = case.offer_numbered("cpu=1.normal", 30, 0);
    let first = case.offer_numbered("cpu=1@push.normal", 9, 0);
    let second = case.offer_numbered("cpu=2.normal", 20, 0);
    let order: Vec<JobId> = case.grant_at(0).into_iter().map(|(_, ids)| ids[0]).collect();
    assert_eq!(order, [first, second, third]);
}

#[test]
fn an_earlier_schedule_goes_before_a_smaller_number() {
    let mut case = Case::new("cpu=1", &["cpu=1"]);
    case.at(0);
    case.offer("cpu=1.normal", 5, 1, 0);
    let earlier = case.offer_numbered("cpu=1.normal", 2, 0);
    assert_eq!(case.grant_at(0)[0].1, [earlier]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn one_worker_starts_the_jobs_of_each_queue_in_order(
        units in 1u32..4,
        jobs in prop::collection::vec((0usize..4, 1u64..80), 1..250),
    ) {
        let queues = ["a=1.normal", "a=1@push.normal", "a=1.high", "a=1+b=1.normal"];
        let jobs = (1..).zip(jobs).map(|(number, (which, duration_ms))| SimulatedJob {
            number,
            queue: name(queues[which]),
            ready_ms: 0,
            duration_ms,
            started: None,
        });
        let map = format!("a={units},b=1");
        let mut simulation = Simulation::new(&[&map], &[], jobs.collect());
        simulation.discover(&queues.map(name));
        simulation.run();
        for queue in queues {
            let of_queue =
 simulation.started().into_iter().filter(|job| job.queue == name(queue));
            let numbers: Vec<u64> = of_queue.map(|job| job.number).collect();
            prop_assert!(numbers.is_sorted(), "{queue}: {numbers:?}");
        }
    }
}
