//! The query of a time series, and which intervals of the store answer it.

use std::str::FromStr;
use std::time::Duration;

use domain::capacity::Class;
use domain::job::{GoDuration, Timestamp};
use domain::series::Resolution;
use store::SeriesFilter;

use crate::error::Error;
use crate::query::{Query, moment};

const PARAMETERS: [&str; 6] = ["metric", "action", "class", "since", "until", "step"];
/// The most points of an answer.
const MAX_POINTS: i64 = 1_500;
const DEFAULT_PERIOD_MS: i64 = 60 * 60_000;

/// What a series shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    /// Runs that started.
    Started,
    /// Jobs that ended as `done`.
    Done,
    /// Jobs that ended as `error` or `worker_dead`.
    Failed,
    /// How long jobs waited from when they were due until they started.
    Wait,
    /// How long runs took.
    Run,
}

impl FromStr for Metric {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Metric, &'static str> {
        match text {
            "started" => Ok(Metric::Started),
            "done" => Ok(Metric::Done),
            "failed" => Ok(Metric::Failed),
            "wait" => Ok(Metric::Wait),
            "run" => Ok(Metric::Run),
            _ => Err("it must be started, done, failed, wait or run"),
        }
    }
}

/// Reads the query.
pub(super) fn read(raw: Option<&str>, now: Timestamp) -> Result<(Metric, SeriesFilter), Error> {
    let query = Query::read(raw, &PARAMETERS)?;
    let metric = query.value("metric")?;
    let metric = metric.ok_or_else(|| Error::invalid("metric", "it is required"))?;
    let class = query.text("class").map(|text| Class::try_from(text.to_owned())).transpose();
    let until = moment(&query, "until", now)?.unwrap_or(now).min(now);
    let since = moment(&query, "since", now)?;
    let since = since.unwrap_or(Timestamp::from_ms(until.ms() - DEFAULT_PERIOD_MS));
    if since > until {
        return Err(Error::invalid("since", "it must not be later than until"));
    }
    let step_ms = step_ms(&query)?;
    let resolution = if step_ms % Resolution::Hour.step_ms() == 0 {
        Resolution::Hour
    } else {
        Resolution::Minute
    };
    let since_ms = since.ms() - since.ms().rem_euclid(step_ms);
    let kept_ms = resolution.kept().as_millis() as i64;
    if since_ms < now.ms() - kept_ms - step_ms {
        return Err(Error::invalid("since", too_early(resolution)));
    }
    if (until.ms() - since_ms) / step_ms >= MAX_POINTS {
        let why = format!("the answer would have more than {MAX_POINTS} points: use a longer step");
        return Err(Error::invalid("step", why));
    }
    let filter = SeriesFilter {
        action: query.value_unless_any("action")?,
        class: class.map_err(|error| Error::invalid("class", error))?,
        since: Timestamp::from_ms(since_ms),
        until,
        resolution,
        intervals_per_point: u32::try_from(step_ms / resolution.step_ms()).unwrap_or(u32::MAX),
    };
    Ok((metric, filter))
}

fn step_ms(query: &Query) -> Result<i64, Error> {
    let minute = Resolution::Minute.step_ms();
    let Some(step) = query.value::<GoDuration>("step")? else { return Ok(minute) };
    let step = step.duration().unwrap_or_default();
    let whole = |step: &Duration| {
        step.as_millis() > 0 && step.as_millis().is_multiple_of(minute.unsigned_abs().into())
    };
    let is_valid = whole(&step) && step <= Resolution::Hour.kept();
    let ms = i64::try_from(step.as_millis()).ok().filter(|_| is_valid);
    ms.ok_or_else(|| {
        Error::invalid("step", "it must be whole minutes, at most 2160h, such as 60s or 1h")
    })
}

fn too_early(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Minute => {
            "minutes are kept for 72 hours; for an earlier time, use a step of whole hours"
        }
        Resolution::Hour => "hours are kept for 90 days",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_query_selects_the_intervals_that_answer_it() {
        let now: Timestamp = "2026-11-20T16:54:34.717Z".parse().unwrap();
        let queries = [
            "metric=started",
            "metric=wait&action=gc&class=cpu%3D1&since=10m",
            "metric=run&since=24h&step=5m",
            "metric=run&since=24h&step=1h&until=1h",
            "metric=done&since=2160h&step=24h",
            "metric=done&until=2030-01-01T00:00:00Z",
            "",
            "metric=starts",
            "metric=done&step=90s",
            "metric=done&step=0s",
            "metric=done&step=",
            "metric=done&step=x",
            "metric=done&since=2h&until=3h",
            "metric=done&since=tomorrow",
            "metric=done&since=96h",
            "metric=done&since=9600h&step=1h",
            "metric=done&since=48h",
            "metric=done&class=cpu",
            "metric=done&step=99999999h",
            "metric=done&stop=1",
        ];
        let read = |raw: &str| match read(Some(raw), now) {
            Err(error) => format!("{error}\n"),
            Ok((metric, filter)) => format!(
                "{metric:?} {} to {} by {} {:?} action {:?} class {:?}\n",
                filter.since,
                filter.until,
                filter.intervals_per_point,
                filter.resolution,
                filter.action.map(String::from),
                filter.class.map(String::from),
            ),
        };
        expect![[r#"
            Started 2026-11-20T15:54:00Z to 2026-11-20T16:54:34.717Z by 1 Minute action None class None
            Wait 2026-11-20T16:44:00Z to 2026-11-20T16:54:34.717Z by 1 Minute action Some("gc") class Some("cpu=1")
            Run 2026-11-19T16:50:00Z to 2026-11-20T16:54:34.717Z by 5 Minute action None class None
            Run 2026-11-19T16:00:00Z to 2026-11-20T15:54:34.717Z by 1 Hour action None class None
            Done 2026-08-22T00:00:00Z to 2026-11-20T16:54:34.717Z by 24 Hour action None class None
            Done 2026-11-20T15:54:00Z to 2026-11-20T16:54:34.717Z by 1 Minute action None class None
            metric: it is required
            metric: it must be started, done, failed, wait or run
            step: it must be whole minutes, at most 2160h, such as 60s or 1h
            step: it must be whole minutes, at most 2160h, such as 60s or 1h
            Done 2026-11-20T15:54:00Z to 2026-11-20T16:54:34.717Z by 1 Minute action None class None
            step: "x" is not a valid duration: write it like 90s, 15m or 1h30m, up to 8760h
            since: it must not be later than until
            since: "tomorrow" is not a valid time: it must be RFC 3339, like 2026-11-20T16:30:00Z, or how long ago, like 90m
            since: minutes are kept for 72 hours; for an earlier time, use a step of whole hours
            since: "9600h" is not a valid time: it must be RFC 3339, like 2026-11-20T16:30:00Z, or how long ago, like 90m
            step: the answer would have more than 1500 points: use a longer step
            class: "cpu" is not of the form type=units
            step: "99999999h" is not a valid duration: write it like 90s, 15m or 1h30m, up to 8760h
            stop: unknown query parameter; did you mean step? expected one of: metric, action, class, since, until, step
        "#]].assert_eq(&queries.map(read).concat());
    }
}
