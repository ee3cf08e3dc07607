//! Time series and groups of failures: each event is counted once, and what is kept is bounded.

use std::collections::BTreeMap;

use domain::event::EventId;
use domain::failure::{FailureKind, Fingerprint};
use domain::job::{Exception, JobId, Outcome, Timestamp};
use domain::series::{Counts, Resolution, SeriesName, Tally};
use store::{
    CountAnswer, EventCounts, FailureCount, JobFilter, MAX_FAILURE_GROUPS, MAX_SERIES,
    SeriesFilter, UncountedEvents,
};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{claimed, dump, end, failed, finish, submit, worker};

type Minutes = BTreeMap<(i64, SeriesName), Counts>;
type Failures = BTreeMap<FailureKind, Vec<FailureCount>>;

fn series(action: &str, class: &str) -> SeriesName {
    SeriesName { action: action.parse().unwrap(), class: class.to_owned().try_into().unwrap() }
}

fn kind(action: &str, message: &str) -> FailureKind {
    FailureKind::of(&action.parse().unwrap(), Some(&Exception::new("Test", message)))
}

fn started(count: u64) -> Counts {
    Counts { started: count, ..Counts::default() }
}

async fn uncounted(env: &TestEnv) -> UncountedEvents {
    env.store().uncounted_events(1_000).await.unwrap()
}

async fn count(env: &TestEnv, counts: &EventCounts<'_>) -> CountAnswer {
    env.store().count_events(counts).await.unwrap()
}

/// Adds counts and failures, as if they were those of the next event.
async fn add(env: &TestEnv, minutes: &Minutes, failures: &Failures) {
    let cursor = uncounted(env).await.cursor;
    let ms = cursor.map_or(now(env).await.ms() as u64, |cursor| cursor.ms + 1);
    let next = EventId { ms, sequence: 0 };
    let counts = EventCounts { cursor, next, minutes, failures };
    assert_eq!(count(env, &counts).await, CountAnswer::Counted);
}

async fn now(env: &TestEnv) -> Timestamp {
    env.store().now().await.unwrap()
}

/// The counts of the current and the last hour, added up.
async fn sum(env: &TestEnv, action: Option<&str>, resolution: Resolution) -> Counts {
    let now = now(env).await;
    let filter = SeriesFilter {
        action: action.map(|action| action.parse().unwrap()),
        class: None,
        since: Timestamp::from_ms(now.ms() - 3_600_000),
        until: Timestamp::from_ms(now.ms() + 1),
        resolution,
        intervals_per_point: 1,
    };
    let mut sum = Counts::default();
    for point in env.store().series(&filter).await.unwrap() {
        sum.add(&point.counts);
    }
    sum
}

async fn groups(env: &TestEnv) -> Vec<(Fingerprint, u64)> {
    let now = now(env).await;
    let since = Timestamp::from_ms(now.ms() - 3_600_000);
    let groups = env.store().failure_groups(since, now).await.unwrap();
    groups.into_iter().map(|group| (group.fingerprint, group.count)).collect()
}

#[tokio::test]
async fn events_are_counted_once_however_often_they_are_read() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    for outcome in [Outcome::Done(None), failed()] {
        let id = submit(&env, &job("noop", "")).await;
        let run = claimed(&env, &worker, id).await;
        finish(&env, &end(id, run.token, outcome)).await;
    }
    let mut tally = Tally::default();
    let (mine, theirs) = (uncounted(&env).await, uncounted(&env).await);
    mine.events.iter().for_each(|event| tally.add(event));
    assert_eq!((mine.cursor, mine.lost), (None, false));
    let failures = Failures::new();
    let counts = |read: &UncountedEvents| EventCounts {
        cursor: read.cursor,
        next: read.last,
        minutes: &tally.minutes,
        failures: &failures,
    };
    assert_eq!(count(&env, &counts(&mine)).await, CountAnswer::Counted);
    let counted = dump(&env).await;
    assert_eq!(count(&env, &counts(&theirs)).await, CountAnswer::Conflict);
    assert_eq!(dump(&env).await, counted);
    assert!(uncounted(&env).await.events.is_empty());

    for resolution in Resolution::ALL {
        for action in [None, Some("noop")] {
            let sum = sum(&env, action, resolution).await;
            assert_eq!((sum.started, sum.done, sum.failed), (2, 1, 1), "{resolution:?} {action:?}");
            assert_eq!((sum.wait.count(), sum.run.count()), (2, 2));
        }
        assert_eq!(sum(&env, Some("other"), resolution).await, Counts::default());
    }
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn series_beyond_the_limit_are_added_up_in_one_until_a_number_is_free() {
    let env = TestEnv::new().await;
    let minute = Resolution::Minute.start_of(now(&env).await.ms());
    let name = |index: usize| series(&format!("a{index}"), "default=1");
    for first in (0..=MAX_SERIES + 1).step_by(10) {
        let all =
            (first..(first + 10).min(MAX_SERIES + 2)).map(|at| ((minute, name(at)), started(1)));
        add(&env, &all.collect(), &Failures::new()).await;
    }
    let known = sum(&env, Some("a7"), Resolution::Minute).await;
    assert_eq!(known, started(1));
    let beyond = format!("a{}", MAX_SERIES + 1);
    assert_eq!(sum(&env, Some(&beyond), Resolution::Minute).await, Counts::default());
    let total = MAX_SERIES as u64 + 2;
    assert_eq!(sum(&env, None, Resolution::Minute).await, started(total), "all are counted");
    let others = env.redis("hget", &format!("series:minute:{minute}"), &["0"]).await;
    assert_eq!(others.trim(), "2");

    // A series that is not kept any more loses its number to the next new one.
    env.redis("zadd", "series:used", &["1", "a7 default=1"]).await;
    add(&env, &[((minute, series(&beyond, "default=1")), started(5))].into(), &Failures::new())
        .await;
    assert_eq!(sum(&env, Some(&beyond), Resolution::Hour).await.started, 6);
    assert_eq!(sum(&env, Some("a7"), Resolution::Hour).await, Counts::default());
    env.close().await;
}

