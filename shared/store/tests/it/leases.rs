//! heartbeat, leave, expire_lease: the leases of workers, and the jobs of workers that lose theirs.

use std::time::Duration;

use domain::job::{FencingToken, Outcome, Status, WorkerId};
use store::{
    ClaimRequest, Claims, HeartbeatReply, Interruption, LeaseExpiry, LeaveAnswer, WorkerStatus,
};
use testkit::{TestEnv, assert_consistent, job, jobs};

use crate::calls::{claimed, dump, end, finish, heartbeat, status, submit, worker};

const MOMENT: Duration = Duration::from_millis(1);

/// A worker that has claimed these jobs and whose lease has ended.
async fn dying_worker(
    env: &TestEnv,
    jobs: &[domain::job::NewJob],
) -> (WorkerId, Vec<FencingToken>) {
    let id = worker(env).await;
    let mut tokens = Vec::new();
    for job in jobs {
        tokens.push(claimed(env, &id, job.id).await.token);
    }
    env.store().heartbeat(&heartbeat(&id, MOMENT)).await.unwrap();
    env.eventually("the lease ends", async || {
        !env.store().ended_leases().await.unwrap().is_empty()
    })
    .await;
    (id, tokens)
}

#[tokio::test]
async fn a_heartbeat_renews_the_lease_and_names_the_jobs_that_are_lost() {
    let env = TestEnv::new().await;
    let id = worker(&env).await;
    let mine = submit(&env, &job("noop", "scan=1")).await;
    let run = claimed(&env, &id, mine).await;
    let ended = submit(&env, &job("noop", "scan=1")).await;
    let ended_run = claimed(&env, &id, ended).await;
    finish(&env, &end(ended, ended_run.token, Outcome::Done(None))).await;
    let mut report = heartbeat(&id, Duration::from_secs(60));
    report.running =
        vec![(mine, run.token), (ended, ended_run.token), (mine, FencingToken(run.token.0 + 1))];
    let HeartbeatReply::Renewed(renewal) = env.store().heartbeat(&report).await.unwrap() else {
        panic!()
    };
    let (until, interruptions) = (renewal.until, renewal.interruptions);
    assert_eq!(interruptions, [(ended, Interruption::Lost), (mine, Interruption::Lost)]);
    let read = env.store().worker(&id).await.unwrap().unwrap();
    assert_eq!((read.status, read.heartbeat_expiration), (WorkerStatus::Running, until));
    assert_eq!((read.jobs, read.capacity_map), (vec![mine], report.capacity_map));
    env.close().await;
}

#[tokio::test]
async fn a_worker_whose_lease_has_ended_renews_it_before_it_claims() {
    let env = TestEnv::new().await;
    let held = job("noop", "scan=1");
    submit(&env, &held).await;
    let (id, tokens) = dying_worker(&env, std::slice::from_ref(&held)).await;
    let next = submit(&env, &job("noop", "scan=1")).await;
    let request = [ClaimRequest { max: 1, ids: vec![next] }];
    let before = dump(&env).await;
    assert_eq!(env.store().claim(&id, &request).await.unwrap(), Claims::LeaseEnded);
    assert_eq!(dump(&env).await, before);
    let mut report = heartbeat(&id, Duration::from_secs(60));
    report.running = vec![(held.id, tokens[0])];
    let HeartbeatReply::Renewed(renewal) = env.store().heartbeat(&report).await.unwrap() else {
        panic!()
    };
    let interruptions = renewal.interruptions;
    assert_eq!(interruptions, [], "it keeps its jobs");
    claimed(&env, &id, next).await;
    env.close().await;
}

#[tokio::test]
async fn a_worker_leaves_only_when_it_runs_no_jobs() {
    let env = TestEnv::new().await;
    let id = worker(&env).await;
    let held = submit(&env, &job("noop", "scan=1")).await;
    let run = claimed(&env, &id, held).await;
    let before = dump(&env).await;
    assert_eq!(env.store().leave(&id).await.unwrap(), LeaveAnswer::Holds(1));
    assert_eq!(env.store().leave(&WorkerId::random()).await.unwrap(), LeaveAnswer::Gone);
    assert_eq!(dump(&env).await, before);
    finish(&env, &end(held, run.token, Outcome::Done(None))).await;
    assert_eq!(env.store().leave(&id).await.unwrap(), LeaveAnswer::Left);
    assert_eq!(env.store().heartbeat(&heartbeat(&id, MOMENT)).await.unwrap(), HeartbeatReply::Dead);
    let workers = env.store().workers().await.unwrap();
    assert_eq!((workers.len(), workers[0].status), (1, WorkerStatus::Shutdown));
    env.close().await;
}

