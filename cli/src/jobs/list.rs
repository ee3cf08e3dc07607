//! `capstan jobs list`.

use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use shared::job::JobId;

use super::filters::Filters;
use crate::api::{Api, Page};
use crate::failure::{Ending, Failure};
use crate::out;
use crate::wire::{Job, Jobs, units_text};

/// What `jobs list` is told.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    filters: Filters,

    /// Only children of this job, or of one that it carries on
    #[arg(long, value_name = "ID")]
    parent: Option<JobId>,

    /// Leave out so many
    #[arg(long, value_name = "N", default_value_t = 0)]
    start: u64,

    /// Show so many at most, up to 1000
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: u64,

    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

impl ListArguments {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = self.filters.query();
        query.extend(self.parent.map(|parent| ("parent", parent.to_string())));
        query.extend([("start", self.start.to_string()), ("limit", self.limit.to_string())]);
        query
    }
}

/// Lists jobs.
pub(crate) async fn run(api: &Api, arguments: &ListArguments) -> Result<Ending, Failure> {
    let page: Page<Value> = api.page("/jobs", &arguments.query()).await?;
    if arguments.json {
        out::say_json(&page.body)?;
        return Ok(Ending::Well);
    }
    let listed = Jobs::deserialize(&page.body);
    let listed = listed
        .map_err(|error| Failure::Away(format!("the API's answer cannot be read: {error}")))?;
    out::say(table(&listed.jobs))?;
    if let Some(total) = page.total.filter(|total| *total > listed.jobs.len() as u64) {
        out::note(format!("{} of {total}; see --start and --limit", listed.jobs.len()));
    }
    Ok(Ending::Well)
}

fn table(jobs: &[Job]) -> String {
    let rows = jobs.iter().map(|job| {
        vec![
            job.id.to_string(),
            job.action.clone(),
            job.status.to_string(),
            job.worker_id.clone(),
            units_text(&job.capacity_map),
            job.scheduled_at.to_string(),
            took(job),
        ]
    });
    out::table(&["ID", "ACTION", "STATUS", "WORKER", "NEEDS", "SCHEDULED AT", "TOOK"], rows)
}

fn took(job: &Job) -> String {
    match (job.started_at, job.finished_at) {
        (Some(start), Some(end)) => format!("{:.3} s", (end.ms() - start.ms()) as f64 / 1000.0),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Command};
    use crate::jobs::JobsCommand;
    use clap::Parser;
    use expect_test::expect;
    use serde_json::json;

    fn asked(line: &str) -> String {
        let line = ["capstan", "jobs", "list"].into_iter().chain(line.split_whitespace());
        let command = Arguments::try_parse_from(line).unwrap().command;
        let Command::Jobs(JobsCommand::List(arguments)) = command else { panic!("{command:?}") };
        let query = arguments.query().into_iter();
        query.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn filters_become_the_query() {
        expect!["start=0 limit=10"].assert_eq(&asked(""));
        expect!["running=true start=0 limit=10"].assert_eq(&asked("--running"));
        expect!["running=false start=0 limit=10"].assert_eq(&asked("--running=false"));
        let parent = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        let query = format!("parent={parent} start=0 limit=10");
        assert_eq!(asked(&format!("--parent {parent}")), query);
        let line = "--action sleep --worker 0000000000aa --status done,worker_dead \
                    --since 2026-11-20T16:30:00Z --start 20 --limit 5";
        let query = "action=sleep worker=0000000000aa status=done,worker_dead \
                     since=2026-11-20T16:30:00Z start=20 limit=5";
        assert_eq!(asked(line), query);
    }

    #[test]
    fn a_job_is_one_row() {
        let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        let document = json!({"jobs": [
            {"id": id, "workerID": "0000000000aa", "status": "done", "action": "sleep",
             "scheduledAt": "2026-11-20T16:30:00Z", "capacityMap": {"scan": 1},
             "startedAt": "2026-11-20T16:30:00.002Z", "finishedAt": "2026-11-20T16:30:03.012Z"},
            {"id": id, "workerID": "", "status": "cancel_request", "action": "sleep",
             "scheduledAt": "2026-11-20T16:30:00Z", "capacityMap": null},
        ]});
        let listed = Jobs::deserialize(document).unwrap();
        expect![[r#"
            ID                                    ACTION  STATUS          WORKER        NEEDS   SCHEDULED AT          TOOK
            1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b  sleep   done            0000000000aa  scan=1  2026-11-20T16:30:00Z  3.010 s
            1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b  sleep   cancel_request                        2026-11-20T16:30:00Z
        "#]].assert_eq(&(table(&listed.jobs) + "\n"));
    }
}
