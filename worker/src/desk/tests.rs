mod fleet;
mod turns;

use super::turns::PASSES;
use super::*;
use proptest::prelude::*;
use domain::job::{Priority, Timestamp};

const HOLD: Duration = Duration::from_millis(250);

struct Case {
    desk: Desk,
    start: Instant,
}

impl Case {
    fn new(capacity: &str, classes: &[&str]) -> Case {
        let mut desk = Desk::new(capacity.parse().unwrap(), HOLD);
        let bands = ["high", "normal", "low"];
        let queues =
            classes.iter().flat_map(|class| bands.map(|band| name(&format!("{class}.{band}"))));
        desk.discovered(&queues.collect::<Vec<_>>());
        desk.connected(true);
        Case { desk, start: Instant::now() }
    }

    fn offer(&mut self, queue: &str, due_ms: i64, jobs: usize, ms: u64) -> Vec<JobId> {
        self.offer_again(queue, due_ms, jobs, ms, false)
    }

    fn offer_again(
        &mut self,
        queue: &str,
        due_ms: i64,
        jobs: usize,
        ms: u64,
        redelivered: bool,
    ) -> Vec<JobId> {
        let ids: Vec<JobId> = (0..jobs).map(|_| JobId::random()).collect();
        let offer = Offer::new(Timestamp::from_ms(due_ms), ids.clone());
        let now = self.start + Duration::from_millis(ms);
        self.desk.delivered(&name(queue), offer, redelivered, now);
        ids
    }

    fn at(&mut self, ms: u64) -> Vec<Move> {
        self.desk.moves(self.start + Duration::from_millis(ms))
    }

    /// The claims among the moves, each granted in full.
    fn grant(&mut self, moves: Vec<Move>) -> Vec<(String, Vec<JobId>)> {
        let mut granted = Vec::new();
        for step in moves {
            if let Move::Claim(claim) = step {
                let tried = vec![true; claim.max as usize];
                self.desk.claimed(&claim, &tried);
                let ids = claim.ids[..claim.max as usize].to_vec();
                granted.push((claim.queue.to_string(), ids));
            }
        }
        granted
    }
}

fn name(text: &str) -> QueueName {
    let (class, priority) = text.rsplit_once('.').unwrap();
    QueueName { class: class.to_owned().try_into().unwrap(), priority: priority.parse().unwrap() }
}

fn resumed(moves: &[Move]) -> Vec<String> {
    let resumed = moves.iter().filter_map(|step| match step {
        Move::Resume(queue, prefetch) => Some(format!("{queue} {prefetch}")),
        Move::Pause(_) | Move::Claim(_) | Move::Ack(_) | Move::Count(_) => None,
    });
    resumed.collect()
}

#[test]
fn it_consumes_what_fits_and_nothing_else() {
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
fn nothing_is_consumed_while_the_broker_is_away() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    case.desk.connected(false);
    assert_eq!(case.at(0), []);
    case.desk.connected(true);
    assert_eq!(case.at(1).len(), 3);
    case.offer("scan=1.normal", 0, 1, 2);
    case.desk.connected(false);
    assert_eq!(case.at(3), [], "what was held has been returned");
}

#[test]
fn a_job_is_claimed_before_its_offer_is_acked() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 1);
    let moves = case.at(1);
    assert!(matches!(&moves[..], [Move::Claim(claim)] if claim.max == 1));
    assert_eq!(case.at(2), [], "no ack while the claim is under way");
    case.grant(moves);
    assert_eq!(case.at(3), [Move::Ack(1)]);
}

#[test]
fn an_offer_without_room_pauses_its_queue_after_the_hold_and_only_that_queue() {
    let mut case = Case::new("scan=1,cpu=1", &["scan=1", "cpu=1"]);
    case.at(0);
    let first = case.offer("scan=1.normal", 0, 1, 1);
    let moves = case.at(1);
    case.grant(moves);
    case.offer("scan=1.normal", 0, 1, 10);
    assert_eq!(case.at(10), [Move::Ack(1)]);
    assert!(case.desk.deadline().is_some_and(|at| at <= case.start + Duration::from_millis(260)));
    let paused = case.at(260);
    assert!(paused.contains(&Move::Pause(name("scan=1.normal"))), "{paused:?}");
    assert!(
        !paused
            .iter()
            .any(|step| matches!(step, Move::Pause(queue) if queue.class.as_str() == "cpu=1"))
    );
    assert_eq!(case.at(500), [], "it stays paused");
    case.desk.ended(first[0], &name("scan=1.normal"));
    assert_eq!(resumed(&case.at(501)), ["scan=1.normal 2"], "what frees resumes it");
}

