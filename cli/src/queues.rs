//! `capstan queues`: listing and deleting queues, pausing classes of jobs.

use clap::Subcommand;
use client::ApiClient;
use client::command::{CommandError, CommandOutcome, CommandResult, note};
use client::wire::{FairnessGroup, Queue};
use domain::capacity::Class;

use crate::columns::{Column, columns_help};
use crate::flags::OutputFlags;
use crate::requests::{List, command_each, each, print_document, print_table};

/// The commands on queues.
#[derive(Debug, Subcommand)]
pub(crate) enum QueuesCommand {
    /// List queues and the number of jobs in each
    #[command(after_help = columns_help(QUEUES.columns))]
    List(OutputFlags),
    /// Delete the unused queues of classes now, instead of 10 minutes after their last job
    Delete {
        /// Classes, for example scan=1 or cpu=2+scan=1
        #[arg(value_name = "CLASS", required = true, value_parser = class)]
        classes: Vec<Class>,
    },
    /// Stop starting jobs of classes; running jobs continue
    Pause {
        /// Classes, for example scan=1 or cpu=2+scan=1
        #[arg(value_name = "CLASS", required = true, value_parser = class)]
        classes: Vec<Class>,
    },
    /// Start jobs of paused classes again
    Resume {
        /// Classes, for example scan=1 or cpu=2+scan=1
        #[arg(value_name = "CLASS", required = true, value_parser = class)]
        classes: Vec<Class>,
    },
}

/// Runs the command.
pub(crate) async fn run(api: &ApiClient, command: QueuesCommand) -> CommandResult {
    match command {
        QueuesCommand::List(output) => {
            list(api, output).await?;
            Ok(CommandOutcome::Success)
        }
        QueuesCommand::Delete { classes } => {
            each(&classes, async |class| Ok(api.delete(&format!("/queues/{class}")).await?)).await
        }
        QueuesCommand::Pause { classes } => {
            let outcome = command_each(api, "/queues", &classes, "pause").await?;
            note_unknown(api, &classes).await?;
            Ok(outcome)
        }
        QueuesCommand::Resume { classes } => command_each(api, "/queues", &classes, "resume").await,
    }
}

/// Lists the queues, and the paused actions, whose jobs wait in any of them.
async fn list(api: &ApiClient, output: OutputFlags) -> Result<(), CommandError> {
    let page = api.page(QUEUES.path, &[]).await?;
    if print_document(&QUEUES, &page, output)? {
        return Ok(());
    }
    print_table(&QUEUES, &page.items(QUEUES.key)?, None, output)?;
    let paused: Vec<String> = page.items("pausedActions").unwrap_or_default();
    if !paused.is_empty() {
        note(format!("paused actions: {}", paused.join(", ")));
    }
    Ok(())
}

/// Warns about classes without a queue; they may be misspelled.
async fn note_unknown(api: &ApiClient, classes: &[Class]) -> Result<(), CommandError> {
    let queues: Vec<Queue> = api.page(QUEUES.path, &[]).await?.items(QUEUES.key)?;
    let has_queue = |class: &str| queues.iter().any(|queue| queue.class == class);
    for class in classes.iter().filter(|class| !has_queue(class.as_str())) {
        note(format!("paused {class}, but there are no jobs of this class"));
    }
    Ok(())
}

fn class(text: &str) -> Result<Class, String> {
    let form = "it must be TYPE=UNITS, joined by + in alphabetical order, for example cpu=2+scan=1";
    Class::try_from(text.to_owned()).map_err(|error| format!("{error}: {form}"))
}

/// How many fairness groups of a queue are named.
const MOST_NAMED: usize = 3;

/// Names the largest fairness groups of a queue.
fn groups(queue: &Queue) -> String {
    let name = |group: &FairnessGroup| {
        let owner = group.owner.as_deref().unwrap_or("unknown");
        let key = group.fairness_key.as_ref().map(|key| format!("/{key}")).unwrap_or_default();
        format!("{owner}{key} {:.0}%", group.share * 100.0)
    };
    let mut words: Vec<String> = queue.groups.iter().take(MOST_NAMED).map(name).collect();
    let others = queue.group_count.saturating_sub(words.len() as u64);
    words.extend((others > 0).then(|| format!("{others} more")));
    words.join(", ")
}

const QUEUES: List<Queue> = List {
    path: "/queues",
    key: "queues",
    name: "class",
    columns: &[
        Column::whole("CLASS", "capacity that the jobs need", |one: &Queue| one.class.clone()),
        Column::new("ACTION", "action of the jobs, if not every live worker knows it", |one| {
            one.action.clone().unwrap_or_default()
        }),
        Column::new("PRIORITY", "priority of the jobs", |one| one.priority.clone()),
        Column::new("OFFERED", "jobs that are offered to workers", |one| one.offered.to_string()),
        Column::new("BACKLOG", "jobs that wait behind those", |one| one.backlog.to_string()),
        Column::new("PARKED", "jobs that wait for a lock", |one| one.parked.to_string()),
        Column::new("RUNNING", "jobs that run", |one| one.running.to_string()),
        Column::new("OLDEST OFFER", "when the oldest offered job was offered", |one| {
            one.oldest.clone().unwrap_or_default()
        }),
        Column::new("WORKERS", "live workers that can run the jobs", |one| one.workers.to_string()),
        Column::wide("GROUPS", "fairness groups, and their share of the offered jobs", groups),
        Column::new("PAUSED", "`paused` while no job of the class is started", |one| {
            if one.paused { "paused" } else { "" }.to_owned()
        }),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::lay_out;
    use crate::test_parser::subcommand;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_class_lists_its_types_in_alphabetical_order() {
        let parsed = |line: &str| subcommand::<QueuesCommand>(line);
        for line in
            ["list", "list --json", "pause scan=1", "resume cpu=2+scan=1 default=1", "delete gpu=4"]
        {
            assert!(parsed(line).is_ok(), "{line}");
        }
        for line in ["", "pause", "pause scan", "resume scan=1+cpu=2", "pause scan=1,cpu=2"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn each_queue_is_one_row() {
        let queues = json!([
            {"class": "cpu=2+scan=1", "priority": "high", "offered": 64, "backlog": 900,
             "parked": 3, "running": 12, "oldest": "2026-11-20T16:54:34.717Z", "workers": 4,
             "paused": true, "groupCount": 12, "groups": [
                {"owner": "ci", "fairnessKey": "tenant-7", "share": 0.5},
                {"owner": null, "fairnessKey": "tenant-8", "share": 0.25},
                {"owner": "ci", "fairnessKey": null, "share": 0.125},
                {"owner": "anna", "fairnessKey": null, "share": 0.125}]},
            {"class": "default=1", "action": null, "priority": "normal", "oldest": null},
            {"class": "default=1", "action": "push", "priority": "normal", "offered": 2,
             "workers": 1},
        ]);
        let queues: Vec<Queue> = serde_json::from_value(queues).unwrap();
        expect![[r#"
            CLASS         ACTION  PRIORITY  OFFERED  BACKLOG  PARKED  RUNNING  OLDEST OFFER              WORKERS  GROUPS                                                 PAUSED
            cpu=2+scan=1          high      64       900      3       12       2026-11-20T16:54:34.717Z  4        ci/tenant-7 50%, unknown/tenant-8 25%, ci 12%, 9 more  paused
            default=1             normal    0        0        0       0                                  0
            default=1     push    normal    2        0        0       0                                  1
        "#]].assert_eq(&(lay_out(QUEUES.columns, &queues, true, None) + "\n"));
    }
}
