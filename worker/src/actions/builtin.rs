//! The actions that every worker has, to try a fleet with: `sleep`, `false`, `noop`; and `webhook` and `deliver`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use domain::job::{ActionName, Exception};
use store::{Source, Store};

use super::{Action, Context, Ended, webhook};
use crate::board::asked_to_stop;

const DEFAULT_SLEEP_S: f64 = 60.0;

pub(super) fn all(
    webhooks: &webhook::Client,
    store: &Store,
) -> BTreeMap<ActionName, Arc<dyn Action>> {
    let actions: [(&str, Arc<dyn Action>); 5] = [
        ("sleep", Arc::new(Sleep)),
        ("false", Arc::new(False)),
        ("noop", Arc::new(Noop)),
        ("webhook", Arc::new(webhooks.anywhere())),
        (ActionName::DELIVER, Arc::new(webhooks.deliver(store.clone()))),
    ];
    actions.into_iter().filter_map(|(name, action)| Some((name.parse().ok()?, action))).collect()
}

/// Sleeps for `seconds` (a number, or a text that is one), 60 unless told.
struct Sleep;

impl Action for Sleep {
    fn run(&self, mut context: Context) -> BoxFuture<'_, Ended> {
        async move {
            let duration = seconds(context.job.spec.parameters.as_ref())?;
            context.log.line(Source::Stdout, format!("sleeping for {duration:?}")).await;
            tokio::select! {
                () = tokio::time::sleep(duration) => Ok(None),
                () = asked_to_stop(&mut context.signal) => {
                    Err(Exception::new("Stopped", "the sleep was ended early"))
                }
            }
        }
        .boxed()
    }
}

fn seconds(parameters: Option<&Map<String, Value>>) -> Result<Duration, Exception> {
    let given = parameters.and_then(|parameters| parameters.get("seconds"));
    let seconds = match given {
        None | Some(Value::Null) => Some(DEFAULT_SLEEP_S),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
    };
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| {
        let message = "parameter seconds must be a number that is not negative, like 60 or \"60\"";
        Exception::new("BadParameter", message)
    })
}

/// Always fails.
struct False;

impl Action for False {
    fn run(&self, _context: Context) -> BoxFuture<'_, Ended> {
        async { Err(Exception::new("ExitCode", "exit status 1")) }.boxed()
    }
}

/// Ends at once. With `"clock": true` it answers when it began, for benches on one machine.
struct Noop;

impl Action for Noop {
    fn run(&self, context: Context) -> BoxFuture<'_, Ended> {
        let asked = context.job.spec.parameters.as_ref().and_then(|all| all.get("clock"));
        let clock = asked == Some(&Value::Bool(true));
        let began = clock.then(|| json!({"startedMicros": chrono::Utc::now().timestamp_micros()}));
        async { Ok(began) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_be_a_number_or_a_text_that_is_one() {
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
            let read = seconds(parameters.as_object());
            assert_eq!(read.ok(), ms.map(Duration::from_millis), "{parameters}");
        }
    }
}
