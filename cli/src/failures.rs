//! `capstan failures`: what fails, grouped by action, type of exception and message.

use clap::Args;
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult};
use client::wire::FailureGroup;

use crate::columns::Column;
use crate::flags::{OutputFlags, TimeOrAge};
use crate::requests::{List, print_list};

/// The arguments of `failures`.
#[derive(Debug, Args)]
pub(crate) struct FailuresArguments {
    /// Only failures since this time (RFC 3339) or within this long (1h, 90m), at most 168h
    #[arg(long, value_name = "TIME", default_value = "1h")]
    since: TimeOrAge,

    #[command(flatten)]
    output: OutputFlags,
}

/// The list of failures.
pub(crate) const FAILURES: List<FailureGroup> = List {
    path: "/failures",
    key: "groups",
    name: "fingerprint",
    columns: &[
        Column::whole("COUNT", "how many jobs failed", |one: &FailureGroup| one.count.to_string()),
        Column::new("ACTION", "action of the jobs", |one| one.action.clone()),
        Column::new("TYPE", "type of the exception", |one| one.kind.clone()),
        Column::new("MESSAGE", "its message, with numbers and ids masked", |one| {
            one.message.clone()
        }),
        Column::new("LAST SEEN", "when the last job failed", |one| one.last_seen.clone()),
        Column::whole("FINGERPRINT", "for `capstan jobs list --fingerprint`", |one| {
            one.fingerprint.clone()
        }),
        Column::wide("FIRST SEEN", "when the first job failed", |one| one.first_seen.clone()),
        Column::wide("LAST JOB", "the last job that failed", |one| one.sample_id.clone()),
    ],
};

/// Lists failures.
pub(crate) async fn run(api: &ApiClient, arguments: &FailuresArguments) -> CommandResult {
    let query = [("since", arguments.since.to_string())];
    print_list(api, &FAILURES, &query, arguments.output).await?;
    Ok(CommandOutcome::Success)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::lay_out;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn each_group_is_one_row() {
        let groups = json!([
            {"fingerprint": "4f0c1c39d2c0a7be", "action": "scan", "type": "ExitCode",
             "message": "exit code <n>\u{1b}[2J", "count": 12, "counts": [],
             "firstSeen": "2026-11-20T16:02:11Z", "lastSeen": "2026-11-20T16:54:34Z",
             "sampleID": "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b"},
        ]);
        let groups: Vec<FailureGroup> = serde_json::from_value(groups).unwrap();
        expect![[r#"
            COUNT  ACTION  TYPE      MESSAGE               LAST SEEN             FINGERPRINT
            12     scan    ExitCode  exit code <n>\x1b[2J  2026-11-20T16:54:34Z  4f0c1c39d2c0a7be
        "#]]
        .assert_eq(&(lay_out(FAILURES.columns, &groups, false, None) + "\n"));
    }
}
