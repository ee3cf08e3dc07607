//! GET and DELETE /joblocks: which locks are held, and a lock taken from whoever holds it.

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

/// The largest body.
const BODY_BYTES: usize = 1024 * 1024;
/// How many locks are read at once, and shown at most: the reference has no pages.
const PAGE: usize = 100;
const MAX: usize = 1000;

/// A lock that is held.
#[derive(Debug, Serialize)]
struct Held {
    job_id: u64,
    name: LockName,
    start_time: Option<String>,
    abort: bool,
}

/// Those that are.
#[derive(Debug, Serialize)]
pub(super) struct Locks {
    locks: Vec<Held>,
}

/// What is gone.
#[derive(Debug, Serialize)]
pub(super) struct Cleared {
    name: LockName,
    status: &'static str,
}

/// Lists the locks that are held; one with several holders several times. The limits of actions and
/// classes, which the reference does not know, are not among them.
pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<Success<Locks>>, Refusal> {
    in_time(async {
        let (mut shown, mut start) = (Vec::new(), 0);
        while start < MAX {
            let (locks, total) = app.store.locks(start, PAGE).await?;
            start += PAGE;
            shown.extend(locks.iter().filter(|lock| !lock.name.is_reserved()).flat_map(held));
            if start as u64 >= total {
                break;
            }
        }
        Ok(Json(Success::of(Locks { locks: shown })))
    })
    .await
}

fn held(lock: &Lock) -> Vec<Held> {
    let one = |holder: &store::Holder| Held {
        job_id: holder.job.number,
        name: lock.name.clone(),
        // As Python's `str` writes a moment: with a space.
        start_time: holder.job.started_at.map(|at| time(at).replace('T', " ")),
        abort: holder.job.status == Status::CancelRequest,
    };
    lock.holders.iter().map(one).collect()
}

/// Clears a lock; the next in line gets it. Who held it goes on.
pub(super) async fn clear(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<Success<Cleared>>, Refusal> {
    let (head, body) = request.into_parts();
    let bytes = body::read(&head.headers, body, BODY_BYTES).await?;
    body::require_json(&head.headers)?;
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|error| Error::Json(error.to_string()))?;
    let name = match value.get("name") {
        None | Some(Value::Null) => "",
        Some(Value::String(name)) => name,
        Some(_) => return Err(Error::invalid("name", "it must be a text").into()),
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
    if cleared.is_empty() {
        return Err(unknown());
    }
    Ok(Json(Success::of(Cleared { name: lock, status: "deleted" })))
}
