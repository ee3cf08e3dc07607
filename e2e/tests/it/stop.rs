//! Workers that stop, gracefully or not: their jobs go on elsewhere.

use e2e::{House, assert_consistent, jobs};
use serde_json::json;
use shared::job::{Job, Status};
use shared::store::{Filter, WorkerStatus};

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
