//! When which fault comes: drawn from the seed before anything begins, so that a seed is a plan. Faults come in
//! storms, in which several overlap; between storms the fleet has time to heal.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use rand::rngs::ChaCha8Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

use crate::fault::{Fault, How, Server};
use crate::fleet::{MEMBERS, Role};

#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// What all that is random is drawn from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long faults go on; healing and draining come on top
    #[arg(long, default_value_t = 1.0)]
    pub(crate) minutes: f64,
}

/// A fault and its moment, from the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) at: Duration,
    pub(crate) fault: Fault,
}

/// The kinds of faults, each drawn once before any comes again. A new kind is a new line here and in [`draw`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Card {
    KillWorker,
    KillScheduler,
    KillApi,
    KillRedis,
    KillRabbitMq,
    FreezeWorker,
    FreezeOther,
    Roll,
    Purge,
    Delete,
    Wipe,
    Cut,
    Slow,
    HangOne,
    HangAll,
    Drain,
    Offer,
    Pause,
    Killer,
}

const CARDS: [Card; 19] = [
    Card::KillWorker,
    Card::KillScheduler,
    Card::KillApi,
    Card::KillRedis,
    Card::KillRabbitMq,
    Card::FreezeWorker,
    Card::FreezeOther,
    Card::Roll,
    Card::Purge,
    Card::Delete,
    Card::Wipe,
    Card::Cut,
    Card::Slow,
    Card::HangOne,
    Card::HangAll,
    Card::Drain,
    Card::Offer,
    Card::Pause,
    Card::Killer,
];

/// What can be paused, as the path says it.
const PAUSED: [&str; 3] = ["/actions/trace", "/actions/noop", "/queues/default=1"];
/// Longer than the lease of 5 s.
const BEYOND_THE_LEASE_MS: std::ops::Range<u64> = 6_000..10_000;
const SHORT_MS: std::ops::Range<u64> = 300..7_000;

/// The fleet works a while before the first fault, the death of two workers: how long it takes to recover from that
/// is measured while nothing else is broken.
const QUIET: Duration = Duration::from_secs(7);
/// The lease, and some.
const UNDISTURBED: Duration = Duration::from_secs(7);

/// The plan of a seed.
pub(crate) fn of(arguments: &Arguments) -> Vec<Planned> {
    let mut dice = ChaCha8Rng::seed_from_u64(arguments.seed);
    let length = Duration::from_secs_f64(arguments.minutes * 60.0);
    let (mut plan, mut deck, mut killed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2 {
        let who = pick(&mut killed, &mut dice, |role| role == Role::Worker);
        plan.push(Planned { at: QUIET, fault: Fault::Kill { who, down_ms: 500 } });
    }
    let mut storm = QUIET + UNDISTURBED;
    while storm < length.saturating_sub(Duration::from_secs(6)) {
        let mut end = storm;
        let mut taken: Vec<&'static str> = Vec::new();
        for _ in 0..dice.random_range(3..=5) {
            if deck.is_empty() {
                deck = CARDS.to_vec();
                deck.shuffle(&mut dice);
            }
            let Some(card) = deck.pop() else { break };
            let at = storm + Duration::from_millis(dice.random_range(0..4_000));
            let fault = draw(card, &mut taken, &mut dice);
            end = end.max(at + fault.length());
            plan.push(Planned { at, fault });
        }
        storm = end + Duration::from_millis(dice.random_range(4_000..8_000));
    }
    plan.sort_by_key(|planned| planned.at);
    plan
}

fn draw(card: Card, taken: &mut Vec<&'static str>, dice: &mut ChaCha8Rng) -> Fault {
    let ms = |dice: &mut ChaCha8Rng| dice.random_range(SHORT_MS);
    let mut kill = |role, dice: &mut ChaCha8Rng| {
        let who = pick(taken, dice, |of| of == role);
        Fault::Kill { who, down_ms: ms(dice) }
    };
    match card {
        Card::KillWorker => kill(Role::Worker, dice),
        Card::KillScheduler => kill(Role::Scheduler, dice),
        Card::KillApi => kill(Role::Api, dice),
        Card::KillRedis => kill(Role::Redis, dice),
        Card::KillRabbitMq => kill(Role::RabbitMq, dice),
        Card::FreezeWorker => {
            let who = pick(taken, dice, |role| role == Role::Worker);
            Fault::Freeze { who, ms: dice.random_range(BEYOND_THE_LEASE_MS) }
        }
        Card::FreezeOther => {
            let who = pick(taken, dice, |role| role != Role::Worker);
            Fault::Freeze { who, ms: ms(dice) }
        }
        Card::Roll => {
            let role =
                *[Role::Worker, Role::Scheduler, Role::Api].choose(dice).unwrap_or(&Role::Api);
            let who = (0..2).map(|_| pick(taken, dice, |of| of == role)).collect();
            Fault::Roll { who }
        }
        Card::Purge => Fault::Purge,
        Card::Delete => Fault::Delete,
        Card::Wipe => Fault::Wipe { down_ms: ms(dice) },
        Card::Drain => {
            let who = pick(taken, dice, |role| role == Role::Worker);
            Fault::Drain { who, ms: ms(dice) + 2_000 }
        }
        Card::Offer => {
            let who = pick(taken, dice, |role| role == Role::Worker);
            Fault::Offer { who, dice: dice.random(), ms: ms(dice) + 2_000 }
        }
        Card::Pause => {
            let what = *PAUSED.choose(dice).unwrap_or(&PAUSED[0]);
            Fault::Pause { what, ms: ms(dice) }
        }
        Card::Killer => Fault::Killer,
        Card::Cut => line(How::Cut, dice.random_bool(0.5), dice),
        Card::Slow => line(How::Slow, dice.random_bool(0.5), dice),
        Card::HangOne => line(How::Hang, false, dice),
        Card::HangAll => line(How::Hang, true, dice),
    }
}

fn line(how: How, everyone: bool, dice: &mut ChaCha8Rng) -> Fault {
    let to = if dice.random_bool(0.5) { Server::Redis } else { Server::RabbitMq };
    let who = pick(&mut Vec::new(), dice, |role| to.is_behind_a_line_of(role));
    let who = (!everyone).then_some(who);
    let ms =
        if everyone { dice.random_range(SHORT_MS) } else { dice.random_range(SHORT_MS) + 2_000 };
    Fault::Line { who, to, how, ms }
}

/// Some process of which nobody has been picked in this storm, if there is one.
fn pick(
    taken: &mut Vec<&'static str>,
    dice: &mut ChaCha8Rng,
    fits: impl Fn(Role) -> bool,
) -> &'static str {
    let all: Vec<&str> = MEMBERS.iter().filter(|of| fits(of.1)).map(|of| of.0).collect();
    let free: Vec<&str> = all.iter().copied().filter(|name| !taken.contains(name)).collect();
    let from = if free.is_empty() { &all } else { &free };
    let who = from.choose(dice).copied().unwrap_or("redis");
    taken.push(who);
    who
}

/// Prints the plan of a seed.
pub(crate) fn print(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    for Planned { at, fault } in of(arguments) {
        writeln!(out, "{:8.3}  {fault}", at.as_secs_f64())?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan_and_three_minutes_hold_every_kind_of_fault() {
        let plan = |seed| of(&Arguments { seed, minutes: 3.0 });
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
        for seed in 0..50 {
            let kinds: std::collections::BTreeSet<_> =
                plan(seed).iter().map(|planned| planned.fault.kind()).collect();
            assert_eq!(kinds.len(), 15, "seed {seed}: {kinds:?}");
        }
    }
}
