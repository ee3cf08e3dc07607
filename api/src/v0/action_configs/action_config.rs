//! The configuration of an action on the wire: the values that its jobs have unless they set their
//! own. It takes precedence over what workers announce, and does not affect existing jobs.

use domain::bounds;
use domain::capacity::{CapacityMap, Class};
use domain::job::{ActionName, GoDuration};
use domain::lock::MAX_PERMITS;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{self, ActionDefaults};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::{Error, at_field};
use crate::v0::wire::body::Object;
use crate::v0::wire::schemas;

/// What jobs of an action shall have unless they say otherwise. Only `action` is required; what is not given, or `null`,
/// is left to the workers. A field that is not listed here is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "action": "gc", "parameters": {"dryRun": "false"}, "retries": 2, "capacityMap": {"scan": 1},
    "deadline": "15m", "stopTimeout": "30s", "maxRunning": 3,
    "maxRunningPer": {"key": "{{tenant}}", "permits": 1},
}))]
pub(in crate::v0) struct ActionConfigCreate {
    /// The action.
    #[schema(value_type = schemas::Action, required, nullable = false)]
    action: Option<ActionName>,
    /// What to do it with. A job's own parameters go before these one by one.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// How often a job is tried again when it fails.
    #[schema(maximum = 100)]
    retries: Option<u32>,
    /// Whole units that a job needs, by type.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// From a job's start to SIGTERM, like `15m`; none when empty.
    #[schema(value_type = Option<schemas::Duration>)]
    deadline: Option<GoDuration>,
    /// From SIGTERM to SIGKILL.
    #[schema(value_type = Option<schemas::Duration>)]
    stop_timeout: Option<GoDuration>,
    /// How many of its jobs run at once in the whole fleet: the permits of lock `action:<action>`.
    #[schema(minimum = 1, maximum = 1_000_000)]
    max_running: Option<u32>,
    /// How many of those run at once that have the same key.
    #[schema(value_type = Option<RunningPer>)]
    max_running_per: Option<Object<store::RunningPer>>,
}

/// A limit for each of the keys that jobs of an action have.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"key": "{{tenant}}", "permits": 1}))]
struct RunningPer {
    /// The key, made of the job's parameters.
    key: String,
    /// How many run at once: the permits of each lock `action:<action>:<key>`.
    #[schema(minimum = 1, maximum = 1_000_000)]
    permits: u32,
}

/// What jobs of an action have unless they say otherwise; `null`, or an empty duration, is left to the workers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "193c061a-c52c-448a-884a-719adc253497", "action": "gc",
    "parameters": {"dryRun": "false"}, "retries": 2, "capacityMap": {"scan": 1},
    "deadline": "15m", "stopTimeout": "30s", "maxRunning": 3,
    "maxRunningPer": {"key": "{{tenant}}", "permits": 1},
}))]
pub(in crate::v0) struct ActionConfig {
    /// Its identity: one that is deleted and made again has another.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// The action.
    #[schema(value_type = schemas::Action)]
    action: ActionName,
    /// What to do it with.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// How often a job is tried again.
    retries: Option<u32>,
    /// What a job needs.
    #[schema(value_type = Option<schemas::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// From a job's start to SIGTERM.
    #[schema(value_type = schemas::Duration)]
    deadline: GoDuration,
    /// From SIGTERM to SIGKILL.
    #[schema(value_type = schemas::Duration)]
    stop_timeout: GoDuration,
    /// How many of its jobs run at once.
    max_running: Option<u32>,
    /// How many of those run at once that have the same key.
    max_running_per: Option<RunningPer>,
}

/// All that is configured.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::v0) struct ActionConfigs {
    /// By action.
    pub(super) action_configs: Vec<ActionConfig>,
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
        };
        Ok((action, defaults))
    }
}

fn checked_permits(field: &str, permits: Option<u32>) -> Result<Option<u32>, Error> {
    if permits.is_some_and(|permits| !(1..=MAX_PERMITS).contains(&permits)) {
        let why = format!("it must be a whole number from 1 to {MAX_PERMITS}");
        return Err(Error::invalid(field, why));
    }
    Ok(permits)
}

fn checked_per(per: store::RunningPer) -> Result<store::RunningPer, Error> {
    checked_permits("maxRunningPer.permits", Some(per.permits))?;
    if !per.key.contains("{{") || per.key.chars().count() > 255 {
        let why = "it must have a parameter in it, like {{tenant}}, and at most 255 characters";
        return Err(Error::invalid("maxRunningPer.key", why));
    }
    Ok(per)
}

impl From<store::ActionConfig> for ActionConfig {
    fn from(config: store::ActionConfig) -> ActionConfig {
        let defaults = config.defaults;
        let per = defaults.max_running_per;
        ActionConfig {
            id: config.id,
            action: config.action,
            parameters: defaults.parameters,
            retries: defaults.retries,
            capacity_map: defaults.capacity_map,
            deadline: defaults.deadline,
            stop_timeout: defaults.stop_timeout,
            max_running: defaults.max_running,
            max_running_per: per.map(|per| RunningPer { key: per.key, permits: per.permits }),
        }
    }
}
