//! Workers that stop, gracefully or not: their jobs go on elsewhere.

use e2e::{House, assert_consistent, jobs};
use serde_json::json;
use shared::job::{Job, Status};
use shared::store::{Filter, WorkerStatus};

use crate::world::{Actions, ended};

/// Sleeps for this long.
fn sleeps(count: usize, seconds: f64) -> Vec<shared::job::NewJob> {
    let mut batch = jobs(count, "sleep", "scan=1");
    for one in &mut batch {
        one.spec.parameters = json!({"seconds": seconds}).as_object().cloned();
    }
    batch
}

async fn all(house: &House) -> Vec<Job> {
    house.store().jobs(&Filter::default(), 0, 1000).await.unwrap().jobs
}

/// Waits until every job has ended, follow-ups included, and well.
async fn all_over(house: &House, count: usize) {
    house
        .eventually("every job, or its follow-up, is done", async || {
            let all = all(house).await;
            let done = all.iter().filter(|job| job.status == Status::Done).count();
            done == count && all.iter().all(|job| job.status.is_final())
        })
        .await;
    assert_consistent(house.store()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_killed_worker_are_carried_on_by_another() {
    let house = House::new().await;
    let scheduler = house.scheduler();
    let killed = house.worker("scan=4");
    house.store().submit(&sleeps(8, 1.0)).await.unwrap();
    house
        .eventually("four run", async || {
            house.store().counts().await.unwrap().contains(&(Status::Running, 4))
        })
        .await;
    killed.kill().await;
    let other = house.worker("scan=4");
    all_over(&house, 8).await;
    let all = all(&house).await;
    let dead = all.iter().filter(|job| job.status == Status::WorkerDead);
    let carried_on = dead.filter(|job| {
        all.iter().any(|other| Some(other.id) == job.follow_up && other.retry_from == job.id)
    });
    assert_eq!(carried_on.count(), 4);
    let statuses: Vec<_> =
        house.store().workers().await.unwrap().into_iter().map(|worker| worker.status).collect();
    assert!(statuses.contains(&WorkerStatus::Dead) && statuses.contains(&WorkerStatus::Running));
    other.stop().await;
    scheduler.stop().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_stopped_lets_jobs_end_and_passes_on_those_that_take_too_long() {
    let house = House::new().await;
    let scheduler = house.scheduler();
    let stopped = house.worker_with(&["--capacity=scan=4", "--shutdown-grace=700ms"]);
    let mut batch = sleeps(2, 0.5);
    batch.extend(sleeps(2, 3.0));
    house.store().submit(&batch).await.unwrap();
    house
        .eventually("four run", async || {
            house.store().counts().await.unwrap().contains(&(Status::Running, 4))
        })
        .await;
    stopped.stop().await;
    let ended = house.store().jobs_by_id(&batch.iter().map(|job| job.id).collect::<Vec<_>>()).await;
    let ended: Vec<_> = ended.unwrap().into_iter().map(|job| job.status).collect();
    let (done, passed_on) = (Status::Done, Status::WorkerShutdown);
    assert_eq!(ended, [done, done, passed_on, passed_on]);
    let workers = house.store().workers().await.unwrap();
    assert_eq!((workers.len(), workers[0].status), (1, WorkerStatus::Shutdown));
    let other = house.worker("scan=4");
    all_over(&house, 4).await;
    other.stop().await;
    scheduler.stop().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_ends_cleanly_when_it_is_told_to_is_not_done() {
    let house = House::new().await;
    let scheduler = house.scheduler();
    let text =
        "[actions.tidy]\nargv = ['sh', '-c', 'trap \"exit 0\" TERM; echo up; sleep 60 & wait']";
    let file = Actions::new(text);
    let flag = file.flag();
    let flags = ["--capacity=scan=2", "--shutdown-grace=100ms", &flag];
    let worker = house.worker_with(&flags);
    let (stopped, cancelled) = (e2e::job("tidy", "scan=1"), e2e::job("tidy", "scan=1"));
    house.store().submit(&[stopped.clone(), cancelled.clone()]).await.unwrap();
    for job in [&stopped, &cancelled] {
        let up = async || !house.store().log_lines(job.id, 0, 1).await.unwrap().is_empty();
        house.eventually("it is up", up).await;
    }
    house.store().cancel(&[cancelled.id], &shared::job::Cancelled::default()).await.unwrap();
    ended(&house, cancelled.id).await;
    worker.stop().await;
    let look = async |id| house.store().job(id).await.unwrap().unwrap();
    assert_eq!(look(cancelled.id).await.status, Status::Cancel);
    let stopped = look(stopped.id).await;
    assert_eq!(stopped.status, Status::WorkerShutdown);
    house.store().cancel(&[stopped.follow_up.unwrap()], &Default::default()).await.unwrap();
    scheduler.stop().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_grace_and_one_after_it_the_jobs() {
    let house = House::new().await;
    let scheduler = house.scheduler();
    let file = Actions::new(
        "[actions.deaf]\nargv = ['sh', '-c', 'trap \"\" TERM; echo up; sleep 60; sleep 60']",
    );
    let flag = file.flag();
    for grace in ["60s", "50ms"] {
        let grace_flag = format!("--shutdown-grace={grace}");
        let config = house.config(&["--lease=2s", "--capacity=scan=1", &grace_flag, &flag]);
        let signals = worker::Shutdown::default();
        let (asked, hurry) = (signals.asked.clone(), signals.hurry.clone());
        let worker = e2e::serve(|_| worker::run(config, signals));
        let mut job = e2e::job("deaf", "scan=1");
        // Longer than the test may take when nobody hurries.
        let stop_timeout = if grace == "60s" { "100ms" } else { "200s" };
        job.spec.stop_timeout = stop_timeout.parse().unwrap();
        house.store().submit(std::slice::from_ref(&job)).await.unwrap();
        let up = async || !house.store().log_lines(job.id, 0, 1).await.unwrap().is_empty();
        house.eventually("it is up", up).await;
        asked.cancel();
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        hurry.cancel();
        worker.stop().await;
        let ended = house.store().job(job.id).await.unwrap().unwrap();
        assert_eq!(ended.status, Status::WorkerShutdown, "grace {grace}");
        house.store().cancel(&[ended.follow_up.unwrap()], &Default::default()).await.unwrap();
    }
    assert_consistent(house.store()).await;
    scheduler.stop().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_all_workers_loses_and_doubles_nothing() {
    let house = House::new().await;
    let scheduler = house.scheduler();
    let mut workers: Vec<_> = (0..3).map(|_| house.worker("scan=4")).collect();
    house.store().submit(&sleeps(300, 0.05)).await.unwrap();
    for _ in 0..3 {
        workers.push(house.worker("scan=4"));
        workers.remove(0).stop().await;
    }
    all_over(&house, 300).await;
    assert!(all(&house).await.iter().all(|job| job.attempt == 1), "each ended in its grace");
    for worker in workers {
        worker.stop().await;
    }
    scheduler.stop().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_a_worker_that_knows_its_action() {
    let house = House::new().await;
    let scheduler = house.scheduler();
    let ignorant = house.worker("scan=1");
    let rare = e2e::job("rare", "scan=1");
    house.store().submit(std::slice::from_ref(&rare)).await.unwrap();
    let last = e2e::job("noop", "scan=1");
    house.store().submit(std::slice::from_ref(&last)).await.unwrap();
    ended(&house, last.id).await;
    let look = async || house.store().job(rare.id).await.unwrap().unwrap();
    assert_eq!((look().await.status, look().await.attempt), (Status::Waiting, 1));
    let file = Actions::new("[actions.rare]\nargv = ['true']");
    let flag = file.flag();
    let knowing = house.worker_with(&["--capacity=scan=1", &flag]);
    let ended = ended(&house, rare.id).await;
    assert_eq!((ended.status, ended.attempt), (Status::Done, 1));
    assert_consistent(house.store()).await;
    for service in [ignorant, knowing, scheduler] {
        service.stop().await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_of_jobs_that_are_not_there_or_too_many_are_thrown_away() {
    let house = House::new().await;
    let (scheduler, worker) = (house.scheduler(), house.worker("scan=1"));
    let first = e2e::job("noop", "scan=1");
    house.store().submit(std::slice::from_ref(&first)).await.unwrap();
    ended(&house, first.id).await;
    let queue = shared::queue::QueueName::of(&first);
    let mut publisher = shared::broker::Publisher::new(house.broker().await).await.unwrap();
    let at = shared::job::Timestamp::from_ms(1);
    let strangers = |count| (0..count).map(|_| shared::job::JobId::random()).collect();
    for ids in [strangers(1), strangers(65), vec![first.id; 3], Vec::new()] {
        let offer = shared::broker::Offer::new(at, ids);
        assert!(publisher.publish(&[(queue.clone(), offer)]).await.unwrap().is_empty());
    }
    let last = e2e::job("noop", "scan=1");
    house.store().submit(std::slice::from_ref(&last)).await.unwrap();
    ended(&house, last.id).await;
    let broker = house.broker().await;
    house.eventually("none is left", async || broker.depth(&queue).await.unwrap() == Some(0)).await;
    assert_consistent(house.store()).await;
    worker.stop().await;
    scheduler.stop().await;
    house.close().await;
}