#[test]
fn an_offer_that_another_worker_returned_is_not_held_for_long() {
    let mut case = Case::new("scan=1", &["scan=1"]);
    case.at(0);
    case.offer("scan=1.normal", 0, 1, 0);
    let moves = case.at(0);
    case.grant(moves);
    case.offer_again("scan=1.normal", 0, 1, 1, true);
    case.at(1);
    assert!(case.at(26).contains(&Move::Pause(name("scan=1.normal"))));
}

#[test]
fn offers_are_admitted_by_priority_then_by_when_they_were_due() {
    let mut case = Case::new("cpu=4", &["cpu=1", "cpu=2"]);
    case.at(0);
    let late = case.offer("cpu=1.normal", 30, 1, 0);
    let early = case.offer("cpu=2.normal", 20, 1, 0);
    case.offer("cpu=2.low", 1, 1, 0);
    let high = case.offer("cpu=1.high", 99, 1, 0);
    let moves = case.at(0);
    let order: Vec<_> = case.grant(moves).into_iter().map(|(_, ids)| ids[0]).collect();
    assert_eq!(order, [high[0], early[0], late[0]], "and the low one has no room");
    assert_eq!(case.desk.free().units("cpu"), 0);
}

#[test]
fn of_an_offer_as_many_are_claimed_as_fit_and_stale_ones_make_way() {
    let mut case = Case::new("cpu=2", &["cpu=1"]);
    case.at(0);
    let ids = case.offer("cpu=1.normal", 0, 5, 0);
    let moves = case.at(0);
    let [Move::Claim(claim)] = &moves[..] else { panic!("{moves:?}") };
    assert_eq!((claim.max, &claim.ids), (2, &ids));
    case.desk.claimed(claim, &[false, true, false, true]);
    assert_eq!(case.at(1), [], "full, one is left");
    case.desk.ended(ids[1], &claim.queue);
    let moves = case.at(2);
    let [Move::Claim(claim)] = &moves[..] else { panic!("{moves:?}") };
    assert_eq!((claim.max, &claim.ids[..]), (1, &ids[4..]));
    case.desk.claimed(claim, &[false]);
    assert_eq!(case.at(3), [Move::Ack(1)]);
    assert_eq!(case.desk.free().units("cpu"), 1);
}

#[test]
fn a_second_offer_of_a_running_job_is_acked_unclaimed() {
    let mut case = Case::new("cpu=2", &["cpu=1"]);
    case.at(0);
    let ids = case.offer("cpu=1.normal", 0, 1, 0);
    let moves = case.at(0);
    case.grant(moves);
    case.at(0);
    let again = Offer::new(Timestamp::from_ms(0), ids);
    case.desk.delivered(&name("cpu=1.normal"), again, false, case.start);
    assert_eq!(case.at(1), [Move::Ack(2)]);
    assert_eq!(case.desk.free().units("cpu"), 1);
}

#[test]
fn a_large_job_gets_its_turn_among_small_ones_and_the_small_ones_theirs() {
    let mut case = Case::new("cpu=4", &["cpu=1", "cpu=4"]);
    let (small, large) = (name("cpu=1.normal"), name("cpu=4.normal"));
    let (mut running, mut ms, mut started) = (Vec::new(), 0, Vec::new());
    for _ in 0..400 {
        ms += 20;
        // Both queues always have more: what is consumed is offered.
        for queue in [&small, &large] {
            let line = &case.desk.lines[queue];
            if line.consuming && line.held.is_empty() {
                case.offer(&queue.to_string(), 0, 1, ms);
            }
        }
        let moves = case.at(ms);
        for (queue, ids) in case.grant(moves) {
            started.push(queue == large.to_string());
            running.push((
                ids[0],
                if queue == large.to_string() { large.clone() } else { small.clone() },
            ));
        }
        if !running.is_empty() {
            let (id, queue) = running.remove(0);
            case.desk.ended(id, &queue);
        }
    }
    let large_ones = started.iter().filter(|large| **large).count();
    let longest = started.split(|large| *large).map(<[bool]>::len).max().unwrap();
    assert!(large_ones >= 5, "{large_ones} large of {}", started.len());
    assert!(longest <= 48, "{longest} small ones in a row before a large one");
    assert!(started.len() - large_ones > large_ones, "small ones have their turn");
}

