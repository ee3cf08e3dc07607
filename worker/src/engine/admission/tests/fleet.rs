//! Several workers at a simple model of a broker, in steps of a millisecond: when jobs start on the
//! whole fleet, for random arrivals and durations.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::capacity::CapacityMap;
use domain::job::Priority;
use proptest::prelude::*;

use super::*;
use crate::engine::admission::fairness::MAX_OVERTAKEN;
use crate::engine::admission::{Claim, OfferKey};

/// From a resumed consumer to its first delivery.
const RESUME_MS: u64 = 3;
/// From a claim to its answer.
const CLAIM_MS: u64 = 1;

#[derive(Debug, Clone)]
struct Job {
    queue: QueueName,
    ready_ms: u64,
    duration_ms: u64,
    started: Option<(u64, usize)>,
}

struct Worker {
    case: Case,
    total: CapacityMap,
    consumers: BTreeMap<QueueName, (u64, usize)>,
    unacked: BTreeMap<OfferKey, (QueueName, Offer)>,
    claims: Vec<(u64, Claim)>,
    running: Vec<(u64, JobId, QueueName)>,
}

/// The workers, the broker's queues, and the jobs.
struct Simulation {
    ms: u64,
    workers: Vec<Worker>,
    ready: BTreeMap<QueueName, VecDeque<(Offer, bool)>>,
    next_worker: usize,
    jobs: BTreeMap<JobId, Job>,
    /// Future arrivals, the next one last.
    arrivals: Vec<(u64, JobId)>,
    waiting: BTreeMap<QueueName, BTreeSet<(u64, JobId)>>,
    starts: Vec<JobId>,
    longest_idle_ms: u64,
    idle: BTreeMap<(usize, QueueName), u64>,
}

impl Simulation {
    fn new(workers: &[&str], classes: &[&str], jobs: Vec<Job>) -> Simulation {
        let worker = |map: &&str| Worker {
            case: Case::new(map, classes),
            total: map.parse().unwrap(),
            consumers: BTreeMap::new(),
            unacked: BTreeMap::new(),
            claims: Vec::new(),
            running: Vec::new(),
        };
        let jobs: BTreeMap<_, _> = jobs.into_iter().map(|job| (JobId::random(), job)).collect();
        let mut arrivals: Vec<_> = jobs.iter().map(|(id, job)| (job.ready_ms, *id)).collect();
        arrivals.sort_by(|one, other| other.cmp(one));
        Simulation {
            ms: 0,
            workers: workers.iter().map(worker).collect(),
            ready: BTreeMap::new(),
            next_worker: 0,
            jobs,
            arrivals,
            waiting: BTreeMap::new(),
            starts: Vec::new(),
            longest_idle_ms: 0,
            idle: BTreeMap::new(),
        }
    }

    /// Runs until every job has started and ended.
    fn run(&mut self) {
        while self.starts.len() < self.jobs.len() {
            assert!(self.ms < 600_000, "{} of {} start", self.starts.len(), self.jobs.len());
            self.step();
        }
        while self.workers.iter().any(|worker| !worker.running.is_empty()) {
            self.step();
        }
        for worker in &self.workers {
            assert_eq!(worker.case.admission.free(), worker.total);
        }
    }

    fn step(&mut self) {
        let now = self.ms;
        while self.arrivals.last().is_some_and(|(at, _)| *at <= now) {
            let (_, id) = self.arrivals.pop().unwrap();
            let queue = &self.jobs[&id].queue;
            let offer = Offer::new(Timestamp::from_ms(now as i64), vec![id]);
            self.ready.entry(queue.clone()).or_default().push_back((offer, false));
            self.waiting.entry(queue.clone()).or_default().insert((now, id));
        }
        self.deliver();
        for index in 0..self.workers.len() {
            self.answer_claims_and_end_jobs(index);
            for command in self.workers[index].case.at(now) {
                self.carry_out(index, command);
            }
        }
        self.measure_idle_time();
        self.ms += 1;
    }

    /// Delivers offers to the consumers in turn, up to their prefetch.
    fn deliver(&mut self) {
        let (now, count) = (self.ms, self.workers.len());
        for (queue, offers) in &mut self.ready {
            while !offers.is_empty() {
                let accepts = |worker: &Worker| {
                    let held = worker.unacked.values().filter(|(of, _)| of == queue).count();
                    let consumer = worker.consumers.get(queue);
                    consumer.is_some_and(|(since, most)| *since <= now && held < *most)
                };
                let order = (0..count).map(|step| (self.next_worker + step) % count);
                let Some(next) = order.into_iter().find(|index| accepts(&self.workers[*index]))
                else {
                    break;
                };
                self.next_worker = next + 1;
                let (offer, again) = offers.pop_front().unwrap();
                let worker = &mut self.workers[next];
                let at = worker.case.start + Duration::from_millis(now);
                let key = worker.case.admission.delivered(queue, offer.clone(), again, at);
                worker.unacked.insert(key, (queue.clone(), offer));
            }
        }
    }

