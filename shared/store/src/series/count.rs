//! Adds counts and failures, and moves the cursor.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::StoreError;
use crate::script::Script;
use crate::series::failures::{FAILURE_INTERVALS, FAILURES_KEPT};
use crate::store::Store;
use domain::event::EventId;
use domain::failure::{FailureKind, Fingerprint};
use domain::job::{JobId, Timestamp};
use domain::series::{Counts, Resolution, SeriesName};

static COUNT_EVENTS: Script = Script::new("count_events", include_str!("count_events.lua"));

/// How many series have counts of their own; those of others are added up in one.
pub const MAX_SERIES: usize = 50;
/// How many groups of failures are kept.
pub const MAX_FAILURE_GROUPS: usize = 500;

/// What a list of events adds to the series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCounts<'a> {
    /// The cursor as it was read.
    pub cursor: Option<EventId>,
    /// The new cursor: the last of the events.
    pub next: EventId,
    /// The counts of each minute, by its start in milliseconds since 1970, and each series.
    pub minutes: &'a BTreeMap<(i64, SeriesName), Counts>,
    /// The failures of each kind.
    pub failures: &'a BTreeMap<FailureKind, Vec<FailureCount>>,
}

/// One job that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureCount {
    /// The job.
    pub job: JobId,
    /// When it ended.
    pub at: Timestamp,
}

/// What became of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountAnswer {
    /// They were added.
    Counted,
    /// Another scheduler has counted these events.
    Conflict,
}

/// Counts of one interval, as the script takes them.
#[derive(Serialize)]
struct CountsRow<'a> {
    resolution: &'static str,
    at: i64,
    expires: i64,
    name: &'a str,
    numbers: String,
}

/// The failures of one group, as the script takes them.
#[derive(Serialize)]
struct FailuresRow<'a> {
    fingerprint: Fingerprint,
    action: &'a str,
    exception: &'a str,
    message: &'a str,
    count: usize,
    first: i64,
    last: i64,
    sample: JobId,
    intervals: Vec<FailedInterval>,
}

#[derive(Serialize)]
struct FailedInterval {
    resolution: &'static str,
    at: i64,
    expires: i64,
    count: usize,
}

impl Store {
    /// Adds counts and failures, and moves the cursor.
    pub async fn count_events(&self, counts: &EventCounts<'_>) -> Result<CountAnswer, StoreError> {
        let now = i64::try_from(counts.next.ms).unwrap_or(i64::MAX);
        let series_kept = Resolution::Hour.kept().as_millis() as i64;
        let answer = self.call(&COUNT_EVENTS, |call| {
            call.arg(counts.cursor.map(|cursor| cursor.to_string()).unwrap_or_default());
            call.arg(counts.next.to_string()).arg(MAX_SERIES).arg(now - series_kept);
            call.arg(MAX_FAILURE_GROUPS).arg(now - FAILURES_KEPT.as_millis() as i64);
            for row in rows(counts.minutes) {
                call.arg(row);
            }
            for (kind, failures) in counts.failures.iter().filter(|(_, jobs)| !jobs.is_empty()) {
                call.arg(failures_row(kind, failures));
            }
        });
        answer.await?.decode(|words| match words {
            ["counted"] => Some(CountAnswer::Counted),
            ["conflict"] => Some(CountAnswer::Conflict),
            _ => None,
        })
    }
}

/// The name of a series in the store.
pub(super) fn name_of(series: &SeriesName) -> String {
    format!("{} {}", series.action, series.class)
}

/// The counts of each series and of all together, in minutes and in hours.
fn rows(minutes: &BTreeMap<(i64, SeriesName), Counts>) -> Vec<String> {
    let mut sums: BTreeMap<(Resolution, i64, String), Counts> = BTreeMap::new();
    for ((minute, series), counts) in minutes {
        for resolution in Resolution::ALL {
            let at = resolution.start_of(*minute);
            for name in [String::new(), name_of(series)] {
                sums.entry((resolution, at, name)).or_default().add(counts);
            }
        }
    }
    let row = |((resolution, at, name), counts): (&(Resolution, i64, String), &Counts)| {
        let expires = (at + resolution.step_ms()) / 1000 + resolution.kept().as_secs() as i64;
        let (resolution, numbers) = (resolution.as_str(), counts.to_string());
        let row = CountsRow { resolution, at: *at, expires, name, numbers };
        serde_json::to_string(&row).unwrap_or_default()
    };
    sums.iter().map(row).collect()
}

fn failures_row(kind: &FailureKind, failures: &[FailureCount]) -> String {
    let mut intervals: BTreeMap<(&'static str, i64), (i64, usize)> = BTreeMap::new();
    for failure in failures {
        for interval in FAILURE_INTERVALS {
            let at = interval.start_of(failure.at.ms());
            let expires = (at + interval.step_ms) / 1000 + interval.kept.as_secs() as i64;
            intervals.entry((interval.name, at)).or_insert((expires, 0)).1 += 1;
        }
    }
    let times = || failures.iter().map(|failure| failure.at.ms());
    let row = FailuresRow {
        fingerprint: kind.fingerprint(),
        action: kind.action.as_str(),
        exception: &kind.exception,
        message: &kind.message,
        count: failures.len(),
        first: times().min().unwrap_or_default(),
        last: times().max().unwrap_or_default(),
        sample: failures.last().map_or_else(JobId::random, |failure| failure.job),
        intervals: intervals
            .into_iter()
            .map(|((resolution, at), (expires, count))| FailedInterval {
                resolution,
                at,
                expires,
                count,
            })
            .collect(),
    };
    serde_json::to_string(&row).unwrap_or_default()
}
