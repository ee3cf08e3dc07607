//! Operations on a rate limit: check its fields, set it, delete it.

use domain::job::GoDuration;
use domain::limit::{CalendarQuota, LimitName, RateLimit, Window};
use store::SetLimitAnswer;

use crate::app::App;
use crate::error::Error;

/// The fields of a rate limit: either `rate`, `per` and `burst`, or `quota`, `window` and
/// `timeZone`.
#[derive(Debug, Default)]
pub(crate) struct LimitFields {
    /// The key that is limited, or the first part of such keys and a star.
    pub(crate) name: Option<String>,
    /// The number of starts in the time `per`.
    pub(crate) rate: Option<i64>,
    /// The time.
    pub(crate) per: Option<GoDuration>,
    /// The number of starts at once.
    pub(crate) burst: Option<i64>,
    /// The number of starts in each window of the calendar.
    pub(crate) quota: Option<i64>,
    /// The window.
    pub(crate) window: Option<String>,
    /// Where windows begin and end.
    pub(crate) time_zone: Option<String>,
}

impl LimitFields {
    /// Validates every field.
    pub(crate) fn validate(self) -> Result<(LimitName, RateLimit), Error> {
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

/// Sets a rate limit. It applies at once, also to jobs that wait for it.
pub(crate) async fn set(app: &App, name: &LimitName, limit: RateLimit) -> Result<(), Error> {
    match app.store.set_limit(name, limit).await? {
        SetLimitAnswer::Set => Ok(()),
        SetLimitAnswer::TooMany => Err(Error::TooManyLimits),
    }
}

/// Deletes a rate limit. Jobs that wait for it become ready.
pub(crate) async fn delete(app: &App, name: &LimitName) -> Result<(), Error> {
    let existed = app.store.delete_limit(name).await?;
    if existed { Ok(()) } else { Err(Error::NoSuchLimit(name.to_string())) }
}
