//! Requests of users and operators: cancel, delete, retry and commands to workers; and jobs that
//! expire.

use std::time::Duration;

use domain::job::{Cancellation, JobId, NewJob, Outcome, Status, Timestamp, WorkerId};
use store::{
    CancelAnswer, ClaimAnswer, CommandAnswer, DeleteAnswer, FinishAnswer, HeartbeatReply, Hint,
    Interruption, LeaveAnswer, LogSource, NewLogLine, RetryAnswer, Submission, WorkerCommand,
};
use testkit::{TestEnv, assert_consistent, job};

use crate::calls::{
    claim, claimed, dump, end, failed, finish, heartbeat, lose, status, submit, worker,
};

const FAR: i64 = 253_402_300_000_000;
const MINUTE: Duration = Duration::from_secs(60);

fn why() -> Cancellation {
    Cancellation { by: "somebody".into(), reason: "no need".into() }
}

async fn cancel(env: &TestEnv, id: JobId) -> CancelAnswer {
    env.store().cancel(&[id], &why()).await.unwrap().remove(0)
}

/// Runs a job, with this outcome.
async fn run_to_end(env: &TestEnv, new: &NewJob, outcome: Outcome) {
    let worker = worker(env).await;
    submit(env, new).await;
    let run = claimed(env, &worker, new.id).await;
    finish(env, &end(new.id, run.token, outcome)).await;
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_wherever_it_waits() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (mut later, mut offered) = (job("noop", "scan=1"), job("noop", "scan=1"));
    later.scheduled_at = Some(Timestamp::from_ms(FAR));
    offered.spec.expires_at = Some(Timestamp::from_ms(FAR));
    for waiting in [&later, &offered] {
        submit(&env, waiting).await;
        assert_eq!(cancel(&env, waiting.id).await, CancelAnswer::Requested(Status::Cancel));
        let refused = claim(&env, &worker, waiting.id).await;
        assert_eq!(refused, ClaimAnswer::Refused(Status::Cancel), "its offer is used up");
    }
    let read = env.store().job(later.id).await.unwrap().unwrap();
    assert_eq!((read.cancelled, read.follow_up), (Some(why()), None));
    assert!(read.finished_at.is_some() && read.started_at.is_none());
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_running_job_is_asked_to_stop_and_a_hint_asks_its_worker_for_a_heartbeat() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let id = submit(&env, &job("noop", "scan=1")).await;
    let run = claimed(&env, &worker, id).await;
    let mut hints = env.store().hints(&worker).await.unwrap();
    assert_eq!(cancel(&env, id).await, CancelAnswer::Requested(Status::CancelRequest));
    assert_eq!(hints.next().await, Some(Hint::Heartbeat));
    let mut report = heartbeat(&worker, MINUTE);
    report.running = vec![(id, run.token)];
    let HeartbeatReply::Renewed(renewal) = env.store().heartbeat(&report).await.unwrap() else {
        panic!()
    };
    assert_eq!(renewal.interruptions, [(id, Interruption::Cancel)]);
    let stopped = finish(&env, &end(id, run.token, Outcome::Cancel)).await;
    assert_eq!(stopped, FinishAnswer::Recorded(Status::Cancel));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_job_that_ended_before_it_was_stopped_keeps_its_outcome_and_is_not_retried() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let outcomes = [
        (Outcome::Done(None), Status::Done),
        (failed(), Status::Error),
        (Outcome::Shutdown, Status::Cancel),
    ];
    for (outcome, status) in outcomes {
        let mut one = job("noop", "scan=1");
        one.spec.retries = 3;
        let id = submit(&env, &one).await;
        let run = claimed(&env, &worker, id).await;
        cancel(&env, id).await;
        let answer = finish(&env, &end(id, run.token, outcome)).await;
        assert_eq!(answer, FinishAnswer::Recorded(status));
        assert_eq!(env.store().job(id).await.unwrap().unwrap().follow_up, None);
    }
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn cancelling_a_job_that_is_over_asked_before_or_unknown_changes_nothing() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let done = job("noop", "");
    run_to_end(&env, &done, Outcome::Done(None)).await;
    let asked = submit(&env, &job("noop", "")).await;
    claimed(&env, &worker, asked).await;
    cancel(&env, asked).await;
    let deleted = submit(&env, &job("noop", "")).await;
    env.store().delete(deleted).await.unwrap();
    let before = dump(&env).await;
    let ids = [done.id, asked, deleted, JobId::random()];
    let other = Cancellation { by: "somebody else".into(), reason: String::new() };
    assert_eq!(
        env.store().cancel(&ids, &other).await.unwrap(),
        [
            CancelAnswer::Already(Status::Done),
            CancelAnswer::Already(Status::CancelRequest),
            CancelAnswer::Already(Status::Deleted),
            CancelAnswer::Gone,
        ]
    );
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_deleted_job_leaves_a_tombstone_and_nothing_else() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (waiting, done) = (job("noop", "scan=1"), job("noop", "scan=1"));
    submit(&env, &waiting).await;
    submit(&env, &done).await;
    let run = claimed(&env, &worker, done.id).await;
    let line = NewLogLine::now(LogSource::Stdout, "a line");
    env.store().append_log(done.id, run.token, 0, &[line]).await.unwrap();
    finish(&env, &end(done.id, run.token, Outcome::Done(None))).await;
    for deleted in [&waiting, &done] {
        assert_eq!(env.store().delete(deleted.id).await.unwrap(), DeleteAnswer::Deleted);
        assert_eq!(status(&env, deleted.id).await, Status::Deleted);
        let id = deleted.id.to_string();
        let keys = dump(&env).await.into_keys().filter(|key| key.contains(&id));
        assert_eq!(keys.collect::<Vec<_>>(), [format!("job:{id}")], "neither spec nor log is left");
    }
    assert_consistent(env.store()).await;

    let before = dump(&env).await;
    assert_eq!(env.store().delete(done.id).await.unwrap(), DeleteAnswer::Gone);
    assert_eq!(env.store().delete(JobId::random()).await.unwrap(), DeleteAnswer::Gone);
    let again = env.store().submit(std::slice::from_ref(&done)).await.unwrap();
    assert_eq!(again[0].outcome, Submission::Known, "its id is not used again");
    assert_eq!(finish(&env, &end(done.id, run.token, failed())).await, FinishAnswer::Stale);
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_running_job_is_deleted_when_it_has_ended_however_it_ends() {
    let env = TestEnv::new().await;
    for outcome in [Outcome::Cancel, Outcome::Done(None), failed(), Outcome::Shutdown] {
        let worker = worker(&env).await;
        let mut one = job("noop", "scan=1");
        one.spec.retries = 2;
        let id = submit(&env, &one).await;
        let run = claimed(&env, &worker, id).await;
        assert_eq!(env.store().delete(id).await.unwrap(), DeleteAnswer::Requested);
        assert_eq!(status(&env, id).await, Status::CancelRequest);
        let before = dump(&env).await;
        assert_eq!(env.store().delete(id).await.unwrap(), DeleteAnswer::Requested);
        assert_eq!(dump(&env).await, before, "a second request changes nothing");
        finish(&env, &end(id, run.token, outcome)).await;
        assert_eq!(status(&env, id).await, Status::Deleted);
    }
    let lost = worker(&env).await;
    let id = submit(&env, &job("noop", "scan=1")).await;
    claimed(&env, &lost, id).await;
    env.store().delete(id).await.unwrap();
    lose(&env, &lost).await;
    assert_eq!(
        status(&env, id).await,
        Status::Deleted,
        "its worker died before the job was stopped"
    );
    let left = env.store().counts().await.unwrap();
    assert!(left.iter().all(|(_, count)| *count == 0), "no follow-up is created: {left:?}");
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_job_that_is_over_is_retried_once_with_all_its_retries() {
    let env = TestEnv::new().await;
    let mut one = job("noop", "scan=1");
    one.spec.retries = 2;
    run_to_end(&env, &one, Outcome::Done(None)).await;
    let new = JobId::random();
    assert_eq!(env.store().retry(one.id, new).await.unwrap(), RetryAnswer::Created);
    let made = env.store().job(new).await.unwrap().unwrap();
    assert_eq!((made.status, made.retry_from), (Status::Waiting, one.id));
    assert_eq!((made.retries_left, made.attempt, made.spec), (2, 2, one.spec));
    assert_consistent(env.store()).await;
    let before = dump(&env).await;
    assert_eq!(
        env.store().retry(one.id, new).await.unwrap(),
        RetryAnswer::Created,
        "a repeated request gets the same answer"
    );
    let other = env.store().retry(one.id, JobId::random()).await.unwrap();
    assert_eq!(other, RetryAnswer::Followed(new));
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_refused_retry_changes_nothing() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let waiting = submit(&env, &job("noop", "")).await;
    let running = submit(&env, &job("noop", "")).await;
    claimed(&env, &worker, running).await;
    let deleted = submit(&env, &job("noop", "")).await;
    env.store().delete(deleted).await.unwrap();
    let (mut first, mut second) = (job("noop", ""), job("noop", ""));
    first.spec.unique_key = Some("one".into());
    second.spec.unique_key = Some("one".into());
    run_to_end(&env, &first, Outcome::Done(None)).await;
    submit(&env, &second).await;
    let before = dump(&env).await;
    for (id, refused) in [
        (waiting, RetryAnswer::Refused(Status::Waiting)),
        (running, RetryAnswer::Refused(Status::Running)),
        (deleted, RetryAnswer::Refused(Status::Deleted)),
        (first.id, RetryAnswer::Taken(second.id)),
        (JobId::random(), RetryAnswer::Gone),
    ] {
        assert_eq!(env.store().retry(id, JobId::random()).await.unwrap(), refused);
    }
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn commands_are_accepted_for_a_worker_that_is_alive_and_refused_for_others() {
    let env = TestEnv::new().await;
    let (living, left, dead) = (worker(&env).await, worker(&env).await, worker(&env).await);
    let mut hints = env.store().hints(&living).await.unwrap();
    let map = "cpu=4".parse().unwrap();
    for wanted in [WorkerCommand::Capacity(map), WorkerCommand::Drain] {
        assert_eq!(
            env.store().command_worker(&living, &wanted).await.unwrap(),
            CommandAnswer::Accepted
        );
        assert_eq!(hints.next().await, Some(Hint::Heartbeat));
    }
    let renewed = async || match env.store().heartbeat(&heartbeat(&living, MINUTE)).await.unwrap() {
        HeartbeatReply::Renewed(renewal) => (renewal.drain, renewal.wanted),
        HeartbeatReply::Dead => panic!("the worker is alive"),
    };
    assert_eq!(renewed().await, (true, Some("cpu=4".parse().unwrap())));
    env.store().command_worker(&living, &WorkerCommand::Resume).await.unwrap();
    assert_eq!(renewed().await, (false, Some("cpu=4".parse().unwrap())));

    assert_eq!(env.store().leave(&left).await.unwrap(), LeaveAnswer::Left);
    lose(&env, &dead).await;
    let before = dump(&env).await;
    for (id, refused) in [
        (left, CommandAnswer::Over),
        (dead, CommandAnswer::Over),
        (WorkerId::random(), CommandAnswer::Gone),
    ] {
        assert_eq!(env.store().command_worker(&id, &WorkerCommand::Drain).await.unwrap(), refused);
    }
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn a_job_that_expires_before_it_starts_ends_in_error() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let (mut late, mut in_time, mut running) =
        (job("noop", "scan=1"), job("noop", "scan=1"), job("noop", "scan=1"));
    late.spec.expires_at = Some(Timestamp::from_ms(1_000));
    in_time.spec.expires_at = Some(Timestamp::from_ms(FAR));
    running.spec.expires_at = Some(Timestamp::from_ms(FAR));
    for one in [&late, &in_time, &running] {
        submit(&env, one).await;
    }
    claimed(&env, &worker, running.id).await;
    let before = dump(&env).await;
    let refused = claim(&env, &worker, late.id).await;
    assert_eq!(
        refused,
        ClaimAnswer::Refused(Status::Waiting),
        "it has expired, and is not ended yet"
    );
    assert_eq!(dump(&env).await, before);
    assert_eq!(env.store().expire_waiting().await.unwrap().expired, 1);
    let read = env.store().job(late.id).await.unwrap().unwrap();
    assert_eq!(read.status, Status::Error);
    assert_eq!(read.exception.map(|exception| exception.kind), Some("Expired".to_owned()));
    assert_eq!(status(&env, in_time.id).await, Status::Waiting);
    assert_eq!(status(&env, running.id).await, Status::Running);
    let before = dump(&env).await;
    assert_eq!(env.store().expire_waiting().await.unwrap().expired, 0);
    assert_eq!(dump(&env).await, before);
    assert_consistent(env.store()).await;
    env.close().await;
}
