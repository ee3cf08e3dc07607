//! The charts of the overview: starts, failures and waits of the last hours or days.

use std::time::Duration;

use domain::job::Timestamp;
use domain::series::{Counts, Resolution};
use store::{SeriesFilter, SeriesPoint, Store};

use crate::error::Error;
use crate::web::chart::{Chart, Subject, Values, chart};
use crate::web::format::{number, span};

/// A period that the charts can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// Its name in the URL.
    name: &'static str,
    words: &'static str,
    resolution: Resolution,
    intervals_per_point: u32,
    points: u32,
}

const RANGES: [Range; 4] = [
    Range::new("1h", "last hour", (Resolution::Minute, 1), 60),
    Range::new("6h", "last 6 hours", (Resolution::Minute, 5), 72),
    Range::new("24h", "last 24 hours", (Resolution::Minute, 15), 96),
    Range::new("7d", "last 7 days", (Resolution::Hour, 1), 168),
];

const RATE: Subject = Subject {
    id: "chart-rate",
    title: "Starts and failures per minute",
    unit: "per minute",
    label: rate,
};
const WAIT: Subject = Subject {
    id: "chart-wait",
    title: "Wait before the start",
    unit: "ms",
    label: |ms| span(ms as i64),
};

/// The charts of a period.
pub(super) struct Charts {
    /// The periods: the name of each, and whether it is shown.
    pub(super) ranges: [(&'static str, bool); 4],
    /// The period in words.
    pub(super) period: &'static str,
    /// How many jobs started in the period.
    pub(super) started: String,
    /// How many failed.
    pub(super) failed: String,
    /// How long half of them waited at most; `None` if none started.
    pub(super) wait_p50: Option<String>,
    /// How long 95 % of them waited at most.
    pub(super) wait_p95: Option<String>,
    /// The charts.
    pub(super) charts: [Chart; 2],
    /// The same numbers, for a table.
    pub(super) rows: Vec<Numbers>,
}

/// The numbers of one point, in words.
pub(super) struct Numbers {
    /// The start of the point.
    pub(super) at: String,
    /// How many jobs started.
    pub(super) started: String,
    /// How many failed.
    pub(super) failed: String,
    /// How long half of them waited at most; empty if none started.
    pub(super) wait_p50: String,
    /// How long 95 % of them waited at most.
    pub(super) wait_p95: String,
}

impl Range {
    const fn new(
        name: &'static str,
        words: &'static str,
        (resolution, intervals_per_point): (Resolution, u32),
        points: u32,
    ) -> Range {
        Range { name, words, resolution, intervals_per_point, points }
    }

    /// Finds the period with this name; an hour without one.
    pub(super) fn named(name: Option<&str>) -> Result<Range, Error> {
        let name = name.unwrap_or("1h");
        let found = RANGES.into_iter().find(|range| range.name == name);
        found.ok_or_else(|| Error::invalid("range", "it must be 1h, 6h, 24h or 7d"))
    }

    /// The path of the page that shows this period.
    pub(super) fn path(self) -> String {
        if self.name == "1h" { "/".to_owned() } else { format!("/?range={}", self.name) }
    }

    fn step_ms(self) -> i64 {
        self.resolution.step_ms() * i64::from(self.intervals_per_point)
    }
}

/// Reads the series of a period and draws them. The point that is not complete yet is left out.
pub(super) async fn charts(store: &Store, range: Range, now: Timestamp) -> Result<Charts, Error> {
    let until = now.ms() - now.ms().rem_euclid(range.step_ms());
    let filter = SeriesFilter {
        action: None,
        class: None,
        since: Timestamp::from_ms(until - range.step_ms() * i64::from(range.points)),
        until: Timestamp::from_ms(until),
        resolution: range.resolution,
        intervals_per_point: range.intervals_per_point,
    };
    Ok(drawn(&store.series(&filter).await?, range))
}

fn drawn(points: &[SeriesPoint], range: Range) -> Charts {
    let minutes = range.step_ms() as f64 / 60_000.0;
    let rates = |of: fn(&Counts) -> u64| -> Vec<Option<f64>> {
        points.iter().map(|point| Some(of(&point.counts) as f64 / minutes)).collect()
    };
    let waits = |share: f64| -> Vec<Option<f64>> {
        let ms = |wait: Duration| wait.as_millis() as f64;
        points.iter().map(|point| point.counts.wait.percentile(share).map(ms)).collect()
    };
    let (started, failed) = (rates(|counts| counts.started), rates(|counts| counts.failed));
    let (half, most) = (waits(0.5), waits(0.95));
    let times: Vec<(i64, String)> =
        points.iter().map(|point| (point.at.ms(), clock(point.at, range))).collect();
    let line = |name, class, values| Values { name, class, values };
    let rate = [line("started", "line-a", &*started), line("failed", "line-b", &*failed)];
    let wait = [line("p50", "line-a", &*half), line("p95", "line-c", &*most)];
    let mut sum = Counts::default();
    points.iter().for_each(|point| sum.add(&point.counts));
    let percentile = |counts: &Counts, share| counts.wait.percentile(share).map(written);
    Charts {
        ranges: RANGES.map(|one| (one.name, one == range)),
        period: range.words,
        started: number(sum.started),
        failed: number(sum.failed),
        wait_p50: percentile(&sum, 0.5),
        wait_p95: percentile(&sum, 0.95),
        charts: [chart(&RATE, &times, &rate), chart(&WAIT, &times, &wait)],
        rows: points
            .iter()
            .rev()
            .map(|point| Numbers {
                at: clock(point.at, range),
                started: number(point.counts.started),
                failed: number(point.counts.failed),
                wait_p50: percentile(&point.counts, 0.5).unwrap_or_default(),
                wait_p95: percentile(&point.counts, 0.95).unwrap_or_default(),
            })
            .collect(),
    }
}

fn written(duration: Duration) -> String {
    span(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

/// A number of the axis: a rate may be less than one a minute.
fn rate(value: f64) -> String {
    if value.fract() == 0.0 { number(value as u64) } else { format!("{value}") }
}

/// The time of a point in UTC: for days, with the date.
fn clock(at: Timestamp, range: Range) -> String {
    let text = at.to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let time = time.get(..5).unwrap_or_default();
    match range.resolution {
        Resolution::Minute => time.to_owned(),
        Resolution::Hour => format!("{} {time}", date.get(5..).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_a_name() {
        for range in RANGES {
            assert_eq!(Range::named(Some(range.name)).ok(), Some(range));
        }
        assert_eq!(Range::named(None).map(Range::path).ok(), Some("/".to_owned()));
        assert_eq!(Range::named(Some("7d")).map(Range::path).ok(), Some("/?range=7d".to_owned()));
        assert!(Range::named(Some("2h")).is_err());
    }

    #[test]
    fn the_numbers_of_a_period_are_added_up_and_drawn() {
        let mut counts = Counts { started: 30, failed: 5, ..Counts::default() };
        counts.wait.record(1_000);
        let at = |text: &str| text.parse().unwrap();
        let points = [
            SeriesPoint { at: at("2026-11-20T16:05:00Z"), counts: counts.clone() },
            SeriesPoint { at: at("2026-11-20T16:10:00Z"), counts: Counts::default() },
        ];
        let charts = drawn(&points, RANGES[1]);
        assert_eq!((charts.started.as_str(), charts.failed.as_str()), ("30", "5"));
        assert!(charts.wait_p50.is_some() && charts.wait_p95.is_some());
        assert!(charts.charts[0].data.contains(r#""values":[[6.0,0.0],[1.0,0.0]]"#));
        let row = &charts.rows[1];
        assert_eq!((row.at.as_str(), row.started.as_str()), ("16:05", "30"));
        assert_eq!(charts.rows[0].wait_p50, "");
        assert_eq!(clock(points[0].at, RANGES[3]), "11-20 16:05");
    }
}
