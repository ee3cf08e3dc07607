//! Limits to the number of jobs that start in each window of the calendar, such as a day in a time
//! zone.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};

use super::error::{LimitError, starts};
use crate::cron::TimeZone;
use crate::time::Timestamp;

/// The windows of a calendar. A week begins on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Window {
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

impl Window {
    /// All windows, from the shortest to the longest.
    pub const ALL: [Window; 5] =
        [Window::Minute, Window::Hour, Window::Day, Window::Week, Window::Month];

    /// The name of the window.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Window::Minute => "minute",
            Window::Hour => "hour",
            Window::Day => "day",
            Window::Week => "week",
            Window::Month => "month",
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Window {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Window, LimitError> {
        let found = Window::ALL.into_iter().find(|window| window.as_str() == text);
        found.ok_or(LimitError::Window)
    }
}

/// How many jobs may start in each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarQuota {
    /// How many.
    pub quota: u32,
    /// The kind of window.
    pub window: Window,
    /// The time zone whose clock says when windows end.
    pub zone: TimeZone,
}

impl CalendarQuota {
    /// Returns the limit if the number is in the allowed range.
    pub fn new(quota: i64, window: Window, zone: TimeZone) -> Result<CalendarQuota, LimitError> {
        Ok(CalendarQuota { quota: starts(quota)?, window, zone })
    }

    /// The kind of window and the time zone. Starts that were counted in other windows do not count.
    #[must_use]
    pub fn window_text(&self) -> String {
        format!("{} {}", self.window, self.zone)
    }

    /// The ends of the windows after a moment, beginning with the one that contains it. A window
    /// ends when the next one begins.
    pub fn ends(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        let after = DateTime::from_timestamp_millis(after.ms());
        let next = |at: &DateTime<Utc>| self.end_of_window(*at);
        let ends = std::iter::successors(after.and_then(|at| next(&at)), next);
        ends.map(|at| Timestamp::from_ms(at.timestamp_millis()))
    }

    fn end_of_window(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = self.zone.local(at);
        let into_minute = TimeDelta::seconds(local.second().into())
            + TimeDelta::nanoseconds(i64::from(local.nanosecond() % 1_000_000_000));
        let into_hour = into_minute + TimeDelta::minutes(local.minute().into());
        let day = local.date();
        match self.window {
            Window::Minute => Some(at + (TimeDelta::minutes(1) - into_minute)),
            // When the clock changes, hours of the clock are repeated or left out; each counts.
            Window::Hour => Some(at + (TimeDelta::hours(1) - into_hour)),
            Window::Day => self.first_midnight(at, day.succ_opt()?),
            Window::Week => {
                let days = 7 - day.weekday().num_days_from_monday();
                self.first_midnight(at, day.checked_add_days(Days::new(days.into()))?)
            }
            Window::Month => {
                let next = day.with_day(1)?.checked_add_months(Months::new(1))?;
                self.first_midnight(at, next)
            }
        }
    }

