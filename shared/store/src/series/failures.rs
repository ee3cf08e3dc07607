//! Reads the groups of failures.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::error::StoreError;
use crate::store::Store;
use domain::failure::{FailureKind, Fingerprint};
use domain::job::{JobId, Timestamp};

/// How long a group is kept that does not occur again.
pub(super) const FAILURES_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How many intervals one round trip reads.
const READ_AT_ONCE: usize = 100;

/// Intervals in which failures are counted: the finest that covers a period is read.
pub(super) const FAILURE_INTERVALS: [Interval; 2] = [
    Interval { name: "5m", step_ms: 5 * 60_000, kept: Duration::from_secs(24 * 60 * 60) },
    Interval { name: "1h", step_ms: 60 * 60_000, kept: FAILURES_KEPT },
];

/// The length of intervals, and how long they are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval {
    pub(super) name: &'static str,
    pub(super) step_ms: i64,
    pub(super) kept: Duration,
}

impl Interval {
    pub(super) fn start_of(&self, ms: i64) -> i64 {
        ms - ms.rem_euclid(self.step_ms)
    }
}

/// The failures with one fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureGroup {
    /// The fingerprint.
    pub fingerprint: Fingerprint,
    /// What they have in common.
    pub kind: FailureKind,
    /// How many there were in the period, from the start of the interval in which it begins.
    pub count: u64,
    /// When the first of the group failed.
    pub first_seen: Timestamp,
    /// When the last one failed.
    pub last_seen: Timestamp,
    /// The last job that failed.
    pub sample: JobId,
    /// How many failed in each interval of the period: its start and the number, without zeros.
    pub counts: BTreeMap<i64, u64>,
}

impl Store {
    /// The groups of failures since a moment, the most frequent first. `now` ends the period.
    pub async fn failure_groups(
        &self,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<FailureGroup>, StoreError> {
        let counts = self.failure_counts(since, now).await?;
        let names: Vec<Fingerprint> = counts.keys().copied().collect();
        let mut groups = Vec::new();
        for names in names.chunks(READ_AT_ONCE) {
            let mut pipe = redis::pipe();
            for name in names {
                pipe.hgetall(self.keys.failure_group(*name));
            }
            let records: Vec<HashMap<String, String>> =
                pipe.query_async(&mut self.connection.clone()).await?;
            let found = names.iter().zip(&records);
            groups.extend(found.filter_map(|(name, record)| group(*name, record, &counts[name])));
        }
        groups.sort_by_key(|group| {
            (std::cmp::Reverse((group.count, group.last_seen)), group.fingerprint)
        });
        Ok(groups)
    }

    /// How many failures of each fingerprint were in each interval.
    async fn failure_counts(
        &self,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<BTreeMap<Fingerprint, BTreeMap<i64, u64>>, StoreError> {
        let (since, now) = (since.ms(), now.ms());
        let covers = |one: &&Interval| now - since <= one.kept.as_millis() as i64;
        let [_, longest] = &FAILURE_INTERVALS;
        let interval = FAILURE_INTERVALS.iter().find(covers).unwrap_or(longest);
        let oldest = now - interval.kept.as_millis() as i64;
        let first = interval.start_of(since.max(oldest));
        let starts: Vec<i64> = (first..=now).step_by(interval.step_ms as usize).collect();
        let mut counts: BTreeMap<Fingerprint, BTreeMap<i64, u64>> = BTreeMap::new();
        for starts in starts.chunks(READ_AT_ONCE) {
            let mut pipe = redis::pipe();
            for at in starts {
                pipe.hgetall(self.keys.failed(interval.name, *at));
            }
            let read: Vec<HashMap<String, u64>> =
                pipe.query_async(&mut self.connection.clone()).await?;
            for (at, fields) in starts.iter().zip(read) {
                for (name, count) in fields {
                    if let Ok(name) = name.parse() {
                        counts.entry(name).or_default().insert(*at, count);
                    }
                }
            }
        }
        Ok(counts)
    }
}

/// `None` if the group is not kept any more or cannot be read.
fn group(
    fingerprint: Fingerprint,
    record: &HashMap<String, String>,
    counts: &BTreeMap<i64, u64>,
) -> Option<FailureGroup> {
    let time = |name: &str| Some(Timestamp::from_ms(record.get(name)?.parse().ok()?));
    Some(FailureGroup {
        fingerprint,
        kind: FailureKind {
            action: record.get("action")?.parse().ok()?,
            exception: record.get("exception")?.clone(),
            message: record.get("message")?.clone(),
        },
        count: counts.values().sum(),
        first_seen: time("firstSeen")?,
        last_seen: time("lastSeen")?,
        sample: record.get("sample")?.parse().ok()?,
        counts: counts.clone(),
    })
}
