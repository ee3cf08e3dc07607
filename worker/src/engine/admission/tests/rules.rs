//! The rules of the admission, one test each.

use super::*;

#[test]
fn only_queues_whose_jobs_fit_are_consumed() {
    let mut case =
        Case::new("cpu=40,scan=1", &["cpu=2", "gpu=1", "cpu=2+gpu=1", "scan=1", "scan=2"]);
    assert_eq!(
        resumed(&case.at(0)),
        [
            "cpu=2.high 6",
            "scan=1.high 2",
            "cpu=2.normal 6",
            "scan=1.normal 2",
            "cpu=2.low 5",
            "scan=1.low 1"
        ]
    );
    assert_eq!(case.at(1), []);
}

#[test]
fn nothing_is_consumed_while_the_broker_is_disconnected() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    case.admission.set_connected(false);
    assert_eq!(case.at(0), []);
    case.admission.set_connected(true);
    assert_eq!(case.at(1).len(), 3);
    case.offer("scan=1.normal", 0, 1, 2);
    case.admission.set_connected(false);
    assert_eq!(case.at(3), [], "the broker has taken back what was held");
}

#[test]
fn a_job_is_claimed_before_its_offer_is_acknowledged() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 1);
    let commands = case.at(1);
    assert!(matches!(&commands[..], [Command::Claim(claim)] if claim.max == 1));
    assert_eq!(case.at(2), [], "no ack while the claim is in progress");
    case.grant(commands);
    assert_eq!(case.at(3), [Command::Ack(1)]);
}

#[test]
fn an_offer_that_does_not_fit_pauses_only_its_queue_after_the_hold() {
    let mut case = Case::new("scan=1,cpu=1", &["scan=1", "cpu=1"]);
    case.at(0);
    let first = case.offer("scan=1.normal", 0, 1, 1);
    case.grant_at(1);
    case.offer("scan=1.normal", 0, 1, 10);
    assert_eq!(case.at(10), [Command::Ack(1)]);
    assert!(
        case.admission.deadline().is_some_and(|at| at <= case.start + Duration::from_millis(260))
    );
    let paused = case.at(260);
    assert!(paused.contains(&Command::Pause(name("scan=1.normal"))), "{paused:?}");
    assert!(!paused.iter().any(
        |command| matches!(command, Command::Pause(queue) if queue.class.as_str() == "cpu=1")
    ));
    assert_eq!(case.at(500), [], "it stays paused");
    case.admission.job_ended(first[0], &name("scan=1.normal"));
    assert_eq!(resumed(&case.at(501)), ["scan=1.normal 2"], "freed capacity resumes it");
}

#[test]
fn a_redelivered_offer_is_held_only_for_a_moment() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 0);
    case.grant_at(0);
    case.redeliver("scan=1.normal", 1, 1);
    case.at(1);
    assert!(case.at(26).contains(&Command::Pause(name("scan=1.normal"))));
}

#[test]
fn offers_are_claimed_by_priority_then_by_schedule() {
    let mut case = Case::new("cpu=4", &["cpu=1", "cpu=2"]);
    case.at(0);
    let late = case.offer("cpu=1.normal", 30, 1, 0);
    let early = case.offer("cpu=2.normal", 20, 1, 0);
    case.offer("cpu=2.low", 1, 1, 0);
    let high = case.offer("cpu=1.high", 99, 1, 0);
    let order: Vec<_> = case.grant_at(0).into_iter().map(|(_, ids)| ids[0]).collect();
    assert_eq!(order, [high[0], early[0], late[0]], "the low one does not fit");
    assert_eq!(case.admission.free().units("cpu"), 0);
}

