//! The built-in actions `sleep`, `false` and `noop`, for trying out a fleet.

use std::time::Duration;

use domain::job::Exception;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use store::LogSource;

use crate::action::{Action, ActionResult};
use crate::context::Context;
use crate::context::stop::stop_requested;

const DEFAULT_SLEEP_S: f64 = 60.0;
const MAX_LOG_LINES: u64 = 1000;

/// Sleeps for `seconds` (a number or a numeric string), 60 by default.
pub(super) struct Sleep;

impl Action for Sleep {
    fn run(&self, mut context: Context) -> BoxFuture<'_, ActionResult> {
        async move {
            let duration = sleep_duration(context.job.spec.parameters.as_ref())?;
            context.log.line(LogSource::Stdout, format!("sleeping for {duration:?}")).await;
            tokio::select! {
                () = tokio::time::sleep(duration) => Ok(None),
                () = stop_requested(&mut context.stop) => {
                    Err(Exception::new("Stopped", "the sleep was interrupted"))
                }
            }
        }
        .boxed()
    }
}

fn sleep_duration(parameters: Option<&Map<String, Value>>) -> Result<Duration, Exception> {
    let parameter = parameters.and_then(|parameters| parameters.get("seconds"));
    let seconds = match parameter {
        None | Some(Value::Null) => Some(DEFAULT_SLEEP_S),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
    };
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| {
        let message = "parameter seconds must be a non-negative number such as 60 or \"60\"";
        Exception::new("BadParameter", message)
    })
}

/// Always fails.
pub(super) struct False;

impl Action for False {
    fn run(&self, _context: Context) -> BoxFuture<'_, ActionResult> {
        async { Err(Exception::new("ExitCode", "exit status 1")) }.boxed()
    }
}

/// Does nothing. Two parameters are for benchmarks: with `"clock": true`, the result is its start
/// time by the clock of the machine; with `"logLines": 10`, it logs 10 lines.
pub(super) struct Noop;

impl Action for Noop {
    fn run(&self, context: Context) -> BoxFuture<'_, ActionResult> {
        let parameter = |name| context.job.spec.parameters.as_ref().and_then(|all| all.get(name));
        let clock = parameter("clock") == Some(&Value::Bool(true));
        let result = clock.then(|| json!({"startedMicros": chrono::Utc::now().timestamp_micros()}));
        let lines = log_lines(parameter("logLines"));
        async move {
            for number in 1..=lines? {
                context.log.line(LogSource::Stdout, format!("line {number}")).await;
            }
            Ok(result)
        }
        .boxed()
    }
}

fn log_lines(parameter: Option<&Value>) -> Result<u64, Exception> {
    let lines = parameter.map_or(Some(0), Value::as_u64);
    lines.filter(|lines| *lines <= MAX_LOG_LINES).ok_or_else(|| {
        let message = format!("parameter logLines must be a whole number up to {MAX_LOG_LINES}");
        Exception::new("BadParameter", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_be_a_number_or_a_numeric_string() {
        let cases = [
            (json!({}), Some(60_000)),
            (json!({"seconds": null}), Some(60_000)),
            (json!({"seconds": 2}), Some(2_000)),
            (json!({"seconds": "0.25"}), Some(250)),
            (json!({"seconds": -1}), None),
            (json!({"seconds": "x"}), None),
            (json!({"seconds": "NaN"}), None),
            (json!({"seconds": 1e300}), None),
            (json!({"seconds": [1]}), None),
        ];
        for (parameters, ms) in cases {
            let duration = sleep_duration(parameters.as_object());
            assert_eq!(duration.ok(), ms.map(Duration::from_millis), "{parameters}");
        }
    }

    #[test]
    fn log_lines_are_a_whole_number() {
        let lines = |value| log_lines(Some(&value)).ok();
        assert_eq!(log_lines(None).ok(), Some(0));
        assert_eq!(lines(json!(10)), Some(10));
        for wrong in [json!(1001), json!(-1), json!(1.5), json!("10"), json!(null)] {
            assert_eq!(lines(wrong.clone()), None, "{wrong}");
        }
    }
}
