//! `capstan jobs list`.

use clap::Args;
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult, table};
use client::wire::Job;
use domain::job::JobId;

use super::filters::Filters;
use crate::flags::Paging;
use crate::requests::{List, print_list};

/// The arguments of `jobs list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    filters: Filters,

    /// Only children of this job, or of a job that it continues
    #[arg(long, value_name = "ID")]
    parent: Option<JobId>,

    #[command(flatten)]
    paging: Paging<10>,

    /// Print the API's answer as JSON
    #[arg(long)]
    json: bool,
}

impl ListArguments {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = self.filters.query();
        query.extend(self.parent.map(|parent| ("parent", parent.to_string())));
        query.extend(self.paging.query());
        query
    }
}

/// Lists jobs.
pub(super) async fn run(api: &ApiClient, arguments: &ListArguments) -> CommandResult {
    let jobs = List { path: "/jobs", key: "jobs" };
    print_list(api, jobs, &arguments.query(), arguments.json, job_table).await?;
    Ok(CommandOutcome::Success)
}

fn job_table(jobs: &[Job]) -> String {
    let rows = jobs.iter().map(|job| {
        vec![
            job.id.to_string(),
            job.action.clone(),
            job.status.to_string(),
            job.worker_id.clone(),
            job.capacity_map.to_string(),
            job.scheduled_at.to_string(),
            run_time(job),
        ]
    });
    table(&["ID", "ACTION", "STATUS", "WORKER", "CAPACITY", "SCHEDULED AT", "RUN TIME"], rows)
}

fn run_time(job: &Job) -> String {
    match (job.started_at, job.finished_at) {
        (Some(start), Some(end)) => format!("{:.3} s", (end.ms() - start.ms()) as f64 / 1000.0),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;
    use expect_test::expect;
    use serde_json::json;

    fn query(line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let query = arguments::<ListArguments>(&words).unwrap().query().into_iter();
        query.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn filters_become_query_parameters() {
        expect!["start=0 limit=10"].assert_eq(&query(""));
        expect!["running=true start=0 limit=10"].assert_eq(&query("--running"));
        expect!["running=false start=0 limit=10"].assert_eq(&query("--running=false"));
        let parent = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        let expected = format!("parent={parent} start=0 limit=10");
        assert_eq!(query(&format!("--parent {parent}")), expected);
        let line = "--action sleep --worker 0000000000aa --status done,worker_dead \
                    --since 2026-11-20T16:30:00Z --start 20 --limit 5";
        let expected = "action=sleep worker=0000000000aa status=done,worker_dead \
                        since=2026-11-20T16:30:00Z start=20 limit=5";
        assert_eq!(query(line), expected);
    }

    #[test]
    fn each_job_is_one_row() {
        let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        let jobs = json!([
            {"id": id, "workerID": "0000000000aa", "status": "done", "action": "sleep",
             "scheduledAt": "2026-11-20T16:30:00Z", "capacityMap": {"scan": 1},
             "startedAt": "2026-11-20T16:30:00.002Z", "finishedAt": "2026-11-20T16:30:03.012Z"},
            {"id": id, "workerID": "", "status": "cancel_request", "action": "sleep",
             "scheduledAt": "2026-11-20T16:30:00Z", "capacityMap": null},
        ]);
        let jobs: Vec<Job> = serde_json::from_value(jobs).unwrap();
        expect![[r#"
            ID                                    ACTION  STATUS          WORKER        CAPACITY  SCHEDULED AT          RUN TIME
            1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b  sleep   done            0000000000aa  scan=1    2026-11-20T16:30:00Z  3.010 s
            1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b  sleep   cancel_request                          2026-11-20T16:30:00Z
        "#]].assert_eq(&(job_table(&jobs) + "\n"));
    }
}
