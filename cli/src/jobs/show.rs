//! `capstan jobs show`.

use clap::Args;
use serde_json::{Map, Value};
use shared::job::JobId;

use crate::api::Api;
use crate::failure::{Ending, Failure};
use crate::out;

/// What `jobs show` is told.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// The job
    id: JobId,

    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// The order in which people are shown the fields; what is not named comes after them.
const ORDER: [&str; 19] = [
    "id",
    "number",
    "action",
    "status",
    "waitingFor",
    "dependsOn",
    "parent",
    "children",
    "locks",
    "holds",
    "exception",
    "result",
    "parameters",
    "capacityMap",
    "workerID",
    "scheduledAt",
    "createdAt",
    "startedAt",
    "finishedAt",
];

/// Shows a job.
pub(crate) async fn run(api: &Api, arguments: &ShowArguments) -> Result<Ending, Failure> {
    let job: Map<String, Value> = api.get(&format!("/jobs/{}", arguments.id)).await?;
    say(&job, arguments.json)?;
    Ok(Ending::Well)
}

/// Prints a job: one field a line, or as JSON.
pub(super) fn say(job: &Map<String, Value>, json: bool) -> Result<(), Failure> {
    if json { out::say_json(job) } else { out::say(lines(job, &ORDER)) }
}

/// One field a line, those of `order` first; fields that say nothing are left out.
pub(crate) fn lines(job: &Map<String, Value>, order: &[&str]) -> String {
    let first = order.iter().filter_map(|name| job.get_key_value(*name));
    let rest = job.iter().filter(|(name, _)| !order.contains(&name.as_str()));
    let rows = first.chain(rest).map(|(name, value)| (name, out::plain(value)));
    let rows = rows.filter(|(_, text)| !text.is_empty());
    rows.map(|(name, text)| format!("{name:<16} {text}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn what_says_nothing_is_left_out() {
        let Value::Object(job) = json!({
            "attempt": 1, "status": "error", "id": "x", "deadline": "", "holds": {},
            "locks": {"devices": 1}, "dependsOn": [], "children": {"open": 1, "failed": 0},
            "capacityMap": null, "parameters": {"seconds": 3},
            "exception": {"type": "ExitCode", "message": "it exited with 1"},
        }) else {
            panic!();
        };
        expect![[r#"
            id               x
            status           error
            children         {"failed":0,"open":1}
            locks            {"devices":1}
            exception        {"message":"it exited with 1","type":"ExitCode"}
            parameters       {"seconds":3}
            attempt          1
        "#]]
        .assert_eq(&(lines(&job, &ORDER) + "\n"));
    }
}
