//! What clients are shown of a job: the fifteen keys of the reference, in its order, each always
//! there.

use domain::job::{self, Status, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::state::State;

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
    /// The job as it is shown, with the number of the one that comes after it; of its result, the
    /// tasks at these places are left out.
    pub(super) fn new(job: job::Job, next: Option<u64>, omitted_tasks: &[usize]) -> Job {
        let change_score = job.result.as_ref().and_then(change_score);
        let exception = exception(&job);
        let finished_devices = job.started_at.map(|_| finished_devices(job.progress.as_ref()));
        let mut result = job.result.or_else(|| reason(job.status, job.cancelled.as_ref()));
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
            function_name: job.spec.action.into(),
            scheduled_by: job.spec.scheduled_by,
            comment: job.spec.comment,
            ticket_ref: job.spec.ticket_ref,
            next_job_id: next,
            result,
            exception,
            finished_devices,
            change_score,
            start_arguments: job.spec.parameters,
        }
    }
}

/// A moment as Python writes one in UTC without saying so: microseconds unless they are zero.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let text = text.trim_end_matches('Z');
    if text.contains('.') { format!("{text}000") } else { text.to_owned() }
}

/// Of a result that says how much it changed; nothing is no number.
pub(super) fn change_score(result: &Value) -> Option<i64> {
    result.get("change_score")?.as_i64().filter(|score| *score != 0)
}

/// Who ended a job that has no result of its own, and why.
fn reason(status: Status, cancelled: Option<&job::Cancellation>) -> Option<Value> {
    let message = cancelled.map(abort_message)?;
    (status == Status::Cancel).then(|| json!({"message": message}))
}

/// What the reference says of an abort.
pub(super) fn abort_message(cancelled: &job::Cancellation) -> String {
    let or = |text: &str, otherwise: &str| {
        if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
    };
    let reason = or(&cancelled.reason, "Aborted via API call");
    format!("{reason} (aborted by {})", or(&cancelled.by, "unknown"))
}

fn exception(job: &job::Job) -> Option<Value> {
    let shown = |kind: &str, message: &str, traceback: &str| {
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
            Some(shown(kind, message, &traceback))
        }
        None if job.status == Status::WorkerShutdown => {
            let message = "the worker shut down before the job was over; another job carries on";
            Some(shown("WorkerShutdown", message, ""))
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

/// Leaves out tasks of each device by their places, if it has them all.
fn omit_tasks(result: &mut Value, places: &[usize]) {
    let devices = result.get_mut("devices").and_then(Value::as_object_mut);
    for device in devices.into_iter().flat_map(|devices| devices.values_mut()) {
        let Some(tasks) = device.get_mut("job_tasks").and_then(Value::as_array_mut) else {
            continue;
        };
        let mut left = tasks.clone();
        if places.iter().all(|place| *place < left.len() && !left.remove(*place).is_null()) {
            *tasks = left;
        }
    }
}

#[cfg(test)]
mod tests;
