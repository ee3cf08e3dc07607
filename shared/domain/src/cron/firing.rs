//! Which ticks of a cron are due, and which of them get a job: values in, values out.

use std::collections::VecDeque;
use std::time::Duration;

use super::{CronSpec, Misfire};
use crate::time::Timestamp;

/// How many missed ticks `misfire: all` makes up for; older ones are left out, counted, and said in the job.
pub const MAX_CAUGHT_UP: usize = 1000;
/// A tick noticed within this time is on time.
const GRACE: Duration = Duration::from_secs(2);
/// How many ticks one step fires: a script blocks Redis.
const MOST_PER_STEP: usize = 50;
/// How many ticks are counted one by one; an outage that was longer is only looked at near its end.
const MOST_COUNTED: u64 = 10_000;

/// What is to be done for a cron now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Ticks to fire, oldest first, each with how many missed ones it speaks for.
    pub ticks: Vec<(Timestamp, u64)>,
    /// How many were missed and get no job, and the newest of them.
    pub skipped: Option<(u64, Timestamp)>,
    /// The tick after all of these.
    pub next: Option<Timestamp>,
}

/// What is due at `now` of a cron whose next tick is `first`. Nothing when that is still to come.
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
            steps(spec, on_time, skipped, 0)
        }
        Misfire::Once | Misfire::All => {
            let dropped = count - ticks.len() as u64;
            let before = ticks.first().map_or(first, |oldest| Timestamp::from_ms(oldest.ms() - 1));
            let skipped = (dropped > 0).then_some((dropped, before));
            steps(spec, ticks, skipped, dropped)
        }
    }
}

/// So many of them as one step fires; the rest is next.
fn steps(
    spec: &CronSpec,
    mut ticks: Vec<Timestamp>,
    skipped: Option<(u64, Timestamp)>,
    missed: u64,
) -> Due {
    ticks.truncate(MOST_PER_STEP);
    let last = ticks.last().copied().or(skipped.map(|(_, newest)| newest));
    let next = last.and_then(|last| spec.next(last));
    let ticks = ticks.into_iter().enumerate();
    let ticks = ticks.map(|(at, tick)| (tick, if at == 0 { missed } else { 0 })).collect();
    Due { ticks, skipped, next }
}

/// The newest ticks from `first` to `now`, as many as are caught up at most, and how many there are in all (no more
/// than are counted, when there are very many).
fn ticks_until(spec: &CronSpec, first: Timestamp, now: Timestamp) -> (Vec<Timestamp>, u64) {
    let (mut newest, mut count) = (VecDeque::new(), 0);
    let mut tick = Some(first);
    while let Some(at) = tick.filter(|at| *at <= now) {
        count += 1;
        if newest.len() == MAX_CAUGHT_UP {
            newest.pop_front();
        }
        newest.push_back(at);
        if count == MOST_COUNTED {
            return (near_the_end(spec, now), count);
        }
        tick = spec.next(at);
    }
    (newest.into(), count)
}

/// The newest ticks until `now`, found by looking back further and further.
fn near_the_end(spec: &CronSpec, now: Timestamp) -> Vec<Timestamp> {
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
