//! Compares the queues of the store with those of RabbitMQ, and the consumers of each with what the
//! workers of the fleet were started with.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use domain::capacity::CapacityMap;
use domain::queue::QueueName;
use serde_json::Value;
use store::Store;
use tokio::process::Command;

use crate::actions::{self, ActionSet};
use crate::fleet::{Fleet, Role};

/// The queues, as the store and RabbitMQ describe them.
#[derive(Default)]
pub(super) struct Queues {
    /// Those through which jobs are offered.
    pub(super) in_use: BTreeSet<QueueName>,
    /// Those that workers are told to consume.
    pub(super) announced: BTreeSet<QueueName>,
    /// Those of RabbitMQ, with the number of their consumers.
    pub(super) consumers: BTreeMap<QueueName, u64>,
}

impl Queues {
    /// Reads the queues. If the store has lost writes, it may not know of queues that RabbitMQ
    /// still has; those that no worker consumes are left out then (decision 023).
    pub(super) async fn read(
        fleet: &Fleet,
        store: &Store,
        namespace: &str,
        lost_writes: bool,
    ) -> anyhow::Result<Queues> {
        let mut command = Command::new(&fleet.rabbitmqctl);
        command.args(["--quiet", "--formatter", "json", "list_queues", "name", "consumers"]);
        let output = command.kill_on_drop(true).output().await?;
        anyhow::ensure!(output.status.success(), "rabbitmqctl failed: {output:?}");
        let listed: Vec<Value> = serde_json::from_slice(&output.stdout)?;
        let mut consumers = BTreeMap::new();
        for queue in listed {
            let name = queue["name"].as_str().and_then(|name| name.strip_prefix(namespace));
            let name = name.and_then(|name| name.strip_prefix('.')).context("unknown queue")?;
            consumers.insert(name.parse()?, queue["consumers"].as_u64().unwrap_or(0));
        }
        let in_use = store.queue_names().await?.into_iter().collect();
        let announced: BTreeSet<QueueName> = store.declared_queues().await?.into_iter().collect();
        if lost_writes {
            consumers.retain(|queue, consumers| *consumers > 0 || announced.contains(queue));
        }
        Ok(Queues { in_use, announced, consumers })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_use.is_empty() && self.announced.is_empty() && self.consumers.is_empty()
    }

    /// Returns what is wrong in a fleet that is healthy and idle. Each worker has its capacity and
    /// its actions.
    ///
    /// A queue that RabbitMQ has lost or broken stays as it is until a job is offered. So it may be
    /// missing or have no consumers unless all queues are `fresh`.
    pub(super) fn problems(
        &self,
        workers: &[(CapacityMap, ActionSet)],
        fresh: bool,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        for queue in self.announced.iter().filter(|queue| !self.consumers.contains_key(queue)) {
            if fresh {
                problems.push(format!("queue {queue} is announced, and rabbitmq has none"));
            }
        }
        for queue in self.announced.difference(&self.in_use) {
            problems.push(format!("queue {queue} is announced and not in use"));
        }
        for (queue, consumers) in &self.consumers {
            if !self.announced.contains(queue) {
                problems.push(format!("rabbitmq has queue {queue}, which is not announced"));
                continue;
            }
            let able = workers.iter().filter(|worker| can_run_all(worker, queue)).count() as u64;
            if *consumers > able || fresh && *consumers < able {
                let details = format!("{consumers} consumers, {able} workers can run its jobs");
                problems.push(format!("queue {queue} has {details}"));
            }
        }
        problems
    }
}

/// What each worker of a healthy fleet offers and knows.
pub(super) fn workers(fleet: &Fleet) -> Vec<(CapacityMap, ActionSet)> {
    let mut sets = fleet.current_action_sets();
    let workers = fleet.of(Role::Worker);
    workers
        .map(|worker| (worker.capacity.clone(), sets.remove(worker.name).unwrap_or_default()))
        .collect()
}

/// Whether a worker can run each job of a queue. All workers know those of a shared queue.
fn can_run_all((capacity, known): &(CapacityMap, ActionSet), queue: &QueueName) -> bool {
    let knows = |action: &str| known.contains(action) || actions::all().all(|name| name != action);
    capacity.fits(&queue.class.need()) > 0
        && queue.action.as_ref().is_none_or(|action| knows(action.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<QueueName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    /// The queues `cpu=1.normal` and `cpu=1@rare.normal`, with as many consumers.
    fn queues(shared: u64, of_action: u64) -> Queues {
        let all = ["cpu=1.normal", "cpu=1@rare.normal"];
        let consumers = names(&all).into_iter().zip([shared, of_action]).collect();
        Queues { in_use: names(&all), announced: names(&all), consumers }
    }

    /// Three workers: two fit, and one of them knows the action.
    fn workers() -> Vec<(CapacityMap, ActionSet)> {
        let worker = |capacity: &str, actions: &[&'static str]| {
            (capacity.parse().unwrap(), actions.iter().copied().collect())
        };
        vec![worker("cpu=1", &["rare"]), worker("cpu=2", &[]), worker("gpu=1", &["rare"])]
    }

    #[test]
    fn a_queue_that_other_workers_than_those_that_can_run_its_jobs_consume_is_found() {
        let problems =
            |shared, of_action, fresh| queues(shared, of_action).problems(&workers(), fresh);
        assert_eq!(problems(2, 1, true), [""; 0]);
        let too_many = "queue cpu=1@rare.normal has 2 consumers, 1 workers can run its jobs";
        assert_eq!(problems(2, 2, true), [too_many]);
        assert_eq!(problems(2, 2, false), [too_many]);
        let too_few = "queue cpu=1.normal has 1 consumers, 2 workers can run its jobs";
        assert_eq!(problems(1, 1, true), [too_few]);
        assert_eq!(problems(1, 1, false), [""; 0], "it may be broken");
    }

    #[test]
    fn a_queue_that_is_left_over_or_missing_is_found() {
        let mut lost = queues(2, 1);
        lost.consumers.remove(&"cpu=1.normal".parse().unwrap());
        assert_eq!(lost.problems(&workers(), false), [""; 0], "the next offer creates it again");
        let expected = "queue cpu=1.normal is announced, and rabbitmq has none";
        assert_eq!(lost.problems(&workers(), true), [expected]);
        let mut half_retired = queues(2, 1);
        half_retired.in_use = names(&["cpu=1.normal"]);
        let expected = "queue cpu=1@rare.normal is announced and not in use";
        assert_eq!(half_retired.problems(&workers(), false), [expected]);
        half_retired.announced = names(&["cpu=1.normal"]);
        let expected = "rabbitmq has queue cpu=1@rare.normal, which is not announced";
        assert_eq!(half_retired.problems(&workers(), false), [expected]);
    }
}
