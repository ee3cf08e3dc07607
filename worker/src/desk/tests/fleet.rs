//! Several desks around one broker, as simple as it can be, in steps of a millisecond: who starts when, on all of them
//! together, whatever comes in which order and however long it runs.

use std::collections::{BTreeSet, VecDeque};

use super::*;

/// From `Resume` to the first delivery, and from a claim to its answer.
const RESUME_MS: u64 = 3;
const CLAIM_MS: u64 = 1;

#[derive(Debug, Clone)]
struct Job {
    queue: QueueName,
    ready_ms: u64,
    length_ms: u64,
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
struct World {
    ms: u64,
    workers: Vec<Worker>,
    ready: BTreeMap<QueueName, VecDeque<(Offer, bool)>>,
    turn: usize,
    jobs: BTreeMap<JobId, Job>,
    /// Those to come, the next one last.
    to_come: Vec<(u64, JobId)>,
    waiting: BTreeMap<QueueName, BTreeSet<(u64, JobId)>>,
    starts: Vec<JobId>,
    longest_idle_ms: u64,
    idle: BTreeMap<(usize, QueueName), u64>,
}

impl World {
    fn new(workers: &[&str], classes: &[&str], jobs: Vec<Job>) -> World {
        let worker = |map: &&str| Worker {
            case: Case::new(map, classes),
            total: map.parse().unwrap(),
            consumers: BTreeMap::new(),
            unacked: BTreeMap::new(),
            claims: Vec::new(),
            running: Vec::new(),
        };
        let jobs: BTreeMap<_, _> = jobs.into_iter().map(|job| (JobId::random(), job)).collect();
        let mut to_come: Vec<_> = jobs.iter().map(|(id, job)| (job.ready_ms, *id)).collect();
        to_come.sort_by(|one, other| other.cmp(one));
        World {
            ms: 0,
            workers: workers.iter().map(worker).collect(),
            ready: BTreeMap::new(),
            turn: 0,
            jobs,
            to_come,
            waiting: BTreeMap::new(),
            starts: Vec::new(),
            longest_idle_ms: 0,
            idle: BTreeMap::new(),
        }
    }

    /// Until every job has started and ended.
    fn run(&mut self) {
        while self.starts.len() < self.jobs.len() {
            assert!(self.ms < 600_000, "{} of {} start", self.starts.len(), self.jobs.len());
            self.step();
        }
        while self.workers.iter().any(|worker| !worker.running.is_empty()) {
            self.step();
        }
        for worker in &self.workers {
            assert_eq!(worker.case.desk.free(), worker.total);
        }
    }

    fn step(&mut self) {
        let now = self.ms;
        while self.to_come.last().is_some_and(|(at, _)| *at <= now) {
            let (_, id) = self.to_come.pop().unwrap();
            let queue = &self.jobs[&id].queue;
            let offer = Offer::new(Timestamp::from_ms(now as i64), vec![id]);
            self.ready.entry(queue.clone()).or_default().push_back((offer, false));
            self.waiting.entry(queue.clone()).or_default().insert((now, id));
        }
        self.deliver();
        for index in 0..self.workers.len() {
            self.answer_and_end(index);
            for step in self.workers[index].case.at(now) {
                self.carry_out(index, step);
            }
        }
        self.look_for_idle_ones();
        self.ms += 1;
    }

    /// One offer after another to the next consumer that may have more.
    fn deliver(&mut self) {
        let (now, count) = (self.ms, self.workers.len());
        for (queue, offers) in &mut self.ready {
            while !offers.is_empty() {
                let may = |worker: &Worker| {
                    let held = worker.unacked.values().filter(|(of, _)| of == queue).count();
                    let consumer = worker.consumers.get(queue);
                    consumer.is_some_and(|(since, most)| *since <= now && held < *most)
                };
                let order = (0..count).map(|step| (self.turn + step) % count);
                let Some(next) = order.into_iter().find(|index| may(&self.workers[*index])) else {
                    break;
                };
                self.turn = next + 1;
                let (offer, again) = offers.pop_front().unwrap();
                let worker = &mut self.workers[next];
                let at = worker.case.start + Duration::from_millis(now);
                let key = worker.case.desk.delivered(queue, offer.clone(), again, at);
                worker.unacked.insert(key, (queue.clone(), offer));
            }
        }
    }

    fn answer_and_end(&mut self, index: usize) {
        let (now, worker) = (self.ms, &mut self.workers[index]);
        let (over, running) = std::mem::take(&mut worker.running)
            .into_iter()
            .partition(|(until, _, _)| *until <= now);
        worker.running = running;
        let over: Vec<(u64, JobId, QueueName)> = over;
        for (_, id, queue) in over {
            worker.case.desk.ended(id, &queue);
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
                worker.running.push((now + job.length_ms, id, claim.queue.clone()));
            }
            worker.case.desk.claimed(&claim, &[mine]);
        }
        let mut used = CapacityMap::default();
        for (_, _, queue) in &worker.running {
            used.give(&queue.class.need(), 1);
        }
        assert!(used.iter().all(|(name, units)| units <= worker.total.units(name)), "{used}");
    }

