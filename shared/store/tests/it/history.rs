//! trim: jobs that are over leave the store, and nothing of them stays behind.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use domain::job::{JobId, NewJob, Outcome, Status, Timestamp};
use expect_test::expect;
use store::{
    Dumped, LeaveAnswer, LogSource, NewLogLine, Outbox, Settings, Submission, Sweep, Trimmed,
};
use testkit::{TestEnv, assert_consistent, job, jobs};

use crate::calls::{
    claim_all, claimed, dump, end, failed, finish, ids_of, redis_cli, status, submit, worker,
};

fn settings(keep: u64, age: &str) -> Settings {
    Settings {
        job_history_compaction_enabled: true,
        job_history_to_keep: keep,
        job_history_max_age: age.parse().unwrap(),
        ..Settings::default()
    }
}

async fn trim(env: &TestEnv, settings: &Settings) -> Trimmed {
    env.store().trim(settings, &mut Sweep::default()).await.unwrap()
}

/// Five jobs that are over, due one second apart, and one each that waits, runs, and was asked to
/// stop.
async fn finished_jobs() -> (TestEnv, Vec<JobId>) {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut ids = Vec::new();
    for second in 0..8 {
        let mut one = job("noop", "scan=1");
        one.scheduled_at = Some(Timestamp::from_ms(1_000 * (10 - second)));
        ids.push(submit(&env, &one).await);
        if second == 7 {
            continue;
        }
        let run = claimed(&env, &worker, one.id).await;
        match second {
            6 => {}
            5 => {
                env.store().cancel(&[one.id], &domain::job::Cancellation::default()).await.unwrap();
            }
            even if even % 2 == 0 => {
                finish(&env, &end(one.id, run.token, Outcome::Done(None))).await;
            }
            _ => {
                finish(&env, &end(one.id, run.token, failed())).await;
            }
        }
    }
    (env, ids)
}

