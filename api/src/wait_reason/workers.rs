//! Whether any live worker can run a job, from what the workers offer and know. Pure.

use domain::capacity::Class;
use domain::job::{ActionName, Job};
use domain::queue::QueueName;
use store::{Worker, WorkerStatus};

use super::reason::Reason;

/// Returns why no worker can run a job of this class and action; `None` if one can.
pub(super) fn no_worker(class: &Class, action: &ActionName, workers: &[Worker]) -> Option<Reason> {
    let need = class.need();
    let live: Vec<&Worker> = workers.iter().filter(|worker| worker.is_live()).collect();
    let fits = |worker: &&Worker| worker.capacity_map.fits(&need) > 0;
    let able: Vec<&&Worker> =
        live.iter().filter(|worker| fits(worker) && knows(worker, action)).collect();
    if !live.iter().any(fits) {
        return Some(Reason::new("capacity", format!("no live worker offers {need}")));
    }
    if able.is_empty() {
        let known = who_knows(action, &live);
        let message = match live.iter().filter(|worker| knows(worker, action)).count() {
            0 => known,
            1 => format!("{known}, but it does not offer {need}"),
            _ => format!("{known}, but none of them offers {need}"),
        };
        return Some(Reason::new("action", message));
    }
    if able.iter().all(|worker| worker.status == WorkerStatus::Draining) {
        let message = format!("every live worker that offers {need} for {action} is draining");
        return Some(Reason::new("draining", message));
    }
    None
}

/// Returns how many of the live workers know the action of a job that is offered through the queue
/// of its action; `None` for any other job, and when all of them know it.
pub(super) fn few_workers(job: &Job, workers: &[Worker]) -> Option<String> {
    let action = &job.spec.action;
    let live: Vec<&Worker> = workers.iter().filter(|worker| worker.is_live()).collect();
    let few = job.action_queue && live.iter().any(|worker| !knows(worker, action));
    few.then(|| who_knows(action, &live))
}

/// Returns why a job waits although workers could run it: each of them has some of the capacity
/// that the job needs free, but none has all of it. `None` if one has, or if all are fully busy.
pub(super) fn gathering(job: &Job, workers: &[Worker]) -> Option<String> {
    let need = job.class.need();
    let able = workers.iter().filter(|worker| {
        worker.status == WorkerStatus::Running
            && worker.capacity_map.fits(&need) > 0
            && knows(worker, &job.spec.action)
    });
    let able: Vec<&Worker> = able.collect();
    if able.iter().any(|worker| worker.free.fits(&need) > 0) {
        return None;
    }
    let missing = |worker: &&&Worker| -> u32 {
        need.iter().map(|(name, units)| units.saturating_sub(worker.free.units(name))).sum()
    };
    let has_some = |worker: &&&Worker| need.iter().any(|(name, _)| worker.free.units(name) > 0);
    let best = able.iter().filter(has_some).min_by_key(missing)?;
    let free = need.iter().map(|(name, _)| format!("{name}={}", best.free.units(name)));
    let free = free.collect::<Vec<_>>().join(",");
    Some(format!("no worker has {need} free at once; worker {} has the most, {free}", best.id))
}

/// Returns a clause that says how many of these workers know an action.
fn who_knows(action: &ActionName, live: &[&Worker]) -> String {
    let all = live.len();
    match live.iter().filter(|worker| knows(worker, action)).count() {
        0 if all == 1 => format!("the only live worker does not know action {action}"),
        0 => format!("none of the {all} live workers knows action {action}"),
        1 => format!("1 of {all} live workers knows action {action}"),
        known => format!("{known} of {all} live workers know action {action}"),
    }
}

/// Returns the number of live workers that can run a job of this queue.
pub(crate) fn count_able(queue: &QueueName, workers: &[Worker]) -> usize {
    let need = queue.class.need();
    let able = |worker: &&Worker| {
        worker.is_live()
            && worker.capacity_map.fits(&need) > 0
            && queue.action.as_ref().is_none_or(|action| knows(worker, action))
    };
    workers.iter().filter(able).count()
}