#[test]
fn closed_it_pauses_everything_and_takes_nothing() {
    let mut case = Case::new("cpu=2", &["cpu=1"]);
    case.at(0);
    case.offer("cpu=1.normal", 0, 1, 0);
    case.desk.close();
    assert_eq!(case.at(1).len(), 3);
    assert_eq!(case.at(2), []);
}

#[test]
fn an_offer_that_comes_again_while_it_is_being_claimed_is_not_used_up() {
    let mut case = Case::new("cpu=1", &["cpu=1"]);
    case.at(0);
    let ids = case.offer("cpu=1.normal", 0, 3, 0);
    let [Move::Claim(claim)] = &case.at(0)[..] else { panic!() };
    case.desk.connected(false);
    case.desk.connected(true);
    case.at(1);
    let again = Offer::new(Timestamp::from_ms(0), ids.clone());
    case.desk.delivered(&name("cpu=1.normal"), again, true, case.start);
    assert_eq!(case.at(1), [], "neither claimed nor acked before the first claim is answered");
    case.desk.claimed(claim, &[true]);
    assert!(!case.at(2).contains(&Move::Ack(2)), "two of its jobs still wait");
    case.desk.ended(ids[0], &claim.queue);
    let moves = case.at(3);
    assert!(moves.iter().any(|step| matches!(step, Move::Claim(claim) if claim.ids == ids[1..])));
}

/// A broker, a store and jobs, as simple as they can be, around one desk.
struct Fleet {
    case: Case,
    ms: u64,
    ready: BTreeMap<QueueName, Vec<(Offer, bool)>>,
    unacked: BTreeMap<OfferKey, (QueueName, Offer)>,
    consuming: BTreeMap<QueueName, usize>,
    claims: Vec<Claim>,
    waiting: HashSet<JobId>,
    running: Vec<(JobId, QueueName)>,
}

impl Fleet {
    /// Lets some time pass: delivers what may be delivered and carries out what the desk says.
    fn step(&mut self) {
        self.ms += 7;
        for (queue, prefetch) in self.consuming.clone() {
            let held = self.unacked.values().filter(|(of, _)| *of == queue).count();
            for _ in held..prefetch {
                let Some(ready) = self.ready.get_mut(&queue).filter(|ready| !ready.is_empty())
                else {
                    break;
                };
                let (offer, redelivered) = ready.remove(0);
                let now = self.case.start + Duration::from_millis(self.ms);
                let key = self.case.desk.delivered(&queue, offer.clone(), redelivered, now);
                self.unacked.insert(key, (queue.clone(), offer));
            }
        }
        for step in self.case.at(self.ms) {
            match step {
                Move::Resume(queue, prefetch) => {
                    self.consuming.insert(queue, prefetch.into());
                }
                Move::Pause(queue) => self.pause(&queue),
                Move::Claim(claim) => self.claims.push(claim),
                Move::Ack(key) => {
                    self.unacked.remove(&key);
                }
                Move::Count(queue) => self.case.desk.counted(&queue, self.waiting.len() as u64),
            }
        }
    }

    fn pause(&mut self, queue: &QueueName) {
        self.consuming.remove(queue);
        let (back, kept): (BTreeMap<_, _>, _) =
            std::mem::take(&mut self.unacked).into_iter().partition(|(_, (of, _))| of == queue);
        self.unacked = kept;
        let ready = self.ready.entry(queue.clone()).or_default();
        ready.splice(0..0, back.into_values().map(|(_, offer)| (offer, true)));
    }

    fn answer(&mut self, which: usize) {
        if self.claims.is_empty() {
            return;
        }
        let claim = self.claims.remove(which % self.claims.len());
        let (mut tried, mut claimed) = (Vec::new(), 0);
        for id in &claim.ids {
            if claimed == claim.max {
                break;
            }
            let mine = self.waiting.remove(id);
            claimed += u32::from(mine);
            tried.push(mine);
            self.running.extend(mine.then(|| (*id, claim.queue.clone())));
        }
        self.case.desk.claimed(&claim, &tried);
    }