#[tokio::test]
async fn a_lease_that_has_not_ended_is_left_alone() {
    let env = TestEnv::new().await;
    let id = worker(&env).await;
    let held = submit(&env, &job("noop", "scan=1")).await;
    claimed(&env, &id, held).await;
    let before = dump(&env).await;
    assert_eq!(env.store().ended_leases().await.unwrap(), []);
    assert_eq!(env.store().expire_lease(&id).await.unwrap(), LeaseExpiry::Alive);
    assert_eq!(env.store().expire_lease(&WorkerId::random()).await.unwrap(), LeaseExpiry::Alive);
    assert_eq!(dump(&env).await, before);
    env.close().await;
}

#[tokio::test]
async fn the_jobs_of_a_dead_worker_end_and_follow_ups_carry_them_on() {
    let env = TestEnv::new().await;
    let batch = jobs(150, "noop", "scan=1");
    env.store().submit(&batch).await.unwrap();
    let (id, tokens) = dying_worker(&env, &batch).await;
    assert_eq!(env.store().expire_lease(&id).await.unwrap(), LeaseExpiry::Ended(100, 50));
    assert_eq!(
        env.store().ended_leases().await.unwrap(),
        std::slice::from_ref(&id),
        "it has more jobs to end"
    );
    assert_eq!(env.store().expire_lease(&id).await.unwrap(), LeaseExpiry::Ended(50, 0));
    assert_eq!(env.store().ended_leases().await.unwrap(), []);
    assert_consistent(env.store()).await;

    let dead = env.store().job(batch[0].id).await.unwrap().unwrap();
    assert_eq!(dead.status, Status::WorkerDead);
    let follow_up = env.store().job(dead.follow_up.unwrap()).await.unwrap().unwrap();
    assert_eq!((follow_up.status, follow_up.retry_from), (Status::Waiting, dead.id));
    assert_eq!((follow_up.crashes, follow_up.attempt), (1, 2));
    assert_eq!(env.store().counts().await.unwrap()[0], (Status::Waiting, 150));

    let before = dump(&env).await;
    let late = end(dead.id, tokens[0], Outcome::Done(None));
    assert_eq!(finish(&env, &late).await, store::FinishAnswer::Already(Status::WorkerDead));
    assert_eq!(env.store().heartbeat(&heartbeat(&id, MOMENT)).await.unwrap(), HeartbeatReply::Dead);
    let request = [ClaimRequest { max: 1, ids: vec![follow_up.id] }];
    assert_eq!(env.store().claim(&id, &request).await.unwrap(), Claims::LeaseLost);
    assert_eq!(dump(&env).await, before, "a dead worker changes nothing");
    env.close().await;
}

#[tokio::test]
async fn a_job_is_not_carried_on_after_four_worker_deaths_in_a_row() {
    let env = TestEnv::new().await;
    let first = job("noop", "scan=1");
    submit(&env, &first).await;
    let (mut current, mut deaths) = (first, 0);
    loop {
        let (id, _) = dying_worker(&env, std::slice::from_ref(&current)).await;
        env.store().expire_lease(&id).await.unwrap();
        deaths += 1;
        let read = env.store().job(current.id).await.unwrap().unwrap();
        assert_eq!(read.status, Status::WorkerDead);
        match read.follow_up {
            Some(next) => current.id = next,
            None => break,
        }
    }
    assert_eq!(deaths, 4, "three deaths in a row are survived, the fourth is not");
    assert_eq!(status(&env, current.id).await, Status::WorkerDead);
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_worker_that_leaves_twice_leaves_once() {
    let env = TestEnv::new().await;
    let id = worker(&env).await;
    assert_eq!(env.store().leave(&id).await.unwrap(), LeaveAnswer::Left);
    let before = dump(&env).await;
    assert_eq!(
        env.store().leave(&id).await.unwrap(),
        LeaveAnswer::Left,
        "a repeated call gets the same answer"
    );
    assert_eq!(dump(&env).await, before, "there is no second event");
    env.close().await;
}
