//! Rate limits: how many jobs may start in a given time.

mod calendar;
mod error;
mod name;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use calendar::{CalendarQuota, Window};
pub use error::{LimitError, MAX_STARTS};
pub use name::LimitName;

use crate::time::Timestamp;
use error::starts;

/// The shortest and the longest time.
pub const PER: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(366 * 24 * 60 * 60));
/// The longest pause that a service may request.
pub const MAX_HOLD_BACK: Duration = Duration::from_secs(24 * 60 * 60);

/// How many windows ahead the start of a job is looked for.
const MOST_WINDOWS: u64 = 1_000;

/// How many jobs may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// At a rate, evenly spaced.
    Spaced(SpacedStarts),
    /// As many in each window of the calendar.
    Calendar(CalendarQuota),
}

/// How many jobs may start when the starts are evenly spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpacedStarts {
    /// How many, in the long run.
    pub rate: u32,
    /// In how much time.
    pub per: Duration,
    /// How many at once.
    pub burst: u32,
}

impl SpacedStarts {
    /// The time as text, in Go's syntax: `1m`, `1h30m`.
    #[must_use]
    pub fn per_text(&self) -> String {
        let (s, ms) = (self.per.as_secs(), self.per.subsec_millis());
        let part = |count: u64, unit: &str| match count {
            0 => String::new(),
            count => format!("{count}{unit}"),
        };
        let (h, m) = (part(s / 3_600, "h"), part(s / 60 % 60, "m"));
        let seconds = if ms == 0 { part(s % 60, "s") } else { format!("{}.{ms:03}s", s % 60) };
        format!("{h}{m}{seconds}")
    }

    /// The time after which one more job may start, in ms.
    #[must_use]
    pub fn interval_ms(&self) -> f64 {
        self.per.as_millis() as f64 / f64::from(self.rate)
    }
}

impl RateLimit {
    /// Returns the limit to a rate if it is in the allowed range.
    pub fn new(
        rate: i64,
        per: Duration,
        burst: i64,
    ) -> Result<RateLimit, (&'static str, LimitError)> {
        if per < PER.0 || per > PER.1 {
            return Err(("per", LimitError::Per));
        }
        let rate = starts(rate).map_err(|error| ("rate", error))?;
        let burst = starts(burst).map_err(|error| ("burst", error))?;
        Ok(RateLimit::Spaced(SpacedStarts { rate, per, burst }))
    }

    /// The time at which a job may start whose start is the `ahead`-th from now, if the next one is
    /// allowed at `next` and `used` are used up.
    #[must_use]
    pub fn start_after(&self, next: Timestamp, used: u32, ahead: u64) -> Option<Timestamp> {
        match self {
            RateLimit::Spaced(spaced) => {
                let after = ahead.saturating_sub(1) as f64 * spaced.interval_ms();
                Some(Timestamp::from_ms(next.ms().saturating_add(after as i64)))
            }
            RateLimit::Calendar(calendar) => {
                let left = u64::from(calendar.quota.saturating_sub(used));
                let windows = ahead.saturating_sub(left).div_ceil(u64::from(calendar.quota));
                // If nothing is left, a window begins then.
                match windows.saturating_sub(u64::from(left == 0)).checked_sub(1) {
                    None => Some(next),
                    Some(between) if between < MOST_WINDOWS => {
                        calendar.ends(next).nth(usize::try_from(between).ok()?)
                    }
                    // So far ahead, it is not worth the search.
                    Some(_) => None,
                }
            }
        }
    }

    /// How many jobs may start at once.
    #[must_use]
    pub fn burst(&self) -> u32 {
        match self {
            RateLimit::Spaced(spaced) => spaced.burst,
            RateLimit::Calendar(calendar) => calendar.quota,
        }
    }
}

impl fmt::Display for RateLimit {
    /// For people: `100 starts per 1m`, `1000 starts per day (Europe/Berlin)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let starts = |count| if count == 1 { "start" } else { "starts" };
        match self {
            RateLimit::Spaced(spaced) => {
                let SpacedStarts { rate, .. } = spaced;
                write!(f, "{rate} {} per {}", starts(*rate), spaced.per_text())
            }
            RateLimit::Calendar(CalendarQuota { quota, window, zone }) => {
                write!(f, "{quota} {} per {window} ({zone})", starts(*quota))
            }
        }
    }
}

/// All rate limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RateLimits(BTreeMap<LimitName, RateLimit>);

