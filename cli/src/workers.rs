//! `capstan workers`.

use clap::Args;
use serde_json::Value;

use crate::api::Api;
use crate::failure::{Ending, Failure};
use crate::out;
use crate::wire::{Worker, Workers, units_text};

/// What `workers` is told.
#[derive(Debug, Args)]
pub(crate) struct WorkersArguments {
    /// Print the API's answer, JSON
    #[arg(long)]
    json: bool,
}

/// Lists the workers.
pub(crate) async fn run(api: &Api, arguments: WorkersArguments) -> Result<Ending, Failure> {
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
