//! Action configurations: list, set, show and delete them.

pub(super) mod action_config;
pub(super) mod change;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;

use crate::app::App;
use crate::deadline::in_time;
use crate::error::Error;
use crate::v0::wire::body;
use crate::v0::wire::path::ActionConfigPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, NoActionConfig, StoreUnavailable, TooLarge, TooManyActionConfigs, WrongType,
};
use action_config::{ActionConfig, ActionConfigCreate, ActionConfigs};

const BODY_BYTES: usize = 1024 * 1024;

/// Lists all action configurations, ordered by action.
#[utoipa::path(
    get, path = "/action_configs", operation_id = "ListActionConfigs", tag = "action configs",
    responses(
        (status = 200, body = ActionConfigs, description = "The action configurations."),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<ActionConfigs>, Refusal> {
    let configs = app.store.action_configs().await?;
    let action_configs = configs.into_iter().map(ActionConfig::from).collect();
    let paused_actions = app.store.paused_actions().await?;
    Ok(Json(ActionConfigs { action_configs, paused_actions }))
}

/// Creates or replaces the configuration of an action.
///
/// It applies to jobs that are submitted from now on.
#[utoipa::path(
    post, path = "/action_configs", operation_id = "UpdateActionConfig", tag = "action configs",
    request_body(content = ActionConfigCreate, description = "At most 1 MiB."),
    responses(
        (status = 202, body = ActionConfig, description = "The new configuration."),
        BadBody, TooManyActionConfigs, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn set(
    State(app): State<Arc<App>>,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<ActionConfig>), Refusal> {
    let create: ActionConfigCreate = body::read(request, BODY_BYTES).await?;
    let (action, defaults) = create.validate()?;
    let setting = async {
        let set = app.store.set_action_config(&action, &defaults).await?;
        set.ok_or_else(|| Refusal::from(Error::TooManyActionConfigs))
    };
    Ok((StatusCode::ACCEPTED, Json(in_time(setting).await?.into())))
}

/// Returns the configuration of an action.
#[utoipa::path(
    get, path = "/action_configs/{action}", operation_id = "GetActionConfig",
    tag = "action configs", params(ActionConfigPath),
    responses(
        (status = 200, body = ActionConfig, description = "The configuration."),
        BadQuery, NoActionConfig, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    ActionConfigPath(action): ActionConfigPath,
    _: NoQuery,
) -> Result<Json<ActionConfig>, Refusal> {
    let config = app.store.action_config(&action).await?;
    let config = config.ok_or_else(|| Error::NoSuchActionConfig(action.to_string()))?;
    Ok(Json(config.into()))
}

/// Deletes the configuration of an action.
///
/// New jobs get the defaults that workers announce for the action.
#[utoipa::path(
    delete, path = "/action_configs/{action}", operation_id = "DeleteActionConfig",
    tag = "action configs", params(ActionConfigPath),
    responses(
        (status = 204, description = "The configuration is deleted."),
        BadQuery, NoActionConfig, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn delete(
    State(app): State<Arc<App>>,
    ActionConfigPath(action): ActionConfigPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    if app.store.delete_action_config(&action).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Error::NoSuchActionConfig(action.to_string()).into())
}
