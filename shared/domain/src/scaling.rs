//! How many workers of one shape would hold what runs on them and what is ready: the signal by
//! which a pool of workers grows and shrinks. A queue length is no such signal, because a job needs
//! units of several types.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::capacity::CapacityMap;

/// What the calculation is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// The free capacity of each live worker of this shape that is not draining.
    pub free: Vec<CapacityMap>,
    /// What the ready jobs need, and how many need the same.
    pub ready: Vec<(CapacityMap, u64)>,
    /// How long a job runs on average, if it is known.
    pub mean_run: Option<Duration>,
    /// How long a ready job may wait for its start; `None` if it must start at once.
    pub start_within: Option<Duration>,
}

/// How many workers are wanted, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// The number of workers, rounded up to one decimal.
    pub wanted: f64,
    /// The number of live workers of this shape that are not draining.
    pub live: usize,
    /// The type of which most is needed; `None` if nothing runs and nothing is ready.
    pub because: Option<String>,
    /// The units that ready jobs need, by type. Jobs that no worker of this shape holds are left
    /// out.
    pub waiting: BTreeMap<String, u64>,
    /// The units that running jobs use, by type.
    pub running: BTreeMap<String, u64>,
}

/// A run is not taken to be shorter, so that ready jobs always need some part of a worker.
const SHORTEST_RUN: Duration = Duration::from_millis(1);

/// Parts of a worker, by type. One worker is 1.
type Parts = BTreeMap<String, f64>;

impl Demand {
    /// Calculates how many workers of this shape hold the demand.
    ///
    /// What runs is never left out. A ready job needs its part of a worker, or less if it may wait
    /// and jobs are short: a place on which jobs run for 3 s each starts ten of them in 30 s. Ready
    /// jobs that fit into no live worker need further workers, even if the free units of all live
    /// workers together would be enough.
    #[must_use]
    pub fn scaling(&self, shape: &CapacityMap) -> Scaling {
        let (mut waiting, mut running) = (BTreeMap::new(), BTreeMap::new());
        for (name, units) in self.free.iter().flat_map(|free| shape.without(free).units_by_type()) {
            *running.entry(name).or_default() += u64::from(units);
        }
        let mut parts: Parts = running
            .iter()
            .map(|(name, units)| (name.clone(), *units as f64 / f64::from(shape.units(name))))
            .collect();
        let mut ready: Vec<_> =
            self.ready.iter().filter(|(need, count)| *count > 0 && shape.fits(need) > 0).collect();
        // The largest first, as in bin packing.
        ready.sort_by_key(|(need, _)| shape.fits(need));
        let (mut free, mut unplaced) = (self.free.clone(), Parts::new());
        for (need, count) in ready {
            for (name, units) in need.units_by_type() {
                *waiting.entry(name).or_default() += u64::from(units) * count;
            }
            let at_once = self.at_once(*count);
            add(&mut parts, shape, need, at_once);
            add(&mut unplaced, shape, need, at_once - place(&mut free, need, at_once));
        }
        let (because, total) = largest(&parts);
        let (because_new, new) = largest(&unplaced);
        let live = self.free.len();
        let with_new = if new > 0.0 { live as f64 + new } else { 0.0 };
        let because = if with_new > total { because_new } else { because };
        Scaling { wanted: up_to_tenths(total.max(with_new)), live, because, waiting, running }
    }

    /// Returns how many of `count` ready jobs must run at the same time so that all start in time.
    fn at_once(&self, count: u64) -> f64 {
        let (Some(run), Some(within)) = (self.mean_run, self.start_within) else {
            return count as f64;
        };
        let run = run.max(SHORTEST_RUN).as_secs_f64();
        count as f64 * (run / within.as_secs_f64().max(run)).min(1.0)
    }
}

/// Puts jobs into free capacity. Returns how many found a place, at most `count`.
fn place(free: &mut [CapacityMap], need: &CapacityMap, count: f64) -> f64 {
    let mut left = count.ceil() as u64;
    for worker in free {
        let times = u64::from(worker.fits(need)).min(left);
        worker.take(need, u32::try_from(times).unwrap_or(u32::MAX));
        left -= times;
    }
    (count.ceil() as u64 - left) as f64
}

/// Adds the parts of a worker that `count` jobs need. A whole number of jobs fits into a worker, so
/// a job of which three fit needs a third of its scarcest type, even if units are left over.
fn add(parts: &mut Parts, shape: &CapacityMap, need: &CapacityMap, count: f64) {
    let share = 1.0 / f64::from(shape.fits(need).max(1));
    for (name, units) in need.units_by_type() {
        let of_units = f64::from(units) / f64::from(shape.units(&name).max(1));
        let is_scarcest = shape.units(&name) / units == shape.fits(need);
        let part = if is_scarcest { share } else { of_units };
        *parts.entry(name).or_default() += part * count.max(0.0);
    }
}

/// Returns the type with the largest part, the first by name of equal ones.
fn largest(parts: &Parts) -> (Option<String>, f64) {
    let mut largest = (None, 0.0);
    for (name, part) in parts {
        if *part > largest.1 {
            largest = (Some(name.clone()), *part);
        }
    }
    largest
}

/// Rounds up to one decimal. What is a whole number but for an error of the arithmetic stays one.
fn up_to_tenths(number: f64) -> f64 {
    // The last addition turns a negative zero into zero.
    (number * 10.0 - 1e-6).ceil().max(0.0) / 10.0 + 0.0
}

#[cfg(test)]
mod tests;
