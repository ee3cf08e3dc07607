//! Who goes first when there is not room for all: urgent and not, large and small, one type and two. Judged by counts and
//! orders from the events; `examples/competition.rs` measures how long it takes.

use domain::job::{NewJob, Priority, Status};
use domain::queue::QueueName;
use e2e::{Run, Service, StartServices, TestEnv, Timeline, assert_consistent, job};
use serde_json::json;

/// As many others may start on one worker while a queue waits there (`worker/src/desk/turns.rs`).
const PASSES: usize = 16;

/// Jobs that sleep for 5 to 40 ms.
fn some(count: usize, need: &str, band: Priority) -> Vec<NewJob> {
    let one = |index: usize| {
        let mut one = job("sleep", need);
        let seconds = (5 + index * 7 % 36) as f64 / 1000.0;
        one.spec.parameters = json!({"seconds": seconds}).as_object().cloned();
        one.spec.priority = band;
        one
    };
    (0..count).map(one).collect()
}

/// A env with these workers, and what was submitted to it.
struct Contest {
    env: TestEnv,
    services: Vec<Service>,
    jobs: Vec<NewJob>,
}

impl Contest {
    async fn new(workers: &[&str]) -> Contest {
        let env = TestEnv::new().await;
        let mut services = vec![env.scheduler()];
        services.extend(workers.iter().map(|map| env.worker(map)));
        let all = workers.len();
        env.eventually("the workers are there", async || {
            env.store().workers().await.unwrap().len() == all
        })
        .await;
        Contest { env, services, jobs: Vec::new() }
    }

    async fn submit(&mut self, jobs: Vec<NewJob>) {
        // In small steps, so that an offer carries one job or a few and nothing else pauses its queue.
        for some in jobs.chunks(8) {
            self.env.store().submit(some).await.unwrap();
        }
        self.jobs.extend(jobs);
    }

    async fn until_done(&self, count: usize) {
        let is_done =
            |(status, done): &(Status, u64)| *status == Status::Done && *done >= count as u64;
        self.env
            .eventually("so many are done", async || {
                self.env.store().counts().await.unwrap().iter().any(is_done)
            })
            .await;
    }

    /// Submits these one after another, each when the one before is over.
    async fn one_by_one(&mut self, jobs: Vec<NewJob>) {
        for one in jobs {
            let id = one.id;
            self.submit(vec![one]).await;
            crate::world::ended(&self.env, id).await;
        }
    }

    /// What happened, when all is done; a worker that ever ran more than it offers fails here.
    async fn over(self) -> Timeline {
        self.until_done(self.jobs.len()).await;
        let timeline = Timeline::of(self.env.store(), &self.jobs).await;
        assert!(timeline.idle(250).total_ms > 0);
        assert_consistent(self.env.store()).await;
        for service in self.services {
            service.stop().await;
        }
        self.env.close().await;
        timeline
    }
}

