//! Time zones: from a time on the wall to a moment and back, where clocks are put forward and back too. Pure: the
//! zones are compiled in.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone as _, Utc};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A time zone by its IANA name; UTC unless said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZone(chrono_tz::Tz);

/// The text names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid time zone: write its IANA name, like UTC or Europe/Berlin")]
pub struct UnknownTimeZone(String);

/// What a time on the wall is.
pub(super) enum Wall {
    /// One moment.
    Once(DateTime<Utc>),
    /// Two: the clock was put back in between.
    Twice(DateTime<Utc>, DateTime<Utc>),
    /// None: the clock was put forward over it.
    Never,
}

impl Default for TimeZone {
    fn default() -> TimeZone {
        TimeZone(chrono_tz::UTC)
    }
}

impl TimeZone {
    /// What the wall shows at a moment, with its distance from UTC.
    #[must_use]
    pub fn show(self, at: Timestamp) -> String {
        let at = DateTime::from_timestamp_millis(at.ms()).unwrap_or_default();
        at.with_timezone(&self.0).format("%a %Y-%m-%d %H:%M:%S %:z").to_string()
    }

    /// The wall's time at a moment.
    pub(super) fn wall(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.0).naive_local()
    }

    /// When the wall shows this.
    pub(super) fn moments(self, wall: NaiveDateTime) -> Wall {
        match self.0.from_local_datetime(&wall) {
            MappedLocalTime::Single(one) => Wall::Once(one.to_utc()),
            MappedLocalTime::Ambiguous(a, b) => Wall::Twice(a.min(b).to_utc(), a.max(b).to_utc()),
            MappedLocalTime::None => Wall::Never,
        }
    }

    /// The first moment after the gap that this time on the wall is in, and the wall's time then.
    pub(super) fn after_gap(self, wall: NaiveDateTime) -> Option<(DateTime<Utc>, NaiveDateTime)> {
        // The longest gap is a day: Samoa had no 30 December 2011.
        let exists = |seconds: i64| !matches!(self.moments(later(wall, seconds)), Wall::Never);
        let end = first(0, 30 * 3600, exists)?;
        match self.moments(later(wall, end)) {
            Wall::Once(at) | Wall::Twice(at, _) => Some((at, later(wall, end))),
            Wall::Never => None,
        }
    }

    /// The wall's time at which the second pass of an overlap begins; `early` and `late` are one time in it.
    pub(super) fn second_pass(self, early: DateTime<Utc>, late: DateTime<Utc>) -> NaiveDateTime {
        let offset = |at: DateTime<Utc>| {
            self.0.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
        };
        let (before, length) = (offset(early), (late - early).num_seconds());
        let changed = |seconds: i64| offset(early + TimeDelta::seconds(seconds)) != before;
        let begin = first(0, length, changed).unwrap_or(length);
        self.wall(early + TimeDelta::seconds(begin))
    }
}

/// The least number for which it holds, up to a largest; once it holds it must hold for all that follow.
fn first(mut least: i64, mut largest: i64, holds: impl Fn(i64) -> bool) -> Option<i64> {
    if !holds(largest) {
        return None;
    }
    while least < largest {
        let middle = (least + largest) / 2;
        if holds(middle) {
            largest = middle;
        } else {
            least = middle + 1;
        }
    }
    Some(largest)
}

pub(super) fn later(wall: NaiveDateTime, seconds: i64) -> NaiveDateTime {
    wall + TimeDelta::seconds(seconds)
}

impl FromStr for TimeZone {
    type Err = UnknownTimeZone;

    fn from_str(text: &str) -> Result<TimeZone, UnknownTimeZone> {
        if text.is_empty() {
            return Ok(TimeZone::default());
        }
        let found = text.parse().map_err(|_| UnknownTimeZone(text.chars().take(64).collect()));
        found.map(TimeZone)
    }
}

impl TryFrom<String> for TimeZone {
    type Error = UnknownTimeZone;

    fn try_from(text: String) -> Result<TimeZone, UnknownTimeZone> {
        text.parse()
    }
}

impl From<TimeZone> for String {
    fn from(zone: TimeZone) -> String {
        zone.0.name().to_owned()
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name())
    }
}
