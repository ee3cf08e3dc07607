//! The JSON of crons: the body that sets one, and the object that is returned.

use std::collections::BTreeMap;

use domain::bounds;
use domain::capacity::{CapacityMap, Class};
use domain::cron::{CronName, CronSpec, Misfire, Overlap, Schedule, TimeZone};
use domain::job::{ActionName, GoDuration, JobId, Priority, Timestamp};
use domain::lock::{LockTemplates, Locks};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{self, SetCron};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::{Error, at_field};
use crate::redaction::shown_parameters;
use crate::v0::wire::fields;
use crate::v0::wire::schemas;

/// A cron to create or replace. Only `action` and `schedule` are required. Unknown fields are
/// refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "name": "gc", "action": "gc", "schedule": "0 0 1 * * 6", "timeZone": "UTC", "retries": 2,
    "capacityMap": {}, "parameters": {}, "deadline": "15m", "stopTimeout": "30s",
    "misfire": "once", "overlap": "skip", "jitter": "", "priority": "normal", "paused": false,
    "locks": ["devices"], "rates": {"mail": 1},
}))]
pub(in crate::v0) struct CronCreate {
    /// The name of the cron: 1 to 64 characters of A-Z a-z 0-9 _ . -. Defaults to the action.
    #[schema(value_type = Option<schemas::CronName>)]
    name: Option<CronName>,
    /// The action that its jobs run.
    #[schema(value_type = schemas::Action, required, nullable = false)]
    action: Option<ActionName>,
    /// The cron expression: second, minute, hour, day of month, month and day of week (0 and 7 are
    /// Sunday). With five fields, the second is 0. Also accepted are `@hourly`, `@daily`,
    /// `@weekly`, `@monthly`, `@yearly` and intervals like `@every 90s`.
    #[schema(value_type = schemas::CronSchedule, required, nullable = false)]
    schedule: Option<Schedule>,
    /// The IANA name of the time zone of the schedule. Defaults to UTC.
    #[schema(value_type = Option<schemas::TimeZone>)]
    time_zone: Option<TimeZone>,
    /// What happens to ticks that were missed because no scheduler was running. With `skip`, they
    /// are dropped. With `once` (the default), one job is created for all of them. With `all`, each
    /// gets a job, up to 1000.
    #[schema(value_type = Option<schemas::Misfire>)]
    misfire: Option<Misfire>,
    /// What happens at a tick while an earlier job of the cron has not finished. `allow` (the
    /// default) creates another job, `skip` creates none, `queue` creates one when the earlier job
    /// has finished, and `replace` cancels the earlier job first.
    #[schema(value_type = Option<schemas::Overlap>)]
    overlap: Option<Overlap>,
    /// The maximum random delay after a tick until its job is due. Empty means none.
    #[schema(value_type = Option<schemas::Duration>)]
    jitter: Option<GoDuration>,
    /// The number of retries of a job that fails. Defaults to the value of the action, or 0.
    #[schema(maximum = 100)]
    retries: Option<u32>,
    /// The capacity units that a job needs. Defaults to the value of the action.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// The parameters of the action.
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
    /// The locks that its jobs hold while they run: an array of names, for one permit each, or an
    /// object of names and permits. In a name, `{{hostname}}` is replaced by the parameter
    /// `hostname` when the cron is set.
    #[schema(value_type = Option<schemas::LockTemplates>)]
    locks: Option<LockTemplates>,
    /// The rate limits under which its jobs start: an array of keys, or an object of keys and the
    /// number of starts that a job counts as.
    #[schema(value_type = Option<schemas::LockTemplates>)]
    rates: Option<LockTemplates>,
    /// Whether the cron is paused. If absent, an existing cron keeps its state.
    paused: Option<bool>,
}

/// A cron.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "193c061a-c52c-448a-884a-719adc253497", "name": "gc", "action": "gc",
    "schedule": "0 0 1 * * 6", "timeZone": "UTC", "retries": 2, "capacityMap": {},
    "parameters": {}, "deadline": "15m", "stopTimeout": "30s", "priority": "normal",
    "locks": {"devices": 1}, "rates": {"mail": 1}, "nextRun": "2018-04-28T01:00:00Z",
    "misfire": "once",
    "overlap": "skip", "jitter": "", "paused": false, "declared": false,
    "lastRun": "2018-04-21T01:00:00Z",
    "lastJobID": "a261713a-9514-43f9-a7e5-50e7a9fa1d48", "fired": 12, "skipped": 1, "held": 0,
    "lastSkip": {"reason": "overlap", "tick": "2018-04-14T01:00:00Z", "count": 1,
        "at": "2018-04-14T01:00:00.003Z"},
    "createdAt": "2018-01-01T09:00:00Z", "lastUpdated": "2018-01-01T09:00:00Z",
}))]
pub(in crate::v0) struct Cron {
    /// The id of the cron. It changes if the cron is deleted and created again.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// The name of the cron.
    #[schema(value_type = schemas::CronName)]
    name: CronName,
    /// The action that its jobs run.
    #[schema(value_type = schemas::Action)]
    action: ActionName,
    /// The cron expression.
    #[schema(value_type = schemas::CronSchedule)]
    schedule: Schedule,
    /// The time zone of the schedule.
    #[schema(value_type = schemas::TimeZone)]
    time_zone: TimeZone,
    /// The number of retries of a job that fails. 0 also if the value of the action applies.
    retries: u32,
    /// The capacity units that a job needs. `null` if none were given.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// The parameters of the action. `null` if none were given. The values of `headers` of the
    /// action `webhook` are shown as `***`.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// The time from the start of a job to SIGTERM.
    #[schema(value_type = schemas::Duration)]
    deadline: GoDuration,
    /// The time from SIGTERM to SIGKILL.
    #[schema(value_type = schemas::Duration)]
    stop_timeout: GoDuration,
    /// The priority of its jobs.
    #[schema(value_type = schemas::Priority)]
    priority: Priority,
    /// The locks that its jobs hold while they run, with the number of permits of each.
    #[schema(value_type = BTreeMap<String, u32>)]
    locks: Locks,
    /// The rate limits under which its jobs start.
    rates: BTreeMap<String, u32>,
    /// The time of the next tick. `null` if the cron is paused or its schedule has no further tick.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_run: Option<Timestamp>,
    /// What happens to ticks that were missed because no scheduler was running.
    #[schema(value_type = schemas::Misfire)]
    misfire: Misfire,
    /// What happens at a tick while an earlier job of the cron has not finished.
    #[schema(value_type = schemas::Overlap)]
    overlap: Overlap,
    /// The maximum random delay after a tick until its job is due.
    #[schema(value_type = schemas::Duration)]
    jitter: GoDuration,
    /// Whether the cron is paused.
    paused: bool,
    /// Whether the cron is declared in a file that schedulers apply when they start.
    declared: bool,
    /// The tick for which the last job was created.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_run: Option<Timestamp>,
    /// The id of the last job.
    #[serde(rename = "lastJobID")]
    #[schema(value_type = Option<String>, format = Uuid)]
    last_job_id: Option<JobId>,
    /// The number of jobs that it has created.
    fired: u64,
    /// The number of ticks without a job.
    skipped: u64,
    /// The number of firings that wait for an earlier job to finish.
    held: u64,
    /// The most recent ticks without a job. `null` if there were none.
    last_skip: Option<Skip>,
    /// The time at which the cron was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The time at which the cron was last changed.
    #[schema(value_type = String, format = DateTime)]
    last_updated: Timestamp,
}

