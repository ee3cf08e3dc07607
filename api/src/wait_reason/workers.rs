//! Whether any live worker can run a job, from what the workers offer and know. Pure.

use domain::capacity::Class;
use domain::job::ActionName;
use store::{Worker, WorkerStatus};

use super::reason::Reason;

/// Returns why no worker can run a job of this class and action; `None` if one can.
pub(super) fn no_worker(class: &Class, action: &ActionName, workers: &[Worker]) -> Option<Reason> {
    let need = class.need();
    let live = || workers.iter().filter(|worker| is_live(worker));
    let fits = |worker: &&Worker| worker.capacity_map.fits(&need) > 0;
    let knows = |worker: &&Worker| worker.actions.iter().any(|name| name == action.as_str());
    if !live().any(|worker| fits(&worker)) {
        return Some(Reason::new("capacity", format!("no live worker offers {need}")));
    }
    if !live().any(|worker| knows(&worker)) {
        return Some(Reason::new("action", format!("no live worker knows action {action}")));
    }
    if !live().filter(fits).any(|worker| knows(&worker)) {
        let message = format!("no live worker that offers {need} knows action {action}");
        return Some(Reason::new("action", message));
    }
    let mut able = live().filter(fits).filter(knows);
    if able.all(|worker| worker.status == WorkerStatus::Draining) {
        let message = format!("every live worker that offers {need} for {action} is draining");
        return Some(Reason::new("draining", message));
    }
    None
}

/// Returns the number of live workers that a job of this class fits into.
pub(crate) fn count_fitting(class: &Class, workers: &[Worker]) -> usize {
    let need = class.need();
    let live = workers.iter().filter(|worker| is_live(worker));
    live.filter(|worker| worker.capacity_map.fits(&need) > 0).count()
}

/// Returns true if the worker sends heartbeats.
fn is_live(worker: &Worker) -> bool {
    matches!(worker.status, WorkerStatus::Running | WorkerStatus::Draining)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::capacity::CapacityMap;
    use domain::job::{Timestamp, WorkerId};
    use expect_test::expect;

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
    fn the_reason_is_the_first_requirement_that_no_worker_meets() {
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
            match no_worker(&class, &action, &workers) {
                Some(Reason { code, message }) => format!("{code}: {message}\n"),
                None => "none\n".to_owned(),
            }
        });
        expect![[r#"
            capacity: no live worker offers gpu=4
            capacity: no live worker offers gpu=4
            capacity: no live worker offers gpu=4
            action: no live worker knows action train
            action: no live worker that offers gpu=4 knows action train
            draining: every live worker that offers gpu=4 for train is draining
            none
            none
        "#]]
        .assert_eq(&reasons.concat());
    }
}
