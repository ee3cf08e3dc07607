//! The JSON of rate limits: the object that is returned, and the body that sets one.

use domain::cron::TimeZone;
use domain::job::{GoDuration, Timestamp};
use domain::limit::{CalendarQuota, LimitName, RateLimit, Window};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::v0::wire::schemas;

/// How many jobs may start in a time: either `rate`, `per` and `burst`, or `quota`, `window` and
/// `timeZone`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "mail", "rate": 100, "per": "1m", "burst": 20, "quota": null, "window": null,
    "timeZone": null,
}))]
pub(in crate::v0) struct SetLimit {
    /// The key that jobs name in `rates`, or the first part of such keys and a star: `mail-*` limits
    /// every key that begins with `mail-` and has no limit with a longer name. Each key is limited
    /// separately.
    #[schema(value_type = schemas::LimitName, required, nullable = false)]
    name: Option<String>,
    /// The number of starts in the time `per`, evenly spaced.
    #[schema(minimum = 1, maximum = 1_000_000)]
    rate: Option<i64>,
    /// The time in which as many jobs may start, from `1s` to `8784h`.
    #[schema(value_type = Option<schemas::Duration>)]
    per: Option<GoDuration>,
    /// The number of jobs that may start at once after a time without starts. Defaults to 1: the
    /// starts are evenly spaced.
    #[schema(minimum = 1, maximum = 1_000_000)]
    burst: Option<i64>,
    /// The number of starts in each window of the calendar.
    #[schema(minimum = 1, maximum = 1_000_000)]
    quota: Option<i64>,
    /// The window: `minute`, `hour`, `day`, `week`, which begins on Monday, or `month`.
    #[schema(value_type = Option<schemas::CalendarWindow>)]
    window: Option<String>,
    /// The time zone in which windows begin and end. Defaults to UTC.
    #[schema(value_type = Option<schemas::TimeZone>)]
    time_zone: Option<String>,
}

/// A rate limit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "name": "mail", "rate": 100, "per": "1m", "burst": 20, "quota": null, "window": null,
    "timeZone": null, "level": 20, "nextAt": "2026-11-20T16:54:34.719Z", "waiting": 7,
}))]
pub(in crate::v0) struct Limit {
    /// The key that is limited, or the first part of such keys and a star.
    #[schema(value_type = schemas::LimitName)]
    name: LimitName,
    /// The number of starts in the time `per`. `null` for a limit with a quota.
    rate: Option<u32>,
    /// The time in which as many jobs may start. `null` for a limit with a quota.
    #[schema(value_type = Option<schemas::Duration>)]
    per: Option<String>,
    /// The number of jobs that may start at once. `null` for a limit with a quota.
    burst: Option<u32>,
    /// The number of starts in each window. `null` for a limit with a rate.
    quota: Option<u32>,
    /// The window. `null` for a limit with a rate.
    #[schema(value_type = Option<schemas::CalendarWindow>)]
    window: Option<&'static str>,
    /// The time zone in which windows begin and end. `null` for a limit with a rate.
    #[schema(value_type = Option<schemas::TimeZone>)]
    time_zone: Option<TimeZone>,
    /// How much of the burst or the quota is used up. `null` for a name with a star, which has many
    /// keys.
    level: Option<u32>,
    /// The time at which the next job may start; in the past if it may start now. `null` for a name
    /// with a star.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// The number of jobs that wait for it. `null` for a name with a star.
    waiting: Option<u64>,
}

/// A list of rate limits, ordered by name.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct LimitList {
    pub(in crate::v0) limits: Vec<Limit>,
}

impl SetLimit {
    /// Validates every field.
    pub(in crate::v0) fn validate(self) -> Result<(LimitName, RateLimit), Error> {
        let name = self.name.as_deref().ok_or_else(|| required("name"))?;
        let name = name.parse().map_err(|error| Error::invalid("name", error))?;
        let (spaced, calendar) = (self.spaced(), self.calendar());
        match (spaced, calendar) {
            (Some(field), Some(_)) => {
                let why = "it cannot be combined with quota, window or timeZone";
                Err(Error::invalid(field, why))
            }
            (None, Some(_)) => Ok((name, self.calendar_limit()?)),
            (Some(_), None) => Ok((name, self.spaced_limit()?)),
            (None, None) => Err(Error::invalid("rate", "it is required, or a quota")),
        }
    }

    /// The first field that is given of a limit to a rate.
    fn spaced(&self) -> Option<&'static str> {
        let rate = self.rate.map(|_| "rate");
        let per = self.per.as_ref().and_then(GoDuration::duration).map(|_| "per");
        rate.or(per).or(self.burst.map(|_| "burst"))
    }

    /// The first field that is given of a limit by the calendar.
    fn calendar(&self) -> Option<&'static str> {
        let quota = self.quota.map(|_| "quota");
        let window = self.window.as_ref().map(|_| "window");
        quota.or(window).or(self.time_zone.as_ref().map(|_| "timeZone"))
    }

    fn spaced_limit(&self) -> Result<RateLimit, Error> {
        let rate = self.rate.ok_or_else(|| required("rate"))?;
        let per = self.per.as_ref().and_then(GoDuration::duration);
        let per = per.ok_or_else(|| required("per"))?;
        let limit = RateLimit::new(rate, per, self.burst.unwrap_or(1));
        limit.map_err(|(field, error)| Error::invalid(field, error))
    }

    fn calendar_limit(&self) -> Result<RateLimit, Error> {
        let quota = self.quota.ok_or_else(|| required("quota"))?;
        let window: &str = self.window.as_ref().ok_or_else(|| required("window"))?;
        let window: Window = window.parse().map_err(|error| Error::invalid("window", error))?;
        let zone = self.time_zone.as_deref().unwrap_or_default();
        let zone = zone.parse().map_err(|error| Error::invalid("timeZone", error))?;
        let calendar = CalendarQuota::new(quota, window, zone);
        Ok(RateLimit::Calendar(calendar.map_err(|error| Error::invalid("quota", error))?))
    }
}

fn required(field: &str) -> Error {
    Error::invalid(field, "it is required")
}

impl From<store::Limit> for Limit {
    fn from(store::Limit { name, limit, state }: store::Limit) -> Limit {
        let (spaced, calendar) = match limit {
            RateLimit::Spaced(spaced) => (Some(spaced), None),
            RateLimit::Calendar(calendar) => (None, Some(calendar)),
        };
        Limit {
            name,
            rate: spaced.map(|spaced| spaced.rate),
            per: spaced.map(|spaced| spaced.per_text()),
            burst: spaced.map(|spaced| spaced.burst),
            quota: calendar.map(|calendar| calendar.quota),
            window: calendar.map(|calendar| calendar.window.as_str()),
            time_zone: calendar.map(|calendar| calendar.zone),
            level: state.map(|state| state.used),
            next_at: state.map(|state| state.next_at),
            waiting: state.map(|state| state.waiting),
        }
    }
}
