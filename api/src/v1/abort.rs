//! PUT /job/{number}: aborts a job.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use domain::job::{Cancellation, Status};
use serde_json::{Map, Value};
use store::CancelAnswer;

use super::envelope::{Jobs, Success};
use super::job_number::JobNumber;
use super::list::show_jobs;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::body;
use crate::deadline::in_time;
use crate::error::Error;

const BODY_BYTES: usize = 1024 * 1024;
/// Longer reasons are truncated.
const REASON_CHARACTERS: usize = 255;

/// Aborts a job: a scheduled job immediately; a running job is ABORTING until it has stopped.
pub(super) async fn abort(
    State(app): State<Arc<App>>,
    number: JobNumber,
    request: Request,
) -> Result<Json<Success<Jobs>>, Refusal> {
    let caller = request.extensions().get::<Caller>().cloned().unwrap_or_default();
    let fields = read_fields(request).await?;
    let action = fields.get("action").ok_or_else(|| Refusal::bad("Action must be specified"))?;
    in_time(async {
        let job = number.job(&app.store).await?;
        let action = python_text(action).to_uppercase();
        if action != "ABORT" {
            return Err(Refusal::bad(format!("Unknown action: {action}")));
        }
        caller.check_action(&job.spec.action)?;
        match app.store.cancel(&[job.id], &cancellation(&fields, &caller)).await?[..] {
            [CancelAnswer::Requested(_)] => {}
            [CancelAnswer::Already(status)] => return Err(not_abortable(job.number, status)),
            // The job has been removed since it was found.
            _ => return Err(Refusal::bad(format!("No job with id {} found", job.number))),
        }
        let job = number.job(&app.store).await?;
        Ok(Json(Success::jobs(show_jobs(&app.store, vec![job], &[]).await?)))
    })
    .await
}

/// Reads the fields of the body. An empty body means an abort.
async fn read_fields(request: Request) -> Result<Map<String, Value>, Refusal> {
    let (head, body) = request.into_parts();
    let bytes = body::read(&head.headers, body, BODY_BYTES).await?;
    if bytes.is_empty() {
        return Ok([("action".to_owned(), "ABORT".into())].into_iter().collect());
    }
    body::require_json(&head.headers)?;
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|error| Error::Json(error.to_string()))?;
    let Value::Object(fields) = value else {
        return Err(Error::invalid("body", "it must be a JSON object").into());
    };
    Ok(fields)
}

fn cancellation(fields: &Map<String, Value>, caller: &Caller) -> Cancellation {
    let reason = fields.get("abort_reason").and_then(Value::as_str).unwrap_or_default();
    let reason = reason.chars().take(REASON_CHARACTERS).collect();
    Cancellation { by: caller.name().to_owned(), reason }
}

fn not_abortable(number: u64, status: Status) -> Refusal {
    let state = super::state::State::of(status).as_str();
    Refusal::bad(format!(
        "Job id {number} is in state JobStatus.{state}, must be SCHEDULED or RUNNING to abort"
    ))
}

/// Returns a JSON value as Python's `str` formats it, truncated for a message.
fn python_text(value: &Value) -> String {
    let text = match (value, value.as_str()) {
        (Value::Null, _) => "None".to_owned(),
        (_, Some(text)) => text.to_owned(),
        (other, None) => other.to_string(),
    };
    text.chars().take(64).collect()
}
