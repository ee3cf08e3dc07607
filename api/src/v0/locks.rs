//! Locks: listing, showing, configuring and clearing them.

pub(super) mod lock;

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;

use crate::app::App;
use crate::deadline::in_time;
use crate::error::Error;
use crate::v0::wire::body;
use crate::v0::wire::pagination::{Paged, paged, read_page};
use crate::v0::wire::path::LockPath;
use crate::v0::wire::query::{NoQuery, Query};
use crate::v0::wire::refusal::Refusal;
use crate::v0::wire::responses::{
    BadBody, BadQuery, NoLock, StoreUnavailable, TooLarge, WrongType,
};
use lock::{Lock, Locks, SetLock};

const BODY_BYTES: usize = 64 * 1024;
/// How many locks a page has unless its reader says, and at most.
const PAGE: u32 = 100;
const MAX: u32 = 1000;

/// Lists the locks that somebody holds, waits for, or has set the permits of, by name.
#[utoipa::path(
    get, path = "/locks", operation_id = "ListLocks", tag = "locks",
    params(
        ("start" = Option<i32>, Query, minimum = 0, example = 0,
            description = "from which place of the list on; 0 unless given"),
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 1000, example = 100,
            description = "how many at most; 100 unless given"),
    ),
    responses(
        (status = 200, body = Locks, description = "a page of the list",
            headers(("X-Total-Count" = u64, description = "how many locks there are in all"))),
        BadQuery, StoreUnavailable,
    ),
)]
pub(in crate::v0) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Paged<Locks>, Refusal> {
    let query = Query::read(raw.as_deref(), &["start", "limit"])?;
    let (start, limit) = read_page(&query, PAGE, MAX)?;
    let reading = async { Ok::<_, Error>(app.store.locks(start, limit).await?) };
    let (locks, total) = in_time(reading).await?;
    let locks = locks.into_iter().map(Lock::from).collect();
    Ok(paged(total, Locks { locks }))
}

/// Sets how many permits a lock has. What is held stays held, also when it is more.
#[utoipa::path(
    post, path = "/locks", operation_id = "SetLock", tag = "locks",
    request_body(content = SetLock, description = "at most 64 KiB"),
    responses(
        (status = 202, body = Lock, description = "the lock as it is now"),
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

/// Shows a lock that somebody holds, waits for, or has set the permits of.
#[utoipa::path(
    get, path = "/locks/{name}", operation_id = "GetLock", tag = "locks",
    params(LockPath),
    responses((status = 200, body = Lock, description = "the lock"), BadQuery, NoLock, StoreUnavailable),
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

/// Takes a lock from all who hold it, and gives it to the next in line. Those who held it go on
/// running: what the lock protects can tell them by their fencing tokens. Permits that are set stay.
#[utoipa::path(
    delete, path = "/locks/{name}", operation_id = "ClearLock", tag = "locks",
    params(LockPath),
    responses((status = 204, description = "nobody holds it, or the next"), BadQuery, NoLock, StoreUnavailable),
)]
pub(in crate::v0) async fn clear(
    State(app): State<Arc<App>>,
    LockPath(name): LockPath,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    let held = !app.store.clear_lock(&name).await?.is_empty();
    // One that is free is there too if somebody has set its permits.
    if held || app.store.is_lock_known(&name).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Error::NoSuchLock(name.to_string()).into())
}
