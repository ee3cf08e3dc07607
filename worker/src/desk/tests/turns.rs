//! Whose turn it is: each rule of `turns.rs` on one desk.

use super::*;

/// A worker that is full with `running`, to whom these queues' offers have come, and which has paused them all.
fn full_and_paused(case: &mut Case, waiting: &[&str]) -> (JobId, QueueName) {
    case.at(0);
    let queue = name("scan=1.normal");
    let first = case.offer("scan=1.normal", 0, 1, 0)[0];
    let moves = case.at(0);
    case.grant(moves);
    for queue in waiting {
        case.offer(queue, 0, 1, 1);
    }
    let moves = case.at(300);
    for queue in waiting {
        assert!(moves.contains(&Move::Pause(name(queue))), "{moves:?}");
    }
    (first, queue)
}

#[test]
fn a_queue_first_seen_while_the_worker_is_full_is_consumed_all_the_same() {
    let mut case = Case::new("scan=1,cpu=4", &["scan=1"]);
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 0);
    let moves = case.at(0);
    case.grant(moves);
    case.desk.discovered(&[name("scan=1.normal"), name("cpu=4+scan=1.high")]);
    assert_eq!(resumed(&case.at(1)), ["cpu=4+scan=1.high 2"], "or nobody knew that a job waits");
}

#[test]
fn a_normal_offer_in_hand_gives_way_to_a_high_one_that_is_a_delivery_away() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    let (running, queue) = full_and_paused(&mut case, &["scan=1.high"]);
    case.offer("scan=1.normal", 0, 1, 301);
    case.offer("scan=1.low", 0, 1, 301);
    case.at(301);
    case.desk.ended(running, &queue);
    let moves = case.at(310);
    assert_eq!(resumed(&moves), ["scan=1.high 2"]);
    assert_eq!(case.grant(moves), [], "what is free is for the high one");
    case.offer_again("scan=1.high", 0, 1, 313, true);
    let moves = case.at(313);
    assert_eq!(case.grant(moves)[0].0, "scan=1.high");
}

#[test]
fn a_queue_that_was_paused_while_one_of_its_jobs_started_still_waits() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    case.at(0);
    case.offer_again("scan=1.high", 0, 2, 0, true);
    let moves = case.at(0);
    let claim = moves.iter().find_map(|step| match step {
        Move::Claim(claim) => Some(claim.clone()),
        Move::Pause(_) | Move::Resume(..) | Move::Ack(_) | Move::Count(_) => None,
    });
    let claim = claim.unwrap();
    case.offer_again("scan=1.high", 0, 1, 0, true);
    assert!(case.at(10).contains(&Move::Pause(name("scan=1.high"))));
    case.desk.claimed(&claim, &[true]);
    case.offer("scan=1.normal", 0, 1, 11);
    case.desk.ended(claim.ids[0], &claim.queue);
    let moves = case.at(12);
    assert_eq!(resumed(&moves), ["scan=1.high 2"]);
    assert_eq!(case.grant(moves), [], "the normal one gives way");
}

#[test]
fn nothing_is_kept_for_a_high_queue_in_which_nobody_waits_any_more() {
    for told in [true, false] {
        let mut case = Case::new("scan=1", &["scan=1"]);
        let (running, queue) = full_and_paused(&mut case, &["scan=1.high"]);
        case.offer("scan=1.normal", 0, 1, 301);
        case.desk.ended(running, &queue);
        let high = name("scan=1.high");
        assert!(case.at(310).contains(&Move::Count(high.clone())));
        assert_eq!(case.at(311), []);
        if told {
            case.desk.counted(&high, 7);
            assert_eq!(case.at(312), [], "somebody waits there");
            case.desk.counted(&high, 0);
        }
        let moves = case.at(if told { 312 } else { 361 });
        assert_eq!(case.grant(moves)[0].0, "scan=1.normal", "told: {told}");
    }
}

#[test]
fn a_high_job_of_another_type_keeps_nobody_waiting() {
    let mut case = Case::new("scan=1,cpu=1", &["scan=1", "cpu=1"]);
    let (running, queue) = full_and_paused(&mut case, &["scan=1.high"]);
    case.offer("cpu=1.low", 0, 1, 301);
    case.desk.ended(running, &queue);
    let moves = case.at(310);
    assert_eq!(case.grant(moves)[0].0, "cpu=1.low");
}

#[test]
fn a_high_offer_looks_for_a_free_worker_sooner_unless_its_jobs_start_here() {
    let mut case = Case::new("scan=2", &["scan=1"]);
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 0);
    let moves = case.at(0);
    case.grant(moves);
    case.offer("scan=1.high", 0, 8, 1);
    let moves = case.at(1);
    assert_eq!(case.grant(moves)[0].1.len(), 1);
    case.offer("scan=1.normal", 0, 1, 1);
    assert_eq!(case.at(199), [], "one of them has started");
    assert!(case.at(201).contains(&Move::Pause(name("scan=1.high"))));

    let mut case = Case::new("scan=1", &["scan=1"]);
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 0);
    let moves = case.at(0);
    case.grant(moves);
    case.offer("scan=1.high", 0, 8, 1);
    case.offer("scan=1.normal", 0, 8, 1);
    let moves = case.at(51);
    assert!(moves.contains(&Move::Pause(name("scan=1.high"))), "{moves:?}");
    assert!(!moves.contains(&Move::Pause(name("scan=1.normal"))), "{moves:?}");
}

