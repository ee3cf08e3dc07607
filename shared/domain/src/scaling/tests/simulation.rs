//! A pool of workers that follows the signal through a load curve, in virtual time: one step is one
//! second. The autoscaler is the one of Kubernetes: it rounds up, and shrinks only to the largest
//! size that was wanted in the last five minutes. A removed worker drains.

use std::collections::VecDeque;

use super::*;

/// A worker starts this long after it is asked for.
const START_S: u64 = 20;
/// How often the autoscaler runs.
const LOOK_S: u64 = 15;
/// The pool does not shrink below what was wanted in this time.
const STABLE_S: u64 = 300;
/// How long a removed worker may take to drain.
const GRACE_S: u64 = 600;
const MOST_WORKERS: usize = 60;

struct Worker {
    starts_at: u64,
    draining_since: Option<u64>,
    /// When each of its jobs ends.
    jobs: Vec<u64>,
}

#[derive(Default)]
struct Outcome {
    done: u64,
    killed: u64,
    longest_wait_s: u64,
    most_workers: usize,
    workers_at_the_end: usize,
    /// How often the pool changed its direction: grew after it had shrunk, or the reverse.
    turns: u64,
}

struct Pool {
    shape: CapacityMap,
    need: CapacityMap,
    workers: Vec<Worker>,
    /// When each ready job was submitted.
    ready: VecDeque<u64>,
    wanted: VecDeque<(u64, usize)>,
    grew: Option<bool>,
    outcome: Outcome,
}

impl Pool {
    fn new(shape: &str, need: &str) -> Pool {
        Pool {
            shape: map(shape),
            need: map(need),
            workers: Vec::new(),
            ready: VecDeque::new(),
            wanted: VecDeque::new(),
            grew: None,
            outcome: Outcome::default(),
        }
    }

    /// Runs the load curve: how many jobs are submitted at a second, and how long each runs.
    fn run(mut self, seconds: u64, load: impl Fn(u64) -> (u64, u64)) -> Outcome {
        for now in 0..seconds {
            let (submitted, run_s) = load(now);
            self.ready.extend(std::iter::repeat_n(now, submitted as usize));
            self.end_jobs(now);
            self.start_jobs(now, run_s);
            if now.is_multiple_of(LOOK_S) {
                self.follow_the_signal(now);
            }
            self.remove_drained(now);
            self.outcome.most_workers = self.outcome.most_workers.max(self.live(now).count());
        }
        self.outcome.workers_at_the_end = self.workers.len();
        self.outcome
    }

    fn live(&self, now: u64) -> impl Iterator<Item = &Worker> {
        let is_live = move |one: &&Worker| one.starts_at <= now && one.draining_since.is_none();
        self.workers.iter().filter(is_live)
    }

    fn end_jobs(&mut self, now: u64) {
        for worker in &mut self.workers {
            let before = worker.jobs.len();
            worker.jobs.retain(|ends_at| *ends_at > now);
            self.outcome.done += (before - worker.jobs.len()) as u64;
        }
    }

    fn start_jobs(&mut self, now: u64, run_s: u64) {
        let slots = self.shape.fits(&self.need) as usize;
        for worker in &mut self.workers {
            let takes_jobs = worker.starts_at <= now && worker.draining_since.is_none();
            while takes_jobs && worker.jobs.len() < slots {
                let Some(submitted_at) = self.ready.pop_front() else { return };
                let wait_s = now - submitted_at;
                self.outcome.longest_wait_s = self.outcome.longest_wait_s.max(wait_s);
                worker.jobs.push(now + run_s);
            }
        }
    }

    fn signal(&self, now: u64) -> Scaling {
        let free = self.live(now).map(|worker| {
            let mut free = self.shape.clone();
            assert!(free.take(&self.need, worker.jobs.len() as u32), "a worker is overbooked");
            free
        });
        let ready = vec![(self.need.clone(), self.ready.len() as u64)];
        Demand { free: free.collect(), ready, ..Demand::default() }.scaling(&self.shape)
    }

