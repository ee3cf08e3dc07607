//! Time series: how many jobs started and ended, and how long they waited and ran.

mod query;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use domain::job::Timestamp;
use domain::series::Durations;
use serde::Serialize;
use store::SeriesPoint;
use utoipa::ToSchema;

use crate::app::App;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{BadQuery, StoreUnavailable};
use query::Metric;

/// The points of a time series, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "points": [
        {"at": "2026-11-20T16:54:00Z", "count": 212, "p50Ms": 12, "p95Ms": 240, "p99Ms": 1830},
        {"at": "2026-11-20T16:55:00Z", "count": 0, "p50Ms": null, "p95Ms": null, "p99Ms": null},
    ],
}))]
pub(in crate::v0) struct Series {
    /// The points. A period in which nothing happened has one too.
    points: Vec<Point>,
}

/// What happened in a period.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SeriesPoint)]
struct Point {
    /// The start of the period, a multiple of the step.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The number of jobs that started, ended as `done` or failed; of waits or runs that ended.
    count: u64,
    /// The duration in milliseconds that half of the waits or runs did not exceed, estimated from a
    /// histogram. `null` for the other metrics, and without a wait or run.
    #[serde(rename = "p50Ms")]
    p50_ms: Option<u64>,
    /// The same for 95 %.
    #[serde(rename = "p95Ms")]
    p95_ms: Option<u64>,
    /// The same for 99 %.
    #[serde(rename = "p99Ms")]
    p99_ms: Option<u64>,
}

/// Returns a time series: how many jobs started, succeeded or failed, or how long they waited or
/// ran.
///
/// Minutes are kept for 72 hours and hours for 90 days. The last point is incomplete. The busiest
/// 50 pairs of action and class have series of their own; without a filter, all jobs are counted.
#[utoipa::path(
    get, path = "/metrics/series", operation_id = "GetSeries", tag = "meta",
    params(
        ("metric" = String, Query, pattern = "^(started|done|failed|wait|run)$", example = "wait",
            description = "What the series shows: runs that `started`, jobs that ended as `done` \
                or `failed` (`error` and `worker_dead`), the `wait` of jobs from when they were \
                due until they started, or how long each `run` took."),
        ("action" = Option<String>, Query, pattern = "^[A-Za-z0-9_.-]{0,64}$", example = "any",
            description = "Only jobs of this action. `any` selects all actions."),
        ("class" = Option<String>, Query, example = "cpu=1",
            description = "Only jobs of this class."),
        ("since" = Option<String>, Query, example = "6h",
            description = "The start: a time (RFC 3339), or how long ago. An hour ago if not \
                given."),
        ("until" = Option<String>, Query, example = "1h",
            description = "The end, in the same way. Now if not given."),
        ("step" = Option<String>, Query, example = "5m",
            description = "The length of the period of a point: whole minutes; for a start more \
                than 72 hours ago, whole hours. A minute if not given."),
    ),
    responses(
        (status = 200, body = Series, description = "The points."), BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Json<Series>, Refusal> {
    let (metric, filter) = query::read(raw.as_deref(), app.store.now().await?)?;
    let points = app.store.series(&filter).await?;
    Ok(Json(Series { points: points.iter().map(|point| Point::of(metric, point)).collect() }))
}

impl Point {
    fn of(metric: Metric, point: &SeriesPoint) -> Point {
        let SeriesPoint { at, counts } = point;
        let only = |count| Point { at: *at, count, p50_ms: None, p95_ms: None, p99_ms: None };
        match metric {
            Metric::Started => only(counts.started),
            Metric::Done => only(counts.done),
            Metric::Failed => only(counts.failed),
            Metric::Wait => Point::of_durations(*at, &counts.wait),
            Metric::Run => Point::of_durations(*at, &counts.run),
        }
    }

    fn of_durations(at: Timestamp, durations: &Durations) -> Point {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let percentile = |share| durations.percentile(share).map(ms);
        Point {
            at,
            count: durations.count(),
            p50_ms: percentile(0.5),
            p95_ms: percentile(0.95),
            p99_ms: percentile(0.99),
        }
    }
}
