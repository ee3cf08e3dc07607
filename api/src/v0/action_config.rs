//! What jobs of an action have unless they say otherwise, as operators configure it. It goes before what workers
//! announce, and a job's own values go before it; jobs that are there already keep what they have.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::bounds;
use shared::capacity::{CapacityMap, Class};
use shared::job::{ActionName, Span};
use shared::lock::MAX_PERMITS;
use shared::store::{self, ActionDefaults};
use utoipa::ToSchema;
use uuid::Uuid;

use super::body::Object;
use super::docs::WrongType;
use super::docs::{Away, BadBody, BadQuery, NoActionConfig, TooLarge, TooManyActionConfigs};
use super::path::OfActionConfig;
use super::query::NoQuery;
use super::values;
use super::{Refusal, body};
use crate::app::{App, in_time};
use crate::error::{Error, within};

const BODY_BYTES: usize = 1024 * 1024;

/// What jobs of an action shall have unless they say otherwise. Only `action` is required; what is not given, or `null`,
/// is left to the workers. A field that is not listed here is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "action": "gc", "parameters": {"dryRun": "false"}, "retries": 2, "capacityMap": {"scan": 1},
    "deadline": "15m", "stopTimeout": "30s", "maxRunning": 3,
    "maxRunningPer": {"key": "{{tenant}}", "permits": 1},
}))]
pub(super) struct ActionConfigCreate {
    /// The action.
    #[schema(value_type = values::Action, required, nullable = false)]
    action: Option<ActionName>,
    /// What to do it with. A job's own parameters go before these one by one.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// How often a job is tried again when it fails.
    #[schema(maximum = 100)]
    retries: Option<u32>,
    /// Whole units that a job needs, by type.
    #[schema(value_type = Option<values::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// From a job's start to SIGTERM, like `15m`; none when empty.
    #[schema(value_type = Option<values::Duration>)]
    deadline: Option<Span>,
    /// From SIGTERM to SIGKILL.
    #[schema(value_type = Option<values::Duration>)]
    stop_timeout: Option<Span>,
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
pub(super) struct ActionConfig {
    /// Its identity: one that is deleted and made again has another.
    #[schema(value_type = String, format = Uuid)]
    id: Uuid,
    /// The action.
    #[schema(value_type = values::Action)]
    action: ActionName,
    /// What to do it with.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// How often a job is tried again.
    retries: Option<u32>,
    /// What a job needs.
    #[schema(value_type = Option<values::Capacity>)]
    capacity_map: Option<CapacityMap>,
    /// From a job's start to SIGTERM.
    #[schema(value_type = values::Duration)]
    deadline: Span,
    /// From SIGTERM to SIGKILL.
    #[schema(value_type = values::Duration)]
    stop_timeout: Span,
    /// How many of its jobs run at once.
    max_running: Option<u32>,
    /// How many of those run at once that have the same key.
    max_running_per: Option<RunningPer>,
}

/// All that is configured.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActionConfigs {
    /// By action.
    action_configs: Vec<ActionConfig>,
}

/// Lists what is configured, by action.
#[utoipa::path(
    get, path = "/action_configs", operation_id = "ListActionConfigs", tag = "action configs",
    responses((status = 200, body = ActionConfigs, description = "all of them"), BadQuery, Away),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<ActionConfigs>, Refusal> {
    let configs = app.store.action_configs().await?;
    let action_configs = configs.into_iter().map(ActionConfig::from).collect();
    Ok(Json(ActionConfigs { action_configs }))
}

/// Configures an action, instead of what was configured of it before.
#[utoipa::path(
    post, path = "/action_configs", operation_id = "UpdateActionConfig", tag = "action configs",
    request_body(content = ActionConfigCreate, description = "at most 1 MiB"),
    responses(
        (status = 202, body = ActionConfig, description = "jobs that are submitted from now on have it"),
        BadBody, TooManyActionConfigs, TooLarge, WrongType, Away,
    ),
)]
pub(super) async fn set(
    State(app): State<Arc<App>>,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<ActionConfig>), Refusal> {
    let create: ActionConfigCreate = body::read(request, BODY_BYTES).await?;
    let (action, defaults) = create.checked()?;
    let setting = async {
        let set = app.store.set_action_config(&action, &defaults).await?;
        set.ok_or_else(|| Refusal::from(Error::TooManyActionConfigs))
    };
    Ok((StatusCode::ACCEPTED, Json(in_time(setting).await?.into())))
}

/// Shows what is configured of an action.
#[utoipa::path(
    get, path = "/action_configs/{action}", operation_id = "GetActionConfig", tag = "action configs",
    params(("action" = String, Path, description = "the action", example = "gc")),
    responses(
        (status = 200, body = ActionConfig, description = "what is configured"),
        BadQuery, NoActionConfig, Away,
    ),
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    OfActionConfig(action): OfActionConfig,
    _: NoQuery,
) -> Result<Json<ActionConfig>, Refusal> {
    let config = app.store.action_config(&action).await?;
    let config = config.ok_or_else(|| Error::NoSuchActionConfig(action.to_string()))?;
    Ok(Json(config.into()))
}

/// Forgets what is configured of an action; what its workers announce holds again.
#[utoipa::path(
    delete, path = "/action_configs/{action}", operation_id = "DeleteActionConfig", tag = "action configs",
    params(("action" = String, Path, description = "the action", example = "gc")),
    responses((status = 204, description = "it is gone"), BadQuery, NoActionConfig, Away),
)]
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    OfActionConfig(action): OfActionConfig,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    if app.store.delete_action_config(&action).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Error::NoSuchActionConfig(action.to_string()).into())
}

impl ActionConfigCreate {
    /// Checks all of it.
    pub(super) fn checked(self) -> Result<(ActionName, ActionDefaults), Error> {
        let action = self.action.ok_or_else(|| Error::invalid("action", "it is required"))?;
        let retries = within("retries", bounds::retries(self.retries))?;
        let parameters = self.parameters.map(bounds::parameters).transpose();
        let parameters = within("parameters", parameters)?;
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
