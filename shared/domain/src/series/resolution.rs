//! The lengths of the intervals that time series count in, and how long each is kept.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The length of the intervals in which something is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resolution {
    /// Minutes, which are kept for 72 hours.
    Minute,
    /// Hours, which are kept for 90 days.
    Hour,
}

impl Resolution {
    /// All resolutions, the finest first.
    pub const ALL: [Resolution; 2] = [Resolution::Minute, Resolution::Hour];

    /// The word in the names of keys.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Resolution::Minute => "minute",
            Resolution::Hour => "hour",
        }
    }

    /// The length of one interval.
    #[must_use]
    pub fn step(self) -> Duration {
        match self {
            Resolution::Minute => MINUTE,
            Resolution::Hour => HOUR,
        }
    }

    /// How long an interval is kept.
    #[must_use]
    pub fn kept(self) -> Duration {
        match self {
            Resolution::Minute => 72 * HOUR,
            Resolution::Hour => 90 * 24 * HOUR,
        }
    }

    /// The start of the interval that contains a moment, both in milliseconds since 1970.
    #[must_use]
    pub fn start_of(self, ms: i64) -> i64 {
        ms - ms.rem_euclid(self.step_ms())
    }

    /// The length of one interval in milliseconds.
    #[must_use]
    pub fn step_ms(self) -> i64 {
        self.step().as_millis() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_belongs_to_the_interval_that_begins_at_or_before_it() {
        let cases = [
            (Resolution::Minute, 0, 0),
            (Resolution::Minute, 59_999, 0),
            (Resolution::Minute, 60_000, 60_000),
            (Resolution::Minute, -1, -60_000),
            (Resolution::Hour, 3_599_999, 0),
            (Resolution::Hour, 7_200_001, 7_200_000),
        ];
        for (resolution, ms, start) in cases {
            assert_eq!(resolution.start_of(ms), start, "{resolution:?} {ms}");
        }
    }
}
