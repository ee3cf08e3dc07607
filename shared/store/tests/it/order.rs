//! Jobs of equal priority and equal scheduledAt go in the order in which they were submitted,
//! wherever they wait. Their ids are random, so that an order by id would be found out.

use domain::job::{FencingToken, JobId, NewJob, Outcome, Timestamp, WorkerId};
use store::{ClaimAnswer, JobChange, Outbox, Redispatch, WaitPosition};
use testkit::{TestEnv, assert_consistent, job, jobs, shared_queue};

use crate::calls::{claim, claimed, end, finish, ids_of, offers, submit, worker};

fn ids(jobs: &[NewJob]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

/// The jobs in the outbox, in its order, without the first few.
async fn offered_after(env: &TestEnv, first: usize) -> Vec<JobId> {
    offers(env).await.into_iter().skip(first).map(|(id, _)| id).collect()
}

async fn done(env: &TestEnv, id: JobId, token: FencingToken) {
    finish(env, &end(id, token, Outcome::Done(None))).await;
}

async fn parked(env: &TestEnv, worker: &WorkerId, id: JobId) {
    assert!(matches!(claim(env, worker, id).await, ClaimAnswer::Parked(_)));
}

#[tokio::test]
async fn a_batch_is_offered_in_its_order_through_the_window_and_the_backlog() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let batch = jobs(200, "noop", "");
    env.store().submit(&batch).await.unwrap();
    let mut relay = Outbox::new(env.store().clone(), "relay".into()).unwrap();
    relay.create_group().await.unwrap();
    // A worker with one unit takes what is offered, one job after the other.
    let (mut order, mut numbers) = (Vec::new(), Vec::new());
    loop {
        let entries = relay.read_new(1, std::time::Duration::from_millis(1)).await.unwrap();
        let Some(entry) = entries.first() else { break };
        for job in &entry.jobs {
            let position = env.store().wait_position(&env.job(job.id).await).await.unwrap();
            assert_eq!(position, WaitPosition::Offered(0), "none of the others is ahead of it");
            let run = claimed(&env, &worker, job.id).await;
            done(&env, job.id, run.token).await;
            order.push(job.id);
            numbers.push(job.number);
        }
        relay.remove(&ids_of(&entries)).await.unwrap();
    }
    assert_eq!(order, ids(&batch));
    assert_eq!(numbers, (1..=200).collect::<Vec<u64>>());
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn jobs_due_in_the_same_millisecond_become_due_in_their_order() {
    // On a slow machine the jobs are due before all of them are changed.
    for delay_ms in [200, 2_000, 20_000] {
        let env = TestEnv::new().await;
        let now = env.store().now().await.unwrap().ms();
        let at = Some(Timestamp::from_ms(now + delay_ms));
        let mut batch = jobs(64, "noop", "");
        batch.iter_mut().for_each(|job| job.scheduled_at = at);
        // The first half is submitted for another time and changed, in the opposite order.
        for job in &mut batch[..32] {
            job.scheduled_at = Some(Timestamp::from_ms(now + 3_600_000));
        }
        env.store().submit(&batch).await.unwrap();
        for job in batch[..32].iter().rev() {
            let change = JobChange { priority: None, scheduled_at: at };
            env.store().change(job.id, change).await.unwrap();
        }
        if env.store().now().await.unwrap().ms() < now + delay_ms {
            let moved = async || env.store().due().await.unwrap().moved > 0;
            env.eventually("they are due", moved).await;
            assert_eq!(offered_after(&env, 0).await, ids(&batch));
            assert_consistent(env.store()).await;
            return env.close().await;
        }
        env.close().await;
    }
    panic!("the jobs are not changed within 20 s");
}

#[tokio::test]
async fn dependents_go_on_in_their_order() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let on = submit(&env, &job("noop", "")).await;
    let mut batch = jobs(60, "noop", "");
    batch.iter_mut().for_each(|job| job.spec.depends_on = vec![on]);
    env.store().submit(&batch).await.unwrap();
    let run = claimed(&env, &worker, on).await;
    done(&env, on, run.token).await;
    while env.store().propagate().await.unwrap().1 > 0 {}
    assert_eq!(offered_after(&env, 1).await, ids(&batch));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn children_are_offered_in_their_order() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let parent = job("noop", "");
    submit(&env, &parent).await;
    claimed(&env, &worker, parent.id).await;
    let mut children = jobs(50, "noop", "");
    children.iter_mut().for_each(|child| child.spec.parent = Some(parent.id));
    env.store().submit(&children).await.unwrap();
    assert_eq!(offered_after(&env, 1).await, ids(&children));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn waiters_of_a_lock_are_granted_it_in_their_order() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let mut batch = jobs(60, "noop", "");
    batch.iter_mut().for_each(|job| job.spec.locks = "a=1".parse().unwrap());
    env.store().submit(&batch).await.unwrap();
    let mut run = claimed(&env, &worker, batch[0].id).await;
    // They join the wait queue in the opposite order.
    for job in batch[1..].iter().rev() {
        parked(&env, &worker, job.id).await;
    }
    let lock = "a".parse().unwrap();
    for (ahead, job) in batch[1..].iter().enumerate() {
        let found = env.store().waiters_ahead(&lock, &env.job(job.id).await).await.unwrap();
        assert_eq!(found, Some(ahead as u64));
    }
    let waiters = env.store().lock(&lock).await.unwrap().waiters;
    let waiters: Vec<JobId> = waiters.iter().map(|waiter| waiter.job.id).collect();
    assert!(ids(&batch[1..]).starts_with(&waiters) && !waiters.is_empty());
    for job in &batch[1..] {
        done(&env, run.id, run.token).await;
        run = claimed(&env, &worker, job.id).await;
    }
    assert_eq!(offered_after(&env, 60).await, ids(&batch[1..]));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn waiters_of_a_lock_without_a_limit_are_released_in_their_order() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let pause = "action:noop".parse().unwrap();
    env.store().pause(&pause, true).await.unwrap();
    let batch = jobs(64, "noop", "");
    env.store().submit(&batch).await.unwrap();
    for job in batch.iter().rev() {
        parked(&env, &worker, job.id).await;
    }
    env.store().pause(&pause, false).await.unwrap();
    assert_eq!(offered_after(&env, 64).await, ids(&batch));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn lost_offers_are_offered_again_in_their_order() {
    let env = TestEnv::new().await;
    let batch = jobs(64, "noop", "");
    env.store().submit(&batch).await.unwrap();
    let mut relay = Outbox::new(env.store().clone(), "relay".into()).unwrap();
    relay.create_group().await.unwrap();
    let lost = relay.read_new(100, std::time::Duration::from_millis(1)).await.unwrap();
    relay.remove(&ids_of(&lost)).await.unwrap();
    let which =
        Redispatch { queue: shared_queue(&batch[0]), age: std::time::Duration::ZERO, behind: None };
    assert_eq!(env.store().redispatch(&which).await.unwrap().offered, 64);
    assert_eq!(offered_after(&env, 0).await, ids(&batch));
    assert_consistent(env.store()).await;
    env.close().await;
}

#[tokio::test]
async fn a_higher_priority_and_an_earlier_time_still_go_first() {
    let env = TestEnv::new().await;
    let worker = worker(&env).await;
    let lock = "a=1".parse().unwrap();
    let at = |ms| Some(Timestamp::from_ms(ms));
    let mut batch = jobs(5, "noop", "");
    let (low, high) = (domain::job::Priority::Low, domain::job::Priority::High);
    batch[1].spec.priority = low;
    batch[4].spec.priority = high;
    for (job, due) in batch.iter_mut().zip([1, 5, 5, 4, 5]) {
        job.scheduled_at = at(due);
        job.spec.locks = Clone::clone(&lock);
    }
    env.store().submit(&batch).await.unwrap();
    let mut run = claimed(&env, &worker, batch[0].id).await;
    for job in &batch[1..] {
        parked(&env, &worker, job.id).await;
    }
    for next in [4, 3, 2, 1] {
        done(&env, run.id, run.token).await;
        run = claimed(&env, &worker, batch[next].id).await;
    }
    env.close().await;
}
