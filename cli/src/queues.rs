//! `capstan queues`.

use clap::Subcommand;
use serde_json::Value;
use shared::capacity::Class;

use crate::api::Api;
use crate::each::each;
use crate::failure::{Ending, Failure};
use crate::out;
use crate::wire::{Queue, Queues};

/// What `queues` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum QueuesCommand {
    /// List the queues, with what there is in each
    List {
        /// Print the API's answer, JSON
        #[arg(long)]
        json: bool,
    },
    /// Have no job of classes started until they are resumed; what runs goes on
    Pause {
        /// The classes, like scan=1 or cpu=2+scan=1
        #[arg(value_name = "CLASS", required = true, value_parser = class)]
        classes: Vec<Class>,
    },
    /// Have jobs of classes started again
    Resume {
        /// The classes, like scan=1 or cpu=2+scan=1
        #[arg(value_name = "CLASS", required = true, value_parser = class)]
        classes: Vec<Class>,
    },
}

/// Does it.
pub(crate) async fn run(api: &Api, command: QueuesCommand) -> Result<Ending, Failure> {
    let (classes, what) = match command {
        QueuesCommand::List { json } => return list(api, json).await,
        QueuesCommand::Pause { classes } => (classes, "pause"),
        QueuesCommand::Resume { classes } => (classes, "resume"),
    };
    let classes: Vec<&Class> = classes.iter().collect();
    each(&classes, async |class| api.command(&format!("/queues/{class}/{what}")).await).await
}

fn class(text: &str) -> Result<Class, String> {
    let wrong = "it must be like scan=1 or cpu=2+scan=1, in the order of the names";
    Class::try_from(text.to_owned()).map_err(|error| format!("{error}: {wrong}"))
}

async fn list(api: &Api, json: bool) -> Result<Ending, Failure> {
    if json {
        out::say_json(&api.get::<Value>("/queues").await?)?;
    } else {
        let all: Queues = api.get("/queues").await?;
        out::say(table(&all.queues))?;
    }
    Ok(Ending::Well)
}

fn table(queues: &[Queue]) -> String {
    let rows = queues.iter().map(|queue| {
        vec![
            queue.class.clone(),
            queue.priority.clone(),
            queue.offered.to_string(),
            queue.behind.to_string(),
            queue.parked.to_string(),
            queue.running.to_string(),
            queue.oldest.clone().unwrap_or_default(),
            queue.workers.to_string(),
            if queue.paused { "paused" } else { "" }.to_owned(),
        ]
    });
    let header = [
        "CLASS",
        "PRIORITY",
        "OFFERED",
        "BEHIND",
        "PARKED",
        "RUNNING",
        "OLDEST OFFER",
        "WORKERS",
        "PAUSED",
    ];
    out::table(&header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn classes_are_named_as_they_are_written() {
        use crate::arguments::Arguments;
        use clap::Parser;
        let parsed = |line: &str| {
            let line = ["capstan", "queues"].into_iter().chain(line.split_whitespace());
            Arguments::try_parse_from(line).is_ok()
        };
        for line in ["list", "list --json", "pause scan=1", "resume cpu=2+scan=1 default=1"] {
            assert!(parsed(line), "{line}");
        }
        for line in ["", "pause", "pause scan", "resume scan=1+cpu=2", "pause scan=1,cpu=2"] {
            assert!(!parsed(line), "{line}");
        }
    }

    #[test]
    fn a_queue_is_one_row() {
        let document = json!({"queues": [
            {"class": "cpu=2+scan=1", "priority": "high", "offered": 64, "behind": 900,
             "parked": 3, "running": 12, "oldest": "2026-11-20T16:54:34.717Z", "workers": 4,
             "paused": true},
            {"class": "default=1", "priority": "normal", "oldest": null},
        ]});
        let all: Queues = serde_json::from_value(document).unwrap();
        expect![[r#"
            CLASS         PRIORITY  OFFERED  BEHIND  PARKED  RUNNING  OLDEST OFFER              WORKERS  PAUSED
            cpu=2+scan=1  high      64       900     3       12       2026-11-20T16:54:34.717Z  4        paused
            default=1     normal    0        0       0       0                                  0
        "#]].assert_eq(&(table(&all.queues) + "\n"));
    }
}