#[tokio::test]
async fn nothing_is_removed_while_no_limit_is_reached() {
    let (env, _) = finished_jobs().await;
    let before = dump(&env).await;
    let off = Settings { job_history_compaction_enabled: false, ..settings(1, "1ms") };
    for kept in [settings(0, ""), settings(5, "1h"), settings(100, ""), off] {
        assert_eq!(trim(&env, &kept).await, Trimmed::default(), "{kept:?}");
    }
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn of_the_jobs_that_are_over_those_that_were_due_last_stay() {
    let (env, ids) = finished_jobs().await;
    assert_eq!(trim(&env, &settings(2, "1h")).await, Trimmed { jobs: 3, workers: 0 });
    for (index, id) in ids.iter().enumerate() {
        let stays = env.store().job(*id).await.unwrap().is_some();
        assert_eq!(stays, !(2..5).contains(&index), "job {index}");
    }
    assert_consistent(env.store()).await;
    let before = dump(&env).await;
    assert_eq!(trim(&env, &settings(2, "1h")).await, Trimmed::default());
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn jobs_that_ended_too_long_ago_are_removed_and_jobs_that_are_not_over_stay() {
    let (env, ids) = finished_jobs().await;
    let removed = Cell::new(0);
    env.eventually("the jobs are too old", async || {
        removed.set(removed.get() + trim(&env, &settings(0, "1ms")).await.jobs);
        env.store().job(ids[4]).await.unwrap().is_none()
    })
    .await;
    assert_eq!(removed.get(), 5);
    for (id, kept) in ids[5..].iter().zip([Status::CancelRequest, Status::Running, Status::Waiting])
    {
        assert_eq!(status(&env, *id).await, kept);
    }
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_job_that_ended_long_ago_is_removed_however_many_were_due_before_it_and_just_ended() {
    let env = TestEnv::new().await;
    let mut some = jobs(251, "noop", "");
    for (second, job) in some.iter_mut().enumerate() {
        job.scheduled_at = Some(Timestamp::from_ms(1_000 * second as i64));
    }
    let ids: Vec<JobId> = some.iter().map(|job| job.id).collect();
    env.store().submit(&some).await.unwrap();
    env.store().cancel(&ids, &domain::job::Cancellation::default()).await.unwrap();
    let record = format!("{{{}}}:job:{}", env.store_config().namespace, ids[250]);
    let command = ["hset", &record, "finishedAt", "1000"].map(str::to_owned);
    redis_cli(&env.store_config().redis_url, command).await;

    let mut sweep = Sweep::default();
    let settings = settings(0, "1h");
    let mut removed = 0;
    for _ in 0..3 {
        removed += env.store().trim(&settings, &mut sweep).await.unwrap().jobs;
    }
    assert_eq!(removed, 1);
    assert_eq!(env.store().job(ids[250]).await.unwrap(), None);
    assert_eq!(sweep, Sweep::default(), "the next sweep has not begun");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn an_id_that_must_not_be_used_again_stays_used_after_its_job_is_removed() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (mut once, mut again) = (job("noop", ""), job("noop", ""));
    once.reserve_id = true;
    let other = submit(&env, &again).await;
    submit(&env, &once).await;
    for id in [once.id, other] {
        let run = claimed(&env, &worker, id).await;
        finish(&env, &end(id, run.token, Outcome::Done(None))).await;
    }
    let known = env.store().submit(std::slice::from_ref(&once)).await.unwrap();
    assert_eq!(known[0].outcome, Submission::Known);
    env.eventually("the jobs are removed", async || {
        trim(&env, &settings(0, "1ms")).await;
        env.store().job(once.id).await.unwrap().is_none()
            && env.store().job(other).await.unwrap().is_none()
    })
    .await;
    let before = dump(&env).await;
    let spent = env.store().submit(std::slice::from_ref(&once)).await.unwrap();
    assert_eq!((spent[0].outcome, spent[0].id, spent[0].number), (Submission::Spent, once.id, 0));
    assert_eq!(dump(&env).await, before);
    again.id = other;
    let made = env.store().submit(std::slice::from_ref(&again)).await.unwrap();
    assert_eq!(made[0].outcome, Submission::Created, "an id that may be used again is");
    env.close().await;
}

/// Runs jobs to their ends, with one call of each kind for all of them; each writes two lines.
async fn run_all(env: &TestEnv, worker: &domain::job::WorkerId, some: &[NewJob]) {
    env.store().submit(some).await.unwrap();
    let ids: Vec<JobId> = some.iter().map(|job| job.id).collect();
    let runs = claim_all(env, worker, &ids).await;
    assert_eq!(runs.len(), some.len());
    let runs: Vec<_> = runs.into_iter().map(|run| (run.id, run.token)).collect();
    let lines = ["a line", "another"].map(|text| NewLogLine::now(LogSource::Stdout, text));
    let logging = runs.iter().map(|(id, token)| env.store().append_log(*id, *token, 0, &lines));
    for logged in futures_util::future::join_all(logging).await {
        logged.unwrap();
    }
    let ends = runs.iter().enumerate().map(|(index, (id, token))| match index % 5 {
        0 => end(*id, *token, failed()),
        _ => end(*id, *token, Outcome::Done(Some(index.into()))),
    });
    env.store().finish(&ends.collect::<Vec<_>>()).await.unwrap();
}

/// The number of keys of each kind, and of their members or entries.
fn kinds(world: &BTreeMap<String, Dumped>) -> String {
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (key, value) in world {
        let parts: Vec<&str> = key.split(':').collect();
        let kind = match parts[..] {
            ["jobs", by, _] => format!("jobs:{by}"),
            [kind, ..] => kind.to_owned(),
            [] => String::new(),
        };
        let size = match value {
            Dumped::Text(_) => 1,
            Dumped::Hash(fields) => fields.len(),
            Dumped::Set(members) => members.len(),
            Dumped::Sorted(members) => members.len(),
            Dumped::List(entries) => entries.len(),
            Dumped::Stream(entries) => entries.len(),
        };
        let count = kinds.entry(kind).or_default();
        *count = (count.0 + 1, count.1 + size);
    }
    let mut text = String::new();
    for (kind, (keys, size)) in kinds {
        let _ = writeln!(text, "{kind}: {keys} keys, {size} entries");
    }
    text
}

#[tokio::test]
async fn ten_thousand_jobs_that_are_removed_leave_an_almost_empty_store() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut outbox = Outbox::new(env.store().clone(), "relay".into()).unwrap();
    outbox.create_group().await.unwrap();
    for round in 0..100 {
        let mut some = jobs(100, if round % 2 == 0 { "noop" } else { "sleep" }, "scan=1");
        for (index, job) in some.iter_mut().enumerate() {
            job.spec.unique_key = (index % 10 == 0).then(|| format!("key-{index}"));
            job.spec.expires_at =
                (index % 10 == 1).then(|| Timestamp::from_ms(253_402_300_000_000));
        }
        run_all(&env, &worker, &some).await;
        let published = outbox.read_new(1_000, Duration::from_millis(1)).await.unwrap();
        outbox.remove(&ids_of(&published)).await.unwrap();
    }
    let counts = env.store().counts().await.unwrap();
    let of = |status| counts.iter().find(|(found, _)| *found == status).map(|(_, count)| *count);
    assert_eq!((of(Status::Done), of(Status::Error)), (Some(8_000), Some(2_000)));
    assert_eq!(env.store().leave(&worker).await.unwrap(), LeaveAnswer::Left);

    let removed = Cell::new(0);
    env.eventually("all jobs are removed", async || {
        removed.set(removed.get() + trim(&env, &settings(0, "1ms")).await.jobs);
        removed.get() == 10_000
    })
    .await;
    let queue = "scan=1.normal".parse().unwrap();
    assert!(env.store().retire_queue(&queue, Duration::ZERO).await.unwrap());
    expect![[r#"
        events: 1 keys, 30002 entries
        number: 1 keys, 1 entries
        outbox: 1 keys, 0 entries
        token: 1 keys, 1 entries
        worker: 1 keys, 8 entries
        workers: 1 keys, 1 entries
    "#]]
    .assert_eq(&kinds(&dump(&env).await));
    assert_consistent(env.store()).await;
    env.close().await;
}
