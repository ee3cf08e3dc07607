//! What tests put into a env, and how they look at it: as text.

use std::fmt::Write as _;
use std::time::Duration;

use domain::capacity::{CapacityMap, Class};
use domain::job::{JobId, NewJob, Spec, Status, WorkerId};
use store::{Beat, Filter, Store};

/// A job of this action that needs this capacity (`scan=1`; the empty text is none), without parameters.
#[must_use]
pub fn job(action: &str, capacity: &str) -> NewJob {
    let capacity: CapacityMap = capacity.parse().expect("a capacity map");
    let spec = serde_json::json!({"action": action, "capacityMap": capacity});
    let spec: Spec = serde_json::from_value(spec).expect("a spec");
    let class = Class::of(spec.capacity_map.as_ref()).expect("a class");
    NewJob { id: JobId::random(), class, scheduled_at: None, once: false, spec }
}

/// So many jobs of this action that need this capacity.
#[must_use]
pub fn jobs(count: usize, action: &str, capacity: &str) -> Vec<NewJob> {
    (0..count).map(|_| job(action, capacity)).collect()
}

/// A beat of a worker with a lease of this length, for tests that play its part.
#[must_use]
pub fn beat(worker: &WorkerId, lease: Duration) -> Beat {
    let capacity: CapacityMap = "scan=1".parse().expect("a capacity map");
    Beat {
        worker: worker.clone(),
        lease,
        name: "test".into(),
        version: "1".into(),
        free: capacity.clone(),
        capacity_map: capacity,
        actions: ["noop", "sleep", "false"].map(|name| name.parse().expect("a name")).into(),
        running: Vec::new(),
    }
}

/// Counts by status, the workers, the queues, and the first jobs that are not over.
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
    for queue in store.queues().await.unwrap_or_default() {
        let _ = writeln!(text, "queue {} ready {}", queue.name, queue.ready);
    }
    let statuses = vec![Status::Waiting, Status::Running, Status::CancelRequest];
    let filter = Filter { statuses, ..Filter::default() };
    let page = store.jobs(&filter, 0, 20).await.map(|page| page.jobs).unwrap_or_default();
    for job in page {
        let worker = job.worker.map(|worker| worker.to_string()).unwrap_or_default();
        let _ =
            writeln!(text, "job {} {} {} {} {worker}", job.number, job.id, job.status, job.class);
    }
    text
}
