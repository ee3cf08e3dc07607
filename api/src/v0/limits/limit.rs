//! The JSON of rate limits: the object that is returned, and the body that sets one.

use domain::cron::TimeZone;
use domain::job::{GoDuration, Timestamp};
use domain::limit::{LimitName, RateLimit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::commands::limit::LimitFields;
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

impl From<SetLimit> for LimitFields {
    fn from(set: SetLimit) -> LimitFields {
        let SetLimit { name, rate, per, burst, quota, window, time_zone } = set;
        LimitFields { name, rate, per, burst, quota, window, time_zone }
    }
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
