//! Changes single fields of an action configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::bounds;
use domain::capacity::{CapacityMap, Class};
use domain::job::GoDuration;
use serde::Deserialize;
use serde_json::{Map, Value};
use store::ActionDefaults;
use utoipa::ToSchema;

use super::BODY_BYTES;
use super::action_config::{ActionConfig, RunningPer, checked_per, checked_permits, checked_rates};
use crate::app::App;
use crate::deadline::in_time;
use crate::error::{Error, at_field};
use crate::v0::wire::body::{self, Object};
use crate::v0::wire::path::ActionConfigPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, NoActionConfig, StoreUnavailable, TooLarge, WrongType,
};
use crate::v0::wire::schemas;

/// Changes to the default values for jobs of an action. Fields that are absent or `null` keep their
/// value. Unknown fields are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"deadline": "30m"}))]
pub(in crate::v0) struct ActionConfigChange {
    /// The default parameters. They replace all default parameters.
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
    /// The maximum number of its jobs that run at the same time on all workers.
    #[schema(minimum = 1, maximum = 1_000_000)]
    max_running: Option<u32>,
    /// The maximum number of its jobs with the same key that run at the same time.
    #[schema(value_type = Option<RunningPer>)]
    max_running_per: Option<Object<store::RunningPer>>,
    /// The rate limits under which its jobs start. They replace all; `{}` removes them.
    rates: Option<BTreeMap<String, i64>>,
}

/// Changes single fields of the configuration of an action. The others stay unchanged.
///
/// It applies to jobs that are submitted from now on.
#[utoipa::path(
    patch, path = "/action_configs/{action}", operation_id = "ChangeActionConfig",
    tag = "action configs", params(ActionConfigPath),
    request_body(content = ActionConfigChange, description = "At most 1 MiB."),
    responses(
        (status = 202, body = ActionConfig, description = "The changed configuration."),
        BadQuery, BadBody, NoActionConfig, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn change(
    State(app): State<Arc<App>>,
    ActionConfigPath(action): ActionConfigPath,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<ActionConfig>), Refusal> {
    let change: ActionConfigChange = body::read(request, BODY_BYTES).await?;
    let change = change.validate()?;
    let changing = async {
        let changed = app.store.change_action_config(&action, |was| change.apply(was)).await?;
        changed.ok_or_else(|| Error::NoSuchActionConfig(action.to_string()))
    };
    Ok((StatusCode::ACCEPTED, Json(in_time(changing).await?.into())))
}

impl ActionConfigChange {
    fn validate(self) -> Result<ActionConfigChange, Error> {
        let retries = at_field("retries", bounds::retries(self.retries))?;
        let parameters = self.parameters.map(bounds::parameters).transpose();
        let parameters = at_field("parameters", parameters)?;
        Class::of(self.capacity_map.as_ref()).map_err(|why| Error::invalid("capacityMap", why))?;
        let max_running = checked_permits("maxRunning", self.max_running)?;
        let per = self.max_running_per.map(|per| checked_per(per.0).map(Object)).transpose()?;
        let rates = checked_rates(self.rates)?;
        Ok(ActionConfigChange {
            retries,
            parameters,
            max_running,
            max_running_per: per,
            rates,
            ..self
        })
    }

    fn apply(&self, was: ActionDefaults) -> ActionDefaults {
        let per = self.max_running_per.as_ref().map(|per| per.0.clone());
        ActionDefaults {
            parameters: self.parameters.clone().or(was.parameters),
            capacity_map: self.capacity_map.clone().or(was.capacity_map),
            retries: self.retries.or(was.retries),
            deadline: self.deadline.clone().unwrap_or(was.deadline),
            stop_timeout: self.stop_timeout.clone().unwrap_or(was.stop_timeout),
            max_running: self.max_running.or(was.max_running),
            max_running_per: per.or(was.max_running_per),
            rates: self.rates.clone().or(was.rates),
        }
    }
}
