//! trim and the bounds: what is over leaves the store in the end, and nothing of it stays behind.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use domain::job::{JobId, NewJob, Outcome, Status, Timestamp};
use expect_test::expect;
use store::{
    ClaimAnswer, ClaimRequest, Claims, Dumped, LeaveAnswer, LogSource, NewLogLine, Outbox,
    Settings, Submission, Trimmed,
};
use testkit::{TestEnv, assert_consistent, job, jobs};

use crate::calls::{claimed, dump, end, failed, finish, status, submit, worker};

fn settings(keep: u64, age: &str) -> Settings {
    Settings {
        job_history_compaction_enabled: true,
        job_history_to_keep: keep,
        job_history_max_age: age.parse().unwrap(),
        scanning_deadline: 0,
    }
}

async fn trim(env: &TestEnv, settings: &Settings) -> Trimmed {
    env.store().trim(settings).await.unwrap()
}

/// Five jobs that are over, due one second after the other, and one each that waits, runs and is asked to stop.
async fn full_house() -> (TestEnv, Vec<JobId>) {
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
async fn what_need_not_go_stays_and_nothing_changes() {
    let (env, _) = full_house().await;
    let before = dump(&env).await;
    let off = Settings { job_history_compaction_enabled: false, ..settings(1, "1ms") };
    for kept in [settings(0, ""), settings(5, "1h"), settings(100, ""), off] {
        assert_eq!(trim(&env, &kept).await, Trimmed::default(), "{kept:?}");
    }
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn of_what_is_over_the_jobs_that_were_due_last_stay() {
    let (env, ids) = full_house().await;
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
async fn what_ended_too_long_ago_goes_and_what_is_not_over_stays_however_old() {
    let (env, ids) = full_house().await;
    let gone = Cell::new(0);
    env.eventually("their time is over", async || {
        gone.set(gone.get() + trim(&env, &settings(0, "1ms")).await.jobs);
        env.store().job(ids[4]).await.unwrap().is_none()
    })
    .await;
    assert_eq!(gone.get(), 5);
    for (id, kept) in ids[5..].iter().zip([Status::CancelRequest, Status::Running, Status::Waiting])
    {
        assert_eq!(status(&env, *id).await, kept);
    }
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn an_id_that_was_used_once_is_spent_when_its_job_has_left_the_history() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (mut once, mut again) = (job("noop", ""), job("noop", ""));
    once.once = true;
    let other = submit(&env, &again).await;
    submit(&env, &once).await;
    for id in [once.id, other] {
        let run = claimed(&env, &worker, id).await;
        finish(&env, &end(id, run.token, Outcome::Done(None))).await;
    }
    let known = env.store().submit(std::slice::from_ref(&once)).await.unwrap();
    assert_eq!(known[0].outcome, Submission::Known);
    env.eventually("they leave the history", async || {
        env.store().trim(&settings(0, "1ms")).await.unwrap();
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
    assert_eq!(made[0].outcome, Submission::Created, "one that may be used again is");
    env.close().await;
}

/// Runs jobs to their ends, in one call each for all of them; each writes two lines.
async fn run_all(env: &TestEnv, worker: &domain::job::WorkerId, some: &[NewJob]) {
    env.store().submit(some).await.unwrap();
    let ids = some.iter().map(|job| job.id).collect();
    let request = ClaimRequest { max: some.len() as u32, ids };
    let claims = env.store().claim(worker, &[request]).await.unwrap();
    let Claims::Answered(mut lists) = claims else { panic!("the lease is good") };
    let runs = lists.remove(0).into_iter().map(|answer| match answer {
        ClaimAnswer::Claimed(run) => (run.id, run.token),
        ClaimAnswer::Gone | ClaimAnswer::Refused(_) | ClaimAnswer::Parked(_) => {
            panic!("a job was not claimed")
        }
    });
    let runs: Vec<_> = runs.collect();
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

/// How many keys there are of each kind, and how many members or entries they have.
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
        // An event stream is trimmed by whole nodes: about ten thousand.
        let size = if kind == "events" && (10_000..10_200).contains(&size) { 10_000 } else { size };
        let _ = writeln!(text, "{kind}: {keys} keys, {size} in all");
    }
    text
}

#[tokio::test]
async fn ten_thousand_jobs_whose_time_is_over_leave_an_almost_empty_store() {
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
        outbox.remove(published.iter()).await.unwrap();
    }
    let counts = env.store().counts().await.unwrap();
    let of = |status| counts.iter().find(|(found, _)| *found == status).map(|(_, count)| *count);
    assert_eq!((of(Status::Done), of(Status::Error)), (Some(8_000), Some(2_000)));
    assert_eq!(env.store().leave(&worker).await.unwrap(), LeaveAnswer::Left);

    let gone = Cell::new(0);
    env.eventually("their retention is over", async || {
        gone.set(gone.get() + trim(&env, &settings(0, "1ms")).await.jobs);
        gone.get() == 10_000
    })
    .await;
    expect![[r#"
        claimed_up_to: 1 keys, 1 in all
        events: 1 keys, 10000 in all
        number: 1 keys, 1 in all
        outbox: 1 keys, 0 in all
        queues: 1 keys, 1 in all
        token: 1 keys, 1 in all
        worker: 1 keys, 8 in all
        workers: 1 keys, 1 in all
    "#]]
    .assert_eq(&kinds(&dump(&env).await));
    assert_consistent(env.store()).await;
    env.close().await;
}
