//! Time series while schedulers die and events are lost: nothing is counted twice.

use domain::job::{Status, Timestamp};
use domain::series::{Counts, Resolution};
use e2e::StartServices;
use scheduler::{EventCounter, Metrics};
use store::SeriesFilter;
use testkit::{TestEnv, jobs};

/// The counts of the current and the last hour, added up.
async fn sum(env: &TestEnv) -> Counts {
    let now = env.store().now().await.unwrap();
    let filter = SeriesFilter {
        action: None,
        class: None,
        since: Timestamp::from_ms(now.ms() - 3_600_000),
        until: Timestamp::from_ms(now.ms() + 1),
        resolution: Resolution::Minute,
        intervals_per_point: 1,
    };
    let mut sum = Counts::default();
    for point in env.store().series(&filter).await.unwrap() {
        sum.add(&point.counts);
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn every_job_is_counted_once_while_schedulers_come_and_go() {
    const JOBS: u64 = 300;
    const FAILING: u64 = 5;
    let env = TestEnv::new().await;
    let worker = env.worker_with(&["--capacity=cpu=8"]);
    let (first, second) = (env.scheduler(), env.scheduler());
    let mut all = jobs((JOBS - FAILING) as usize, "noop", "cpu=1");
    all.extend(jobs(FAILING as usize, "false", "cpu=1"));
    env.store().submit(&all[..100]).await.unwrap();
    let some = async || sum(&env).await.started > 0;
    env.eventually("a start is counted", some).await;
    first.kill().await;
    let third = env.scheduler();
    env.store().submit(&all[100..]).await.unwrap();

    let ended = async || {
        let sum = sum(&env).await;
        sum.done + sum.failed >= JOBS
    };
    env.eventually("all jobs are counted", ended).await;
    // The cursor has passed every event, so a repeated count would show.
    let counter = EventCounter::new(env.store().clone(), Metrics::default());
    let counted = async || !counter.once().await.unwrap().more;
    env.eventually("no event is left", counted).await;
    let sum = sum(&env).await;
    assert_eq!((sum.started, sum.done, sum.failed), (JOBS, JOBS - FAILING, FAILING));
    assert_eq!((sum.wait.count(), sum.run.count()), (JOBS, JOBS));
    let now = env.store().now().await.unwrap();
    let since = Timestamp::from_ms(now.ms() - 600_000);
    let groups = env.store().failure_groups(since, now).await.unwrap();
    assert_eq!(groups.iter().map(|group| group.count).sum::<u64>(), FAILING);
    let counts = env.store().counts().await.unwrap();
    let done = counts.iter().find(|(status, _)| *status == Status::Done).map(|(_, count)| *count);
    assert_eq!(done, Some(JOBS - FAILING));
    for service in [second, third, worker] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test]
async fn a_scheduler_that_dies_between_reading_and_counting_leaves_the_events_to_another() {
    let env = TestEnv::new().await;
    env.store().submit(&jobs(3, "noop", "gpu=9")).await.unwrap();
    let counter = || EventCounter::new(env.store().clone(), Metrics::default());
    let read = env.store().uncounted_events(100).await.unwrap();
    // The first scheduler has read these events, and dies. The second counts them.
    let done = counter().once().await.unwrap();
    assert_eq!((done.events, done.more), (3, true));
    // The first was only slow, and counts after all.
    let late = counter().count(&read).await.unwrap();
    assert_eq!((late.events, late.lost), (0, false));
    assert_eq!(counter().once().await.unwrap().events, 0);
    env.close().await;
}

#[tokio::test]
async fn after_events_were_trimmed_counting_goes_on_with_those_that_are_kept() {
    let env = TestEnv::new().await;
    let counter = EventCounter::new(env.store().clone(), Metrics::default());
    env.store().submit(&jobs(2, "noop", "gpu=9")).await.unwrap();
    assert_eq!(counter.once().await.unwrap().events, 2);
    // Events of one call share an entry of the stream, which is trimmed by entries.
    for _ in 0..4 {
        env.store().submit(&jobs(1, "noop", "gpu=9")).await.unwrap();
    }
    env.redis("xtrim", "events", &["MAXLEN", "1"]).await;
    let done = counter.once().await.unwrap();
    assert_eq!((done.events, done.lost), (1, true));
    let idle = counter.once().await.unwrap();
    assert_eq!((idle.events, idle.lost), (0, false), "the loss is noticed once");

    // All events are gone, as after a failover.
    env.store().submit(&jobs(1, "noop", "gpu=9")).await.unwrap();
    env.redis("xtrim", "events", &["MAXLEN", "0"]).await;
    let done = counter.once().await.unwrap();
    assert_eq!((done.events, done.lost), (0, true));
    assert!(!counter.once().await.unwrap().lost);
    env.close().await;
}
