//! The plan: which fault is injected when. It is drawn from the seed in advance, so a seed always
//! gives the same plan. Faults come in bursts in which several overlap; in between, the fleet has
//! time to recover.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use rand::rngs::ChaCha8Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

use crate::actions::ROLLED_OUT;
use crate::fault::{Fault, Impairment, Server};
use crate::fleet::{PROCESSES, Role};

/// The arguments that decide the plan.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// The seed of the plan and of the workload
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long faults are injected; recovery takes additional time
    #[arg(long, default_value_t = 1.0)]
    pub(crate) minutes: f64,
    /// Restore an earlier state of Redis in every burst: acknowledged writes are lost
    #[arg(long)]
    pub(crate) rollback: bool,
    /// Also set the clock of Redis by ten minutes and make Redis read-only. There are no network
    /// faults then, so a worker is lost only when it is killed or frozen
    #[arg(long)]
    pub(crate) clock: bool,
}

/// A fault, and when it is injected after the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedFault {
    pub(crate) at: Duration,
    pub(crate) fault: Fault,
}

/// The kinds of faults. Each is drawn once before any is drawn again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaultKind {
    KillWorker,
    KillScheduler,
    KillApi,
    KillRedis,
    KillRabbitMq,
    FreezeWorker,
    FreezeOther,
    RollingRestart,
    PurgeQueues,
    DeleteQueues,
    WipeBroker,
    CutConnections,
    DelayConnections,
    StallOneProcess,
    StallAllProcesses,
    Drain,
    ChangeCapacity,
    Pause,
    RollOut,
    RetireQueues,
    PoisonJob,
    SetClock,
    Demote,
}

const FAULT_KINDS: [FaultKind; 21] = [
    FaultKind::KillWorker,
    FaultKind::KillScheduler,
    FaultKind::KillApi,
    FaultKind::KillRedis,
    FaultKind::KillRabbitMq,
    FaultKind::FreezeWorker,
    FaultKind::FreezeOther,
    FaultKind::RollingRestart,
    FaultKind::PurgeQueues,
    FaultKind::DeleteQueues,
    FaultKind::WipeBroker,
    FaultKind::CutConnections,
    FaultKind::DelayConnections,
    FaultKind::StallOneProcess,
    FaultKind::StallAllProcesses,
    FaultKind::Drain,
    FaultKind::ChangeCapacity,
    FaultKind::Pause,
    FaultKind::RollOut,
    FaultKind::RetireQueues,
    FaultKind::PoisonJob,
];

/// The kinds of faults if the clock is set.
const CLOCK_FAULT_KINDS: [FaultKind; 11] = [
    FaultKind::SetClock,
    FaultKind::SetClock,
    FaultKind::Demote,
    FaultKind::KillWorker,
    FaultKind::KillScheduler,
    FaultKind::KillApi,
    FaultKind::KillRedis,
    FaultKind::FreezeWorker,
    FaultKind::RollingRestart,
    FaultKind::DeleteQueues,
    FaultKind::PoisonJob,
];

/// By how many seconds the clock of Redis is set: far beyond all leases and back-offs.
const CLOCK_STEPS_S: [i64; 2] = [600, -600];

/// The paths of the actions and classes that can be paused.
pub(crate) const PAUSABLE: [&str; 3] = ["/actions/recorded", "/actions/noop", "/queues/default=1"];
/// Longer than the lease of 5 s.
const BEYOND_THE_LEASE_MS: std::ops::Range<u64> = 6_000..10_000;
/// How old the restored state of Redis is.
const BEHIND_MS: std::ops::Range<u64> = 500..4_000;
const ANY_MS: std::ops::Range<u64> = 300..7_000;

/// The first fault kills two workers while nothing else is broken, to measure how long their jobs
/// take to run elsewhere.
const FIRST_FAULT: Duration = Duration::from_secs(7);
/// The time for that measurement: the lease and some more.
const UNDISTURBED: Duration = Duration::from_secs(7);

