//! Crons on the wire: what clients send to have one, and what they are shown of it.

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
use crate::v0::wire::fields;
use crate::v0::wire::schemas;

/// A cron to be made, or changed if its name is there. Only `action` and `schedule` are required. A field that is not
/// listed here is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "name": "gc", "action": "gc", "schedule": "0 0 1 * * 6", "timeZone": "UTC", "retries": 2,
    "capacityMap": {}, "parameters": {}, "deadline": "15m", "stopTimeout": "30s",
    "misfire": "once", "overlap": "skip", "jitter": "", "priority": "normal", "paused": false,
    "locks": ["devices"],
}))]
pub(in crate::v0) struct CronCreate {
    /// Its name, 1 to 64 characters of A-Z a-z 0-9 _ . -; the action unless given.
    #[schema(value_type = Option<schemas::CronName>)]
    name: Option<CronName>,
    /// What to do.
    #[schema(value_type = schemas::Action, required, nullable = false)]
    action: Option<ActionName>,
    /// When: seconds, minutes, hours, day of month, month, day of week (0 and 7 are Sunday); five fields are without
    /// seconds; also `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly` and `@every 90s`.
    #[schema(value_type = schemas::CronLine, required, nullable = false)]
    schedule: Option<Schedule>,
    /// On the clock of which place, an IANA name; UTC unless given.
    #[schema(value_type = Option<schemas::TimeZone>)]
    time_zone: Option<TimeZone>,
    /// What becomes of ticks that nobody was there for: none of them gets a job (`skip`), one for all (`once`), each
    /// (`all`, up to 1000).
    #[schema(value_type = Option<schemas::Misfire>)]
    misfire: Option<Misfire>,
    /// What becomes of a tick while an earlier job is not over: `allow`, `skip`, `queue` or `replace`.
    #[schema(value_type = Option<schemas::Overlap>)]
    overlap: Option<Overlap>,
    /// Its jobs are due up to so much after their tick, each by its own share; none when empty.
    #[schema(value_type = Option<schemas::Duration>)]
    jitter: Option<GoDuration>,
    /// How often a job is tried again when it fails; 0, or what the action says, unless given.
    #[schema(maximum = 100)]
    retries: Option<u32>,
    /// Whole units that a job needs, by type.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// What to do it with.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// From a job's start to SIGTERM, like `15m`; none when empty.
    #[schema(value_type = Option<schemas::Duration>)]
    deadline: Option<GoDuration>,
    /// From SIGTERM to SIGKILL; the worker's default when empty.
    #[schema(value_type = Option<schemas::Duration>)]
    stop_timeout: Option<GoDuration>,
    /// `high`, `normal` or `low`.
    #[schema(value_type = Option<schemas::Priority>)]
    priority: Option<Priority>,
    /// What its jobs hold while they run: names, or an object of names and permits. In a name
    /// `{{hostname}}` stands for its parameter `hostname`, as it is when the cron is set.
    #[schema(value_type = Option<schemas::LockPatterns>)]
    locks: Option<LockTemplates>,
    /// It is not to fire; as it is unless given.
    paused: Option<bool>,
}

