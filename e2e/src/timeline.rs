//! What a fleet did and when, reconstructed from the event stream alone: in which order jobs
//! started, and for how long workers were idle although a job that fits was ready.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::capacity::CapacityMap;
use domain::job::{ActionName, JobId, NewJob};
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
    /// The job.
    pub id: JobId,
    /// The class and the priority of the job, as the name of their shared queue.
    pub queue: QueueName,
    /// The action of the job.
    pub action: ActionName,
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

/// How long workers had room for a ready job whose action they know, and did not start it.
#[derive(Debug, Clone, Copy, Default)]
pub struct IdleTime {
    /// Idle time beyond the allowance, summed over all workers.
    pub idle_ms: i64,
    /// The part of it during which a larger job waited too, for which room may have been reserved.
    pub reserved_ms: i64,
    /// The duration of the timeline, multiplied by the number of live workers.
    pub total_ms: i64,
    /// The longest time that one worker had room for one ready job, including the allowance.
    pub longest_ms: i64,
}

/// What a worker can run.
struct Abilities {
    capacity: CapacityMap,
    actions: BTreeSet<String>,
}

impl Abilities {
    fn knows(&self, action: &ActionName) -> bool {
        self.actions.contains(action.as_str())
    }
}

/// The times of a set of jobs, and what the workers can run.
pub struct Timeline {
    /// Sorted by the moment of their start.
    pub jobs: Vec<JobTimes>,
    workers: BTreeMap<String, Abilities>,
    /// When a worker joined (true) or ended.
    lives: Vec<(Moment, String, bool)>,
}

impl Timeline {
    /// Reads the times of jobs that have all finished.
    pub async fn of(store: &Store, jobs: &[NewJob]) -> Timeline {
        let events = store.event_list("", 100_000).await.expect("the events are readable");
        let workers = store.workers().await.expect("the workers are readable").into_iter();
        let workers = workers.map(|worker| {
            let (capacity, actions) = (worker.capacity_map, worker.actions.into_iter().collect());
            (worker.id.to_string(), Abilities { capacity, actions })
        });
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
        Timeline { jobs, workers: workers.collect(), lives: lives(&events) }
    }

