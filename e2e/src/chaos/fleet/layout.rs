//! The layout of the fleet: the name, the role and the capacity of every process.

use domain::capacity::CapacityMap;

/// The role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Redis,
    RabbitMq,
    Scheduler,
    Worker,
    Api,
}

impl Role {
    /// Whether it is a service of Capstan.
    pub(crate) fn is_service(self) -> bool {
        !matches!(self, Role::Redis | Role::RabbitMq)
    }
}

/// A planned process of the fleet.
pub(crate) struct PlannedProcess {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// The capacity of a worker.
    pub(crate) capacity: &'static str,
}

const fn process(name: &'static str, role: Role, capacity: &'static str) -> PlannedProcess {
    PlannedProcess { name, role, capacity }
}

/// All processes. Only one worker has `serial`, and only one unit of it, so that its jobs run one
/// after the other.
pub(crate) const PROCESSES: [PlannedProcess; 13] = [
    process("redis", Role::Redis, ""),
    process("rabbitmq", Role::RabbitMq, ""),
    process("scheduler-1", Role::Scheduler, ""),
    process("scheduler-2", Role::Scheduler, ""),
    process("scheduler-3", Role::Scheduler, ""),
    process("worker-1", Role::Worker, "cpu=4,scan=2"),
    process("worker-2", Role::Worker, "cpu=4,gpu=1"),
    process("worker-3", Role::Worker, "cpu=2,scan=2,net=3"),
    process("worker-4", Role::Worker, "scan=1,gpu=2,default=4"),
    process("worker-5", Role::Worker, "cpu=3,net=2,serial=1,default=8"),
    process("worker-6", Role::Worker, "cpu=1,scan=3,gpu=1,net=1"),
    process("api-1", Role::Api, ""),
    process("api-2", Role::Api, ""),
];

/// What jobs need. Few, because each has a queue per priority; each fits on at least two workers.
pub(crate) const NEEDS: [&str; 7] =
    ["scan=1", "scan=2", "cpu=1", "cpu=3", "gpu=1", "cpu=1,scan=1", "cpu=1,net=1"];
/// What jobs need that run one after the other.
pub(crate) const SERIAL: &str = "serial=1";
/// What jobs need that ask for nothing.
const DEFAULT: &str = "default=1";

/// All needs of jobs.
pub(crate) fn needs() -> Vec<CapacityMap> {
    let needs = NEEDS.into_iter().chain([SERIAL, DEFAULT]);
    needs.filter_map(|need| need.parse().ok()).collect()
}

/// The number of workers.
pub(crate) fn worker_count() -> usize {
    PROCESSES.iter().filter(|process| process.role == Role::Worker).count()
}

/// The only worker whose capacity is enough, if there is only one.
pub(crate) fn only_worker_for(need: &CapacityMap) -> Option<&'static str> {
    let workers = PROCESSES.iter().filter(|process| process.role == Role::Worker);
    let mut fitting = workers.filter(|worker| initial_capacity(worker.name).fits(need) > 0);
    fitting.next().filter(|_| fitting.next().is_none()).map(|worker| worker.name)
}

/// The capacity that a worker starts with.
pub(crate) fn initial_capacity(worker: &str) -> CapacityMap {
    let plan = PROCESSES.iter().find(|process| process.name == worker);
    let capacity = plan.map_or("", |process| process.capacity);
    capacity.parse::<CapacityMap>().unwrap_or_default().with_default()
}
