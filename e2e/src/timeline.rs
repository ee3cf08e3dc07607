//! What a fleet did and when, from the events alone: who started before whom, and whether a worker stood idle while a
//! job that fits it was ready. It asks no worker.

use std::collections::{BTreeMap, HashMap};

use domain::capacity::CapacityMap;
use domain::job::NewJob;
use domain::queue::QueueName;
use store::{Change, Store};

/// One job's way; the places are those of its events in the order of all events.
#[derive(Debug, Clone)]
pub struct Run {
    /// The queue it went through.
    pub queue: QueueName,
    /// Who ran it.
    pub worker: String,
    /// When it was ready, its place and milliseconds.
    pub ready: (usize, i64),
    /// When it started.
    pub started: (usize, i64),
    /// When it ended.
    pub ended: (usize, i64),
}

impl Run {
    /// How long it waited, in milliseconds.
    #[must_use]
    pub fn waited_ms(&self) -> i64 {
        self.started.1 - self.ready.1
    }
}

/// How much workers stood idle for longer than they may, of all the time they had.
#[derive(Debug, Clone, Copy, Default)]
pub struct Idle {
    /// Milliseconds, of all workers together, in which one had had room for a ready job for longer than the hold.
    pub idle_ms: i64,
    /// Of these, those in which a larger job waited as well, for which the room may have been set aside.
    pub aside_ms: i64,
    /// Milliseconds that all workers together had.
    pub total_ms: i64,
    /// The longest that one worker had room for one ready job, the hold included.
    pub longest_ms: i64,
}

/// The runs of some jobs.
pub struct Timeline {
    /// In the order in which they started.
    pub runs: Vec<Run>,
    offered: BTreeMap<String, CapacityMap>,
}

impl Timeline {
    /// What became of these jobs, all of which have ended.
    pub async fn of(store: &Store, jobs: &[NewJob]) -> Timeline {
        let changes = store.changes("", 100_000).await.expect("the events can be read");
        let workers = store.workers().await.expect("the workers can be read").into_iter();
        let offered = workers.map(|worker| (worker.id.to_string(), worker.capacity_map)).collect();
        let mut of_job: HashMap<&str, Vec<(usize, &Change)>> = HashMap::new();
        for (place, change) in changes.iter().enumerate() {
            if let Some(job) = change.fields.get("job") {
                of_job.entry(job).or_default().push((place, change));
            }
        }
        let runs = jobs.iter().map(|job| {
            let changes = of_job.get(job.id.to_string().as_str()).map_or(&[][..], Vec::as_slice);
            run_of(job, changes).unwrap_or_else(|| panic!("{} has no run: {changes:?}", job.id))
        });
        let mut runs: Vec<Run> = runs.collect();
        runs.sort_by_key(|run| run.started);
        Timeline { runs, offered }
    }

    /// What started while this one was ready and waited.
    pub fn started_before<'a>(&'a self, run: &Run) -> impl Iterator<Item = &'a Run> {
        let (ready, started) = (run.ready.0, run.started.0);
        self.runs.iter().filter(move |other| (ready..started).contains(&other.started.0))
    }

    /// How much workers stood idle for longer than `hold_ms` while a job was ready that fits what they had free.
    #[must_use]
    pub fn idle(&self, hold_ms: i64) -> Idle {
        let mut world = World::new(&self.offered);
        let mut events: Vec<(usize, i64, Step<'_>)> = Vec::new();
        for run in &self.runs {
            events.push((run.ready.0, run.ready.1, Step::Ready(run)));
            events.push((run.started.0, run.started.1, Step::Started(run)));
            events.push((run.ended.0, run.ended.1, Step::Ended(run)));
        }
        events.sort_by_key(|(place, _, _)| *place);
        for (_, now, step) in events {
            world.pass_time(now, hold_ms);
            match step {
                Step::Ready(run) => world.waiting.entry(&run.queue).or_default().push(run.ready),
                Step::Started(run) => world.started(run),
                Step::Ended(run) => world.give_back(run),
            }
            world.look_for_room();
        }
        world.idle
    }
}

