//! A simulation of several workers at a simple model of a broker, in steps of a millisecond.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::capacity::CapacityMap;

use super::*;
use crate::engine::admission::{Claim, OfferKey};

/// From a resumed consumer to its first delivery.
const RESUME_MS: u64 = 3;
/// From a claim to its answer.
const CLAIM_MS: u64 = 1;

/// A job: when it is ready, how long it takes, and when and on which worker it started.
#[derive(Debug, Clone)]
pub(super) struct SimulatedJob {
    /// Its place among all jobs.
    pub(super) number: u64,
    pub(super) queue: QueueName,
    pub(super) ready_ms: u64,
    pub(super) duration_ms: u64,
    pub(super) started: Option<(u64, usize)>,
}

struct SimulatedWorker {
    case: Case,
    total: CapacityMap,
    consumers: BTreeMap<QueueName, (u64, usize)>,
    unacked: BTreeMap<OfferKey, (QueueName, Offer)>,
    claims: Vec<(u64, Claim)>,
    running: Vec<(u64, JobId, QueueName)>,
}

/// The workers, the broker's queues, and the jobs.
pub(super) struct Simulation {
    ms: u64,
    workers: Vec<SimulatedWorker>,
    ready: BTreeMap<QueueName, VecDeque<(Offer, bool)>>,
    next_worker: usize,
    jobs: BTreeMap<JobId, SimulatedJob>,
    /// Future arrivals: when, the number and the id. The next one is the last.
    arrivals: Vec<(u64, u64, JobId)>,
    waiting: BTreeMap<QueueName, BTreeSet<(u64, JobId)>>,
    starts: Vec<JobId>,
    pub(super) longest_idle_ms: u64,
    idle: BTreeMap<(usize, QueueName), u64>,
}

impl Simulation {
    pub(super) fn new(workers: &[&str], classes: &[&str], jobs: Vec<SimulatedJob>) -> Simulation {
        let worker = |map: &&str| SimulatedWorker {
            case: Case::new(map, classes),
            total: map.parse().unwrap(),
            consumers: BTreeMap::new(),
            unacked: BTreeMap::new(),
            claims: Vec::new(),
            running: Vec::new(),
        };
        let jobs: BTreeMap<_, _> = jobs.into_iter().map(|job| (JobId::random(), job)).collect();
        let arrival = |(id, job): (&JobId, &SimulatedJob)| (job.ready_ms, job.number, *id);
        let mut arrivals: Vec<_> = jobs.iter().map(arrival).collect();
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

    /// Lets all workers know these queues instead.
    pub(super) fn discover(&mut self, queues: &[QueueName]) {
        for worker in &mut self.workers {
            worker.case.admission.discovered(queues);
        }
    }

    /// Runs until every job has started and ended.
    pub(super) fn run(&mut self) {
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
        while self.arrivals.last().is_some_and(|(at, ..)| *at <= now) {
            let (_, number, id) = self.arrivals.pop().unwrap();
            let queue = &self.jobs[&id].queue;
            let offer = Offer::new(Timestamp::from_ms(now as i64), number, vec![id]);
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
                let accepts = |worker: &SimulatedWorker| {
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
    pub(super) fn started(&self) -> Vec<&SimulatedJob> {
        self.starts.iter().map(|id| &self.jobs[id]).collect()
    }
}
