//! The faults that an experiment injects, and how they are described.

use std::fmt;
use std::time::Duration;

use domain::capacity::CapacityMap;

use crate::fleet::{Role, initial_capacity};
use crate::history::CLOCK_SET;

/// A fault, which ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A process is killed with SIGKILL and started again.
    Kill { process: &'static str, down_ms: u64 },
    /// Redis is killed and started again with the state that it had some time before.
    RollBack { behind_ms: u64 },
    /// A process is frozen with SIGSTOP.
    Freeze { process: &'static str, ms: u64 },
    /// Processes are stopped with SIGTERM and started again, one after the other.
    RollingRestart { processes: Vec<&'static str> },
    /// All messages in all queues are deleted.
    PurgeQueues,
    /// All queues are deleted.
    DeleteQueues,
    /// RabbitMQ is killed and loses its data.
    WipeBroker { down_ms: u64 },
    /// A worker is drained and resumed.
    Drain { worker: &'static str, ms: u64 },
    /// The capacity of a worker is changed and restored.
    ChangeCapacity { worker: &'static str, draw: u32, ms: u64 },
    /// An action or a class, given by its path, is paused and resumed.
    Pause { path: &'static str, ms: u64 },
    /// A new action is rolled out: workers are stopped and started again with it, one after the
    /// other.
    RollOut { action: &'static str, workers: Vec<&'static str> },
    /// Queues are retired again and again as soon as no job waits in them.
    RetireQueues { ms: u64 },
    /// A job kills its worker, and so do its follow-ups, until it is given up.
    PoisonJob,
    /// The clock of Redis is set by this much, and set right again.
    SetClock { seconds: i64, ms: u64 },
    /// Redis becomes a replica, which answers reads only, and a primary again.
    Demote { ms: u64 },
    /// The connections of one process, or of all, to a server are impaired.
    Network { process: Option<&'static str>, server: Server, impairment: Impairment, ms: u64 },
}

/// A server that services connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Redis,
    RabbitMq,
}

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Impairment {
    /// They are closed, and so are new ones.
    Cut,
    /// Data is delayed by [`DELAY`] in both directions.
    Delay,
    /// They stay open and carry no data, also after the fault. New ones work after it.
    Stall,
}

/// The delay of [`Impairment::Delay`].
pub(crate) const DELAY: Duration = Duration::from_millis(200);

impl Fault {
    /// The kind of this fault, as the report counts it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Fault::Kill { process: "redis", .. } => "kill -9 of Redis",
            Fault::Kill { process: "rabbitmq", .. } => "kill -9 of RabbitMQ",
            Fault::Kill { .. } => "kill -9 of a service",
            Fault::RollBack { .. } => "earlier state of Redis restored",
            Fault::Freeze { .. } => "process frozen (SIGSTOP)",
            Fault::RollingRestart { .. } => "rolling restart (SIGTERM)",
            Fault::PurgeQueues => "all queues purged",
            Fault::DeleteQueues => "all queues deleted",
            Fault::WipeBroker { .. } => "data of RabbitMQ wiped",
            Fault::Drain { .. } => "worker drained",
            Fault::ChangeCapacity { .. } => "capacity of a worker changed",
            Fault::Pause { .. } => "action or class paused",
            Fault::RollOut { .. } => "new action rolled out",
            Fault::RetireQueues { .. } => "idle queues retired",
            Fault::PoisonJob => "job that kills its workers",
            Fault::SetClock { .. } => CLOCK_SET,
            Fault::Demote { .. } => "Redis made read-only",
            Fault::Network { impairment: Impairment::Cut, .. } => "connections cut",
            Fault::Network { impairment: Impairment::Delay, .. } => "connections delayed",
            Fault::Network { impairment: Impairment::Stall, .. } => "connections stalled",
        }
    }

    /// The least time that it takes.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_millis(match self {
            Fault::Kill { down_ms, .. } | Fault::WipeBroker { down_ms } => *down_ms,
            Fault::RollBack { behind_ms } => *behind_ms,
            Fault::Freeze { ms, .. }
            | Fault::Network { ms, .. }
            | Fault::Drain { ms, .. }
            | Fault::Pause { ms, .. }
            | Fault::RetireQueues { ms }
            | Fault::SetClock { ms, .. }
            | Fault::Demote { ms }
            | Fault::ChangeCapacity { ms, .. } => *ms,
            Fault::RollingRestart { processes } => 1_000 * processes.len() as u64,
            Fault::RollOut { workers, .. } => 1_000 * workers.len() as u64,
            Fault::PurgeQueues | Fault::DeleteQueues | Fault::PoisonJob => 0,
        })
    }

    /// Whether it affects at most one worker, so that the jobs of that worker can run elsewhere.
    pub(crate) fn affects_only_a_worker(&self) -> bool {
        *self == Fault::PoisonJob || self.worker().is_some()
    }

    /// The worker that it affects, if it affects nothing else and the worker is known.
    pub(crate) fn worker(&self) -> Option<&'static str> {
        match self {
            Fault::Kill { process, .. } | Fault::Freeze { process, .. } => {
                Some(*process).filter(|name| is_worker(name))
            }
            Fault::Network { process, .. } => process.filter(|name| is_worker(name)),
            Fault::Drain { worker, .. } | Fault::ChangeCapacity { worker, .. } => Some(worker),
            Fault::Pause { .. }
            | Fault::RollBack { .. }
            | Fault::RollingRestart { .. }
            | Fault::PurgeQueues
            | Fault::DeleteQueues
            | Fault::WipeBroker { .. }
            | Fault::RollOut { .. }
            | Fault::RetireQueues { .. }
            | Fault::SetClock { .. }
            | Fault::Demote { .. }
            | Fault::PoisonJob => None,
        }
    }

    /// How long after its end it may change the order of jobs. A worker's connection that carries
    /// nothing keeps its offers until RabbitMQ has given it up.
    pub(crate) fn lasts_for(&self) -> Duration {
        match self {
            Fault::Network {
                process,
                server: Server::RabbitMq,
                impairment: Impairment::Stall,
                ..
            } if process.is_none_or(is_worker) => Duration::from_secs(25),
            Fault::Network { .. }
            | Fault::Kill { .. }
            | Fault::RollBack { .. }
            | Fault::Freeze { .. }
            | Fault::RollingRestart { .. }
            | Fault::PurgeQueues
            | Fault::DeleteQueues
            | Fault::WipeBroker { .. }
            | Fault::Drain { .. }
            | Fault::ChangeCapacity { .. }
            | Fault::Pause { .. }
            | Fault::RollOut { .. }
            | Fault::RetireQueues { .. }
            | Fault::SetClock { .. }
            | Fault::Demote { .. }
            | Fault::PoisonJob => Duration::from_secs(2),
        }
    }

    /// Whether jobs of one queue may start in another order than usual because of it.
    pub(crate) fn changes_order(&self) -> bool {
        self.is_disruptive() || matches!(self, Fault::Pause { .. })
    }

    /// Whether it breaks something, as opposed to a command of an operator.
    pub(crate) fn is_disruptive(&self) -> bool {
        !matches!(self, Fault::Drain { .. } | Fault::ChangeCapacity { .. } | Fault::Pause { .. })
    }
}