/// Returns the plan of a seed.
pub(crate) fn of(arguments: &Arguments) -> Vec<PlannedFault> {
    let mut rng = ChaCha8Rng::seed_from_u64(arguments.seed);
    let length = Duration::from_secs_f64(arguments.minutes * 60.0);
    let (mut plan, mut kinds, mut killed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2 {
        let process = pick(&mut killed, &mut rng, |role| role == Role::Worker);
        plan.push(PlannedFault { at: FIRST_FAULT, fault: Fault::Kill { process, down_ms: 500 } });
    }
    let mut burst = FIRST_FAULT + UNDISTURBED;
    while burst < length.saturating_sub(Duration::from_secs(6)) {
        let mut end = burst;
        let mut affected: Vec<&'static str> = Vec::new();
        for _ in 0..rng.random_range(3..=5) {
            if kinds.is_empty() {
                let all = if arguments.clock { &CLOCK_FAULT_KINDS[..] } else { &FAULT_KINDS };
                kinds = all.to_vec();
                kinds.shuffle(&mut rng);
            }
            let Some(kind) = kinds.pop() else { break };
            let at = burst + Duration::from_millis(rng.random_range(0..4_000));
            let fault = draw(kind, &mut affected, &mut rng);
            end = end.max(at + fault.duration());
            plan.push(PlannedFault { at, fault });
        }
        if arguments.rollback {
            let at = burst + Duration::from_millis(rng.random_range(0..4_000));
            let fault = Fault::RollBack { behind_ms: rng.random_range(BEHIND_MS) };
            end = end.max(at + fault.duration());
            plan.push(PlannedFault { at, fault });
        }
        burst = end + Duration::from_millis(rng.random_range(4_000..8_000));
    }
    plan.sort_by_key(|planned| planned.at);
    number_roll_outs(&mut plan);
    plan
}

/// Gives each roll-out an action of its own.
fn number_roll_outs(plan: &mut [PlannedFault]) {
    let mut names = ROLLED_OUT.into_iter().cycle();
    for planned in plan {
        if let Fault::RollOut { action, .. } = &mut planned.fault {
            *action = names.next().unwrap_or(action);
        }
    }
}

fn of_role(role: Role) -> Vec<&'static str> {
    let processes = PROCESSES.iter().filter(|process| process.role == role);
    processes.map(|process| process.name).collect()
}

fn draw(kind: FaultKind, affected: &mut Vec<&'static str>, rng: &mut ChaCha8Rng) -> Fault {
    let ms = |rng: &mut ChaCha8Rng| rng.random_range(ANY_MS);
    let mut kill = |role, rng: &mut ChaCha8Rng| {
        let process = pick(affected, rng, |of| of == role);
        Fault::Kill { process, down_ms: ms(rng) }
    };
    match kind {
        FaultKind::KillWorker => kill(Role::Worker, rng),
        FaultKind::KillScheduler => kill(Role::Scheduler, rng),
        FaultKind::KillApi => kill(Role::Api, rng),
        FaultKind::KillRedis => kill(Role::Redis, rng),
        FaultKind::KillRabbitMq => kill(Role::RabbitMq, rng),
        FaultKind::FreezeWorker => {
            let process = pick(affected, rng, |role| role == Role::Worker);
            Fault::Freeze { process, ms: rng.random_range(BEYOND_THE_LEASE_MS) }
        }
        FaultKind::FreezeOther => {
            let process = pick(affected, rng, |role| role != Role::Worker);
            Fault::Freeze { process, ms: ms(rng) }
        }
        FaultKind::RollingRestart => {
            let role =
                *[Role::Worker, Role::Scheduler, Role::Api].choose(rng).unwrap_or(&Role::Api);
            let processes = (0..2).map(|_| pick(affected, rng, |of| of == role)).collect();
            Fault::RollingRestart { processes }
        }
        FaultKind::PurgeQueues => Fault::PurgeQueues,
        FaultKind::DeleteQueues => Fault::DeleteQueues,
        FaultKind::WipeBroker => Fault::WipeBroker { down_ms: ms(rng) },
        FaultKind::Drain => {
            let worker = pick(affected, rng, |role| role == Role::Worker);
            Fault::Drain { worker, ms: ms(rng) + 2_000 }
        }
        FaultKind::ChangeCapacity => {
            let worker = pick(affected, rng, |role| role == Role::Worker);
            Fault::ChangeCapacity { worker, draw: rng.random(), ms: ms(rng) + 2_000 }
        }
        FaultKind::Pause => {
            let path = *PAUSABLE.choose(rng).unwrap_or(&PAUSABLE[0]);
            Fault::Pause { path, ms: ms(rng) }
        }
        FaultKind::RollOut => {
            let mut workers = of_role(Role::Worker);
            workers.shuffle(rng);
            Fault::RollOut { action: ROLLED_OUT[0], workers }
        }
        FaultKind::RetireQueues => Fault::RetireQueues { ms: ms(rng) + 3_000 },
        FaultKind::PoisonJob => Fault::PoisonJob,
        FaultKind::SetClock => {
            let seconds = *CLOCK_STEPS_S.choose(rng).unwrap_or(&CLOCK_STEPS_S[0]);
            Fault::SetClock { seconds, ms: ms(rng) + 2_000 }
        }
        FaultKind::Demote => Fault::Demote { ms: ms(rng) },
        FaultKind::CutConnections => network(Impairment::Cut, rng.random_bool(0.5), rng),
        FaultKind::DelayConnections => network(Impairment::Delay, rng.random_bool(0.5), rng),
        FaultKind::StallOneProcess => network(Impairment::Stall, false, rng),
        FaultKind::StallAllProcesses => network(Impairment::Stall, true, rng),
    }
}

