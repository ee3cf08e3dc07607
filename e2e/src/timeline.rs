//! What a fleet did and when, reconstructed from the event stream alone: in which order jobs
//! started, and for how long workers were idle although a job that fits was ready.

use std::collections::{BTreeMap, HashMap};

use domain::capacity::CapacityMap;
use domain::job::NewJob;
use domain::queue::QueueName;
use store::{Event, Store};
use testkit::shared_queue;

/// The position of an event in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The index among all events.
    pub index: usize,
    /// The time of the event, in milliseconds since 1970.
    pub ms: i64,
}

/// When one job became ready, started and ended.
#[derive(Debug, Clone)]
pub struct JobTimes {
    /// The class and the priority of the job, as the name of their shared queue.
    pub queue: QueueName,
    /// The worker that ran it.
    pub worker: String,
    /// When it became ready to run.
    pub ready: Moment,
    /// When it started.
    pub started: Moment,
    /// When it ended.
    pub ended: Moment,
}

impl JobTimes {
    /// How long the job waited, in milliseconds.
    #[must_use]
    pub fn waited_ms(&self) -> i64 {
        self.started.ms - self.ready.ms
    }
}

/// How long workers had room for a ready job and did not start it.
#[derive(Debug, Clone, Copy, Default)]
pub struct IdleTime {
    /// Idle time beyond the allowance, summed over all workers.
    pub idle_ms: i64,
    /// The part of it during which a larger job waited too, for which room may have been reserved.
    pub reserved_ms: i64,
    /// The duration of the timeline, multiplied by the number of workers.
    pub total_ms: i64,
    /// The longest time that one worker had room for one ready job, including the allowance.
    pub longest_ms: i64,
}

/// The times of a set of jobs, and the capacity of the workers.
pub struct Timeline {
    /// Sorted by the moment of their start.
    pub jobs: Vec<JobTimes>,
    capacity: BTreeMap<String, CapacityMap>,
}

impl Timeline {
    /// Reads the times of jobs that have all finished.
    pub async fn of(store: &Store, jobs: &[NewJob]) -> Timeline {
        let events = store.event_list("", 100_000).await.expect("the events are readable");
        let workers = store.workers().await.expect("the workers are readable").into_iter();
        let capacity = workers.map(|worker| (worker.id.to_string(), worker.capacity_map)).collect();
        let mut by_job: HashMap<&str, Vec<(usize, &Event)>> = HashMap::new();
        for (index, event) in events.iter().enumerate() {
            if let Some(job) = event.fields.get("job") {
                by_job.entry(job).or_default().push((index, event));
            }
        }
        let times = jobs.iter().map(|job| {
            let events = by_job.get(job.id.to_string().as_str()).map_or(&[][..], Vec::as_slice);
            let times = times_of(job, events);
            times.unwrap_or_else(|| panic!("{} has not finished: {events:?}", job.id))
        });
        let mut jobs: Vec<JobTimes> = times.collect();
        jobs.sort_by_key(|job| job.started);
        Timeline { jobs, capacity }
    }

    /// The jobs that started while this one was ready and waited.
    pub fn started_before<'a>(&'a self, job: &JobTimes) -> impl Iterator<Item = &'a JobTimes> {
        let waiting = job.ready..job.started;
        self.jobs.iter().filter(move |other| waiting.contains(&other.started))
    }

    /// Fails the test if a worker ever ran more than its capacity.
    pub fn assert_capacity(&self) {
        let _ = self.idle(0);
    }

    /// Measures idle time. A worker may keep a ready job for `allowance_ms` before it counts as
    /// idle.
    #[must_use]
    pub fn idle(&self, allowance_ms: i64) -> IdleTime {
        let mut replay = Replay::new(&self.capacity);
        let mut steps: Vec<(Moment, Step<'_>)> = Vec::new();
        for job in &self.jobs {
            steps.push((job.ready, Step::Ready(job)));
            steps.push((job.started, Step::Started(job)));
            steps.push((job.ended, Step::Ended(job)));
        }
        steps.sort_by_key(|(at, _)| *at);
        for (at, step) in steps {
            replay.advance_to(at.ms, allowance_ms);
            match step {
                Step::Ready(job) => replay.waiting.entry(&job.queue).or_default().push(job.ready),
                Step::Started(job) => replay.start(job),
                Step::Ended(job) => replay.release(job),
            }
            replay.update_room();
        }
        replay.idle
    }
}