    fn answer_claims_and_end_jobs(&mut self, index: usize) {
        let (now, worker) = (self.ms, &mut self.workers[index]);
        let (over, running) = std::mem::take(&mut worker.running)
            .into_iter()
            .partition(|(until, _, _)| *until <= now);
        worker.running = running;
        let over: Vec<(u64, JobId, QueueName)> = over;
        for (_, id, queue) in over {
            worker.case.admission.job_ended(id, &queue);
        }
        let (due, claims) =
            std::mem::take(&mut worker.claims).into_iter().partition(|(at, _)| *at <= now);
        worker.claims = claims;
        let due: Vec<(u64, Claim)> = due;
        for (_, claim) in due {
            let id = claim.ids[0];
            let job = self.jobs.get_mut(&id).unwrap();
            let mine = job.started.is_none();
            if mine {
                job.started = Some((now, index));
                self.starts.push(id);
                self.waiting.entry(claim.queue.clone()).or_default().remove(&(job.ready_ms, id));
                worker.running.push((now + job.duration_ms, id, claim.queue.clone()));
            }
            worker.case.admission.claim_answered(&claim, &[mine]);
        }
        let mut used = CapacityMap::default();
        for (_, _, queue) in &worker.running {
            used.give(&queue.class.need(), 1);
        }
        assert!(used.iter().all(|(name, units)| units <= worker.total.units(name)), "{used}");
    }

    fn carry_out(&mut self, index: usize, command: Command) {
        let (now, worker) = (self.ms, &mut self.workers[index]);
        match command {
            Command::Resume(queue, most) => {
                worker.consumers.insert(queue, (now + RESUME_MS, most.into()));
            }
            Command::Pause(queue) => {
                worker.consumers.remove(&queue);
                let back: Vec<OfferKey> = worker
                    .unacked
                    .iter()
                    .rev()
                    .filter(|(_, (of, _))| *of == queue)
                    .map(|(key, _)| *key)
                    .collect();
                for key in back {
                    let (queue, offer) = worker.unacked.remove(&key).unwrap();
                    self.ready.entry(queue).or_default().push_front((offer, true));
                }
            }
            Command::Claim(claim) => worker.claims.push((now + CLAIM_MS, claim)),
            Command::Ack(key) => drop(worker.unacked.remove(&key)),
            Command::Count(queue) => {
                let count = self.waiting.get(&queue).map_or(0, BTreeSet::len);
                worker.case.admission.counted(&queue, count as u64);
            }
        }
    }

    /// Measures for how long a worker has had free capacity for the oldest job of a queue.
    fn measure_idle_time(&mut self) {
        let oldest = self.waiting.iter().filter_map(|(queue, jobs)| Some((queue, jobs.first()?.0)));
        let oldest: Vec<(&QueueName, u64)> = oldest.collect();
        let now = self.ms;
        for (index, worker) in self.workers.iter().enumerate() {
            let free = worker.case.admission.free();
            self.idle.retain(|(of, queue), _| *of != index || free.fits(&queue.class.need()) > 0);
            for (queue, ready) in &oldest {
                if free.fits(&queue.class.need()) == 0 {
                    continue;
                }
                let since = *self.idle.entry((index, (*queue).clone())).or_insert(now);
                self.longest_idle_ms = self.longest_idle_ms.max(now - since.max(*ready));
            }
        }
    }

    /// Returns the jobs in the order of their starts.
    fn started(&self) -> Vec<&Job> {
        self.starts.iter().map(|id| &self.jobs[id]).collect()
    }
}

fn job(queue: &str, ready_ms: u64, duration_ms: u64) -> Job {
    Job { queue: name(queue), ready_ms, duration_ms, started: None }
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
        for (place, one) in started.iter().enumerate() {
            if one.queue.priority == Priority::High {
                // Half of the hold for finding a worker; then each worker may be about to start one.
                let late = one.ready_ms + 125;
                let others = started[..place].iter().filter(|other| {
                    other.queue != one.queue && other.started.unwrap().0 > late
                });
                let (count, fleet) = (others.count(), maps.len());
                prop_assert!(count <= fleet, "{count} normal ones after {one:?} by {fleet} workers");
            }
        }
        prop_assert!(simulation.longest_idle_ms <= 250, "idle for {} ms", simulation.longest_idle_ms);
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
        // While both queues are full; at the end the last high offers may be held by a full worker.
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
        let place = started.iter().position(|job| job.queue == name(one)).unwrap();
        let passed = started[..place].iter().filter(|job| job.started.unwrap().0 >= large.1);
        // On each worker: the overtaking jobs, those that fitted beside them, and those that started
        // while the offer moved from worker to worker.
        let (passed, most) = (passed.count(), workers * (MAX_OVERTAKEN as usize + 8 + 24));
        prop_assert!(passed <= most, "{passed} small jobs overtook it, at most {most}");
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
