//! `capstan workers`: listing workers, draining them, changing their capacity.

use clap::{Args, Subcommand};
use client::ApiClient;
use client::command::{CommandOutcome, CommandResult, table};
use client::wire::Worker;
use domain::capacity::CapacityMap;
use domain::job::WorkerId;
use serde_json::json;

use crate::record::plain;
use crate::requests::{List, command_each, print_list};

/// The arguments of `workers`, which lists the workers unless a command is given.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct WorkersArguments {
    #[command(subcommand)]
    command: Option<WorkersCommand>,

    /// Print the API's answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum WorkersCommand {
    /// Stop giving jobs to workers; running jobs continue
    Drain {
        /// IDs of the workers
        #[arg(value_name = "ID", required = true)]
        ids: Vec<WorkerId>,
    },
    /// Give jobs to drained workers again
    Resume {
        /// IDs of the workers
        #[arg(value_name = "ID", required = true)]
        ids: Vec<WorkerId>,
    },
    /// Change the capacity that a worker offers; running jobs continue
    Capacity {
        /// ID of the worker
        id: WorkerId,
        /// All that the worker offers, for example scan=2,cpu=8; `default` is 16 unless given
        #[arg(value_name = "TYPE=UNITS,...", required_unless_present = "set")]
        map: Option<CapacityMap>,
        /// Change only these types, for example scan=4; 0 removes a type
        #[arg(long, value_name = "TYPE=UNITS,...", conflicts_with = "map")]
        set: Option<CapacityMap>,
    },
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, arguments: WorkersArguments) -> CommandResult {
    match arguments.command {
        Some(WorkersCommand::Drain { ids }) => command_each(api, "/workers", &ids, "drain").await,
        Some(WorkersCommand::Resume { ids }) => command_each(api, "/workers", &ids, "resume").await,
        Some(WorkersCommand::Capacity { id, map, set }) => {
            let path = format!("/workers/{id}/capacity");
            if let Some(changes) = set {
                api.patch_only(&path, &json!({"capacityMap": changes})).await?;
            } else {
                api.post_text(&path, json!({"capacityMap": map}).to_string()).await?;
            }
            Ok(CommandOutcome::Success)
        }
        None => {
            let workers = List { path: "/workers", key: "workers" };
            print_list(api, workers, &[], arguments.json, worker_table).await?;
            Ok(CommandOutcome::Success)
        }
    }
}

fn worker_table(workers: &[Worker]) -> String {
    let rows = workers.iter().map(|worker| {
        let jobs = worker.jobs.as_array();
        let jobs = jobs.map_or_else(|| plain(&worker.jobs), |jobs| jobs.len().to_string());
        vec![
            worker.id.clone(),
            worker.name.clone(),
            worker.status.clone(),
            worker.capacity_map.to_string(),
            worker.free.to_string(),
            jobs,
            worker.heartbeat_expiration.clone(),
            worker.version.clone(),
            worker.actions.join(","),
        ]
    });
    let header =
        ["ID", "NAME", "STATUS", "CAPACITY", "FREE", "JOBS", "LEASE UNTIL", "VERSION", "ACTIONS"];
    table(&header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;
    use expect_test::expect;

    #[test]
    fn workers_are_listed_unless_a_command_is_given() {
        let parsed = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            arguments::<WorkersArguments>(&words)
        };
        for line in ["", "--json"] {
            assert!(parsed(line).unwrap().command.is_none(), "{line}");
        }
        let commands = [
            "drain 0000000000aa 0000000000bb",
            "resume 0000000000aa",
            "capacity 0000000000aa scan=2,cpu=8",
            "capacity 0000000000aa --set scan=2",
        ];
        for line in commands {
            assert!(parsed(line).unwrap().command.is_some(), "{line}");
        }
        for line in [
            "drain",
            "drain me",
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
        "#]].assert_eq(&(worker_table(&workers) + "\n"));
    }
}
