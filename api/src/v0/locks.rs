//! Locks: list, show, configure and clear them.

pub(super) mod lock;

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;

use crate::app::App;
use crate::commands;
use crate::deadline::in_time;
use crate::error::Error;
use crate::query::Query;
use crate::v0::wire::body;
use crate::v0::wire::pagination::{Paged, paged};
use crate::v0::wire::path::LockPath;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, NoLock, StoreUnavailable, TooLarge, WrongType,
};
use lock::{Lock, LockList, SetLock};

const BODY_BYTES: usize = 64 * 1024;
const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// Lists the locks that are held, waited for or configured, ordered by name.
#[utoipa::path(
    get, path = "/locks", operation_id = "ListLocks", tag = "locks",
    params(
        ("start" = Option<i32>, Query, minimum = 0, example = 0,
            description = "The offset of the first lock. Defaults to 0."),
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 1000, example = 100,
            description = "The maximum number of locks. Defaults to 100."),
    ),
    responses(
        (status = 200, body = LockList, description = "A page of locks.",
            headers(("X-Total-Count" = u64, description = "The total number of locks."))),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Paged<LockList>, Refusal> {
    let query = Query::read(raw.as_deref(), &["start", "limit"])?;
    let (start, limit) = query.page(DEFAULT_LIMIT, MAX_LIMIT)?;
    let reading = async { Ok::<_, Error>(app.store.locks(start, limit).await?) };
    let (locks, total) = in_time(reading).await?;
    let locks = locks.into_iter().map(Lock::from).collect();
    Ok(paged(total, LockList { locks }))
}

/// Sets the number of permits of a lock. Permits that are held stay held, even if they exceed it.
#[utoipa::path(
    post, path = "/locks", operation_id = "SetLock", tag = "locks",
    request_body(content = SetLock, description = "At most 64 KiB."),
    responses(
        (status = 202, body = Lock, description = "The lock."),
        BadQuery, BadBody, TooLarge, WrongType, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn set(
    State(app): State<Arc<App>>,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Lock>), Refusal> {
    let request: SetLock = body::read(request, BODY_BYTES).await?;
    let (name, permits) = request.validate()?;
    let setting = async {
        app.store.set_permits(&name, permits).await?;
        Ok::<_, Error>(app.store.lock(&name).await?)
    };
    Ok((StatusCode::ACCEPTED, Json(in_time(setting).await?.into())))
}

/// Returns a lock that is held, waited for or configured.
#[utoipa::path(
    get, path = "/locks/{name}", operation_id = "GetLock", tag = "locks",
    params(LockPath),
    responses(
        (status = 200, body = Lock, description = "The lock."), BadQuery, NoLock, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    LockPath(name): LockPath,
    _: NoQuery,
) -> Result<Json<Lock>, Refusal> {
    if !app.store.is_lock_known(&name).await? {
        return Err(Error::NoSuchLock(name.to_string()).into());
    }
    Ok(Json(app.store.lock(&name).await?.into()))
}

/// Clears a lock: revokes it from its holders and grants it to the next jobs in its wait queue.
///
/// The previous holders keep running. The resource that the lock protects can reject them by their
/// fencing tokens. The configured number of permits does not change.
#[utoipa::path(
    delete, path = "/locks/{name}", operation_id = "ClearLock", tag = "locks",
    params(LockPath),
    responses(
        (status = 204, description = "The lock is cleared."), BadQuery, NoLock, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn clear(
    State(app): State<Arc<App>>,
    LockPath(name): LockPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    commands::lock::clear(&app, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
