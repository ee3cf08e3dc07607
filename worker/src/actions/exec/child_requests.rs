//! The children that a command requests through its pipe, and what it waits for. Children are created
//! as the lines arrive, those of one read together. An invalid line fails the run, so that a run never
//! succeeds without one of its children.

use domain::job::{Exception, JobId};
use domain::signal::SignalWait;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::LogSource;
use tokio_util::sync::CancellationToken;

use super::pipe_lines::{Lines, PipeLines};
use crate::context::child::Child;
use crate::context::child_jobs::ChildJobs;
use crate::context::log_writer::JobLog;
use crate::context::signals::Signals;

/// The longest line: the largest parameters and the other fields.
pub(super) const LINE_BYTES: usize = 128 * 1024;

/// The longest error message about a line.
const MESSAGE_CHARACTERS: usize = 512;

/// A line of the pipe.
#[derive(Debug, PartialEq)]
pub(crate) enum ChildRequest {
    /// Create a child.
    Spawn(Box<Child>),
    /// Wait for the children when the command succeeds.
    Await,
    /// Wait for a signal when the command succeeds.
    Wait(SignalWait),
}

/// The form of [`ChildRequest::Await`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AwaitLine {
    r#await: bool,
}

/// The form of [`ChildRequest::Wait`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitLine {
    wait: SignalWait,
}

impl ChildRequest {
    /// Parses a line of JSON.
    pub(crate) fn parse(line: &[u8]) -> Result<ChildRequest, String> {
        let value: Value =
            serde_json::from_slice(line).map_err(|error| format!("not valid JSON: {error}"))?;
        if !value.is_object() {
            return Err("not a JSON object".to_owned());
        }
        if value.get("wait").is_some() {
            let WaitLine { wait } = deserialize(value)?;
            return Ok(ChildRequest::Wait(wait));
        }
        if value.get("await").is_none() {
            return Ok(ChildRequest::Spawn(Box::new(deserialize(value)?)));
        }
        let AwaitLine { r#await } = deserialize(value)?;
        if r#await { Ok(ChildRequest::Await) } else { Err("await: it must be true".to_owned()) }
    }
}

/// Creates the requested children until the command is `over` and all lines are read. After an
/// error the remaining lines are read and ignored, so that the command does not block.
pub(super) async fn create_children(
    mut pipe: PipeLines,
    (children, signals): (&ChildJobs, &Signals),
    log: &JobLog,
    over: &CancellationToken,
) -> Result<(), Exception> {
    let (mut ids, mut outcome) = (Vec::new(), Ok(()));
    while let Some(read) = pipe.next(over).await {
        if outcome.is_ok() {
            outcome = create(&read, (children, signals), &mut ids).await;
            if let Err(Exception { message, .. }) = &outcome {
                let line = format!("{message}; no more children are created, and the run fails");
                log.line(LogSource::Capstan, line).await;
            }
        }
    }
    outcome
}

/// Creates the children of one read, up to the first invalid line.
async fn create(
    read: &Lines,
    (children, signals): (&ChildJobs, &Signals),
    ids: &mut Vec<JobId>,
) -> Result<(), Exception> {
    let (mut requested, mut error) = (Vec::new(), None);
    for line in &read.lines {
        match ChildRequest::parse(line) {
            Ok(ChildRequest::Spawn(child)) => requested.push(*child),
            Ok(ChildRequest::Await) => children.await_children(),
            Ok(ChildRequest::Wait(wait)) => signals.wait_for(wait),
            Err(why) => {
                let index = ids.len() + requested.len();
                error = Some(bad_child(format!("child {index}: {why}")));
                break;
            }
        }
    }
    if !requested.is_empty() {
        children.spawn_after(ids, requested).await?;
    }
    if read.too_long && error.is_none() {
        error = Some(bad_child(format!("a child has more than {LINE_BYTES} bytes")));
    }
    error.map_or(Ok(()), Err)
}

fn bad_child(message: String) -> Exception {
    Exception::new("BadChild", message)
}

fn deserialize<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    let message = |error: serde_path_to_error::Error<serde_json::Error>| {
        let message = match error.path().to_string() {
            path if path == "." => error.inner().to_string(),
            path => format!("{path}: {}", error.inner()),
        };
        message.chars().take(MESSAGE_CHARACTERS).collect()
    };
    serde_path_to_error::deserialize(value).map_err(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_requests_a_child_or_waits_for_all_of_them_or_for_a_signal() {
        let line = br#"{"action": "scan", "key": "k", "parameters": {"a": 1}}"#;
        let child = Child::of("scan").key("k").parameter("a", 1);
        assert_eq!(ChildRequest::parse(line), Ok(ChildRequest::Spawn(Box::new(child))));
        assert_eq!(ChildRequest::parse(br#"{"await": true}"#), Ok(ChildRequest::Await));
        let wait = br#"{"wait": {"signal": "approved", "timeout": "1h"}}"#;
        let expected = SignalWait {
            signal: "approved".parse().unwrap(),
            timeout: "1h".parse().unwrap(),
            roles: Vec::new(),
        };
        assert_eq!(ChildRequest::parse(wait), Ok(ChildRequest::Wait(expected)));
        let invalid = [
            ("scan", "not valid JSON: expected value"),
            ("[]", "not a JSON object"),
            (r#"{"action": 7}"#, "action: invalid type: integer"),
            (r#"{"action": "a", "parent": "x"}"#, "unknown field `parent`"),
            (r#"{"action": "a", "deadline": "x"}"#, "deadline: "),
            (r#"{"wait": {"signal": "a b"}}"#, "wait.signal: \"a b\" is not a valid signal name"),
            (r#"{"wait": {"signal": "a", "timeout": "1"}}"#, "wait.timeout: "),
            (r#"{"wait": {}}"#, "wait: missing field `signal`"),
            (r#"{"wait": {"signal": "a"}, "action": "a"}"#, "unknown field `action`"),
            (r#"{"await": false}"#, "await: it must be true"),
            (r#"{"await": true, "action": "a"}"#, "action: unknown field"),
        ];
        for (line, why) in invalid {
            let message = ChildRequest::parse(line.as_bytes()).unwrap_err();
            assert!(message.contains(why), "{line}: {message}");
        }
    }
}
