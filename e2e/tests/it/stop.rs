//! Workers that stop, gracefully or not: their jobs go on elsewhere.

use domain::job::{Job, Status};
use e2e::{StartServices, TestEnv, assert_consistent, jobs};
use serde_json::json;
use store::{Filter, WorkerStatus};

use crate::world::{Actions, ended};

/// Sleeps for this long.
fn sleeps(count: usize, seconds: f64) -> Vec<domain::job::NewJob> {
    let mut batch = jobs(count, "sleep", "scan=1");
    for one in &mut batch {
        one.spec.parameters = json!({"seconds": seconds}).as_object().cloned();
    }
    batch
}

async fn all(env: &TestEnv) -> Vec<Job> {
    env.store().jobs(&Filter::default(), 0, 1000).await.unwrap().jobs
}

/// Waits until every job has ended, follow-ups included, and well.
async fn all_over(env: &TestEnv, count: usize) {
    env.eventually("every job, or its follow-up, is done", async || {
        let all = all(env).await;
        let done = all.iter().filter(|job| job.status == Status::Done).count();
        done == count && all.iter().all(|job| job.status.is_final())
    })
    .await;
    assert_consistent(env.store()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_killed_worker_are_carried_on_by_another() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let killed = env.worker("scan=4");
    env.store().submit(&sleeps(8, 1.0)).await.unwrap();
    env.eventually("four run", async || {
        env.store().counts().await.unwrap().contains(&(Status::Running, 4))
    })
    .await;
    killed.kill().await;
    let other = env.worker("scan=4");
    all_over(&env, 8).await;
    let all = all(&env).await;
    let dead = all.iter().filter(|job| job.status == Status::WorkerDead);
    let carried_on = dead.filter(|job| {
        all.iter().any(|other| Some(other.id) == job.follow_up && other.retry_from == job.id)
    });
    assert_eq!(carried_on.count(), 4);
    let statuses: Vec<_> =
        env.store().workers().await.unwrap().into_iter().map(|worker| worker.status).collect();
    assert!(statuses.contains(&WorkerStatus::Dead) && statuses.contains(&WorkerStatus::Running));
    other.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_stopped_lets_jobs_end_and_passes_on_those_that_take_too_long() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let stopped = env.worker_with(&["--capacity=scan=4", "--shutdown-grace=700ms"]);
    let mut batch = sleeps(2, 0.5);
    batch.extend(sleeps(2, 3.0));
    env.store().submit(&batch).await.unwrap();
    env.eventually("four run", async || {
        env.store().counts().await.unwrap().contains(&(Status::Running, 4))
    })
    .await;
    stopped.stop().await;
    let ended = env.store().jobs_by_id(&batch.iter().map(|job| job.id).collect::<Vec<_>>()).await;
    let ended: Vec<_> = ended.unwrap().into_iter().map(|job| job.status).collect();
    let (done, passed_on) = (Status::Done, Status::WorkerShutdown);
    assert_eq!(ended, [done, done, passed_on, passed_on]);
    let workers = env.store().workers().await.unwrap();
    assert_eq!((workers.len(), workers[0].status), (1, WorkerStatus::Shutdown));
    let other = env.worker("scan=4");
    all_over(&env, 4).await;
    other.stop().await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_ends_cleanly_when_it_is_told_to_is_not_done() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let text =
        "[actions.tidy]\nargv = ['sh', '-c', 'trap \"exit 0\" TERM; echo up; sleep 60 & wait']";
    let file = Actions::new(text);
    let flag = file.flag();
    let flags = ["--capacity=scan=2", "--shutdown-grace=100ms", &flag];
    let worker = env.worker_with(&flags);
    let (stopped, cancelled) = (e2e::job("tidy", "scan=1"), e2e::job("tidy", "scan=1"));
    env.store().submit(&[stopped.clone(), cancelled.clone()]).await.unwrap();
    for job in [&stopped, &cancelled] {
        let up = async || !env.store().log_lines(job.id, 0, 1).await.unwrap().is_empty();
        env.eventually("it is up", up).await;
    }
    env.store().cancel(&[cancelled.id], &domain::job::Cancelled::default()).await.unwrap();
    ended(&env, cancelled.id).await;
    worker.stop().await;
    let look = async |id| env.store().job(id).await.unwrap().unwrap();
    assert_eq!(look(cancelled.id).await.status, Status::Cancel);
    let stopped = look(stopped.id).await;
    assert_eq!(stopped.status, Status::WorkerShutdown);
    env.store().cancel(&[stopped.follow_up.unwrap()], &Default::default()).await.unwrap();
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_grace_and_one_after_it_the_jobs() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let file = Actions::new(
        "[actions.deaf]\nargv = ['sh', '-c', 'trap \"\" TERM; echo up; sleep 60; sleep 60']",
    );
    let flag = file.flag();
    for grace in ["60s", "50ms"] {
        let grace_flag = format!("--shutdown-grace={grace}");
        let config = env.config(&["--lease=2s", "--capacity=scan=1", &grace_flag, &flag]);
        let signals = worker::Shutdown::default();
        let (asked, hurry) = (signals.asked.clone(), signals.hurry.clone());
        let worker = e2e::serve(|_| worker::run(config, signals));
        let mut job = e2e::job("deaf", "scan=1");
        // Longer than the test may take when nobody hurries.
        let stop_timeout = if grace == "60s" { "100ms" } else { "200s" };
        job.spec.stop_timeout = stop_timeout.parse().unwrap();
        env.store().submit(std::slice::from_ref(&job)).await.unwrap();
        let up = async || !env.store().log_lines(job.id, 0, 1).await.unwrap().is_empty();
        env.eventually("it is up", up).await;
        asked.cancel();
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        hurry.cancel();
        worker.stop().await;
        let ended = env.store().job(job.id).await.unwrap().unwrap();
        assert_eq!(ended.status, Status::WorkerShutdown, "grace {grace}");
        env.store().cancel(&[ended.follow_up.unwrap()], &Default::default()).await.unwrap();
    }
    assert_consistent(env.store()).await;
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_all_workers_loses_and_doubles_nothing() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let mut workers: Vec<_> = (0..3).map(|_| env.worker("scan=4")).collect();
    env.store().submit(&sleeps(300, 0.05)).await.unwrap();
    for _ in 0..3 {
        workers.push(env.worker("scan=4"));
        workers.remove(0).stop().await;
    }
    all_over(&env, 300).await;
    assert!(all(&env).await.iter().all(|job| job.attempt == 1), "each ended in its grace");
    for worker in workers {
        worker.stop().await;
    }
    scheduler.stop().await;
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_a_worker_that_knows_its_action() {
    let env = TestEnv::new().await;
    let scheduler = env.scheduler();
    let ignorant = env.worker("scan=1");
    let rare = e2e::job("rare", "scan=1");
    env.store().submit(std::slice::from_ref(&rare)).await.unwrap();
    let last = e2e::job("noop", "scan=1");
    env.store().submit(std::slice::from_ref(&last)).await.unwrap();
    ended(&env, last.id).await;
    let look = async || env.store().job(rare.id).await.unwrap().unwrap();
    assert_eq!((look().await.status, look().await.attempt), (Status::Waiting, 1));
    let file = Actions::new("[actions.rare]\nargv = ['true']");
    let flag = file.flag();
    let knowing = env.worker_with(&["--capacity=scan=1", &flag]);
    let ended = ended(&env, rare.id).await;
    assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    assert_consistent(env.store()).await;
    for service in [ignorant, knowing, scheduler] {
        service.stop().await;
    }
    env.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_of_jobs_that_are_not_there_or_too_many_are_thrown_away() {
    let env = TestEnv::new().await;
    let (scheduler, worker) = (env.scheduler(), env.worker("scan=1"));
    let first = e2e::job("noop", "scan=1");
    env.store().submit(std::slice::from_ref(&first)).await.unwrap();
    ended(&env, first.id).await;
    let queue = domain::queue::QueueName::of(&first);
    let mut publisher = broker::Publisher::new(env.broker().await).await.unwrap();
    let at = domain::job::Timestamp::from_ms(1);
    let strangers = |count| (0..count).map(|_| domain::job::JobId::random()).collect();
    for ids in [strangers(1), strangers(65), vec![first.id; 3], Vec::new()] {
        let offer = broker::Offer::new(at, ids);
        assert!(publisher.publish(&[(queue.clone(), offer)]).await.unwrap().is_empty());
    }
    let last = e2e::job("noop", "scan=1");
    env.store().submit(std::slice::from_ref(&last)).await.unwrap();
    ended(&env, last.id).await;
    let broker = env.broker().await;
    env.eventually("none is left", async || broker.depth(&queue).await.unwrap() == Some(0)).await;
    assert_consistent(env.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    env.close().await;
}
