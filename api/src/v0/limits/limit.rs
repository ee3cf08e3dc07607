//! The JSON of rate limits: the object that is returned, and the body that sets one.

use domain::job::{GoDuration, Timestamp};
use domain::limit::{LimitName, RateLimit};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::v0::wire::schemas;

/// How many jobs may start in a time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "mail", "rate": 100, "per": "1m", "burst": 20}))]
pub(in crate::v0) struct SetLimit {
    /// The key that jobs name in `rates`, or the first part of such keys and a star: `mail-*` limits
    /// every key that begins with `mail-` and has no limit with a longer name. Each key is limited
    /// separately.
    #[schema(value_type = schemas::LimitName, required, nullable = false)]
    name: Option<String>,
    /// The number of starts.
    #[schema(required, nullable = false, minimum = 1, maximum = 1_000_000)]
    rate: Option<i64>,
    /// The time in which as many jobs may start, from `1s` to `8784h`.
    #[schema(value_type = schemas::Duration, required, nullable = false)]
    per: Option<GoDuration>,
    /// The number of jobs that may start at once after a time without starts. Defaults to 1: the
    /// starts are evenly spaced.
    #[schema(minimum = 1, maximum = 1_000_000)]
    burst: Option<i64>,
}

/// A rate limit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "name": "mail", "rate": 100, "per": "1m0s", "burst": 20, "level": 20,
    "nextAt": "2026-11-20T16:54:34.719Z", "waiting": 7,
}))]
pub(in crate::v0) struct Limit {
    /// The key that is limited, or the first part of such keys and a star.
    #[schema(value_type = schemas::LimitName)]
    name: LimitName,
    /// The number of starts.
    rate: u32,
    /// The time in which as many jobs may start.
    #[schema(value_type = schemas::Duration)]
    per: String,
    /// The number of jobs that may start at once.
    burst: u32,
    /// How much of the burst is used up. `null` for a name with a star, which has many keys.
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
        let required = |field: &str| Error::invalid(field, "it is required");
        let name = self.name.ok_or_else(|| required("name"))?;
        let name = name.parse().map_err(|error| Error::invalid("name", error))?;
        let rate = self.rate.ok_or_else(|| required("rate"))?;
        let per = self.per.as_ref().and_then(GoDuration::duration);
        let per = per.ok_or_else(|| required("per"))?;
        let limit = RateLimit::new(rate, per, self.burst.unwrap_or(1));
        Ok((name, limit.map_err(|(field, error)| Error::invalid(field, error))?))
    }
}

impl From<store::Limit> for Limit {
    fn from(store::Limit { name, limit, state }: store::Limit) -> Limit {
        Limit {
            name,
            rate: limit.rate,
            per: limit.per_text(),
            burst: limit.burst,
            level: state.map(|state| state.used),
            next_at: state.map(|state| state.next_at),
            waiting: state.map(|state| state.waiting),
        }
    }
}
