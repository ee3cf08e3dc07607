//! Fairness between queues, one rule each.

use super::*;
use crate::engine::admission::Claim;
use crate::engine::admission::fairness::MAX_OVERTAKEN;

/// Fills the worker with one job and has it pause the `waiting` queues, whose offers do not fit.
/// Returns the job and its queue.
pub(super) fn full_and_paused(case: &mut Case, waiting: &[&str]) -> (JobId, QueueName) {
    case.at(0);
    let queue = name("scan=1.normal");
    let first = case.offer("scan=1.normal", 0, 1, 0)[0];
    case.grant_at(0);
    for queue in waiting {
        case.offer(queue, 0, 1, 1);
    }
    let commands = case.at(300);
    for queue in waiting {
        assert!(commands.contains(&Command::Pause(name(queue))), "{commands:?}");
    }
    (first, queue)
}

fn first_claim(commands: &[Command]) -> Option<Claim> {
    commands.iter().find_map(|command| match command {
        Command::Claim(claim) => Some(claim.clone()),
        Command::Pause(_) | Command::Resume(..) | Command::Ack(_) | Command::Count(_) => None,
    })
}

#[test]
fn a_queue_that_appears_while_the_worker_is_full_is_consumed() {
    let mut case = Case::new("scan=1,cpu=4", &["scan=1"]);
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 0);
    case.grant_at(0);
    case.admission.discovered(&[name("scan=1.normal"), name("cpu=4+scan=1.high")]);
    assert_eq!(resumed(&case.at(1)), ["cpu=4+scan=1.high 2"], "so that its jobs become known");
}

#[test]
fn a_held_normal_offer_yields_to_a_high_one_that_is_about_to_be_delivered() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    let (running, queue) = full_and_paused(&mut case, &["scan=1.high"]);
    case.offer("scan=1.normal", 0, 1, 301);
    case.offer("scan=1.low", 0, 1, 301);
    case.at(301);
    case.admission.job_ended(running, &queue);
    let commands = case.at(310);
    assert_eq!(resumed(&commands), ["scan=1.high 2"]);
    assert_eq!(case.grant(commands), [], "the free unit is kept for the high one");
    case.redeliver("scan=1.high", 1, 313);
    assert_eq!(case.grant_at(313)[0].0, "scan=1.high");
}

#[test]
fn a_queue_that_was_paused_while_one_of_its_jobs_started_keeps_its_backlog() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    case.at(0);
    case.redeliver("scan=1.high", 2, 0);
    let commands = case.at(0);
    let claim = first_claim(&commands);
    let claim = claim.unwrap();
    case.redeliver("scan=1.high", 1, 0);
    assert!(case.at(10).contains(&Command::Pause(name("scan=1.high"))));
    case.admission.claim_answered(&claim, &[true]);
    case.offer("scan=1.normal", 0, 1, 11);
    case.admission.job_ended(claim.ids[0], &claim.queue);
    let commands = case.at(12);
    assert_eq!(resumed(&commands), ["scan=1.high 2"]);
    assert_eq!(case.grant(commands), [], "the normal one yields");
}

#[test]
fn nothing_is_kept_for_a_high_queue_that_is_empty_by_now() {
    for counted in [true, false] {
        let mut case = Case::new("scan=1", &["scan=1"]);
        let (running, queue) = full_and_paused(&mut case, &["scan=1.high"]);
        case.offer("scan=1.normal", 0, 1, 301);
        case.admission.job_ended(running, &queue);
        let high = name("scan=1.high");
        assert!(case.at(310).contains(&Command::Count(high.clone())));
        assert_eq!(case.at(311), []);
        if counted {
            case.admission.counted(&high, 7);
            assert_eq!(case.at(312), [], "jobs wait there");
            case.admission.counted(&high, 0);
        }
        assert_eq!(
            case.grant_at(if counted { 312 } else { 361 })[0].0,
            "scan=1.normal",
            "counted: {counted}"
        );
    }
}

#[test]
fn a_high_job_delays_no_job_that_needs_another_type_of_capacity() {
    let mut case = Case::new("scan=1,cpu=1", &["scan=1", "cpu=1"]);
    let (running, queue) = full_and_paused(&mut case, &["scan=1.high"]);
    case.offer("cpu=1.low", 0, 1, 301);
    case.admission.job_ended(running, &queue);
    assert_eq!(case.grant_at(310)[0].0, "cpu=1.low");
}

