//! GET and DELETE /joblocks: lists the locks that are held, and clears a lock.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::job::Status;
use domain::lock::LockName;
use serde::Serialize;
use serde_json::Value;
use store::Lock;

use super::envelope::Success;
use super::job::time;
use super::refusal::Refusal;
use crate::app::App;
use crate::body;
use crate::deadline::in_time;
use crate::error::Error;

const BODY_BYTES: usize = 1024 * 1024;
/// The number of locks that are read at a time.
const PAGE: usize = 100;
/// The number of locks that are read at most, because the reference has no pages.
const MAX_LOCKS: usize = 1000;

/// A lock that is held.
#[derive(Debug, Serialize)]
struct HeldLock {
    job_id: u64,
    name: LockName,
    start_time: Option<String>,
    abort: bool,
}

/// A list of locks.
#[derive(Debug, Serialize)]
pub(super) struct HeldLocks {
    locks: Vec<HeldLock>,
}

/// A lock that was cleared.
#[derive(Debug, Serialize)]
pub(super) struct ClearedLock {
    name: LockName,
    status: &'static str,
}

/// Lists the locks that are held, once for each holder. The limits of actions and classes are not
/// listed, because the reference does not have them.
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<Success<HeldLocks>>, Refusal> {
    in_time(async {
        let (mut held, mut start) = (Vec::new(), 0);
        while start < MAX_LOCKS {
            let (locks, total) = app.store.locks(start, PAGE).await?;
            start += PAGE;
            held.extend(locks.iter().filter(|lock| !lock.name.is_reserved()).flat_map(by_holder));
            if start as u64 >= total {
                break;
            }
        }
        Ok(Json(Success::of(HeldLocks { locks: held })))
    })
    .await
}

fn by_holder(lock: &Lock) -> Vec<HeldLock> {
    let one = |holder: &store::Holder| HeldLock {
        job_id: holder.job.number,
        name: lock.name.clone(),
        // Python's `str` formats a time with a space.
        start_time: holder.job.started_at.map(|at| time(at).replace('T', " ")),
        abort: holder.job.status == Status::CancelRequest,
    };
    lock.holders.iter().map(one).collect()
}

/// Clears a lock: revokes it from its holders, which keep running, and grants it to the next jobs
/// in its wait queue.
pub(super) async fn clear(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<Success<ClearedLock>>, Refusal> {
    let (head, body) = request.into_parts();
    let bytes = body::read(&head.headers, body, BODY_BYTES).await?;
    body::require_json(&head.headers)?;
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|error| Error::Json(error.to_string()))?;
    let name = match value.get("name") {
        None | Some(Value::Null) => "",
        Some(Value::String(name)) => name,
        Some(_) => return Err(Error::invalid("name", "it must be a string").into()),
    };
    if name.is_empty() {
        return Err(Refusal::bad("No lock name specified"));
    }
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "No such lock found in database");
    let lock: LockName = name.parse().map_err(|_| unknown())?;
    if lock.is_reserved() {
        return Err(unknown());
    }
    let cleared = in_time(async { Ok::<_, Refusal>(app.store.clear_lock(&lock).await?) }).await?;
    if cleared == 0 {
        return Err(unknown());
    }
    Ok(Json(Success::of(ClearedLock { name: lock, status: "deleted" })))
}
