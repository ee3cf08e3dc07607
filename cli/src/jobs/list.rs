//! `capstan jobs list`.

use clap::Args;
use client::command::{CommandError, CommandOutcome, CommandResult, note};
use client::wire::{Job, WaitReason};
use client::{ApiClient, ClientError};
use domain::job::Status;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::columns::Column;
use crate::filters::Filters;
use crate::flags::{OutputFlags, Paging};
use crate::requests::{List, print_document, print_table};

/// How many jobs are read at the same time to learn why they wait.
const CONCURRENT_CALLS: usize = 8;

/// The arguments of `jobs list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    filters: Filters,

    /// Only jobs that match this search, for example 'status:error param.host:sw1 refused'
    #[arg(short = 'q', long = "search", value_name = "SEARCH")]
    search: Option<String>,

    #[command(flatten)]
    paging: Paging<10>,

    #[command(flatten)]
    output: OutputFlags,
}

/// The list of jobs.
pub(super) const JOBS: List<Job> = List {
    path: "/jobs",
    key: "jobs",
    name: "id",
    columns: &[
        Column::new("ID", "id of the job", |one: &Job| one.id.to_string()),
        Column::whole("NUMBER", "its number, which commands accept too", |one| {
            one.number.to_string()
        }),
        Column::new("ACTION", "action that it runs", |one| one.action.clone()),
        Column::new("STATUS", "its status, such as waiting, running, done or error", |one| {
            one.status.to_string()
        }),
        Column::new("WAITING FOR", "why it waits; see `capstan explain`", |one| {
            reason(one).map(|reason| reason.code.clone()).unwrap_or_default()
        }),
        Column::new("WORKER", "worker that claimed it", |one| one.worker_id.clone()),
        Column::new("SCHEDULED AT", "when it is due", |one| one.scheduled_at.to_string()),
        Column::new("RUN TIME", "how long it ran", run_time),
        Column::wide("CAPACITY", "capacity that it needs", |one| one.capacity_map.to_string()),
        Column::wide("PRIORITY", "its priority", |one| one.priority.clone()),
        Column::wide("ATTEMPT", "number of the attempt, from 1", |one| one.attempt.to_string()),
        Column::wide("SUBMITTED AT", "when it was submitted", |one| {
            one.created_at.map(|at| at.to_string()).unwrap_or_default()
        }),
        Column::wide("SCHEDULED BY", "who submitted it", |one| {
            one.scheduled_by.clone().unwrap_or_default()
        }),
        Column::wide("CRON", "cron that created it", |one| one.cron.clone().unwrap_or_default()),
        Column::wide("LABELS", "its labels", |one| {
            let labels = one.labels.iter().map(|(name, text)| format!("{name}={text}"));
            labels.collect::<Vec<_>>().join(",")
        }),
        Column::wide("COMMENT", "comment given at submission", |one| {
            one.comment.clone().unwrap_or_default()
        }),
        Column::wide("REASON", "message that says why it waits or failed", |one| {
            let failure = one.exception.as_ref().map(|exception| &exception.message);
            reason(one).map(|reason| &reason.message).or(failure).cloned().unwrap_or_default()
        }),
    ],
};

impl ListArguments {
    async fn query(&self, api: &ApiClient) -> Result<Vec<(&'static str, String)>, CommandError> {
        let mut query = self.filters.query(api).await?;
        // A search is listed in the order by due time.
        query.push(match &self.search {
            Some(search) => ("q", search.clone()),
            None => ("sort", "-createdAt".to_owned()),
        });
        query.extend(self.paging.query());
        Ok(query)
    }
}

/// Lists jobs.
pub(super) async fn run(api: &ApiClient, arguments: &ListArguments) -> CommandResult {
    let page = api.page(JOBS.path, &arguments.query(api).await?).await?;
    if !print_document(&JOBS, &page, arguments.output)? {
        let jobs = with_reasons(api, page.items(JOBS.key)?).await?;
        print_table(&JOBS, &jobs, page.total, arguments.output)?;
    }
    if page.is_truncated {
        note("the search reached its time limit; more jobs may match: narrow the filters");
    }
    Ok(CommandOutcome::Success)
}

