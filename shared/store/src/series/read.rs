//! Reads time series.

use std::collections::HashMap;

use crate::error::StoreError;
use crate::store::Store;
use domain::capacity::Class;
use domain::job::{ActionName, Timestamp};
use domain::series::{Counts, Resolution};

/// How many intervals one round trip reads.
const READ_AT_ONCE: usize = 200;
/// The field of an interval with the counts of all series together.
const ALL: &str = "all";

/// Which series to add up, of which period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesFilter {
    /// Only jobs of this action.
    pub action: Option<ActionName>,
    /// Only jobs of this class.
    pub class: Option<Class>,
    /// The start of the first point.
    pub since: Timestamp,
    /// No point begins at this moment or later.
    pub until: Timestamp,
    /// The intervals to read.
    pub resolution: Resolution,
    /// How many intervals make one point.
    pub intervals_per_point: u32,
}

/// One point of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesPoint {
    /// The start of its period.
    pub at: Timestamp,
    /// What happened in its period.
    pub counts: Counts,
}

impl Store {
    /// The points of a series, oldest first, with those in which nothing happened.
    pub async fn series(&self, filter: &SeriesFilter) -> Result<Vec<SeriesPoint>, StoreError> {
        let step = filter.resolution.step_ms();
        let per_point = step.saturating_mul(i64::from(filter.intervals_per_point.max(1)));
        let first = filter.resolution.start_of(filter.since.ms());
        let starts: Vec<i64> = (first..filter.until.ms()).step_by(per_point as usize).collect();
        let point =
            |at: &i64| SeriesPoint { at: Timestamp::from_ms(*at), counts: Counts::default() };
        let mut points: Vec<SeriesPoint> = starts.iter().map(point).collect();
        let fields = self.series_fields(filter).await?;
        if fields.is_empty() {
            return Ok(points);
        }
        let intervals: Vec<i64> = (first..filter.until.ms()).step_by(step as usize).collect();
        for intervals in intervals.chunks(READ_AT_ONCE) {
            let mut pipe = redis::pipe();
            for at in intervals {
                let key = self.keys.series(filter.resolution.as_str(), *at);
                pipe.cmd("HMGET").arg(key).arg(&fields);
            }
            let read: Vec<Vec<Option<String>>> =
                pipe.query_async(&mut self.connection.clone()).await?;
            for (at, texts) in intervals.iter().zip(read) {
                let counts = texts.into_iter().flatten().filter_map(|text| text.parse().ok());
                let Some(point) = points.get_mut(((at - first) / per_point) as usize) else {
                    continue;
                };
                counts.for_each(|counts: Counts| point.counts.add(&counts));
            }
        }
        Ok(points)
    }

    /// The fields of the series that match. Series without a number of their own match only a
    /// filter that names nothing.
    async fn series_fields(&self, filter: &SeriesFilter) -> Result<Vec<String>, StoreError> {
        if filter.action.is_none() && filter.class.is_none() {
            return Ok(vec![ALL.to_owned()]);
        }
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.series_numbers());
        let numbers: HashMap<String, String> =
            command.query_async(&mut self.connection.clone()).await?;
        let matches = |name: &str| {
            let (action, class) = name.split_once(' ').unwrap_or((name, ""));
            filter.action.as_ref().is_none_or(|wanted| wanted.as_str() == action)
                && filter.class.as_ref().is_none_or(|wanted| wanted.as_str() == class)
        };
        let found = numbers.into_iter().filter(|(name, _)| matches(name));
        Ok(found.map(|(_, number)| number).collect())
    }
}
