//! Time zones: conversion between local time and moments, including gaps and overlaps when the
//! clock changes. The zones are compiled in.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone as _, Utc};
use chrono_tz::GapInfo;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A time zone by its IANA name; UTC by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZone(chrono_tz::Tz);

/// The text is not the name of a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid time zone: use an IANA name such as UTC or Europe/Berlin")]
pub struct UnknownTimeZone(String);

impl Default for TimeZone {
    fn default() -> TimeZone {
        TimeZone(chrono_tz::UTC)
    }
}

impl TimeZone {
    /// Formats a moment as local time with its offset from UTC.
    #[must_use]
    pub fn format(self, at: Timestamp) -> String {
        let at = DateTime::from_timestamp_millis(at.ms()).unwrap_or_default();
        at.with_timezone(&self.0).format("%a %Y-%m-%d %H:%M:%S %:z").to_string()
    }

    /// Returns the first moment of a period from which the local clock differs from UTC by another
    /// amount than before. Periods of months may have changes that are not found.
    #[must_use]
    pub fn change_between(self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let offset = |ms: i64| {
            let at = DateTime::from_timestamp_millis(ms).unwrap_or_default();
            self.0.offset_from_utc_datetime(&at.naive_utc()).fix()
        };
        let (mut before, mut changed) = (after.ms(), until.ms());
        if offset(before) == offset(changed) {
            return None;
        }
        while changed - before > 1 {
            let half = before + (changed - before) / 2;
            if offset(half) == offset(after.ms()) {
                before = half;
            } else {
                changed = half;
            }
        }
        Some(Timestamp::from_ms(changed))
    }

    /// The local time at a moment.
    pub(crate) fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.0).naive_local()
    }

    /// The moments at which the local clock shows a time: none in a gap, two in an overlap, the
    /// earlier first.
    pub(crate) fn moments(self, local: NaiveDateTime) -> MappedLocalTime<DateTime<Utc>> {
        self.0.from_local_datetime(&local).map(|at| at.to_utc())
    }

    /// The first moment after the gap that contains a local time, and the local time then.
    pub(crate) fn end_of_gap(self, local: NaiveDateTime) -> Option<(DateTime<Utc>, NaiveDateTime)> {
        let end = GapInfo::new(&local, &self.0)?.end?;
        Some((end.to_utc(), end.naive_local()))
    }

    /// The local time at which the second pass of an overlap begins. The local clock shows the same
    /// time at `early` in the first pass and at `late` in the second.
    pub(super) fn start_of_second_pass(
        self,
        early: DateTime<Utc>,
        late: DateTime<Utc>,
    ) -> NaiveDateTime {
        let offset = |at: DateTime<Utc>| self.0.offset_from_utc_datetime(&at.naive_utc()).fix();
        let (mut first_pass, mut second_pass) = (early, late);
        while second_pass - first_pass > TimeDelta::seconds(1) {
            let half = TimeDelta::seconds((second_pass - first_pass).num_seconds() / 2);
            if offset(first_pass + half) == offset(early) {
                first_pass += half;
            } else {
                second_pass = first_pass + half;
            }
        }
        self.local(second_pass)
    }
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
