//! Redis has lost writes that it had acknowledged, as a failover to a replica that was behind does:
//! what becomes of the runs that the lost writes were about.

use std::time::Duration;

use domain::job::{
    Cancellation, ClaimedJob, FencingToken, JobId, NewJob, Outcome, Status, WorkerId,
};
use store::{FinishAnswer, HeartbeatReply, Interruption, Renewal};
use testkit::{PrivateRedis, TestEnv, assert_consistent, job};

use crate::calls::{claimed, dump, end, finish, heartbeat, status, submit, worker};

/// A Redis that can lose writes, and a worker.
struct Lossy {
    redis: PrivateRedis,
    env: TestEnv,
    worker: WorkerId,
}

impl Lossy {
    async fn new() -> Lossy {
        let redis = PrivateRedis::start().await;
        let env = TestEnv::on(redis.url()).await;
        let worker = worker(&env).await;
        Lossy { redis, env, worker }
    }

    async fn claimed(&self, job: &NewJob) -> ClaimedJob {
        let id = submit(&self.env, job).await;
        claimed(&self.env, &self.worker, id).await
    }

    /// Loses all writes since the state was saved.
    async fn lose_writes(&mut self) {
        self.redis.roll_back().await;
        let answers = async || self.env.store().ping().await.is_ok();
        self.env.eventually("Redis answers again", answers).await;
    }

    /// A heartbeat of the worker that reports these runs.
    async fn heartbeat(&self, running: &[(JobId, FencingToken)], noted: FencingToken) -> Renewal {
        let mut report = heartbeat(&self.worker, Duration::from_secs(60));
        (report.running, report.noted) = (running.to_vec(), noted);
        match self.env.store().heartbeat(&report).await.unwrap() {
            HeartbeatReply::Renewed(renewal) => renewal,
            HeartbeatReply::Dead => panic!("the worker lives"),
        }
    }
}

#[tokio::test]
async fn a_run_whose_end_is_lost_ends_as_lost_and_a_follow_up_carries_it_on() {
    let mut lossy = Lossy::new().await;
    let mut job = job("noop", "scan=1");
    (job.spec.unique_key, job.spec.locks) = (Some("one".into()), "lock".parse().unwrap());
    let run = lossy.claimed(&job).await;
    lossy.redis.save();
    finish(&lossy.env, &end(run.id, run.token, Outcome::Done(None))).await;
    lossy.lose_writes().await;
    assert_eq!(status(&lossy.env, run.id).await, Status::Running, "its end is lost");

    let reported = lossy.heartbeat(&[(run.id, run.token)], run.token).await;
    assert_eq!(reported.unreported, [], "it still runs");
    let renewal = lossy.heartbeat(&[], run.token).await;
    assert_eq!(renewal.unreported, [(run.id, run.token)]);
    let store = lossy.env.store();
    assert_eq!(store.lose_runs(&lossy.worker, &renewal.unreported).await.unwrap(), 1);
    let lost = store.job(run.id).await.unwrap().unwrap();
    let follow_up = store.job(lost.follow_up.unwrap()).await.unwrap().unwrap();
    assert_eq!((lost.status, follow_up.status), (Status::WorkerDead, Status::Waiting));
    assert_eq!((follow_up.retry_from, follow_up.crashes), (run.id, 1));
    claimed(&lossy.env, &lossy.worker, follow_up.id).await;
    assert_consistent(store).await;

    let before = dump(&lossy.env).await;
    assert_eq!(store.lose_runs(&lossy.worker, &renewal.unreported).await.unwrap(), 0);
    assert_eq!(dump(&lossy.env).await, before, "a repeated call changes nothing");
    lossy.env.close().await;
}

#[tokio::test]
async fn a_run_whose_claim_may_not_be_answered_yet_is_left_alone() {
    let lossy = Lossy::new().await;
    let known = lossy.claimed(&job("noop", "scan=1")).await;
    let run = lossy.claimed(&job("noop", "scan=1")).await;
    let renewal = lossy.heartbeat(&[(known.id, known.token)], known.token).await;
    assert_eq!((renewal.interruptions, renewal.unreported), (vec![], vec![]));
    let store = lossy.env.store();
    let before = dump(&lossy.env).await;
    let other = worker(&lossy.env).await;
    let stale = FencingToken(run.token.0 + 1);
    assert_eq!(store.lose_runs(&other, &[(run.id, run.token)]).await.unwrap(), 0);
    assert_eq!(store.lose_runs(&lossy.worker, &[(run.id, stale)]).await.unwrap(), 0);
    let mut after = dump(&lossy.env).await;
    for key in ["workers", "leases", "routing", "events", &format!("worker:{other}")] {
        after.remove(key);
    }
    assert!(after.iter().all(|(key, value)| before.get(key) == Some(value)), "nothing is written");
    lossy.env.close().await;
}

#[tokio::test]
async fn a_run_whose_claim_is_lost_is_stopped_and_the_job_can_be_claimed_again() {
    let mut lossy = Lossy::new().await;
    let id = submit(&lossy.env, &job("noop", "scan=1")).await;
    lossy.redis.save();
    let run = claimed(&lossy.env, &lossy.worker, id).await;
    lossy.lose_writes().await;
    assert_eq!(status(&lossy.env, id).await, Status::Waiting, "its claim is lost");
    let renewal = lossy.heartbeat(&[(id, run.token)], run.token).await;
    assert_eq!(renewal.interruptions, [(id, Interruption::Lost)]);
    let stopped = end(id, run.token, Outcome::Resurrected);
    assert_eq!(finish(&lossy.env, &stopped).await, FinishAnswer::Stale);

    let other = worker(&lossy.env).await;
    let second = claimed(&lossy.env, &other, id).await;
    let late = end(id, run.token, Outcome::Done(None));
    assert_eq!(finish(&lossy.env, &late).await, FinishAnswer::Stale);
    let renewal = lossy.heartbeat(&[(id, second.token)], second.token).await;
    assert_eq!(
        renewal.interruptions,
        [(id, Interruption::Lost)],
        "a run belongs to the worker that claimed it"
    );
    lossy.env.close().await;
}

#[tokio::test]
async fn a_worker_that_has_stopped_a_job_on_a_lost_request_ends_it_as_cancelled() {
    let mut lossy = Lossy::new().await;
    let run = lossy.claimed(&job("noop", "scan=1")).await;
    lossy.redis.save();
    lossy.env.store().cancel(&[run.id], &Cancellation::default()).await.unwrap();
    lossy.lose_writes().await;
    assert_eq!(status(&lossy.env, run.id).await, Status::Running, "the request is lost");
    let stopped = end(run.id, run.token, Outcome::Cancel);
    assert_eq!(finish(&lossy.env, &stopped).await, FinishAnswer::Recorded(Status::Cancel));
    assert_consistent(lossy.env.store()).await;
    lossy.env.close().await;
}
