//! Changes single fields of a cron.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::bounds;
use domain::capacity::{CapacityMap, Class};
use domain::cron::{CronSpec, Misfire, Overlap, Schedule, TimeZone};
use domain::job::{ActionName, GoDuration, Priority};
use domain::lock::LockTemplates;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::BODY_BYTES;
use super::cron::Cron;
use crate::app::App;
use crate::deadline::in_time;
use crate::error::{Error, at_field};
use crate::v0::wire::body;
use crate::v0::wire::fields;
use crate::v0::wire::path::CronPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, NoCron, StoreUnavailable, TooLarge, WrongType,
};
use crate::v0::wire::schemas;

/// Changes to a cron. Fields that are absent or `null` keep their value. Unknown fields are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"schedule": "0 30 2 * * *", "overlap": "skip"}))]
pub(in crate::v0) struct CronChange {
    /// The action that its jobs run.
    #[schema(value_type = Option<schemas::Action>)]
    action: Option<ActionName>,
    /// The cron expression.
    #[schema(value_type = Option<schemas::CronSchedule>)]
    schedule: Option<Schedule>,
    /// The IANA name of the time zone of the schedule.
    #[schema(value_type = Option<schemas::TimeZone>)]
    time_zone: Option<TimeZone>,
    /// What happens to ticks that were missed because no scheduler was running.
    #[schema(value_type = Option<schemas::Misfire>)]
    misfire: Option<Misfire>,
    /// What happens at a tick while an earlier job of the cron has not finished.
    #[schema(value_type = Option<schemas::Overlap>)]
    overlap: Option<Overlap>,
    /// The maximum random delay after a tick until its job is due. Empty means none.
    #[schema(value_type = Option<schemas::Duration>)]
    jitter: Option<GoDuration>,
    /// The number of retries of a job that fails.
    #[schema(maximum = 100)]
    retries: Option<u32>,
    /// The capacity units that a job needs.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// The parameters of the action. They replace all parameters.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// The time from the start of a job to SIGTERM, like `15m`. Empty means none.
    #[schema(value_type = Option<schemas::Duration>)]
    deadline: Option<GoDuration>,
    /// The time from SIGTERM to SIGKILL. Empty means the default of the worker.
    #[schema(value_type = Option<schemas::Duration>)]
    stop_timeout: Option<GoDuration>,
    /// The priority of its jobs: `high`, `normal` or `low`.
    #[schema(value_type = Option<schemas::Priority>)]
    priority: Option<Priority>,
    /// The locks that its jobs hold while they run. They replace all locks. `{{hostname}}` in a
    /// name is replaced by the parameter `hostname` when the cron is changed.
    #[schema(value_type = Option<schemas::LockTemplates>)]
    locks: Option<LockTemplates>,
    /// The rate limits under which its jobs start. They replace all rate limits.
    #[schema(value_type = Option<schemas::LockTemplates>)]
    rates: Option<LockTemplates>,
    /// Whether the cron is paused.
    paused: Option<bool>,
}

/// Changes single fields of a cron. The others stay unchanged.
///
/// Schedulers apply the file that declares a cron again when they start, so change such a cron
/// there.
#[utoipa::path(
    patch, path = "/crons/{name}", operation_id = "ChangeCron", tag = "crons",
    params(CronPath),
    request_body(content = CronChange, description = "At most 1 MiB."),
    responses(
        (status = 202, body = Cron, description = "The changed cron."),
        BadQuery, BadBody, NoCron, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn change(
    State(app): State<Arc<App>>,
    CronPath(name): CronPath,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Cron>), Refusal> {
    let change: CronChange = body::read(request, BODY_BYTES).await?;
    let change = change.validate()?;
    let changing = async {
        let apply = |spec| change.apply(spec);
        let changed = app.store.change_cron(&name, change.paused, apply).await?;
        changed.ok_or_else(|| Error::NoSuchCron(name.to_string()))
    };
    Ok((StatusCode::ACCEPTED, Json(in_time(changing).await?.into())))
}

impl CronChange {
    /// Validates the fields that can be validated without the cron.
    fn validate(self) -> Result<CronChange, Error> {
        let retries = at_field("retries", bounds::retries(self.retries))?;
        let parameters = self.parameters.map(bounds::parameters).transpose();
        let parameters = at_field("parameters", parameters)?;
        Class::of(self.capacity_map.as_ref()).map_err(|why| Error::invalid("capacityMap", why))?;
        Ok(CronChange { retries, parameters, ..self })
    }

    fn apply(&self, spec: CronSpec) -> Result<CronSpec, Error> {
        let parameters = self.parameters.clone().or(spec.parameters);
        let mut locks = match &self.locks {
            Some(templates) => fields::locks(Some(templates.clone()), parameters.as_ref())?,
            None => spec.locks.clone().without_rates(),
        };
        locks.extend(match &self.rates {
            Some(templates) => fields::rates(Some(templates.clone()), parameters.as_ref())?,
            None => spec.locks.only_rates(),
        });
        Ok(CronSpec {
            action: self.action.clone().unwrap_or(spec.action),
            schedule: self.schedule.clone().unwrap_or(spec.schedule),
            time_zone: self.time_zone.unwrap_or(spec.time_zone),
            misfire: self.misfire.unwrap_or(spec.misfire),
            overlap: self.overlap.unwrap_or(spec.overlap),
            jitter: self.jitter.clone().unwrap_or(spec.jitter),
            retries: self.retries.or(spec.retries),
            capacity_map: self.capacity_map.clone().or(spec.capacity_map),
            locks,
            parameters,
            deadline: self.deadline.clone().unwrap_or(spec.deadline),
            stop_timeout: self.stop_timeout.clone().unwrap_or(spec.stop_timeout),
            priority: self.priority.unwrap_or(spec.priority),
        })
    }
}
