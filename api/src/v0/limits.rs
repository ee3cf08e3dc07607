//! Rate limits: list, show, set and delete them.

mod limit;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::limit::LimitName;

use crate::app::App;
use crate::commands::{self, limit::LimitFields};
use crate::deadline::in_time;
use crate::error::Error;
use crate::v0::wire::body;
use crate::v0::wire::path::LimitPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, NoLimit, StoreUnavailable, TooLarge, TooManyLimits, WrongType,
};
use limit::{Limit, LimitList, SetLimit};

const BODY_BYTES: usize = 64 * 1024;

/// Lists the rate limits, ordered by name.
#[utoipa::path(
    get, path = "/limits", operation_id = "ListLimits", tag = "limits",
    responses(
        (status = 200, body = LimitList, description = "All rate limits."),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<Json<LimitList>, Refusal> {
    let limits = app.store.limits().await?.into_iter().map(Limit::from).collect();
    Ok(Json(LimitList { limits }))
}

/// Sets a rate limit. It applies at once, also to jobs that wait for it.
#[utoipa::path(
    post, path = "/limits", operation_id = "SetLimit", tag = "limits",
    request_body(content = SetLimit, description = "At most 64 KiB."),
    responses(
        (status = 202, body = Limit, description = "The rate limit."),
        BadQuery, BadBody, TooManyLimits, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn set(
    State(app): State<Arc<App>>,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Limit>), Refusal> {
    let request: SetLimit = body::read(request, BODY_BYTES).await?;
    let (name, limit) = LimitFields::from(request).validate()?;
    let setting = async {
        commands::limit::set(&app, &name, limit).await?;
        existing(&app, &name).await
    };
    Ok((StatusCode::ACCEPTED, Json(in_time(setting).await?)))
}

/// Returns a rate limit.
#[utoipa::path(
    get, path = "/limits/{name}", operation_id = "GetLimit", tag = "limits",
    params(LimitPath),
    responses(
        (status = 200, body = Limit, description = "The rate limit."),
        BadQuery, NoLimit, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    LimitPath(name): LimitPath,
    _: NoQuery,
) -> Result<Json<Limit>, Refusal> {
    Ok(Json(existing(&app, &name).await?))
}

/// Deletes a rate limit. Jobs that wait for it become ready.
#[utoipa::path(
    delete, path = "/limits/{name}", operation_id = "DeleteLimit", tag = "limits",
    params(LimitPath),
    responses(
        (status = 204, description = "The rate limit is deleted."),
        BadQuery, NoLimit, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn delete(
    State(app): State<Arc<App>>,
    LimitPath(name): LimitPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    commands::limit::delete(&app, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn existing(app: &App, name: &LimitName) -> Result<Limit, Error> {
    let limit = app.store.limit(name).await?;
    Ok(limit.ok_or_else(|| Error::NoSuchLimit(name.to_string()))?.into())
}