    /// The moment at which a day begins. One that the clock leaves out is no window of its own.
    fn first_midnight(&self, at: DateTime<Utc>, day: NaiveDate) -> Option<DateTime<Utc>> {
        let begins = |day: NaiveDate| {
            let midnight = day.and_time(NaiveTime::MIN);
            let begins = self.zone.moments(midnight).earliest();
            begins.or_else(|| Some(self.zone.end_of_gap(midnight)?.0))
        };
        day.iter_days().take(3).filter_map(begins).find(|begins| *begins > at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(window: Window, zone: &str, after: &str, count: usize) -> Vec<String> {
        let calendar = CalendarQuota { quota: 1, window, zone: zone.parse().unwrap() };
        let after = DateTime::parse_from_rfc3339(after).unwrap().timestamp_millis();
        let ends = calendar.ends(Timestamp::from_ms(after)).take(count);
        ends.map(|at| at.to_string().replace(":00Z", "Z")).collect()
    }

    #[test]
    fn windows_end_with_the_clock_of_the_time_zone() {
        use Window::{Day, Hour, Minute, Month, Week};
        for (window, zone, after, expected) in [
            (Minute, "UTC", "2026-11-30T23:58:59.999Z", ["2026-11-30T23:59Z", "2026-12-01T00:00Z"]),
            (
                Hour,
                "Asia/Kolkata",
                "2026-01-01T00:00:00Z",
                ["2026-01-01T00:30Z", "2026-01-01T01:30Z"],
            ),
            (Day, "UTC", "2026-01-01T00:00:00Z", ["2026-01-02T00:00Z", "2026-01-03T00:00Z"]),
            (
                Day,
                "Europe/Stockholm",
                "2026-01-01T22:59:59Z",
                ["2026-01-01T23:00Z", "2026-01-02T23:00Z"],
            ),
            (Week, "UTC", "2026-11-29T12:00:00Z", ["2026-11-30T00:00Z", "2026-12-07T00:00Z"]),
            (
                Month,
                "America/New_York",
                "2026-10-31T12:00:00Z",
                ["2026-11-01T04:00Z", "2026-12-01T05:00Z"],
            ),
            (Month, "UTC", "2028-01-31T12:00:00Z", ["2028-02-01T00:00Z", "2028-03-01T00:00Z"]),
        ] {
            assert_eq!(ends(window, zone, after, 2), expected, "{window} {zone} {after}");
        }
    }

    #[test]
    fn a_day_on_which_the_clock_changes_is_longer_or_shorter() {
        use Window::{Day, Hour};
        for (window, zone, after, expected) in [
            // 23 and 25 hours.
            (
                Day,
                "Europe/Stockholm",
                "2026-03-28T23:00:00Z",
                ["2026-03-29T22:00Z", "2026-03-30T22:00Z"],
            ),
            (
                Day,
                "Europe/Stockholm",
                "2026-10-24T22:00:00Z",
                ["2026-10-25T23:00Z", "2026-10-26T23:00Z"],
            ),
            // At midnight the clock goes from 00:00 to 01:00, and back to 23:00.
            (
                Day,
                "America/Asuncion",
                "2024-10-05T12:00:00Z",
                ["2024-10-06T04:00Z", "2024-10-07T03:00Z"],
            ),
            (
                Day,
                "America/Asuncion",
                "2024-03-23T12:00:00Z",
                ["2024-03-24T04:00Z", "2024-03-25T04:00Z"],
            ),
            // At 01:00 it goes back to 00:00.
            (
                Day,
                "Atlantic/Azores",
                "2026-10-24T12:00:00Z",
                ["2026-10-25T00:00Z", "2026-10-26T01:00Z"],
            ),
            // 30 December 2011 was left out.
            (
                Day,
                "Pacific/Apia",
                "2011-12-29T12:00:00Z",
                ["2011-12-30T10:00Z", "2011-12-31T10:00Z"],
            ),
            (
                Hour,
                "Europe/Stockholm",
                "2026-10-25T00:00:00Z",
                ["2026-10-25T01:00Z", "2026-10-25T02:00Z"],
            ),
            // The clock goes forward by half an hour.
            (
                Hour,
                "Australia/Lord_Howe",
                "2026-10-03T15:00:00Z",
                ["2026-10-03T15:30Z", "2026-10-03T16:00Z"],
            ),
        ] {
            assert_eq!(ends(window, zone, after, 2), expected, "{window} {zone} {after}");
        }
    }

    #[test]
    fn windows_never_overlap_in_any_year_and_zone() {
        for zone in ["Europe/Dublin", "Asia/Tehran", "America/Santiago", "Africa/Casablanca"] {
            for window in [Window::Hour, Window::Day, Window::Week, Window::Month] {
                let all = ends(window, zone, "2020-01-01T00:00:00Z", 2_000);
                assert!(all.is_sorted_by(|a, b| a < b), "{window} {zone}");
            }
        }
    }
}
