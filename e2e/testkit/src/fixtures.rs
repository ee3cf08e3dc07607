//! Jobs and heartbeats for tests, and the state of a store as text.

use std::fmt::Write as _;
use std::time::Duration;

use domain::capacity::{CapacityMap, Class};
use domain::job::{FencingToken, JobId, JobSpec, NewJob, Status, WorkerId};
use domain::queue::QueueName;
use store::{Heartbeat, JobFilter, Store};

/// Creates a job without parameters. `capacity` is what it needs, such as `scan=1`; an empty text
/// means no requirement.
#[must_use]
pub fn job(action: &str, capacity: &str) -> NewJob {
    let capacity: CapacityMap = capacity.parse().expect("the capacity is valid");
    let spec = serde_json::json!({"action": action, "capacityMap": capacity});
    let spec: JobSpec = serde_json::from_value(spec).expect("the spec is valid");
    let class = Class::of(spec.capacity_map.as_ref()).expect("the class is valid");
    let (scheduled_at, reserve_id, request_hash) = (None, false, None);
    NewJob { id: JobId::random(), class, scheduled_at, reserve_id, request_hash, spec }
}

/// Creates `count` jobs as [`job`] does.
#[must_use]
pub fn jobs(count: usize, action: &str, capacity: &str) -> Vec<NewJob> {
    (0..count).map(|_| job(action, capacity)).collect()
}

/// Returns the shared queue of a job's class and priority.
#[must_use]
pub fn shared_queue(job: &NewJob) -> QueueName {
    QueueName::shared(job.class.clone(), job.spec.priority)
}

/// Returns the job with these parameters.
#[must_use]
pub fn with_parameters(mut job: NewJob, parameters: &serde_json::Value) -> NewJob {
    job.spec.parameters = parameters.as_object().cloned();
    job
}

/// Creates a heartbeat, for tests that act as a worker.
#[must_use]
pub fn heartbeat(worker: &WorkerId, lease: Duration) -> Heartbeat {
    let capacity: CapacityMap = "scan=1".parse().expect("the capacity is valid");
    Heartbeat {
        worker: worker.clone(),
        lease,
        name: "test".into(),
        version: "1".into(),
        free: capacity.clone(),
        capacity_map: capacity,
        actions: ["noop", "sleep", "false"]
            .map(|name| name.parse().expect("the name is valid"))
            .into(),
        running: Vec::new(),
        noted: FencingToken(0),
    }
}

/// Describes a store: the number of jobs by status, the workers, the queues, and the first jobs
/// that are not finished.
pub(crate) async fn dump(store: &Store) -> String {
    let mut text = String::new();
    for (status, count) in store.counts().await.unwrap_or_default() {
        if count > 0 {
            let _ = writeln!(text, "{count} jobs {status}");
        }
    }
    for worker in store.workers().await.unwrap_or_default() {
        let (id, status) = (&worker.id, worker.status);
        let _ = writeln!(
            text,
            "worker {id} {status:?} offers {} free {} runs {}",
            worker.capacity_map,
            worker.free,
            worker.jobs.len()
        );
    }
    for queue in store.ready_queues().await.unwrap_or_default() {
        let _ = writeln!(text, "queue {} ready {}", queue.name, queue.ready);
    }
    for queue in store.declared_queues().await.unwrap_or_default() {
        let _ = writeln!(text, "announced {queue}");
    }
    let statuses = vec![Status::Waiting, Status::Running, Status::CancelRequest];
    let filter = JobFilter { statuses, ..JobFilter::default() };
    let page = store.jobs(&filter, 0, 20).await.map(|page| page.jobs).unwrap_or_default();
    for job in page {
        let worker = job.worker.map(|worker| worker.to_string()).unwrap_or_default();
        let _ =
            writeln!(text, "job {} {} {} {} {worker}", job.number, job.id, job.status, job.class);
    }
    text
}