/// A cron.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "193c061a-c52c-448a-884a-719adc253497", "name": "gc", "action": "gc",
    "schedule": "0 0 1 * * 6", "timeZone": "UTC", "retries": 2, "capacityMap": {},
    "parameters": {}, "deadline": "15m", "stopTimeout": "30s", "priority": "normal",
    "locks": {"devices": 1}, "nextRun": "2018-04-28T01:00:00Z", "misfire": "once", "overlap": "skip", "jitter": "",
    "paused": false, "declared": false, "lastRun": "2018-04-21T01:00:00Z",
    "lastJobID": "a261713a-9514-43f9-a7e5-50e7a9fa1d48", "fired": 12, "skipped": 1, "held": 0,
    "lastSkip": {"reason": "overlap", "tick": "2018-04-14T01:00:00Z", "count": 1,
        "at": "2018-04-14T01:00:00.003Z"},
    "createdAt": "2018-01-01T09:00:00Z", "lastUpdated": "2018-01-01T09:00:00Z",
}))]
pub(in crate::v0) struct Cron {
    /// Its identity: one that is deleted and made again has another.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// What it is called.
    #[schema(value_type = schemas::CronName)]
    name: CronName,
    /// What its jobs do.
    #[schema(value_type = schemas::Action)]
    action: ActionName,
    /// When.
    #[schema(value_type = schemas::CronLine)]
    schedule: Schedule,
    /// On the clock of which place.
    #[schema(value_type = schemas::TimeZone)]
    time_zone: TimeZone,
    /// How often a job is tried again; 0 when that was not said and is left to the action.
    retries: u32,
    /// What a job needs; `null` when nothing was given.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// What to do it with; `null` when nothing was given.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// From a job's start to SIGTERM.
    #[schema(value_type = schemas::Duration)]
    deadline: GoDuration,
    /// From SIGTERM to SIGKILL.
    #[schema(value_type = schemas::Duration)]
    stop_timeout: GoDuration,
    /// The band of its jobs.
    #[schema(value_type = schemas::Priority)]
    priority: Priority,
    /// What its jobs hold while they run, and how many permits of each.
    #[schema(value_type = BTreeMap<String, u32>)]
    locks: Locks,
    /// The next tick; `null` when it is paused, or when its line has come to its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_run: Option<Timestamp>,
    /// What becomes of ticks that nobody was there for.
    #[schema(value_type = schemas::Misfire)]
    misfire: Misfire,
    /// What becomes of a tick while an earlier job is not over.
    #[schema(value_type = schemas::Overlap)]
    overlap: Overlap,
    /// How long after its tick a job may be due.
    #[schema(value_type = schemas::Duration)]
    jitter: GoDuration,
    /// It does not fire.
    paused: bool,
    /// It stands in a file that schedulers apply when they start.
    declared: bool,
    /// The tick of the job that was made last.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_run: Option<Timestamp>,
    /// That job.
    #[serde(rename = "lastJobID")]
    #[schema(value_type = Option<String>, format = Uuid)]
    last_job_id: Option<JobId>,
    /// How many jobs were made.
    fired: u64,
    /// How many ticks got no job.
    skipped: u64,
    /// How many firings wait until an earlier job is over.
    held: u64,
    /// The last time that ticks got no job.
    last_skip: Option<Skip>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    last_updated: Timestamp,
}

/// Ticks that got no job.
#[derive(Debug, Serialize, ToSchema)]
struct Skip {
    /// `missed`: nobody was there; `overlap`, `replaced`, `too_many_held`: an earlier job was not over; `no_queue`: there
    /// are too many kinds of capacity maps.
    #[schema(example = "overlap")]
    reason: String,
    /// The newest of them.
    #[schema(value_type = String, format = DateTime)]
    tick: Timestamp,
    /// How many at once.
    count: u64,
    /// When that was noticed.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// A list of crons, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct Crons {
    pub(in crate::v0) crons: Vec<Cron>,
}

/// The next ticks of a cron.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::v0) struct NextTicks {
    /// In order; fewer than were asked for when there are no more.
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
        let spec = CronSpec {
            action: action.clone(),
            schedule,
            time_zone: self.time_zone.unwrap_or_default(),
            misfire: self.misfire.unwrap_or_default(),
            overlap: self.overlap.unwrap_or_default(),
            jitter: self.jitter.unwrap_or_default(),
            retries,
            capacity_map: self.capacity_map,
            locks: fields::locks(self.locks, parameters.as_ref())?,
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
            action: cron.spec.action,
            schedule: cron.spec.schedule,
            time_zone: cron.spec.time_zone,
            retries: cron.spec.retries.unwrap_or(0),
            capacity_map: cron.spec.capacity_map,
            parameters: cron.spec.parameters,
            deadline: cron.spec.deadline,
            stop_timeout: cron.spec.stop_timeout,
            priority: cron.spec.priority,
            locks: cron.spec.locks,
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