#[tokio::test]
async fn failures_are_grouped_and_the_group_that_was_seen_least_recently_goes_first() {
    let env = TestEnv::new().await;
    let now = now(&env).await;
    let one = |at: i64| FailureCount { job: JobId::random(), at: Timestamp::from_ms(at) };
    let first = [(kind("gc", "no image 7"), vec![one(now.ms() - 9), one(now.ms() - 8)])].into();
    add(&env, &Minutes::new(), &first).await;
    let again = [(kind("gc", "no image 8"), vec![one(now.ms() - 7)])].into();
    add(&env, &Minutes::new(), &again).await;
    let fingerprint = kind("gc", "no image 1").fingerprint();
    assert_eq!(groups(&env).await, [(fingerprint, 3)]);
    let since = Timestamp::from_ms(now.ms() - 1_000);
    let group = &env.store().failure_groups(since, now).await.unwrap()[0];
    assert_eq!(group.kind, kind("gc", "no image 1"));
    assert_eq!((group.first_seen.ms(), group.last_seen.ms()), (now.ms() - 9, now.ms() - 7));
    assert_eq!(group.sample, again.values().next().unwrap()[0].job);

    // A word without digits, because these are masked.
    let letter = |index: usize| char::from(b'a' + (index % 26) as u8);
    let word = |index: usize| String::from_iter([letter(index / 26), letter(index)]);
    let more = |index| (kind("gc", &word(index)), vec![one(now.ms())]);
    for first in (0..MAX_FAILURE_GROUPS).step_by(100) {
        let some: Failures = (first..first + 100).map(more).collect();
        add(&env, &Minutes::new(), &some).await;
    }
    let kept = groups(&env).await;
    assert!(kept.len() <= MAX_FAILURE_GROUPS, "{}", kept.len());
    assert!(!kept.iter().any(|(one, _)| *one == fingerprint), "the oldest is removed");
    let listed = env.redis("zcard", "failure_groups", &[]).await;
    assert_eq!(listed.trim(), MAX_FAILURE_GROUPS.to_string());
    env.close().await;
}

#[tokio::test]
async fn jobs_are_listed_by_fingerprint() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut ids = Vec::new();
    for message in ["no image 1", "no layer", "no image 2"] {
        let id = submit(&env, &job("noop", "")).await;
        let run = claimed(&env, &worker, id).await;
        let outcome = Outcome::Error(Exception::new("Test", message));
        finish(&env, &end(id, run.token, outcome)).await;
        ids.push(id);
    }
    let fingerprint = Some(kind("noop", "no image 9").fingerprint());
    let statuses = vec![domain::job::Status::Error];
    let filter = JobFilter { fingerprint, statuses, ..JobFilter::default() };
    let page = env.store().job_ids(&filter, 0, 10).await.unwrap();
    assert_eq!((page.total, page.cut), (2, false));
    assert!(page.ids.contains(&ids[0]) && page.ids.contains(&ids[2]), "{page:?}");
    let other = Some("00ff00ff00ff00ab".parse().unwrap());
    let filter = JobFilter { fingerprint: other, ..filter };
    assert_eq!(env.store().job_ids(&filter, 0, 10).await.unwrap().total, 0);
    env.close().await;
}