fn knows(worker: &Worker, action: &ActionName) -> bool {
    worker.actions.iter().any(|name| name == action.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::capacity::CapacityMap;
    use domain::job::{JobId, JobSpec, NewJob, Timestamp, WorkerId};
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

    fn job(action: &str) -> Job {
        let spec = JobSpec::of(action.parse().unwrap());
        let (id, class, at) = (JobId::random(), Class::of(None).unwrap(), Timestamp::from_ms(0));
        let (scheduled_at, reserve_id, request_hash) = (None, false, None);
        let new = NewJob { id, class, scheduled_at, reserve_id, request_hash, spec };
        Job::waiting(new, 1, at, at)
    }

    #[test]
    fn the_reason_is_the_first_requirement_that_no_worker_meets() {
        use WorkerStatus::{Dead, Draining, Running};
        let fleets: [&[(WorkerStatus, &str, &str)]; 10] = [
            &[],
            &[(Running, "cpu=8,gpu=3", "train")],
            &[(Dead, "gpu=4", "train"), (Running, "gpu=2", "train")],
            &[(Running, "gpu=4", "noop"), (Dead, "gpu=4", "train")],
            &[(Running, "gpu=4", "noop"), (Draining, "cpu=1", "noop")],
            &[(Running, "gpu=4", "noop"), (Running, "cpu=1", "train")],
            &[(Running, "gpu=4", "noop"), (Running, "cpu=1", "train"), (Running, "", "train")],
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
            action: the only live worker does not know action train
            action: none of the 2 live workers knows action train
            action: 1 of 2 live workers knows action train, but it does not offer gpu=4
            action: 2 of 3 live workers know action train, but none of them offers gpu=4
            draining: every live worker that offers gpu=4 for train is draining
            none
            none
        "#]]
        .assert_eq(&reasons.concat());
    }

    #[test]
    fn a_job_in_the_queue_of_its_action_has_few_workers_until_all_know_the_action() {
        use WorkerStatus::{Dead, Draining, Running, Shutdown};
        let fleets: [&[(WorkerStatus, &str, &str)]; 4] = [
            &[(Running, "default=1", "push"), (Running, "default=1", "noop")],
            &[
                (Running, "default=1", "noop,push"),
                (Draining, "default=1", "push"),
                (Running, "default=1", "noop"),
                (Dead, "default=1", "push"),
            ],
            &[(Running, "default=1", "push"), (Shutdown, "default=1", "noop")],
            &[],
        ];
        let mut job = job("push");
        let texts = |job: &Job| {
            let texts = fleets.map(|fleet| {
                let workers: Vec<_> = fleet.iter().map(|(s, m, a)| worker(*s, m, a)).collect();
                few_workers(job, &workers).unwrap_or_else(|| "-".to_owned()) + "\n"
            });
            texts.concat()
        };
        assert_eq!(texts(&job), "-\n-\n-\n-\n", "it is in a shared queue");
        job.action_queue = true;
        expect![[r#"
            1 of 2 live workers knows action push
            2 of 3 live workers know action push
            -
            -
        "#]]
        .assert_eq(&texts(&job));
    }

    #[test]
    fn a_worker_is_counted_for_a_queue_if_it_fits_and_knows_the_action_of_the_queue() {
        let workers = [
            worker(WorkerStatus::Running, "default=1", "noop"),
            worker(WorkerStatus::Draining, "default=1", "noop,push"),
            worker(WorkerStatus::Running, "gpu=1,default=0", "push"),
            worker(WorkerStatus::Dead, "default=1", "push"),
        ];
        let queues = ["default=1.normal", "default=1@push.low", "gpu=1@push.normal", "tpu=1.high"];
        let counts = queues.map(|queue| count_able(&queue.parse().unwrap(), &workers));
        assert_eq!(counts, [2, 1, 1, 0]);
    }
}
