//! The JSON of action configurations: default values for the jobs of an action. They take
//! precedence over the defaults that workers announce, and do not affect existing jobs.

use std::collections::BTreeMap;

use domain::bounds;
use domain::capacity::{CapacityMap, Class};
use domain::job::{ActionName, GoDuration};
use domain::lock::{LockError, LockTemplates, MAX_PERMITS};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{self, ActionDefaults};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::{Error, at_field};
use crate::redaction::shown_parameters;
use crate::v0::wire::body::Object;
use crate::v0::wire::schemas;

/// The default values for jobs of an action. Only `action` is required. For fields that are absent
/// or `null`, the defaults of the workers apply. Unknown fields are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "action": "gc", "parameters": {"dryRun": "false"}, "retries": 2, "capacityMap": {"scan": 1},
    "deadline": "15m", "stopTimeout": "30s", "maxRunning": 3,
    "maxRunningPer": {"key": "{{tenant}}", "permits": 1}, "rates": {"mail-{{tenant}}": 1},
}))]
pub(in crate::v0) struct ActionConfigCreate {
    /// The name of the action.
    #[schema(value_type = schemas::Action, required, nullable = false)]
    action: Option<ActionName>,
    /// The default parameters. A parameter that a job sets itself takes precedence.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// The number of retries of a job that fails.
    #[schema(maximum = 100)]
    retries: Option<u32>,
    /// The capacity units that a job needs.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// The time from the start of a job to SIGTERM, like `15m`. Empty means not configured.
    #[schema(value_type = Option<schemas::Duration>)]
    deadline: Option<GoDuration>,
    /// The time from SIGTERM to SIGKILL. Empty means not configured.
    #[schema(value_type = Option<schemas::Duration>)]
    stop_timeout: Option<GoDuration>,
    /// The maximum number of its jobs that run at the same time on all workers: the permits of the
    /// lock `action:<action>`.
    #[schema(minimum = 1, maximum = 1_000_000)]
    max_running: Option<u32>,
    /// The maximum number of its jobs with the same key that run at the same time.
    #[schema(value_type = Option<RunningPer>)]
    max_running_per: Option<Object<store::RunningPer>>,
    /// The rate limits under which its jobs start, in addition to their own: keys, which may contain
    /// parameters of the job, and the number of starts that a job counts as.
    rates: Option<BTreeMap<String, i64>>,
}

/// A limit for the jobs of an action that have the same key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"key": "{{tenant}}", "permits": 1}))]
pub(super) struct RunningPer {
    /// The template of the key, with parameters of the job in `{{…}}`.
    key: String,
    /// The maximum number of jobs that run at the same time: the permits of each lock
    /// `action:<action>:<key>`.
    #[schema(minimum = 1, maximum = 1_000_000)]
    permits: u32,
}

/// The default values for jobs of an action. For fields that are `null` or an empty duration, the
/// defaults of the workers apply.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "193c061a-c52c-448a-884a-719adc253497", "action": "gc",
    "parameters": {"dryRun": "false"}, "retries": 2, "capacityMap": {"scan": 1},
    "deadline": "15m", "stopTimeout": "30s", "maxRunning": 3,
    "maxRunningPer": {"key": "{{tenant}}", "permits": 1}, "rates": {"mail-{{tenant}}": 1},
}))]
pub(in crate::v0) struct ActionConfig {
    /// The id of the configuration. It changes if the configuration is deleted and created again.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// The name of the action.
    #[schema(value_type = schemas::Action)]
    action: ActionName,
    /// The default parameters. The values of `headers` of the action `webhook` are shown as `***`.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// The number of retries of a job that fails.
    retries: Option<u32>,
    /// The capacity units that a job needs.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// The time from the start of a job to SIGTERM.
    #[schema(value_type = schemas::Duration)]
    deadline: GoDuration,
    /// The time from SIGTERM to SIGKILL.
    #[schema(value_type = schemas::Duration)]
    stop_timeout: GoDuration,
    /// The maximum number of its jobs that run at the same time on all workers.
    max_running: Option<u32>,
    /// The maximum number of its jobs with the same key that run at the same time.
    max_running_per: Option<RunningPer>,
    /// The rate limits under which its jobs start.
    rates: Option<BTreeMap<String, i64>>,
}

/// A list of action configurations.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct ActionConfigs {
    /// The action configurations, ordered by action.
    pub(super) action_configs: Vec<ActionConfig>,
    /// The actions that are paused, with or without a configuration.
    #[schema(value_type = Vec<schemas::Action>)]
    pub(super) paused_actions: Vec<ActionName>,
}

impl ActionConfigCreate {
    /// Validates every field.
    pub(in crate::v0) fn validate(self) -> Result<(ActionName, ActionDefaults), Error> {
        let action = self.action.ok_or_else(|| Error::invalid("action", "it is required"))?;
        let retries = at_field("retries", bounds::retries(self.retries))?;
        let parameters = self.parameters.map(bounds::parameters).transpose();
        let parameters = at_field("parameters", parameters)?;
        Class::of(self.capacity_map.as_ref()).map_err(|why| Error::invalid("capacityMap", why))?;
        let defaults = ActionDefaults {
            parameters,
            capacity_map: self.capacity_map,
            retries,
            deadline: self.deadline.unwrap_or_default(),
            stop_timeout: self.stop_timeout.unwrap_or_default(),
            max_running: checked_permits("maxRunning", self.max_running)?,
            max_running_per: self.max_running_per.map(|per| checked_per(per.0)).transpose()?,
            rates: checked_rates(self.rates)?,
        };
        Ok((action, defaults))
    }
}

pub(super) fn checked_permits(field: &str, permits: Option<u32>) -> Result<Option<u32>, Error> {
    if permits.is_some_and(|permits| !(1..=MAX_PERMITS).contains(&permits)) {
        let why = format!("it must be a whole number from 1 to {MAX_PERMITS}");
        return Err(Error::invalid(field, why));
    }
    Ok(permits)
}

pub(super) fn checked_per(per: store::RunningPer) -> Result<store::RunningPer, Error> {
    checked_permits("maxRunningPer.permits", Some(per.permits))?;
    if !per.key.contains("{{") || per.key.chars().count() > 255 {
        let why = "it must contain a parameter, like {{tenant}}, and at most 255 characters";
        return Err(Error::invalid("maxRunningPer.key", why));
    }
    Ok(per)
}

/// Checks rate limits as far as possible without the parameters of a job.
pub(super) fn checked_rates(
    rates: Option<BTreeMap<String, i64>>,
) -> Result<Option<BTreeMap<String, i64>>, Error> {
    let Some(rates) = rates else { return Ok(None) };
    match LockTemplates::Permits(rates.clone()).render_rates(None) {
        Ok(_) | Err(LockError::Parameter(..)) => Ok(Some(rates)),
        Err(error) => Err(Error::invalid("rates", error)),
    }
}

impl From<store::ActionConfig> for ActionConfig {
    fn from(config: store::ActionConfig) -> ActionConfig {
        let defaults = config.defaults;
        let per = defaults.max_running_per;
        ActionConfig {
            id: config.id,
            parameters: shown_parameters(&config.action, defaults.parameters),
            action: config.action,
            retries: defaults.retries,
            capacity_map: defaults.capacity_map,
            deadline: defaults.deadline,
            stop_timeout: defaults.stop_timeout,
            max_running: defaults.max_running,
            max_running_per: per.map(|per| RunningPer { key: per.key, permits: per.permits }),
            rates: defaults.rates,
        }
    }
}
