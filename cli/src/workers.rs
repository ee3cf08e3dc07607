//! `capstan workers`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use shared::capacity::CapacityMap;
use shared::job::WorkerId;

use crate::api::Api;
use crate::each::each;
use crate::failure::{Ending, Failure};
use crate::out;
use crate::wire::{Worker, Workers, units_text};

/// What `workers` is told.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct WorkersArguments {
    #[command(subcommand)]
    command: Option<WorkersCommand>,

    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// What `workers` can do beside listing them.
#[derive(Debug, Subcommand)]
enum WorkersCommand {
    /// Have workers take no more jobs; what they run goes on
    Drain {
        /// The workers
        #[arg(value_name = "ID", required = true)]
        ids: Vec<WorkerId>,
    },
    /// Have workers that drain take jobs again
    Resume {
        /// The workers
        #[arg(value_name = "ID", required = true)]
        ids: Vec<WorkerId>,
    },
    /// Change what a worker offers; what it runs goes on
    Capacity {
        /// The worker
        id: WorkerId,
        /// All that it shall offer, like scan=2,cpu=8; `default` is 16 unless given
        #[arg(value_name = "TYPE=UNITS,…")]
        map: CapacityMap,
    },
}

/// Lists the workers, or tells them something.
pub(crate) async fn run(api: &Api, arguments: WorkersArguments) -> Result<Ending, Failure> {
    let tell = async |ids: Vec<WorkerId>, what: &str| {
        let ids: Vec<&WorkerId> = ids.iter().collect();
        each(&ids, async |id| api.command(&format!("/workers/{id}/{what}")).await).await
    };
    match arguments.command {
        Some(WorkersCommand::Drain { ids }) => tell(ids, "drain").await,
        Some(WorkersCommand::Resume { ids }) => tell(ids, "resume").await,
        Some(WorkersCommand::Capacity { id, map }) => {
            let body = json!({"capacityMap": map}).to_string();
            api.post_text(&format!("/workers/{id}/capacity"), body).await?;
            Ok(Ending::Well)
        }
        None => list(api, &arguments).await,
    }
}

async fn list(api: &Api, arguments: &WorkersArguments) -> Result<Ending, Failure> {
    if arguments.json {
        out::say_json(&api.get::<Value>("/workers").await?)?;
    } else {
        let all: Workers = api.get("/workers").await?;
        out::say(table(&all.workers))?;
    }
    Ok(Ending::Well)
}

fn table(workers: &[Worker]) -> String {
    let rows = workers.iter().map(|worker| {
        let jobs = worker.jobs.as_array();
        let jobs = jobs.map_or_else(|| out::plain(&worker.jobs), |jobs| jobs.len().to_string());
        vec![
            worker.id.clone(),
            worker.name.clone(),
            worker.status.clone(),
            units_text(&worker.capacity_map),
            units_text(&worker.free),
            jobs,
            worker.heartbeat_expiration.clone(),
            worker.version.clone(),
            worker.actions.join(","),
        ]
    });
    let header =
        ["ID", "NAME", "STATUS", "OFFERS", "FREE", "JOBS", "HEARTBEAT UNTIL", "VERSION", "ACTIONS"];
    out::table(&header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn workers_are_listed_unless_something_is_said_to_them() {
        use crate::arguments::Arguments;
        use clap::Parser;
        for line in [
            "",
            "--json",
            "drain 0000000000aa 0000000000bb",
            "resume 0000000000aa",
            "capacity 0000000000aa scan=2,cpu=8",
        ] {
            let line = ["capstan", "workers"].into_iter().chain(line.split_whitespace());
            assert!(Arguments::try_parse_from(line.clone()).is_ok(), "{line:?}");
        }
        for line in ["drain", "drain me", "capacity 0000000000aa", "capacity 0000000000aa scan"] {
            let line = ["capstan", "workers"].into_iter().chain(line.split_whitespace());
            assert!(Arguments::try_parse_from(line.clone()).is_err(), "{line:?}");
        }
    }

    #[test]
    fn a_worker_is_one_row() {
        let document = json!({"workers": [
            {"id": "0000000000aa", "name": "a", "status": "running", "version": "0.1.0",
             "capacityMap": {"scan": 1, "default": 16}, "free": {"scan": 0, "default": 16},
             "actions": ["noop", "sleep"], "jobs": ["x"],
             "heartbeatExpiration": "2026-11-20T16:30:00Z"},
            {"id": "0000000000bb", "status": "dead", "capacityMap": {}, "heartbeatExpiration": ""},
        ]});
        let all: Workers = serde_json::from_value(document).unwrap();
        expect![[r#"
            ID            NAME  STATUS   OFFERS             FREE               JOBS  HEARTBEAT UNTIL       VERSION  ACTIONS
            0000000000aa  a     running  default=16,scan=1  default=16,scan=0  1     2026-11-20T16:30:00Z  0.1.0    noop,sleep
            0000000000bb        dead
        "#]].assert_eq(&(table(&all.workers) + "\n"));
    }
}
