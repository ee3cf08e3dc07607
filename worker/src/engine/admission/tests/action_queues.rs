//! Queues of one action beside shared queues, and queues that are retired.

use super::fairness::{always_more, full_and_paused};
use super::*;
use crate::engine::admission::fairness::MAX_OVERTAKEN;

/// A worker with one unit, and these queues.
fn case(queues: &[&str]) -> Case {
    let case = Case::new("scan=1", &[]);
    discover(case, queues)
}

fn discover(mut case: Case, queues: &[&str]) -> Case {
    let queues: Vec<QueueName> = queues.iter().map(|queue| name(queue)).collect();
    case.admission.discovered(&queues);
    case
}

#[test]
fn a_queue_that_is_retired_is_paused_and_can_come_back() {
    let mut case = case(&["scan=1.normal", "scan=1@push.normal"]);
    assert_eq!(resumed(&case.at(0)), ["scan=1.normal 2", "scan=1@push.normal 2"]);
    case = discover(case, &["scan=1.normal"]);
    assert_eq!(case.at(1), [Command::Pause(name("scan=1@push.normal"))]);
    assert_eq!(case.at(2), [], "it stays away");
    case = discover(case, &["scan=1.normal", "scan=1@push.normal"]);
    assert_eq!(resumed(&case.at(3)), ["scan=1@push.normal 2"]);
}

#[test]
fn the_offers_of_a_retired_queue_are_dropped_and_its_running_job_frees_its_capacity() {
    let mut case = case(&["scan=1.normal", "scan=1@push.normal"]);
    case.at(0);
    let id = case.offer("scan=1@push.normal", 0, 1, 0)[0];
    case.grant_at(0);
    case.at(0);
    case.offer("scan=1@push.normal", 0, 1, 1);
    case = discover(case, &["scan=1.normal"]);
    assert_eq!(case.at(2), [Command::Pause(name("scan=1@push.normal"))]);
    case.admission.job_ended(id, &name("scan=1@push.normal"));
    assert_eq!(case.at(3), [], "the returned offer is not claimed");
    assert_eq!(case.admission.free().units("scan"), 1);
}

#[test]
fn a_claim_from_a_retired_queue_is_answered_as_ever() {
    let mut case = case(&["scan=1@push.normal"]);
    case.at(0);
    case.offer("scan=1@push.normal", 0, 1, 0);
    let commands = case.at(0);
    case = discover(case, &[]);
    case.at(1);
    let granted = case.grant(commands);
    assert_eq!(granted.len(), 1, "{granted:?}");
    assert_eq!(case.admission.free().units("scan"), 0);
    case.admission.job_ended(granted[0].1[0], &name("scan=1@push.normal"));
    assert_eq!(case.admission.free().units("scan"), 1);
}

#[test]
fn nothing_is_reserved_for_a_retired_queue() {
    let mut case = case(&["scan=1.normal", "scan=1@push.high"]);
    let (running, queue) = full_and_paused(&mut case, &["scan=1@push.high"]);
    case.offer("scan=1.normal", 0, 1, 301);
    case.admission.job_ended(running, &queue);
    case.at(310);
    case = discover(case, &["scan=1.normal"]);
    assert_eq!(case.grant_at(311)[0].0, "scan=1.normal");
}

#[test]
fn a_queue_of_one_action_goes_by_its_priority_like_a_shared_queue() {
    let mut case = case(&["scan=1.normal", "scan=1@push.high"]);
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 0);
    case.offer("scan=1@push.high", 9, 1, 0);
    assert_eq!(case.grant_at(0)[0].0, "scan=1@push.high");
}

#[test]
fn queues_of_actions_and_shared_queues_share_the_sixteen_passes() {
    let queues = ["scan=1@push.high", "scan=1.normal", "scan=1@pull.low"];
    let mut case = case(&queues);
    let started = always_more(&mut case, &queues, 600);
    for waiting in &queues[1..] {
        let rows = started.split(|queue| queue == waiting).map(<[String]>::len);
        let longest = rows.max().unwrap();
        assert!(longest <= MAX_OVERTAKEN as usize + 2, "{longest} others before {waiting}");
    }
    let high = started.iter().filter(|queue| *queue == queues[0]).count();
    assert!(high * 100 >= started.len() * 85, "{high} high ones of {}", started.len());
}