fn times_of(job: &NewJob, events: &[(usize, &Event)]) -> Option<JobTimes> {
    let find = |statuses: &[&str]| {
        let matches = |event: &Event| statuses.contains(&event.fields["status"].as_str());
        let (index, event) = events.iter().find(|(_, event)| matches(event))?;
        Some((Moment { index: *index, ms: event.at().ms() }, event.fields.get("worker")))
    };
    let (ready, _) = find(&["waiting"])?;
    let (started, worker) = find(&["running"])?;
    let (ended, _) = find(&["done", "error"])?;
    Some(JobTimes { queue: shared_queue(job), worker: worker?.clone(), ready, started, ended })
}

enum Step<'a> {
    Ready(&'a JobTimes),
    Started(&'a JobTimes),
    Ended(&'a JobTimes),
}

/// The state of the fleet at one moment of the timeline.
struct Replay<'a> {
    now_ms: i64,
    capacity: &'a BTreeMap<String, CapacityMap>,
    free: BTreeMap<&'a str, CapacityMap>,
    waiting: BTreeMap<&'a QueueName, Vec<Moment>>,
    /// Since when a worker has had room for a job of a queue.
    room_since_ms: BTreeMap<(&'a str, &'a QueueName), i64>,
    idle: IdleTime,
}

impl<'a> Replay<'a> {
    fn new(capacity: &'a BTreeMap<String, CapacityMap>) -> Replay<'a> {
        Replay {
            now_ms: i64::MAX,
            capacity,
            free: capacity.iter().map(|(worker, map)| (worker.as_str(), map.clone())).collect(),
            waiting: BTreeMap::new(),
            room_since_ms: BTreeMap::new(),
            idle: IdleTime::default(),
        }
    }

    /// Adds the idle time between the previous event and this one.
    fn advance_to(&mut self, now_ms: i64, allowance_ms: i64) {
        let from_ms = self.now_ms.min(now_ms);
        self.now_ms = now_ms;
        self.idle.total_ms += (now_ms - from_ms) * self.capacity.len() as i64;
        let mut longest: BTreeMap<&str, (i64, bool)> = BTreeMap::new();
        for ((worker, queue), room_since_ms) in &self.room_since_ms {
            let Some(oldest) = self.waiting[queue].iter().map(|ready| ready.ms).min() else {
                continue;
            };
            let since_ms = oldest.max(*room_since_ms);
            self.idle.longest_ms = self.idle.longest_ms.max(now_ms - since_ms);
            let idle_ms = now_ms - from_ms.max(since_ms + allowance_ms);
            let of_worker = longest.entry(worker).or_default();
            *of_worker = (*of_worker).max((idle_ms, self.a_larger_job_waits(worker, queue)));
        }
        for (idle_ms, reserved) in longest.into_values().filter(|(idle_ms, _)| *idle_ms > 0) {
            self.idle.idle_ms += idle_ms;
            self.idle.reserved_ms += if reserved { idle_ms } else { 0 };
        }
    }

    fn a_larger_job_waits(&self, worker: &str, queue: &QueueName) -> bool {
        let (need, free) = (queue.class.need(), &self.free[worker]);
        self.waiting.iter().filter(|(_, ready)| !ready.is_empty()).any(|(other, _)| {
            let larger = other.class.need();
            let fits_later = self.capacity[worker].fits(&larger) > 0 && free.fits(&larger) == 0;
            fits_later && larger.shares_a_type_with(&need)
        })
    }

    fn start(&mut self, job: &'a JobTimes) {
        self.waiting.entry(&job.queue).or_default().retain(|ready| *ready != job.ready);
        let free = self.free.get_mut(job.worker.as_str()).expect("the worker is known");
        let fits = free.take(&job.queue.class.need(), 1);
        assert!(fits, "worker {} exceeds its capacity", job.worker);
    }

    fn release(&mut self, job: &'a JobTimes) {
        let free = self.free.get_mut(job.worker.as_str()).expect("the worker is known");
        free.give(&job.queue.class.need(), 1);
    }

    fn update_room(&mut self) {
        for (worker, free) in &self.free {
            for queue in self.waiting.keys() {
                if free.fits(&queue.class.need()) > 0 {
                    self.room_since_ms.entry((worker, queue)).or_insert(self.now_ms);
                } else {
                    self.room_since_ms.remove(&(*worker, *queue));
                }
            }
        }
    }
}
