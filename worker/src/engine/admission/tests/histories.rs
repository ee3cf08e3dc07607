//! Random histories: every job runs and no capacity is lost when claims are delayed or refused and
//! offers are redelivered.

use std::collections::{BTreeMap, HashSet};

use domain::capacity::CapacityMap;
use proptest::prelude::*;

use super::*;
use crate::engine::admission::{Claim, OfferKey};

/// A simple model of a broker, a store and running jobs, around one admission.
struct BrokerModel {
    case: Case,
    ms: u64,
    ready: BTreeMap<QueueName, Vec<(Offer, bool)>>,
    unacked: BTreeMap<OfferKey, (QueueName, Offer)>,
    consuming: BTreeMap<QueueName, usize>,
    claims: Vec<Claim>,
    waiting: HashSet<JobId>,
    running: Vec<(JobId, QueueName)>,
}

impl BrokerModel {
    fn new(case: Case) -> BrokerModel {
        BrokerModel {
            case,
            ms: 0,
            ready: BTreeMap::new(),
            unacked: BTreeMap::new(),
            consuming: BTreeMap::new(),
            claims: Vec::new(),
            waiting: HashSet::new(),
            running: Vec::new(),
        }
    }

    /// Loses the connection to the broker and makes a new one.
    fn reconnect(&mut self) {
        self.case.admission.set_connected(false);
        for queue in self.consuming.clone().keys() {
            self.pause(queue);
        }
        self.case.admission.set_connected(true);
    }

    /// Advances the clock, delivers offers, and carries out the commands that follow.
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
                let now = self.case.moment(self.ms);
                let key = self.case.admission.delivered(&queue, offer.clone(), redelivered, now);
                self.unacked.insert(key, (queue.clone(), offer));
            }
        }
        for command in self.case.at(self.ms) {
            match command {
                Command::Resume(queue, prefetch) => {
                    self.consuming.insert(queue, prefetch.into());
                }
                Command::Pause(queue) => self.pause(&queue),
                Command::Claim(claim) => self.claims.push(claim),
                Command::Ack(key) => {
                    self.unacked.remove(&key);
                }
                Command::Count(queue) => {
                    self.case.admission.counted(&queue, self.waiting.len() as u64);
                }
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
        let (mut claimed, mut count) = (Vec::new(), 0);
        for id in &claim.ids {
            if count == claim.max {
                break;
            }
            let mine = self.waiting.remove(id);
            count += u32::from(mine);
            claimed.push(mine);
            self.running.extend(mine.then(|| (*id, claim.queue.clone())));
        }
        self.case.admission.claim_answered(&claim, &claimed);
    }

    fn end(&mut self, which: usize) {
        if !self.running.is_empty() {
            let (id, queue) = self.running.remove(which % self.running.len());
            self.case.admission.job_ended(id, &queue);
        }
    }
}

/// An offer: the number of its queue, the number of its jobs, and whether it is doubled.
type RandomOffer = (usize, usize, bool);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_job_runs_once_and_no_offer_is_acknowledged_before(
        offers in prop::collection::vec((0usize..4, 1usize..8, prop::bool::ANY), 1..30),
        steps in prop::collection::vec((0u8..5, 0usize..8), 1..300),
    ) {
        run_all_jobs(offers, steps)?;
    }

    #[test]
    fn capacity_is_never_exceeded_and_is_free_again_at_the_end(
        steps in prop::collection::vec((0u8..6, 0usize..4, 1usize..6), 1..200),
    ) {
        use_capacity(steps)?;
    }
}

fn run_all_jobs(offers: Vec<RandomOffer>, steps: Vec<(u8, usize)>) -> Result<(), TestCaseError> {
    let queues = ["cpu=1.normal", "cpu=2.high", "cpu=3.low", "scan=2.normal"];
    let case = Case::new("cpu=3,scan=2", &["cpu=1", "cpu=2", "cpu=3", "scan=2"]);
    let mut model = BrokerModel::new(case);
    for (queue, count, doubled) in offers {
        let ids = job_ids(count);
        model.waiting.extend(&ids);
        let ready = model.ready.entry(name(queues[queue])).or_default();
        for _ in 0..=usize::from(doubled) {
            ready.push((Offer::new(Timestamp::from_ms(0), 0, ids.clone()), false));
        }
    }
    for (kind, which) in steps {
        match kind {
            0 => model.answer(which),
            1 => model.end(which),
            2 => model.ms += 100,
            3 => model.reconnect(),
            _ => {}
        }
        model.step();
    }
    for round in 0..1_000 {
        model.step();
        model.answer(round);
        if round % 3 == 0 {
            model.end(round);
        }
    }
    prop_assert!(model.waiting.is_empty(), "{} jobs never ran", model.waiting.len());
    prop_assert!(model.running.is_empty() && model.claims.is_empty());
    let acknowledged = model.unacked.is_empty() && model.ready.values().all(Vec::is_empty);
    prop_assert!(acknowledged, "offers are left");
    prop_assert_eq!(model.case.admission.free().to_string(), "cpu=3,scan=2");
    Ok(())
}

fn use_capacity(steps: Vec<(u8, usize, usize)>) -> Result<(), TestCaseError> {
    let queues = ["cpu=1.normal", "cpu=2.high", "cpu=1+scan=1.low", "scan=2.normal"];
    let mut case = Case::new("cpu=3,scan=2", &["cpu=1", "cpu=2", "cpu=1+scan=1", "scan=2"]);
    let mut running: Vec<(JobId, QueueName)> = Vec::new();
    let (mut claims, mut ms) = (Vec::<Claim>::new(), 0);
    for (kind, which, count) in steps {
        ms += 40;
        match kind {
            0 | 1 => drop(case.offer(queues[which], ms as i64, count, ms)),
            2 | 3 => {
                if let Some(claim) = claims.pop() {
                    let tried = 0..claim.ids.len().min(count);
                    let claimed: Vec<bool> = tried.map(|at| at < claim.max as usize).collect();
                    for (id, _) in claim.ids.iter().zip(&claimed).filter(|(_, mine)| **mine) {
                        running.push((*id, claim.queue.clone()));
                    }
                    case.admission.claim_answered(&claim, &claimed);
                }
            }
            4 => {
                if !running.is_empty() {
                    let (id, queue) = running.remove(which % running.len());
                    case.admission.job_ended(id, &queue);
                }
            }
            _ => case.admission.set_connected(which != 0),
        }
        claims.extend(case.at(ms).into_iter().filter_map(|command| match command {
            Command::Claim(claim) => Some(claim),
            Command::Resume(..) | Command::Pause(_) | Command::Ack(_) | Command::Count(_) => None,
        }));
        let mut used = CapacityMap::default();
        for (_, queue) in &running {
            used.give(&queue.class.need(), 1);
        }
        prop_assert!(used.units("cpu") <= 3 && used.units("scan") <= 2, "{used}");
    }
    for claim in claims {
        case.admission.claim_answered(&claim, &[]);
    }
    for (id, queue) in running {
        case.admission.job_ended(id, &queue);
    }
    prop_assert_eq!(case.admission.free().to_string(), "cpu=3,scan=2");
    prop_assert!(case.admission.claiming.is_empty() && case.admission.running.is_empty());
    Ok(())
}