#[test]
fn after_sixteen_of_more_urgent_ones_a_less_urgent_one_has_its_turn() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    let started = always_more(&mut case, &["scan=1.high", "scan=1.normal", "scan=1.low"], 600);
    for band in ["normal", "low"] {
        let rows = started.split(|queue| queue.ends_with(band)).map(<[String]>::len);
        let rows: Vec<usize> = rows.collect();
        let longest = rows.iter().max().unwrap();
        assert!(*longest <= PASSES as usize + 2, "{longest} others before a {band} one");
    }
    let high = started.iter().filter(|queue| queue.ends_with("high")).count();
    assert!(high * 100 >= started.len() * 85, "{high} high ones of {}", started.len());
}

/// Each of these queues always has another job of 10 ms; what started, in order.
fn always_more(case: &mut Case, queues: &[&str], rounds: u64) -> Vec<String> {
    let (mut started, mut running) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let ms = round * 10;
        let moves = case.at(ms);
        for (id, queue) in running.drain(..) {
            case.desk.ended(id, &queue);
        }
        let mut granted = case.grant(moves);
        for queue in queues {
            let line = &case.desk.lines[&name(queue)];
            if line.consuming && line.held.is_empty() {
                case.offer(queue, 0, 1, ms);
            }
        }
        let moves = case.at(ms + 2);
        granted.extend(case.grant(moves));
        for (queue, ids) in granted {
            running.push((ids[0], name(&queue)));
            started.push(queue);
        }
    }
    started
}

#[test]
fn what_is_gathered_for_a_job_that_started_elsewhere_is_given_back_at_once() {
    let mut case = Case::new("cpu=4", &["cpu=1", "cpu=4"]);
    case.at(0);
    let small = name("cpu=1.normal");
    let ids = case.offer("cpu=1.normal", 0, 40, 0);
    let moves = case.at(0);
    case.grant(moves);
    case.offer("cpu=4.normal", 1, 1, 1);
    let mut next = 0;
    while case.desk.gathering().is_none() {
        case.desk.ended(ids[next], &small);
        next += 1;
        let moves = case.at(2);
        case.grant(moves);
    }
    assert_eq!(next, PASSES as usize + 1, "in the place of the last one nobody has started");
    let large = name("cpu=4.normal");
    assert!(case.at(210).contains(&Move::Pause(large.clone())), "others may have room");
    assert_eq!(case.desk.gathering(), Some(&large));
    assert_eq!(case.desk.free().units("cpu"), 1, "and what is free stays so");
    case.offer("cpu=1.normal", 0, 1, 211);
    let moves = case.at(211);
    assert_eq!(case.grant(moves), []);
    let asked = case.at(260);
    assert!(asked.contains(&Move::Count(large.clone())), "{asked:?}");
    case.desk.counted(&large, 0);
    let moves = case.at(261);
    assert_eq!(case.grant(moves).len(), 1, "the small one goes on");
}

#[test]
fn nobody_waits_for_a_queue_that_is_no_more() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    let (running, queue) = full_and_paused(&mut case, &["scan=1.high"]);
    case.offer("scan=1.normal", 0, 1, 301);
    case.desk.ended(running, &queue);
    case.at(310);
    case.desk.dropped(&name("scan=1.high"));
    let moves = case.at(311);
    assert_eq!(case.grant(moves)[0].0, "scan=1.normal");
}

#[test]
fn a_refused_claim_gives_its_room_back_at_once_and_counts_for_no_start() {
    let mut case = Case::new("cpu=2", &["cpu=1", "cpu=2"]);
    case.at(0);
    case.offer("cpu=1.high", 0, 1, 0);
    let moves = case.at(0);
    case.grant(moves);
    case.at(0);
    case.offer("cpu=2.normal", 0, 1, 0);
    for round in 0..40 {
        case.offer("cpu=1.normal", 0, 1, 1);
        let moves = case.at(1);
        let claim = moves.iter().find_map(|step| match step {
            Move::Claim(claim) => Some(claim.clone()),
            Move::Pause(_) | Move::Resume(..) | Move::Ack(_) | Move::Count(_) => None,
        });
        let claim = claim.unwrap_or_else(|| panic!("round {round}: {moves:?}"));
        case.desk.claimed(&claim, &[false]);
        assert_eq!(case.desk.free().units("cpu"), 1);
        assert_eq!(case.at(1), [Move::Ack(claim.offer)], "the offer is used up");
    }
    assert_eq!(case.desk.gathering(), None, "nobody was passed over");
}
