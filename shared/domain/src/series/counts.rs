//! What one interval of a series holds, and its text in the store.

use std::fmt;
use std::str::FromStr;

use super::histogram::{BUCKETS, Durations};

/// How many numbers there are before the buckets.
const HEAD: usize = 5;

/// What happened to the jobs of one series in one interval. Its text is its numbers, separated by
/// commas and without the zeros at the end, so that a script can add two by adding their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Runs that started.
    pub started: u64,
    /// Jobs that ended as `done`.
    pub done: u64,
    /// Jobs that ended as `error` or `worker_dead`.
    pub failed: u64,
    /// How long those that started had waited since they were due.
    pub wait: Durations,
    /// How long the runs took that ended, in whatever way.
    pub run: Durations,
}

/// The text is not that of counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not a list of at most {} whole numbers", HEAD + 2 * BUCKETS)]
pub struct InvalidCounts;

impl Counts {
    /// Adds other counts.
    pub fn add(&mut self, other: &Counts) {
        self.started = self.started.saturating_add(other.started);
        self.done = self.done.saturating_add(other.done);
        self.failed = self.failed.saturating_add(other.failed);
        self.wait.add(&other.wait);
        self.run.add(&other.run);
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        let head = [self.started, self.done, self.failed, self.wait.sum_ms, self.run.sum_ms];
        head.into_iter().chain(self.wait.buckets).chain(self.run.buckets)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.numbers().map(|number| number.to_string()).collect();
        let used = numbers.iter().rposition(|number| number != "0").map_or(0, |last| last + 1);
        f.write_str(&numbers[..used].join(","))
    }
}

impl FromStr for Counts {
    type Err = InvalidCounts;

    fn from_str(text: &str) -> Result<Counts, InvalidCounts> {
        let mut numbers = [0; HEAD + 2 * BUCKETS];
        for (index, number) in text.split(',').filter(|_| !text.is_empty()).enumerate() {
            let place = numbers.get_mut(index).ok_or(InvalidCounts)?;
            *place = number.parse().map_err(|_| InvalidCounts)?;
        }
        let mut counts = Counts::default();
        let (head, buckets) = numbers.split_at(HEAD);
        (counts.started, counts.done, counts.failed) = (head[0], head[1], head[2]);
        (counts.wait.sum_ms, counts.run.sum_ms) = (head[3], head[4]);
        counts.wait.buckets.copy_from_slice(&buckets[..BUCKETS]);
        counts.run.buckets.copy_from_slice(&buckets[BUCKETS..]);
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_without_the_zeros_at_the_end_and_read_back() {
        let mut counts = Counts { started: 2, done: 1, ..Counts::default() };
        assert_eq!(counts.to_string(), "2,1");
        counts.wait.record(3);
        assert_eq!(counts.to_string(), "2,1,0,3,0,0,0,1");
        counts.run.record(u64::MAX);
        for counts in [counts, Counts::default()] {
            assert_eq!(counts.to_string().parse(), Ok(counts));
        }
    }

    #[test]
    fn a_text_that_is_no_list_of_numbers_is_refused() {
        let too_many = vec!["1"; HEAD + 2 * BUCKETS + 1].join(",");
        for text in ["x", "1,,2", "-1", "1.5", &too_many] {
            assert_eq!(text.parse::<Counts>(), Err(InvalidCounts), "{text}");
        }
    }

    #[test]
    fn adding_counts_adds_every_number() {
        let mut sum = Counts::default();
        let numbers: Vec<String> = (1..=HEAD + 2 * BUCKETS).map(|n| n.to_string()).collect();
        let all: Counts = numbers.join(",").parse().unwrap();
        sum.add(&all);
        sum.add(&all);
        let doubled: Vec<u64> = all.numbers().map(|number| 2 * number).collect();
        assert_eq!(sum.numbers().collect::<Vec<_>>(), doubled);
    }
}
