//! Notices when the clock of Redis is set: compares it with the monotonic clock of this process.

use std::time::{Duration, Instant};

use domain::job::Timestamp;

/// How the clock of Redis changed since the last reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockStep {
    /// It advanced normally, within the precision that the response times allow.
    None,
    /// It was set forward by this much.
    Forward(Duration),
    /// It was set back by this much.
    Back(Duration),
}

/// A time of Redis' clock, and the period within which Redis read it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) asked_at: Instant,
    pub(crate) answered_at: Instant,
    pub(crate) time: Timestamp,
}

/// The last reading.
#[derive(Debug, Default)]
pub(crate) struct ClockWatch(Option<Reading>);

impl ClockWatch {
    /// Takes a reading, and compares it with the one before.
    pub(crate) fn step(&mut self, new: Reading) -> ClockStep {
        let Some(last) = self.0.replace(new) else { return ClockStep::None };
        let change_ms = new.time.ms() - last.time.ms();
        let least = new.asked_at.saturating_duration_since(last.answered_at).as_millis() as i64;
        let most = new.answered_at.saturating_duration_since(last.asked_at).as_millis() as i64;
        let by = |ms: i64| Duration::from_millis(ms.unsigned_abs());
        if change_ms > most {
            ClockStep::Forward(by(change_ms - most))
        } else if change_ms < least {
            ClockStep::Back(by(least - change_ms))
        } else {
            ClockStep::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_the_time_between_the_readings_does_not_explain_is_a_step() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let reading = |asked, answered, time| Reading {
            asked_at: start + ms(asked),
            answered_at: start + ms(answered),
            time: Timestamp::from_ms(time),
        };
        // Redis read its clock between 0 and 10 ms, then between 1,000 and 1,200 ms.
        let cases = [
            (990, ClockStep::None),
            (1_200, ClockStep::None),
            (601_200, ClockStep::Forward(ms(600_000))),
            (-599_010, ClockStep::Back(ms(600_000))),
        ];
        for (change, expected) in cases {
            let mut watch = ClockWatch::default();
            assert_eq!(watch.step(reading(0, 10, 5_000_000)), ClockStep::None);
            assert_eq!(watch.step(reading(1_000, 1_200, 5_000_000 + change)), expected);
        }
    }
}
