//! A job in the JSON of this surface: the fifteen keys of the reference, in its order. Every key is
//! always present.

use domain::job::{self, Status, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::state::State;
use crate::redaction::shown_parameters;

/// A job.
#[derive(Debug, Serialize)]
pub(super) struct Job {
    id: u64,
    status: &'static str,
    scheduled_time: String,
    start_time: Option<String>,
    finish_time: Option<String>,
    function_name: String,
    scheduled_by: Option<String>,
    comment: Option<String>,
    ticket_ref: Option<String>,
    next_job_id: Option<u64>,
    result: Option<Value>,
    exception: Option<Value>,
    finished_devices: Option<Vec<String>>,
    change_score: Option<i64>,
    start_arguments: Option<Map<String, Value>>,
}

impl Job {
    /// Converts a job. `next` is the number of the job that follows it. The tasks at the indexes
    /// `omitted_tasks` are removed from its result.
    pub(super) fn new(job: job::Job, next: Option<u64>, omitted_tasks: &[usize]) -> Job {
        let change_score = job.result.as_ref().and_then(change_score);
        let exception = exception(&job);
        let finished_devices = job.started_at.map(|_| finished_devices(job.progress.as_ref()));
        let mut result = job.result.or_else(|| abort_result(job.status, job.cancelled.as_ref()));
        if let Some(result) = &mut result
            && job.spec.action.as_str().starts_with("sync_devices")
        {
            omit_tasks(result, omitted_tasks);
        }
        Job {
            id: job.number,
            status: State::of(job.status).as_str(),
            scheduled_time: time(job.scheduled_at),
            start_time: job.started_at.map(time),
            finish_time: job.finished_at.map(time),
            start_arguments: shown_parameters(&job.spec.action, job.spec.parameters),
            function_name: job.spec.action.into(),
            scheduled_by: job.spec.scheduled_by,
            comment: job.spec.comment,
            ticket_ref: job.spec.ticket_ref,
            next_job_id: next,
            result,
            exception,
            finished_devices,
            change_score,
        }
    }
}

/// Formats a time as Python's `isoformat` does without a time zone: with microseconds unless they
/// are zero.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let text = text.trim_end_matches('Z');
    if text.contains('.') { format!("{text}000") } else { text.to_owned() }
}

/// Returns the change score of a result, if it has one that is not zero.
pub(super) fn change_score(result: &Value) -> Option<i64> {
    result.get("change_score")?.as_i64().filter(|score| *score != 0)
}

/// Returns the result of an aborted job without a result: who aborted it, and why.
fn abort_result(status: Status, cancelled: Option<&job::Cancellation>) -> Option<Value> {
    let message = cancelled.map(abort_message)?;
    (status == Status::Cancel).then(|| json!({"message": message}))
}

/// Returns the reference's message for an abort.
pub(super) fn abort_message(cancelled: &job::Cancellation) -> String {
    let or_default = |text: &str, default: &str| {
        if text.is_empty() { default.to_owned() } else { text.to_owned() }
    };
    let reason = or_default(&cancelled.reason, "Aborted via API call");
    format!("{reason} (aborted by {})", or_default(&cancelled.by, "unknown"))
}

fn exception(job: &job::Job) -> Option<Value> {
    let exception = |kind: &str, message: &str, traceback: &str| {
        let args = [message];
        json!({"message": message, "type": kind, "args": args, "traceback": traceback})
    };
    match &job.exception {
        Some(job::Exception { kind, message, detail }) => {
            let traceback = match detail {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Object(fields)) if fields.contains_key("traceback") => {
                    fields["traceback"].as_str().unwrap_or_default().to_owned()
                }
                Some(other) => other.to_string(),
                None => String::new(),
            };
            Some(exception(kind, message, &traceback))
        }
        None if job.status == Status::WorkerShutdown => {
            let message =
                "the worker shut down before the job had finished; another job retries it";
            Some(exception("WorkerShutdown", message, ""))
        }
        None => None,
    }
}

fn finished_devices(progress: Option<&Value>) -> Vec<String> {
    let devices = progress.and_then(|progress| progress.get("finished")?.as_array());
    let name =
        |device: &Value| device.as_str().map_or_else(|| device.to_string(), ToOwned::to_owned);
    devices.into_iter().flatten().map(name).collect()
}

/// Removes the tasks at these indexes from each device that has them all.
fn omit_tasks(result: &mut Value, indexes: &[usize]) {
    let devices = result.get_mut("devices").and_then(Value::as_object_mut);
    for device in devices.into_iter().flat_map(|devices| devices.values_mut()) {
        let Some(tasks) = device.get_mut("job_tasks").and_then(Value::as_array_mut) else {
            continue;
        };
        let mut rest = tasks.clone();
        if indexes.iter().all(|index| *index < rest.len() && !rest.remove(*index).is_null()) {
            *tasks = rest;
        }
    }
}

#[cfg(test)]
mod tests;