/// Reads the waiting jobs again one by one, because lists leave out why they wait.
async fn with_reasons(api: &ApiClient, jobs: Vec<Job>) -> Result<Vec<Job>, ClientError> {
    let read = |job: Job| async move {
        if job.status != Status::Waiting {
            return Ok(job);
        }
        match api.get(&format!("/jobs/{}", job.id)).await {
            Ok(details) => Ok(details),
            // It has been removed in the meantime.
            Err(ClientError::Refused(refusal)) if refusal.status == 404 => Ok(job),
            Err(error) => Err(error),
        }
    };
    stream::iter(jobs).map(read).buffered(CONCURRENT_CALLS).try_collect().await
}

fn reason(job: &Job) -> Option<&WaitReason> {
    job.waiting_for.as_ref()
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
    use crate::columns::lay_out;
    use crate::test_parser::arguments;
    use expect_test::expect;
    use serde_json::json;

    fn given(line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let arguments = arguments::<ListArguments>(&words).unwrap();
        let query = arguments.filters.given().into_iter().chain(arguments.paging.query());
        query.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn filters_become_query_parameters() {
        expect!["start=0 limit=10"].assert_eq(&given(""));
        expect!["running=true start=0 limit=10"].assert_eq(&given("--running"));
        expect!["running=false start=0 limit=10"].assert_eq(&given("--running=false"));
        let line = "--action sleep --worker host-1 --status done,worker_dead --parent 7 \
                    --since 2026-11-20T16:30:00Z --start 20 --limit 5 --label team=db \
                    --label tier=1 --cron gc --scheduled-by ci --fairness-key t7";
        let expected = "action=sleep status=done,worker_dead since=2026-11-20T16:30:00Z cron=gc \
                        scheduledBy=ci fairnessKey=t7 label=team:db label=tier:1 start=20 limit=5";
        assert_eq!(given(line), expected);
    }

    #[test]
    fn each_job_is_one_row() {
        let id = "1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b";
        let jobs = json!([
            {"id": id, "number": 7, "workerID": "0000000000aa", "status": "done", "action": "sleep",
             "scheduledAt": "2026-11-20T16:30:00Z", "capacityMap": {"scan": 1},
             "startedAt": "2026-11-20T16:30:00.002Z", "finishedAt": "2026-11-20T16:30:03.012Z"},
            {"id": id, "workerID": "", "status": "cancel_request", "action": "sleep",
             "scheduledAt": "2026-11-20T16:30:00Z", "capacityMap": null},
            {"id": id, "number": 9, "workerID": "", "status": "waiting", "action": "sleep",
             "scheduledAt": "2026-11-20T16:30:00Z", "capacityMap": null, "comment": null,
             "waitingFor": {"code": "lock", "message": "lock a is held by job 7"}},
        ]);
        let jobs: Vec<Job> = serde_json::from_value(jobs).unwrap();
        expect![[r#"
            ID                                    NUMBER  ACTION  STATUS          WAITING FOR  WORKER        SCHEDULED AT          RUN TIME
            1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b  7       sleep   done                         0000000000aa  2026-11-20T16:30:00Z  3.010 s
            1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b  0       sleep   cancel_request                             2026-11-20T16:30:00Z
            1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b  9       sleep   waiting         lock                       2026-11-20T16:30:00Z
        "#]].assert_eq(&(lay_out(JOBS.columns, &jobs, false, None) + "\n"));
        expect![[r#"
            ID         NUMBER  ACTION  STATUS  WAITING FOR  WORKER    SCHEDULED AT  RUN TIME
            1fcf4c0f…  7       sleep   done                 0000000…  2026-11-20T…  3.010 s
        "#]]
        .assert_eq(&(lay_out(JOBS.columns, &jobs[..1], false, Some(80)) + "\n"));
    }
}