fn run_of(job: &NewJob, changes: &[(usize, &Change)]) -> Option<Run> {
    let of = |wanted: &[&str]| {
        let is = |change: &Change| wanted.contains(&change.fields["status"].as_str());
        let (place, change) = changes.iter().find(|(_, change)| is(change))?;
        let ms = change.place.split('-').next()?.parse().ok()?;
        Some(((*place, ms), change.fields.get("worker")))
    };
    let (ready, _) = of(&["waiting"])?;
    let (started, worker) = of(&["running"])?;
    let (ended, _) = of(&["done", "error"])?;
    Some(Run { queue: QueueName::of(job), worker: worker?.clone(), ready, started, ended })
}

enum Step<'a> {
    Ready(&'a Run),
    Started(&'a Run),
    Ended(&'a Run),
}

/// Everything at one moment.
struct World<'a> {
    now: i64,
    offered: &'a BTreeMap<String, CapacityMap>,
    free: BTreeMap<&'a str, CapacityMap>,
    waiting: BTreeMap<&'a QueueName, Vec<(usize, i64)>>,
    /// Since when a worker has had room for a job of a queue.
    room: BTreeMap<(&'a str, &'a QueueName), i64>,
    idle: Idle,
}

impl<'a> World<'a> {
    fn new(offered: &'a BTreeMap<String, CapacityMap>) -> World<'a> {
        World {
            now: i64::MAX,
            offered,
            free: offered.iter().map(|(worker, map)| (worker.as_str(), map.clone())).collect(),
            waiting: BTreeMap::new(),
            room: BTreeMap::new(),
            idle: Idle::default(),
        }
    }

    /// Counts what was idle from the last event to this one.
    fn pass_time(&mut self, now: i64, hold_ms: i64) {
        let from = self.now.min(now);
        self.now = now;
        self.idle.total_ms += (now - from) * self.offered.len() as i64;
        let mut worst: BTreeMap<&str, (i64, bool)> = BTreeMap::new();
        for ((worker, queue), room) in &self.room {
            let Some(oldest) = self.waiting[queue].iter().map(|ready| ready.1).min() else {
                continue;
            };
            let since = oldest.max(*room);
            self.idle.longest_ms = self.idle.longest_ms.max(now - since);
            let idle = now - from.max(since + hold_ms);
            let of_worker = worst.entry(worker).or_default();
            *of_worker = (*of_worker).max((idle, self.a_larger_one_waits(worker, queue)));
        }
        for (idle, aside) in worst.into_values().filter(|(idle, _)| *idle > 0) {
            self.idle.idle_ms += idle;
            self.idle.aside_ms += if aside { idle } else { 0 };
        }
    }

    fn a_larger_one_waits(&self, worker: &str, queue: &QueueName) -> bool {
        let (need, free) = (queue.class.need(), &self.free[worker]);
        self.waiting.iter().filter(|(_, ready)| !ready.is_empty()).any(|(other, _)| {
            let larger = other.class.need();
            let fits = self.offered[worker].fits(&larger) > 0 && free.fits(&larger) == 0;
            fits && larger.shares_a_type_with(&need)
        })
    }

    fn started(&mut self, run: &'a Run) {
        self.waiting.entry(&run.queue).or_default().retain(|ready| *ready != run.ready);
        let free = self.free.get_mut(run.worker.as_str()).expect("a worker that is known");
        assert!(free.take(&run.queue.class.need(), 1), "{} runs more than it offers", run.worker);
    }

    fn give_back(&mut self, run: &'a Run) {
        let free = self.free.get_mut(run.worker.as_str()).expect("a worker that is known");
        free.give(&run.queue.class.need(), 1);
    }

    fn look_for_room(&mut self) {
        for (worker, free) in &self.free {
            for queue in self.waiting.keys() {
                if free.fits(&queue.class.need()) > 0 {
                    self.room.entry((worker, queue)).or_insert(self.now);
                } else {
                    self.room.remove(&(*worker, *queue));
                }
            }
        }
    }
}