/// Ticks without a job.
#[derive(Debug, Serialize, ToSchema)]
struct Skip {
    /// `missed`: no scheduler was running. `overlap`, `replaced` or `too_many_held`: an earlier job
    /// had not finished. `no_queue`: the namespace already had the maximum number of queues.
    /// `quota`: as many jobs of the cron waited as may wait of one submitter.
    #[schema(example = "overlap")]
    reason: String,
    /// The time of the latest of these ticks.
    #[schema(value_type = String, format = DateTime)]
    tick: Timestamp,
    /// The number of these ticks.
    count: u64,
    /// The time at which a scheduler skipped them.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// A list of crons, ordered by name.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Crons {
    pub(in crate::v0) crons: Vec<Cron>,
}

/// The next ticks of a cron.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct NextTicks {
    /// The times of the ticks, in ascending order. Fewer than `count` if the schedule ends.
    #[schema(value_type = Vec<String>)]
    pub(in crate::v0) next: Vec<Timestamp>,
}

impl CronCreate {
    /// Validates every field.
    pub(in crate::v0) fn validate(self) -> Result<SetCron, Error> {
        let action = self.action.ok_or_else(|| Error::invalid("action", "it is required"))?;
        let schedule = self.schedule.ok_or_else(|| Error::invalid("schedule", "it is required"))?;
        let retries = at_field("retries", bounds::retries(self.retries))?;
        let parameters = self.parameters.map(bounds::parameters).transpose();
        let parameters = at_field("parameters", parameters)?;
        Class::of(self.capacity_map.as_ref()).map_err(|why| Error::invalid("capacityMap", why))?;
        let mut locks = fields::locks(self.locks, parameters.as_ref())?;
        locks.extend(fields::rates(self.rates, parameters.as_ref())?);
        let spec = CronSpec {
            action: action.clone(),
            schedule,
            time_zone: self.time_zone.unwrap_or_default(),
            misfire: self.misfire.unwrap_or_default(),
            overlap: self.overlap.unwrap_or_default(),
            jitter: self.jitter.unwrap_or_default(),
            retries,
            capacity_map: self.capacity_map,
            locks,
            parameters,
            deadline: self.deadline.unwrap_or_default(),
            stop_timeout: self.stop_timeout.unwrap_or_default(),
            priority: self.priority.unwrap_or_default(),
        };
        let name = self.name.unwrap_or_else(|| action.into());
        Ok(SetCron { name, spec, paused: self.paused, declared: false })
    }
}

impl From<store::Cron> for Cron {
    fn from(cron: store::Cron) -> Cron {
        let skip = |store::Skip { reason, tick, count, at }| Skip { reason, tick, count, at };
        Cron {
            id: cron.id,
            name: cron.name,
            parameters: shown_parameters(&cron.spec.action, cron.spec.parameters),
            action: cron.spec.action,
            schedule: cron.spec.schedule,
            time_zone: cron.spec.time_zone,
            retries: cron.spec.retries.unwrap_or(0),
            capacity_map: cron.spec.capacity_map,
            deadline: cron.spec.deadline,
            stop_timeout: cron.spec.stop_timeout,
            priority: cron.spec.priority,
            rates: cron.spec.locks.rates().map(|(key, count)| (key.to_owned(), count)).collect(),
            locks: cron.spec.locks.without_rates(),
            next_run: cron.next_run,
            misfire: cron.spec.misfire,
            overlap: cron.spec.overlap,
            jitter: cron.spec.jitter,
            paused: cron.paused,
            declared: cron.declared,
            last_run: cron.last_run,
            last_job_id: cron.last_job,
            fired: cron.fired,
            skipped: cron.skipped,
            held: cron.held,
            last_skip: cron.last_skip.map(skip),
            created_at: cron.created_at,
            last_updated: cron.last_updated,
        }
    }
}
