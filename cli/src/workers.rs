//! `capstan workers`: listing workers, draining them, changing their capacity.

use clap::{Args, Subcommand};
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult, note};
use client::wire::Worker;
use domain::capacity::CapacityMap;
use serde_json::{Value, json};

use crate::columns::{Column, columns_help};
use crate::flags::OutputFlags;
use crate::record::plain;
use crate::references::{WorkerReference, resolve_workers};
use crate::requests::{List, command_each, print_document, print_table};

/// The arguments of `workers`, which lists the workers unless a command is given.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct WorkersArguments {
    #[command(subcommand)]
    command: Option<WorkersCommand>,

    #[command(flatten)]
    list: ListArguments,
}

#[derive(Debug, Subcommand)]
enum WorkersCommand {
    /// List workers; the same as `capstan workers`
    #[command(after_help = columns_help(WORKERS.columns))]
    List(ListArguments),
    /// Stop giving jobs to workers; running jobs continue
    Drain {
        /// IDs or names of the workers
        #[arg(value_name = "WORKER", required = true)]
        workers: Vec<WorkerReference>,
    },
    /// Give jobs to drained workers again
    Resume {
        /// IDs or names of the workers
        #[arg(value_name = "WORKER", required = true)]
        workers: Vec<WorkerReference>,
    },
    /// Change the capacity that a worker offers; running jobs continue
    Capacity {
        /// ID or name of the worker
        worker: WorkerReference,
        /// All that the worker offers, for example scan=2,cpu=8; `default` is 16 unless given
        #[arg(value_name = "TYPE=UNITS,...", required_unless_present = "set")]
        map: Option<CapacityMap>,
        /// Change only these types, for example scan=4; 0 removes a type
        #[arg(long, value_name = "TYPE=UNITS,...", conflicts_with = "map")]
        set: Option<CapacityMap>,
    },
}

/// The arguments of `workers list`.
#[derive(Debug, Args)]
struct ListArguments {
    /// List dead workers and those that have shut down too; they are kept for a day
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    output: OutputFlags,
}

const WORKERS: List<Worker> = List {
    path: "/workers",
    key: "workers",
    name: "id",
    columns: &[
        Column::whole("ID", "id of the worker, new at each start", |one: &Worker| one.id.clone()),
        Column::whole("NAME", "its name, which commands accept too", |one| one.name.clone()),
        Column::new("STATUS", "running, draining, dead or shutdown", |one| one.status.clone()),
        Column::new("CAPACITY", "capacity that it offers", |one| one.capacity_map.to_string()),
        Column::new("FREE", "capacity that no job uses", |one| one.free.to_string()),
        Column::new("JOBS", "number of jobs that it runs", running_jobs),
        Column::new("LEASE UNTIL", "when it counts as dead unless it renews its lease", |one| {
            one.heartbeat_expiration.clone()
        }),
        Column::new("VERSION", "version of the program", |one| one.version.clone()),
        Column::new("ACTIONS", "actions that it knows", |one| one.actions.join(",")),
    ],
};

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, arguments: WorkersArguments) -> CommandResult {
    match arguments.command {
        Some(WorkersCommand::List(arguments)) => list(api, &arguments).await,
        None => list(api, &arguments.list).await,
        Some(WorkersCommand::Drain { workers }) => {
            command_each(api, "/workers", &resolve_workers(api, &workers).await?, "drain").await
        }
        Some(WorkersCommand::Resume { workers }) => {
            command_each(api, "/workers", &resolve_workers(api, &workers).await?, "resume").await
        }
        Some(WorkersCommand::Capacity { worker, map, set }) => {
            let path = format!("/workers/{}/capacity", worker.resolve(api).await?);
            if let Some(changes) = set {
                api.patch_only(&path, &json!({"capacityMap": changes})).await?;
            } else {
                api.post_text(&path, json!({"capacityMap": map}).to_string()).await?;
            }
            Ok(CommandOutcome::Success)
        }
    }
}

/// Lists the workers, of which the API returns also those that ended within the last day.
async fn list(api: &ApiClient, arguments: &ListArguments) -> CommandResult {
    let mut page = api.page(WORKERS.path, &[]).await?;
    let mut hidden = 0;
    if let Some(Value::Array(workers)) = page.body.get_mut(WORKERS.key).filter(|_| !arguments.all) {
        let all = workers.len();
        workers.retain(|worker| worker["status"] != "dead" && worker["status"] != "shutdown");
        hidden = all - workers.len();
    }
    if !print_document(&WORKERS, &page, arguments.output)? {
        print_table(&WORKERS, &page.items(WORKERS.key)?, None, arguments.output)?;
        if hidden > 0 {
            note(format!("workers that have ended are not shown: {hidden}; use --all"));
        }
    }
    Ok(CommandOutcome::Success)
}

fn running_jobs(worker: &Worker) -> String {
    let jobs = worker.jobs.as_array();
    jobs.map_or_else(|| plain(&worker.jobs), |jobs| jobs.len().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::lay_out;
    use crate::test_parser::arguments;
    use expect_test::expect;

    #[test]
    fn workers_are_listed_unless_a_command_is_given() {
        let parsed = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            arguments::<WorkersArguments>(&words)
        };
        for line in ["", "--json", "--all -o wide"] {
            assert!(parsed(line).unwrap().command.is_none(), "{line}");
        }
        let commands = [
            "list",
            "list --all -o name",
            "drain 0000000000aa host-1",
            "resume 0000000000aa",
            "capacity 0000000000aa scan=2,cpu=8",
            "capacity 0000000000aa --set scan=2",
        ];
        for line in commands {
            assert!(parsed(line).unwrap().command.is_some(), "{line}");
        }
        for line in [
            "drain",
            "list host-1",
            "--json drain host-1",
            "capacity 0000000000aa",
            "capacity 0000000000aa scan",
            "capacity 0000000000aa scan=1 --set scan=2",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn each_worker_is_one_row() {
        let workers = json!([
            {"id": "0000000000aa", "name": "a", "status": "running", "version": "0.1.0",
             "capacityMap": {"scan": 1, "default": 16}, "free": {"scan": 0, "default": 16},
             "actions": ["noop", "sleep"], "jobs": ["x"],
             "heartbeatExpiration": "2026-11-20T16:30:00Z"},
            {"id": "0000000000bb", "status": "dead", "capacityMap": {}, "heartbeatExpiration": ""},
        ]);
        let workers: Vec<Worker> = serde_json::from_value(workers).unwrap();
        expect![[r#"
            ID            NAME  STATUS   CAPACITY           FREE               JOBS  LEASE UNTIL           VERSION  ACTIONS
            0000000000aa  a     running  default=16,scan=1  default=16,scan=0  1     2026-11-20T16:30:00Z  0.1.0    noop,sleep
            0000000000bb        dead
        "#]].assert_eq(&(lay_out(WORKERS.columns, &workers, false, None) + "\n"));
    }
}