#[test]
fn an_offers_jobs_are_claimed_as_they_fit_and_stale_ids_are_skipped() {
    let mut case = Case::new("cpu=2", &["cpu=1"]);
    case.at(0);
    let ids = case.offer("cpu=1.normal", 0, 5, 0);
    let commands = case.at(0);
    let [Command::Claim(claim)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((claim.max, &claim.ids), (2, &ids));
    case.admission.claim_answered(claim, &[false, true, false, true]);
    assert_eq!(case.at(1), [], "the worker is full, and one job is left");
    case.admission.job_ended(ids[1], &claim.queue);
    let commands = case.at(2);
    let [Command::Claim(claim)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((claim.max, &claim.ids[..]), (1, &ids[4..]));
    case.admission.claim_answered(claim, &[false]);
    assert_eq!(case.at(3), [Command::Ack(1)]);
    assert_eq!(case.admission.free().units("cpu"), 1);
}

#[test]
fn a_second_offer_of_a_running_job_is_acknowledged_without_a_claim() {
    let mut case = Case::new("cpu=2", &["cpu=1"]);
    case.at(0);
    let ids = case.offer("cpu=1.normal", 0, 1, 0);
    case.grant_at(0);
    case.at(0);
    let again = Offer::new(Timestamp::from_ms(0), 0, ids);
    case.admission.delivered(&name("cpu=1.normal"), again, false, case.start);
    assert_eq!(case.at(1), [Command::Ack(2)]);
    assert_eq!(case.admission.free().units("cpu"), 1);
}

#[test]
fn a_large_job_and_small_ones_alternate_when_both_queues_are_always_full() {
    let mut case = Case::new("cpu=4", &["cpu=1", "cpu=4"]);
    let (small, large) = (name("cpu=1.normal"), name("cpu=4.normal"));
    let (mut running, mut ms, mut started) = (Vec::new(), 0, Vec::new());
    for _ in 0..400 {
        ms += 20;
        // Both queues always have more jobs.
        for queue in [&small, &large] {
            let state = &case.admission.queues[queue];
            if state.consuming && state.held.is_empty() {
                case.offer(&queue.to_string(), 0, 1, ms);
            }
        }
        let commands = case.at(ms);
        for (queue, ids) in case.grant(commands) {
            started.push(queue == large.to_string());
            running.push((
                ids[0],
                if queue == large.to_string() { large.clone() } else { small.clone() },
            ));
        }
        if !running.is_empty() {
            let (id, queue) = running.remove(0);
            case.admission.job_ended(id, &queue);
        }
    }
    let large_ones = started.iter().filter(|large| **large).count();
    let longest = started.split(|large| *large).map(<[bool]>::len).max().unwrap();
    assert!(large_ones >= 5, "{large_ones} large of {}", started.len());
    assert!(longest <= 48, "{longest} small ones in a row before a large one");
    assert!(started.len() - large_ones > large_ones, "most jobs are small ones");
}

#[test]
fn a_closed_admission_pauses_every_queue_and_claims_nothing() {
    let mut case = Case::new("cpu=2", &["cpu=1"]);
    case.at(0);
    case.offer("cpu=1.normal", 0, 1, 0);
    case.admission.close();
    assert_eq!(case.at(1).len(), 3);
    assert_eq!(case.at(2), []);
}

#[test]
fn a_second_offer_of_jobs_that_are_being_claimed_waits_for_the_answer() {
    let mut case = Case::new("cpu=1", &["cpu=1"]);
    case.at(0);
    let ids = case.offer("cpu=1.normal", 0, 3, 0);
    let [Command::Claim(claim)] = &case.at(0)[..] else { panic!() };
    case.admission.set_connected(false);
    case.admission.set_connected(true);
    case.at(1);
    let again = Offer::new(Timestamp::from_ms(0), 0, ids.clone());
    case.admission.delivered(&name("cpu=1.normal"), again, true, case.start);
    assert_eq!(
        case.at(1),
        [],
        "neither claimed nor acknowledged before the first claim is answered"
    );
    case.admission.claim_answered(claim, &[true]);
    assert!(!case.at(2).contains(&Command::Ack(2)), "two of its jobs are left");
    case.admission.job_ended(ids[0], &claim.queue);
    let commands = case.at(3);
    assert!(
        commands
            .iter()
            .any(|command| matches!(command, Command::Claim(claim) if claim.ids == ids[1..]))
    );
}

#[test]
fn a_consumer_that_delivers_nothing_while_jobs_wait_is_started_again() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    let queue = name("scan=1.normal");
    let restarted = |commands: &[Command]| {
        let own = |command: &&Command| match command {
            Command::Pause(of) | Command::Resume(of, _) => *of == queue,
            Command::Claim(_) | Command::Ack(_) | Command::Count(_) => false,
        };
        commands.iter().filter(own).count() == 2
    };
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 5_000);
    let ids = case.grant_at(5_000).remove(0).1;
    case.admission.job_ended(ids[0], &queue);
    case.at(5_001);
    assert!(!case.at(14_999).contains(&Command::Count(queue.clone())), "it delivered at 5 s");
    assert!(case.at(15_000).contains(&Command::Count(queue.clone())));
    case.admission.counted(&queue, 0);
    assert!(!restarted(&case.at(15_001)), "no job waits");
    assert!(case.at(25_000).contains(&Command::Count(queue.clone())));
    case.admission.counted(&queue, 1);
    assert!(restarted(&case.at(25_001)));
    case.admission.counted(&queue, 1);
    assert!(!restarted(&case.at(25_002)), "it was just started again");
    assert!(case.at(35_001).contains(&Command::Count(queue.clone())));
    case.offer("scan=1.normal", 0, 1, 35_002);
    case.admission.counted(&queue, 1);
    assert!(!restarted(&case.at(35_003)), "it delivers again");
}