fn network(impairment: Impairment, all_processes: bool, rng: &mut ChaCha8Rng) -> Fault {
    let server = if rng.random_bool(0.5) { Server::Redis } else { Server::RabbitMq };
    let process = pick(&mut Vec::new(), rng, |role| server.has_clients_of(role));
    let process = (!all_processes).then_some(process);
    let ms = rng.random_range(ANY_MS) + if all_processes { 0 } else { 2_000 };
    Fault::Network { process, server, impairment, ms }
}

/// Picks a process that is not affected by a fault of this burst, if there is one.
fn pick(
    affected: &mut Vec<&'static str>,
    rng: &mut ChaCha8Rng,
    fits: impl Fn(Role) -> bool,
) -> &'static str {
    let fitting = PROCESSES.iter().filter(|process| fits(process.role));
    let fitting: Vec<&str> = fitting.map(|process| process.name).collect();
    let free: Vec<&str> = fitting.iter().copied().filter(|name| !affected.contains(name)).collect();
    let from = if free.is_empty() { &fitting } else { &free };
    let process = from.choose(rng).copied().unwrap_or("redis");
    affected.push(process);
    process
}

/// Prints the plan of a seed.
pub(crate) fn print(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    for PlannedFault { at, fault } in of(arguments) {
        writeln!(out, "{:8.3}  {fault}", at.as_secs_f64())?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::CLOCK_SET;

    #[test]
    fn a_seed_gives_one_plan_and_three_minutes_contain_every_kind_of_fault() {
        let plan = |seed| of(&Arguments { seed, minutes: 3.0, rollback: false, clock: false });
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
        for seed in 0..50 {
            let kinds: std::collections::BTreeSet<_> =
                plan(seed).iter().map(|planned| planned.fault.kind()).collect();
            assert_eq!(kinds.len(), 17, "seed {seed}: {kinds:?}");
        }
    }

    #[test]
    fn on_request_every_burst_restores_an_earlier_state_of_redis() {
        for seed in 0..50 {
            let plan = of(&Arguments { seed, minutes: 1.0, rollback: true, clock: false });
            let restores =
                |planned: &&PlannedFault| matches!(planned.fault, Fault::RollBack { .. });
            assert!(plan.iter().filter(restores).count() >= 2, "seed {seed}");
        }
    }

    #[test]
    fn a_plan_that_sets_the_clock_has_no_network_faults() {
        for seed in 0..50 {
            let plan = of(&Arguments { seed, minutes: 3.0, rollback: false, clock: true });
            let kinds: std::collections::BTreeSet<_> =
                plan.iter().map(|planned| planned.fault.kind()).collect();
            assert!(kinds.contains(CLOCK_SET) && kinds.contains("Redis made read-only"));
            assert!(!kinds.iter().any(|kind| kind.starts_with("connections")), "{kinds:?}");
        }
    }
}
