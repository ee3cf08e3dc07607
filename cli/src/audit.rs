//! `capstan audit`: who changed what, and which requests were refused.

use clap::Args;
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult};
use serde_json::Value;

use crate::columns::Column;
use crate::flags::{OutputFlags, Paging, TimeOrAge};
use crate::record::plain;
use crate::requests::{List, print_list};

/// The arguments of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// Only requests with the token of this name
    #[arg(long, value_name = "NAME")]
    who: Option<String>,

    /// Only requests since this time (RFC 3339) or within this long (1h, 90m)
    #[arg(long, value_name = "TIME")]
    since: Option<TimeOrAge>,

    /// Only refused requests; with =false, only changes
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    refused: Option<bool>,

    #[command(flatten)]
    paging: Paging<100>,

    #[command(flatten)]
    output: OutputFlags,
}

/// The audit log.
pub(crate) const ENTRIES: List<Value> = List {
    path: "/audit",
    key: "audit",
    name: "id",
    columns: &[
        Column::new("AT", "when the request was answered", |one: &Value| plain(&one["at"])),
        Column::whole("WHO", "name of the token", |one| plain(&one["who"])),
        Column::new("ROLE", "role of the token", |one| plain(&one["role"])),
        Column::new("FROM", "address of the client", |one| plain(&one["from"])),
        Column::new("METHOD", "method of the request", |one| plain(&one["method"])),
        Column::new("PATH", "path of the request", |one| plain(&one["path"])),
        Column::new("STATUS", "status of the answer; 403 is refused", |one| plain(&one["status"])),
        Column::new("SUBJECT", "what was created or changed, if the path does not say", |one| {
            plain(&one["subject"])
        }),
        Column::wide("QUERY", "query of the request", |one| plain(&one["query"])),
    ],
};

/// Lists the audit log, newest first.
pub(crate) async fn run(api: &ApiClient, arguments: &AuditArguments) -> CommandResult {
    print_list(api, &ENTRIES, &arguments.query(), arguments.output).await?;
    Ok(CommandOutcome::Success)
}

impl AuditArguments {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        query.extend(self.who.clone().map(|who| ("who", who)));
        query.extend(self.since.map(|since| ("since", since.to_string())));
        query.extend(self.refused.map(|refused| ("refused", refused.to_string())));
        query.extend(self.paging.query());
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;

    #[test]
    fn filters_become_query_parameters() {
        let query = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let query = arguments::<AuditArguments>(&words).unwrap().query().into_iter();
            query.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(query(""), "start=0 limit=100");
        let line = "--who ci --since 2026-11-20T16:30:00Z --refused --limit 5";
        let expected = "who=ci since=2026-11-20T16:30:00Z refused=true start=0 limit=5";
        assert_eq!(query(line), expected);
    }
}