impl Server {
    /// Whether processes of this role connect to the server through a proxy.
    pub(crate) fn has_clients_of(self, role: Role) -> bool {
        match role {
            Role::Scheduler | Role::Worker => true,
            Role::Api => self == Server::Redis,
            Role::Redis | Role::RabbitMq => false,
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Server::Redis => "Redis",
            Server::RabbitMq => "RabbitMQ",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Kill { process, down_ms } => {
                write!(f, "kill -9 {process}, restart after {down_ms} ms")
            }
            Fault::RollBack { behind_ms } => {
                write!(f, "restore the state that Redis had {behind_ms} ms before")
            }
            Fault::Freeze { process, ms } => write!(f, "freeze {process} for {ms} ms"),
            Fault::RollingRestart { processes } => {
                write!(f, "stop and restart {}", processes.join(", then "))
            }
            Fault::PurgeQueues => write!(f, "purge all queues"),
            Fault::DeleteQueues => write!(f, "delete all queues"),
            Fault::WipeBroker { down_ms } => {
                write!(f, "kill -9 rabbitmq, wipe its data, restart after {down_ms} ms")
            }
            Fault::Drain { worker, ms } => write!(f, "drain {worker} for {ms} ms"),
            Fault::ChangeCapacity { worker, draw, ms } => {
                let capacity = changed_capacity(worker, *draw);
                write!(f, "change the capacity of {worker} to {capacity} for {ms} ms")
            }
            Fault::Pause { path, ms } => write!(f, "pause {path} for {ms} ms"),
            Fault::RollOut { action, workers } => {
                write!(f, "roll out the action {action} to {}", workers.join(", then "))
            }
            Fault::RetireQueues { ms } => write!(f, "retire all idle queues for {ms} ms"),
            Fault::PoisonJob => write!(f, "submit a job that kills its workers"),
            Fault::SetClock { seconds, ms } => {
                write!(f, "set the clock of Redis by {seconds:+} s for {ms} ms")
            }
            Fault::Demote { ms } => write!(f, "make Redis read-only for {ms} ms"),
            Fault::Network { process, server, impairment, ms } => {
                let process = process.unwrap_or("all services");
                let verb = match impairment {
                    Impairment::Cut => "cut",
                    Impairment::Delay => "delay",
                    Impairment::Stall => "stall",
                };
                write!(f, "{verb} the connections of {process} to {server} for {ms} ms")
            }
        }
    }
}

/// Returns a capacity that differs from the initial one of a worker, by a random number.
pub(crate) fn changed_capacity(worker: &str, draw: u32) -> CapacityMap {
    let initial = initial_capacity(worker);
    let entries = initial.iter().enumerate().map(|(index, (kind, units))| {
        let changed = match (draw >> (2 * index)) % 4 {
            0 => units / 2,
            1 => 1,
            2 => units + 1,
            _ => units,
        };
        format!("{kind}={}", changed.max(1))
    });
    entries.collect::<Vec<_>>().join(",").parse().unwrap_or(initial)
}

fn is_worker(process: &str) -> bool {
    process.starts_with("worker")
}