impl RateLimits {
    /// The limits, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&LimitName, &RateLimit)> {
        self.0.iter()
    }

    /// Returns the limit of a key: the one with its own name, or else the longest one with a star
    /// that matches.
    #[must_use]
    pub fn of_key(&self, key: &str) -> Option<(&LimitName, &RateLimit)> {
        let matching = self.0.iter().filter(|(name, _)| name.matches(key));
        matching.max_by_key(|(name, _)| (name.as_str() == key, name.as_str().len()))
    }
}

impl FromIterator<(LimitName, RateLimit)> for RateLimits {
    fn from_iter<All: IntoIterator<Item = (LimitName, RateLimit)>>(all: All) -> RateLimits {
        RateLimits(all.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cron::TimeZone;

    #[test]
    fn a_name_is_a_key_or_its_first_part_and_a_star() {
        for name in ["mail", "mail-*", "*", "a:b/c@d"] {
            assert_eq!(name.parse::<LimitName>().unwrap().to_string(), name);
        }
        for name in ["", "a b", "**", "a*b", "..", &"x".repeat(129)] {
            assert_eq!(name.parse::<LimitName>(), Err(LimitError::Name), "{name}");
        }
        assert_eq!("mail".parse::<LimitName>().unwrap().lock().unwrap().as_str(), "rate:mail");
        assert_eq!("mail-*".parse::<LimitName>().unwrap().lock(), None);
    }

    #[test]
    fn a_key_has_its_own_limit_or_that_of_the_longest_pattern() {
        let names = ["*", "mail-*", "mail-eu-*", "mail-eu-1"];
        let limit = |burst| RateLimit::new(1, Duration::from_secs(1), burst).unwrap();
        let all: RateLimits =
            names.iter().zip(1..).map(|(name, n)| (name.parse().unwrap(), limit(n))).collect();
        let found = |key| all.of_key(key).map(|(_, limit)| limit.burst());
        assert_eq!(
            ["mail-eu-1", "mail-eu-2", "mail-us", "mail"].map(found),
            [Some(4), Some(3), Some(2), Some(1)]
        );
        assert_eq!(RateLimits::default().of_key("mail"), None);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let minute = Duration::from_secs(60);
        let RateLimit::Spaced(spaced) = RateLimit::new(100, minute, 20).unwrap() else { panic!() };
        assert_eq!(spaced.interval_ms(), 600.0);
        let refused = [
            (0, minute, 1, "rate"),
            (-1, minute, 1, "rate"),
            (1_000_001, minute, 1, "rate"),
            (1, minute, 0, "burst"),
            (1, minute, 1_000_001, "burst"),
            (1, Duration::from_millis(999), 1, "per"),
            (1, Duration::MAX, 1, "per"),
        ];
        for (rate, per, burst, field) in refused {
            assert_eq!(RateLimit::new(rate, per, burst).unwrap_err().0, field);
        }
    }

    #[test]
    fn a_time_is_shown_in_its_shortest_form() {
        for (ms, text) in [
            (60_000, "1m"),
            (1_000, "1s"),
            (90_500, "1m30.500s"),
            (3_600_000, "1h"),
            (5_400_000, "1h30m"),
            (86_400_500, "24h0.500s"),
        ] {
            let spaced = SpacedStarts { rate: 1, per: Duration::from_millis(ms), burst: 1 };
            assert_eq!(spaced.per_text(), text);
        }
    }

    #[test]
    fn the_start_of_a_job_is_known_from_the_number_ahead_of_it() {
        let day = |quota| CalendarQuota::new(quota, Window::Day, TimeZone::default()).unwrap();
        let day = |quota| RateLimit::Calendar(day(quota));
        let minute = RateLimit::new(60, Duration::from_secs(60), 1).unwrap();
        let (noon, midnight) = (Timestamp::from_ms(43_200_000), Timestamp::from_ms(86_400_000));
        for (limit, next, used, ahead, starts_ms) in [
            (minute, noon, 0, 1, 43_200_000),
            (minute, noon, 1, 4, 43_203_000),
            (day(3), noon, 1, 2, 43_200_000),
            (day(3), noon, 1, 3, 86_400_000),
            (day(3), noon, 1, 6, 2 * 86_400_000),
            (day(3), midnight, 3, 3, 86_400_000),
            (day(3), midnight, 3, 4, 2 * 86_400_000),
        ] {
            let at = limit.start_after(next, used, ahead).unwrap();
            assert_eq!(at.ms(), starts_ms, "{limit:?} {used} {ahead}");
        }
        assert!(day(1).start_after(noon, 1, MOST_WINDOWS).is_some());
        assert_eq!(day(1).start_after(noon, 1, u64::MAX), None);
    }
}
