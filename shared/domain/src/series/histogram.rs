//! Durations as a sum and a histogram, from which percentiles are estimated.

use std::time::Duration;

/// The number of buckets of a histogram.
pub const BUCKETS: usize = 26;

/// Many durations. Bucket 0 counts those of up to 1 ms, bucket `i` those of up to 2^i ms, and the
/// last one all that are longer than 2^24 ms, which is 4 h 40 min.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Durations {
    /// The sum of all durations in milliseconds.
    pub sum_ms: u64,
    /// How many durations are in each bucket.
    pub buckets: [u64; BUCKETS],
}

impl Durations {
    /// Adds a duration.
    pub fn record(&mut self, duration_ms: u64) {
        self.sum_ms = self.sum_ms.saturating_add(duration_ms);
        let bucket = &mut self.buckets[bucket_of(duration_ms)];
        *bucket = bucket.saturating_add(1);
    }

    /// Adds other durations.
    pub fn add(&mut self, other: &Durations) {
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// The number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The duration that a share of all durations does not exceed, such as 0.95. Within a bucket,
    /// the durations are assumed to be spread evenly. `None` without durations.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let rank = (self.count() as f64 * share).ceil().max(1.0);
        let mut before = 0.0;
        for (index, count) in self.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = *count as f64;
            if before + count >= rank {
                let (low, high) = limits_ms(index);
                let ms = low + (high - low) * (rank - before) / count;
                return Some(Duration::from_millis(ms.round() as u64));
            }
            before += count;
        }
        None
    }
}

fn bucket_of(ms: u64) -> usize {
    let bits = u64::BITS - ms.saturating_sub(1).leading_zeros();
    (bits as usize).min(BUCKETS - 1)
}

/// The limits between which the durations of a bucket are.
fn limits_ms(bucket: usize) -> (f64, f64) {
    let high = 2_f64.powi(bucket as i32);
    (if bucket == 0 { 0.0 } else { high / 2.0 }, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_is_long_enough() {
        let cases = [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1 << 24, 24)];
        for (ms, bucket) in cases.into_iter().chain([((1 << 24) + 1, 25), (u64::MAX, 25)]) {
            assert_eq!(bucket_of(ms), bucket, "{ms} ms");
        }
    }

    #[test]
    fn a_percentile_is_within_the_bucket_of_the_duration_that_it_stands_for() {
        let mut durations = Durations::default();
        assert_eq!(durations.percentile(0.5), None);
        for _ in 0..95 {
            durations.record(3);
        }
        for _ in 0..5 {
            durations.record(1_000);
        }
        let percentile = |share| durations.percentile(share).unwrap().as_millis();
        assert!((2..=4).contains(&percentile(0.5)), "{}", percentile(0.5));
        assert!((2..=4).contains(&percentile(0.95)), "{}", percentile(0.95));
        assert!((512..=1_024).contains(&percentile(0.96)), "{}", percentile(0.96));
        assert_eq!((percentile(1.0), durations.sum_ms), (1_024, 95 * 3 + 5 * 1_000));
    }

    proptest! {
        #[test]
        fn a_percentile_is_at_most_twice_and_at_least_half_the_exact_one(
            mut all in prop::collection::vec(1_u64..(1 << 24), 1..200),
            share in 0.01_f64..1.0,
        ) {
            let mut durations = Durations::default();
            all.iter().for_each(|ms| durations.record(*ms));
            all.sort_unstable();
            let rank = ((all.len() as f64 * share).ceil() as usize).clamp(1, all.len());
            let exact = all[rank - 1] as f64;
            let estimate = durations.percentile(share).unwrap().as_millis() as f64;
            prop_assert!(estimate <= exact * 2.0 + 1.0 && estimate >= exact / 2.0 - 1.0);
        }
    }
}
