//! Which ticks of a cron are due, and which of them get a job. A tick is a time that the schedule
//! names.

use std::collections::VecDeque;
use std::time::Duration;

use super::spec::{CronSpec, Misfire};
use crate::time::Timestamp;

/// The most missed ticks that `misfire: all` catches up on. Older ones are skipped; the first job
/// records how many.
pub const MAX_CAUGHT_UP: usize = 1000;
/// A tick that is noticed within this time is on time.
const GRACE: Duration = Duration::from_secs(2);
/// The most ticks that one script call fires, because a script blocks Redis.
const MAX_PER_CALL: usize = 50;
/// The most ticks that are counted one by one. After a longer outage only the newest ones are
/// computed.
const MAX_COUNTED: u64 = 10_000;

/// What to do for a cron now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Ticks to fire, oldest first, each with the number of missed ticks that it represents.
    pub ticks: Vec<(Timestamp, u64)>,
    /// The number of missed ticks that get no job, and the newest of them.
    pub skipped: Option<(u64, Timestamp)>,
    /// The tick after those.
    pub next: Option<Timestamp>,
}

/// Returns what is due at `now` for a cron whose next tick is `first`.
#[must_use]
pub fn due(spec: &CronSpec, first: Timestamp, now: Timestamp) -> Due {
    if first > now {
        return Due { next: Some(first), ..Due::default() };
    }
    let (ticks, count) = ticks_until(spec, first, now);
    let Some(newest) = ticks.last().copied() else { return Due::default() };
    let late = |tick: Timestamp| now.ms() - tick.ms() > GRACE.as_millis() as i64;
    let next = spec.next(newest);
    match spec.misfire {
        Misfire::Once if late(first) => {
            Due { ticks: vec![(newest, count - 1)], skipped: None, next }
        }
        Misfire::Skip => {
            let on_time: Vec<Timestamp> =
                ticks.iter().copied().filter(|tick| !late(*tick)).collect();
            let missed = ticks.iter().copied().rfind(|tick| late(*tick));
            let skipped = missed.map(|newest| (count - on_time.len() as u64, newest));
            one_call(spec, on_time, skipped, 0)
        }
        Misfire::Once | Misfire::All => {
            let dropped = count - ticks.len() as u64;
            let before = ticks.first().map_or(first, |oldest| Timestamp::from_ms(oldest.ms() - 1));
            let skipped = (dropped > 0).then_some((dropped, before));
            one_call(spec, ticks, skipped, dropped)
        }
    }
}

/// Takes as many ticks as one call fires; the rest follows in the next call.
fn one_call(
    spec: &CronSpec,
    mut ticks: Vec<Timestamp>,
    skipped: Option<(u64, Timestamp)>,
    missed: u64,
) -> Due {
    ticks.truncate(MAX_PER_CALL);
    let last = ticks.last().copied().or(skipped.map(|(_, newest)| newest));
    let next = last.and_then(|last| spec.next(last));
    let ticks = ticks.into_iter().enumerate();
    let ticks = ticks.map(|(at, tick)| (tick, if at == 0 { missed } else { 0 })).collect();
    Due { ticks, skipped, next }
}

/// Returns the newest ticks from `first` to `now`, at most as many as are caught up on, and the
/// number of all ticks, at most as many as are counted.
fn ticks_until(spec: &CronSpec, first: Timestamp, now: Timestamp) -> (Vec<Timestamp>, u64) {
    let (mut newest, mut count) = (VecDeque::new(), 0);
    let mut tick = Some(first);
    while let Some(at) = tick.filter(|at| *at <= now) {
        count += 1;
        if newest.len() == MAX_CAUGHT_UP {
            newest.pop_front();
        }
        newest.push_back(at);
        if count == MAX_COUNTED {
            return (newest_ticks(spec, now), count);
        }
        tick = spec.next(at);
    }
    (newest.into(), count)
}

/// Returns the newest ticks up to `now`, by looking back in growing steps.
fn newest_ticks(spec: &CronSpec, now: Timestamp) -> Vec<Timestamp> {
    let mut back_ms = 1_000_000;
    loop {
        let mut tick = spec.next(Timestamp::from_ms(now.ms() - back_ms));
        let mut found = VecDeque::new();
        while let Some(at) = tick.filter(|at| *at <= now) {
            if found.len() == MAX_CAUGHT_UP {
                found.pop_front();
            }
            found.push_back(at);
            tick = spec.next(at);
        }
        if found.len() == MAX_CAUGHT_UP {
            return found.into();
        }
        back_ms *= 2;
    }
}

#[cfg(test)]
mod tests;