    fn end(&mut self, which: usize) {
        if !self.running.is_empty() {
            let (id, queue) = self.running.remove(which % self.running.len());
            self.case.desk.ended(id, &queue);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_is_delayed_or_returned_every_job_runs_once_and_no_offer_is_used_up_before(
        offers in prop::collection::vec((0usize..4, 1usize..8, prop::bool::ANY), 1..30),
        steps in prop::collection::vec((0u8..5, 0usize..8), 1..300),
    ) {
        let queues = ["cpu=1.normal", "cpu=2.high", "cpu=3.low", "scan=2.normal"];
        let case = Case::new("cpu=3,scan=2", &["cpu=1", "cpu=2", "cpu=3", "scan=2"]);
        let mut fleet = Fleet {
            case, ms: 0, ready: BTreeMap::new(), unacked: BTreeMap::new(), consuming: BTreeMap::new(),
            claims: Vec::new(), waiting: HashSet::new(), running: Vec::new(),
        };
        for (which, count, doubled) in offers {
            let ids: Vec<JobId> = (0..count).map(|_| JobId::random()).collect();
            fleet.waiting.extend(&ids);
            let ready = fleet.ready.entry(name(queues[which])).or_default();
            for _ in 0..=usize::from(doubled) {
                ready.push((Offer::new(Timestamp::from_ms(0), ids.clone()), false));
            }
        }
        for (kind, which) in steps {
            match kind {
                0 => fleet.answer(which),
                1 => fleet.end(which),
                2 => fleet.ms += 100,
                3 => { // the line to the broker is cut
                    fleet.case.desk.connected(false);
                    for queue in fleet.consuming.clone().keys() { fleet.pause(queue); }
                    fleet.case.desk.connected(true);
                }
                _ => {}
            }
            fleet.step();
        }
        for round in 0..1_000 {
            fleet.step();
            fleet.answer(round);
            if round % 3 == 0 { fleet.end(round); }
        }
        prop_assert!(fleet.waiting.is_empty(), "{} jobs never ran", fleet.waiting.len());
        prop_assert!(fleet.running.is_empty() && fleet.claims.is_empty());
        prop_assert!(fleet.unacked.is_empty() && fleet.ready.values().all(Vec::is_empty), "offers are left");
        prop_assert_eq!(fleet.case.desk.free().to_string(), "cpu=3,scan=2");
    }

    #[test]
    fn whatever_happens_capacity_is_kept_and_comes_back(steps in prop::collection::vec((0u8..6, 0usize..4, 1usize..6), 1..200)) {
        let queues = ["cpu=1.normal", "cpu=2.high", "cpu=1+scan=1.low", "scan=2.normal"];
        let mut case = Case::new("cpu=3,scan=2", &["cpu=1", "cpu=2", "cpu=1+scan=1", "scan=2"]);
        let (mut running, mut claims, mut ms) = (Vec::<(JobId, QueueName)>::new(), Vec::<Claim>::new(), 0);
        for (kind, which, count) in steps {
            ms += 40;
            match kind {
                0 | 1 => { case.offer(queues[which], ms as i64, count, ms); }
                2 | 3 => if let Some(claim) = claims.pop() {
                    let tried: Vec<bool> = (0..claim.ids.len().min(count)).map(|i| i < claim.max as usize).collect();
                    for (id, _) in claim.ids.iter().zip(&tried).filter(|(_, mine)| **mine) {
                        running.push((*id, claim.queue.clone()));
                    }
                    case.desk.claimed(&claim, &tried);
                }
                4 => if !running.is_empty() {
                    let (id, queue) = running.remove(which % running.len());
                    case.desk.ended(id, &queue);
                }
                _ => case.desk.connected(which != 0),
            }
            for step in case.at(ms) {
                if let Move::Claim(claim) = step { claims.push(claim); }
            }
            let mut used = CapacityMap::default();
            for (_, queue) in &running { used.give(&queue.class.need(), 1); }
            prop_assert!(used.units("cpu") <= 3 && used.units("scan") <= 2, "{used}");
        }
        for claim in claims { case.desk.claimed(&claim, &[]); }
        for (id, queue) in running { case.desk.ended(id, &queue); }
        prop_assert_eq!(case.desk.free().to_string(), "cpu=3,scan=2");
        prop_assert!(case.desk.claiming.is_empty() && case.desk.running.is_empty());
    }
}
