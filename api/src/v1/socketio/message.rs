//! The messages about jobs and log lines that Socket.IO clients receive, as in the reference. Pure.

use domain::job::{Job, Status};
use serde_json::{Value, json};
use store::{Event, LogLine};

use crate::v1::job::abort_message;
use crate::v1::state::State;

/// Returns the message for a change of a job; `None` for a change without a message. The job is
/// read after the change.
pub(super) fn job_message(change: &Event, job: Option<&Job>, next: Option<u64>) -> Option<Value> {
    let text = |name: &str| change.fields.get(name).map(String::as_str).unwrap_or_default();
    let number: u64 = text("number").parse().ok()?;
    if let Some(progress) = change.fields.get("progress") {
        let progress: Value = serde_json::from_str(progress).ok()?;
        let finished = progress.get("finished").filter(|finished| finished.is_array())?;
        return Some(json!({"job_id": number, "finished_devices": finished}));
    }
    let status: Status = text("status").parse().ok()?;
    let mut message = json!({"job_id": number, "status": State::of(status).as_str()});
    match status {
        // The reference sends nothing when a job is created or removed, or a dead worker returns.
        Status::Waiting | Status::Deleted | Status::WorkerResurrection => return None,
        Status::Running => {
            message["function_name"] = json!(text("action"));
            message["scheduled_by"] = json!(job.and_then(|job| job.spec.scheduled_by.as_ref()));
        }
        Status::Done => {
            if let Some(next) = next {
                message["next_job_id"] = json!(next);
            }
        }
        Status::Error | Status::WorkerDead | Status::WorkerShutdown => {
            let exception = job.and_then(|job| job.exception.as_ref());
            let text = exception.map_or("", |exception| exception.message.as_str());
            message["exception"] = json!(text);
        }
        // Only a job that had not started.
        Status::Cancel if text("token").is_empty() => {
            let cancelled = job.and_then(|job| job.cancelled.as_ref());
            message["message"] = json!(cancelled.map(abort_message).unwrap_or_default());
        }
        Status::Cancel | Status::CancelRequest => {}
    }
    Some(message)
}

/// Returns a log line in the format of Python's logging, and the rooms that receive it.
pub(super) fn log_message(
    number: u64,
    action: &str,
    line: &LogLine,
) -> (&'static [&'static str], String) {
    let (rooms, level): (&[&str], _) = match line.source.as_str() {
        "stderr" => (&["DEBUG", "INFO", "WARNING"], "WARNING"),
        _ => (&["DEBUG", "INFO"], "INFO"),
    };
    let at = line.at.to_string();
    let (date, time) = at.split_once('T').unwrap_or((&at, ""));
    let seconds = time.get(..8).unwrap_or_default();
    let ms = line.at.ms() % 1000;
    (rooms, format!("[{date} {seconds},{ms:03}] {level} in {action} job #{number}: {}", line.text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::job::Timestamp;
    use expect_test::expect;

    #[test]
    fn changes_have_the_messages_of_the_reference() {
        type Fields<'a> = &'a [(&'a str, &'a str)];
        let changes: [(Fields, Option<u64>); 9] = [
            (&[("status", "waiting")], None),
            (&[("status", "running"), ("action", "gc"), ("token", "5")], None),
            (&[("progress", "{\"finished\":[\"a\"]}")], None),
            (&[("progress", "{\"percent\":5}")], None),
            (&[("status", "cancel_request"), ("token", "5")], None),
            (&[("status", "cancel"), ("token", "5")], None),
            (&[("status", "cancel"), ("token", "")], None),
            (&[("status", "done"), ("token", "5")], Some(8)),
            (&[("status", "worker_dead"), ("token", "5")], None),
        ];
        let messages = changes.map(|(fields, next)| {
            let fields = [("number", "7")].iter().chain(fields);
            let fields = fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let change = Event { id: "1-0".parse().unwrap(), fields: fields.collect() };
            format!("{}\n", json!(job_message(&change, None, next)))
        });
        expect![[r#"
            null
            {"function_name":"gc","job_id":7,"scheduled_by":null,"status":"RUNNING"}
            {"finished_devices":["a"],"job_id":7}
            null
            {"job_id":7,"status":"ABORTING"}
            {"job_id":7,"status":"ABORTED"}
            {"job_id":7,"message":"","status":"ABORTED"}
            {"job_id":7,"next_job_id":8,"status":"FINISHED"}
            {"exception":"","job_id":7,"status":"EXCEPTION"}
        "#]]
        .assert_eq(&messages.concat());
    }

    #[test]
    fn a_log_message_has_the_time_the_level_and_the_job() {
        let line = |ms: i64, source: &str| LogLine {
            number: 0,
            at: Timestamp::from_ms(ms),
            source: source.to_owned(),
            text: "hello".to_owned(),
        };
        let (rooms, text) = log_message(65, "gc", &line(1_704_110_400_024, "stdout"));
        assert_eq!(rooms, ["DEBUG", "INFO"]);
        assert_eq!(text, "[2024-01-01 12:00:00,024] INFO in gc job #65: hello");
        let (rooms, text) = log_message(65, "gc", &line(1_704_110_400_000, "stderr"));
        assert_eq!(rooms, ["DEBUG", "INFO", "WARNING"]);
        assert_eq!(text, "[2024-01-01 12:00:00,000] WARNING in gc job #65: hello");
    }
}