fn of_band(timeline: &Timeline, band: Priority) -> impl Iterator<Item = &Run> {
    timeline.runs.iter().filter(move |run| run.queue.priority == band)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_high_job_goes_before_a_crowd_of_normal_ones() {
    let mut contest = Contest::new(&["scan=1", "scan=2", "scan=2"]).await;
    contest.submit(some(600, "scan=1", Priority::Normal)).await;
    contest.until_done(20).await;
    contest.one_by_one(some(6, "scan=1", Priority::High)).await;
    let timeline = contest.over().await;
    let high = of_band(&timeline, Priority::High);
    let mut passed: Vec<usize> = high.map(|one| timeline.started_before(one).count()).collect();
    passed.sort_unstable();
    // A busy machine may hold up one or two, in a queue that nobody knew before.
    assert!(passed[3] <= 50, "normal ones that started before each: {passed:?}");
    assert!(passed[5] <= 300, "normal ones that started before each: {passed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_job_has_its_share_while_high_ones_wait_and_no_more() {
    let mut contest = Contest::new(&["scan=2"]).await;
    contest.submit(some(4, "scan=1", Priority::Normal)).await;
    contest.submit(some(400, "scan=1", Priority::High)).await;
    contest.submit(some(60, "scan=1", Priority::Low)).await;
    let timeline = contest.over().await;
    let is_low = |run: &Run| run.queue.priority == Priority::Low;
    let first = timeline.runs.iter().position(is_low).unwrap();
    let last_low = timeline.runs.iter().rposition(is_low).unwrap();
    let high = timeline.runs.iter().enumerate();
    let high = high.filter(|(_, run)| run.queue.priority == Priority::High);
    // A few may be late on a busy machine.
    let last = high.map(|(place, _)| place).nth(379).unwrap();
    let rows = timeline.runs[first..last_low].split(is_low).map(<[Run]>::len);
    let longest = rows.max().unwrap();
    assert!(longest <= 2 * PASSES, "{longest} others in a row while low ones wait");
    let low = timeline.runs[first..last].iter().filter(|run| is_low(run)).count();
    assert!(low * 8 <= last, "{low} low ones among {last}: more than their share");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_job_starts_among_small_ones_however_many_come() {
    let workers = ["cpu=4", "cpu=4", "cpu=4"];
    let mut contest = Contest::new(&workers).await;
    contest.submit(some(1800, "cpu=1", Priority::Normal)).await;
    contest.until_done(30).await;
    // Its queue is seen for the first time by workers that are full.
    contest.one_by_one(some(3, "cpu=4", Priority::Normal)).await;
    let timeline = contest.over().await;
    let large: QueueName = "cpu=4.normal".parse().unwrap();
    for one in timeline.runs.iter().filter(|run| run.queue == large) {
        let passed = timeline.started_before(one).count();
        assert!(passed <= workers.len() * 6 * PASSES, "{passed} small ones passed it: {one:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_two_types_and_of_all_of_one_do_not_lock_each_other_out() {
    let mut contest = Contest::new(&["a=2,b=2", "a=2,b=1"]).await;
    for round in 0..60 {
        for need in ["a=1,b=1", "a=2", "b=2", "a=2,b=2", "b=1"] {
            let band = [Priority::High, Priority::Normal, Priority::Low][round % 3];
            contest.submit(some(1, need, band)).await;
        }
    }
    assert_eq!(contest.over().await.runs.len(), 300, "each started once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fits_nobody_keeps_nobody_waiting_and_nobody_touches_its_offer() {
    let mut contest = Contest::new(&["cpu=2"]).await;
    let too_large = some(1, "cpu=8", Priority::High);
    let (id, queue) = (too_large[0].id, QueueName::of(&too_large[0]));
    contest.submit(too_large).await;
    let broker = contest.env.broker().await;
    contest
        .env
        .eventually("it is offered", async || broker.depth(&queue).await.unwrap() == Some(1))
        .await;
    contest.submit(some(200, "cpu=1", Priority::Low)).await;
    contest.until_done(200).await;
    assert_eq!(broker.depth(&queue).await.unwrap(), Some(1), "nobody holds it");
    broker.close().await;
    contest.services.push(contest.env.worker("cpu=8"));
    crate::world::ended(&contest.env, id).await;
    let timeline = contest.over().await;
    assert_eq!(timeline.runs.last().map(|run| &run.queue), Some(&queue));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_room_never_stands_idle_for_long_while_a_job_that_fits_is_ready() {
    let mut contest = Contest::new(&["cpu=4,scan=1", "cpu=2,scan=2", "scan=3", "cpu=6"]).await;
    let bands = [Priority::High, Priority::Normal, Priority::Low];
    let needs = ["cpu=1", "cpu=2", "scan=1", "cpu=1,scan=1", "cpu=4", "scan=2", ""];
    for round in 0..700 {
        contest.submit(some(1, needs[round % 7], bands[round % 3])).await;
    }
    // How little it is, `examples/competition.rs` measures; here nobody may be forgotten, on however busy a machine.
    let idle = contest.over().await.idle(500);
    assert!(idle.longest_ms <= 10_000, "{idle:?}");
}