    fn carry_out(&mut self, index: usize, step: Move) {
        let (now, worker) = (self.ms, &mut self.workers[index]);
        match step {
            Move::Resume(queue, most) => {
                worker.consumers.insert(queue, (now + RESUME_MS, most.into()));
            }
            Move::Pause(queue) => {
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
            Move::Claim(claim) => worker.claims.push((now + CLAIM_MS, claim)),
            Move::Ack(key) => drop(worker.unacked.remove(&key)),
            Move::Count(queue) => {
                let count = self.waiting.get(&queue).map_or(0, BTreeSet::len);
                worker.case.desk.counted(&queue, count as u64);
            }
        }
    }

    /// How long a worker has had room for the oldest job of a queue.
    fn look_for_idle_ones(&mut self) {
        let oldest = self.waiting.iter().filter_map(|(queue, jobs)| Some((queue, jobs.first()?.0)));
        let oldest: Vec<(&QueueName, u64)> = oldest.collect();
        let now = self.ms;
        for (index, worker) in self.workers.iter().enumerate() {
            let free = worker.case.desk.free();
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

    /// The jobs in the order of their starts.
    fn started(&self) -> Vec<&Job> {
        self.starts.iter().map(|id| &self.jobs[id]).collect()
    }
}

fn job(queue: &str, ready_ms: u64, length_ms: u64) -> Job {
    Job { queue: name(queue), ready_ms, length_ms, started: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_high_job_goes_before_the_crowd_on_any_fleet(
        maps in prop::collection::vec(1u32..4, 1..6),
        crowd in prop::collection::vec(5u64..120, 60..150),
        high in prop::collection::vec((0u64..1500, 5u64..300), 1..20),
    ) {
        let maps: Vec<String> = maps.iter().map(|units| format!("cpu={units}")).collect();
        let maps: Vec<&str> = maps.iter().map(String::as_str).collect();
        let crowd = crowd.iter().map(|length| job("cpu=1.normal", 0, *length));
        let high = high.iter().map(|(at, length)| job("cpu=1.high", *at, *length));
        let mut world = World::new(&maps, &["cpu=1"], crowd.chain(high).collect());
        world.run();
        let started = world.started();
        for (place, one) in started.iter().enumerate() {
            if one.queue.priority == Priority::High {
                // Half of the hold is for finding the way, and then each worker may be about to start one.
                let late = one.ready_ms + 125;
                let others = started[..place].iter().filter(|other| {
                    other.queue != one.queue && other.started.unwrap().0 > late
                });
                let (count, fleet) = (others.count(), maps.len());
                prop_assert!(count <= fleet, "{count} normal ones after {one:?} by {fleet} workers");
            }
        }
        prop_assert!(world.longest_idle_ms <= 250, "idle for {} ms", world.longest_idle_ms);
    }

    #[test]
    fn a_low_job_has_its_share_on_any_fleet(
        maps in prop::collection::vec(1u32..4, 1..5),
        high in prop::collection::vec(5u64..60, 200..300),
        low in prop::collection::vec(5u64..60, 60..80),
    ) {
        let units = maps.clone();
        let maps: Vec<String> = maps.iter().map(|units| format!("cpu={units}")).collect();
        let maps: Vec<&str> = maps.iter().map(String::as_str).collect();
        let high = high.iter().map(|length| job("cpu=1.high", 0, *length));
        let low = low.iter().map(|length| job("cpu=1.low", 0, *length));
        let mut world = World::new(&maps, &["cpu=1"], high.chain(low).collect());
        world.run();
        let started = world.started();
        let last_low = started.iter().rposition(|one| one.queue.priority == Priority::Low).unwrap();
        for (index, units) in units.iter().enumerate() {
            let here = started[..last_low].iter().filter(|one| one.started.unwrap().1 == index);
            let here: Vec<Priority> = here.map(|one| one.queue.priority).collect();
            let rows = here.split(|priority| *priority == Priority::Low).map(<[Priority]>::len);
            let longest = rows.max().unwrap_or(0);
            let most = (PASSES + 4 * units) as usize;
            prop_assert!(longest <= most, "{longest} high ones in a row on a worker of {units}");
        }
        // While there is a crowd of both; at the end the last high ones may be in the wrong hands for a moment.
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
        let mut world = World::new(&vec!["a=4,b=4"; workers], &classes, jobs);
        world.run();
        let started = world.started();
        let place = started.iter().position(|job| job.queue == name(one)).unwrap();
        let passed = started[..place].iter().filter(|job| job.started.unwrap().0 >= large.1);
        // On each worker those, what had room with the last of them, and what started while it went round.
        let (passed, most) = (passed.count(), workers * (PASSES as usize + 8 + 24));
        prop_assert!(passed <= most, "{passed} small ones passed it, at most {most}");
    }

    #[test]
    fn jobs_of_two_types_and_of_all_of_one_do_not_lock_each_other_out(
        jobs in prop::collection::vec((0usize..5, 0u64..300, 5u64..100), 1..150),
        workers in 1usize..4,
    ) {
        let queues = ["a=1+b=1.normal", "a=2.high", "b=2.normal", "a=2+b=2.low", "b=1.high"];
        let jobs = jobs.iter().map(|(which, at, length)| job(queues[*which], *at, *length));
        let classes = ["a=1+b=1", "a=2", "b=2", "a=2+b=2", "b=1"];
        World::new(&vec!["a=2,b=2"; workers], &classes, jobs.collect()).run();
    }
}