    fn follow_the_signal(&mut self, now: u64) {
        let wanted = (self.signal(now).wanted.ceil() as usize).min(MOST_WORKERS);
        self.wanted.push_back((now, wanted));
        self.wanted.retain(|(at, _)| at + STABLE_S > now);
        let floor = self.wanted.iter().map(|(_, wanted)| *wanted).max().unwrap_or_default();
        let current = self.workers.iter().filter(|one| one.draining_since.is_none()).count();
        let target = if wanted >= current { wanted } else { floor.min(current) };
        if target != current {
            let grows = target > current;
            self.outcome.turns += u64::from(self.grew.is_some_and(|grew| grew != grows));
            self.grew = Some(grows);
        }
        for _ in current..target {
            let worker =
                Worker { starts_at: now + START_S, draining_since: None, jobs: Vec::new() };
            self.workers.push(worker);
        }
        // Kubernetes may remove any of them; here the first, which are the busiest.
        let keep = self.workers.iter_mut().filter(|one| one.draining_since.is_none());
        for worker in keep.take(current.saturating_sub(target)) {
            worker.draining_since = Some(now);
        }
    }

    fn remove_drained(&mut self, now: u64) {
        let killed = &mut self.outcome.killed;
        self.workers.retain(|worker| {
            let Some(since) = worker.draining_since else { return true };
            let is_late = now > since + GRACE_S;
            *killed += if is_late { worker.jobs.len() as u64 } else { 0 };
            !is_late && !worker.jobs.is_empty()
        });
    }
}

#[test]
fn a_burst_starts_within_the_start_of_workers_and_the_pool_shrinks_once() {
    let burst = |now| if now == 60 { (100, 240) } else { (0, 240) };
    let outcome = Pool::new("cpu=4", "cpu=2").run(3600, burst);
    assert_eq!((outcome.done, outcome.killed), (100, 0));
    assert_eq!(outcome.most_workers, 50, "two jobs each");
    assert!(outcome.longest_wait_s <= START_S + LOOK_S, "{} s", outcome.longest_wait_s);
    assert_eq!((outcome.workers_at_the_end, outcome.turns), (0, 1));
}

#[test]
fn a_daily_curve_is_followed_without_flapping_and_without_killing_a_job() {
    // Submissions rise and fall twice between none and four a second; each job runs for 20 s.
    let curve = |now: u64| {
        let phase = now % 7200;
        let per_10_s = if phase < 3600 { phase / 90 } else { (7200 - phase) / 90 };
        ((now * per_10_s / 10) - (now.saturating_sub(1) * per_10_s / 10), 20)
    };
    let outcome = Pool::new("scan=4,cpu=8", "scan=1,cpu=2").run(14_400 + 1200, curve);
    assert_eq!(outcome.killed, 0);
    assert!(outcome.done > 20_000, "{} jobs", outcome.done);
    assert!(outcome.longest_wait_s <= START_S + LOOK_S, "{} s", outcome.longest_wait_s);
    assert!(outcome.most_workers <= 40, "20 hold the peak: {}", outcome.most_workers);
    // Up, down, up, down, and at most one correction for each.
    assert!(outcome.turns <= 6, "{} turns", outcome.turns);
}

#[test]
fn jobs_of_changing_length_wait_no_longer_than_the_start_of_workers() {
    let load = |now: u64| {
        let run_s = if now % 600 < 300 { 5 } else { 120 };
        (u64::from(now.is_multiple_of(3) && now < 3000), run_s)
    };
    let outcome = Pool::new("cpu=1", "cpu=1").run(4800, load);
    assert_eq!((outcome.done, outcome.killed), (1000, 0));
    assert!(outcome.longest_wait_s <= START_S + LOOK_S, "{} s", outcome.longest_wait_s);
    assert_eq!(outcome.workers_at_the_end, 0);
}