#[test]
fn a_high_offer_is_returned_sooner_unless_some_of_its_jobs_start_here() {
    let mut case = Case::new("scan=2", &["scan=1"]);
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 0);
    case.grant_at(0);
    case.offer("scan=1.high", 0, 8, 1);
    assert_eq!(case.grant_at(1)[0].1.len(), 1);
    case.offer("scan=1.normal", 0, 1, 1);
    assert_eq!(case.at(199), [], "one of them has started");
    assert!(case.at(201).contains(&Command::Pause(name("scan=1.high"))));

    let mut case = Case::new("scan=1", &["scan=1"]);
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 0);
    case.grant_at(0);
    case.offer("scan=1.high", 0, 8, 1);
    case.offer("scan=1.normal", 0, 8, 1);
    let commands = case.at(51);
    assert!(commands.contains(&Command::Pause(name("scan=1.high"))), "{commands:?}");
    assert!(!commands.contains(&Command::Pause(name("scan=1.normal"))), "{commands:?}");
}

#[test]
fn a_lower_priority_starts_after_sixteen_jobs_of_higher_ones() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    let started = always_more(&mut case, &["scan=1.high", "scan=1.normal", "scan=1.low"], 600);
    for priority in ["normal", "low"] {
        let rows = started.split(|queue| queue.ends_with(priority)).map(<[String]>::len);
        let rows: Vec<usize> = rows.collect();
        let longest = rows.iter().max().unwrap();
        assert!(*longest <= MAX_OVERTAKEN as usize + 2, "{longest} others before a {priority} one");
    }
    let high = started.iter().filter(|queue| queue.ends_with("high")).count();
    assert!(high * 100 >= started.len() * 85, "{high} high ones of {}", started.len());
}

/// Runs with queues that always have another job of 10 ms. Returns the queues of the started jobs,
/// in order.
pub(super) fn always_more(case: &mut Case, queues: &[&str], rounds: u64) -> Vec<String> {
    let (mut started, mut running) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let ms = round * 10;
        let commands = case.at(ms);
        for (id, queue) in running.drain(..) {
            case.admission.job_ended(id, &queue);
        }
        let mut granted = case.grant(commands);
        for queue in queues {
            let state = &case.admission.queues[&name(queue)];
            if state.consuming && state.held.is_empty() {
                case.offer(queue, 0, 1, ms);
            }
        }
        let commands = case.at(ms + 2);
        granted.extend(case.grant(commands));
        for (queue, ids) in granted {
            running.push((ids[0], name(&queue)));
            started.push(queue);
        }
    }
    started
}

#[test]
fn a_reservation_ends_when_the_job_started_on_another_worker() {
    let mut case = Case::new("cpu=4", &["cpu=1", "cpu=4"]);
    case.at(0);
    let small = name("cpu=1.normal");
    let ids = case.offer("cpu=1.normal", 0, 40, 0);
    case.grant_at(0);
    case.offer("cpu=4.normal", 1, 1, 1);
    let mut next = 0;
    while case.admission.reserved_for.is_none() {
        case.admission.job_ended(ids[next], &small);
        next += 1;
        case.grant_at(2);
    }
    assert_eq!(next, MAX_OVERTAKEN as usize + 1, "the last freed unit is reserved");
    let large = name("cpu=4.normal");
    assert!(
        case.at(210).contains(&Command::Pause(large.clone())),
        "another worker may have capacity"
    );
    assert_eq!(case.admission.reserved_for, Some(large.clone()));
    assert_eq!(case.admission.free().units("cpu"), 1, "the freed unit stays reserved");
    case.offer("cpu=1.normal", 0, 1, 211);
    assert_eq!(case.grant_at(211), []);
    let commands = case.at(260);
    assert!(commands.contains(&Command::Count(large.clone())), "{commands:?}");
    case.admission.counted(&large, 0);
    assert_eq!(case.grant_at(261).len(), 1, "small jobs start again");
}

#[test]
fn nothing_is_kept_for_a_deleted_queue() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    let (running, queue) = full_and_paused(&mut case, &["scan=1.high"]);
    case.offer("scan=1.normal", 0, 1, 301);
    case.admission.job_ended(running, &queue);
    case.at(310);
    case.admission.consumer_ended(&name("scan=1.high"));
    assert_eq!(case.grant_at(311)[0].0, "scan=1.normal");
}

#[test]
fn a_refused_claim_frees_its_capacity_and_overtakes_no_queue() {
    let mut case = Case::new("cpu=2", &["cpu=1", "cpu=2"]);
    case.at(0);
    case.offer("cpu=1.high", 0, 1, 0);
    case.grant_at(0);
    case.at(0);
    case.offer("cpu=2.normal", 0, 1, 0);
    for round in 0..40 {
        case.offer("cpu=1.normal", 0, 1, 1);
        let commands = case.at(1);
        let claim = first_claim(&commands);
        let claim = claim.unwrap_or_else(|| panic!("round {round}: {commands:?}"));
        case.admission.claim_answered(&claim, &[false]);
        assert_eq!(case.admission.free().units("cpu"), 1);
        assert_eq!(case.at(1), [Command::Ack(claim.offer)], "the offer is exhausted");
    }
    assert_eq!(case.admission.reserved_for, None, "no queue was overtaken");
}
