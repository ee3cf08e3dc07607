//! Why a job waits, from what the store says now. It decides nothing: it only looks, and may be
//! outdated the moment after.

use shared::capacity::Class;
use shared::job::{ActionName, Job, Status};
use shared::store::{Place, Store, StoreError, Worker, WorkerStatus};

/// Why a job waits, as a code and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// `due`, `capacity`, `action`, `draining` or `queue`.
    pub(crate) code: &'static str,
    /// One sentence.
    pub(crate) message: String,
}

/// Every code there is.
pub(crate) const CODES: [&str; 5] = ["due", "capacity", "action", "draining", "queue"];

/// Why the job waits; `None` when it does not, or not any more.
pub(crate) async fn reason(store: &Store, job: &Job) -> Result<Option<Reason>, StoreError> {
    if job.status != Status::Waiting {
        return Ok(None);
    }
    match store.place(job).await? {
        Place::Nowhere => Ok(None),
        Place::Dependent(_)
        | Place::Awaiting(_)
        | Place::InLine(_)
        | Place::Paused(_)
        | Place::Behind(_) => Ok(None),
        Place::Due => Ok(Some(expiring(job, of_due(job)))),
        Place::Ready(ahead) => {
            let workers = store.workers().await?;
            let reason = of_ready(&job.class, &job.spec.action, ahead, &workers);
            Ok(Some(expiring(job, reason)))
        }
    }
}

fn of_due(job: &Job) -> Reason {
    let mut message = format!("due at {}", job.scheduled_at);
    // What carries on after the loss of a worker is due at once, so this was a failure.
    if job.retry_from != job.id {
        message.push_str(&format!(", after a back-off: it is attempt {}", job.attempt));
    }
    Reason { code: "due", message }
}

fn expiring(job: &Job, mut reason: Reason) -> Reason {
    if let Some(at) = job.spec.expires_at {
        reason.message.push_str(&format!("; it expires at {at}"));
    }
    reason
}

/// Why a job waits that could be run at once: nobody can, or others go before it.
fn of_ready(class: &Class, action: &ActionName, ahead: u64, workers: &[Worker]) -> Reason {
    let need = class.need();
    let is_live = |status| matches!(status, WorkerStatus::Running | WorkerStatus::Draining);
    let live = || workers.iter().filter(|worker| is_live(worker.status));
    let fits = |worker: &&Worker| worker.capacity_map.fits(&need) > 0;
    let knows = |worker: &&Worker| worker.actions.iter().any(|name| name == action.as_str());
    if !live().any(|worker| fits(&worker)) {
        return Reason { code: "capacity", message: format!("no live worker offers {need}") };
    }
    if !live().any(|worker| knows(&worker)) {
        return Reason { code: "action", message: format!("no live worker knows action {action}") };
    }
    if !live().filter(fits).any(|worker| knows(&worker)) {
        let message = format!("no live worker that offers {need} knows action {action}");
        return Reason { code: "action", message };
    }
    let mut able = live().filter(fits).filter(knows);
    if able.all(|worker| worker.status == WorkerStatus::Draining) {
        let message = format!("every live worker that offers {need} for {action} is draining");
        return Reason { code: "draining", message };
    }
    Reason { code: "queue", message: format!("{ahead} ahead of it") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use shared::capacity::CapacityMap;
    use shared::job::{Timestamp, WorkerId};

    fn worker(status: WorkerStatus, map: &str, actions: &str) -> Worker {
        let capacity_map: CapacityMap = map.parse().unwrap();
        Worker {
            id: WorkerId::random(),
            status,
            name: String::new(),
            version: String::new(),
            free: CapacityMap::default(),
            capacity_map,
            actions: actions.split(',').map(Into::into).collect(),
            started_at: Timestamp::from_ms(0),
            heartbeat_expiration: Timestamp::from_ms(0),
            jobs: Vec::new(),
        }
    }

    #[test]
    fn a_ready_job_waits_for_the_first_thing_that_nobody_has() {
        use WorkerStatus::{Dead, Draining, Running};
        let fleets: [&[(WorkerStatus, &str, &str)]; 8] = [
            &[],
            &[(Running, "cpu=8,gpu=3", "train")],
            &[(Dead, "gpu=4", "train"), (Running, "gpu=2", "train")],
            &[(Running, "gpu=4", "noop"), (Dead, "gpu=4", "train")],
            &[(Running, "gpu=4", "noop"), (Running, "cpu=1", "train")],
            &[(Draining, "gpu=4", "train"), (Running, "gpu=4", "noop")],
            &[(Draining, "gpu=4", "train"), (Running, "gpu=4", "train")],
            &[(Running, "gpu=8", "noop,train")],
        ];
        let need: CapacityMap = "gpu=4".parse().unwrap();
        let class = Class::of(Some(&need)).unwrap();
        let action: ActionName = "train".parse().unwrap();
        let reasons = fleets.map(|fleet| {
            let workers: Vec<_> = fleet.iter().map(|(s, m, a)| worker(*s, m, a)).collect();
            let Reason { code, message } = of_ready(&class, &action, 3, &workers);
            format!("{code}: {message}\n")
        });
        expect![[r#"
            capacity: no live worker offers gpu=4
            capacity: no live worker offers gpu=4
            capacity: no live worker offers gpu=4
            action: no live worker knows action train
            action: no live worker that offers gpu=4 knows action train
            draining: every live worker that offers gpu=4 for train is draining
            queue: 3 ahead of it
            queue: 3 ahead of it
        "#]]
        .assert_eq(&reasons.concat());
    }
}
