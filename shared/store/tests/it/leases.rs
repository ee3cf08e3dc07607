//! heartbeat, leave, expire_lease: the leases of workers, and the jobs of workers that lose theirs.

use std::time::Duration;

use domain::job::{FencingToken, Outcome, Status, WorkerId};
use store::{
    ClaimRequest, Claims, HeartbeatReply, Interruption, LeaseExpiry, LeaveAnswer, WorkerCommand,
    WorkerStatus,
};
use testkit::{PrivateRedis, TestEnv, assert_consistent, job, jobs};

use crate::calls::{claimed, dump, end, finish, heartbeat, redis_cli, status, submit, worker};
use crate::redis_commands::carried_out;

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

#[tokio::test]
async fn a_job_that_is_over_and_still_listed_as_running_is_not_ended_again() {
    let env = TestEnv::new().await;
    let id = worker(&env).await;
    let (over, runs) = (job("noop", "scan=1"), job("noop", "scan=1"));
    for job in [&over, &runs] {
        submit(&env, job).await;
    }
    let run = claimed(&env, &id, over.id).await;
    claimed(&env, &id, runs.id).await;
    finish(&env, &end(over.id, run.token, Outcome::Done(None))).await;
    let key = format!("{{{}}}:running:{id}", env.store_config().namespace);
    let command = ["sadd".to_owned(), key, over.id.to_string()];
    redis_cli(&env.store_config().redis_url, command).await;
    env.store().heartbeat(&heartbeat(&id, MOMENT)).await.unwrap();
    let ended = std::cell::Cell::new(LeaseExpiry::Alive);
    env.eventually("the lease ends", async || {
        ended.set(env.store().expire_lease(&id).await.unwrap());
        ended.get() != LeaseExpiry::Alive
    })
    .await;
    assert_eq!(ended.get(), LeaseExpiry::Ended(1, 0));
    assert_eq!(status(&env, over.id).await, Status::Done);
    assert_eq!(status(&env, runs.id).await, Status::WorkerDead);
    assert_consistent(env.store()).await;
    env.close().await;
}

/// How many commands Redis carries out for a read of the live workers.
async fn commands_for_live_workers(env: &TestEnv, redis: &PrivateRedis) -> u64 {
    let before = carried_out(redis).await;
    assert_eq!(env.store().live_workers().await.unwrap().len(), 2);
    let after = carried_out(redis).await;
    after.values().sum::<u64>() - before.values().sum::<u64>()
}

#[tokio::test]
async fn the_live_workers_are_read_at_the_same_cost_however_many_have_died() {
    let redis = PrivateRedis::start().await;
    let env = TestEnv::on(redis.url()).await;
    let live = [worker(&env).await, worker(&env).await];
    env.store().command_worker(&live[1], &WorkerCommand::Drain).await.unwrap();
    let without = commands_for_live_workers(&env, &redis).await;
    for _ in 0..200 {
        let id = WorkerId::random();
        env.store().heartbeat(&heartbeat(&id, MOMENT)).await.unwrap();
    }
    env.eventually("the leases have ended", async || {
        for id in env.store().ended_leases().await.unwrap() {
            env.store().expire_lease(&id).await.unwrap();
        }
        env.store().live_workers().await.unwrap().len() == 2
    })
    .await;
    assert_eq!(env.store().workers().await.unwrap().len(), 202);
    assert_eq!(commands_for_live_workers(&env, &redis).await, without);
    let mut found: Vec<WorkerId> =
        env.store().live_workers().await.unwrap().into_iter().map(|worker| worker.id).collect();
    found.sort();
    let mut live = live.to_vec();
    live.sort();
    assert_eq!(found, live);
    env.close().await;
}