    /// The jobs that started while this one was ready and waited.
    pub fn started_before<'a>(&'a self, job: &JobTimes) -> impl Iterator<Item = &'a JobTimes> {
        let waiting = job.ready..job.started;
        self.jobs.iter().filter(move |other| waiting.contains(&other.started))
    }

    /// Fails the test if a worker ever ran more than its capacity, or an action that it does not
    /// know.
    pub fn assert_capacity(&self) {
        let _ = self.idle(0);
    }

    /// Measures idle time. A worker may keep a ready job for `allowance_ms` before it counts as
    /// idle.
    #[must_use]
    pub fn idle(&self, allowance_ms: i64) -> IdleTime {
        let mut replay = Replay::new(&self.workers);
        let mut steps: Vec<(Moment, Step<'_>)> = Vec::new();
        for (at, worker, joined) in &self.lives {
            steps.push((*at, if *joined { Step::Joined(worker) } else { Step::Gone(worker) }));
        }
        for job in &self.jobs {
            steps.push((job.ready, Step::Ready(job)));
            steps.push((job.started, Step::Started(job)));
            steps.push((job.ended, Step::Ended(job)));
        }
        steps.sort_by_key(|(at, _)| *at);
        for (at, step) in steps {
            replay.advance_to(at.ms, allowance_ms);
            match step {
                Step::Joined(worker) => replay.join(worker),
                Step::Gone(worker) => replay.leave(worker),
                Step::Ready(job) => replay.waiting.entry(kind(job)).or_default().push(job.ready),
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
    let (queue, action) = (shared_queue(job), job.spec.action.clone());
    Some(JobTimes { id: job.id, queue, action, worker: worker?.clone(), ready, started, ended })
}

/// When workers joined and ended, from the events that are about a worker and no job.
fn lives(events: &[Event]) -> Vec<(Moment, String, bool)> {
    let of_workers = events.iter().enumerate().filter_map(|(index, event)| {
        let worker = event.fields.get("worker").filter(|_| !event.fields.contains_key("job"))?;
        let joined = match event.fields.get("status")?.as_str() {
            "running" => true,
            "dead" | "shutdown" => false,
            _ => return None,
        };
        Some((Moment { index, ms: event.at().ms() }, worker.clone(), joined))
    });
    of_workers.collect()
}

/// Jobs that the same workers can run, and that wait in one line.
type Kind<'a> = (&'a QueueName, &'a ActionName);

fn kind(job: &JobTimes) -> Kind<'_> {
    (&job.queue, &job.action)
}

enum Step<'a> {
    Joined(&'a str),
    Gone(&'a str),
    Ready(&'a JobTimes),
    Started(&'a JobTimes),
    Ended(&'a JobTimes),
}

/// The state of the fleet at one moment of the timeline.
struct Replay<'a> {
    now_ms: i64,
    workers: &'a BTreeMap<String, Abilities>,
    /// The free capacity of the live workers.
    free: BTreeMap<&'a str, CapacityMap>,
    waiting: BTreeMap<Kind<'a>, Vec<Moment>>,
    /// Since when a worker has had room for a kind of jobs.
    room_since_ms: BTreeMap<(&'a str, Kind<'a>), i64>,
    idle: IdleTime,
}

impl<'a> Replay<'a> {
    fn new(workers: &'a BTreeMap<String, Abilities>) -> Replay<'a> {
        Replay {
            now_ms: i64::MAX,
            workers,
            free: BTreeMap::new(),
            waiting: BTreeMap::new(),
            room_since_ms: BTreeMap::new(),
            idle: IdleTime::default(),
        }
    }

    fn join(&mut self, worker: &'a str) {
        let abilities = self.workers.get(worker).expect("the worker is known");
        self.free.entry(worker).or_insert_with(|| abilities.capacity.clone());
    }

    fn leave(&mut self, worker: &str) {
        self.free.remove(worker);
        self.room_since_ms.retain(|(of, _), _| *of != worker);
    }

    /// Adds the idle time between the previous event and this one.
    fn advance_to(&mut self, now_ms: i64, allowance_ms: i64) {
        let from_ms = self.now_ms.min(now_ms);
        self.now_ms = now_ms;
        self.idle.total_ms += (now_ms - from_ms) * self.free.len() as i64;
        let mut longest: BTreeMap<&str, (i64, bool)> = BTreeMap::new();
        for ((worker, kind), room_since_ms) in &self.room_since_ms {
            let Some(oldest) = self.waiting[kind].iter().map(|ready| ready.ms).min() else {
                continue;
            };
            let since_ms = oldest.max(*room_since_ms);
            self.idle.longest_ms = self.idle.longest_ms.max(now_ms - since_ms);
            let idle_ms = now_ms - from_ms.max(since_ms + allowance_ms);
            let of_worker = longest.entry(worker).or_default();
            *of_worker = (*of_worker).max((idle_ms, self.a_larger_job_waits(worker, *kind)));
        }
        for (idle_ms, reserved) in longest.into_values().filter(|(idle_ms, _)| *idle_ms > 0) {
            self.idle.idle_ms += idle_ms;
            self.idle.reserved_ms += if reserved { idle_ms } else { 0 };
        }
    }

    fn a_larger_job_waits(&self, worker: &str, (queue, _): Kind<'_>) -> bool {
        let (need, free) = (queue.class.need(), &self.free[worker]);
        self.waiting.iter().filter(|(_, ready)| !ready.is_empty()).any(|((other, action), _)| {
            let larger = other.class.need();
            let abilities = &self.workers[worker];
            let fits_later = abilities.capacity.fits(&larger) > 0 && free.fits(&larger) == 0;
            fits_later && abilities.knows(action) && larger.shares_a_type_with(&need)
        })
    }

    fn start(&mut self, job: &'a JobTimes) {
        self.waiting.entry(kind(job)).or_default().retain(|ready| *ready != job.ready);
        let free = self.free.get_mut(job.worker.as_str()).expect("the worker lives");
        let fits = free.take(&job.queue.class.need(), 1);
        assert!(fits, "worker {} exceeds its capacity", job.worker);
        let knows = self.workers[&job.worker].knows(&job.action);
        assert!(knows, "worker {} does not know {}", job.worker, job.action);
    }

    fn release(&mut self, job: &'a JobTimes) {
        if let Some(free) = self.free.get_mut(job.worker.as_str()) {
            free.give(&job.queue.class.need(), 1);
        }
    }

    fn update_room(&mut self) {
        for (worker, free) in &self.free {
            for kind in self.waiting.keys() {
                let fits = free.fits(&kind.0.class.need()) > 0;
                if fits && self.workers[*worker].knows(kind.1) {
                    self.room_since_ms.entry((worker, *kind)).or_insert(self.now_ms);
                } else {
                    self.room_since_ms.remove(&(*worker, *kind));
                }
            }
        }
    }
}
