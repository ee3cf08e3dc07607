//! Listing, showing, setting and clearing locks.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;

use super::docs::{Away, BadBody, BadQuery, NoLock, TooLarge, WrongType};
use super::lock::{Lock, Locks, SetLock};
use super::path::OfLock;
use super::query::{NoQuery, Query};
use super::{Refusal, body};
use crate::app::{App, in_time};
use crate::error::Error;

const BODY_BYTES: usize = 64 * 1024;
/// How many locks a page has unless its reader says, and at most.
const PAGE: u32 = 100;
const MOST: u32 = 1000;

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
        BadQuery, Away,
    ),
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<([(&'static str, String); 1], Json<Locks>), Refusal> {
    let query = Query::read(raw.as_deref(), &["start", "limit"])?;
    let start = query.number("start", i32::MAX as u32)?.unwrap_or(0);
    let limit = query.number("limit", MOST)?.unwrap_or(PAGE);
    let reading = async { Ok::<_, Error>(app.store.locks(start as usize, limit as usize).await?) };
    let (locks, total) = in_time(reading).await?;
    let locks = locks.into_iter().map(Lock::from).collect();
    Ok(([("x-total-count", total.to_string())], Json(Locks { locks })))
}

/// Sets how many permits a lock has. What is held stays held, also when it is more.
#[utoipa::path(
    post, path = "/locks", operation_id = "SetLock", tag = "locks",
    request_body(content = SetLock, description = "at most 64 KiB"),
    responses(
        (status = 202, body = Lock, description = "the lock as it is now"),
        BadQuery, BadBody, TooLarge, WrongType, Away,
    ),
)]
pub(super) async fn set(
    State(app): State<Arc<App>>,
    _: NoQuery,
    request: Request,
) -> Result<(StatusCode, Json<Lock>), Refusal> {
    let wanted: SetLock = body::read(request, BODY_BYTES).await?;
    let (name, permits) = wanted.wanted()?;
    let setting = async {
        app.store.set_permits(&name, permits).await?;
        Ok::<_, Error>(app.store.lock(&name).await?)
    };
    Ok((StatusCode::ACCEPTED, Json(in_time(setting).await?.into())))
}

/// Shows a lock that somebody holds, waits for, or has set the permits of.
#[utoipa::path(
    get, path = "/locks/{name}", operation_id = "GetLock", tag = "locks",
    params(("name" = String, Path, example = "devices",
        description = "the lock's name; `/` is written `%2F`")),
    responses((status = 200, body = Lock, description = "the lock"), BadQuery, NoLock, Away),
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    OfLock(name): OfLock,
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
    params(("name" = String, Path, example = "devices",
        description = "the lock's name; `/` is written `%2F`")),
    responses((status = 204, description = "nobody holds it, or the next"), BadQuery, NoLock, Away),
)]
pub(super) async fn clear(
    State(app): State<Arc<App>>,
    OfLock(name): OfLock,
    _: NoQuery,
) -> Result<StatusCode, Refusal> {
    let held = !app.store.clear_lock(&name).await?.is_empty();
    // One that is free is there too if somebody has set its permits.
    if held || app.store.is_lock_known(&name).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Error::NoSuchLock(name.to_string()).into())
}
